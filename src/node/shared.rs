//! What all sessions of a node share.

use crate::item::{Now, Version};
use crate::limits::DRIFT_MS_MAX;
use crate::node::peers::{Cluster, Moves, WriteAck};
use crate::node::rates::Rates;
use crate::node::refusals::Remarks;
use crate::node::{
    Connections, Counters, Log, NoConnections, Prefixes, Settings, SharedView, Sums, Watch,
};
use crate::ring::NodeId;
use crate::store::Store;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Tells the time.
pub type Ticks = Box<dyn Fn() -> Now + Send + Sync>;

/// Tells for how long a node has been running: nobody sets this clock.
pub type Elapsed = Box<dyn Fn() -> Duration + Send + Sync>;

/// Reads certificates again; false where they are no good.
pub type RefreshCertificates = Box<dyn Fn() -> bool + Send + Sync>;

/// How a client wants the node to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// At once.
    Now,
    /// After what is under way.
    Graceful,
}

/// What all sessions of a node share.
pub struct Shared {
    /// This node's memory.
    pub store: Store,
    /// Who owns which key.
    pub view: SharedView,
    /// The other nodes, where there may be some.
    pub(super) cluster: Option<Arc<Cluster>>,
    /// What the node was told.
    pub settings: Settings,
    /// Counts by prefix.
    pub prefixes: Prefixes,
    /// How much clients may ask, where that is limited.
    pub(super) rates: Option<Arc<Rates>>,
    /// Who watches.
    pub watch: Watch,
    /// The connections.
    pub connections: Box<dyn Connections>,
    /// What to do when a client says `shutdown`; it is to return at once.
    pub on_shutdown: Box<dyn Fn(Ending) + Send + Sync>,
    /// Reads the certificates again, and says whether they are good; none where
    /// there is no TLS.
    pub on_refresh_certificates: Option<RefreshCertificates>,
    /// Where clients find this node, as `config get cluster` writes it: host name,
    /// address and port. None says that it is no cluster.
    pub address: Option<String>,
    /// Where to say what `-v` asks for.
    pub log: Option<Arc<Log>>,
    /// What there is to say of other nodes.
    pub(super) remarks: Arc<Remarks>,
    /// Whether it was said that items are evicted.
    pub(super) evicts: AtomicBool,
    /// How much to log: clients may change it.
    pub verbosity: AtomicU8,
    /// Bytes of memory: clients may change it.
    pub memory_bytes: AtomicU64,
    /// How long this node has been running.
    pub elapsed: Elapsed,
    ticks: Ticks,
    started: Now,
    workers: Box<[Counters]>,
    /// What had been counted when the counts were last reset.
    counted_before: Mutex<Sums>,
}

impl Shared {
    /// A node that counts for as many workers as its settings say, with nobody
    /// connected.
    #[must_use]
    pub fn new(store: Store, view: SharedView, settings: Settings, ticks: Ticks) -> Self {
        // One more for the other nodes, and one for what is moved.
        let workers = (0..settings.threads.max(1) + 2).map(|_| Counters::default()).collect();
        Self {
            store,
            view,
            cluster: None,
            prefixes: Prefixes::new(settings.prefix_delimiter, settings.detail_enabled),
            rates: Rates::new(settings.rate_limit, settings.client_rate_limit),
            watch: Watch::default(),
            connections: Box::new(NoConnections),
            on_shutdown: Box::new(|_| {}),
            on_refresh_certificates: None,
            address: None,
            log: None,
            remarks: Arc::new(Remarks::new(None)),
            evicts: AtomicBool::new(false),
            verbosity: AtomicU8::new(settings.verbosity),
            memory_bytes: AtomicU64::new(settings.memory_bytes),
            elapsed: elapsed_from(Instant::now()),
            started: ticks(),
            ticks,
            workers,
            counted_before: Mutex::default(),
            settings,
        }
    }

    /// The same for a node that may have others beside it.
    #[must_use]
    pub fn in_cluster(self, me: NodeId, write_ack: WriteAck) -> Self {
        // Copies that miss a delete are to learn of it.
        self.store.keep_tombstones();
        let (threads, slots) = (self.workers.len(), self.store.slots());
        let cluster = Cluster::new(me, write_ack, slots, threads);
        Self { cluster: Some(Arc::new(cluster)), ..self }
    }

    /// What is brought to other nodes, where there may be some.
    #[must_use]
    pub fn moves(&self) -> Option<&Moves> {
        self.cluster.as_ref().map(|cluster| &cluster.moves)
    }

    /// The moment it is.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Now {
        (self.ticks)()
    }

    /// The time since the start.
    #[inline]
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        (self.elapsed)()
    }

    /// Seconds since the start.
    #[must_use]
    pub fn uptime_s(&self, now: Now) -> u32 {
        now.unix_s().saturating_sub(self.started.unix_s())
    }

    /// The counts of one worker. Only that worker may count with them.
    #[inline]
    #[must_use]
    pub fn counters(&self, worker: usize) -> &Counters {
        &self.workers[worker]
    }

    /// As which worker the thread of the other nodes counts.
    pub(super) fn others_worker(&self) -> usize {
        self.settings.threads.max(1)
    }

    /// As which worker the mover's thread counts.
    pub(super) fn mover_worker(&self) -> usize {
        self.settings.threads.max(1) + 1
    }

    /// The number of a worker's lane: the thread of the other nodes has the first, and the
    /// mover's the last.
    pub(super) fn lane(&self, worker: usize) -> usize {
        if worker == self.others_worker() { 0 } else { (worker + 1).min(self.mover_worker()) }
    }

    /// What all workers counted since the last reset.
    #[must_use]
    pub fn sums(&self) -> Sums {
        let before = *self.counted_before.lock().unwrap_or_else(PoisonError::into_inner);
        Sums::of(&self.workers).since(&before)
    }

    /// Begins to count anew.
    pub fn reset_counts(&self) {
        let sums = Sums::of(&self.workers);
        *self.counted_before.lock().unwrap_or_else(PoisonError::into_inner) = sums;
        self.prefixes.reset();
    }

    /// Takes a flush that another node tells of; false where that node's clock is so
    /// far ahead that whatever is written here would be gone at once.
    pub(super) fn flushed(&self, floor: Version, now: Now) -> bool {
        if floor.unix_ms() > now.unix_ms() + DRIFT_MS_MAX {
            return false;
        }
        if let Some(cluster) = &self.cluster {
            cluster.knows_floor(floor);
        }
        self.store.raise_floor(floor);
        true
    }

    /// Changes how much memory there is.
    pub fn limit_memory(&self, bytes: u64) {
        self.memory_bytes.store(bytes, Ordering::Relaxed);
        self.store.limit_memory(bytes);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn elapsed_from(start: Instant) -> Elapsed {
    Box::new(move || start.elapsed())
}
