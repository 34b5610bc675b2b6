//! The places of those who are connected: whoever comes gets one, and if there is none left,
//! somebody who is there gives up his.
//!
//! To turn away the new one would let a few who say nothing keep out the probes on which the
//! node's life hangs. A short time for a request to arrive would not help: the silent come back,
//! and hold all places again. So nobody is waited for: a probe has its place until many have come
//! after it, however slow or silent those before it are.

use crate::limits::ADMIN_CONNECTIONS_MAX;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::{AbortHandle, JoinSet};

/// Whether the head of a request has arrived on a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked(Arc<AtomicBool>);

impl Asked {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Place {
    task: AbortHandle,
    asked: Asked,
}

/// Who is connected, longest first.
#[derive(Debug, Default)]
pub(super) struct Places {
    tasks: JoinSet<()>,
    taken: VecDeque<Place>,
}

impl Places {
    /// Gives the connection a place that this serves.
    pub(super) fn give<F>(&mut self, serve: impl FnOnce(Asked) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        while self.tasks.try_join_next().is_some() {}
        self.taken.retain(|place| !place.task.is_finished());
        if self.taken.len() >= ADMIN_CONNECTIONS_MAX {
            self.free_one();
        }
        let asked = Asked::default();
        let task = self.tasks.spawn(serve(asked.clone()));
        self.taken.push_back(Place { task, asked });
    }

    /// Ends a connection. Of those who have yet to ask and those who wait for an answer, or do
    /// not take it, the more give up the one that is there for longest: so neither of them,
    /// however many they become, takes all places of the others.
    fn free_one(&mut self) {
        let asked = self.taken.iter().filter(|place| place.asked.is_set()).count();
        let of_asked = asked > self.taken.len() / 2;
        let longest = self.taken.iter().position(|place| place.asked.is_set() == of_asked);
        if let Some(place) = longest.and_then(|at| self.taken.remove(at)) {
            // It waits for something. No request changes anything in parts, so nothing is left
            // half done.
            place.task.abort();
        }
    }

    /// Waits until all have gone.
    pub(super) async fn all_gone(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}
