//! Brings copies up to date that are behind: of the slots that are marked for a
//! node it sends all there is, and whatever the other has newer stays.
//!
//! One pass over the memory serves one node at a time, a few items at a step, and
//! waits for the last ones to be kept before it sends more.

use super::{Answer, Cluster, Said, Sent, Slots, Turn};
use crate::item::Now;
use crate::limits::{GATHERS_MAX, REPAIR_REST_MS, REPAIR_TRIES};
use crate::node::session::Road;
use crate::ring::NodeId;
use crate::store::WalkFrom;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

/// Brings copies up to date.
pub(in crate::node) struct Repair {
    road: Rc<Road>,
    cluster: Arc<Cluster>,
    pass: Option<Pass>,
    /// Nodes that have come back, and are to be told when they have all: what they said
    /// of themselves before that began.
    tell: BTreeMap<NodeId, Said>,
    /// Nodes that refuse something: how often they did, and until when they are
    /// left alone.
    refusing: BTreeMap<NodeId, (u32, Now)>,
}

/// One pass over this node's memory for one other node.
struct Pass {
    to: NodeId,
    slots: Slots,
    from: Option<WalkFrom>,
    sent: Option<Sent>,
    /// Something did not come to an answer.
    lost: bool,
}

impl fmt::Debug for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repair").field("tell", &self.tell).finish_non_exhaustive()
    }
}

impl Repair {
    pub(in crate::node) fn new(road: Rc<Road>, cluster: Arc<Cluster>) -> Self {
        Self { road, cluster, pass: None, tell: BTreeMap::new(), refusing: BTreeMap::new() }
    }

    /// A node came, perhaps not for the first time: nobody knows what it has.
    pub(in crate::node) fn came(&mut self, node: NodeId, said: Said) {
        self.cluster.dirty.mark(node, self.road.slots_of(node));
        self.tell.insert(node, said);
        self.refusing.remove(&node);
    }

    /// Whether a node has all of what is meant for it, as far as is known; or refuses the
    /// rest.
    pub(in crate::node) fn is_even(&self, node: NodeId) -> bool {
        let is_served = self.pass.as_ref().is_some_and(|pass| pass.to == node);
        let refuses = self.refusing.get(&node).is_some_and(|&(tries, _)| tries >= REPAIR_TRIES);
        refuses || !is_served && self.cluster.dirty.count(node) == 0
    }

    /// Whether there is nothing to bring.
    pub(in crate::node) fn rests(&self) -> bool {
        self.pass.is_none() && self.tell.is_empty() && self.cluster.dirty.marked().is_empty()
    }

    /// Goes on for a moment.
    pub(in crate::node) fn step(&mut self, now: Now) {
        if self.pass.is_none() {
            self.pass = self.next_pass(now);
        }
        let Some(pass) = &mut self.pass else { return };
        if !self.road.is_live(pass.to) {
            self.cluster.dirty.mark(pass.to, pass.slots.iter());
            self.pass = None;
            return;
        }
        // Looked at again with the next step: nobody is to be woken.
        if pass.sent.as_ref().is_some_and(|sent| !sent.waiting.is_over(Waker::noop())) {
            return;
        }
        if let Some(sent) = pass.sent.take() {
            let answers = sent.receivers().map(|(call, _)| sent.waiting.take(call));
            let answered = |answer| matches!(answer, Some(Answer::Kept | Answer::Refused));
            pass.lost |= !answers.into_iter().all(answered);
        }
        let Some(from) = pass.from else {
            let (to, lost) = (pass.to, pass.lost);
            self.pass = None;
            return self.finish(to, lost, now);
        };
        let mut turn = Turn::default();
        let mut next = Some(from);
        // Where little is to be sent, much has to be looked at.
        for _ in 0..GATHERS_MAX {
            let Some(from) = next.filter(|_| turn.is_empty()) else { break };
            next = self.road.gather(from, now, &pass.slots, pass.to, &mut turn);
        }
        pass.from = next;
        if !turn.is_empty() {
            turn.wait_for_all();
            pass.sent = Some(self.road.send(turn, now));
        }
    }

    fn next_pass(&self, now: Now) -> Option<Pass> {
        let rests = |node: &NodeId| self.refusing.get(node).is_some_and(|&(_, until)| now < until);
        let is_linked = |node: &NodeId| {
            self.cluster.peer(*node).is_some_and(|peer| peer.is_linked())
                && self.road.is_live(*node)
                && !rests(node)
        };
        let marked = self.cluster.dirty.marked();
        let to = marked.into_iter().chain(self.tell.keys().copied()).find(is_linked)?;
        // Who is to be told may have no slot that is marked.
        let (slots, from) = match self.cluster.dirty.take(to) {
            Some(slots) => (slots, Some(WalkFrom::default())),
            None => (Slots::none(0), None),
        };
        Some(Pass { to, slots, from, sent: None, lost: false })
    }

    /// A pass is over. What could not be sent was marked again, and so was what was
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
        if tries >= REPAIR_TRIES
            && let Some(said) = self.tell.remove(&to)
        {
            self.cluster.tell_filled(to, said, self.road.flush_floor(now));
        }
    }
}
