//! hrw-hash: highest random weight with weights, by floating-point logarithms.
//! Every lookup lists and sorts all nodes, also when it wants but one.

use super::hasher::{Key, Seeded};
use super::member::{Member, members};
use crate::lab::placement::{Algorithm, Family, Placement, Setup};
use hrw_hash::{HrwNode, HrwNodes};
use std::hash::{Hash, Hasher};

pub(super) const ALGORITHM: Algorithm = Algorithm {
    name: "hrw-hash",
    origin: "hrw-hash 2.0.3",
    hash: "xxh3 (default rapidhash)",
    family: Family::Rendezvous,
    weighted: true,
    replicated: true,
    bounded: false,
    build: |setup| Ok(Box::new(Hrw(nodes(setup)?))),
};

struct Hrw(HrwNodes<Weighted, Seeded>);

/// A node with its weight, which is not part of its name.
#[derive(PartialEq, Eq)]
struct Weighted {
    member: Member,
    weight: u32,
}

impl Hash for Weighted {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.member.hash(state);
    }
}

impl HrwNode for Weighted {
    fn capacity(&self) -> usize {
        self.weight as usize
    }
}

fn nodes(setup: &Setup) -> Result<HrwNodes<Weighted, Seeded>, String> {
    let nodes = members(setup)?.into_iter().map(|(member, weight)| Weighted { member, weight });
    Ok(HrwNodes::with_build_hasher(Seeded(setup.layout.seed), nodes))
}

impl Placement for Hrw {
    fn primary(&self, key: &[u8]) -> u16 {
        self.0.sorted(&Key(key)).next().expect("there are nodes").member.index
    }

    fn owners(&self, key: &[u8], owners: &mut [u16]) -> usize {
        let key = Key(key);
        let sorted = self.0.sorted(&key);
        owners.iter_mut().zip(sorted).map(|(owner, node)| *owner = node.member.index).count()
    }
}
