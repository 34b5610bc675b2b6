//! The socket of a lane, and the runtime that quinn finds it by.
//!
//! As quinn's own for tokio, which asks more often than it has to. That one reads until
//! there is nothing, so once more after each packet that came alone; but what did not
//! fill the room for it was all there was, and the next is told of anew. And it asks
//! before each packet whether the socket takes it, where trying tells the same.

use quinn::udp::{RecvMeta, Transmit, UdpSocketState};
use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller};
use std::fmt;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::io::Interest;

/// Tokio's, with [`Datagrams`].
#[derive(Debug)]
pub(super) struct LaneRuntime;

impl Runtime for LaneRuntime {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        TokioRuntime.spawn(future);
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Ok(Arc::new(Datagrams {
            state: UdpSocketState::new((&socket).into())?,
            socket: tokio::net::UdpSocket::from_std(socket)?,
            is_full: AtomicBool::new(false),
        }))
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}

#[derive(Debug)]
struct Datagrams {
    socket: tokio::net::UdpSocket,
    state: UdpSocketState,
    /// The last packet did not go out, and nobody has seen since that others would.
    is_full: AtomicBool,
}

impl AsyncUdpSocket for Datagrams {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Room { socket: self, waits: None })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let sent = self
            .socket
            .try_io(Interest::WRITABLE, || self.state.send((&self.socket).into(), transmit));
        if sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            self.is_full.store(true, Ordering::Relaxed);
        }
        sent
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let room = buffers.len().min(metas.len());
        loop {
            ready!(self.socket.poll_recv_ready(cx))?;
            let mut came = None;
            // Why it failed is no matter: what a network says of a packet ends nothing.
            let _ = self.socket.try_io(Interest::READABLE, || {
                let count = self.state.recv((&self.socket).into(), buffers, metas)?;
                came = Some(count);
                // So the runtime waits until it is told of more.
                if count < room { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
            });
            if let Some(count) = came {
                return Poll::Ready(Ok(count));
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }

    fn max_transmit_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.state.gro_segments()
    }
}

type Writable = Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync>>;

/// Waits, for one connection, until the socket takes more.
struct Room {
    socket: Arc<Datagrams>,
    waits: Option<Writable>,
}

impl UdpPoller for Room {
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { socket, waits } = &mut *self;
        // Asked before each packet, and as a rule there is room.
        if waits.is_none() && !socket.is_full.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        let room = waits.get_or_insert_with(|| {
            let socket = Arc::clone(socket);
            Box::pin(async move { socket.socket.writable().await })
        });
        let writable = ready!(room.as_mut().poll(cx));
        *waits = None;
        socket.is_full.store(false, Ordering::Relaxed);
        Poll::Ready(writable)
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("waits", &self.waits.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::net::Ipv4Addr;
    use std::time::Duration;
    use tokio::time::timeout;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// How many packets one look finds, where it may find so many.
    async fn received(socket: &dyn AsyncUdpSocket, room: usize) -> usize {
        let mut bytes = vec![[0; 64]; room];
        let mut metas = vec![RecvMeta::default(); room];
        let look = poll_fn(|cx| {
            let mut buffers: Vec<_> = bytes.iter_mut().map(|one| IoSliceMut::new(one)).collect();
            socket.poll_recv(cx, &mut buffers, &mut metas)
        });
        timeout(PATIENCE, look).await.expect("it is told of what came").unwrap()
    }

    #[tokio::test]
    async fn what_came_is_found_and_what_comes_after_it() {
        let [ours, theirs] = [0, 1].map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let at = ours.local_addr().unwrap();
        ours.set_nonblocking(true).unwrap();
        let socket = LaneRuntime.wrap_udp_socket(ours).unwrap();
        for _ in 0..3 {
            // As many as there is room for and some more, then one that comes alone.
            for packet in 0..7_u8 {
                theirs.send_to(&[packet; 9], at).unwrap();
            }
            let mut found = 0;
            while found < 7 {
                found += received(&*socket, 4).await;
            }
            theirs.send_to(b"alone", at).unwrap();
            assert_eq!((found, received(&*socket, 4).await), (7, 1));
        }
    }

    #[tokio::test]
    async fn a_full_socket_is_waited_for_once() {
        let ours = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        ours.set_nonblocking(true).unwrap();
        let socket = Arc::new(Datagrams {
            state: UdpSocketState::new((&ours).into()).unwrap(),
            socket: tokio::net::UdpSocket::from_std(ours).unwrap(),
            is_full: AtomicBool::new(true),
        });
        let mut rooms = [0, 1].map(|_| Arc::clone(&socket).create_io_poller());
        for room in &mut rooms {
            let writable = poll_fn(|cx| room.as_mut().poll_writable(cx));
            timeout(PATIENCE, writable).await.expect("it has room").unwrap();
            assert!(!socket.is_full.load(Ordering::Relaxed));
        }
    }
}
