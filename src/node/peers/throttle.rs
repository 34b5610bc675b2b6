//! How fast something is done: so many bytes a second, and no more than a little at
//! once.

use std::time::Duration;

/// How fast something may be done. Is given the time.
#[derive(Debug)]
pub(super) struct Throttle {
    bytes_per_s: u64,
    /// Bytes that may go at once after a rest.
    burst: u64,
    /// Then all that was taken has had its time.
    even_at: Duration,
}

impl Throttle {
    pub(super) fn new(bytes_per_s: u64, burst: u64) -> Self {
        Self { bytes_per_s: bytes_per_s.max(1), burst, even_at: Duration::ZERO }
    }

    /// So it is from now on.
    pub(super) fn set(&mut self, bytes_per_s: u64, burst: u64) {
        (self.bytes_per_s, self.burst) = (bytes_per_s.max(1), burst);
    }

    /// So much goes now.
    pub(super) fn take(&mut self, bytes: usize, at: Duration) {
        self.even_at = self.even_at.max(at) + self.time_of(bytes as u64);
    }

    /// How long to wait before more may go.
    pub(super) fn wait(&self, at: Duration) -> Duration {
        self.even_at.saturating_sub(at + self.time_of(self.burst))
    }

    fn time_of(&self, bytes: u64) -> Duration {
        Duration::from_nanos(
            (u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_s)) as u64,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn as_much_goes_as_the_rate_says() {
        let mut throttle = Throttle::new(1_000_000, 10_000);
        let (mut at, mut gone) = (ms(5000), 0_u64);
        while at < ms(6000) {
            while throttle.wait(at).is_zero() {
                throttle.take(1000, at);
                gone += 1000;
            }
            at += throttle.wait(at).max(Duration::from_micros(1));
        }
        assert!((1_000_000..=1_012_000).contains(&gone), "{gone}");
    }

    #[test]
    fn a_rest_is_not_made_up_for() {
        let mut throttle = Throttle::new(1000, 100);
        throttle.take(100, ms(0));
        assert_eq!(throttle.wait(ms(0)), Duration::ZERO);
        throttle.take(100, ms(0));
        assert_eq!(throttle.wait(ms(0)), ms(100));
        // After a second nothing is left of it, and no more than one burst is free.
        let rested = ms(1200);
        throttle.take(200, rested);
        assert_eq!(throttle.wait(rested), ms(100));
    }

    #[test]
    fn what_is_larger_than_a_burst_goes_and_is_waited_for() {
        let mut throttle = Throttle::new(1000, 100);
        throttle.take(5100, ms(0));
        assert_eq!(throttle.wait(ms(0)), ms(5000));
        assert_eq!(throttle.wait(ms(4999)), ms(1));
        assert_eq!(throttle.wait(ms(5000)), Duration::ZERO);
    }
}
