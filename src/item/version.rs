//! The stamp of a write: a hybrid logical clock in one word.

use super::Now;

/// The stamp of a write: milliseconds since 1970, then a counter within the
/// millisecond, then a few bits of the node that wrote. Copies keep the greater
/// one; clients see it as the CAS token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

/// With 42 bits of milliseconds above them, versions stay under 2^63 until the
/// year 2109.
const COUNTER_BITS: u32 = 13;
const NODE_BITS: u32 = 8;

/// What one step of the counter adds.
const STEP: u64 = 1 << NODE_BITS;

impl Version {
    /// Before every write.
    pub const ZERO: Self = Self(0);

    /// The last version that a moment's clock gives by itself.
    #[must_use]
    pub fn end_of(now: Now) -> Self {
        Self(((now.unix_ms() + 1) << (COUNTER_BITS + NODE_BITS)) - 1)
    }

    /// The millisecond it was stamped in.
    #[must_use]
    pub fn unix_ms(self) -> u64 {
        self.0 >> (COUNTER_BITS + NODE_BITS)
    }
}

/// Stamps writes. Each stamp is greater than all before it and than all that
/// were observed, whatever the wall clock does; where more writes fall into a
/// millisecond than the counter holds, it runs ahead into the next.
#[derive(Clone, Debug)]
pub struct Clock {
    node: u64,
    last: u64,
}

impl Clock {
    /// A clock whose stamps carry the lowest bits of `node`.
    #[must_use]
    pub fn new(node: u64) -> Self {
        Self { node: node & (STEP - 1), last: 0 }
    }

    /// The stamp of a write that happens now.
    #[inline]
    pub fn stamp(&mut self, now: Now) -> Version {
        let wall = now.unix_ms() << (COUNTER_BITS + NODE_BITS) | self.node;
        // One step above the last, with this node's bits: also where the last
        // was another node's.
        let after = ((self.last & !(STEP - 1)) + STEP) | self.node;
        self.last = wall.max(after);
        Version(self.last)
    }

    /// Makes every later stamp greater than this one.
    pub fn observe(&mut self, version: Version) {
        self.last = self.last.max(version.0);
    }

    /// The greatest version stamped or observed.
    #[must_use]
    pub fn last(&self) -> Version {
        Version(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_rise_whatever_the_wall_clock_does() {
        let mut clock = Clock::new(7);
        let mut last = Version::ZERO;
        for unix_ms in [1000, 1000, 5, 1001, 0] {
            let version = clock.stamp(Now::from_unix_ms(unix_ms));
            assert!(version > last);
            assert_eq!(version.0 & 0xff, 7, "the node's bits");
            last = version;
        }
    }

    #[test]
    fn stamps_rise_above_what_was_observed() {
        let mut clock = Clock::new(1);
        let foreign = Version(Version::end_of(Now::from_unix_ms(1 << 41)).0);
        clock.observe(foreign);
        assert!(clock.stamp(Now::from_unix_ms(3)) > foreign);
    }

    #[test]
    fn a_full_millisecond_runs_ahead() {
        let mut clock = Clock::new(0);
        let now = Now::from_unix_ms(1);
        let stamps: Vec<Version> = (0..10_000).map(|_| clock.stamp(now)).collect();
        assert!(stamps.is_sorted_by(|a, b| a < b));
        assert_eq!(stamps[9999].unix_ms(), 2);
    }

    #[test]
    fn versions_stay_under_2_to_the_63() {
        let late = Now::from_unix_ms((1 << 42) - 1);
        assert!(Version::end_of(late).0 < 1 << 63);
    }
}
