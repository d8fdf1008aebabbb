//! A mail server for tests (RFC 5321): takes mail, and prints each one on a line, as JSON.
//!
//! It says where it listens on its first line, and then everything that happens: `{"mail":{…}}` for a mail,
//! `{"connections":n}` whenever that number changes.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Parser;
use serde_json::json;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, tcp::OwnedWriteHalf};

#[derive(Debug, Parser)]
struct Options {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Answer to recipients, instead of taking them
    #[arg(long, value_name = "STATUS")]
    refuse_recipients: Option<u16>,

    /// Answer to mails, instead of taking them, with the whole mail quoted
    #[arg(long, value_name = "STATUS")]
    refuse_mails: Option<u16>,

    /// So many mails are taken without an answer: the connection is closed instead
    #[arg(long, value_name = "N", default_value_t = 0)]
    lose_answers: u32,

    /// The one who may send mail, as user:password
    #[arg(long, value_name = "CREDENTIALS")]
    login: Option<String>,
}

struct Postbox {
    options: Options,
    connections: AtomicU32,
    answers_to_lose: AtomicU32,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let options = Options::parse();
    let listener = TcpListener::bind(options.listen).await?;
    println!("{}", listener.local_addr()?);
    let postbox = Arc::new(Postbox {
        answers_to_lose: AtomicU32::new(options.lose_answers),
        connections: AtomicU32::new(0),
        options,
    });
    loop {
        let (stream, _) = listener.accept().await?;
        let postbox = Arc::clone(&postbox);
        tokio::spawn(async move {
            postbox.count(1);
            // A client that goes away is no trouble of ours.
            let _ = postbox.serve(stream).await;
            postbox.count(u32::MAX);
        });
    }
}

impl Postbox {
    /// Adds to the number of connections; the largest number takes one away.
    fn count(&self, change: u32) {
        let before = self.connections.fetch_add(change, Ordering::Relaxed);
        println!("{}", json!({"connections": before.wrapping_add(change)}));
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read);
        say(&mut write, "220 postbox ESMTP").await?;
        let mut is_known = self.options.login.is_none();
        let (mut from, mut to) = (None, Vec::new());
        let mut line = String::new();
        loop {
            line.clear();
            if read.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let command = line.trim_end();
            let word = command.split([' ', ':']).next().unwrap_or_default();
            let answer = match word.to_ascii_uppercase().as_str() {
                "EHLO" if self.options.login.is_some() => {
                    "250-postbox\r\n250 AUTH PLAIN".to_owned()
                }
                "EHLO" | "HELO" => "250-postbox\r\n250-8BITMIME\r\n250 SMTPUTF8".to_owned(),
                "AUTH" => {
                    is_known = self.is_login(command);
                    let answer = if is_known {
                        "235 welcome"
                    } else {
                        "535 who is that"
                    };
                    answer.to_owned()
                }
                "MAIL" if !is_known => "530 who are you".to_owned(),
                "MAIL" => {
                    (from, to) = (Some(address(command)), Vec::new());
                    "250 fine".to_owned()
                }
                "RCPT" if from.is_some() => {
                    to.push(address(command));
                    self.options.refuse_recipients.map_or_else(
                        || "250 fine".to_owned(),
                        |status| format!("{status} nobody <{}> here", address(command)),
                    )
                }
                "DATA" if !to.is_empty() => {
                    say(&mut write, "354 go on").await?;
                    let data = data(&mut read).await?;
                    match self.take(from.take().as_deref(), &to, &data) {
                        Some(answer) => answer,
                        None => return Ok(()),
                    }
                }
                "RSET" | "NOOP" => "250 fine".to_owned(),
                "QUIT" => return say(&mut write, "221 bye").await,
                "RCPT" | "DATA" => "503 not now".to_owned(),
                _ => "502 what".to_owned(),
            };
            say(&mut write, &answer).await?;
        }
    }

    /// Whether a line of AUTH PLAIN (RFC 4616) has the right credentials.
    fn is_login(&self, command: &str) -> bool {
        let given = command.rsplit(' ').next().unwrap_or_default();
        let given = STANDARD.decode(given).unwrap_or_default();
        let right = self.options.login.as_ref();
        let right = right.map(|login| format!("\0{}", login.replacen(':', "\0", 1)));
        right.is_some_and(|right| right.as_bytes() == given)
    }

    /// Takes a mail, and answers what to say, if anything.
    fn take(&self, from: Option<&str>, to: &[String], data: &str) -> Option<String> {
        if let Some(status) = self.options.refuse_mails {
            let quoted: Vec<_> = data
                .lines()
                .map(|line| format!("{status}-{line}"))
                .collect();
            return Some(format!("{}\r\n{status} no such thing", quoted.join("\r\n")));
        }
        println!(
            "{}",
            json!({"mail": {"from": from, "to": to, "data": data}})
        );
        let lost =
            self.answers_to_lose
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                });
        lost.is_err().then(|| "250 taken".to_owned())
    }
}

async fn say(write: &mut OwnedWriteHalf, line: &str) -> std::io::Result<()> {
    write.write_all(format!("{line}\r\n").as_bytes()).await
}

/// What stands between the angle brackets.
fn address(command: &str) -> String {
    let rest = command.split('<').nth(1).unwrap_or_default();
    rest.split('>').next().unwrap_or_default().to_owned()
}

/// The lines up to the one that is a dot; of others that begin with one it is taken away.
async fn data(read: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<String> {
    let mut data = String::new();
    let mut line = String::new();
    loop {
        line.clear();
        if read.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let text = line.trim_end_matches(['\r', '\n']);
        if text == "." {
            return Ok(data);
        }
        data.push_str(text.strip_prefix('.').unwrap_or(text));
        data.push('\n');
    }
}
