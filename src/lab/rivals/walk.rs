//! From one owner of a key to several: the walk along a ring that collects
//! distinct nodes, in distinct zones as long as there are zones left.

use crate::ring::{Node, ZoneId};
use std::collections::HashSet;

/// Where the nodes of a ring stand.
pub(super) struct Zones {
    of_node: Vec<ZoneId>,
    distinct: usize,
}

impl Zones {
    pub(super) fn new(nodes: &[Node]) -> Self {
        let of_node: Vec<_> = nodes.iter().map(|node| node.zone).collect();
        let distinct = of_node.iter().collect::<HashSet<_>>().len();
        Self { of_node, distinct }
    }

    fn of(&self, node: u16) -> ZoneId {
        self.of_node[usize::from(node)]
    }

    /// Writes the owners that `walk`, one turn of the ring, comes upon, and
    /// says how many: first one node of every zone, then any other node.
    pub(super) fn owners(
        &self,
        walk: impl Iterator<Item = u16> + Clone,
        owners: &mut [u16],
    ) -> usize {
        let wanted = owners.len().min(self.of_node.len());
        let spread = wanted.min(self.distinct);
        let in_new_zone =
            |node, chosen: &[u16]| chosen.iter().all(|&other| self.of(other) != self.of(node));
        let found = collect(walk.clone(), &mut owners[..spread], 0, in_new_zone);
        distinct(walk, &mut owners[..wanted], found)
    }
}

/// Goes on from the `found` owners that `owners` starts with to as many
/// distinct ones as it has room for, and says how many there are then.
pub(super) fn distinct(walk: impl Iterator<Item = u16>, owners: &mut [u16], found: usize) -> usize {
    collect(walk, owners, found, |node, chosen| !chosen.contains(&node))
}

fn collect(
    walk: impl Iterator<Item = u16>,
    owners: &mut [u16],
    mut found: usize,
    fits: impl Fn(u16, &[u16]) -> bool,
) -> usize {
    for node in walk {
        // Asked before the node is looked at: a full list ends the walk.
        if found == owners.len() {
            break;
        }
        if fits(node, &owners[..found]) {
            owners[found] = node;
            found += 1;
        }
    }
    found
}
