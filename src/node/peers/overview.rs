//! What the hub's thread knows of the cluster, for whoever asks on another.

use crate::cluster::{Card, Members, Phase, Step};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What this node knows of its cluster.
#[derive(Clone, Debug, Default)]
pub(in crate::node) struct Overview {
    /// What it says of itself; none before it has said anything.
    pub(in crate::node) card: Option<Card>,
    /// The others.
    pub(in crate::node) members: Members,
    /// How far the change of owners has come, once it knows of owners.
    pub(in crate::node) step: Option<Step>,
    /// The number of that step.
    pub(in crate::node) number: Option<u64>,
    /// While it joins: the names of those it waits for.
    pub(in crate::node) waits_for: Vec<Box<str>>,
    /// While owners change and this node tells the steps: the names of those for whom the
    /// present one has waited too long.
    pub(in crate::node) step_waits_for: Vec<Box<str>>,
}

/// Where the last of them is found.
#[derive(Debug, Default)]
pub(super) struct Overviews {
    last: Mutex<Arc<Overview>>,
    changed: Condvar,
}

impl Overview {
    pub(in crate::node) fn serves(&self) -> bool {
        self.card.as_ref().is_some_and(|card| card.phase == Phase::Serving)
    }
}

impl Overviews {
    pub(super) fn set(&self, overview: Overview) {
        *self.lock() = Arc::new(overview);
        self.changed.notify_all();
    }

    pub(super) fn last(&self) -> Arc<Overview> {
        Arc::clone(&self.lock())
    }

    /// Waits until this node serves, and not for longer than this; the last that
    /// is known then.
    pub(super) fn wait_until_serving(&self, patience: Duration) -> Arc<Overview> {
        let joins = |last: &mut Arc<Overview>| !last.serves();
        let waited = self.changed.wait_timeout_while(self.lock(), patience, joins);
        Arc::clone(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Overview>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
