//! What was counted and timed.

use hdrhistogram::Histogram;
use std::time::Duration;

/// Latencies that are told apart: from a tenth of a microsecond to ten minutes,
/// to three digits.
const LATENCY_NS: (u64, u64) = (100, 600_000_000_000);

/// The counts of some connections.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Reading requests that were answered.
    pub gets: u64,
    /// Writing requests that were answered.
    pub sets: u64,
    /// Keys that were asked for.
    pub keys: u64,
    /// Keys that were found.
    pub hits: u64,
    /// Keys of a scan among those asked for.
    pub cold_keys: u64,
    /// Keys of a scan that were found.
    pub cold_hits: u64,
    /// Answers that were none to their request.
    pub errors: u64,
    /// The first of them.
    pub first_error: Option<String>,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Bytes of answers.
    pub received_bytes: u64,
    /// How long answers took, in nanoseconds.
    pub latency_ns: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        let (shortest, longest) = LATENCY_NS;
        Self {
            gets: 0,
            sets: 0,
            keys: 0,
            hits: 0,
            cold_keys: 0,
            cold_hits: 0,
            errors: 0,
            first_error: None,
            sent_bytes: 0,
            received_bytes: 0,
            latency_ns: Histogram::new_with_bounds(shortest, longest, 3)
                .expect("bounds that make sense"),
        }
    }
}

impl Tally {
    /// Requests that were answered, rightly or not.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.gets + self.sets
    }

    /// The part of the keys asked for that were found.
    #[must_use]
    pub fn hit_ratio(&self) -> Option<f64> {
        part(self.hits, self.keys)
    }

    /// The same without the keys of a scan, which no cache can have.
    #[must_use]
    pub fn warm_hit_ratio(&self) -> Option<f64> {
        part(self.hits - self.cold_hits, self.keys - self.cold_keys)
    }

    /// Counts how long an answer took.
    pub(super) fn took(&mut self, latency: Duration) {
        self.latency_ns.saturating_record(latency.as_nanos() as u64);
    }

    /// Counts a wrong answer; describes it only if it is the first.
    pub(super) fn mistake(&mut self, describe: impl FnOnce() -> String) {
        self.errors += 1;
        if self.first_error.is_none() {
            self.first_error = Some(describe());
        }
    }

    /// Adds the counts of other connections.
    pub(super) fn add(&mut self, other: Self) {
        self.gets += other.gets;
        self.sets += other.sets;
        self.keys += other.keys;
        self.hits += other.hits;
        self.cold_keys += other.cold_keys;
        self.cold_hits += other.cold_hits;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        self.sent_bytes += other.sent_bytes;
        self.received_bytes += other.received_bytes;
        self.latency_ns.add(&other.latency_ns).expect("equal bounds");
    }
}

fn part(some: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| some as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_add_up() {
        let mut sum = Tally::default();
        for number in 1..=2 {
            let mut tally = Tally { gets: 3, keys: 10, hits: 5, ..Tally::default() };
            (tally.cold_keys, tally.cold_hits) = (2, 1);
            tally.latency_ns.saturating_record(number * 1000);
            tally.mistake(|| format!("error {number}"));
            sum.add(tally);
        }
        assert_eq!((sum.operations(), sum.errors, sum.latency_ns.len()), (6, 2, 2));
        assert_eq!((sum.hit_ratio(), sum.warm_hit_ratio()), (Some(0.5), Some(0.5)));
        assert_eq!(sum.first_error.as_deref(), Some("error 1"));
        assert_eq!(Tally::default().hit_ratio(), None);
    }
}
