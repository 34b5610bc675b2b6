//! fliphash: no table either, and as fast for a thousand nodes as for ten.
//! Only the node numbered last can leave without moving other keys. It hashes
//! integers; the key is made one by xxh3.

use crate::lab::placement::{Algorithm, Family, Placement, Setup};
use crate::lab::rivals::fit;
use fliphash::fliphash_64;
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub(super) const ALGORITHM: Algorithm = Algorithm {
    name: "fliphash",
    origin: "fliphash 0.1.0",
    hash: "xxh3, its own mixer inside",
    family: Family::Numbered,
    weighted: false,
    replicated: false,
    bounded: false,
    build: |setup| Ok(Box::new(Flip::new(setup)?)),
};

struct Flip {
    seed: u64,
    last: u64,
}

impl Flip {
    fn new(setup: &Setup) -> Result<Self, String> {
        Ok(Self { seed: setup.layout.seed, last: u64::from(fit::numbered(setup)?) - 1 })
    }
}

impl Placement for Flip {
    #[allow(clippy::cast_possible_truncation, reason = "at most the last node's number")]
    fn primary(&self, key: &[u8]) -> u16 {
        fliphash_64(xxh3_64_with_seed(key, self.seed), ..=self.last) as u16
    }
}
