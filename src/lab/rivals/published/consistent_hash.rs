//! `consistent_hash`: a ring that lists the candidates of a key, best first. Even
//! the first one goes through the set of those already seen, which allocates.

use super::hasher::{Key, Seeded};
use super::member::{Member, members};
use crate::lab::placement::{Algorithm, Family, Placement, Setup};
use crate::lab::rivals::fit;
use consistent_hash::{Node, RingHash, StaticHashRing};
use std::hash::{BuildHasher, Hash};

pub(super) const ALGORITHM: Algorithm = Algorithm {
    name: "consistent_hash",
    origin: "consistent_hash 0.1.4",
    hash: "xxh3 (default SipHash-1-3)",
    family: Family::VnodeRing,
    weighted: true,
    replicated: true,
    bounded: false,
    build: |setup| Ok(Box::new(Ring(ring(setup)?))),
};

type StaticRing = StaticHashRing<'static, Member, (), Seeded>;

struct Ring(StaticRing);

impl RingHash for Seeded {
    fn hash_item<T: Hash>(&self, item: &T) -> u64 {
        self.hash_one(item)
    }
}

fn ring(setup: &Setup) -> Result<StaticRing, String> {
    let layout = &setup.layout;
    fit::points(setup, layout.vnodes)?;
    let nodes = members(setup)?
        .into_iter()
        .map(|(member, weight)| Node::new(member).quantity((layout.vnodes * weight) as usize));
    Ok(StaticHashRing::new(Seeded(layout.seed), nodes))
}

impl Placement for Ring {
    fn primary(&self, key: &[u8]) -> u16 {
        let mut candidates = self.0.calc_candidates(&Key(key));
        candidates.next().expect("the ring has points").key.index
    }

    fn owners(&self, key: &[u8], owners: &mut [u16]) -> usize {
        let candidates = self.0.calc_candidates(&Key(key));
        owners
            .iter_mut()
            .zip(candidates)
            .map(|(owner, candidate)| *owner = candidate.key.index)
            .count()
    }
}
