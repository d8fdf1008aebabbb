//! A mail server as a process, and the mails that it was handed.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{App, User, eventually};

/// How long a mail may take.
const WITHIN: Duration = Duration::from_secs(30);

/// The subject of a mail that verifies an address.
pub(crate) const VERIFY: &str = "Verify your e-mail address";

/// The subject of a mail that resets a password.
pub(crate) const RESET: &str = "Reset your password";

/// The subject of a mail that tells of a new password.
pub(crate) const CHANGED: &str = "Your password was changed";

/// A mail server. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Postbox {
    child: Child,
    pub(crate) address: String,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Debug, Default)]
struct Heard {
    letters: Vec<Letter>,
    most_connections: u64,
    connections: u64,
}

/// A mail as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// Head and body, decoded, with line feeds.
    pub(crate) text: String,
}

impl Postbox {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With these arguments.
    pub(crate) async fn start_with(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_postbox"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.next_line().await.unwrap().unwrap();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let hearing = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                hearing.lock().unwrap().hear(&line);
            }
        });
        Self {
            child,
            address,
            heard,
        }
    }

    /// One at the address of another that has ended.
    pub(crate) async fn start_at(address: &str) -> Self {
        Self::start_with(&["--listen", address]).await
    }

    /// What an instance must be told to send mail here.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        self.settings_as("")
    }

    /// The same, with credentials such as `user:password@`.
    pub(crate) fn settings_as(&self, login: &str) -> Vec<(&'static str, String)> {
        vec![
            ("SMTP_URL", format!("smtp://{login}{}", self.address)),
            ("MAIL_FROM", "Readout <readout@example.org>".to_owned()),
            ("PUBLIC_URL", "https://readout.example".to_owned()),
        ]
    }

    /// Ends it, and answers where it listened.
    pub(crate) async fn stop(mut self) -> String {
        self.child.kill().await.unwrap();
        self.address.clone()
    }

    /// Stops or continues the process: connections to one that is stopped are accepted and not answered.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().unwrap().try_into().unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// All mails to an address with a subject, in the order of arrival.
    pub(crate) fn letters(&self, to: &str, subject: &str) -> Vec<Letter> {
        let heard = self.heard.lock().unwrap();
        let wanted = heard
            .letters
            .iter()
            .filter(|letter| letter.to == [to] && letter.header("Subject") == subject);
        wanted.cloned().collect()
    }

    /// The n-th mail to an address with a subject, from 1, once it has arrived.
    pub(crate) async fn letter(&self, to: &str, subject: &str, n: usize) -> Letter {
        let what = format!("mail {n} to {to}: {subject}");
        eventually(&what, WITHIN, async || self.letters(to, subject).len() >= n).await;
        self.letters(to, subject)[n - 1].clone()
    }

    /// The token of the mail that came with the sign-up.
    pub(crate) async fn verify_token(&self, user: &User) -> String {
        self.letter(&user.email, VERIFY, 1).await.token()
    }

    /// Asks for a mail to reset the password, and answers the token of the n-th one.
    pub(crate) async fn reset_token(&self, app: &App, user: &User, n: usize) -> String {
        nothing_waits(app).await;
        let body = serde_json::json!({"email": user.email});
        let asked = user.post("/auth/request-password-reset", &body).await;
        asked.expect(202);
        self.letter(&user.email, RESET, n).await.token()
    }

    /// How many connections are open, and how many there were at once.
    pub(crate) fn connections(&self) -> (u64, u64) {
        let heard = self.heard.lock().unwrap();
        (heard.connections, heard.most_connections)
    }
}

/// Waits until every mail is sent and erased: who asks for one before that may get the same again.
pub(crate) async fn nothing_waits(app: &App) {
    let sql = app.sql().await;
    eventually("nothing waits", WITHIN, async || {
        sql.one("select count(*) from outbox_mails").await == "0"
    })
    .await;
}

impl Heard {
    fn hear(&mut self, line: &str) {
        let line: Value = serde_json::from_str(line).unwrap();
        if let Some(connections) = line["connections"].as_u64() {
            self.connections = connections;
            self.most_connections = self.most_connections.max(connections);
            return;
        }
        let mail = &line["mail"];
        let to = mail["to"].as_array().unwrap().iter();
        self.letters.push(Letter {
            from: mail["from"].as_str().unwrap().to_owned(),
            to: to.map(|it| it.as_str().unwrap().to_owned()).collect(),
            text: decoded(mail["data"].as_str().unwrap()),
        });
    }
}

/// A mail whose body is of ASCII, which may be quoted-printable (RFC 2045, section 6.7).
fn decoded(mail: &str) -> String {
    let (head, body) = mail.split_once("\n\n").unwrap();
    if !head.contains("Content-Transfer-Encoding: quoted-printable") {
        return mail.to_owned();
    }
    let body = body.replace("=\n", "");
    let mut parts = body.split('=');
    let mut text = format!("{head}\n\n{}", parts.next().unwrap());
    for part in parts {
        let (code, rest) = part.split_at(2);
        text.push(char::from(u8::from_str_radix(code, 16).unwrap()));
        text.push_str(rest);
    }
    text
}

impl Letter {
    /// A line of the head, or an empty text.
    pub(crate) fn header(&self, name: &str) -> &str {
        let lines = self.text.lines().take_while(|line| !line.is_empty());
        let mut values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        values.next().unwrap_or_default()
    }

    /// The line that is nothing but a token.
    pub(crate) fn token(&self) -> String {
        let mut lines = self.text.lines();
        let token = lines.find(|line| line.starts_with("rvt_"));
        token
            .unwrap_or_else(|| panic!("no token: {}", self.text))
            .to_owned()
    }

    /// The line that is nothing but a link.
    pub(crate) fn link(&self) -> String {
        let mut lines = self.text.lines();
        let link = lines.find(|line| line.starts_with("http"));
        link.unwrap_or_else(|| panic!("no link: {}", self.text))
            .to_owned()
    }
}
