//! What is to be brought to other nodes: the hub says it, on its thread, and the mover
//! does it, on another.

use super::Slots;
use crate::ring::NodeId;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What is to be brought to other nodes, and what became of it.
#[derive(Debug, Default)]
pub(in crate::node) struct Moves {
    state: Mutex<State>,
    some: Notify,
    items: AtomicU64,
    bytes: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    asked: BTreeMap<NodeId, Slots>,
    ended: Vec<Moved>,
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
    /// All that is here of these slots is to be brought to a node, for which nothing else
    /// is under way.
    pub(super) fn ask(&self, to: NodeId, slots: Slots) {
        self.state().asked.insert(to, slots);
        self.some.notify_one();
    }

    /// What was asked for since the last look.
    pub(super) fn take_asked(&self) -> BTreeMap<NodeId, Slots> {
        std::mem::take(&mut self.state().asked)
    }

    pub(super) fn end(&self, moved: Moved) {
        self.state().ended.push(moved);
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

    /// Only the mover counts.
    pub(super) fn count(&self, items: usize, bytes: usize) {
        self.items.fetch_add(items as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Items and bytes that were brought to others since the start, some perhaps twice.
    pub(in crate::node) fn counts(&self) -> (u64, u64) {
        (self.items.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
