//! mpchash: one point a node and 23 probes a key, of which the one closest to
//! a node wins. Both hashes of its double hashing are seeded alike, so that its
//! probes are nearly multiples of one number; of a thousand nodes some get next
//! to nothing. Its replicas start from another hash than its primary and need
//! not contain it; so it counts as knowing one owner.

use super::hasher::Key;
use super::member::{Member, members};
use crate::lab::placement::{Algorithm, Family, Placement, Setup};
use crate::lab::rivals::fit;
use mpchash::HashRing;

pub(super) const ALGORITHM: Algorithm = Algorithm {
    name: "mpchash",
    origin: "mpchash 2.0.10",
    hash: "xxh3",
    family: Family::MultiProbe,
    weighted: false,
    replicated: false,
    bounded: false,
    build: |setup| Ok(Box::new(MultiProbe(ring(setup)?))),
};

struct MultiProbe(HashRing<Member>);

fn ring(setup: &Setup) -> Result<HashRing<Member>, String> {
    fit::unweighted(setup)?;
    let ring = HashRing::new();
    for (member, _) in members(setup)? {
        ring.add(member);
    }
    Ok(ring)
}

impl Placement for MultiProbe {
    fn primary(&self, key: &[u8]) -> u16 {
        self.0.node(&Key(key)).expect("the ring has points").node().index
    }
}
