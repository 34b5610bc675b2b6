//! What a change of owners makes necessary: who brings which slots to whom. Whether that
//! is right is for [`checking`](super::Checked) to say, which is told nothing of how it was
//! made.

use super::checking::{Checked, Flaw};
use crate::ring::{Move, NodeId, Ring};
use std::ops::Range;

/// What a node has to bring of the slots that it owns before a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brings {
    /// All: it lives and is whole.
    All,
    /// The same, and it is to go: it brings only what no other one has all of.
    AllAtNeed,
    /// It lives and catches up: what it has may be what nobody else has.
    Some,
    /// It is dead: it brings nothing, and is brought nothing.
    Nothing,
}

impl Brings {
    /// Whether it has all.
    #[must_use]
    pub fn is_whole(self) -> bool {
        matches!(self, Self::All | Self::AllAtNeed)
    }

    /// Whether it lives.
    #[must_use]
    pub fn is_live(self) -> bool {
        self != Self::Nothing
    }
}

/// The moves of a change of owners.
///
/// Each slot that somebody gets is brought by one of its owners, the first that is whole;
/// and by those that catch up, which may have what nobody else has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// By source, target and slot, in maximal runs.
    pub moves: Vec<Move>,
    /// Slots that somebody gets and nobody who lives has, ascending, in maximal runs.
    pub lost: Vec<Range<u32>>,
}

impl Plan {
    /// From the owners by one ring to those by another one, where each node brings this.
    ///
    /// # Errors
    /// Refuses rings that differ in seed or slot count.
    pub fn new(
        before: &Ring,
        after: &Ring,
        brings: impl Fn(NodeId) -> Brings,
    ) -> Result<Self, Flaw> {
        if !before.same_slots(after) {
            return Err(Flaw::OtherSlots);
        }
        let all = |ring: &Ring| -> Vec<Brings> {
            ring.nodes().iter().map(|node| brings(node.id)).collect()
        };
        let (sources, targets) = (all(before), all(after));
        // Where each node of the ring after stands on the one before.
        let places = after.nodes().iter().map(|node| before.index_of(node.id));
        let places: Vec<Option<u16>> = places.collect();
        let (mut pieces, mut lost) = (Vec::new(), Vec::new());
        for (slot, (now, to_be)) in (0..).zip(before.slots().zip(after.slots())) {
            let gains = |&target: &u16| {
                let place = places[usize::from(target)];
                targets[usize::from(target)].is_live()
                    && !place.is_some_and(|place| now.contains(place))
            };
            let gaining = to_be.iter().filter(gains);
            if gaining.clone().next().is_none() {
                continue;
            }
            let first = |what: Brings| now.iter().find(|&it| sources[usize::from(it)] == what);
            let whole = first(Brings::All).or_else(|| first(Brings::AllAtNeed));
            let brings = |it: &u16| whole == Some(*it) || sources[usize::from(*it)] == Brings::Some;
            let bringing = now.iter().filter(brings);
            if bringing.clone().next().is_none() {
                lost.push(slot);
            }
            for target in gaining {
                pieces.extend(bringing.clone().map(|source| (source, target, slot)));
            }
        }
        Ok(Self { moves: moves(before, after, pieces), lost: runs(lost) })
    }

    /// The plan, if it is right.
    ///
    /// # Errors
    /// Names the first that is not.
    pub fn check(
        self,
        before: &Ring,
        after: &Ring,
        brings: impl Fn(NodeId) -> Brings,
    ) -> Result<Checked, Flaw> {
        Checked::new(self, before, after, brings)
    }

    /// Copies that are brought, counted in slots.
    #[must_use]
    pub fn copies(&self) -> u64 {
        self.moves.iter().map(|it| it.slots.len() as u64).sum()
    }
}

fn moves(before: &Ring, after: &Ring, mut pieces: Vec<(u16, u16, u32)>) -> Vec<Move> {
    // The nodes of a ring stand in the order of their ids.
    pieces.sort_unstable();
    let pairs = pieces.chunk_by(|one, next| (one.0, one.1) == (next.0, next.1));
    let of_pair = |pieces: &[(u16, u16, u32)]| -> Vec<Move> {
        let (source, target) = (before.node(pieces[0].0).id, after.node(pieces[0].1).id);
        let slots = pieces.iter().map(|piece| piece.2).collect();
        runs(slots).into_iter().map(|slots| Move { slots, source, target }).collect()
    };
    pairs.flat_map(of_pair).collect()
}

