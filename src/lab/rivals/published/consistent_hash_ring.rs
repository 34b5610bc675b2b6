//! `consistent_hash_ring`: a ring that stays sorted while it is built, one
//! insertion after the other, each of which moves everything behind it. So its
//! build grows with the square of the points: a million of them take minutes,
//! so no more than [`POINTS_MAX`] are asked of it.
//! Its further owners are found by hashing the key again, not by walking on.

use super::hasher::{Key, Seeded};
use super::member::{Member, members};
use crate::lab::placement::{Algorithm, Family, Placement, Setup};
use crate::lab::rivals::fit;
use consistent_hash_ring::{Ring, RingBuilder};

pub(super) const ALGORITHM: Algorithm = Algorithm {
    name: "consistent_hash_ring",
    origin: "consistent_hash_ring 0.8.0",
    hash: "xxh3 (default FNV-1a)",
    family: Family::VnodeRing,
    weighted: true,
    replicated: true,
    bounded: false,
    build: |setup| Ok(Box::new(RehashRing(ring(setup)?))),
};

/// Points that are built in a second or two.
const POINTS_MAX: u64 = 150_000;

struct RehashRing(Ring<Member, Seeded>);

fn ring(setup: &Setup) -> Result<Ring<Member, Seeded>, String> {
    let layout = &setup.layout;
    fit::points(setup, layout.vnodes)?;
    let weight: u64 = setup.nodes.iter().map(|node| u64::from(node.weight)).sum();
    let points = weight * u64::from(layout.vnodes);
    if points > POINTS_MAX {
        return Err(format!("{points} points would take it minutes to build"));
    }
    let nodes = members(setup)?
        .into_iter()
        .map(|(member, weight)| (member, (layout.vnodes * weight) as usize));
    Ok(RingBuilder::new(Seeded(layout.seed)).weighted_nodes_iter(nodes).build())
}

impl Placement for RehashRing {
    fn primary(&self, key: &[u8]) -> u16 {
        self.0.get(Key(key)).index
    }

    fn owners(&self, key: &[u8], owners: &mut [u16]) -> usize {
        let candidates = self.0.replicas(Key(key));
        owners.iter_mut().zip(candidates).map(|(owner, candidate)| *owner = candidate.index).count()
    }
}
