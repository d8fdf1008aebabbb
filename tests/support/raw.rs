//! Requests that no well-behaved client would make, byte by byte.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Server;

/// A connection to one instance. Dropping it hangs up.
#[derive(Debug)]
pub(crate) struct Raw {
    stream: TcpStream,
}

impl Raw {
    /// Sends the head of a post of readings with a body of so many bytes, and nothing of the body.
    pub(crate) async fn begin(server: &Server, key: &str, media_type: &str, length: usize) -> Self {
        let address = server.url().trim_start_matches("http://");
        let stream = TcpStream::connect(address).await.unwrap();
        let mut raw = Self { stream };
        let head = format!(
            "POST /api/v1/readings HTTP/1.1\r\nhost: {address}\r\nx-device-key: {key}\r\n\
             content-type: {media_type}\r\ncontent-length: {length}\r\n\r\n"
        );
        assert!(
            raw.send(head.as_bytes()).await,
            "the head should get through"
        );
        raw
    }

    /// Sends more, and answers whether the other side still took it.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// The answer as it came, head and body, up to a pause of half a second.
    pub(crate) async fn answer(&mut self, within: Duration) -> String {
        let (mut answer, mut patience) = (Vec::new(), within);
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(Ok(read @ 1..)) = timeout(patience, self.stream.read(&mut buffer)).await {
            answer.extend_from_slice(&buffer[..read]);
            patience = Duration::from_millis(500);
        }
        String::from_utf8(answer).unwrap()
    }
}
