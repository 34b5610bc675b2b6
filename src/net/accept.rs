//! Takes connections in and hands them to the workers in turn.
//!
//! One thread does it for all: a worker that is busy accepts nothing late, and
//! each gets as many connections as the others.

use super::census::{Arrival, Census, Peer, Ticket, Transport};
use super::events::Event;
use super::listen::Listener;
use super::socket::Plain;
use super::stop::StopListener;
use super::tls::Tls;
use crate::limits::ACCEPT_REST_MS;
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;

/// What memcached tells the connection that is one too many.
const TOO_MANY: &[u8] = b"ERROR Too many open connections\r\n";

/// A connection on its way to a worker.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) socket: Plain,
    pub(super) arrival: Arrival,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) ticket: Ticket,
}

/// What to do with the connection that is one too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Surplus {
    /// Tell it so and close it, as memcached does by default.
    #[default]
    Refuse,
    /// Leave it in the queue until another goes.
    Wait,
}

/// What accepting needs to know.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) census: Arc<Census>,
    pub(super) connections_max: usize,
    pub(super) surplus: Surplus,
    pub(super) workers: Vec<mpsc::UnboundedSender<Accepted>>,
    pub(super) next: Cell<usize>,
}

/// Accepts until the node stops.
pub(super) fn accept(door: Door, listeners: Vec<Listener>, stop: &StopListener) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let door = Rc::new(door);
        let doors = listeners.into_iter().map(|listener| {
            let (door, mut stop) = (Rc::clone(&door), stop.clone());
            tokio::task::spawn_local(async move {
                tokio::select! {
                    _ = stop.stopped() => Ok(()),
                    error = door.keep(listener) => error,
                }
            })
        });
        for door in doors.collect::<Vec<_>>() {
            door.await.map_err(io::Error::other)??;
        }
        Ok(())
    })
}

impl Door {
    /// Takes in who comes by one listener. Ends only if that cannot be watched.
    async fn keep(&self, listener: Listener) -> io::Result<()> {
        let Listener { sockets, name, tls, .. } = listener;
        let sockets = sockets.watched()?;
        let mut rest_ms = *ACCEPT_REST_MS.start();
        loop {
            if self.surplus == Surplus::Wait && self.census.is_full(self.connections_max) {
                self.wait_for_room().await;
            }
            match sockets.accept().await {
                Ok((socket, peer)) => {
                    self.let_in(socket, peer, &name, tls.as_ref());
                    rest_ms = *ACCEPT_REST_MS.start();
                }
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    self.census.tell(&Event::Shortage(&error));
                    self.rest(rest_ms).await;
                    rest_ms = (rest_ms * 2).min(*ACCEPT_REST_MS.end());
                }
            }
        }
    }

    /// Hands a connection to the next worker, if there may be one more.
    fn let_in(
        &self,
        mut socket: Plain,
        peer: Peer,
        listener: &Arc<String>,
        tls: Option<&Arc<Tls>>,
    ) {
        let Some(ticket) = self.census.admit(self.connections_max) else {
            self.census.counts().rejected.fetch_add(1, Ordering::Relaxed);
            self.census.tell(&Event::Refused(&peer));
            if tls.is_none() {
                // It fits into any socket, or the client has gone.
                let _ = socket.write(TOO_MANY);
            }
            return;
        };
        let transport = match (&socket, tls) {
            (_, Some(_)) => Transport::Tls,
            (Plain::Tcp(_), None) => Transport::Tcp,
            (Plain::Unix(_), None) => Transport::Unix,
        };
        let listener = Arc::clone(listener);
        let arrival = Arrival { descriptor: socket.descriptor(), transport, peer, listener };
        let worker = self.next.get();
        self.next.set((worker + 1) % self.workers.len());
        // A worker that has gone is one of a node that stops.
        let _ = self.workers[worker].send(Accepted { socket, arrival, tls: tls.cloned(), ticket });
    }

    /// Accepts nothing until a connection goes.
    async fn wait_for_room(&self) {
        self.census.rest_begins();
        while self.census.is_full(self.connections_max) {
            pause(*ACCEPT_REST_MS.start()).await;
        }
        self.census.rest_ends();
    }

    /// Lets a shortage pass.
    async fn rest(&self, rest_ms: u64) {
        self.census.rest_begins();
        pause(rest_ms).await;
        self.census.rest_ends();
    }
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// Whether a client went away before it was let in, which is no shortage here.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, Interrupted, PermissionDenied, TimedOut,
    };
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted | PermissionDenied | TimedOut
    )
}
