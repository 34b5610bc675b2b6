//! The rings that nodes have agreed on, made from who is on them.

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
        Self::made(rings, |nodes| Ring::new(layout, nodes))
    }

    fn made(
        rings: Rings,
        ring: impl Fn(&[Node]) -> Result<Ring, RingError>,
    ) -> Result<Self, RingError> {
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

    /// The next step, made with what there is of it already.
    ///
    /// # Errors
    /// As [`Agreed::new`].
    pub fn follow(&self, layout: &Layout, rings: Rings) -> Result<Self, RingError> {
        let known = |nodes: &[Node]| {
            let mut rings = std::iter::once(&self.read).chain(&self.written);
            rings.find(|ring| ring.nodes() == nodes).cloned()
        };
        Self::made(rings, |nodes| known(nodes).map_or_else(|| Ring::new(layout, nodes), Ok))
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

    /// What a node is to bring others in the step that fills them: each slot that somebody
    /// gets is brought by one of its owners, the first that has all; and by those that catch
    /// up, which may have what nobody else has.
    #[must_use]
    pub fn to_bring(&self, me: NodeId) -> Vec<(NodeId, Vec<u32>)> {
        let Some(written) = self.written.as_ref().filter(|_| self.rings.step == Step::Fill) else {
            return Vec::new();
        };
        let acting = |ring: &Ring| -> Vec<Option<bool>> {
            let nodes = ring.nodes().iter();
            nodes.map(|node| self.rings.acting(node.id).map(|acting| acting.is_whole)).collect()
        };
        let (old, new) = (acting(&self.read), acting(written));
        let mine = self.read.index_of(me).filter(|&mine| old[usize::from(mine)].is_some());
        let Some(mine) = mine else { return Vec::new() };
        // By the index of who gets it.
        let mut slots = vec![Vec::new(); new.len()];
        for (slot, (now, to_be)) in (0..).zip(self.read.slots().zip(written.slots())) {
            if !now.contains(mine) {
                continue;
            }
            let whole = now.iter().find(|&owner| old[usize::from(owner)] == Some(true));
            let has_all = old[usize::from(mine)] == Some(true);
            if has_all && whole.is_some_and(|owner| owner != mine) {
                continue;
            }
            for owner in to_be {
                let node = written.node(owner).id;
                let has = self.read.index_of(node).is_some_and(|index| now.contains(index));
                if !has && new[usize::from(owner)].is_some() {
                    slots[usize::from(owner)].push(slot);
                }
            }
        }
        let nodes = written.nodes().iter().map(|node| node.id);
        nodes.zip(slots).filter(|(_, slots)| !slots.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Acting, Founded};
    use std::collections::{BTreeMap, BTreeSet};

    const SLOT_BITS: u8 = 10;

    fn node(id: u64) -> Node {
        Node::new(NodeId(id))
    }

    /// At the step that fills, from these nodes to those; `part` of them live and have all.
    fn filling(old: &[u64], new: &[u64], lacking: &[u64], dead: &[u64]) -> Agreed {
        let nodes = |ids: &[u64]| ids.iter().map(|&id| node(id)).collect::<Box<[Node]>>();
        let all: BTreeSet<u64> = old.iter().chain(new).copied().collect();
        let live = all.into_iter().filter(|id| !dead.contains(id));
        let acting = live.map(|id| Acting {
            node: NodeId(id),
            generation: 1,
            is_whole: old.contains(&id) && !lacking.contains(&id),
        });
        let founded = Founded { generation: 1, by: NodeId(1) };
        let (old, new) = (nodes(old), nodes(new));
        let rings = Rings::found(founded, Vec::new());
        let rings = Rings { step: Step::Fill, old, new, acting: acting.collect(), ..rings };
        let layout = Layout { slot_bits: SLOT_BITS, ..Layout::default() };
        Agreed::new(&layout, rings).unwrap()
    }

    /// Who brings each slot to whom.
    fn brought(agreed: &Agreed, by: &[u64]) -> BTreeMap<(u64, u32), Vec<u64>> {
        let mut brought = BTreeMap::<_, Vec<u64>>::new();
        for &source in by {
            for (to, slots) in agreed.to_bring(NodeId(source)) {
                for slot in slots {
                    brought.entry((to.0, slot)).or_default().push(source);
                }
            }
        }
        brought
    }

    #[test]
    fn whoever_gets_a_slot_is_brought_it_by_one_that_has_all() {
        let agreed = filling(&[1, 2, 3], &[1, 2, 3, 4], &[2], &[]);
        let brought = brought(&agreed, &[1, 2, 3, 4]);
        let written = agreed.written.as_ref().unwrap();
        let mut gained = BTreeSet::new();
        for slot in 0..1 << SLOT_BITS {
            let owners = |ring: &Ring| -> Vec<u64> {
                ring.slot_owners(slot).iter().map(|owner| ring.node(owner).id.0).collect()
            };
            let (old, new) = (owners(&agreed.read), owners(written));
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
        let agreed = filling(&[1, 2], &[1, 2, 3], &[1, 2], &[]);
        assert!(brought(&agreed, &[1, 2]).values().all(|by| by == &[1, 2]));
    }

    #[test]
    fn the_dead_are_brought_nothing() {
        let agreed = filling(&[1, 2, 3], &[1, 2, 4], &[], &[3]);
        let brought = brought(&agreed, &[1, 2, 3]);
        assert!(!brought.is_empty() && brought.keys().all(|&(to, _)| to != 3));
        assert!(brought.values().all(|by| by.len() == 1 && by[0] != 3));
        let agreed = filling(&[1, 2], &[1, 2, 4], &[], &[4]);
        assert!(agreed.to_bring(NodeId(1)).is_empty());
    }
}
