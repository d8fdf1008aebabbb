//! Talking to a server through PostgreSQL's own client programs.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::account::plain_command;
use crate::binaries::Binaries;
use crate::{EmbeddedError, SUPERUSER};

/// Where a server is asked.
#[derive(Debug, Clone)]
pub(crate) struct Console {
    pub(crate) binaries: Binaries,
    pub(crate) sockets: PathBuf,
    pub(crate) port: u16,
}

/// How a server answers the question whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Accepts,
    /// It is starting or stopping.
    Refuses,
    Nothing,
}

impl Console {
    pub(crate) fn knock(&self) -> Answer {
        let mut command = self.command("pg_isready", "postgres");
        command.args(["-q", "-t", "3"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        match command.status().ok().and_then(|status| status.code()) {
            Some(0) => Answer::Accepts,
            Some(1) => Answer::Refuses,
            _ => Answer::Nothing,
        }
    }

    /// What the statements answer: columns divided by `|`, rows by line ends.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> Result<String, EmbeddedError> {
        let mut command = self.command("psql", database);
        command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        output(command, "psql")
    }

    fn command(&self, program: &str, database: &str) -> Command {
        let mut command = plain_command(self.binaries.program(program));
        command
            .env("PGHOST", &self.sockets)
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", SUPERUSER)
            .env("PGDATABASE", database)
            .env("PGCONNECT_TIMEOUT", "10")
            .env("PGCLIENTENCODING", "UTF8");
        command
    }
}

/// Runs a program to its end; what it says on standard error is the reason when it fails.
pub(crate) fn output(mut command: Command, program: &str) -> Result<String, EmbeddedError> {
    let output = command.output().map_err(|source| EmbeddedError::Io {
        action: format!("run {program}"),
        source,
    })?;
    if !output.status.success() {
        return Err(EmbeddedError::Program {
            program: program.to_owned(),
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    let mut answer = String::from_utf8_lossy(&output.stdout).into_owned();
    if answer.ends_with('\n') {
        answer.pop();
    }
    Ok(answer)
}

pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
