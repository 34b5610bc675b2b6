//! What this node has of some slots, for those who compare copies.

use super::Road;
use crate::item::{Now, Version};
use crate::node::peers::Turn;
use crate::ring::{KeyHash, NodeId};
use crate::store::FullWalk;
use std::collections::BTreeSet;

impl Road {
    /// This node's digests of these slots, as they are at this moment; zero for those of which
    /// it gets nothing. What it has of them is to go, and would be gone when it is missed.
    pub(in crate::node) fn digests(&self, slots: impl Iterator<Item = u32>) -> Vec<u64> {
        let mut reader = self.view.borrow_mut();
        let (view, me) = (reader.view(), self.me());
        let gets = |slot| me.is_some_and(|me| view.gets_slot(slot, me));
        slots.map(|slot| self.digest(slot).filter(|_| gets(slot)).unwrap_or_default()).collect()
    }

    /// How many slots there are.
    pub(in crate::node) fn slots(&self) -> u32 {
        self.shared.store.slots()
    }

    /// The other owners of a slot that this node executes for, if all of them execute.
    pub(in crate::node) fn audited_owners(&self, slot: u32) -> Option<BTreeSet<NodeId>> {
        let me = self.me()?;
        self.view.borrow_mut().view().owners_beside_first(slot, me)
    }

    /// Shows what this node has in some slots, given in order, and which deletes it knows of.
    /// What is over there is cleared away. Whether there is more to look at.
    pub(in crate::node) fn list(
        &self,
        walk: &mut FullWalk,
        now: Now,
        slots: &[u32],
        mut show: impl FnMut(KeyHash, Version, bool),
    ) -> bool {
        let is_wanted = |slot| slots.binary_search(&slot).is_ok();
        self.shared.store.list(walk, now, is_wanted, |hash, found| {
            show(hash, found.meta().version, found.is_tombstone());
        })
    }

    /// Gathers what this node has under a hash for another one.
    pub(in crate::node) fn offer(&self, to: NodeId, hash: KeyHash, now: Now, turn: &mut Turn) {
        let slot = self.slot(hash);
        self.shared.store.find(hash, now, |key, found| {
            turn.keep_beside(to, slot, key.bytes(), found);
        });
    }

    /// This node's digest of a slot.
    pub(in crate::node) fn digest(&self, slot: u32) -> Option<u64> {
        self.shared.store.digest(slot as usize)
    }

    /// Whether this node lacked room within the time that a stamp of a delete is kept: it may
    /// have let go of anything that is as young.
    pub(in crate::node) fn evicts(&self, now: Now) -> bool {
        let lacks = self.shared.store.take_lacks_room();
        self.shared.cluster.as_ref().is_some_and(|cluster| cluster.evicts(lacks, now))
    }
}
