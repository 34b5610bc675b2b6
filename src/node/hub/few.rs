//! Whether this node sees as many others that serve as its writes are to have: in the
//! lesser of two halves they would only be lost, or meet those of the greater one.

use super::{Effect, Hub};
use crate::cluster::Able;
use std::sync::atomic::Ordering;

impl Hub {
    /// Counts those that serve. Whoever goes by the next view is to know of it before.
    pub(super) fn count_serving(&mut self) {
        let least = self.shared.settings.min_nodes_for_writes;
        if least <= 1 {
            return;
        }
        let me = usize::from(Able::of(self.card.phase) == Able::Executes);
        let others = self.live_others().into_iter().filter(|&node| self.serves(node)).count();
        let is_few = me + others < least;
        if self.cluster.few.swap(is_few, Ordering::Relaxed) != is_few {
            self.effects.push_back(Effect::TellWrites(!is_few, me + others));
        }
    }
}
