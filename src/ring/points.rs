//! The virtual nodes: every node's points on the circle, sorted.

use super::Node;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bits of a point's word that say where it stands; the others say whose it is.
const POSITION_BITS: u32 = 48;

/// All points of a ring in clockwise order.
///
/// A point is one word: its position in the upper 48 bits, the index of its
/// node in the lower 16. So the sort moves half the bytes of a pair, the walk reads
/// one word a step, and two points on one position are told apart by their
/// nodes.
pub(super) struct Points(Vec<u64>);

impl Points {
    /// Hashes `vnodes` points for each unit of weight of every node.
    pub(super) fn new(seed: u64, vnodes: u32, nodes: &[Node]) -> Self {
        let count = nodes.iter().map(|node| (node.weight * vnodes) as usize).sum();
        let mut points = Vec::with_capacity(count);
        for (index, node) in nodes.iter().enumerate() {
            let owner = index as u64;
            points.extend(
                (0..node.weight * vnodes).map(|vnode| point(seed, node, vnode) & !0xffff | owner),
            );
        }
        points.sort_unstable();
        Self(points)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whose point stands at `place`, counted clockwise, and how far it is from
    /// `position` going clockwise.
    pub(super) fn at(&self, place: usize, position: u64) -> (u16, u64) {
        let point = self.0[place];
        let owner = (point & 0xffff) as u16;
        let distance = (point >> 16).wrapping_sub(position) & ((1 << POSITION_BITS) - 1);
        (owner, distance)
    }

    /// For every slot, the place of the first point at or after its start: one
    /// pass over both.
    pub(super) fn starts(&self, slot_bits: u8) -> Vec<u32> {
        let mut place = 0;
        (0..1_u32 << slot_bits)
            .map(|slot| {
                let position = slot_position(slot, slot_bits);
                while place < self.0.len() && self.0[place] >> 16 < position {
                    place += 1;
                }
                (place % self.0.len()) as u32
            })
            .collect()
    }
}

/// Where a slot's arc begins, on the scale of the points.
pub(super) fn slot_position(slot: u32, slot_bits: u8) -> u64 {
    u64::from(slot) << (POSITION_BITS - u32::from(slot_bits))
}

/// The hash of one virtual node: identity and index as twelve fixed bytes, so
/// that no two pairs are hashed alike.
fn point(seed: u64, node: &Node, vnode: u32) -> u64 {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&node.id.0.to_le_bytes());
    bytes[8..].copy_from_slice(&vnode.to_le_bytes());
    xxh3_64_with_seed(&bytes, seed)
}
