//! What the tests of gossip are made of.

use crate::cluster::{Card, Phase};
use crate::item::Version;
use crate::ring::NodeId;
use std::net::{Ipv4Addr, SocketAddr};

/// Where the node of that number is.
pub(super) fn address(node: u64) -> SocketAddr {
    let [.., high, low] = node.to_be_bytes();
    (Ipv4Addr::new(10, 0, high, low), 7000).into()
}

/// The card of a node's first start.
pub(super) fn card(node: u64) -> Card {
    Card {
        node: NodeId(node),
        name: format!("node-{node}").into(),
        generation: 1,
        sequence: 0,
        client: address(node).to_string().into(),
        peer: address(node),
        calls: 1,
        admin: None,
        zone: "zone".into(),
        weight: 1,
        phase: Phase::Serving,
        flush_floor: Version::ZERO,
        build: "ringcached 0.1.0".into(),
    }
}
