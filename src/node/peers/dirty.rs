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
    nodes: Mutex<BTreeMap<NodeId, Slots>>,
    /// The slots of which reads have told in this time.
    told: Mutex<(u64, Slots)>,
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

    pub(in crate::node) fn contains(&self, slot: u32) -> bool {
        self.words[slot as usize / 64] & 1 << (slot % 64) != 0
    }

    pub(in crate::node) fn iter(&self) -> impl Iterator<Item = u32> {
        (0..self.words.len() as u32 * 64).filter(|&slot| self.contains(slot))
    }

    pub(in crate::node) fn len(&self) -> u32 {
        self.count
    }
}

impl Dirty {
    pub(in crate::node) fn new(slots: u32) -> Self {
        let told = Mutex::new((0, Slots::none(slots)));
        Self { slots, nodes: Mutex::default(), told }
    }

    /// The copies of these slots on this node may be behind.
    pub(in crate::node) fn mark(&self, node: NodeId, slots: impl IntoIterator<Item = u32>) {
        let mut nodes = self.nodes();
        let marked = nodes.entry(node).or_insert_with(|| Slots::none(self.slots));
        slots.into_iter().for_each(|slot| marked.insert(slot));
        if marked.len() == 0 {
            nodes.remove(&node);
        }
    }

    /// Takes all marks of a node: whoever takes them brings the copies up to
    /// date, or marks them again.
    pub(in crate::node) fn take(&self, node: NodeId) -> Option<Slots> {
        self.nodes().remove(&node)
    }

    /// How many slots of a node are marked.
    pub(in crate::node) fn count(&self, node: NodeId) -> u32 {
        self.nodes().get(&node).map_or(0, Slots::len)
    }

    /// Nodes that have marks.
    pub(in crate::node) fn marked(&self) -> Vec<NodeId> {
        self.nodes().keys().copied().collect()
    }

    /// The node is no longer one whose copies count.
    pub(in crate::node) fn forget(&self, node: NodeId) {
        self.nodes().remove(&node);
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

    fn nodes(&self) -> MutexGuard<'_, BTreeMap<NodeId, Slots>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cluster {
    /// Tells an owner of a slot that another one has something older in it.
    pub(in crate::node) fn tell_behind(&self, owner: NodeId, slot: u32, behind: NodeId) {
        if let Some(peer) = self.peer(owner) {
            let behind = Behind { slot, node: behind.0 };
            peer.say(|frame| Message::Behind(behind).encode(frame));
        }
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
        let taken = dirty.take(NodeId(1)).unwrap();
        assert!(taken.contains(3) && taken.contains(255) && !taken.contains(4));
        assert!(dirty.take(NodeId(1)).is_none());
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
