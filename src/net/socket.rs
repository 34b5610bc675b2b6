//! A client's socket, which its worker watches: a read or a write that would
//! have to wait is tried again in the connection's next turn.

use super::worker::Bench;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::SockRef;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A socket that never waits.
#[derive(Debug)]
pub(super) enum Plain {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A socket that is read by turns.
#[derive(Debug)]
pub(super) struct Socket {
    plain: Plain,
    bench: Rc<Bench>,
}

impl Plain {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(into),
            Self::Unix(stream) => stream.read(into),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write_vectored(pieces),
            Self::Unix(stream) => stream.write_vectored(pieces),
        }
    }

    fn end_writing(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    /// Whether the system has sent all that was written. Of what it has not, nothing is
    /// sent any more once the socket is closed and the client says another word.
    fn is_sent(&self) -> bool {
        let Self::Tcp(stream) = self else {
            // It is with the client as soon as it is written.
            return true;
        };
        // From now on it can be written to when nothing is left to be sent. Where that
        // cannot be asked for, it can be when little is left.
        let _ = SockRef::from(stream).set_tcp_notsent_lowat(1);
        let mut ready = [PollFd::new(stream, PollFlags::OUT)];
        // An error is an end as well.
        poll(&mut ready, Some(&Timespec::default())) != Ok(0)
    }

    pub(super) fn descriptor(&self) -> i32 {
        self.as_fd().as_raw_fd()
    }
}

impl AsFd for Plain {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

impl Socket {
    pub(super) fn new(plain: Plain, bench: &Rc<Bench>) -> Self {
        Self { plain, bench: Rc::clone(bench) }
    }

    /// See [`Plain::is_sent`]. If not, its worker hears when it is.
    pub(super) fn is_sent(&self) -> bool {
        self.plain.is_sent()
    }

    /// Reads, unless nothing came since it was read empty.
    #[inline]
    fn poll_once(
        &mut self,
        room: usize,
        read: impl FnOnce(&mut Plain) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if !self.bench.heard().some {
            return Poll::Pending;
        }
        let came = or_pending(read(&mut self.plain));
        let is_empty = match came {
            // A read of a Unix socket ends before a descriptor that was sent, too, and
            // nobody tells of that.
            Poll::Ready(Ok(came)) => came < room && matches!(self.plain, Plain::Tcp(_)),
            Poll::Ready(Err(_)) => false,
            Poll::Pending => true,
        };
        if is_empty {
            self.bench.read_all();
        }
        came
    }
}

/// What would have to wait is pending: the worker's watch ends that.
fn or_pending<T>(done: io::Result<T>) -> Poll<io::Result<T>> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        done => Poll::Ready(done),
    }
}

impl AsyncRead for Socket {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = into.remaining();
        let read = |plain: &mut Plain| {
            let came = plain.read(into.initialize_unfilled())?;
            into.advance(came);
            Ok(came)
        };
        self.get_mut().poll_once(room, read).map_ok(drop)
    }
}

impl AsyncWrite for Socket {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        or_pending(self.get_mut().plain.write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        or_pending(self.get_mut().plain.write_vectored(pieces))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.get_mut().plain.end_writing())
    }
}
