//! What a connection needs of its socket, whichever kind it is.

use super::Output;
use super::socket::Socket;
use crate::limits::WRITE_PIECES_MAX;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;

/// A socket, or TLS over one.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + 'static {
    /// The socket itself.
    fn socket(&self) -> &Socket;
}

impl Stream for Socket {
    fn socket(&self) -> &Socket {
        self
    }
}

impl Stream for TlsStream<Socket> {
    fn socket(&self) -> &Socket {
        self.get_ref().0
    }
}

/// Sends as much as the socket takes; ready when that is all. May be called
/// again whatever it said last.
pub(super) fn poll_send<S: Stream>(
    stream: &mut S,
    cx: &mut Context<'_>,
    out: &mut Output,
) -> Poll<io::Result<()>> {
    while !out.is_empty() {
        let written = match out.single_piece() {
            Some(bytes) => Pin::new(&mut *stream).poll_write(cx, bytes),
            None => poll_write_pieces(stream, cx, out),
        };
        match ready!(written)? {
            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            sent => out.advance(sent),
        }
    }
    // TLS may hold back what it took; for the others this does nothing.
    Pin::new(stream).poll_flush(cx)
}

fn poll_write_pieces<S: Stream>(
    stream: &mut S,
    cx: &mut Context<'_>,
    out: &Output,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); WRITE_PIECES_MAX];
    let mut count = 0;
    for (slice, piece) in slices.iter_mut().zip(out.pieces()) {
        *slice = IoSlice::new(piece);
        count += 1;
    }
    Pin::new(stream).poll_write_vectored(cx, &slices[..count])
}
