//! hashring: the most downloaded ring on crates.io. Virtual nodes are its
//! user's affair, as its documentation shows. Its replicas are the next virtual
//! nodes, mostly of a node already seen, and finding them copies the whole
//! ring; so it counts as knowing one owner.

use super::hasher::{Key, Seeded};
use super::member::{Vnode, members};
use crate::lab::placement::{Algorithm, Family, Placement, Setup};
use crate::lab::rivals::fit;
use hashring::HashRing;

pub(super) const ALGORITHM: Algorithm = Algorithm {
    name: "hashring",
    origin: "hashring 0.3.6",
    hash: "xxh3 (default SipHash-2-4)",
    family: Family::VnodeRing,
    weighted: true,
    replicated: false,
    bounded: false,
    build: |setup| Ok(Box::new(Ring(ring(setup)?))),
};

struct Ring(HashRing<Vnode, Seeded>);

fn ring(setup: &Setup) -> Result<HashRing<Vnode, Seeded>, String> {
    let layout = &setup.layout;
    fit::points(setup, layout.vnodes)?;
    let vnodes = members(setup)?.into_iter().flat_map(|(member, weight)| {
        (0..layout.vnodes * weight).map(move |number| Vnode { member, number })
    });
    let mut ring = HashRing::with_hasher(Seeded(layout.seed));
    ring.batch_add(vnodes.collect());
    Ok(ring)
}

impl Placement for Ring {
    fn primary(&self, key: &[u8]) -> u16 {
        self.0.get(&Key(key)).expect("the ring has points").member.index
    }
}