/// Slots that ascend, in maximal runs.
fn runs(slots: Vec<u32>) -> Vec<Range<u32>> {
    let mut runs: Vec<Range<u32>> = Vec::new();
    for slot in slots {
        match runs.last_mut() {
            Some(last) if last.end == slot => last.end += 1,
            _ => runs.push(slot..slot + 1),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{Layout, Node};
    use std::collections::{BTreeMap, BTreeSet};

    const SLOT_BITS: u8 = 10;

    fn ring(copies: u8, nodes: impl IntoIterator<Item = Node>) -> Ring {
        let layout = Layout { slot_bits: SLOT_BITS, copies, vnodes: 64, ..Layout::default() };
        Ring::new(&layout, &nodes.into_iter().collect::<Vec<_>>()).unwrap()
    }

    fn plain(ids: &[u64]) -> Ring {
        ring(2, ids.iter().map(|&id| Node::new(NodeId(id))))
    }

    /// What all bring, where these lack something and those are dead.
    fn brings(lacking: &[u64], dead: &[u64]) -> impl Fn(NodeId) -> Brings {
        let (lacking, dead) = (lacking.to_vec(), dead.to_vec());
        move |NodeId(id)| match id {
            id if dead.contains(&id) => Brings::Nothing,
            id if lacking.contains(&id) => Brings::Some,
            _ => Brings::All,
        }
    }

    /// Who brings each slot to whom.
    fn brought(plan: &Plan) -> BTreeMap<(u64, u32), Vec<u64>> {
        let mut brought = BTreeMap::<_, Vec<u64>>::new();
        for Move { slots, source, target } in &plan.moves {
            for slot in slots.clone() {
                brought.entry((target.0, slot)).or_default().push(source.0);
            }
        }
        brought
    }

    fn owners(ring: &Ring, slot: u32) -> Vec<u64> {
        ring.slot_owners(slot).iter().map(|owner| ring.node(owner).id.0).collect()
    }

    #[test]
    fn whoever_gets_a_slot_is_brought_it_by_one_that_has_all() {
        let (before, after) = (plain(&[1, 2, 3]), plain(&[1, 2, 3, 4]));
        let brought = brought(&Plan::new(&before, &after, brings(&[2, 4], &[])).unwrap());
        let mut gained = BTreeSet::new();
        for slot in 0..1 << SLOT_BITS {
            let (old, new) = (owners(&before, slot), owners(&after, slot));
            for to in new.into_iter().filter(|to| !old.contains(to)) {
                let first = old.iter().copied().find(|&id| id != 2).unwrap();
                let lacks = old.contains(&2).then_some(2);
                let by: BTreeSet<u64> = brought[&(to, slot)].iter().copied().collect();
                assert_eq!(by, [first].into_iter().chain(lacks).collect(), "slot {slot}");
                gained.insert((to, slot));
            }
        }
        assert!(gained.len() > 100 && brought.len() == gained.len());
    }

    #[test]
    fn where_nobody_has_all_everybody_brings_what_there_is() {
        let (before, after) = (plain(&[1, 2]), plain(&[1, 2, 3]));
        let plan = Plan::new(&before, &after, brings(&[1, 2, 3], &[])).unwrap();
        assert!(brought(&plan).values().all(|by| by == &[1, 2]));
    }

    #[test]
    fn the_dead_are_brought_nothing() {
        let (before, after) = (plain(&[1, 2, 3]), plain(&[1, 2, 4]));
        let brought = brought(&Plan::new(&before, &after, brings(&[], &[3])).unwrap());
        assert!(!brought.is_empty() && brought.keys().all(|&(to, _)| to != 3));
        assert!(brought.values().all(|by| by.len() == 1 && by[0] != 3));
        let plan = Plan::new(&plain(&[1, 2]), &plain(&[1, 2, 4]), brings(&[], &[4])).unwrap();
        assert_eq!(plan, Plan::default());
    }

    #[test]
    fn what_nobody_who_lives_has_is_said() {
        let (before, after) = (plain(&[1, 2, 3]), plain(&[3, 4]));
        let plan = Plan::new(&before, &after, brings(&[4], &[1, 2])).unwrap();
        let lost = plan.lost.iter().cloned().flatten();
        let theirs = (0..1 << SLOT_BITS).filter(|&slot| !owners(&before, slot).contains(&3));
        assert!(lost.eq(theirs) && !plan.lost.is_empty());
    }

    #[test]
    fn who_is_to_go_brings_what_nobody_else_has() {
        let at_need = |NodeId(id)| if id == 1 { Brings::AllAtNeed } else { Brings::All };
        let (before, after) = (plain(&[1, 2, 3]), plain(&[2, 3]));
        let plan = Plan::new(&before, &after, at_need).unwrap();
        assert!(!plan.moves.is_empty() && plan.moves.iter().all(|it| it.source != NodeId(1)));
        let alone = |ids: &[u64]| ring(1, ids.iter().map(|&id| Node::new(NodeId(id))));
        let (before, after) = (alone(&[1, 2, 3]), alone(&[2, 3]));
        let plan = Plan::new(&before, &after, at_need).unwrap();
        let by_it = plan.moves.iter().filter(|it| it.source == NodeId(1));
        let brought = by_it.map(|it| it.slots.len()).sum::<usize>();
        let owned = (0..1 << SLOT_BITS).filter(|&slot| owners(&before, slot) == [1]);
        assert_eq!(brought, owned.count());
    }

    #[test]
    fn rings_of_other_slots_are_refused() {
        let layout = Layout { slot_bits: 12, ..Layout::default() };
        let other = Ring::new(&layout, &[Node::new(NodeId(1))]).unwrap();
        let nothing = |_| Brings::All;
        assert_eq!(Plan::new(&plain(&[1]), &other, nothing), Err(Flaw::OtherSlots));
        let checked = Plan::default().check(&plain(&[1]), &other, nothing);
        assert_eq!(checked.unwrap_err(), Flaw::OtherSlots);
    }
}
