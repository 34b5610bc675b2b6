//! Clusters to try the ring on.

use proptest::collection::btree_map;
use proptest::prelude::*;
use ringcached::ring::{Bound, Layout, Node, NodeId, Ring, ZoneId};

/// Nodes named by number, one zone, weight 1.
pub(crate) fn plain(ids: std::ops::Range<u64>) -> Vec<Node> {
    ids.map(|id| Node::new(NodeId(id))).collect()
}

/// Nodes named by number whose zones and weights follow two patterns.
pub(crate) fn patterned(count: u64, zones: &[u64], weights: &[u32]) -> Vec<Node> {
    let node = |id: u64| Node {
        id: NodeId(id),
        zone: ZoneId(zones[id as usize % zones.len()]),
        weight: weights[id as usize % weights.len()],
    };
    (0..count).map(node).collect()
}

pub(crate) fn ring(layout: &Layout, nodes: &[Node]) -> Ring {
    Ring::new(layout, nodes).expect("a cluster that can be")
}

/// The identities of a slot's owners, primary first.
pub(crate) fn owner_ids(ring: &Ring, slot: u32) -> Vec<NodeId> {
    ring.slot_owners(slot).iter().map(|owner| ring.node(owner).id).collect()
}

prop_compose! {
    /// Any layout whose ring is quick to build.
    pub(crate) fn layouts()(
        seed in any::<u64>(),
        slot_bits in 8_u8..=12,
        vnodes in 8_u32..=128,
        bound in prop_oneof![
            1 => Just(Bound::Unlimited),
            4 => (20_u32..=200).prop_map(Bound::Permille),
        ],
        copies in 1_u8..=4,
    ) -> Layout {
        Layout { seed, slot_bits, vnodes, bound, copies }
    }
}

/// Any cluster of 1 to 40 nodes in 1 to 5 zones, with weights up to 1 to 10.
pub(crate) fn nodes() -> impl Strategy<Value = Vec<Node>> {
    let weight = prop_oneof![3 => Just(1_u32), 1 => 1_u32..=10];
    (1_u64..=5).prop_flat_map(move |zones| {
        btree_map(any::<u64>(), (0..zones, weight.clone()), 1..40).prop_map(|nodes| {
            let node = |(id, (zone, weight))| Node { id: NodeId(id), zone: ZoneId(zone), weight };
            nodes.into_iter().map(node).collect()
        })
    })
}

prop_compose! {
    /// A cluster as one would build it: at least a dozen nodes of up to four
    /// sizes, in one zone or in more zones than a slot has copies.
    ///
    /// Where a node or a zone belongs into nearly every slot, the others have
    /// so little room that a slot may find none of them free; it is then given
    /// to the next one above its bound.
    pub(crate) fn fleets()(
        ids in proptest::collection::btree_set(any::<u64>(), 12..60),
        zones in prop_oneof![Just(1_u64), 6_u64..=9],
        weights in proptest::collection::vec(1_u32..=4, 1..8),
    ) -> Vec<Node> {
        let node = |(place, id): (usize, u64)| Node {
            id: NodeId(id),
            zone: ZoneId(place as u64 % zones),
            weight: weights[place % weights.len()],
        };
        ids.into_iter().enumerate().map(node).collect()
    }
}
