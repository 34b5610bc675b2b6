//! What happens to a cluster while its keys are watched.

use super::figure::Figure;
use super::placement::Setup;
use super::random::Random;
use crate::ring::{Node, NodeId};

/// One change of the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A node joins, like the first one in zone and weight.
    Add,
    /// A random node leaves; the last one takes its number.
    Remove,
    /// All nodes of a random zone leave.
    RemoveZone,
    /// The weight of a random node doubles.
    Resize,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Add, Self::Remove, Self::RemoveZone, Self::Resize];

    /// What `--scenario` calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::RemoveZone => "remove-zone",
            Self::Resize => "resize",
        }
    }

    /// What is counted of it: primaries moved, copies moved, and, where none
    /// should, keys misplaced.
    pub(super) fn figures(self) -> (Figure, Figure, Option<Figure>) {
        match self {
            Self::Add => (Figure::AddMoved, Figure::AddCopiesMoved, Some(Figure::AddMisplaced)),
            Self::Remove => {
                (Figure::RemoveMoved, Figure::RemoveCopiesMoved, Some(Figure::RemoveMisplaced))
            }
            Self::RemoveZone => (Figure::RemoveZoneMoved, Figure::RemoveZoneCopiesMoved, None),
            Self::Resize => (Figure::ResizeMoved, Figure::ResizeCopiesMoved, None),
        }
    }

    /// The setup after the change; `None` where it would leave no node.
    pub(super) fn apply(self, setup: &Setup, random: &mut Random) -> Option<Setup> {
        let mut nodes = setup.nodes.clone();
        let chosen = random.below(nodes.len());
        match self {
            Self::Add => nodes.push(Node { id: NodeId(random.word()), ..nodes[0] }),
            Self::Remove => drop(nodes.swap_remove(chosen)),
            Self::RemoveZone => nodes.retain(|node| node.zone != setup.nodes[chosen].zone),
            Self::Resize => nodes[chosen].weight *= 2,
        }
        (!nodes.is_empty()).then_some(Setup { nodes, layout: setup.layout })
    }
}
