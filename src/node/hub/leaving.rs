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
        if !self.drains || self.card.phase == Phase::Joining {
            // Who joins has nothing yet that others lack.
            return self.drains;
        }
        let Some(rings) = self.following.rings() else { return true };
        let cards = self.live_others().into_iter();
        let mut cards = cards.filter_map(|node| self.members.current_card(node));
        // There is nobody to leave it to.
        let mut is_last = || cards.all(|card| card.phase == Phase::Leaving);
        let owns = rings.has(self.card.node);
        rings.step == Step::Settled && !owns || owns && is_last()
    }

    /// Says that it leaves, as soon as it has all that it owns: others are brought it by
    /// whoever has.
    pub(super) fn go_on_leaving(&mut self, now: Now) {
        if self.cluster.draining.is_asked() {
            self.drains = true;
        }
        if self.is_drained() {
            self.cluster.draining.end();
        }
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
