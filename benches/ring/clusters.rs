//! The clusters whose keys are looked up.

use ringcached::ring::{Layout, Node, NodeId, Ring};
use std::fmt;

/// Not zero: for keys of more than 240 bytes the hash has a shortcut for that
/// seed, which no cluster should count on.
pub(crate) const SEED: u64 = 7;

/// What decides the size of a ring.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) nodes: usize,
    pub(crate) vnodes: u32,
    pub(crate) slot_bits: u8,
}

impl Size {
    /// With the virtual nodes that a cluster has by default.
    pub(crate) fn new(nodes: usize, slot_bits: u8) -> Self {
        Self { nodes, vnodes: Layout::default().vnodes, slot_bits }
    }

    /// Three copies, for `lookup/owners3`; other lookups do not depend on them.
    pub(crate) fn layout(self) -> Layout {
        let Self { vnodes, slot_bits, .. } = self;
        Layout { seed: SEED, vnodes, slot_bits, copies: 3, ..Layout::default() }
    }

    pub(crate) fn nodes(self) -> Vec<Node> {
        let name = |number| format!("node-{number}");
        (0..self.nodes).map(|number| Node::new(NodeId::from_name(&name(number)))).collect()
    }

    pub(crate) fn ring(self) -> Ring {
        Ring::new(&self.layout(), &self.nodes()).expect("within the limits")
    }

    /// The ring once one more node has joined.
    pub(crate) fn grown(self) -> Ring {
        Self { nodes: self.nodes + 1, ..self }.ring()
    }
}

/// Nodes, virtual nodes each, and slots as a power of two: `100x128/16bit`.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}/{}bit", self.nodes, self.vnodes, self.slot_bits)
    }
}
