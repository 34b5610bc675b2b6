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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::View;
    use crate::item::{Copied, CopiedBody, Expiry, Key, Standing};
    use crate::node::standing::{START_MS, node_of};
    use crate::ring::{Layout, Node, Ring};
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    /// Whoever takes this node for an owner brings it what it lacks: what is to go is lacking.
    #[test]
    fn what_is_still_there_of_a_slot_that_is_not_kept_is_in_no_digest() {
        let nodes = [NodeId(1), NodeId(2)];
        let shared = node_of(&nodes, &Arc::new(AtomicU64::new(START_MS)));
        let road = Road::new(&shared, 0);
        let body = CopiedBody { flags: 0, cas: 9, standing: Standing::default(), value: b"v" };
        let version = Version(START_MS << 21);
        let copied = Copied { version, expiry: Expiry::Never, body: Some(body) };
        let layout = Layout::default();
        let keys: Vec<String> = (0..100).map(|number| format!("key-{number}")).collect();
        let slots: Vec<u32> = keys
            .iter()
            .map(|key| {
                road.merge(Key::new(key.as_bytes()).unwrap(), &copied, Now::from_unix_ms(START_MS));
                road.slot(KeyHash::new(layout.seed, key.as_bytes()))
            })
            .collect();
        let before = road.digests(slots.iter().copied());
        assert!(before.iter().all(|&digest| digest != 0));
        let ring = Ring::new(&Layout { copies: 1, ..layout }, &nodes.map(Node::new)).unwrap();
        shared.view.publish(View::settled(&ring));
        let mine = road.view.borrow_mut().view().slots_of(nodes[0]);
        let after = road.digests(slots.iter().copied());
        for ((slot, before), after) in slots.iter().zip(before).zip(&after) {
            let is_mine = mine.binary_search(slot).is_ok();
            assert_eq!(*after, if is_mine { before } else { 0 });
        }
        assert!(after.contains(&0) && after.iter().any(|&digest| digest != 0));
    }
}
