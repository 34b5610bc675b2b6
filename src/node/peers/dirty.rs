//! Which copies may be behind: one bit for each slot and node, and no item.

use super::Cluster;
use crate::item::Now;
use crate::limits::REPAIR_REST_MS;
use crate::ring::NodeId;
use crate::wire::{Behind, Message};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The slots whose copies on other nodes may be behind what this node has.
#[derive(Debug)]
pub(in crate::node) struct Dirty {
    slots: u32,
    state: Mutex<State>,
    /// The slots of which reads have told in this time.
    told: Mutex<(u64, Slots)>,
}

#[derive(Debug, Default)]
struct State {
    marked: BTreeMap<NodeId, Slots>,
    /// What is being brought.
    taken: BTreeMap<NodeId, Slots>,
    /// Those of them of which nothing is known but that the node was away: its digests may
    /// tell that it lacks nothing there.
    doubted: BTreeMap<NodeId, Slots>,
    /// Slots in which a node missed a write that others perhaps have acknowledged. They are
    /// marked.
    missed: BTreeMap<NodeId, Slots>,
    /// The same of what is being brought.
    coming: BTreeMap<NodeId, Slots>,
    /// Those of them of which the other owners are to be told: this node may die before it
    /// has brought them.
    untold: BTreeMap<NodeId, Slots>,
}

impl State {
    fn lacks_nobody(&self) -> bool {
        self.missed.is_empty() && self.coming.is_empty()
    }

    /// A copy of a slot is behind, whatever was known of it.
    fn mark(&mut self, node: NodeId, slot: u32, slots: u32) {
        of(&mut self.marked, node, slots).insert(slot);
        if let Some(doubted) = self.doubted.get_mut(&node) {
            doubted.remove(slot);
        }
    }

    fn lacks_nothing(&mut self, node: NodeId) {
        for sets in [&mut self.missed, &mut self.coming, &mut self.untold] {
            sets.remove(&node);
        }
    }
}

/// The marks of a node.
#[derive(Debug)]
pub(in crate::node) struct Taken {
    /// Slots whose copies are behind.
    pub(in crate::node) slots: Slots,
    /// Others, of which nothing is known.
    pub(in crate::node) doubted: Slots,
}

/// A set of slots.
#[derive(Clone, Debug)]
pub(in crate::node) struct Slots {
    words: Box<[u64]>,
    count: u32,
}

impl Slots {
    pub(in crate::node) fn none(slots: u32) -> Self {
        Self { words: vec![0; (slots as usize).div_ceil(64)].into(), count: 0 }
    }

    pub(in crate::node) fn insert(&mut self, slot: u32) {
        let (word, bit) = (&mut self.words[slot as usize / 64], 1 << (slot % 64));
        self.count += u32::from(*word & bit == 0);
        *word |= bit;
    }

    pub(in crate::node) fn clear(&mut self) {
        self.words.fill(0);
        self.count = 0;
    }

    pub(in crate::node) fn remove(&mut self, slot: u32) {
        let (word, bit) = (&mut self.words[slot as usize / 64], 1 << (slot % 64));
        self.count -= u32::from(*word & bit != 0);
        *word &= !bit;
    }

    pub(in crate::node) fn contains(&self, slot: u32) -> bool {
        self.words[slot as usize / 64] & 1 << (slot % 64) != 0
    }

    pub(in crate::node) fn iter(&self) -> impl Iterator<Item = u32> {
        let words = (0..).zip(&self.words).filter(|&(_, &word)| word != 0);
        let slots = words.flat_map(|(number, _): (u32, _)| number * 64..(number + 1) * 64);
        slots.filter(|&slot| self.contains(slot))
    }

    pub(in crate::node) fn len(&self) -> u32 {
        self.count
    }

    fn meets(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(one, other)| one & other != 0)
    }

    fn unite(&mut self, other: &Self) {
        other.iter().for_each(|slot| self.insert(slot));
    }

    /// Takes so many out, at most.
    pub(super) fn take_some(&mut self, most: usize) -> Vec<u32> {
        let taken: Vec<u32> = self.iter().take(most).collect();
        for slot in &taken {
            self.words[*slot as usize / 64] &= !(1 << (slot % 64));
        }
        self.count -= taken.len() as u32;
        taken
    }
}

impl Dirty {
    pub(in crate::node) fn new(slots: u32) -> Self {
        let told = Mutex::new((0, Slots::none(slots)));
        Self { slots, state: Mutex::default(), told }
    }

    /// The copies of these slots on this node may be behind.
    pub(in crate::node) fn mark(&self, node: NodeId, slots: impl IntoIterator<Item = u32>) {
        let mut state = self.state();
        slots.into_iter().for_each(|slot| state.mark(node, slot, self.slots));
    }

