//! What a connection may hold of its own: while it is idle, nothing.

use super::stream::Stream;
use super::worker::Bench;
use super::{Answer, Output};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::ReadBuf;

/// What could not be done with at once.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Input that waits for the rest of its request.
    pub(super) kept: Vec<u8>,
    /// A large value on its way in.
    pub(super) body: Option<Body>,
    /// Answers that the client has not taken.
    pub(super) unsent: Option<Output>,
}

impl Held {
    pub(super) fn is_nothing(&self) -> bool {
        self.kept.is_empty() && self.body.is_none() && self.unsent.is_none()
    }

    /// Bytes of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        let body = self.body.as_ref().map_or(0, Body::bytes);
        let unsent = self.unsent.as_ref().map_or(0, Output::held);
        self.kept.capacity() + body + unsent
    }
}

/// A large value, of which not all has come.
#[derive(Debug)]
pub(super) struct Body {
    /// Room for some of it, or for all.
    room: Vec<u8>,
    came: usize,
    wanted: usize,
}

impl Body {
    /// One of so many bytes, of which these came first.
    pub(super) fn new(came: &[u8], wanted: usize, answer: &mut impl Answer) -> Self {
        let mut body = Self { room: Vec::new(), came: 0, wanted };
        body.add(came, answer);
        body
    }

    pub(super) fn wanted(&self) -> usize {
        self.wanted
    }

    pub(super) fn is_whole(&self) -> bool {
        self.came == self.wanted
    }

    /// Bytes of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.room.capacity()
    }

    /// All of it.
    pub(super) fn whole(self) -> Vec<u8> {
        debug_assert!(self.is_whole(), "nobody takes half of a value");
        self.room
    }

    /// Reads once, and says how many bytes came.
    pub(super) fn poll_read(
        &mut self,
        stream: &mut impl Stream,
        answer: &mut impl Answer,
        bench: &Bench,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.came < self.room.len() {
            let mut free = ReadBuf::new(&mut self.room[self.came..]);
            ready!(Pin::new(stream).poll_read(cx, &mut free))?;
            let came = free.filled().len();
            self.came += came;
            return Poll::Ready(Ok(came));
        }
        let input = &mut *bench.input.borrow_mut();
        let most = input.len().min(self.wanted - self.came);
        let mut free = ReadBuf::new(&mut input[..most]);
        ready!(Pin::new(stream).poll_read(cx, &mut free))?;
        let came = free.filled();
        self.add(came, answer);
        Poll::Ready(Ok(came.len()))
    }

    /// Adds what came while there was no room for it, and makes room for more.
    fn add(&mut self, bytes: &[u8], answer: &mut impl Answer) {
        let (before, came) = (self.came, self.came + bytes.len());
        let mut room = answer.room(room_for(came, self.wanted));
        room[..before].copy_from_slice(&self.room[..before]);
        room[before..came].copy_from_slice(bytes);
        answer.take_back(std::mem::replace(&mut self.room, room));
        self.came = came;
    }
}

/// Bytes to make room for, where so many are there and so many are wanted.
/// Memory is taken for bytes that are there: room for eight times as many.
fn room_for(there: usize, wanted: usize) -> usize {
    wanted.min(there * 8)
}
