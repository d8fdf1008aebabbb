//! The tools, as processes of their own against a running service.

mod export;
mod import;
mod refused;
mod resume;
mod simulate;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Child;
use tokio::time::timeout;

use crate::support::{App, Device, User, command};

const ENDED_WITHIN: Duration = Duration::from_mins(2);

/// A folder to work in, and the variables that the tools get.
#[derive(Debug)]
struct Desk {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

/// What a tool left behind.
#[derive(Debug)]
struct Ended {
    code: i32,
    output: String,
    errors: String,
}

impl Desk {
    /// Of someone who has no credentials.
    fn new(app: &App) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: vec![("READOUT_URL", app.servers[0].url().to_owned())],
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// Of a user who is signed in.
    fn of(app: &App, user: &User) -> Self {
        Self::new(app).with("READOUT_TOKEN", &user.access_token)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and answers its path.
    fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.name(name)
    }

    /// The path of a file as an argument.
    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> String {
        read(&self.path(name))
    }

    /// Starts a tool.
    fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = command(arguments, &self.variables);
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    }

    /// Runs a tool to its end.
    async fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.spawn(arguments)).await
    }
}

impl Ended {
    async fn of(child: Child) -> Self {
        let output = timeout(ENDED_WITHIN, child.wait_with_output()).await;
        let output = output.expect("the tool should have ended").unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            output: text(output.stdout),
            errors: text(output.stderr),
        }
    }

    #[track_caller]
    fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.output, self.errors);
        assert!(!self.errors.contains("panicked"), "{}", self.errors);
        self
    }

    /// It must have said this.
    #[track_caller]
    fn says(self, words: &str) -> Self {
        assert!(
            self.output.contains(words),
            "{words}: {}\n{}",
            self.output,
            self.errors
        );
        self
    }

    /// It must have failed with one line, of these words among others.
    #[track_caller]
    fn fails(self, words: &str) -> Self {
        let ended = self.expect(1);
        let lines: Vec<_> = ended.errors.lines().collect();
        assert!(
            lines.len() == 1 && lines[0].starts_with("readout: ") && lines[0].contains(words),
            "{words}: {lines:#?}"
        );
        ended
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What is stored of a device, as `metric,recorded_at,value`, by time.
async fn stored(user: &User, device: &Device) -> Vec<String> {
    let csv = user.with("accept", "text/csv");
    let answer = csv.get(&device.path("/readings")).await.expect(200);
    answer.text.lines().skip(1).map(str::to_owned).collect()
}
