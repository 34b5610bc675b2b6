//! Bad input gets an error that names it, and nothing is built.

use crate::clusters::{plain, ring};
use ringcached::limits::{NODES_MAX, WEIGHT_MAX};
use ringcached::ring::{Bound, Diff, Layout, Movement, Node, NodeId, Ring, RingError};

fn refusal(layout: Layout, nodes: &[Node]) -> RingError {
    Ring::new(&layout, nodes).expect_err("a cluster that cannot be")
}

#[test]
fn no_nodes_make_no_ring() {
    assert_eq!(refusal(Layout::default(), &[]), RingError::NoNodes);
}

#[test]
fn twins_are_named() {
    let nodes = [5, 3, 5].map(|id| Node::new(NodeId(id)));
    assert_eq!(refusal(Layout::default(), &nodes), RingError::DuplicateNode(NodeId(5)));
}

#[test]
fn absurd_weights_are_named() {
    for weight in [0, WEIGHT_MAX + 1, u32::MAX] {
        let mut nodes = plain(0..3);
        nodes[1].weight = weight;
        assert_eq!(refusal(Layout::default(), &nodes), RingError::Weight(NodeId(1), weight));
    }
}

#[test]
fn too_many_nodes_are_counted() {
    let nodes = plain(0..NODES_MAX as u64 + 1);
    let refused = refusal(Layout { vnodes: 1, ..Layout::default() }, &nodes);
    assert_eq!(refused, RingError::TooManyNodes(NODES_MAX + 1));
}

#[test]
fn too_many_points_are_counted() {
    let mut nodes = plain(0..80);
    for node in &mut nodes {
        node.weight = WEIGHT_MAX;
    }
    let refused = refusal(Layout::default(), &nodes);
    assert_eq!(refused, RingError::TooManyPoints(80 * 2048 * u64::from(WEIGHT_MAX)));
}

#[test]
fn layouts_out_of_range_are_named() {
    let layout = Layout::default();
    let refused = |layout| refusal(layout, &plain(0..3));
    assert_eq!(refused(Layout { copies: 0, ..layout }), RingError::Copies(0));
    assert_eq!(refused(Layout { copies: 5, ..layout }), RingError::Copies(5));
    assert_eq!(refused(Layout { vnodes: 0, ..layout }), RingError::Vnodes(0));
    assert_eq!(refused(Layout { vnodes: u32::MAX, ..layout }), RingError::Vnodes(u32::MAX));
    assert_eq!(refused(Layout { slot_bits: 7, ..layout }), RingError::SlotBits(7));
    assert_eq!(refused(Layout { slot_bits: 21, ..layout }), RingError::SlotBits(21));
    let bound = Bound::Permille(9001);
    assert_eq!(refused(Layout { bound, ..layout }), RingError::Bound(9001));
}

#[test]
fn strange_slots_are_not_compared() {
    let one = ring(&Layout::default(), &plain(0..3));
    for other in
        [Layout { seed: 1, ..Layout::default() }, Layout { slot_bits: 8, ..Layout::default() }]
    {
        let other = ring(&other, &plain(0..3));
        assert_eq!(Diff::new(&one, &other).unwrap_err(), RingError::OtherSlots);
        assert_eq!(Movement::new(&one, &other).unwrap_err(), RingError::OtherSlots);
    }
}

#[test]
fn lists_without_a_node_are_refused() {
    let ring = ring(&Layout::default(), &plain(0..3));
    let refused = |ids: &[u64]| {
        let ids: Vec<NodeId> = ids.iter().copied().map(NodeId).collect();
        ring.listed_among(&ids).expect_err("a list that cannot be")
    };
    assert_eq!(refused(&[0, 1]), RingError::MissingNode(NodeId(2)));
    assert_eq!(refused(&[0, 1, 1, 2]), RingError::DuplicateNode(NodeId(1)));
    assert_eq!(refused(&[2, 1, 0]), RingError::DuplicateNode(NodeId(1)));
}

#[test]
fn errors_read_as_sentences() {
    assert_eq!(RingError::NoNodes.to_string(), "a ring needs at least one node");
    let weight = RingError::Weight(NodeId(0xab), 0).to_string();
    assert_eq!(weight, "node 00000000000000ab has weight 0: it must be 1 to 1000");
    assert_eq!(RingError::Copies(9).to_string(), "9 copies: it must be 1 to 4");
}
