//! All of a node's side towards its clients: threads started, and stopped.

use super::Answerer;
use super::accept::{self, Door, Surplus};
use super::budget::Budget;
use super::census::Census;
use super::listen::Listener;
use super::patience::Patience;
use super::stop::{Stop, Stopper};
use super::worker::{self, Job};
use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::mpsc;

/// How clients are served.
#[derive(Clone, Debug)]
pub struct ClientsConfig {
    /// Threads that serve.
    pub workers: usize,
    /// Connections at a time, at most.
    pub connections_max: usize,
    /// What becomes of one more.
    pub surplus: Surplus,
    /// Bytes that all connections may hold for requests and answers under way.
    pub buffers_bytes: usize,
    /// How long clients may take.
    pub patience: Patience,
    /// How long a graceful stop may take.
    pub grace: Duration,
}

/// The threads that serve clients.
#[derive(Debug)]
pub struct Clients {
    threads: Vec<JoinHandle<io::Result<()>>>,
    /// Closed when no worker has a client any more.
    served: Receiver<Infallible>,
    stopper: Stopper,
}

/// What the threads share with whoever starts them, made before they are: what
/// answers may want to count connections and to stop the node.
#[derive(Clone, Debug)]
pub struct Lobby {
    /// Who is connected.
    pub census: Arc<Census>,
    /// Stops the node.
    pub stopper: Stopper,
}

impl Lobby {
    /// For so many workers.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self { census: Census::new(workers), stopper: Stopper::new() }
    }
}

impl Clients {
    /// Starts to serve. Each worker makes itself an answerer by `answerers`, on
    /// its own thread; that one makes an [`Answer`](super::Answer) for each connection.
    ///
    /// # Errors
    /// Where a thread cannot be started. Nobody is served then.
    pub fn start<F: Answerer>(
        config: &ClientsConfig,
        lobby: &Lobby,
        listeners: Vec<Listener>,
        answerers: impl Fn(usize) -> F + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (serving, served) = channel();
        let budget = Budget::new(config.buffers_bytes);
        let answerers = Arc::new(answerers);
        let mut clients = Self { threads: Vec::new(), served, stopper: lobby.stopper.clone() };
        let mut senders = Vec::new();
        for index in 0..config.workers {
            let (sender, arrivals) = mpsc::unbounded_channel();
            senders.push(sender);
            let job = Job {
                index,
                census: Arc::clone(&lobby.census),
                budget: Arc::clone(&budget),
                patience: config.patience,
                grace: config.grace,
                arrivals,
                stop: lobby.stopper.listener(),
                serves: serving.clone(),
            };
            let answerers = Arc::clone(&answerers);
            clients
                .spawn(format!("worker-{index}"), move || worker::work(job, answerers(index)))?;
        }
        let (census, stop) = (Arc::clone(&lobby.census), lobby.stopper.listener());
        let (connections_max, surplus) = (config.connections_max, config.surplus);
        let (workers, next) = (senders, Cell::new(0));
        let door = Door { census, connections_max, surplus, workers, next };
        clients.spawn("accept".to_owned(), move || accept::accept(door, listeners, &stop))?;
        Ok(clients)
    }

    /// Starts a thread; stops those before it if that fails.
    fn spawn(
        &mut self,
        name: String,
        work: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let stopper = self.stopper.clone();
        let watched = move || {
            // One thread that gives up, gives up for all: half a node would
            // look like a whole one.
            let _guard = StopOnExit(stopper);
            work()
        };
        match thread::Builder::new().name(name).spawn(watched) {
            Ok(thread) => {
                self.threads.push(thread);
                Ok(())
            }
            Err(error) => {
                self.stopper.stop(Stop::Now);
                Err(error)
            }
        }
    }

    /// Waits until nobody is served any more. What runs beside the connections may go
    /// on.
    pub fn wait_until_served(&self) {
        // Nothing ever comes.
        let _ = self.served.recv();
    }

    /// Waits until the node has stopped.
    ///
    /// # Errors
    /// The first reason why a thread gave up, if one did.
    pub fn wait(self) -> io::Result<()> {
        let ends = self.threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a worker panicked")))
        });
        ends.collect::<Vec<_>>().into_iter().collect()
    }
}

struct StopOnExit(Stopper);

impl Drop for StopOnExit {
    fn drop(&mut self) {
        // After a stop this changes nothing.
        self.0.stop(Stop::Graceful);
    }
}
