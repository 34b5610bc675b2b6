//! What a node is to be brought.

use super::Slots;

/// What a node is to be brought: all that is in some slots; and of others, in which it has the
/// same items, the stamps of deletes.
#[derive(Debug)]
pub(in crate::node) struct Wanted {
    pub(super) all: Slots,
    /// Those of them of which its digests were not asked, or would not tell.
    pub(super) marked: Slots,
    pub(super) deletes: Option<Slots>,
}

/// What a walk over the memory looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::node) enum Kind {
    /// The stamps of deletes.
    Deletes,
    /// Items.
    Items,
}

impl Kind {
    pub(in crate::node) fn is(self, is_tombstone: bool) -> bool {
        is_tombstone == (self == Self::Deletes)
    }
}

impl Wanted {
    pub(super) fn all(slots: Slots) -> Self {
        Self { marked: slots.clone(), all: slots, deletes: None }
    }

    /// Whether what there is of this kind is among it.
    pub(in crate::node) fn has(&self, slot: u32, kind: Kind) -> bool {
        self.all.contains(slot)
            || kind == Kind::Deletes
                && self.deletes.as_ref().is_some_and(|slots| slots.contains(slot))
    }
}
