//! Promises between nodes: a node that is asked for one does not take the other's
//! place for so long, whatever it hears of it meanwhile.
//!
//! So a primary that has the promises of all other owners of a key may answer for it
//! by itself: nobody else executes for the key yet, though this node may be held for
//! dead already and not know it. It asks for them anew long before they end. Who does
//! not get one, from a node that it holds for live, no longer executes for what the
//! two of them own.
//!
//! A promise lasts for as long as a death goes unnoticed. Where an owner dies, the
//! primary hears of it before its promise ends, and goes on alone; where the primary
//! dies, the next one hears of it a moment before it may take its place.

use super::{Cluster, Waiting};
use crate::cluster::View;
use crate::ring::{KeyHash, NodeId};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::task::Waker;
use std::time::Duration;

/// A promise is asked for anew after this part of its time.
const RENEWALS: u32 = 8;

/// A promise that could not be asked for is asked for anew after this.
const AGAIN: Duration = Duration::from_millis(50);

/// A promise lasts for so long, at most, whatever another node asks for.
const TERM_MAX: Duration = Duration::from_secs(60);

/// The promises that this node has. All its workers look here.
#[derive(Debug, Default)]
pub(in crate::node) struct Promised {
    term_ms: AtomicU64,
    /// The millisecond at which the first of them ends.
    all_until: AtomicU64,
    /// When the promise of each ends.
    until: RwLock<BTreeMap<NodeId, Promise>>,
}

/// The last promise of one node.
#[derive(Clone, Copy, Debug)]
struct Promise {
    until_ms: u64,
    /// Whether the node executes; one that joins may have promised something before.
    counts: bool,
}

impl Promised {
    /// Whether this node may execute for a key, as far as its other owners are
    /// concerned. The time is that since the start.
    #[inline]
    pub(in crate::node) fn holds(
        &self,
        view: &View,
        hash: KeyHash,
        me: NodeId,
        at: Duration,
    ) -> bool {
        let at_ms = at.as_millis() as u64;
        at_ms < self.all_until.load(Ordering::Acquire) || self.owners_hold(view, hash, me, at_ms)
    }

    fn owners_hold(&self, view: &View, hash: KeyHash, me: NodeId, at_ms: u64) -> bool {
        let until = self.until.read().unwrap_or_else(PoisonError::into_inner);
        let over = self.term_ms.load(Ordering::Relaxed);
        let (owners, before) = view.writers(hash);
        // As long as some go by the step before, its owners may take this node's place too.
        let before = before.iter().filter(|_| view.needs_all(hash));
        let mut owners = owners.iter().chain(before).filter(|&owner| view.executes(owner));
        owners.all(|owner| match until.get(&view.node(owner)) {
            _ if view.node(owner) == me => true,
            // Had it taken this node's place, one or the other would have been heard
            // of long ago: there is only no way between the two.
            Some(&Promise { until_ms, .. }) => at_ms < until_ms || at_ms >= until_ms + over,
            None => false,
        })
    }

    /// Whether all who execute have promised it.
    pub(in crate::node) fn holds_for_all(&self, at: Duration) -> bool {
        (at.as_millis() as u64) < self.all_until.load(Ordering::Acquire)
    }

    /// Who executes beside this node, from now on. Nobody has promised anything
    /// unless he is known to have.
    pub(in crate::node) fn expect(&self, view: &View, me: NodeId, at: Duration) {
        let executing = (0..).zip(view.nodes()).filter(|&(index, _)| view.executes(index));
        let executing = executing.map(|(_, &node)| node).filter(|&node| node != me);
        let mut until = self.until();
        let live = |node: &NodeId| view.index_of(*node).is_some_and(|index| view.is_live(index));
        until.retain(|node, _| live(node));
        until.values_mut().for_each(|promise| promise.counts = false);
        for node in executing {
            let none = Promise { until_ms: at.as_millis() as u64, counts: true };
            until.entry(node).or_insert(none).counts = true;
        }
        self.sum_up(&until);
    }

    fn set(&self, node: NodeId, until_ms: u64) {
        let mut until = self.until();
        until.entry(node).or_insert(Promise { until_ms, counts: false }).until_ms = until_ms;
        self.sum_up(&until);
    }

    /// Another process goes by the node's name.
    fn forget(&self, node: NodeId) {
        self.until().remove(&node);
    }

