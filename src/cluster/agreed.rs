//! The rings that nodes have agreed on, made from who is on them.

use super::checking::{Checked, Flaw};
use super::plan::{Brings, Plan};
use super::rings::{Rings, Step};
use crate::ring::{Layout, Node, NodeId, Ring, RingError};

/// The rings that nodes have agreed on. Making a ring takes milliseconds, so it is made
/// once for each step.
#[derive(Clone, Debug)]
pub struct Agreed {
    rings: Rings,
    pub(super) read: Ring,
    /// Who is written to as well, while owners change.
    pub(super) written: Option<Ring>,
}

impl Agreed {
    /// # Errors
    /// Refuses nodes that make no ring.
    pub fn new(layout: &Layout, rings: Rings) -> Result<Self, RingError> {
        Self::after(None, layout, rings)
    }

    /// The same, with those of its rings that are known already.
    ///
    /// # Errors
    /// As [`Agreed::new`].
    pub fn after(known: Option<&Self>, layout: &Layout, rings: Rings) -> Result<Self, RingError> {
        let ring = |nodes: &[Node]| match known.and_then(|known| known.ring_of(nodes)) {
            Some(ring) => Ok(ring.clone()),
            None => Ring::new(layout, nodes),
        };
        let read = ring(rings.read())?;
        let written = (rings.step != Step::Settled).then(|| ring(rings.written()));
        let written = written.transpose()?;
        Ok(Self { rings, read, written })
    }

    /// The same, as another planner tells it.
    #[must_use]
    pub fn told_by(self, turn: u64, by: NodeId) -> Self {
        Self { rings: Rings { turn, by, ..self.rings }, ..self }
    }

    fn ring_of(&self, nodes: &[Node]) -> Option<&Ring> {
        let mut rings = std::iter::once(&self.read).chain(&self.written);
        rings.find(|ring| ring.nodes() == nodes)
    }

    /// Whether one of its rings is of these nodes.
    pub(super) fn has_ring_of(&self, nodes: &[Node]) -> bool {
        self.ring_of(nodes).is_some()
    }

    /// Who is on them, and how far the change has come.
    #[must_use]
    pub fn rings(&self) -> &Rings {
        &self.rings
    }

    /// Which ring is read: whoever was brought all that it owns by it has all.
    #[must_use]
    pub fn read_fingerprint(&self) -> u64 {
        self.read.fingerprint()
    }

    /// What this change makes necessary; nothing where nothing changes.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn plan(&self) -> Result<Plan, Flaw> {
        let (before, after) = self.change();
        Plan::new(before, after, |node| self.brings(node))
    }

    /// A plan of this change, if it is right.
    ///
    /// # Errors
    /// Names what is wrong with it.
    pub fn check(&self, plan: Plan) -> Result<Checked, Flaw> {
        let (before, after) = self.change();
        plan.check(before, after, |node| self.brings(node))
    }

    /// The rings before the change and after it.
    fn change(&self) -> (&Ring, &Ring) {
        match &self.written {
            None => (&self.read, &self.read),
            Some(written) if self.rings.step == Step::Follow => (written, &self.read),
            Some(written) => (&self.read, written),
        }
    }

    fn brings(&self, node: NodeId) -> Brings {
        match self.rings.acting(node) {
            None => Brings::Nothing,
            Some(acting) if acting.is_whole => Brings::All,
            Some(_) => Brings::Some,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Acting, Founded};

    fn nodes(ids: &[u64]) -> Box<[Node]> {
        ids.iter().map(|&id| Node::new(NodeId(id))).collect()
    }

    /// In a step from these nodes to those; one of them is dead and one catches up.
    fn at(step: Step) -> Agreed {
        let (old, new) = (nodes(&[1, 2, 3]), nodes(&[1, 2, 3, 4]));
        let acting =
            [1, 2, 4].map(|id| Acting { node: NodeId(id), generation: 1, is_whole: id == 1 });
        let rings = Rings::found(Founded { generation: 1, by: NodeId(1) }, Vec::new());
        let rings = Rings { step, old, new, acting: acting.into(), ..rings };
        let layout = Layout { slot_bits: 10, ..Layout::default() };
        Agreed::new(&layout, rings).unwrap()
    }

    #[test]
    fn the_plan_of_a_change_is_the_same_in_each_step() {
        let plan = at(Step::Fill).plan().unwrap();
        for step in [Step::Write, Step::HandOver, Step::Follow] {
            assert_eq!(at(step).plan().unwrap(), plan, "{step}");
        }
        assert!(plan.lost.is_empty(), "each slot of the dead one has another owner");
        assert!(plan.moves.iter().all(|it| it.target != NodeId(3) && it.source != NodeId(3)));
        assert!(plan.moves.iter().any(|it| it.target == NodeId(4)));
        let agreed = at(Step::Fill);
        let checked = agreed.check(plan).unwrap();
        assert_eq!(checked.to_bring(NodeId(2)).len(), 1);
        assert_eq!(checked.to_bring(NodeId(3)), []);
        assert!(agreed.check(Plan::default()).is_err());
    }

    #[test]
    fn where_nothing_changes_nothing_is_planned() {
        let rings = Rings::found(Founded { generation: 1, by: NodeId(1) }, nodes(&[1, 2]).into());
        let agreed = Agreed::new(&Layout::default(), rings).unwrap();
        assert_eq!(agreed.plan().unwrap(), Plan::default());
        assert!(agreed.check(Plan::default()).is_ok());
    }
}
