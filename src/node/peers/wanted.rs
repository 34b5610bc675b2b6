//! What a node is to be brought.

use super::Slots;

/// What a node is to be brought: all that is in some slots; and of others, in which it has the
/// same items, the stamps of deletes.
#[derive(Debug)]
pub(in crate::node) struct Wanted {
    pub(super) all: Slots,
    pub(super) deletes: Option<Slots>,
}

impl Wanted {
    pub(super) fn all(slots: Slots) -> Self {
        Self { all: slots, deletes: None }
    }

    /// Whether an item, or the stamp of a delete, is among it.
    pub(in crate::node) fn has(&self, slot: u32, is_tombstone: bool) -> bool {
        self.all.contains(slot)
            || is_tombstone && self.deletes.as_ref().is_some_and(|slots| slots.contains(slot))
    }
}
