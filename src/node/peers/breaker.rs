//! Which nodes do not answer, so that reads are not sent to them for a while: another
//! owner is asked at once, and only now and then one read finds out whether they do.
//! Writes are for the view to decide, and go where they belong.

use crate::item::Now;
use crate::limits::{BREAKER_FAILURES, BREAKER_PAUSE_MS, BREAKER_SPAN_MS};
use crate::ring::NodeId;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is known against a node. A value; the time is passed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breaker {
    /// It did not answer so many in a row, since then.
    Closed { failures: u32, since: Now },
    /// It is not asked before then.
    Open { probe_at: Now },
}

impl Breaker {
    fn new(now: Now) -> Self {
        Self::Closed { failures: 0, since: now }
    }

    /// One more was not answered. Several at once are one moment at which this node, or
    /// that one, stood still.
    fn failed(self, now: Now) -> Self {
        match self {
            Self::Closed { failures, since } => {
                let failures = failures + 1;
                match failures >= BREAKER_FAILURES && now >= since.after_ms(BREAKER_SPAN_MS) {
                    true => Self::Open { probe_at: now.after_ms(BREAKER_PAUSE_MS) },
                    false => Self::Closed { failures, since },
                }
            }
            open @ Self::Open { .. } => open,
        }
    }

    /// What it is once somebody has wanted to ask, and whether he may.
    fn asked(self, now: Now) -> (Self, bool) {
        match self {
            Self::Closed { .. } => (self, true),
            Self::Open { probe_at } if now < probe_at => (self, false),
            Self::Open { .. } => (Self::Open { probe_at: now.after_ms(BREAKER_PAUSE_MS) }, true),
        }
    }

    fn is_open(self) -> bool {
        matches!(self, Self::Open { .. })
    }
}

/// Those of all nodes that did not answer lately.
#[derive(Debug, Default)]
pub(in crate::node) struct Breakers {
    failing: Mutex<BTreeMap<NodeId, Breaker>>,
    /// How many these are: most often none, which costs no lock.
    count: AtomicUsize,
    opened: AtomicU64,
    passed_by: AtomicU64,
}

impl Breakers {
    /// Whether a read may be sent to a node.
    pub(in crate::node) fn may_ask(&self, node: NodeId, now: Now) -> bool {
        let mut failing = self.failing();
        let Some(breaker) = failing.get_mut(&node) else { return true };
        let (next, may) = breaker.asked(now);
        *breaker = next;
        may
    }

    /// Whether any node did not answer lately.
    #[inline]
    pub(in crate::node) fn are_any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// A node did not answer in time. Whether it is not to be asked from now on.
    pub(super) fn failed(&self, node: NodeId, now: Now) -> bool {
        let mut failing = self.failing();
        let before = failing.get(&node).copied().unwrap_or_else(|| Breaker::new(now));
        let next = before.failed(now);
        failing.insert(node, next);
        self.count.store(failing.len(), Ordering::Relaxed);
        let opens = next.is_open() && !before.is_open();
        self.opened.fetch_add(u64::from(opens), Ordering::Relaxed);
        opens
    }

    /// A node answers, or nothing is known against it any more. Whether it was not
    /// asked before.
    #[inline]
    pub(super) fn clear(&self, node: NodeId) -> bool {
        self.are_any() && self.clear_known(node)
    }

    fn clear_known(&self, node: NodeId) -> bool {
        let mut failing = self.failing();
        let before = failing.remove(&node);
        self.count.store(failing.len(), Ordering::Relaxed);
        before.is_some_and(Breaker::is_open)
    }

    pub(in crate::node) fn is_open(&self, node: NodeId) -> bool {
        self.are_any() && self.failing().get(&node).is_some_and(|breaker| breaker.is_open())
    }

    /// A read went to another owner.
    pub(in crate::node) fn pass_by(&self) {
        self.passed_by.fetch_add(1, Ordering::Relaxed);
    }

    /// How often a node was not asked any more, and how many reads went past such nodes.
    pub(in crate::node) fn counts(&self) -> (u64, u64) {
        (self.opened.load(Ordering::Relaxed), self.passed_by.load(Ordering::Relaxed))
    }

    fn failing(&self) -> MutexGuard<'_, BTreeMap<NodeId, Breaker>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId(1);
    const OTHER: NodeId = NodeId(2);

    fn at(ms: u64) -> Now {
        Now::from_unix_ms(1_000_000 + ms)
    }

    /// It does not answer one after the other, and is not asked from this moment on.
    fn open(breakers: &Breakers) -> u64 {
        (0..100).map(|number| number * 25).find(|&ms| breakers.failed(NODE, at(ms))).unwrap()
    }

    #[test]
    fn it_opens_after_some_in_a_row() {
        let breakers = Breakers::default();
        assert!(breakers.may_ask(NODE, at(0)));
        let ms = open(&breakers);
        assert_eq!(ms, 25 * u64::from(BREAKER_FAILURES - 1));
        assert!(breakers.is_open(NODE) && !breakers.may_ask(NODE, at(ms)));
        assert!(!breakers.is_open(OTHER) && breakers.may_ask(OTHER, at(ms)));
        // It is told once.
        assert!(!breakers.failed(NODE, at(ms)));
        assert_eq!(breakers.counts(), (1, 0));
    }

    #[test]
    fn many_at_one_moment_do_not_open_it() {
        let breakers = Breakers::default();
        for _ in 0..100 {
            assert!(!breakers.failed(NODE, at(0)));
        }
        assert!(breakers.may_ask(NODE, at(0)));
        assert!(breakers.failed(NODE, at(BREAKER_SPAN_MS)));
    }

    #[test]
    fn an_answer_in_between_begins_anew() {
        let breakers = Breakers::default();
        for ms in 0..1000 {
            assert!(!breakers.failed(NODE, at(ms)));
            if ms % u64::from(BREAKER_FAILURES - 1) == 0 {
                assert!(!breakers.clear(NODE));
            }
        }
        assert!(breakers.may_ask(NODE, at(1000)));
    }

    #[test]
    fn one_now_and_then_finds_out() {
        let breakers = Breakers::default();
        let mut ms = open(&breakers);
        for _ in 0..3 {
            assert!(!breakers.may_ask(NODE, at(ms + BREAKER_PAUSE_MS - 1)));
            ms += BREAKER_PAUSE_MS;
            assert!(breakers.may_ask(NODE, at(ms)));
            assert!(!breakers.may_ask(NODE, at(ms)));
            assert!(!breakers.failed(NODE, at(ms + 25)));
        }
        assert!(breakers.clear(NODE) && !breakers.clear(NODE));
        assert!(breakers.may_ask(NODE, at(ms)) && breakers.may_ask(NODE, at(ms)));
        assert!(!breakers.failed(NODE, at(ms)) && !breakers.is_open(NODE));
    }
}
