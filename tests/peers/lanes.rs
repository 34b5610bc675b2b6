//! Several links between two nodes.

use crate::node::{Birth, Node};
use ringcached::ring::NodeId;
use ringcached::wire::BULK_LANE;
use std::sync::Arc;

fn meet(ours: &Node, theirs: &Node, lanes: &[u16]) {
    for &lane in lanes {
        ours.peers.meet(NodeId(theirs.birth.id), lane, theirs.addr, theirs.birth.generation);
    }
}

fn lanes_at(node: &Node, wanted: &[u16]) {
    node.ear.until("not these lanes", |told| {
        let mut lanes: Vec<u16> = told.links.iter().map(|link| link.lane()).collect();
        lanes.sort_unstable();
        lanes == wanted
    });
}

/// As between a node with three workers and one with a single worker.
#[test]
fn lanes_are_links_of_their_own() {
    let one = Birth { lane: 1, ..Birth::of(1) }.start();
    let two = Birth { lane: 1, ..Birth::of(2) }.start();
    for (ours, theirs) in [(&one, &two), (&two, &one)] {
        meet(ours, theirs, &[1, 2, 3]);
    }
    lanes_at(&one, &[1, 2, 3]);
    lanes_at(&two, &[1, 2, 3]);
    // A later life of one ends them all, and forgetting ends what came since.
    let second = Arc::clone(&one.ear.told().links[1]);
    one.peers.outlive(NodeId(2), 2);
    one.ear.until("still linked", |told| told.links.is_empty());
    assert_eq!(second.why_ended(), Some("the node has started anew"));
    assert!(second.send(|_| panic!("it has ended")).is_err());
}

#[test]
fn a_forgotten_node_loses_all_lanes_and_no_other_does() {
    let (one, two, three) = (
        Birth { lane: 1, ..Birth::of(1) }.start(),
        Birth { lane: 1, ..Birth::of(2) }.start(),
        Birth { lane: 1, ..Birth::of(3) }.start(),
    );
    meet(&one, &two, &[1, 2]);
    meet(&one, &three, &[1]);
    one.ear.until("no links", |told| told.links.len() == 3);
    one.peers.forget(NodeId(2));
    one.ear.until("still linked", |told| told.links.len() == 1);
    assert_eq!(one.ear.told().links[0].node(), NodeId(3));
}

#[test]
fn who_is_linked_tells_where_its_lanes_are() {
    let one = Birth { lanes: &[1001, 1002], ..Birth::of(1) }.start();
    let two = Birth::of(2).start();
    one.meet(&two);
    let told: Vec<String> = two.link(&one).lanes().iter().map(ToString::to_string).collect();
    assert_eq!(told, ["127.0.0.1:1001", "127.0.0.1:1002"]);
    assert!(one.link(&two).lanes().is_empty());
}

/// What nodes say of the cluster has an order that another link would not keep.
#[test]
fn a_lane_takes_no_first_link() {
    let (one, two) = (Birth::of(1).start(), Birth { lane: 1, ..Birth::of(2) }.start());
    let (three, four) = (Birth::of(3).start(), Birth::of(4).start());
    meet(&one, &two, &[0]);
    meet(&three, &four, &[1]);
    for node in [&two, &four] {
        node.ear.until("not refused", |told| {
            told.refused.iter().any(|why| why.contains("it dialled another port"))
        });
        assert!(node.log().is_empty(), "{:?}", node.log());
    }
}

/// Whoever has something to bring dials, whichever has the smaller id.
#[test]
fn each_end_has_a_link_of_its_own_for_bulk() {
    let one = Birth { lane: BULK_LANE, ..Birth::of(1) }.start();
    let two = Birth { lane: BULK_LANE, ..Birth::of(2) }.start();
    meet(&two, &one, &[BULK_LANE]);
    lanes_at(&two, &[BULK_LANE]);
    lanes_at(&one, &[BULK_LANE - 1]);
    meet(&one, &two, &[BULK_LANE]);
    for node in [&one, &two] {
        lanes_at(node, &[BULK_LANE - 1, BULK_LANE]);
    }
    one.peers.part(NodeId(2), BULK_LANE);
    lanes_at(&one, &[BULK_LANE - 1]);
    lanes_at(&two, &[BULK_LANE]);
    two.peers.part(NodeId(1), BULK_LANE);
    for node in [&one, &two] {
        lanes_at(node, &[]);
    }
}

/// What is brought in bulk would hold up requests, and requests would wait behind it.
#[test]
fn bulk_has_a_port_of_its_own() {
    let (one, two) = (Birth::of(1).start(), Birth { lane: 1, ..Birth::of(2) }.start());
    let bulk = Birth { lane: BULK_LANE, ..Birth::of(3) }.start();
    let (four, five) = (Birth { lane: BULK_LANE, ..Birth::of(4) }.start(), Birth::of(5).start());
    meet(&four, &one, &[BULK_LANE]);
    meet(&four, &two, &[BULK_LANE]);
    meet(&one, &bulk, &[1]);
    meet(&one, &five, &[BULK_LANE]);
    for node in [&one, &two, &bulk, &five] {
        node.ear.until("not refused", |told| {
            told.refused.iter().any(|why| why.contains("it dialled another port"))
        });
        assert!(node.log().is_empty(), "{:?}", node.log());
    }
}

/// After a restart it may have fewer workers, and other ports.
#[test]
fn lanes_that_are_gone_are_given_up() {
    let one = Birth { lane: 1, ..Birth::of(1) }.start();
    let two = Birth { lane: 1, ..Birth::of(2) }.start();
    meet(&one, &two, &[1, 2, 3]);
    lanes_at(&one, &[1, 2, 3]);
    one.peers.forget_above(NodeId(2), 1);
    lanes_at(&one, &[1]);
    lanes_at(&two, &[1]);
}

#[test]
fn a_lane_that_moved_is_dialled_where_it_is() {
    let one = Birth { lane: 1, ..Birth::of(1) }.start();
    let (two, moved) = (Birth { lane: 1, ..Birth::of(2) }, Birth { lane: 1, ..Birth::of(2) });
    let (two, moved) = (two.start(), moved.start());
    meet(&one, &two, &[1]);
    // Who dialled has done so: until then it would dial anew by itself.
    lanes_at(&one, &[1]);
    lanes_at(&two, &[1]);
    meet(&one, &moved, &[1]);
    lanes_at(&two, &[]);
    lanes_at(&moved, &[1]);
    lanes_at(&one, &[1]);
}