    /// The same, unless the node turns out to have what is here of them: nothing is known but
    /// that it was away.
    pub(in crate::node) fn doubt(&self, node: NodeId, slots: impl IntoIterator<Item = u32>) {
        let mut slots = slots.into_iter().peekable();
        if slots.peek().is_some() {
            let mut state = self.state();
            let State { marked, doubted, .. } = &mut *state;
            let (marked, doubted) = (self.of(marked, node), self.of(doubted, node));
            for slot in slots.filter(|&slot| !marked.contains(slot)).collect::<Vec<_>>() {
                marked.insert(slot);
                doubted.insert(slot);
            }
        }
    }

    /// Copies of what was just written in these slots did not get to this node.
    pub(super) fn miss(&self, node: NodeId, slots: impl IntoIterator<Item = u32>) {
        let mut state = self.state();
        for slot in slots {
            state.mark(node, slot, self.slots);
            let State { missed, untold, .. } = &mut *state;
            for sets in [missed, untold] {
                self.of(sets, node).insert(slot);
            }
        }
    }

    /// Another owner says so. It is not told on.
    pub(in crate::node) fn hear_missed(&self, node: NodeId, slot: u32) {
        let mut state = self.state();
        state.mark(node, slot, self.slots);
        self.of(&mut state.missed, node).insert(slot);
    }

    /// All that others are to be told.
    pub(super) fn take_untold(&self) -> BTreeMap<NodeId, Slots> {
        std::mem::take(&mut self.state().untold)
    }

    /// Others are still to be told of this.
    pub(super) fn tell_later(&self, node: NodeId, slot: u32) {
        self.of(&mut self.state().untold, node).insert(slot);
    }

    /// Somebody may not have heard what was told. Whether there is anything to tell again.
    pub(super) fn tell_again(&self) -> bool {
        let mut state = self.state();
        let State { missed, coming, untold, .. } = &mut *state;
        for (&node, slots) in missed.iter().chain(coming.iter()) {
            self.of(untold, node).unite(slots);
        }
        !state.lacks_nobody()
    }

    /// Whether nobody lacks what others have acknowledged, as far as is known.
    pub(super) fn lacks_nobody(&self) -> bool {
        self.state().lacks_nobody()
    }

    /// Whether a node may lack what others have acknowledged, and is not brought it yet.
    pub(in crate::node) fn lacks(&self, node: NodeId) -> bool {
        let state = self.state();
        state.missed.contains_key(&node) || state.coming.contains_key(&node)
    }

    /// Nobody else has to bring a node what it missed: all others bring it all there is.
    pub(in crate::node) fn lacks_nothing(&self, node: NodeId) {
        self.state().lacks_nothing(node);
    }

    /// Takes all marks of a node: whoever takes them brings the copies up to date, or marks
    /// them again, and says so in the end.
    pub(in crate::node) fn take(&self, node: NodeId) -> Option<Taken> {
        let mut state = self.state();
        let State { marked, doubted, taken, missed, coming, .. } = &mut *state;
        let mut slots = marked.remove(&node)?;
        self.of(taken, node).unite(&slots);
        let doubted = doubted.remove(&node).unwrap_or_else(|| Slots::none(self.slots));
        doubted.iter().for_each(|slot| slots.remove(slot));
        if let Some(missed) = missed.remove(&node) {
            self.of(coming, node).unite(&missed);
        }
        Some(Taken { slots, doubted })
    }

    /// What was taken was brought, or else it is still missing.
    pub(in crate::node) fn end_taken(&self, node: NodeId, brought: bool) {
        let mut state = self.state();
        let State { taken, missed, coming, .. } = &mut *state;
        taken.remove(&node);
        if let Some(coming) = coming.remove(&node).filter(|_| !brought) {
            self.of(missed, node).unite(&coming);
        }
    }

    /// How many slots of a node are marked.
    pub(in crate::node) fn count(&self, node: NodeId) -> u32 {
        self.state().marked.get(&node).map_or(0, Slots::len)
    }

    /// Whether one of these slots of a node is marked.
    pub(in crate::node) fn has_any(&self, node: NodeId, slots: &Slots) -> bool {
        let state = self.state();
        state.marked.get(&node).is_some_and(|marked| marked.meets(slots))
    }

    /// The slots in which nodes may be behind, those among them that they are being brought.
    pub(in crate::node) fn lacking(&self) -> BTreeMap<NodeId, Slots> {
        let state = self.state();
        let mut lacking = state.marked.clone();
        for (&node, taken) in &state.taken {
            self.of(&mut lacking, node).unite(taken);
        }
        lacking
    }

    /// Nodes that have marks.
    pub(in crate::node) fn marked(&self) -> Vec<NodeId> {
        self.state().marked.keys().copied().collect()
    }

    /// The node is no longer one whose copies count.
    pub(in crate::node) fn forget(&self, node: NodeId) {
        let mut state = self.state();
        state.marked.remove(&node);
        state.taken.remove(&node);
        state.doubted.remove(&node);
        state.lacks_nothing(node);
    }

    /// Whether no read has told of this slot lately. Where a copy cannot be brought up
    /// to date, each read of it finds that again.
    pub(in crate::node) fn is_news(&self, slot: u32, now: Now) -> bool {
        let time = now.unix_ms() / REPAIR_REST_MS;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.0 != time {
            told.0 = time;
            told.1.clear();
        }
        let is_news = !told.1.contains(slot);
        told.1.insert(slot);
        is_news
    }

