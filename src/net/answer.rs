//! What a connection asks of whoever understands its bytes.

use super::{Member, Output};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;

/// Understands the bytes of one connection. No I/O: the connection brings the
/// bytes and takes the answers away.
pub trait Answer {
    /// Answers as many whole requests at the start of `input` as it can, and
    /// says how many bytes are done with. Called again with what is left and
    /// what came after it, or, after [`Next::Write`], once `out` is empty.
    fn answer(&mut self, input: &[u8], out: &mut Output) -> Progress;

    /// Memory of just so many bytes for a body, whatever is in them.
    fn room(&mut self, bytes: usize) -> Vec<u8> {
        vec![0; bytes]
    }

    /// Takes memory back that [`Answer::room`] gave, and that became too small.
    fn take_back(&mut self, room: Vec<u8>) {
        drop(room);
    }

    /// The body that [`Next::Body`] asked for, all of it.
    fn body(&mut self, body: Vec<u8>, out: &mut Output) -> Progress;

    /// Whether there is something to tell that nobody asked for;
    /// [`Answer::answer`] is called to tell it. Asked before a connection waits:
    /// who may have news later keeps the waker, and wakes when there are some.
    fn has_news(&mut self, waker: &Waker) -> bool {
        let _ = waker;
        false
    }
}

/// Makes the answers of one worker's connections. Made and used on its thread.
pub trait Answerer: 'static {
    /// What it makes.
    type Answer: Answer + Unpin + 'static;

    /// For a new connection.
    fn answer(&mut self, member: &Arc<Member>) -> Self::Answer;

    /// What runs beside the connections, on their thread. It is asked for once; the
    /// worker ends when it has ended, too.
    fn beside(&mut self) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(std::future::ready(()))
    }
}

impl<A, F> Answerer for F
where
    A: Answer + Unpin + 'static,
    F: FnMut(&Arc<Member>) -> A + 'static,
{
    type Answer = A;

    fn answer(&mut self, member: &Arc<Member>) -> A {
        self(member)
    }
}

/// How far the bytes took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input that are done with.
    pub used: usize,
    /// What to do next.
    pub next: Next,
}

/// What a connection is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send the answers; read more when some come.
    Read,
    /// Send the answers before anything else: there is more to answer, and no
    /// more room for it.
    Write,
    /// Read exactly so many bytes (input that is left over counts), apart from
    /// the stream, and give them to [`Answer::body`]: a large value goes into
    /// the store without being copied. Memory is taken as the bytes come.
    Body(usize),
    /// There are answers to wait for, and nothing is to be read before:
    /// [`Answer::answer`] is called again when [`Answer::has_news`].
    Wait,
    /// Send the answers and close. Input that is not done with means that the
    /// client does not know of it and may be sending on: he is to read the answers
    /// all the same.
    Close,
}
