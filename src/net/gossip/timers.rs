//! What is to be done when.

use std::collections::BTreeMap;
use std::time::Duration;

/// What is to be done when, in the order it was planned where the time is equal.
#[derive(Debug)]
pub(super) struct Timers<T> {
    planned: BTreeMap<(Duration, u64), T>,
    count: u64,
}

impl<T> Timers<T> {
    pub(super) fn new() -> Self {
        Self { planned: BTreeMap::new(), count: 0 }
    }

    pub(super) fn plan(&mut self, at: Duration, what: T) {
        self.count += 1;
        self.planned.insert((at, self.count), what);
    }

    /// When there is next something to do.
    pub(super) fn next(&self) -> Option<Duration> {
        self.planned.keys().next().map(|&(at, _)| at)
    }

    /// What was to be done by `now`.
    pub(super) fn due(&mut self, now: Duration) -> Option<T> {
        let first = self.planned.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// Puts everything off: the clock has stood still for so long.
    pub(super) fn put_off(&mut self, by: Duration) {
        let planned = std::mem::take(&mut self.planned);
        self.planned =
            planned.into_iter().map(|((at, count), what)| ((at + by, count), what)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_due_comes_in_order() {
        let mut timers = Timers::new();
        timers.plan(3 * S, "late");
        timers.plan(S, "first");
        timers.plan(S, "second");
        assert_eq!(timers.next(), Some(S));
        assert_eq!([timers.due(2 * S), timers.due(2 * S)], [Some("first"), Some("second")]);
        assert_eq!(timers.due(2 * S), None);
    }

    #[test]
    fn a_clock_that_stood_still_puts_everything_off() {
        let mut timers = Timers::new();
        timers.plan(S, "first");
        timers.plan(2 * S, "second");
        timers.put_off(10 * S);
        assert_eq!((timers.due(10 * S), timers.due(11 * S)), (None, Some("first")));
        assert_eq!(timers.next(), Some(12 * S));
    }
}