    fn sum_up(&self, until: &BTreeMap<NodeId, Promise>) {
        let counting = until.values().filter(|promise| promise.counts);
        let first = counting.map(|promise| promise.until_ms).min().unwrap_or(u64::MAX);
        self.all_until.store(first, Ordering::Release);
    }

    fn until(&self) -> RwLockWriteGuard<'_, BTreeMap<NodeId, Promise>> {
        self.until.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives promises, and asks for them. Belongs to the hub's thread.
pub(in crate::node) struct Promises {
    cluster: Arc<Cluster>,
    term: Duration,
    /// Until when this node has promised not to take another's place.
    given: BTreeMap<NodeId, Duration>,
    asked: BTreeMap<NodeId, Asked>,
    /// This node takes nobody's place before.
    not_before: Duration,
}

/// One promise that was asked for.
struct Asked {
    at: Duration,
    next: Duration,
    answer: Option<Arc<Waiting>>,
}

impl fmt::Debug for Promises {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promises").field("not_before", &self.not_before).finish_non_exhaustive()
    }
}

impl Promises {
    /// A node that is dead is held for dead within `term`, as a rule.
    pub(in crate::node) fn new(cluster: &Arc<Cluster>, term: Duration) -> Self {
        let term = term.min(TERM_MAX);
        cluster.promised.term_ms.store(term.as_millis() as u64, Ordering::Relaxed);
        let (given, asked) = (BTreeMap::new(), BTreeMap::new());
        Self { cluster: Arc::clone(cluster), term, given, asked, not_before: Duration::ZERO }
    }

    /// Promises a node that is held for live not to take its place for so long.
    pub(in crate::node) fn give(&mut self, node: NodeId, term: Duration, at: Duration) {
        let until = at + term.min(TERM_MAX);
        let given = self.given.entry(node).or_default();
        *given = until.max(*given);
    }

    /// A node is held for dead. It may be alive, and act upon what it was promised;
    /// or upon what another was promised for it, where this node never was asked.
    pub(in crate::node) fn lost(&mut self, node: NodeId, at: Duration) {
        // One that is over tells nothing: it may act though it has none, see
        // `owners_hold`.
        let given = self.given.remove(&node).filter(|&until| until > at);
        let until = given.unwrap_or(at + self.term);
        self.not_before = self.not_before.max(until);
        self.asked.remove(&node);
    }

    /// A node is another one now: what the one before was promised is no matter.
    pub(in crate::node) fn returned(&mut self, node: NodeId) {
        self.given.remove(&node);
        self.asked.remove(&node);
        self.cluster.promised.forget(node);
    }

    /// Whether this node may take the place of all who are held for dead.
    pub(in crate::node) fn may_take_over(&self, at: Duration) -> bool {
        at >= self.not_before
    }

