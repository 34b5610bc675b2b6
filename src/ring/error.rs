//! Why a ring cannot be built or compared.

use super::NodeId;
use crate::limits::{
    BOUND_PERMILLE_MAX, COPIES_MAX, NODES_MAX, POINTS_MAX, SLOT_BITS_MAX, SLOT_BITS_MIN,
    VNODES_MAX, WEIGHT_MAX,
};
use std::fmt;

/// What was wrong with the input. Nothing was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingError {
    /// A ring of no nodes owns nothing.
    NoNodes,
    /// More nodes than an owner's 16 bits can tell apart.
    TooManyNodes(usize),
    /// Two nodes of one identity.
    DuplicateNode(NodeId),
    /// A weight of zero or out of all proportion.
    Weight(NodeId, u32),
    /// Weights times virtual nodes that would take gigabytes to sort.
    TooManyPoints(u64),
    /// Virtual nodes per unit of weight out of range.
    Vnodes(u32),
    /// A slot count out of range, as a power of two.
    SlotBits(u8),
    /// No copies at all, or more than a cell holds.
    Copies(u8),
    /// A bound that bounds nothing.
    Bound(u32),
    /// A list of nodes that lacks a node of the ring.
    MissingNode(NodeId),
    /// Two rings whose slots mean different keys.
    OtherSlots,
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNodes => write!(f, "a ring needs at least one node"),
            Self::TooManyNodes(nodes) => {
                write!(f, "{nodes} nodes: a ring holds at most {NODES_MAX}")
            }
            Self::DuplicateNode(id) => write!(f, "node {id} is listed twice"),
            Self::Weight(id, weight) => {
                write!(f, "node {id} has weight {weight}: it must be 1 to {WEIGHT_MAX}")
            }
            Self::TooManyPoints(points) => write!(
                f,
                "{points} virtual nodes in all: a ring holds at most {POINTS_MAX}; \
                 lower the weights or the virtual nodes per weight"
            ),
            Self::Vnodes(vnodes) => {
                write!(f, "{vnodes} virtual nodes per weight: it must be 1 to {VNODES_MAX}")
            }
            Self::SlotBits(bits) => {
                write!(f, "2^{bits} slots: it must be 2^{SLOT_BITS_MIN} to 2^{SLOT_BITS_MAX}")
            }
            Self::Copies(copies) => {
                write!(f, "{copies} copies: it must be 1 to {COPIES_MAX}")
            }
            Self::Bound(permille) => write!(
                f,
                "a bound of {permille} thousandths above the fair share: \
                 it must be 0 to {BOUND_PERMILLE_MAX}"
            ),
            Self::MissingNode(id) => write!(f, "node {id} is on the ring but not in the list"),
            Self::OtherSlots => {
                write!(f, "the rings differ in seed or slot count: their slots hold different keys")
            }
        }
    }
}

impl std::error::Error for RingError {}
