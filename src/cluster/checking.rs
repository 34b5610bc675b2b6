//! Whether a plan is right: all that has to hold of a change of owners, derived again from
//! the two rings alone. Only a plan that was found right can be carried out.

use super::Step;
use super::plan::{Brings, Plan};
use crate::ring::{Move, NodeId, Ring};
use std::collections::BTreeMap;
use std::fmt;

/// A plan that was found right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked(Plan);

/// What is wrong with a plan. Nothing of it is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The rings before and after mean other keys by a slot.
    OtherSlots,
    /// No such slots.
    NoSlots(u32, u32),
    /// Who is to bring it does not own it before the change.
    NotAnOwner(u32, NodeId),
    /// Who is to bring it is dead.
    DeadSource(u32, NodeId),
    /// Who is to get it does not own it after the change.
    WrongTarget(u32, NodeId),
    /// Who is to get it is dead.
    DeadTarget(u32, NodeId),
    /// Who is to get it has it.
    HasIt(u32, NodeId),
    /// It is brought twice by the same node.
    Twice {
        /// What.
        slot: u32,
        /// By whom.
        source: NodeId,
        /// To whom.
        target: NodeId,
    },
    /// Two bring it that both have all.
    TwoSources {
        /// What.
        slot: u32,
        /// By whom: one of them.
        source: NodeId,
        /// To whom.
        target: NodeId,
    },
    /// Nobody brings it.
    NotBrought {
        /// What.
        slot: u32,
        /// To whom.
        target: NodeId,
    },
    /// Who catches up does not bring what it has.
    Withheld {
        /// What.
        slot: u32,
        /// By whom.
        source: NodeId,
        /// To whom.
        target: NodeId,
    },
    /// Nobody who lives has it, and that is not said.
    Unsaid {
        /// What.
        slot: u32,
    },
    /// It is said that nobody who lives has it, and that is not so, or nobody gets it.
    NotLost {
        /// What.
        slot: u32,
    },
    /// Fewer nodes have all of it than before.
    FewerCopies {
        /// What.
        slot: u32,
        /// In which step.
        step: Step,
        /// So many have.
        copies: u32,
        /// So many should.
        least: u32,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::OtherSlots => write!(f, "the two rings have other slots"),
            Self::NoSlots(from, to) => write!(f, "there are no slots {from} to {to}"),
            Self::NotAnOwner(slot, node) => {
                write!(f, "{node} is to bring slot {slot}, which it does not own")
            }
            Self::DeadSource(slot, node) => {
                write!(f, "{node} is to bring slot {slot}, and is dead")
            }
            Self::WrongTarget(slot, node) => {
                write!(f, "{node} is to get slot {slot}, which it is not to own")
            }
            Self::DeadTarget(slot, node) => write!(f, "{node} is to get slot {slot}, and is dead"),
            Self::HasIt(slot, node) => write!(f, "{node} is to get slot {slot}, and has it"),
            Self::Twice { slot, source, target } => {
                write!(f, "{source} is to bring slot {slot} to {target} twice")
            }
            Self::TwoSources { slot, source, target } => {
                write!(
                    f,
                    "{source} is to bring slot {slot} to {target}, as another one that has all"
                )
            }
            Self::NotBrought { slot, target } => {
                write!(f, "nobody is to bring slot {slot} to {target}")
            }
            Self::Withheld { slot, source, target } => {
                write!(f, "{source} is not to bring what it has of slot {slot} to {target}")
            }
            Self::Unsaid { slot } => {
                write!(f, "nobody who lives has slot {slot}, and the plan does not say so")
            }
            Self::NotLost { slot } => write!(f, "slot {slot} is not lost, as the plan says"),
            Self::FewerCopies { slot, step, copies, least } => {
                write!(f, "in step {step} {copies} have slot {slot}, fewer than {least}")
            }
        }
    }
}

impl std::error::Error for Flaw {}

impl Checked {
    /// # Errors
    /// Names the first that is wrong.
    pub(super) fn new(
        plan: Plan,
        before: &Ring,
        after: &Ring,
        brings: impl Fn(NodeId) -> Brings,
    ) -> Result<Self, Flaw> {
        if !before.same_slots(after) {
            return Err(Flaw::OtherSlots);
        }
        let change =
            Change { before: Side::new(before, &brings), after: Side::new(after, &brings) };
        let brought = change.brought(&plan.moves)?;
        let is_lost = lost(&plan, before)?;
        for slot in 0..before.layout().slots() {
            change.check_slot(slot, &brought, is_lost[slot as usize])?;
            change.check_copies(slot, &brought)?;
        }
        Ok(Self(plan))
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.0
    }

    /// The plan, to be kept.
    #[must_use]
    pub fn into_plan(self) -> Plan {
        self.0
    }

