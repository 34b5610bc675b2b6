//! How fast this node brings others what they lack: as fast as its clients do not notice, or
//! as it is told.

use super::throttle::Throttle;
use super::waited::{Counts, Waited};
use crate::limits::{
    MOVE_BYTES_PER_S_FIRST, MOVE_BYTES_PER_S_LEAST, MOVE_BYTES_PER_S_MOST, MOVE_LOOK_MS,
    MOVE_LOOK_MS_MAX, TURN_BYTES_HIGH,
};
use std::fmt;
use std::time::Duration;

/// How fast a node is to bring others what they lack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MoveLimit {
    /// As fast as clients do not notice.
    #[default]
    Auto,
    /// So many bytes a second.
    BytesPerS(u64),
    /// As fast as it can.
    None,
}

impl fmt::Display for MoveLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::BytesPerS(bytes) => bytes.fmt(f),
            Self::None => f.write_str("none"),
        }
    }
}

/// A look at how long clients wait says something from so many turns on.
const TURNS_LEAST: u64 = 20;

/// How long clients wait when nothing is moved is known from so many turns on.
const QUIET_TURNS_LEAST: u64 = 100;

/// Where it is not known, longer than this is long; and in no case less than the other one: so
/// long a turn may take by chance.
const SLOW_US: u64 = 5000;
const SLOW_US_LEAST: u64 = 250;

/// So long after the last move what clients wait says how it is without.
const QUIET: Duration = Duration::from_secs(40);

/// So long at the least speed, which nobody notices, what clients wait says how it is without.
const AT_LEAST: Duration = Duration::from_secs(10);

/// How fast this node brings others what they lack.
#[derive(Debug)]
pub(super) struct MoveRate {
    limit: MoveLimit,
    bytes_per_s: u64,
    throttle: Throttle,
    /// A turn that waits for longer is slow.
    slow_us: u64,
    looked_at: Duration,
    counts: Counts,
    /// Something was moved then.
    moved_at: Option<Duration>,
    /// It goes at the least speed since then, when the counts were these.
    at_least: Option<(Duration, Counts)>,
}

impl MoveRate {
    pub(super) fn new(limit: MoveLimit) -> Self {
        let bytes_per_s = match limit {
            MoveLimit::Auto => MOVE_BYTES_PER_S_FIRST,
            MoveLimit::BytesPerS(bytes) => bytes,
            MoveLimit::None => u64::MAX,
        };
        Self {
            limit,
            bytes_per_s,
            throttle: Throttle::new(bytes_per_s, burst(bytes_per_s)),
            slow_us: SLOW_US,
            looked_at: Duration::ZERO,
            counts: Counts::NONE,
            moved_at: None,
            at_least: None,
        }
    }

    /// Something is to be moved, and nothing was just before.
    pub(super) fn begin(&mut self, waited: &Waited, at: Duration) {
        if self.moved_at.is_none_or(|moved_at| at >= moved_at + QUIET) {
            self.slow_us = slow_us(&waited.lately()).unwrap_or(SLOW_US);
        }
        self.at_least = None;
        if self.limit == MoveLimit::Auto {
            self.set(MOVE_BYTES_PER_S_FIRST);
        }
        (self.looked_at, self.counts) = (at, waited.counts());
    }

    /// Something is being moved: looks how clients fare, now and then.
    pub(super) fn look(&mut self, waited: &Waited, at: Duration) {
        self.moved_at = Some(at);
        let looked_for = at.saturating_sub(self.looked_at);
        if self.limit != MoveLimit::Auto || looked_for < Duration::from_millis(MOVE_LOOK_MS) {
            return;
        }
        let counts = waited.counts();
        let since = counts.since(&self.counts);
        let (turns, slow) = (since.all(), since.longer_than(self.slow_us));
        if (1..TURNS_LEAST).contains(&turns) && looked_for < Duration::from_millis(MOVE_LOOK_MS_MAX)
        {
            return;
        }
        (self.looked_at, self.counts) = (at, counts);
        self.learn(waited, at, &counts);
        let bytes_per_s = self.bytes_per_s;
        self.set(match slow {
            // Nobody is there who could notice.
            0 if turns == 0 => bytes_per_s * 2,
            _ if slow * 100 <= turns => bytes_per_s / 8 * 9,
            // Of few one may be slow by chance.
            _ if slow * 40 <= turns || slow == 1 && turns <= 2 * TURNS_LEAST => bytes_per_s,
            _ => bytes_per_s / 2,
        });
    }

