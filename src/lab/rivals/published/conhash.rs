//! conhash: a ring in a tree whose points are byte strings, each in its own
//! allocation; a lookup allocates another for the key.

use super::member::{Member, members};
use crate::lab::placement::{Algorithm, Family, Placement, Setup};
use crate::lab::rivals::fit;
use conhash::{ConsistentHash, Node};
use xxhash_rust::xxh3::xxh3_64;

pub(super) const ALGORITHM: Algorithm = Algorithm {
    name: "conhash",
    origin: "conhash 0.5.1",
    hash: "xxh3 (default MD5)",
    family: Family::VnodeRing,
    weighted: true,
    replicated: false,
    bounded: false,
    build: |setup| Ok(Box::new(Ring(ring(setup)?))),
};

struct Ring(ConsistentHash<Member>);

impl Node for Member {
    fn name(&self) -> String {
        format!("{:016x}", self.name)
    }
}

fn ring(setup: &Setup) -> Result<ConsistentHash<Member>, String> {
    let vnodes = setup.layout.vnodes;
    fit::points(setup, vnodes)?;
    // The hash is a bare function and so has no seed; the names have it.
    let mut ring = ConsistentHash::with_hash(|bytes| xxh3_64(bytes).to_be_bytes().to_vec());
    for (member, weight) in members(setup)? {
        ring.add(&member, (vnodes * weight) as usize);
    }
    Ok(ring)
}

impl Placement for Ring {
    fn primary(&self, key: &[u8]) -> u16 {
        self.0.get(key).expect("the ring has points").index
    }
}
