//! To whom no link leads, and that for so long that nobody waits for one.

use crate::ring::NodeId;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Nodes that gossip reaches and calls do not. All workers look here.
#[derive(Debug, Default)]
pub(in crate::node) struct OutOfReach {
    /// Most often there are none, which costs no lock.
    some: AtomicBool,
    nodes: Mutex<BTreeSet<NodeId>>,
}

impl OutOfReach {
    #[inline]
    pub(in crate::node) fn has(&self, node: NodeId) -> bool {
        self.some.load(Ordering::Acquire)
            && self.nodes.lock().unwrap_or_else(PoisonError::into_inner).contains(&node)
    }

    pub(in crate::node) fn set(&self, nodes: BTreeSet<NodeId>) {
        let some = !nodes.is_empty();
        *self.nodes.lock().unwrap_or_else(PoisonError::into_inner) = nodes;
        self.some.store(some, Ordering::Release);
    }
}