    /// What a node is to bring, and to whom.
    #[must_use]
    pub fn to_bring(&self, me: NodeId) -> Vec<(NodeId, Vec<u32>)> {
        let mut to_bring = BTreeMap::<NodeId, Vec<u32>>::new();
        for it in self.0.moves.iter().filter(|it| it.source == me) {
            to_bring.entry(it.target).or_default().extend(it.slots.clone());
        }
        to_bring.into_iter().collect()
    }
}

/// Whether it is said of each slot that nobody who lives has it.
fn lost(plan: &Plan, ring: &Ring) -> Result<Vec<bool>, Flaw> {
    let slots = ring.layout().slots();
    let mut is_lost = vec![false; slots as usize];
    for run in &plan.lost {
        if run.is_empty() || run.end > slots {
            return Err(Flaw::NoSlots(run.start, run.end));
        }
        is_lost[run.start as usize..run.end as usize].fill(true);
    }
    Ok(is_lost)
}

/// One of the two rings, and what its nodes bring, by their indexes.
struct Side<'a> {
    ring: &'a Ring,
    brings: Vec<Brings>,
}

impl<'a> Side<'a> {
    fn new(ring: &'a Ring, brings: impl Fn(NodeId) -> Brings) -> Self {
        Self { ring, brings: ring.nodes().iter().map(|node| brings(node.id)).collect() }
    }

    /// The owners of a slot, and what they bring.
    fn owners(&self, slot: u32) -> impl Iterator<Item = (NodeId, Brings)> {
        let owners = self.ring.slot_owners(slot).iter();
        owners.map(|owner| (self.ring.node(owner).id, self.brings[usize::from(owner)]))
    }

    /// Which of the owners of a slot a node is.
    fn rank(&self, slot: u32, node: NodeId) -> Option<(usize, Brings)> {
        let mut owners = self.owners(slot).enumerate();
        owners.find(|(_, (owner, _))| *owner == node).map(|(rank, (_, brings))| (rank, brings))
    }
}

/// Which of the owners of a slot before the change bring it to which of those after it: a
/// bit for each, by their ranks.
struct Brought {
    copies: usize,
    by: Vec<u8>,
}

impl Brought {
    fn of(&mut self, slot: u32, rank: usize) -> &mut u8 {
        &mut self.by[slot as usize * self.copies + rank]
    }

    fn by(&self, slot: u32, rank: usize) -> u8 {
        self.by[slot as usize * self.copies + rank]
    }
}

struct Change<'a> {
    before: Side<'a>,
    after: Side<'a>,
}

