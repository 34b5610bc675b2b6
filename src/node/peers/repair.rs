//! Brings copies up to date that are behind: of the slots that are marked for a
//! node all there is is to be brought to it, and whatever it has newer stays.

use super::moves::Moved;
use super::{Cluster, Said};
use crate::item::Now;
use crate::limits::{BEHIND_TOLD_MAX, REPAIR_REST_MS, REPAIR_TRIES};
use crate::node::session::Road;
use crate::ring::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// Brings copies up to date.
pub(in crate::node) struct Repair {
    road: Rc<Road>,
    cluster: Arc<Cluster>,
    /// Nodes that something is brought to.
    served: BTreeSet<NodeId>,
    /// Nodes that have come back, and are to be told when they have all: what they said
    /// of themselves before that began.
    tell: BTreeMap<NodeId, Said>,
    /// Nodes that refuse something: how often they did, and until when they are
    /// left alone.
    refusing: BTreeMap<NodeId, (u32, Now)>,
}

impl fmt::Debug for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { served, tell, .. } = self;
        f.debug_struct("Repair").field("served", served).field("tell", tell).finish_non_exhaustive()
    }
}

impl Repair {
    pub(in crate::node) fn new(road: Rc<Road>, cluster: Arc<Cluster>) -> Self {
        let served = BTreeSet::new();
        Self { road, cluster, served, tell: BTreeMap::new(), refusing: BTreeMap::new() }
    }

    /// A node came, perhaps not for the first time: nobody knows what it has.
    pub(in crate::node) fn came(&mut self, node: NodeId, said: Said) {
        self.cluster.dirty.mark(node, self.road.slots_of(node));
        self.tell.insert(node, said);
        self.refusing.remove(&node);
    }

    /// A node says again that it joins. Where all there is for this life of it is being brought
    /// to it already, it is only told so by the newer card: what it got since, it has not lost.
    /// Whether that is so.
    pub(in crate::node) fn came_already(&mut self, node: NodeId, said: Said) -> bool {
        let told = self.tell.get_mut(&node).filter(|told| told.generation == said.generation);
        told.map(|told| *told = said.max(*told)).is_some()
    }

    /// Tells the other owners which copies did not get to these nodes that are held for
    /// live: this one may die before it has brought them. Whether all is told.
    pub(in crate::node) fn tell_missed(&self, live: &[NodeId]) -> bool {
        for (behind, slots) in self.cluster.dirty.take_untold(BEHIND_TOLD_MAX) {
            // Whoever is down is brought everything by everybody once it is back.
            for slot in slots.into_iter().filter(|_| live.contains(&behind)) {
                // Who is linked later is told all again.
                let others = self.road.other_owners(slot).into_iter();
                let mut others = others.filter(|&to| to != behind && self.cluster.is_linked(to));
                if !others.all(|to| self.cluster.tell_behind(to, slot, behind)) {
                    self.cluster.dirty.tell_later(behind, slot);
                }
            }
        }
        self.cluster.dirty.is_told()
    }

    /// A node is no longer known.
    pub(in crate::node) fn forget(&mut self, node: NodeId) {
        self.tell.remove(&node);
        self.refusing.remove(&node);
    }

    /// Whether a node has all of what is meant for it, as far as is known; or refuses the
    /// rest.
    pub(in crate::node) fn is_even(&self, node: NodeId) -> bool {
        let refuses = self.refusing.get(&node).is_some_and(|&(tries, _)| tries >= REPAIR_TRIES);
        refuses || !self.served.contains(&node) && self.cluster.dirty.count(node) == 0
    }

    /// Whether there is nothing to bring.
    pub(in crate::node) fn rests(&self) -> bool {
        self.served.is_empty() && self.tell.is_empty() && self.cluster.dirty.marked().is_empty()
    }

    /// Goes on for a moment.
    pub(in crate::node) fn step(&mut self, now: Now) {
        for Moved { to, lost } in self.cluster.moves.take_ended() {
            self.served.remove(&to);
            self.finish(to, lost, now);
        }
        for to in self.due(now) {
            match self.cluster.dirty.take(to) {
                Some(slots) => {
                    self.served.insert(to);
                    self.cluster.moves.ask(to, slots);
                }
                // It is only to be told.
                None => self.finish(to, false, now),
            }
        }
    }

    /// Nodes for which there is something, and which can be reached.
    fn due(&self, now: Now) -> Vec<NodeId> {
        let rests = |node: &NodeId| self.refusing.get(node).is_some_and(|&(_, until)| now < until);
        let mut nodes = self.cluster.dirty.marked();
        nodes.extend(self.tell.keys().filter(|&&node| self.cluster.dirty.count(node) == 0));
        nodes.retain(|node| {
            !self.served.contains(node)
                && self.cluster.is_linked(*node)
                && self.road.is_live(*node)
                && !rests(node)
        });
        nodes
    }

    /// A node was brought what there was. What could not be sent was marked again, and so was what was
    /// refused: that is tried again with rests, and keeps nobody from serving.
    fn finish(&mut self, to: NodeId, lost: bool, now: Now) {
        let tries = match self.cluster.dirty.count(to) == 0 {
            true => {
                self.refusing.remove(&to);
                REPAIR_TRIES
            }
            false if lost => return,
            false => {
                let rest = Now::from_unix_ms(now.unix_ms() + REPAIR_REST_MS);
                let refusing = self.refusing.entry(to).or_insert((0, rest));
                *refusing = (refusing.0 + 1, rest);
                refusing.0
            }
        };
        self.cluster.dirty.lacks_nothing(to, tries >= REPAIR_TRIES);
        if tries >= REPAIR_TRIES
            && let Some(said) = self.tell.remove(&to)
        {
            self.cluster.tell_filled(to, said, self.road.flush_floor(now));
        }
    }
}
