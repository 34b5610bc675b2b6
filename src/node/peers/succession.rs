//! What a primary that is down may have left: a write that was acknowledged by it
//! and another owner need not have reached the one that is primary now. So each
//! owner that is left sends the others what was written last, and who is primary
//! now does not execute before it has all that.
//!
//! What is older than the last writes has reached all owners, or else the primary told
//! the owners that have it who lacks it, and those bring it: each primary says up to when
//! that is so whenever it asks for a promise.
//!
//! Each owner asks the others again and again, for as long as they answer. Their
//! part takes as long as there is to send, and one that lives has perhaps not heard of
//! the death yet: until it has, it may still take copies from who is held for dead. Until
//! then an owner says to whoever reads from it that it may lack something.
//!
//! Where there are two copies, whoever is left has everything that was
//! acknowledged, and waits for nobody.
//!
//! In either case it does not execute before the promises end that it gave to who is
//! held for dead: that one may be alive.

use super::batches::Batches;
use super::{Cluster, Slots, Turn};
use crate::cluster::{After, Change, Members, Phase, What};
use crate::item::Now;
use crate::limits::{RELAY_GATHERS_MAX, RELAY_STEP_MS};
use crate::node::session::Road;
use crate::ring::NodeId;
use crate::store::FullWalk;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// Who has not told yet that it has sent all is asked again after so long.
const ASK_MS: u64 = 100;

/// Slots that are not as others after the death of a node. All workers look here, and as a rule
/// there are none.
#[derive(Debug)]
pub(in crate::node) struct SomeSlots {
    some: AtomicBool,
    slots: Mutex<Slots>,
}

impl SomeSlots {
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
        if !self.are_any() {
            return;
        }
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.some.store(false, Ordering::Release);
    }
}

/// The end of a life of a node: it, and all lives of the node before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::node) struct Ended {
    pub(in crate::node) node: NodeId,
    pub(in crate::node) generation: u64,
}

impl Ended {
    /// Which lives of a node are over, as this change tells.
    pub(in crate::node) fn by(change: &Change) -> Option<Self> {
        let (node, generation) = (change.node, change.generation);
        match change.what {
            What::Lost => Some(Self { node, generation }),
            // It may have been started again before anyone missed it.
            What::Returned => Some(Self { node, generation: generation.saturating_sub(1) }),
            _ => None,
        }
    }

    /// Whether a node that knows these members takes no copies from those lives any more. One that
    /// has not heard of it at all takes none from when it was asked this on.
    pub(in crate::node) fn is_known(&self, members: &Members) -> bool {
        members.find(self.node).is_none_or(|member| {
            member.generation > self.generation
                || member.generation == self.generation && !member.is_live()
                // It stood still, or has stepped back, and executes no more.
                || member.current_card().is_some_and(|card| card.phase == Phase::Joining)
        })
    }
}

/// This node's part after the death of others. Belongs to the hub's thread.
pub(in crate::node) struct Succession {
    road: Rc<Road>,
    cluster: Arc<Cluster>,
    /// Who has not said anything for so long is not waited for: there is no way to it.
    patience: Duration,
    /// From which millisecond on each node's writes may be missing somewhere, as it said in
    /// each of its lives.
    open_since: BTreeMap<Ended, u64>,
    /// Whose last writes are to be sent around, and from which millisecond on.
    due: BTreeMap<NodeId, (u64, u64)>,
    pass: Option<Pass>,
    /// Whose were, and to whom.
    done: BTreeMap<NodeId, Done>,
    /// Who has not told yet that it has sent all of whom.
    awaited: BTreeMap<(NodeId, NodeId), Awaited>,
}

/// One pass over this node's memory for all other owners.
struct Pass {
    ended: Ended,
    since_ms: u64,
    walk: FullWalk,
    /// All has been looked at.
    is_through: bool,
    sent: Batches,
    /// Those that are sent it.
    reached: BTreeSet<NodeId>,
}

/// What has become of one.
struct Done {
    generation: u64,
    since_ms: u64,
    reached: BTreeSet<NodeId>,
}

