//! What gossip tells of the members.

use super::card::Card;
use crate::ring::NodeId;

/// One piece of news. What it says is ordered by itself, so news may come twice
/// or in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A card that was not known, or is newer than the one that was.
    Heard(Card),
    /// A node answers.
    Alive(Notice),
    /// A node did not answer, and may yet defend itself.
    Suspect(Notice),
    /// A node is held for dead, or has left. It comes back only under a greater
    /// generation.
    Down(Notice),
    /// The others hold this very node for dead: it goes on under a new
    /// generation, and its card is to be said again.
    Renewed {
        /// The new generation.
        generation: u64,
        /// How it was learnt.
        cause: Cause,
    },
}

/// How a node stands, and how that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which node.
    pub node: NodeId,
    /// In which generation.
    pub generation: u64,
    /// How often it has refuted a suspicion in this generation.
    pub incarnation: u16,
    /// How it is known.
    pub cause: Cause,
}

/// How something came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The node itself said so, or was heard.
    Itself,
    /// This node asked it, and had others ask it, and no answer came.
    NoAnswer,
    /// Another node said so.
    Told(NodeId),
    /// Another process goes by the same node's name.
    Namesake,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Itself => f.write_str("it said so"),
            Self::NoAnswer => f.write_str("it did not answer"),
            Self::Told(node) => write!(f, "node {node} said so"),
            Self::Namesake => f.write_str("another goes by its name"),
        }
    }
}
