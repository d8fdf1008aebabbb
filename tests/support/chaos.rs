//! A proxy between the service and its database that can cut and stall.

use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Database, rig::rig};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Open,
    /// Connections stand, and nothing comes through.
    Stalled,
    /// Connections are closed, and new ones are closed at once.
    Cut,
}

/// The proxy. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    line: watch::Sender<Line>,
    listening: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (line, state) = watch::channel(Line::Open);
        let target = rig().service.socket.clone();
        let listening = tokio::spawn(listen(listener, target, state));
        Self {
            port,
            line,
            listening,
        }
    }

    /// The URL of a database through this proxy.
    pub(crate) fn url(&self, database: &Database) -> String {
        format!(
            "postgres://readout@127.0.0.1:{}/{}",
            self.port,
            database.name()
        )
    }

    pub(crate) fn cut(&self) {
        self.line.send_replace(Line::Cut);
    }

    pub(crate) fn stall(&self) {
        self.line.send_replace(Line::Stalled);
    }

    /// Lets everything through again.
    pub(crate) fn open(&self) {
        self.line.send_replace(Line::Open);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, target: PathBuf, state: watch::Receiver<Line>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            return;
        };
        if *state.borrow() == Line::Cut {
            continue;
        }
        tokio::spawn(connect(client, target.clone(), state.clone()));
    }
}

async fn connect(client: TcpStream, target: PathBuf, state: watch::Receiver<Line>) {
    let Ok(server) = UnixStream::connect(target).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cut = state.clone();
    tokio::select! {
        ((), ()) = async {
            tokio::join!(
                pump(from_client, to_server, state.clone()),
                pump(from_server, to_client, state.clone()),
            )
        } => {}
        _ = cut.wait_for(|line| *line == Line::Cut) => {}
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<Line>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if state.wait_for(|line| *line == Line::Open).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    to.shutdown().await.ok();
}
