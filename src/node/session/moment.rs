//! At which moment it is looked whether this node may execute.

use super::Road;
use crate::item::Now;
use std::time::Duration;

impl Road {
    /// The moment at which nobody may have taken this node's place.
    ///
    /// For what changes anything it is right before that is done, or two nodes might
    /// execute for a key at once. A look may go by an earlier one of the same turn. All
    /// that a turn answers had come before it began, so whatever another node executed
    /// after that moment, it did while the look was under way: an answer without it is as
    /// good as one with it, however long the turn takes and whatever it waits for.
    pub(super) fn moment(&self, looks: bool) -> (Now, Duration) {
        let clocks = || (self.shared().now(), self.shared().elapsed());
        if !looks {
            return clocks();
        }
        let looked = self.looked.get().unwrap_or_else(clocks);
        self.looked.set(Some(looked));
        looked
    }
}

#[cfg(test)]
mod tests {
    use super::super::elsewhere::Place;
    use super::*;
    use crate::node::standing::{START_MS, node_of};
    use crate::ring::{KeyHash, NodeId};
    use std::rc::Rc;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    const ME: NodeId = NodeId(1);

    #[test]
    fn only_looks_go_by_an_earlier_moment_and_only_of_their_turn() {
        let clock_ms = Arc::new(AtomicU64::new(START_MS));
        let shared = node_of(&[ME], &clock_ms);
        let road = Rc::new(Road::new(&shared, 0));
        shared.cluster.as_ref().unwrap().tick(shared.now());
        let (first, second) = (KeyHash(1), KeyHash(2));
        let turn = Road::begin_turn(&road);
        assert_eq!(road.place(first, true), Place::Here);
        // It stands still, for so long that it may be held for dead.
        clock_ms.fetch_add(10_000, Ordering::Relaxed);
        assert_eq!(road.place(first, true), Place::Here);
        assert_eq!(road.place(first, false), Place::There(ME));
        assert_eq!(road.place(first, true), Place::There(ME), "it is not to overtake that");
        assert_eq!(road.place(second, true), Place::Here);
        drop(turn);
        assert_eq!(road.place(second, true), Place::There(ME), "there is no turn");
        let _next = Road::begin_turn(&road);
        assert_eq!(road.place(second, true), Place::There(ME));
    }
}
