//! What changes from one ring to the next: the base of every plan.

use super::{NodeId, Ring, RingError};
use std::collections::BTreeMap;
use std::ops::Range;

/// A run of slots that one node must hand to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The slots, ascending.
    pub slots: Range<u32>,
    /// Who has them: an owner by the old ring.
    pub source: NodeId,
    /// Who becomes an owner of them.
    pub target: NodeId,
}

/// A run of slots whose owners, or their order, differ between two rings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The slots, ascending.
    pub slots: Range<u32>,
    /// The owners by the old ring, primary first.
    pub old: Vec<NodeId>,
    /// The owners by the new ring, primary first.
    pub new: Vec<NodeId>,
}

/// The difference of two rings whose slots mean the same keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// Every slot whose owners or their order differ, ascending, in maximal runs.
    pub changes: Vec<Change>,
    /// Every copy that a node has to fetch: by slot and then by target, in
    /// maximal runs.
    pub moves: Vec<Move>,
}

impl Diff {
    /// Compares two rings.
    ///
    /// # Errors
    /// Refuses rings that differ in seed or slot count.
    pub fn new(old: &Ring, new: &Ring) -> Result<Self, RingError> {
        if !old.same_slots(new) {
            return Err(RingError::OtherSlots);
        }
        let changes = changes(old, new);
        let moves = moves(new, &changes);
        Ok(Self { changes, moves })
    }

    /// Slots whose primary differs.
    #[must_use]
    pub fn primaries(&self) -> u32 {
        let changed = self.changes.iter().filter(|change| change.old[0] != change.new[0]);
        changed.map(|change| change.slots.len() as u32).sum()
    }

    /// Copies to fetch, counted in slots.
    #[must_use]
    pub fn copies(&self) -> u32 {
        self.moves.iter().map(|moved| moved.slots.len() as u32).sum()
    }
}

fn changes(old: &Ring, new: &Ring) -> Vec<Change> {
    let ids = |ring: &Ring, slot| -> Vec<NodeId> {
        ring.slot_owners(slot).iter().map(|owner| ring.node(owner).id).collect()
    };
    let mut changes: Vec<Change> = Vec::new();
    for slot in 0..old.layout().slots() {
        let (old, new) = (ids(old, slot), ids(new, slot));
        if old == new {
            continue;
        }
        match changes.last_mut() {
            Some(last) if last.slots.end == slot && last.old == old && last.new == new => {
                last.slots.end += 1;
            }
            _ => changes.push(Change { slots: slot..slot + 1, old, new }),
        }
    }
    changes
}

fn moves(new: &Ring, changes: &[Change]) -> Vec<Move> {
    let mut moves = Vec::new();
    // The run that each pair of nodes is in the middle of.
    let mut open: BTreeMap<(NodeId, NodeId), Range<u32>> = BTreeMap::new();
    for change in changes {
        let source = source(new, change);
        for &target in change.new.iter().filter(|id| !change.old.contains(id)) {
            let run =
                open.entry((source, target)).or_insert(change.slots.start..change.slots.start);
            if run.end != change.slots.start {
                let slots = std::mem::replace(run, change.slots.clone());
                moves.push(Move { slots, source, target });
            }
            run.end = change.slots.end;
        }
    }
    moves.extend(open.into_iter().map(|((source, target), slots)| Move { slots, source, target }));
    moves.sort_unstable_by_key(|one| (one.slots.start, one.target));
    moves
}

/// Who hands a slot over: the old primary, which has every write, or, if it is
/// going, the first old owner that stays.
fn source(new: &Ring, change: &Change) -> NodeId {
    let stays = |id: &&NodeId| new.index_of(**id).is_some();
    *change.old.iter().find(stays).unwrap_or(&change.old[0])
}
