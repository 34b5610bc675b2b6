//! When requests are due that are sent at a fixed rate.
//!
//! The schedule does not wait for answers: a request that a slow server delays
//! is late from the moment it was due, and its latency says so.

use std::time::{Duration, Instant};

/// The schedule of one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    next: Instant,
    interval: Duration,
}

/// Shorter than this before a request is due, the thread stays awake: a sleep
/// ends at best to the millisecond.
const AWAKE: Duration = Duration::from_millis(2);

impl Pace {
    /// The schedule of one of so many connections, which take turns.
    pub(super) fn new(start: Instant, rate: u64, connection: usize, connections: usize) -> Self {
        let slot = 1.0 / rate as f64;
        Self {
            next: start + Duration::from_secs_f64(slot * connection as f64),
            interval: Duration::from_secs_f64(slot * connections as f64),
        }
    }

    /// When the next request is due, if it is, which it then no more is.
    pub(super) fn take(&mut self, now: Instant) -> Option<Instant> {
        let due = self.next;
        (due <= now).then(|| {
            self.next += self.interval;
            due
        })
    }

    /// Waits towards the next request, a while only: at low rates too the end of
    /// a run is to be noticed.
    pub(super) async fn wait(&self) {
        let left = self.next.saturating_duration_since(Instant::now());
        let asleep = left.saturating_sub(AWAKE);
        if !asleep.is_zero() {
            tokio::time::sleep(asleep.min(NAP)).await;
        } else if !left.is_zero() {
            tokio::task::yield_now().await;
        }
    }
}

/// The longest sleep.
const NAP: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedule_ignores_delays() {
        let start = Instant::now();
        let mut pace = Pace::new(start, 1000, 1, 2);
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(pace.take(at(0)), None);
        assert_eq!(pace.take(at(1)), Some(at(1)));
        assert_eq!(pace.take(at(2)), None);
        // After a pause all that were due are due still, from when they were.
        let late: Vec<_> = std::iter::from_fn(|| pace.take(at(8))).collect();
        assert_eq!(late, [at(3), at(5), at(7)]);
    }
}
