//! How long clients wait for other nodes, as counts of turns by their time: what is moved in
//! bulk is to make it no worse.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long turns have waited, since the start.
#[derive(Debug)]
pub(in crate::node) struct Waited {
    counts: [AtomicU32; CLASSES],
    /// What the counts were some seconds ago, and as many before that.
    marks: Mutex<[Counts; 2]>,
    period: AtomicU64,
}

/// Times of up to a second; four classes for each doubling.
const CLASSES: usize = 4 * 19 + 1;

const PERIOD_S: u64 = 16;

/// How many turns waited for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts([u32; CLASSES]);

impl Counts {
    pub(super) const NONE: Self = Self([0; CLASSES]);

    /// How many there are more than there were.
    pub(super) fn since(&self, before: &Self) -> Self {
        let mut counts = *self;
        for (count, before) in counts.0.iter_mut().zip(&before.0) {
            *count = count.wrapping_sub(*before);
        }
        counts
    }

    pub(super) fn all(&self) -> u64 {
        self.0.iter().copied().map(u64::from).sum()
    }

    /// How many certainly took longer than this.
    pub(super) fn longer_than(&self, us: u64) -> u64 {
        self.0.iter().skip(class_of(us) + 1).copied().map(u64::from).sum()
    }

    /// Of a hundred, 99 took no longer than so many microseconds.
    pub(super) fn p99_us(&self) -> u64 {
        let rest = self.all() / 100;
        let mut longer = 0;
        for (class, &count) in self.0.iter().enumerate().rev() {
            longer += u64::from(count);
            if longer > rest {
                return most_us(class);
            }
        }
        0
    }
}

fn class_of(us: u64) -> usize {
    let us = us.max(4);
    let doublings = us.ilog2();
    let quarter = us >> (doublings - 2) & 3;
    ((doublings as usize - 2) * 4 + quarter as usize).min(CLASSES - 1)
}

/// The longest time of a class, but for the last.
fn most_us(class: usize) -> u64 {
    let (doublings, quarter) = (class / 4 + 2, class as u64 % 4);
    ((5 + quarter) << (doublings - 2)) - 1
}

impl Default for Waited {
    fn default() -> Self {
        let counts = [const { AtomicU32::new(0) }; CLASSES];
        Self { counts, marks: Mutex::new([Counts::NONE; 2]), period: AtomicU64::new(0) }
    }
}

impl Waited {
    /// A turn has waited for so long, and goes on now.
    pub(in crate::node) fn note(&self, took: Duration, at: Duration) {
        let period = at.as_secs() / PERIOD_S;
        let before = self.period.load(Ordering::Relaxed);
        if period > before && self.period.swap(period, Ordering::Relaxed) != period {
            let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
            let there = self.counts();
            *marks = if period == before + 1 { [marks[1], there] } else { [there; 2] };
        }
        self.counts[class_of(took.as_micros() as u64)].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> Counts {
        Counts(std::array::from_fn(|class| self.counts[class].load(Ordering::Relaxed)))
    }

    /// Those of the last seconds in which there were any: of one period at least, and of two
    /// at most.
    pub(super) fn lately(&self) -> Counts {
        let marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        self.counts().since(&marks[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    fn s(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn each_time_is_in_a_class_that_is_a_quarter_wide_at_most() {
        for us in (0..10_000).chain((10_000..1_000_000).step_by(997)) {
            let class = class_of(us);
            let least = if class == 0 { 0 } else { most_us(class - 1) + 1 };
            assert!((least..=most_us(class)).contains(&us), "{us} in {class}");
            assert!(class == 0 || most_us(class) - least <= least / 4, "{us} in {class}");
        }
        assert_eq!(class_of(u64::MAX), CLASSES - 1);
    }

    #[test]
    fn one_in_a_hundred_may_take_longer() {
        let waited = Waited::default();
        (0..990).for_each(|_| waited.note(us(100), s(1)));
        (0..10).for_each(|_| waited.note(us(9000), s(1)));
        assert_eq!(waited.counts().p99_us(), most_us(class_of(100)));
        assert_eq!(waited.counts().longer_than(200), 10);
        assert_eq!(waited.counts().longer_than(9000), 0, "it may be no longer");
        waited.note(us(9000), s(1));
        assert_eq!(waited.counts().p99_us(), most_us(class_of(9000)));
        assert_eq!(Counts::NONE.p99_us(), 0);
    }

    #[test]
    fn what_is_long_ago_counts_no_more() {
        let waited = Waited::default();
        waited.note(us(100), s(0));
        assert_eq!(waited.lately().all(), 1);
        waited.note(us(100), s(PERIOD_S));
        waited.note(us(100), s(2 * PERIOD_S - 1));
        assert_eq!(waited.lately().all(), 3);
        waited.note(us(100), s(2 * PERIOD_S));
        assert_eq!(waited.lately().all(), 3);
        waited.note(us(100), s(9 * PERIOD_S));
        assert_eq!(waited.lately().all(), 1);
        assert_eq!(waited.counts().all(), 5);
    }
}
