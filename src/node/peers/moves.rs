//! What is to be brought to other nodes: the hub says it, on its thread, and the mover
//! does it, on another.

use super::{Sending, Wanted};
use crate::ring::NodeId;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// What is to be brought to other nodes, and what became of it.
#[derive(Debug, Default)]
pub struct Moves {
    state: Mutex<State>,
    some: Notify,
    items: AtomicU64,
    bytes: AtomicU64,
    is_paused: AtomicBool,
    /// How fast it goes now; zero where nothing is brought, or nothing holds it back.
    bytes_per_s: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    asked: BTreeMap<NodeId, Wanted>,
    ended: Vec<Moved>,
    under_way: BTreeMap<NodeId, Progress>,
}

/// How far this node has come in bringing another one what it lacks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Who is brought it.
    pub to: NodeId,
    /// Slots of which all is brought.
    pub slots: u32,
    /// How much of the memory was looked at for it, of 1.
    pub share_done: f64,
    /// Items that were sent.
    pub items: u64,
    /// Bytes that were sent.
    pub bytes: u64,
    /// On average, since it began.
    pub bytes_per_s: u64,
    /// Seconds that it takes yet if it goes on like that; none where nobody knows.
    pub left_s: Option<f64>,
}

impl Progress {
    pub(super) fn new(to: NodeId, slots: u32) -> Self {
        Self { to, slots, share_done: 0.0, items: 0, bytes: 0, bytes_per_s: 0, left_s: None }
    }

    /// So much of the memory was looked at in this time.
    fn walked(&mut self, share_done: f64, took: Duration) {
        let took_s = took.as_secs_f64();
        self.share_done = share_done;
        self.bytes_per_s = (self.bytes as f64 / took_s.max(0.001)) as u64;
        self.left_s = (share_done > 0.0).then(|| took_s * (1.0 - share_done).max(0.0) / share_done);
    }
}

/// A node was brought what there was for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::node) struct Moved {
    pub(in crate::node) to: NodeId,
    pub(in crate::node) became: Became,
}

/// What became of what was to be brought to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::node) enum Became {
    /// It was brought.
    Brought,
    /// Some of it was refused. Its slots are marked.
    Refused,
    /// Something did not come to an answer. All its slots are marked.
    Lost,
}

impl Moves {
    /// All that is here of this is to be brought to a node, for which nothing else
    /// is under way.
    pub(super) fn ask(&self, to: NodeId, wanted: Wanted) {
        self.state().asked.insert(to, wanted);
        self.some.notify_one();
    }

    /// What was asked for since the last look.
    pub(super) fn take_asked(&self) -> BTreeMap<NodeId, Wanted> {
        std::mem::take(&mut self.state().asked)
    }

    pub(super) fn end(&self, moved: Moved) {
        let mut state = self.state();
        state.under_way.remove(&moved.to);
        state.ended.push(moved);
    }

    /// Nothing more is sent until it is to go on. What is under way arrives.
    pub fn pause(&self) {
        self.is_paused.store(true, Ordering::Relaxed);
    }

    /// It goes on.
    pub fn resume(&self) {
        self.is_paused.store(false, Ordering::Relaxed);
        self.ring();
    }

    /// Whether nothing more is sent.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.is_paused.load(Ordering::Relaxed)
    }

    /// What is under way, to whom.
    #[must_use]
    pub fn progress(&self) -> Vec<Progress> {
        self.state().under_way.values().copied().collect()
    }

    /// How fast it may go now, where something is brought and something holds it back.
    #[must_use]
    pub fn bytes_per_s(&self) -> Option<u64> {
        Some(self.bytes_per_s.load(Ordering::Relaxed)).filter(|&bytes| bytes > 0)
    }

    pub(super) fn set_bytes_per_s(&self, bytes_per_s: Option<u64>) {
        self.bytes_per_s.store(bytes_per_s.unwrap_or(0), Ordering::Relaxed);
    }

    pub(super) fn begin(&self, under_way: impl Iterator<Item = Progress>) {
        self.state().under_way.extend(under_way.map(|it| (it.to, it)));
    }

    /// So much of the memory was looked at for these nodes, in so much time.
    pub(super) fn walked<'a>(
        &self,
        nodes: impl Iterator<Item = &'a NodeId>,
        share_done: f64,
        took: Duration,
    ) {
        let mut state = self.state();
        for node in nodes {
            if let Some(progress) = state.under_way.get_mut(node) {
                progress.walked(share_done, took);
            }
        }
    }

    /// This is sent. Only the mover counts.
    pub(super) fn count(&self, sendings: &[Sending]) {
        let mut state = self.state();
        for sending in sendings {
            let (items, bytes) = sending.size();
            self.items.fetch_add(items as u64, Ordering::Relaxed);
            self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
            if let Some(progress) = state.under_way.get_mut(&sending.to) {
                progress.items += items as u64;
                progress.bytes += bytes as u64;
            }
        }
    }

    /// What has ended since the last look.
    pub(super) fn take_ended(&self) -> Vec<Moved> {
        std::mem::take(&mut self.state().ended)
    }

    /// Has the mover look again.
    pub(in crate::node) fn ring(&self) {
        self.some.notify_one();
    }

    /// Until somebody rings.
    pub(in crate::node) async fn some(&self) {
        self.some.notified().await;
    }

    /// Items and bytes that were brought to others since the start, some perhaps twice.
    pub(in crate::node) fn counts(&self) -> (u64, u64) {
        (self.items.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