    /// What is usual changes in a long move: clients wait less than was known, or wait long
    /// though next to nothing is moved.
    fn learn(&mut self, waited: &Waited, at: Duration, counts: &Counts) {
        if let Some(lately) = slow_us(&waited.lately()).filter(|us| us * 2 < self.slow_us) {
            self.slow_us = lately;
        }
        match (&self.at_least, self.bytes_per_s) {
            (Some((since, before)), MOVE_BYTES_PER_S_LEAST) if at >= *since + AT_LEAST => {
                self.slow_us = slow_us(&counts.since(before)).unwrap_or(self.slow_us);
                self.at_least = Some((at, *counts));
            }
            (Some(_), MOVE_BYTES_PER_S_LEAST) => {}
            (None, MOVE_BYTES_PER_S_LEAST) => self.at_least = Some((at, *counts)),
            _ => self.at_least = None,
        }
    }

    fn set(&mut self, bytes_per_s: u64) {
        self.bytes_per_s = bytes_per_s.clamp(MOVE_BYTES_PER_S_LEAST, MOVE_BYTES_PER_S_MOST);
        self.throttle.set(self.bytes_per_s, burst(self.bytes_per_s));
    }

    /// How fast it may be now; none where nothing holds it back.
    pub(super) fn bytes_per_s(&self) -> Option<u64> {
        (self.limit != MoveLimit::None).then_some(self.bytes_per_s)
    }

    /// So much goes now.
    pub(super) fn take(&mut self, bytes: usize, at: Duration) {
        if self.limit != MoveLimit::None {
            self.throttle.take(bytes, at);
        }
    }

    /// How long to wait before more may go.
    pub(super) fn wait(&self, at: Duration) -> Duration {
        match self.limit {
            MoveLimit::None => Duration::ZERO,
            _ => self.throttle.wait(at),
        }
    }
}

/// What is long where turns usually wait for so long: half more than what one in a hundred waits.
/// Of few nobody knows.
fn slow_us(usual: &Counts) -> Option<u64> {
    (usual.all() >= QUIET_TURNS_LEAST).then(|| (usual.p99_us() * 3 / 2).max(SLOW_US_LEAST))
}

