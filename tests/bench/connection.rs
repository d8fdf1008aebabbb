//! A connection that is kept open, with one request at a time.

use crate::answer::Answer;
use crate::request::Request;
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Poll, Token};
use std::io::{self, ErrorKind, Read, Write};
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
        self.try_begin().unwrap();
    }

    /// The same where the server may have hung up.
    pub(crate) fn try_begin(&mut self) -> io::Result<()> {
        self.request.prepare();
        self.sent = 0;
        self.answer.clear();
        self.began = Instant::now();
        self.send()
    }

    fn send(&mut self) -> io::Result<()> {
        while let Some(rest @ [_, ..]) = self.request.bytes().get(self.sent..) {
            match self.stream.write(rest) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends and reads what can be, and answers whether the answer is complete.
    pub(crate) fn go_on(&mut self, event: &Event) -> bool {
        self.try_go_on(event).unwrap()
    }

    /// The same where the server may hang up.
    pub(crate) fn try_go_on(&mut self, event: &Event) -> io::Result<bool> {
        // One that refuses a body answers before it has all of it, so what it says comes first.
        let sent = self.send();
        while event.is_readable() {
            match self.stream.read(self.answer.room()) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                // Nothing comes after a complete answer until the next request.
                Ok(count) if self.answer.add(count) => return Ok(true),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        sent.map(|()| false)
    }

    /// Whether the answer says that there is too much to do.
    pub(crate) fn is_refused(&self) -> bool {
        self.answer.is_refused()
    }

    /// Connects anew, with the same request.
    pub(crate) fn reopen(self, address: SocketAddr, poll: &Poll, token: Token) -> Self {
        Self::open(address, self.request, poll, token)
    }

    /// How many readings the answer acknowledges as created.
    pub(crate) fn created(&self) -> u64 {
        let created = self.answer.created(self.request.readings());
        created.try_into().unwrap()
    }
}
