//! What a primary that is down may have left: a write that was acknowledged by it
//! and another owner need not have reached the one that is primary now. So each
//! owner that is left sends the others what was written last, and who is primary
//! now does not execute before it has all that.
//!
//! Where there are two copies, whoever is left has everything that was
//! acknowledged, and waits for nobody.
//!
//! In either case it does not execute before the promises end that it gave to who is
//! held for dead: that one may be alive.

use super::{Cluster, Sent, Slots, Turn};
use crate::item::Now;
use crate::limits::{GATHERS_MAX, SUCCESSION_MS, UNEVEN_MS};
use crate::node::session::Road;
use crate::ring::NodeId;
use crate::store::FullWalk;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// Slots that this node does not execute for yet, after the death of another. All its workers look here.
#[derive(Debug)]
pub(in crate::node) struct HeldBack {
    some: AtomicBool,
    slots: Mutex<Slots>,
}

impl HeldBack {
    pub(super) fn none(slots: u32) -> Self {
        Self { some: AtomicBool::new(false), slots: Mutex::new(Slots::none(slots)) }
    }

    #[inline]
    pub(in crate::node) fn has(&self, slot: u32) -> bool {
        self.some.load(Ordering::Acquire)
            && self.slots.lock().unwrap_or_else(PoisonError::into_inner).contains(slot)
    }

    fn are_any(&self) -> bool {
        self.some.load(Ordering::Acquire)
    }

    fn add(&self, slots: &[u32]) {
        let mut held = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        for &slot in slots {
            held.insert(slot);
        }
        self.some.store(true, Ordering::Release);
    }

    fn clear(&self) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.some.store(false, Ordering::Release);
    }
}

/// This node's part after the death of others. Belongs to the hub's thread.
pub(in crate::node) struct Succession {
    road: Rc<Road>,
    cluster: Arc<Cluster>,
    /// Whose last writes are to be sent around, and from which millisecond on.
    dead: VecDeque<(NodeId, u64)>,
    pass: Option<Pass>,
    /// Who has not told yet that it has sent all.
    awaited: BTreeSet<NodeId>,
    deadline: Now,
    /// When each node said last that it has sent all: it may have heard of a death
    /// before this one did.
    told: BTreeMap<NodeId, Now>,
}

/// One pass over this node's memory for all other owners.
struct Pass {
    dead: NodeId,
    since_ms: u64,
    walk: FullWalk,
    /// All has been looked at.
    is_through: bool,
    sent: Option<Sent>,
    /// Those that were not reached.
    failed: BTreeSet<NodeId>,
}

impl fmt::Debug for Succession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Succession").field("awaited", &self.awaited).finish_non_exhaustive()
    }
}

impl Succession {
    pub(in crate::node) fn new(road: Rc<Road>, cluster: Arc<Cluster>) -> Self {
        Self {
            road,
            cluster,
            dead: VecDeque::new(),
            pass: None,
            awaited: BTreeSet::new(),
            deadline: Now::from_unix_ms(0),
            told: BTreeMap::new(),
        }
    }

    /// Whether a node executed until now.
    pub(in crate::node) fn executed(&self, node: NodeId) -> bool {
        self.road.executed(node)
    }

    /// A node is held for dead, or started again, and the view does not know it yet. Its
    /// slots are held back until [`Succession::step`] says otherwise.
    pub(in crate::node) fn lost(&mut self, node: NodeId, now: Now) {
        self.end(node, now.unix_ms().saturating_sub(UNEVEN_MS), now);
    }

    /// The same of one that executes no more, and perhaps had no link to all others before,
    /// for twice so long.
    pub(in crate::node) fn stepped_back(&mut self, node: NodeId, now: Now, unlinked: Duration) {
        let since_ms = now.unix_ms().saturating_sub(UNEVEN_MS + 2 * unlinked.as_millis() as u64);
        if !self.dead.iter().any(|&(dead, _)| dead == node) {
            self.end(node, since_ms, now);
        }
    }

    fn end(&mut self, node: NodeId, since_ms: u64, now: Now) {
        if !self.road.executed(node) {
            return;
        }
        let (slots, others) = self.road.slots_after(node);
        self.cluster.held_back.add(&slots);
        if self.road.copies() < 3 {
            return;
        }
        self.dead.push_back((node, since_ms));
        self.awaited.remove(&node);
        let is_new = |other: &NodeId| {
            let told = self.told.get(other).map_or(0, |told| told.unix_ms());
            told + SUCCESSION_MS / 2 < now.unix_ms()
        };
        let others: Vec<NodeId> = others.into_iter().filter(is_new).collect();
        if !others.is_empty() {
            self.cluster.held_back.add(&slots);
            self.awaited.extend(others);
            self.deadline = Now::from_unix_ms(now.unix_ms() + SUCCESSION_MS);
        }
    }

    /// A node said that it has sent all.
    pub(in crate::node) fn told(&mut self, node: NodeId, now: Now) {
        self.told.insert(node, now);
        self.awaited.remove(&node);
    }

    /// Whether there is nothing to pass on, and nothing to wait for.
    pub(in crate::node) fn rests(&self) -> bool {
        self.dead.is_empty()
            && self.pass.is_none()
            && self.awaited.is_empty()
            && !self.cluster.held_back.are_any()
    }

    /// Goes on for a moment.
    pub(in crate::node) fn step(&mut self, now: Now, may_take_over: bool) {
        self.awaited.retain(|&node| self.road.is_live(node));
        if now >= self.deadline {
            self.awaited.clear();
        }
        if self.awaited.is_empty() && may_take_over {
            self.cluster.held_back.clear();
        }
        if self.pass.is_none() {
            self.pass = self.dead.pop_front().map(|(dead, since_ms)| Pass {
                dead,
                since_ms,
                walk: FullWalk::default(),
                is_through: false,
                sent: None,
                failed: BTreeSet::new(),
            });
        }
        let Some(mut pass) = self.pass.take() else { return };
        if pass.sent.as_ref().is_some_and(|sent| !sent.waiting.is_over(Waker::noop())) {
            self.pass = Some(pass);
            return;
        }
        pass.note_failed();
        for _ in 0..GATHERS_MAX {
            if pass.is_through {
                break;
            }
            let mut turn = Turn::default();
            let (walk, dead, since_ms) = (&mut pass.walk, pass.dead, pass.since_ms);
            pass.is_through = !self.road.gather_recent(walk, now, dead, since_ms, &mut turn);
            if !turn.is_empty() {
                turn.wait_for_all();
                pass.sent = Some(self.road.send(turn, now));
                break;
            }
        }
        if !pass.is_through || pass.sent.is_some() {
            self.pass = Some(pass);
            return;
        }
        for peer in self.cluster.peers() {
            let node = peer.node;
            if !pass.failed.contains(&node) {
                self.cluster.tell_relayed(node, self.road.flush_floor(now));
            }
        }
    }
}

impl Pass {
    fn note_failed(&mut self) {
        let Some(sent) = self.sent.take() else { return };
        for (call, to) in sent.receivers() {
            if sent.waiting.take(call) != Some(super::Answer::Kept) {
                self.failed.insert(to);
            }
        }
    }
}
