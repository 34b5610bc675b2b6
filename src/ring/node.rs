//! What the ring knows of a node: an identity, a zone and a weight.
//!
//! Names, addresses and liveness belong to the rooms above.

use xxhash_rust::xxh3::xxh3_64;

/// A node's identity on the ring, the same on every machine and after every
/// restart. Its numeric order is the order of the node list of a [`Ring`].
///
/// [`Ring`]: super::Ring
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

impl NodeId {
    /// The identity that belongs to a name. Unseeded, so that a node's identity
    /// can be written down before a cluster exists.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        Self(xxh3_64(name.as_bytes()))
    }
}

impl std::fmt::Display for NodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Where a node stands: nodes of one zone are expected to fail together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(pub u64);

impl ZoneId {
    /// The identity that belongs to a zone's name.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        Self(xxh3_64(name.as_bytes()))
    }
}

/// One member of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// Who it is.
    pub id: NodeId,
    /// Where it stands.
    pub zone: ZoneId,
    /// How much it carries, in units of the smallest node: 1 to
    /// [`WEIGHT_MAX`](crate::limits::WEIGHT_MAX).
    pub weight: u32,
}

impl Node {
    /// A node of weight 1 in the zone without a name.
    #[must_use]
    pub fn new(id: NodeId) -> Self {
        Self { id, zone: ZoneId::default(), weight: 1 }
    }
}
