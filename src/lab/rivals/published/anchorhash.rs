//! anchorhash: numbered buckets under a capacity that is fixed at birth. Keys
//! whose bucket is out of use are hashed again, so a lookup gets slower with
//! the part of the capacity that lies idle.

use super::hasher::{Key, Seeded};
use crate::lab::placement::{Algorithm, Family, Placement, Setup};
use crate::lab::rivals::fit;
use anchorhash::{AnchorHash, Builder};

pub(super) const ALGORITHM: Algorithm = Algorithm {
    name: "anchorhash",
    origin: "anchorhash 0.2.2",
    hash: "xxh3 (default SipHash-1-3), FNV-1a inside",
    family: Family::Numbered,
    weighted: false,
    replicated: false,
    bounded: false,
    build: |setup| Ok(Box::new(Anchor(anchor(setup)?))),
};

/// Capacities to choose from. Two clusters agree on a key only if their capacity
/// is the same, so they are far apart, and a cluster that outgrows one is seen
/// to move most of its keys. A lookup in the least cluster that takes the middle
/// one hashes three to four times.
const CAPACITIES: [u16; 3] = [1 << 8, 1 << 11, u16::MAX];

struct Anchor(AnchorHash<Key<'static>, u16, Seeded>);

fn anchor(setup: &Setup) -> Result<AnchorHash<Key<'static>, u16, Seeded>, String> {
    fit::unweighted(setup)?;
    let indices = setup.nodes.iter().zip(0_u16..).map(|(_, index)| index);
    let nodes = setup.nodes.len();
    // A quarter is left to grow into.
    let roomy = |capacity: &u16| nodes <= usize::from(*capacity) / 4 * 3;
    let capacity = CAPACITIES.into_iter().find(roomy).unwrap_or(u16::MAX);
    Ok(Builder::with_hasher(Seeded(setup.layout.seed)).with_resources(indices).build(capacity))
}

impl Placement for Anchor {
    fn primary(&self, key: &[u8]) -> u16 {
        *self.0.get_resource(Key(key)).expect("there are nodes")
    }
}
