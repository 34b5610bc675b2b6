//! jumphash: no table at all, a key jumps from number to number. Only the node
//! numbered last can leave without moving other keys.

use super::hasher::{Key, Seeded, Xxh3};
use crate::lab::placement::{Algorithm, Family, Placement, Setup};
use crate::lab::rivals::fit;
use jumphash::CustomJumpHasher;
use std::hash::BuildHasher;

pub(super) const ALGORITHM: Algorithm = Algorithm {
    name: "jumphash",
    origin: "jumphash 0.1.9",
    hash: "xxh3 (default SipHash-1-3)",
    family: Family::Numbered,
    weighted: false,
    replicated: false,
    bounded: false,
    build: |setup| Ok(Box::new(Jump::new(setup)?)),
};

struct Jump {
    hasher: CustomJumpHasher<Xxh3>,
    nodes: u16,
}

impl Jump {
    fn new(setup: &Setup) -> Result<Self, String> {
        Ok(Self {
            hasher: CustomJumpHasher::new(Seeded(setup.layout.seed).build_hasher()),
            nodes: fit::numbered(setup)?,
        })
    }
}

impl Placement for Jump {
    #[allow(clippy::cast_possible_truncation, reason = "a slot is less than the node count")]
    fn primary(&self, key: &[u8]) -> u16 {
        self.hasher.slot(&Key(key), u32::from(self.nodes)) as u16
    }
}