impl Change<'_> {
    fn slots(&self) -> u32 {
        self.before.ring.layout().slots()
    }

    /// Every move is of a slot that its source has and its target lacks, and is there once.
    fn brought(&self, moves: &[Move]) -> Result<Brought, Flaw> {
        let copies = usize::from(self.after.ring.copies());
        let mut brought = Brought { copies, by: vec![0; self.slots() as usize * copies] };
        for it in moves {
            if it.slots.is_empty() || it.slots.end > self.slots() {
                return Err(Flaw::NoSlots(it.slots.start, it.slots.end));
            }
            for slot in it.slots.clone() {
                self.bring(slot, it.source, it.target, &mut brought)?;
            }
        }
        Ok(brought)
    }

    fn bring(
        &self,
        slot: u32,
        source: NodeId,
        target: NodeId,
        brought: &mut Brought,
    ) -> Result<(), Flaw> {
        let from = self.before.rank(slot, source).ok_or(Flaw::NotAnOwner(slot, source))?;
        let to = self.after.rank(slot, target).ok_or(Flaw::WrongTarget(slot, target))?;
        if !from.1.is_live() {
            return Err(Flaw::DeadSource(slot, source));
        }
        if !to.1.is_live() {
            return Err(Flaw::DeadTarget(slot, target));
        }
        if self.before.rank(slot, target).is_some() {
            return Err(Flaw::HasIt(slot, target));
        }
        let (by, bit) = (brought.of(slot, to.0), 1 << from.0);
        if *by & bit != 0 {
            return Err(Flaw::Twice { slot, source, target });
        }
        if from.1.is_whole() && *by & self.whole(slot) != 0 {
            return Err(Flaw::TwoSources { slot, source, target });
        }
        *by |= bit;
        Ok(())
    }

    /// The owners before that have all, as bits.
    fn whole(&self, slot: u32) -> u8 {
        self.ranks(slot, Brings::is_whole)
    }

    fn ranks(&self, slot: u32, is_it: impl Fn(Brings) -> bool) -> u8 {
        let owners = self.before.owners(slot).enumerate();
        owners.filter(|(_, (_, brings))| is_it(*brings)).fold(0, |bits, (rank, _)| bits | 1 << rank)
    }

    /// Whoever gets a slot is brought it by one of those that have all, and by all that
    /// catch up; or there is none of either, and that is said.
    fn check_slot(&self, slot: u32, brought: &Brought, is_lost: bool) -> Result<(), Flaw> {
        let (whole, some) = (self.whole(slot), self.ranks(slot, |it| it == Brings::Some));
        let mut is_needed = false;
        for (rank, (target, brings)) in self.after.owners(slot).enumerate() {
            if !brings.is_live() || self.before.rank(slot, target).is_some() {
                continue;
            }
            is_needed = true;
            let by = brought.by(slot, rank);
            if whole != 0 && by & whole == 0 {
                return Err(Flaw::NotBrought { slot, target });
            }
            if by & some != some {
                let missing = (some & !by).trailing_zeros() as usize;
                let source = self.before.owners(slot).nth(missing).map_or(target, |it| it.0);
                return Err(Flaw::Withheld { slot, source, target });
            }
        }
        match (is_needed && whole | some == 0, is_lost) {
            (true, false) => Err(Flaw::Unsaid { slot }),
            (false, true) => Err(Flaw::NotLost { slot }),
            _ => Ok(()),
        }
    }

    /// In no step do fewer nodes have all of a slot than before, as far as so many of those
    /// that own it after the change live.
    fn check_copies(&self, slot: u32, brought: &Brought) -> Result<(), Flaw> {
        let whole = self.whole(slot);
        let before = whole.count_ones();
        let gets = |rank: usize| brought.by(slot, rank) & whole != 0;
        let gained = self.after.owners(slot).enumerate().filter(|(rank, _)| gets(*rank)).count();
        // Who stays and catches up has caught up before anything is handed over.
        let stays = |&(node, brings): &(NodeId, Brings)| {
            brings.is_live() && self.before.rank(slot, node).is_some()
        };
        let stay = self.after.owners(slot).filter(stays).count();
        let live = self.after.owners(slot).filter(|(_, brings)| brings.is_live()).count();
        let (gained, after) = (gained as u32, (stay + gained) as u32);
        let steps = [
            // The old owners keep what they have until all is over.
            (Step::Write, before, before),
            (Step::Fill, before, before),
            (Step::HandOver, before + gained, before),
            (Step::Follow, before + gained, before),
            (Step::Settled, after, before.min(live as u32)),
        ];
        match steps.into_iter().find(|&(_, copies, least)| copies < least) {
            Some((step, copies, least)) => Err(Flaw::FewerCopies { slot, step, copies, least }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{Layout, Node};

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);
    const C: NodeId = NodeId(3);
    const DEAD: NodeId = NodeId(8);

    fn ring(ids: &[NodeId]) -> Ring {
        let layout = Layout { slot_bits: 10, vnodes: 64, ..Layout::default() };
        Ring::new(&layout, &ids.iter().copied().map(Node::new).collect::<Vec<_>>()).unwrap()
    }

    fn brings(node: NodeId) -> Brings {
        match node {
            DEAD => Brings::Nothing,
            B => Brings::Some,
            _ => Brings::All,
        }
    }

    struct Case {
        before: Ring,
        after: Ring,
        plan: Plan,
    }

    /// One more joins, beside one that is dead and one that catches up.
    fn case() -> Case {
        let (before, after) = (ring(&[A, B, DEAD, NodeId(9)]), ring(&[A, B, C, DEAD, NodeId(9)]));
        let plan = Plan::new(&before, &after, brings).unwrap();
        Case { before, after, plan }
    }

    impl Case {
        fn flaw(&self, damage: impl FnOnce(&mut Plan)) -> Flaw {
            let mut plan = self.plan.clone();
            damage(&mut plan);
            plan.check(&self.before, &self.after, brings).unwrap_err()
        }

        /// A move to the one that joins, by this one, and the slot it begins with.
        fn by(&self, source: NodeId) -> (usize, u32) {
            let mut moves = self.plan.moves.iter();
            let is_it = |it: &Move| {
                // Where only who catches up is left, something else is wrong.
                let whole = self.before.slot_owners(it.slots.start);
                let mut whole = whole.iter().map(|owner| self.before.node(owner).id);
                it.source == source && it.target == C && whole.any(|id| brings(id).is_whole())
            };
            let found = moves.position(is_it).unwrap();
            (found, self.plan.moves[found].slots.start)
        }
    }

    #[test]
    fn a_plan_is_carried_out_by_its_sources() {
        let case = case();
        let checked = case.plan.clone().check(&case.before, &case.after, brings).unwrap();
        let brought: u64 = [A, B, C, DEAD, NodeId(9)]
            .into_iter()
            .flat_map(|me| checked.to_bring(me))
            .map(|(_, slots)| slots.len() as u64)
            .sum();
        assert_eq!(brought, checked.plan().copies());
        assert!(brought > 100 && checked.to_bring(DEAD).is_empty());
    }

    #[test]
    fn each_damage_is_named() {
        let case = case();
        let ((whole, slot), target) = (case.by(A), C);
        let flaw = case.flaw(|plan| _ = plan.moves.remove(whole));
        assert_eq!(flaw, Flaw::NotBrought { slot, target });
        let flaw = case.flaw(|plan| plan.moves.push(plan.moves[whole].clone()));
        assert_eq!(flaw, Flaw::Twice { slot, source: A, target });
        let flaw = case.flaw(|plan| plan.moves[whole].source = C);
        assert_eq!(flaw, Flaw::NotAnOwner(slot, C));
        let flaw = case.flaw(|plan| plan.moves[whole].target = NodeId(77));
        assert_eq!(flaw, Flaw::WrongTarget(slot, NodeId(77)));
        let flaw = case.flaw(|plan| plan.moves[whole].slots.end = 5000);
        assert_eq!(flaw, Flaw::NoSlots(slot, 5000));
        let flaw = case.flaw(|plan| plan.lost.push(slot..slot + 1));
        assert_eq!(flaw, Flaw::NotLost { slot });
        let flaw = case.flaw(|plan| plan.lost.push(2000..2001));
        assert_eq!(flaw, Flaw::NoSlots(2000, 2001));
        let (lacks, slot) = case.by(B);
        let flaw = case.flaw(|plan| _ = plan.moves.remove(lacks));
        assert_eq!(flaw, Flaw::Withheld { slot, source: B, target });
    }

    /// The slots that this one and another one own, and what the second ring says.
    fn slot_of(case: &Case, before: &[NodeId], after: &[NodeId]) -> u32 {
        let owns = |ring: &Ring, slot: u32, ids: &[NodeId]| {
            let owners = ring.slot_owners(slot);
            ids.iter().all(|id| owners.iter().any(|owner| ring.node(owner).id == *id))
        };
        let mut slots = 0..case.before.layout().slots();
        slots
            .find(|&slot| owns(&case.before, slot, before) && owns(&case.after, slot, after))
            .unwrap()
    }

    #[test]
    fn the_dead_and_those_who_have_it_are_named() {
        let case = case();
        let add = |slot: u32, source, target| {
            case.flaw(|plan| plan.moves.push(Move { slots: slot..slot + 1, source, target }))
        };
        let slot = slot_of(&case, &[A, DEAD], &[C]);
        assert_eq!(add(slot, DEAD, C), Flaw::DeadSource(slot, DEAD));
        let slot = slot_of(&case, &[A, NodeId(9)], &[C]);
        let source = NodeId(9);
        let first = case.before.slot_owners(slot).primary();
        let source = if case.before.node(first).id == A { source } else { A };
        assert_eq!(add(slot, source, C), Flaw::TwoSources { slot, source, target: C });
        let slot = slot_of(&case, &[A, NodeId(9)], &[A]);
        assert_eq!(add(slot, NodeId(9), A), Flaw::HasIt(slot, A));
        let slot = slot_of(&case, &[A, DEAD], &[DEAD]);
        assert_eq!(add(slot, A, DEAD), Flaw::DeadTarget(slot, DEAD));
    }

    #[test]
    fn a_slot_that_nobody_has_is_to_be_said() {
        let (before, after) = (ring(&[DEAD, A]), ring(&[A, C]));
        let brings = |node| if node == C { Brings::Some } else { Brings::Nothing };
        let mut plan = Plan::new(&before, &after, brings).unwrap();
        assert!(plan.clone().check(&before, &after, brings).is_ok());
        assert_eq!(plan.lost, std::iter::once(0..1024).collect::<Vec<_>>());
        plan.lost.clear();
        assert_eq!(plan.check(&before, &after, brings), Err(Flaw::Unsaid { slot: 0 }));
    }

    /// Also if nobody looked who brings it.
    #[test]
    fn fewer_copies_are_found_by_counting() {
        let case = case();
        let change = Change {
            before: Side::new(&case.before, brings),
            after: Side::new(&case.after, brings),
        };
        let all = change.brought(&case.plan.moves).unwrap();
        let none = change.brought(&[]).unwrap();
        let slots = 0..case.before.layout().slots();
        assert!(slots.clone().all(|slot| change.check_copies(slot, &all).is_ok()));
        let slot = slot_of(&case, &[A, NodeId(9)], &[C]);
        let expected = Flaw::FewerCopies { slot, step: Step::Settled, copies: 1, least: 2 };
        assert_eq!(change.check_copies(slot, &none), Err(expected));
    }
}
