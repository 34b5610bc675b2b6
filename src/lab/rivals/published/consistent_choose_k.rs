//! consistent-choose-k: GitHub's way to draw k distinct numbers at once, every
//! set of them equally likely. Only the node numbered last can leave without
//! moving other keys.

use super::hasher::Xxh3;
use crate::lab::placement::{Algorithm, Family, Placement, Setup};
use crate::lab::rivals::fit;
use consistent_choose_k::{ConsistentChooseKHasher, ConsistentHasher, ManySeqBuilder};

pub(super) const ALGORITHM: Algorithm = Algorithm {
    name: "consistent-choose-k",
    origin: "consistent-choose-k 0.1.2",
    hash: "xxh3",
    family: Family::Numbered,
    weighted: false,
    replicated: true,
    bounded: false,
    build: |setup| Ok(Box::new(ChooseK::new(setup)?)),
};

struct ChooseK {
    seed: u64,
    nodes: u16,
}

impl ChooseK {
    fn new(setup: &Setup) -> Result<Self, String> {
        Ok(Self { seed: setup.layout.seed, nodes: fit::numbered(setup)? })
    }
}

#[allow(clippy::cast_possible_truncation, reason = "a sample is less than the node count")]
impl Placement for ChooseK {
    /// The first sample by itself, without the list that several need.
    fn primary(&self, key: &[u8]) -> u16 {
        let first = Xxh3::of(key, self.seed).seq_builder(0);
        let sample = ConsistentHasher::new(first).into_prev(usize::from(self.nodes));
        sample.expect("there are nodes") as u16
    }

    fn owners(&self, key: &[u8], owners: &mut [u16]) -> usize {
        let key = Xxh3::of(key, self.seed);
        let samples = ConsistentChooseKHasher::new(key, usize::from(self.nodes));
        owners.iter_mut().zip(samples).map(|(owner, sample)| *owner = sample as u16).count()
    }
}
