//! What becomes of a node's slots if it stops now.

use super::View;
use crate::ring::NodeId;

/// What becomes of a node's slots if it stops now, without handing anything over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parting {
    /// Slots that it owns.
    pub slots: u32,
    /// Those of them that no other node executes for, so that nobody answers.
    pub alone: u32,
    /// Those of them in which all who do may lack something.
    pub behind: u32,
}

impl Parting {
    /// Whether each slot has another owner that has all of it.
    #[must_use]
    pub fn is_covered(&self) -> bool {
        self.alone == 0 && self.behind == 0
    }
}

impl View {
    /// What becomes of the slots of a node that stops now. `has_all` says whether another node
    /// has all there is in a slot, as far as is known.
    #[must_use]
    pub fn parting(&self, me: NodeId, has_all: impl Fn(NodeId, u32) -> bool) -> Parting {
        let mut parting = Parting::default();
        let Some(me) = self.index_of(me) else { return parting };
        for (slot, owners) in (0..).zip(self.reading().slots()) {
            if !owners.contains(me) {
                continue;
            }
            parting.slots += 1;
            // Whoever only keeps copies has not caught up.
            let mut others =
                owners.iter().filter(|&owner| owner != me && self.executes(owner)).peekable();
            if others.peek().is_none() {
                parting.alone += 1;
            } else if !others.any(|owner| has_all(self.node(owner), slot)) {
                parting.behind += 1;
            }
        }
        parting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Able;
    use crate::ring::{Layout, Node, Ring};

    const ME: NodeId = NodeId(1);

    /// So many nodes that keep two copies each, of which these are able to do this.
    fn view(nodes: u64, able: impl Fn(NodeId) -> Able) -> View {
        let nodes: Vec<Node> = (1..=nodes).map(|id| Node::new(NodeId(id))).collect();
        let layout = Layout { copies: 2, slot_bits: 10, ..Layout::default() };
        View::settled(&Ring::new(&layout, &nodes).unwrap()).with_able(able)
    }

    fn all_able(_: NodeId) -> Able {
        Able::Executes
    }

    #[test]
    fn the_only_node_is_alone_with_all() {
        let parting = view(1, all_able).parting(ME, |_, _| true);
        assert_eq!(parting, Parting { slots: 1024, alone: 1024, behind: 0 });
        assert!(!parting.is_covered());
    }

    #[test]
    fn a_full_copy_covers_each_slot() {
        let parting = view(3, all_able).parting(ME, |_, _| true);
        assert!(parting.is_covered() && (600..760).contains(&parting.slots), "{parting:?}");
        let parting = view(3, all_able).parting(NodeId(9), |_, _| true);
        assert_eq!(parting, Parting::default(), "it owns nothing");
    }

    #[test]
    fn a_copy_that_catches_up_covers_nothing() {
        for able in [Able::Keeps, Able::Nothing] {
            let view = view(2, |node| if node == ME { Able::Executes } else { able });
            let parting = view.parting(ME, |_, _| true);
            assert_eq!(parting, Parting { slots: 1024, alone: 1024, behind: 0 }, "{able:?}");
        }
    }

    #[test]
    fn slots_that_are_marked_are_behind() {
        let parting = view(2, all_able).parting(ME, |node, slot| {
            assert_eq!(node, NodeId(2), "it is asked of others only");
            slot % 4 != 0
        });
        assert_eq!(parting, Parting { slots: 1024, alone: 0, behind: 256 });
    }
}
