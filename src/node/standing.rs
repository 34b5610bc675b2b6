//! Nodes for tests: nothing moves in them by itself, and their clock is set by hand.

use super::{Settings, Shared, SharedView, WriteAck};
use crate::cluster::View;
use crate::item::Now;
use crate::ring::{Layout, Node, NodeId, Ring};
use crate::store::{Store, StoreConfig};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(in crate::node) const START_MS: u64 = 1_800_000_000_000;

/// The first of these nodes: all of them are live, and keep every key.
pub(in crate::node) fn node_of(nodes: &[NodeId], clock_ms: &Arc<AtomicU64>) -> Arc<Shared> {
    let layout = Layout { copies: nodes.len() as u8, ..Layout::default() };
    let all: Vec<Node> = nodes.iter().copied().map(Node::new).collect();
    let ring = Ring::new(&layout, &all).unwrap();
    let config = StoreConfig {
        memory: 64 << 20,
        item_bytes_max: 1 << 20,
        seed: layout.seed,
        slot_bits: layout.slot_bits,
        node: 1,
        evicts: true,
    };
    let store = Store::new(&config, Now::from_unix_ms(START_MS));
    let view = SharedView::new(View::settled(&ring));
    let clock_ms = Arc::clone(clock_ms);
    let ticks = Box::new(move || Now::from_unix_ms(clock_ms.load(Ordering::Relaxed)));
    let shared = Shared::new(store, view, Settings::default(), ticks);
    Arc::new(shared.in_cluster(nodes[0], WriteAck::One))
}
