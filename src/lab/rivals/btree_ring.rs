//! The same ring in a balanced tree, which is how most programs that roll
//! their own write it.

use super::walk::Zones;
use super::{ORIGIN, vec_ring};
use crate::lab::placement::{Algorithm, Family, Placement, Setup};
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub(super) const ALGORITHM: Algorithm = Algorithm {
    name: "btree-ring",
    origin: ORIGIN,
    hash: "xxh3",
    family: Family::VnodeRing,
    weighted: true,
    replicated: true,
    bounded: false,
    build: |setup| Ok(Box::new(BTreeRing::new(setup)?)),
};

struct BTreeRing {
    seed: u64,
    points: BTreeMap<u64, u16>,
    zones: Zones,
}

impl BTreeRing {
    fn new(setup: &Setup) -> Result<Self, String> {
        // Of points that coincide the first is the one that keys reach, but a
        // map keeps the last: so they come in backwards.
        let points = vec_ring::points(setup)?.into_iter().rev().collect();
        Ok(Self { seed: setup.layout.seed, points, zones: Zones::new(&setup.nodes) })
    }
}

impl Placement for BTreeRing {
    fn primary(&self, key: &[u8]) -> u16 {
        let position = xxh3_64_with_seed(key, self.seed);
        let point = self.points.range(position..).next().or_else(|| self.points.first_key_value());
        *point.expect("a ring has points").1
    }

    fn owners(&self, key: &[u8], owners: &mut [u16]) -> usize {
        let position = xxh3_64_with_seed(key, self.seed);
        let walk = self.points.range(position..).chain(self.points.range(..position));
        self.zones.owners(walk.map(|(_, &node)| node), owners)
    }
}
