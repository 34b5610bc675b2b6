//! What a node works out before it goes by other rings.
//!
//! That takes milliseconds, and a tenth of a second with many slots: too long for whoever
//! keeps its promises and hears the others meanwhile. So it is a value that any thread can
//! work on.

use super::{Agreed, Flaw, Plan, Rings, Step};
use crate::ring::{Layout, NodeId, RingError};

/// What is to be worked out.
#[derive(Clone, Debug)]
pub struct Making {
    /// For whom.
    pub me: NodeId,
    /// What is fixed for all nodes.
    pub layout: Layout,
    /// What it goes by so far, or would if it were alone: some of it may be needed further on.
    pub known: Option<Agreed>,
    /// What it is to go by.
    pub rings: Rings,
    /// How a change of owners is planned.
    pub plan: fn(&Agreed) -> Result<Plan, Flaw>,
}

/// What came of it.
#[derive(Debug)]
pub struct Made {
    /// Of these rings.
    pub rings: Rings,
    /// With whom owns what.
    pub agreed: Result<Agreed, RingError>,
    /// What the node is to bring others where they are to be filled, and to whom. Only a plan that
    /// is right is carried out; who refuses it does not follow.
    pub to_bring: Result<Vec<(NodeId, Vec<u32>)>, Flaw>,
}

impl Making {
    /// Whether there is next to nothing to work out of these rings beside what is known.
    #[must_use]
    pub fn is_short(known: Option<&Agreed>, rings: &Rings) -> bool {
        let (read, written) = (rings.read(), rings.written());
        let is_alone = read.len() <= 1 && written.len() <= 1;
        let has_both = |known: &Agreed| known.has_ring_of(read) && known.has_ring_of(written);
        rings.step != Step::Fill && (is_alone || known.is_some_and(has_both))
    }

    /// Works it out.
    #[must_use]
    pub fn make(self) -> Made {
        let rings = self.rings.clone();
        let agreed = Agreed::after(self.known.as_ref(), &self.layout, self.rings);
        let to_bring = match &agreed {
            Ok(agreed) if rings.step == Step::Fill => {
                let checked = (self.plan)(agreed).and_then(|plan| agreed.check(plan));
                checked.map(|checked| checked.to_bring(self.me))
            }
            _ => Ok(Vec::new()),
        };
        Made { rings, agreed, to_bring }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Acting, Founded};
    use crate::ring::Node;

    const ME: NodeId = NodeId(1);

    fn nodes(ids: &[u64]) -> Box<[Node]> {
        ids.iter().map(|&id| Node::new(NodeId(id))).collect()
    }

    fn making(known: Option<Agreed>, step: Step, old: &[u64], new: &[u64]) -> Making {
        let acting =
            [1, 2, 3].map(|id| Acting { node: NodeId(id), generation: 1, is_whole: id < 3 });
        let rings = Rings::found(Founded { generation: 1, by: ME }, Vec::new());
        let (old, new) = (nodes(old), nodes(new));
        let rings = Rings { step, old, new, acting: acting.into(), ..rings };
        let layout = Layout { slot_bits: 8, ..Layout::default() };
        Making { me: ME, layout, known, rings, plan: Agreed::plan }
    }

    fn is_short(making: &Making) -> bool {
        Making::is_short(making.known.as_ref(), &making.rings)
    }

    #[test]
    fn only_new_rings_and_plans_take_long() {
        let of = |known: &Agreed, step, old: &[u64], new: &[u64]| {
            making(Some(known.clone()), step, old, new)
        };
        let settled = making(None, Step::Settled, &[1, 2], &[1, 2]);
        assert!(!is_short(&settled));
        let settled = settled.make().agreed.unwrap();
        assert!(is_short(&of(&settled, Step::Settled, &[1, 2], &[1, 2])));
        let write = of(&settled, Step::Write, &[1, 2], &[1, 2, 3]);
        assert!(!is_short(&write));
        let write = write.make().agreed.unwrap();
        assert!(!is_short(&of(&write, Step::Fill, &[1, 2], &[1, 2, 3])));
        for step in [Step::HandOver, Step::Follow] {
            assert!(is_short(&of(&write, step, &[1, 2], &[1, 2, 3])), "{step}");
        }
        assert!(is_short(&making(None, Step::Settled, &[1], &[1])));
        assert!(!is_short(&making(None, Step::Write, &[1], &[1, 2])));
    }

    #[test]
    fn what_is_to_be_brought_is_worked_out_where_others_are_to_be_filled() {
        for step in [Step::Settled, Step::Write, Step::Fill, Step::HandOver, Step::Follow] {
            let made = making(None, step, &[1, 2], &[1, 2, 3]).make();
            let (agreed, to_bring) = (made.agreed.unwrap(), made.to_bring.unwrap());
            assert_eq!(agreed.rings(), &made.rings);
            let targets: Vec<NodeId> = to_bring.iter().map(|&(target, _)| target).collect();
            let expected = if step == Step::Fill { vec![NodeId(3)] } else { Vec::new() };
            assert_eq!(targets, expected, "{step}");
        }
    }

    #[test]
    fn a_plan_that_is_not_right_is_refused() {
        let mut making = making(None, Step::Fill, &[1, 2], &[1, 2, 3]);
        making.plan = |_| Ok(Plan::default());
        let made = making.make();
        assert!(made.agreed.is_ok() && matches!(made.to_bring, Err(Flaw::NotBrought { .. })));
    }
}