    /// Goes on for a moment: `live` are all others that are held for live.
    pub(in crate::node) fn step(
        &mut self,
        live: &[NodeId],
        at: Duration,
        ask: impl Fn(&Cluster, NodeId, u32) -> Arc<Waiting>,
    ) {
        let term_ms = self.term.as_millis() as u64;
        for &node in live {
            let first = Asked { at, next: at, answer: None };
            let asked = self.asked.entry(node).or_insert(first);
            if let Some(answer) = asked.answer.take_if(|answer| answer.is_over(Waker::noop())) {
                match answer.take(0) {
                    // It counts from before it was asked for: the other began later.
                    Some(super::Answer::Kept) => {
                        self.cluster.promised.set(node, asked.at.as_millis() as u64 + term_ms);
                    }
                    // It holds this node for dead, or does not know it yet.
                    Some(super::Answer::Refused) => {
                        self.cluster.promised.set(node, at.as_millis() as u64);
                        asked.next = asked.next.min(at + AGAIN);
                    }
                    // There is no link yet, or none any more.
                    _ => asked.next = asked.next.min(at + AGAIN),
                }
            }
            // One answer at a time, unless it takes too long to be worth anything.
            let may_come = asked.answer.is_some() && at < asked.at + self.term;
            if at >= asked.next && !may_come {
                let answer = Some(ask(&self.cluster, node, term_ms as u32));
                *asked = Asked { at, next: at + self.term / RENEWALS, answer };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::WriteAck;
    use crate::node::peers::Answer;
    use crate::ring::{Layout, Node, Ring};

    const ME: NodeId = NodeId(1);
    const OTHERS: [NodeId; 2] = [NodeId(2), NodeId(3)];
    const TERM: Duration = Duration::from_secs(4);

    fn view() -> View {
        let nodes = [ME, OTHERS[0], OTHERS[1]].map(Node::new);
        View::settled(&Ring::new(&Layout { copies: 2, ..Layout::default() }, &nodes).unwrap())
    }

    /// A key that this node and that one own.
    fn owned_with(view: &View, other: NodeId) -> KeyHash {
        let keys = (0..1000).map(|number| view.hash(format!("key-{number}").as_bytes()));
        let owns =
            |hash: &KeyHash, node| view.readers(*hash).iter().any(|owner| view.node(owner) == node);
        keys.into_iter().find(|hash| owns(hash, ME) && owns(hash, other)).unwrap()
    }

    fn s(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// A node whose others answer what it asks of them with this.
    fn asked(cluster: &Arc<Cluster>, promises: &mut Promises, at: Duration, answers: &[Answer]) {
        let ask = |_: &Cluster, node: NodeId, term_ms| {
            assert_eq!(u64::from(term_ms), TERM.as_millis() as u64);
            let waiting = Waiting::for_all(1);
            let number = OTHERS.iter().position(|&other| other == node).unwrap();
            waiting.answer(0, answers[number].clone());
            Arc::new(waiting)
        };
        cluster.promised.expect(&view(), ME, at);
        promises.step(&OTHERS, at, ask);
        promises.step(&OTHERS, at, ask);
    }

    fn begin() -> (Arc<Cluster>, Promises) {
        let cluster = Arc::new(Cluster::new(ME, WriteAck::Quorum, 1 << 16, 1));
        let promises = Promises::new(&cluster, TERM);
        (cluster, promises)
    }

    #[test]
    fn nobody_executes_by_himself_without_a_promise() {
        let ((cluster, mut promises), view) = (begin(), view());
        let keys = OTHERS.map(|other| owned_with(&view, other));
        let holds = |at| keys.map(|hash| cluster.promised.holds(&view, hash, ME, at));
        cluster.promised.expect(&view, ME, s(1.0));
        assert_eq!(holds(s(1.0)), [false, false]);
        asked(&cluster, &mut promises, s(1.0), &[Answer::Kept, Answer::Lost]);
        assert_eq!(holds(s(1.0)), [true, false]);
        assert_eq!(holds(s(4.9)), [true, false]);
        asked(&cluster, &mut promises, s(1.5), &[Answer::Kept, Answer::Kept]);
        assert_eq!(holds(s(5.4)), [true, true]);
        // It ends where the time is over for which it was asked.
        assert_eq!(holds(s(5.5)), [false, false]);
        // There is no way between the two, or this node would have heard.
        assert_eq!(holds(s(9.5)), [true, true]);
    }

    #[test]
    fn who_is_held_for_dead_hears_it_at_once() {
        let ((cluster, mut promises), view) = (begin(), view());
        let hash = owned_with(&view, OTHERS[0]);
        asked(&cluster, &mut promises, s(1.0), &[Answer::Kept, Answer::Kept]);
        assert!(cluster.promised.holds(&view, hash, ME, s(2.0)));
        asked(&cluster, &mut promises, s(2.0), &[Answer::Refused, Answer::Kept]);
        assert!(!cluster.promised.holds(&view, hash, ME, s(2.0)));
    }

    #[test]
    fn a_place_is_taken_when_the_promise_is_over() {
        let (_, mut promises) = begin();
        promises.give(OTHERS[0], TERM, s(1.0));
        promises.give(OTHERS[0], s(0.1), s(1.1));
        promises.lost(OTHERS[0], s(3.0));
        assert!(!promises.may_take_over(s(4.9)));
        assert!(promises.may_take_over(s(5.0)));
        // What this one was promised by others is not known.
        promises.lost(OTHERS[1], s(10.0));
        assert!(!promises.may_take_over(s(13.9)));
        assert!(promises.may_take_over(s(14.0)));
    }

    #[test]
    fn what_was_promised_to_a_process_that_ended_binds_nobody() {
        let (_, mut promises) = begin();
        promises.give(OTHERS[0], TERM, s(1.0));
        promises.returned(OTHERS[0]);
        assert!(promises.may_take_over(s(1.0)));
    }
}
