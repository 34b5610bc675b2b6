//! The ring as textbooks have it: virtual nodes in a sorted list, found by
//! bisection. Also the points, which `btree_ring` shares.

use super::walk::Zones;
use super::{ORIGIN, fit};
use crate::lab::placement::{Algorithm, Family, Placement, Setup};
use crate::ring::Node;
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub(super) const ALGORITHM: Algorithm = Algorithm {
    name: "vec-ring",
    origin: ORIGIN,
    hash: "xxh3",
    family: Family::VnodeRing,
    weighted: true,
    replicated: true,
    bounded: false,
    build: |setup| Ok(Box::new(VecRing::new(setup)?)),
};

/// Positions that are counted, as a power of two.
const COUNTED_BITS: u32 = 19;

struct VecRing {
    seed: u64,
    points: Vec<(u64, u16)>,
    zones: Zones,
}

impl VecRing {
    fn new(setup: &Setup) -> Result<Self, String> {
        let points = points(setup)?;
        Ok(Self { seed: setup.layout.seed, points, zones: Zones::new(&setup.nodes) })
    }

    /// The place of the first point at or after a position, which is past the
    /// end when the position belongs to the first point of all.
    fn place(&self, position: u64) -> usize {
        self.points.partition_point(|&(point, _)| point < position)
    }
}

impl VecRing {
    fn owners_from(&self, position: u64, owners: &mut [u16]) -> usize {
        let (before, after) = self.points.split_at(self.place(position));
        self.zones.owners(after.iter().chain(before).map(|&(_, node)| node), owners)
    }
}

impl Placement for VecRing {
    fn primary(&self, key: &[u8]) -> u16 {
        let place = self.place(xxh3_64_with_seed(key, self.seed));
        self.points[if place == self.points.len() { 0 } else { place }].1
    }

    fn owners(&self, key: &[u8], owners: &mut [u16]) -> usize {
        self.owners_from(xxh3_64_with_seed(key, self.seed), owners)
    }

    /// It has no slots; positions this close together count its arcs almost to
    /// the letter, where random keys would blur them.
    fn slots(&self) -> Option<u32> {
        Some(1 << COUNTED_BITS)
    }

    fn slot_owners(&self, slot: u32, owners: &mut [u16]) -> usize {
        self.owners_from(u64::from(slot) << (64 - COUNTED_BITS), owners)
    }

    fn bytes(&self) -> Option<usize> {
        Some(size_of_val(&*self.points))
    }
}

/// The points of all nodes in clockwise order, each with the index of its node.
pub(super) fn points(setup: &Setup) -> Result<Vec<(u64, u16)>, String> {
    let layout = &setup.layout;
    fit::points(setup, layout.vnodes)?;
    let mut points = Vec::new();
    for (node, index) in setup.nodes.iter().zip(0_u16..) {
        let vnodes = 0..layout.vnodes * node.weight;
        points.extend(vnodes.map(|vnode| (point(layout.seed, node, vnode), index)));
    }
    // Points that coincide are told apart by identity: the order of the list
    // must not decide who owns a key.
    points.sort_unstable_by_key(|&(point, node)| (point, setup.nodes[usize::from(node)].id));
    Ok(points)
}

/// Where a virtual node stands: the hash of its node's identity and its number.
fn point(seed: u64, node: &Node, vnode: u32) -> u64 {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&node.id.0.to_le_bytes());
    bytes[8..].copy_from_slice(&vnode.to_le_bytes());
    xxh3_64_with_seed(&bytes, seed)
}
