//! What one node says of itself.

use crate::item::Version;
use crate::limits::{ADDRESS_BYTES_MAX, NODE_NAME_BYTES_MAX, WEIGHT_MAX, ZONE_NAME_BYTES_MAX};
use crate::ring::{Node, NodeId, ZoneId};
use std::fmt;
use std::net::SocketAddr;

/// What one node says of itself. Only that node changes it, and each change
/// raises the sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Who it is: the hash of its name.
    pub node: NodeId,
    /// What people call it.
    pub name: Box<str>,
    /// Greater with every start and with every return from being held for dead.
    pub generation: u64,
    /// Greater with every change within a generation.
    pub sequence: u64,
    /// Where clients reach it, as it is told to them: `host:port`.
    pub client: Box<str>,
    /// Where other nodes reach it by gossip; what a newcomer is told to join.
    pub peer: SocketAddr,
    /// At which port of the same address it takes their calls.
    pub calls: u16,
    /// Where operators reach it.
    pub admin: Option<SocketAddr>,
    /// Nodes of one zone fail together.
    pub zone: Box<str>,
    /// Its share of the keys, beside the weights of the others.
    pub weight: u32,
    /// How far it has come.
    pub phase: Phase,
    /// Everything written up to here is flushed.
    pub flush_floor: Version,
    /// Which program it is.
    pub build: Box<str>,
}

/// How far a node has come between its start and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It takes writes, and catches up.
    Joining,
    /// It is read from; the previous owners are written to as well.
    Warm,
    /// It is like all others.
    Serving,
    /// It hands over what it has.
    Leaving,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Joining => "joining",
            Self::Warm => "warm",
            Self::Serving => "serving",
            Self::Leaving => "leaving",
        })
    }
}

impl Card {
    /// Where it takes the calls of other nodes.
    #[must_use]
    pub fn call_address(&self) -> SocketAddr {
        SocketAddr::new(self.peer.ip(), self.calls)
    }

    /// The node as the ring knows it.
    #[must_use]
    pub fn ring_node(&self) -> Node {
        let weight = self.weight.clamp(1, WEIGHT_MAX);
        Node { id: self.node, zone: ZoneId::from_name(&self.zone), weight }
    }

    /// Whether this says something newer than `other`, of the same node.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        (self.generation, self.sequence) > (other.generation, other.sequence)
    }

    /// Whether all its texts are as short as they have to be.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.name.len() <= NODE_NAME_BYTES_MAX
            && self.zone.len() <= ZONE_NAME_BYTES_MAX
            && self.client.len() <= ADDRESS_BYTES_MAX
            && self.build.len() <= NODE_NAME_BYTES_MAX
    }
}
