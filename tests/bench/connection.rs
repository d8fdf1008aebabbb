//! A connection that is kept open, with one request at a time.

use crate::answer::Answer;
use crate::request::Request;
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

/// A connection with one request under way.
#[derive(Debug)]
pub(crate) struct Connection<'a> {
    stream: TcpStream,
    request: &'a mut Request,
    sent: usize,
    answer: Answer,
    pub(crate) began: Instant,
}

impl<'a> Connection<'a> {
    pub(crate) fn open(
        address: SocketAddr,
        request: &'a mut Request,
        poll: &Poll,
        token: Token,
    ) -> Self {
        let stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_nonblocking(true).unwrap();
        let mut stream = TcpStream::from_std(stream);
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut stream, token, interest)
            .unwrap();
        Self {
            stream,
            request,
            sent: 0,
            answer: Answer::new(),
            began: Instant::now(),
        }
    }

    pub(crate) fn begin(&mut self) {
        self.request.prepare();
        self.sent = 0;
        self.answer.clear();
        self.began = Instant::now();
        self.send();
    }

    fn send(&mut self) {
        while let Some(rest @ [_, ..]) = self.request.bytes().get(self.sent..) {
            match self.stream.write(rest) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("the server is gone: {error}"),
            }
        }
    }

    /// Sends and reads what can be, and answers whether the answer is complete.
    pub(crate) fn go_on(&mut self, event: &Event) -> bool {
        self.send();
        while event.is_readable() {
            match self.stream.read(self.answer.room()) {
                Ok(0) => panic!("the server hung up"),
                // Nothing comes after a complete answer until the next request.
                Ok(count) if self.answer.add(count) => return true,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => panic!("the server is gone: {error}"),
            }
        }
        false
    }

    /// How many readings the answer acknowledges as created.
    pub(crate) fn created(&self) -> u64 {
        let created = self.answer.created(self.request.readings());
        created.try_into().unwrap()
    }
}
