//! How long a lookup takes, beside the bare hash, in turn.

use super::keys::Keys;
use super::placement::Placement;
use crate::ring::KeyHash;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// One round: nanoseconds a key, each loop run right after the other, so that a
/// machine that slows down slows them alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    pub(super) hash: f64,
    pub(super) lookup: f64,
    pub(super) owners: f64,
    pub(super) latency: f64,
}

/// Times one placement, round after round.
pub(super) struct Stopwatch<'a> {
    placement: &'a dyn Placement,
    keys: Keys,
    seed: u64,
    copies: usize,
}

/// A loop that takes longer than this is run over fewer keys.
const LOOP_BUDGET: Duration = Duration::from_millis(20);

impl<'a> Stopwatch<'a> {
    pub(super) fn new(placement: &'a dyn Placement, keys: &Keys, seed: u64, copies: usize) -> Self {
        let keys = keys.first(affordable(placement, keys, LOOP_BUDGET));
        black_box(placement.look_up_all_owners(&keys, copies));
        Self { placement, keys, seed, copies }
    }

    pub(super) fn round(&self) -> Round {
        let Self { placement, keys, seed, copies } = self;
        Round {
            hash: nanoseconds(keys, |keys| hash_all(keys, *seed)),
            lookup: nanoseconds(keys, |keys| placement.look_up_all(keys)),
            owners: nanoseconds(keys, |keys| placement.look_up_all_owners(keys, *copies)),
            latency: nanoseconds(keys, |keys| placement.look_up_chained(keys)),
        }
    }
}

/// How many of the keys can be looked up in about this time.
pub(super) fn affordable(placement: &dyn Placement, keys: &Keys, budget: Duration) -> usize {
    let probe = keys.first(1000);
    let one = nanoseconds(&probe, |keys| placement.look_up_all(keys)).max(0.1);
    ((budget.as_nanos() as f64 / one) as usize).clamp(1000, keys.len().max(1000))
}

fn hash_all(keys: &Keys, seed: u64) -> u64 {
    let hash = |key| KeyHash::new(black_box(seed), black_box(key)).0;
    keys.iter().fold(0, |sum, key| sum.wrapping_add(hash(key)))
}

fn nanoseconds(keys: &Keys, run: impl FnOnce(&Keys) -> u64) -> f64 {
    let start = Instant::now();
    black_box(run(black_box(keys)));
    start.elapsed().as_nanos() as f64 / keys.len().max(1) as f64
}
