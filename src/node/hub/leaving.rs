//! A node that leaves for good hands over all that it owns, and serves until others own it.

use super::Hub;
use crate::cluster::{Phase, Step};
use crate::item::Now;
use crate::node::draining::Left;
use crate::ring::NodeId;
use crate::wire;

impl Hub {
    /// This node is to hand over all that it owns.
    pub fn drain(&mut self) {
        self.drains = true;
    }

    /// Whether it has, so that nobody needs it any more; or there is nobody who could have it.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.left().is_some()
    }

    fn left(&self) -> Option<Left> {
        let Some(rings) = self.following.rings().filter(|_| self.drains) else {
            return self.drains.then_some(Left::Alone);
        };
        let me = self.card.node;
        // One that has served, and joins again, may have what others lack.
        let never_had_any = self.card.phase == Phase::Joining && !self.has_served;
        let is_over = rings.step == Step::Settled || never_had_any;
        if !rings.has(me) && is_over {
            let all_know = rings.by != me || self.planner_rests();
            return (self.has_followed() && all_know).then_some(Left::HandedOver);
        }
        let leaves = |node: NodeId| {
            let member = self.members.find(node);
            let card = member.map(|member| member.card.as_ref());
            card.is_none_or(|card| card.is_some_and(|card| card.phase == Phase::Leaving))
        };
        let others = rings.old.iter().chain(&rings.new).map(|node| node.id);
        let linked = self.live_others().into_iter().filter(|&node| self.cluster.is_linked(node));
        let mut others = others.filter(|&node| node != me).chain(linked);
        others.all(leaves).then_some(Left::Alone)
    }

    /// Says that it leaves, as soon as it has all that it owns: others are brought it by
    /// whoever has.
    pub(super) fn go_on_leaving(&mut self, now: Now) {
        if self.cluster.draining.is_asked() {
            self.drains = true;
        }
        if let Some(left) = self.left() {
            self.cluster.draining.end(left);
        }
        let stays = !self.drains || self.parting.is_some();
        if stays || self.card.phase != Phase::Serving || self.is_stepping_back() {
            return;
        }
        self.card.phase = Phase::Leaving;
        self.say();
        if let Ok(bytes) = wire::card_bytes(&self.card) {
            // Gossip would tell them later.
            drop(self.cluster.say(&bytes, &self.live_others(), now));
        }
        self.cluster.set_roster(self.roster());
        self.show();
    }
}