struct Awaited {
    generation: u64,
    ask_at: Now,
    heard_at: Duration,
}

impl fmt::Debug for Succession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let awaited = self.awaited.keys().collect::<Vec<_>>();
        f.debug_struct("Succession").field("awaited", &awaited).finish_non_exhaustive()
    }
}

impl Succession {
    /// A node that is dead is held for dead within `notice`, as a rule.
    pub(in crate::node) fn new(road: Rc<Road>, cluster: Arc<Cluster>, notice: Duration) -> Self {
        Self {
            road,
            cluster,
            // As long as a promise counts that was not given: see `Promised`.
            patience: 2 * notice,
            open_since: BTreeMap::new(),
            due: BTreeMap::new(),
            pass: None,
            done: BTreeMap::new(),
            awaited: BTreeMap::new(),
        }
    }

    /// Whether a node executed until now.
    pub(in crate::node) fn executed(&self, node: NodeId) -> bool {
        self.road.executed(node)
    }

    /// What a node wrote before this millisecond has reached all owners, or this node
    /// was told whom not.
    pub(in crate::node) fn heard(&mut self, life: Ended, open_since_ms: u64) {
        self.open_since.insert(life, open_since_ms);
    }

    /// What a node wrote before this millisecond is no matter, unless it has said since when it
    /// is.
    pub(in crate::node) fn presume(&mut self, life: Ended, open_since_ms: u64) {
        self.open_since.entry(life).or_insert(open_since_ms);
    }

    /// Nodes are held for dead, or started again, and the view does not know it yet. Their
    /// slots are held back until [`Succession::step`] says otherwise.
    pub(in crate::node) fn lost(&mut self, lost: &[Ended], now: Now) {
        let executed = |ended: &&Ended| self.road.executed(ended.node);
        let lost: Vec<Ended> = lost.iter().filter(executed).copied().collect();
        if lost.is_empty() {
            return;
        }
        let nodes: BTreeSet<NodeId> = lost.iter().map(|ended| ended.node).collect();
        let After { next, shared, others } = self.road.slots_after(&nodes);
        self.cluster.held_back.add(&next);
        if self.road.copies() < 3 {
            return;
        }
        self.cluster.lacking.add(&shared);
        let heard_at = self.road.elapsed();
        for &ended in &lost {
            self.begin_later(ended);
            for &other in &others {
                let generation = ended.generation;
                let awaited = Awaited { generation, ask_at: now, heard_at };
                self.awaited.insert((other, ended.node), awaited);
            }
        }
    }

    /// A node is no longer known.
    pub(in crate::node) fn forget(&mut self, node: NodeId) {
        self.open_since.retain(|life, _| life.node != node);
        self.done.remove(&node);
    }

    fn begin_later(&mut self, ended: Ended) {
        let Ended { node, generation } = ended;
        let first = Ended { node, generation: 0 };
        // Of one that never said so all may be missing.
        let said = self.open_since.range(first..=ended).next_back().map_or(0, |(_, &ms)| ms);
        self.open_since.retain(|life, _| life.node != node || life.generation > generation);
        let again = self.done.get(&node).filter(|done| done.generation >= generation);
        let since_ms = again.map_or(said, |done| done.since_ms);
        let due = self.due.entry(node).or_insert((generation, since_ms));
        *due = (due.0.max(generation), due.1.min(since_ms));
    }

    /// A node asks for what this one has of the last writes of another, whose death this
    /// one knows of, or not yet.
    pub(in crate::node) fn asked(&mut self, by: NodeId, ended: Ended, is_known: bool, now: Now) {
        let is_coming = self.due.contains_key(&ended.node)
            || self.pass.as_ref().is_some_and(|pass| pass.ended.node == ended.node);
        // What was sent at an earlier end of the same life is not all there is now.
        let is_done = is_known && !is_coming && self.has_sent(by, ended);
        if is_known && !is_done && !is_coming {
            self.begin_later(ended);
        }
        self.tell(by, ended, is_done && !self.cluster.dirty.lacks(by), now);
    }

