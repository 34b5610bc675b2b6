//! How soon a node answers, as measured lately, and how long it is waited for.
//!
//! What counts is its quickest answer of the last seconds, which says how far away it
//! is: whoever has stood still, or has much to do, gives late answers, and is not to be
//! waited for any longer for that. Where nothing is answered nothing changes.

use crate::item::Now;
use crate::limits::HEDGE_MS;
use std::sync::atomic::{AtomicU64, Ordering};

/// What was measured so long ago counts no more, once there is something newer: a way
/// may have become longer. In it some answers come from everybody who is there.
const WINDOW_MS: u64 = 5000;

/// How soon one node answers.
#[derive(Debug)]
pub(super) struct Pace {
    /// Milliseconds: of the quickest answer of this window, and of the one before.
    least: AtomicU64,
    before: AtomicU64,
    /// That in which this window began.
    since: AtomicU64,
}

impl Pace {
    pub(super) fn unknown() -> Self {
        let none = || AtomicU64::new(u64::MAX);
        Self { least: none(), before: none(), since: AtomicU64::new(0) }
    }

    /// An answer took so long. Two that come at once may each count or not.
    pub(super) fn note(&self, took_ms: u64, now: Now) {
        let now_ms = now.unix_ms();
        if now_ms >= self.since.load(Ordering::Relaxed).saturating_add(WINDOW_MS) {
            self.since.store(now_ms, Ordering::Relaxed);
            let least_ms = self.least.swap(took_ms, Ordering::Relaxed);
            self.before.store(least_ms, Ordering::Relaxed);
        } else if took_ms < self.least.load(Ordering::Relaxed) {
            self.least.store(took_ms, Ordering::Relaxed);
        }
    }

    /// Who has not answered anything for so long is late: twice as long as an answer
    /// takes, and in no case very long.
    pub(super) fn patience_ms(&self) -> u64 {
        let least_ms = self.least.load(Ordering::Relaxed);
        match least_ms.min(self.before.load(Ordering::Relaxed)) {
            u64::MAX => *HEDGE_MS.start(),
            ms => ms.saturating_mul(2).clamp(*HEDGE_MS.start(), *HEDGE_MS.end()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Now {
        Now::from_unix_ms(1_000_000 + ms)
    }

    #[test]
    fn the_near_and_the_unknown_are_waited_for_as_little_as_can_be() {
        let pace = Pace::unknown();
        assert_eq!(pace.patience_ms(), 25);
        for (took_ms, patience_ms) in [(0, 25), (1, 25), (12, 25)] {
            pace.note(took_ms, at(0));
            assert_eq!(pace.patience_ms(), patience_ms);
        }
    }

    #[test]
    fn the_far_are_waited_for_twice_as_long_as_they_take_but_not_for_ever() {
        for (took_ms, patience_ms) in [(13, 26), (160, 320), (399, 798), (5000, 800)] {
            let pace = Pace::unknown();
            pace.note(took_ms, at(0));
            assert_eq!(pace.patience_ms(), patience_ms);
        }
    }

    #[test]
    fn late_answers_among_quick_ones_count_for_nothing() {
        let pace = Pace::unknown();
        for ms in 0..60_000 {
            // It stands still for three seconds, and answers all at once.
            let took_ms = if ms % 4000 < 3000 { 3000 - ms % 4000 } else { 2 };
            pace.note(took_ms, at(ms - ms % 4000 + 3999));
            assert!(ms < 4000 || pace.patience_ms() == 25, "at {ms}");
        }
    }

    #[test]
    fn who_answers_after_a_silence_is_taken_for_what_he_was() {
        let pace = Pace::unknown();
        pace.note(1, at(0));
        pace.note(4000, at(WINDOW_MS * 3));
        assert_eq!(pace.patience_ms(), 25);
    }

    #[test]
    fn a_way_that_becomes_longer_or_shorter_is_measured_anew() {
        let pace = Pace::unknown();
        let all =
            |from: u64, took_ms| (0..100).for_each(|n| pace.note(took_ms, at(from + n * 100)));
        all(0, 1);
        all(10_000, 160);
        pace.note(160, at(20_000));
        assert_eq!(pace.patience_ms(), 320);
        pace.note(1, at(20_001));
        assert_eq!(pace.patience_ms(), 25);
    }
}
