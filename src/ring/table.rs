//! The table a lookup goes by: from a key's hash to its slot's owners.

use super::cells::Cells;
use super::{KeyHash, Owners};

/// The owners of every slot, and nothing of how they came to be: what is asked
/// for every key. The owners are indexes into a list of nodes that whoever
/// holds the table knows.
#[derive(Clone, Debug)]
pub struct Table {
    seed: u64,
    /// How far a hash is shifted down to be a slot.
    shift: u32,
    pub(super) cells: Cells,
}

impl Table {
    pub(super) fn new(seed: u64, slot_bits: u8, cells: Cells) -> Self {
        Self { seed, shift: 64 - u32::from(slot_bits), cells }
    }

    /// The same slots with other cells.
    pub(super) fn with(&self, cells: Cells) -> Self {
        Self { cells, ..*self }
    }

    /// The place of a key on the circle, the same on every ring of the cluster.
    #[inline]
    #[must_use]
    pub fn hash(&self, key: &[u8]) -> KeyHash {
        KeyHash::new(self.seed, key)
    }

    /// The owners of a hashed key.
    #[inline]
    #[must_use]
    pub fn owners(&self, hash: KeyHash) -> Owners {
        self.cells.at(hash.slot(self.shift))
    }

    /// The slot of a hashed key: the top bits of the hash.
    #[inline]
    #[must_use]
    pub fn slot(&self, hash: KeyHash) -> u32 {
        hash.slot(self.shift) as u32
    }

    /// The owners of a slot, if there is such a slot.
    #[must_use]
    pub fn slot_owners(&self, slot: u32) -> Option<Owners> {
        let slot = slot as usize;
        (slot < self.cells.len()).then(|| self.cells.at(slot))
    }

    /// The owners of all slots, in order.
    #[must_use]
    pub fn slots(&self) -> impl ExactSizeIterator<Item = Owners> {
        self.cells.iter()
    }
}