    /// The set of a node.
    fn of<'s>(&self, sets: &'s mut BTreeMap<NodeId, Slots>, node: NodeId) -> &'s mut Slots {
        of(sets, node, self.slots)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of(sets: &mut BTreeMap<NodeId, Slots>, node: NodeId, slots: u32) -> &mut Slots {
    sets.entry(node).or_insert_with(|| Slots::none(slots))
}

impl Cluster {
    /// Tells an owner of a slot that another one has something older in it. Whether that
    /// went out.
    pub(in crate::node) fn tell_behind(&self, owner: NodeId, slot: u32, behind: NodeId) -> bool {
        let behind = Behind { slot, node: behind.0 };
        self.peer(owner).is_some_and(|peer| peer.say(|frame| Message::Behind(behind).encode(frame)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_count_once_and_are_taken_once() {
        let dirty = Dirty::new(256);
        dirty.mark(NodeId(1), [3, 255, 3]);
        dirty.mark(NodeId(2), []);
        assert_eq!((dirty.count(NodeId(1)), dirty.marked()), (2, vec![NodeId(1)]));
        let taken = dirty.take(NodeId(1)).unwrap().slots;
        assert!(taken.contains(3) && taken.contains(255) && !taken.contains(4));
        assert!(dirty.take(NodeId(1)).is_none());
    }

    #[test]
    fn what_is_being_brought_is_lacking_until_it_was() {
        let (dirty, node) = (Dirty::new(256), NodeId(1));
        let lacking = || -> Vec<u32> {
            dirty.lacking().remove(&node).map_or(Vec::new(), |slots| slots.iter().collect())
        };
        dirty.mark(node, [3, 4]);
        assert!(dirty.take(node).is_some());
        dirty.mark(node, [9]);
        assert_eq!(lacking(), [3, 4, 9]);
        dirty.end_taken(node, true);
        assert_eq!(lacking(), [9]);
    }

    #[test]
    fn what_is_known_to_be_missing_is_not_in_doubt() {
        let (dirty, node) = (Dirty::new(256), NodeId(1));
        dirty.mark(node, [1]);
        dirty.doubt(node, [1, 2, 3, 4, 5]);
        assert_eq!(dirty.count(node), 5);
        dirty.mark(node, [2]);
        dirty.miss(node, [3]);
        dirty.hear_missed(node, 4);
        let Taken { slots, doubted } = dirty.take(node).unwrap();
        assert_eq!(slots.iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(doubted.iter().collect::<Vec<_>>(), [5]);
        dirty.doubt(node, [6]);
        dirty.forget(node);
        dirty.doubt(node, []);
        assert!(dirty.take(node).is_none());
    }

    #[test]
    fn what_was_missed_is_told_once_and_again_until_it_was_brought() {
        let (dirty, node) = (Dirty::new(256), NodeId(1));
        dirty.mark(node, [1]);
        dirty.hear_missed(node, 2);
        let untold = || -> Vec<u32> {
            dirty.take_untold().remove(&node).map_or(Vec::new(), |slots| slots.iter().collect())
        };
        assert!(untold().is_empty() && dirty.lacks(node), "others know that themselves");
        dirty.miss(node, [3, 4, 255]);
        assert_eq!(untold(), [3, 4, 255]);
        assert!(untold().is_empty());
        // Each write that is missed counts, marked or not: those who were told before may
        // have brought what they had by then.
        dirty.miss(node, [3]);
        dirty.tell_later(node, 9);
        assert_eq!(untold(), [3, 9]);
        assert!(dirty.tell_again());
        assert_eq!(untold(), [2, 3, 4, 255]);
        assert_eq!(dirty.take(node).unwrap().slots.len(), 5);
        assert!(dirty.lacks(node), "it is on its way");
        assert!(dirty.tell_again());
        assert_eq!(untold(), [2, 3, 4, 255]);
        dirty.miss(node, [7]);
        dirty.end_taken(node, true);
        assert!(dirty.lacks(node), "it missed something else meanwhile");
        assert_eq!(untold(), [7]);
        assert!(dirty.take(node).is_some());
        dirty.end_taken(node, false);
        assert!(dirty.lacks(node), "it was not brought");
        dirty.mark(node, [7]);
        assert!(dirty.take(node).is_some());
        dirty.end_taken(node, true);
        assert!(!dirty.lacks(node) && dirty.lacks_nobody() && !dirty.tell_again());
    }

    #[test]
    fn a_slot_is_news_once_in_a_while() {
        let dirty = Dirty::new(256);
        let at = |ms| Now::from_unix_ms(ms);
        let told = [(7, 0), (7, 1), (8, 1), (7, REPAIR_REST_MS - 1), (7, REPAIR_REST_MS)];
        let news = told.map(|(slot, ms)| dirty.is_news(slot, at(ms)));
        assert_eq!(news, [true, false, true, false, true]);
    }
}
