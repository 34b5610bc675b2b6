//! A node that leaves for good hands over all that it owns, and serves until others own it.

use super::Hub;
use crate::cluster::{Phase, Step};
use crate::item::Now;
use crate::wire;

impl Hub {
    /// This node is to hand over all that it owns.
    pub fn drain(&mut self) {
        self.drains = true;
    }

    /// Whether it has, so that nobody needs it any more: it owns nothing, or is the only one.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        if !self.drains {
            return false;
        }
        let Some(rings) = self.following.rings() else { return true };
        let is_last = || rings.old.len() == 1 && self.live_others().is_empty();
        let owns = rings.has(self.card.node);
        rings.step == Step::Settled && !owns || owns && is_last()
    }

    /// Says that it leaves, as soon as it has all that it owns: others are brought it by
    /// whoever has.
    pub(super) fn go_on_leaving(&mut self, now: Now) {
        if !self.drains || self.card.phase != Phase::Serving || self.is_stepping_back() {
            return;
        }
        self.card.phase = Phase::Leaving;
        self.say();
        if let Ok(bytes) = wire::card_bytes(&self.card) {
            // Gossip would tell them later.
            drop(self.cluster.say(&bytes, &self.live_others(), now));
        }
        self.show();
    }
}
