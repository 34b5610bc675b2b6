//! One thread of the generator: its connections take turns on a runtime of
//! their own, each whenever its answers have come.

use super::address::Plug;
use super::fleet::Fleet;
use super::items::Items;
use super::link::Link;
use super::pace::Pace;
use super::session::{Desk, Session};
use super::tally::Tally;
use super::traffic::Traffic;
use super::{Extent, Load, LoadError};
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;
use tokio::runtime::Builder;
use tokio::task::{JoinSet, LocalSet};

/// What all threads do.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) load: Load,
    pub(super) items: Arc<Items>,
    pub(super) fleet: Arc<Fleet>,
    pub(super) work: Work,
    pub(super) signals: Signals,
}

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Write every key once.
    Preload,
    /// Ask as the load says.
    Ask,
}

/// What the threads and who started them tell each other. Nothing is handed
/// over by these, so no order among them is needed.
#[derive(Debug, Default)]
pub(super) struct Signals {
    counting: AtomicBool,
    stopped: AtomicBool,
    answered: AtomicU64,
}

impl Signals {
    pub(super) fn count(&self) {
        self.counting.store(true, Ordering::Relaxed);
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Requests answered up to now, counted or not.
    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    fn is_counting(&self) -> bool {
        self.counting.load(Ordering::Relaxed) && !self.is_stopped()
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// The tallies of a thread: what counts, and what came before or after.
#[derive(Debug, Default)]
struct Tallies {
    counted: Tally,
    beside: Tally,
}

/// Serves these connections until the work is done or stopped.
pub(super) fn work(job: &Arc<Job>, plugs: Vec<(usize, Plug)>) -> Result<Tally, LoadError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| refused(&error))?;
    let tallies = Rc::new(RefCell::new(Tallies::default()));
    LocalSet::new().block_on(&runtime, async {
        let mut connections = JoinSet::new();
        for (number, plug) in plugs {
            let (job, tallies) = (Arc::clone(job), Rc::clone(&tallies));
            connections.spawn_local(async move {
                let connection = Connection::new(&job, number, plug)?;
                let served = connection.serve(&job, &tallies).await;
                served.map_err(|error| of_server(&job.fleet, number, error))
            });
        }
        while let Some(ended) = connections.join_next().await {
            ended.map_err(|error| LoadError::Refused(error.to_string()))??;
        }
        Ok(())
    })?;
    let Tallies { mut counted, beside } = tallies.take();
    // A mistake is one whenever it was made.
    counted.errors += beside.errors;
    counted.first_error = beside.first_error.or(counted.first_error);
    Ok(counted)
}

/// Where there are several servers, an error says of which it is.
fn of_server(fleet: &Fleet, connection: usize, error: LoadError) -> LoadError {
    match fleet.servers().len() {
        1 => error,
        _ => LoadError::Of { server: fleet.server(connection).clone(), error: Box::new(error) },
    }
}

fn refused(error: &std::io::Error) -> LoadError {
    LoadError::Refused(format!("cannot run a thread: {error}"))
}

/// One connection with what it still has to ask.
struct Connection {
    session: Session,
    traffic: Traffic,
    pace: Option<Pace>,
    /// Requests left, where their number is given.
    left: Option<u64>,
    /// Whether the batch counts: all of it does, or nothing.
    counts: bool,
}

impl Connection {
    fn new(job: &Job, number: usize, plug: Plug) -> Result<Self, LoadError> {
        let Job { load, items, fleet, work, .. } = job;
        let link = Link::adopt(plug).map_err(|error| refused(&error))?;
        let session = Session::new(link, load);
        let connections = load.connections;
        let part = fleet.part(items, number, connections);
        let own_part = |all: u64| {
            let (each, more) = (all / connections as u64, all % connections as u64);
            each + u64::from((number as u64) < more)
        };
        Ok(match work {
            Work::Preload => Self {
                session,
                left: Some(part.own_count()),
                traffic: Traffic::preload(load, part, number),
                pace: None,
                counts: false,
            },
            Work::Ask => Self {
                session,
                traffic: Traffic::new(load, part, number),
                pace: load.rate.map(|rate| Pace::new(Instant::now(), rate, number, connections)),
                left: match load.extent {
                    Extent::Requests(all) => Some(own_part(all)),
                    Extent::Duration(_) => None,
                },
                counts: false,
            },
        })
    }

    async fn serve(mut self, job: &Job, tallies: &RefCell<Tallies>) -> Result<(), LoadError> {
        let signals = &job.signals;
        while !signals.is_stopped() && self.left != Some(0) {
            self.counts = signals.is_counting();
            self.fill_batch(job);
            if self.session.asked() == 0 {
                if let Some(pace) = &self.pace {
                    pace.wait().await;
                }
                continue;
            }
            let exchanged = self.exchange(job, tallies).await;
            let answered = self.session.answered() as u64;
            let before = signals.answered.fetch_add(answered, Ordering::Relaxed);
            exchanged.map_err(|error| error.after(before + answered))?;
            if let Some(left) = self.left.as_mut().filter(|_| self.counts) {
                *left -= answered;
            }
        }
        Ok(())
    }

    fn fill_batch(&mut self, job: &Job) {
        let Self { session, traffic, pace, left, counts } = self;
        session.begin();
        let depth = match work_depth(job) {
            depth if *counts => depth.min(left.unwrap_or(u64::MAX)),
            depth => depth,
        };
        let now = Instant::now();
        for _ in 0..depth {
            let due = match pace {
                // What was not found is written on top of the rate: it belongs
                // to the request that missed.
                Some(pace) if !traffic.has_refill() => pace.take(now),
                _ => Some(now),
            };
            let Some(due) = due else { break };
            session.ask(&job.items, traffic, due);
        }
        session.close();
    }

    async fn exchange(&mut self, job: &Job, tallies: &RefCell<Tallies>) -> Result<(), LoadError> {
        let Self { session, traffic, counts, .. } = self;
        let exchange = poll_fn(|context| {
            let Tallies { counted, beside } = &mut *tallies.borrow_mut();
            let counts = *counts && job.signals.is_counting();
            let tally = if counts { counted } else { beside };
            session.poll_exchange(context, &mut Desk { items: &job.items, traffic, tally })
        });
        let timeout = job.load.timeout;
        let in_time = tokio::time::timeout(timeout, exchange).await;
        in_time.unwrap_or(Err(LoadError::Silent { timeout, answered: 0 }))
    }
}

/// Requests at once while preloading, at least: nobody measures that.
const PRELOAD_DEPTH_MIN: usize = 32;

/// Bytes of values at once while preloading, about: large ones come one by one.
const PRELOAD_BYTES: usize = 256 << 10;

fn work_depth(job: &Job) -> u64 {
    let Load { pipeline, data, .. } = &job.load;
    let depth = match job.work {
        Work::Ask => *pipeline,
        Work::Preload => {
            let fitting = PRELOAD_BYTES / (*data.value_bytes.end()).max(1);
            (*pipeline).max(PRELOAD_DEPTH_MIN).min(fitting).max(1)
        }
    };
    depth as u64
}

impl LoadError {
    /// The same with the count of answers that came before.
    fn after(self, count: u64) -> Self {
        match self {
            Self::Silent { timeout, .. } => Self::Silent { timeout, answered: count },
            Self::Closed { error, .. } => Self::Closed { answered: count, error },
            other => other,
        }
    }
}