/// What may go at once after a rest: what a timer that is some milliseconds late makes up for.
fn burst(bytes_per_s: u64) -> u64 {
    (bytes_per_s / 200).clamp(16 << 10, 2 * TURN_BYTES_HIGH as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// So many turns wait for so long.
    fn note(waited: &Waited, turns: u64, took_us: u64) {
        (0..turns).for_each(|_| waited.note(Duration::from_micros(took_us), ms(1)));
    }

    /// A rate that knows that clients wait for 1 ms.
    fn begun(waited: &Waited) -> MoveRate {
        note(waited, 1000, 1000);
        let mut rate = MoveRate::new(MoveLimit::Auto);
        rate.begin(waited, ms(1000));
        rate
    }

    /// What the rate becomes when so many turns waited as always, and so many long.
    fn after(usual: u64, slow: u64) -> (u64, u64) {
        let waited = Waited::default();
        let mut rate = begun(&waited);
        let before = rate.bytes_per_s;
        note(&waited, usual, 1000);
        note(&waited, slow, 4000);
        rate.look(&waited, ms(1000 + MOVE_LOOK_MS));
        (before, rate.bytes_per_s)
    }

    #[test]
    fn it_grows_while_clients_do_not_notice_and_falls_when_they_do() {
        for (usual, slow) in [(0, 0), (20, 0), (1000, 0), (1000, 10)] {
            let (before, now) = after(usual, slow);
            assert!(now > before, "{usual} {slow}: {before} {now}");
        }
        for (usual, slow) in [(1000, 15), (30, 1)] {
            let (before, now) = after(usual, slow);
            assert_eq!(now, before, "{usual} {slow}");
        }
        for (usual, slow) in [(1000, 100), (20, 2), (0, 50)] {
            let (before, now) = after(usual, slow);
            assert!(now < before, "{usual} {slow}: {before} {now}");
        }
    }

    #[test]
    fn few_turns_are_waited_for_but_not_for_long() {
        let waited = Waited::default();
        let mut rate = begun(&waited);
        note(&waited, 3, 50_000);
        rate.look(&waited, ms(1000 + MOVE_LOOK_MS));
        assert_eq!(rate.bytes_per_s, MOVE_BYTES_PER_S_FIRST);
        rate.look(&waited, ms(1000 + MOVE_LOOK_MS_MAX));
        assert_eq!(rate.bytes_per_s, MOVE_BYTES_PER_S_FIRST / 2);
    }

    #[test]
    fn it_stays_within_its_bounds() {
        let waited = Waited::default();
        let mut rate = begun(&waited);
        let mut at = ms(1000);
        for (usual, slow, bound) in
            [(100, 0, MOVE_BYTES_PER_S_MOST), (0, 100, MOVE_BYTES_PER_S_LEAST)]
        {
            for _ in 0..60 {
                note(&waited, usual, 1000);
                note(&waited, slow, 4000);
                at += ms(MOVE_LOOK_MS);
                rate.look(&waited, at);
            }
            assert_eq!(rate.bytes_per_s(), Some(bound));
        }
    }

    #[test]
    fn what_clients_wait_for_while_something_is_moved_is_not_taken_for_usual() {
        let waited = Waited::default();
        let mut rate = begun(&waited);
        let slow_us = rate.slow_us;
        rate.look(&waited, ms(2000));
        note(&waited, 100_000, 50_000);
        rate.begin(&waited, ms(3000));
        assert_eq!(rate.slow_us, slow_us);
        rate.begin(&waited, ms(2000) + QUIET);
        assert!(rate.slow_us > 50_000);
    }

    #[test]
    fn what_is_usual_is_learned_anew_in_a_long_move() {
        let waited = Waited::default();
        let mut rate = begun(&waited);
        let mut at = ms(1000);
        let mut go_on = |rate: &mut MoveRate, took_us, rounds| {
            for _ in 0..rounds {
                (0..100).for_each(|_| waited.note(Duration::from_micros(took_us), at));
                at += ms(MOVE_LOOK_MS);
                rate.look(&waited, at);
            }
        };
        go_on(&mut rate, 8000, 30);
        assert_eq!(rate.bytes_per_s, MOVE_BYTES_PER_S_LEAST);
        // It is as slow at the least speed, so it is not for this.
        go_on(&mut rate, 8000, 200);
        assert!(rate.bytes_per_s > MOVE_BYTES_PER_S_FIRST, "{}", rate.bytes_per_s);
        // The day is over.
        go_on(&mut rate, 500, 400);
        assert!(rate.slow_us < 2000, "{}", rate.slow_us);
    }

    #[test]
    fn where_nothing_is_known_of_clients_what_is_long_is_said_beforehand() {
        let waited = Waited::default();
        let mut rate = MoveRate::new(MoveLimit::Auto);
        note(&waited, QUIET_TURNS_LEAST - 1, 100_000);
        rate.begin(&waited, ms(1));
        assert_eq!(rate.slow_us, SLOW_US);
        note(&waited, 100_000, 10);
        rate.begin(&waited, ms(2));
        assert_eq!(rate.slow_us, SLOW_US_LEAST);
    }

    #[test]
    fn what_is_told_stays_whatever_clients_meet() {
        let waited = Waited::default();
        for (limit, bytes_per_s) in
            [(MoveLimit::BytesPerS(1000), Some(1000)), (MoveLimit::None, None)]
        {
            let mut rate = MoveRate::new(limit);
            rate.begin(&waited, ms(1000));
            note(&waited, 1000, 100_000);
            rate.look(&waited, ms(9000));
            assert_eq!(rate.bytes_per_s(), bytes_per_s);
            rate.take(1 << 30, ms(9000));
            assert_eq!(rate.wait(ms(9000)).is_zero(), limit == MoveLimit::None);
        }
    }
}