    fn has_sent(&self, to: NodeId, ended: Ended) -> bool {
        let done = self.done.get(&ended.node);
        done.is_some_and(|done| done.generation >= ended.generation && done.reached.contains(&to))
    }

    fn tell(&self, to: NodeId, ended: Ended, is_all: bool, now: Now) {
        self.cluster.tell_relayed(to, ended, is_all, self.road.flush_floor(now));
    }

    /// A node said that it has sent all of this, or that it is still to.
    pub(in crate::node) fn told(&mut self, node: NodeId, ended: Ended, is_all: bool) {
        let key = (node, ended.node);
        let Some(awaited) = self.awaited.get_mut(&key) else { return };
        awaited.heard_at = self.road.elapsed();
        if is_all && ended.generation >= awaited.generation {
            self.awaited.remove(&key);
        }
    }

    /// Whether there is nothing to pass on, and nothing to wait for.
    pub(in crate::node) fn rests(&self) -> bool {
        self.due.is_empty()
            && self.pass.is_none()
            && self.awaited.is_empty()
            && !self.cluster.held_back.are_any()
            && !self.cluster.lacking.are_any()
    }

    /// Goes on for a moment.
    pub(in crate::node) fn step(&mut self, now: Now, may_take_over: bool) {
        self.ask(now);
        if self.awaited.is_empty() {
            self.cluster.lacking.clear();
            if may_take_over {
                self.cluster.held_back.clear();
            }
        }
        if self.pass.is_none() {
            self.pass = self.due.pop_first().map(|(node, (generation, since_ms))| Pass {
                ended: Ended { node, generation },
                since_ms,
                walk: FullWalk::default(),
                is_through: false,
                sent: Batches::default(),
                reached: self.road.live_others().into_iter().collect(),
            });
        }
        let Some(mut pass) = self.pass.take() else { return };
        // What was lost is marked, and nobody is told that it has all before that is brought.
        pass.sent.reap(Waker::noop());
        self.go_on(&mut pass, now);
        if !pass.is_through || !pass.sent.is_empty() {
            self.pass = Some(pass);
            return;
        }
        let Pass { ended, since_ms, reached, .. } = pass;
        let told: Vec<NodeId> =
            reached.iter().copied().filter(|&to| !self.cluster.dirty.lacks(to)).collect();
        let generation = ended.generation;
        self.done.insert(ended.node, Done { generation, since_ms, reached });
        // Whoever waits for more asks.
        for to in told {
            self.tell(to, ended, true, now);
        }
    }

    fn ask(&mut self, now: Now) {
        let (road, cluster, at) = (&self.road, &self.cluster, self.road.elapsed());
        self.awaited.retain(|&(node, dead), awaited| {
            // Who executes again has been filled by all, and no other says that it is over.
            let is_over = road.executed(dead);
            let stays = !is_over && road.is_live(node) && at < awaited.heard_at + self.patience;
            if stays && now >= awaited.ask_at {
                awaited.ask_at = now.after_ms(ASK_MS);
                cluster.ask_relay(node, Ended { node: dead, generation: awaited.generation });
            }
            stays
        });
    }

    /// Sends as much as may be under way: it is waited for, and other things are too.
    fn go_on(&self, pass: &mut Pass, now: Now) {
        let until = self.road.elapsed() + Duration::from_millis(RELAY_STEP_MS);
        for _ in 0..RELAY_GATHERS_MAX {
            if pass.is_through || pass.sent.are_full() || self.road.elapsed() >= until {
                return;
            }
            let mut turn = Turn::default();
            let (walk, dead, since_ms) = (&mut pass.walk, pass.ended.node, pass.since_ms);
            pass.is_through = !self.road.gather_recent(walk, now, dead, since_ms, &mut turn);
            if !turn.is_empty() {
                turn.wait_for_all();
                let bytes = turn.bytes();
                pass.sent.push(self.road.send(turn, now), bytes);
            }
        }
    }
}
