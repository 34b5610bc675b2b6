//! A slot's owners: the eight bytes that a lookup loads.

use crate::limits::COPIES_MAX;

/// The distinct nodes that hold a slot, primary first, as indexes into the
/// node list of their ring.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C, align(8))]
pub struct Owners([u16; COPIES_MAX as usize]);

/// The index that stands for no owner.
const NOBODY: u16 = u16::MAX;

impl Owners {
    pub(super) const EMPTY: Self = Self([NOBODY; COPIES_MAX as usize]);

    /// The first owner.
    #[inline]
    #[must_use]
    pub fn primary(self) -> u16 {
        self.0[0]
    }

    /// How many there are: the layout's copies, or all nodes if there are fewer.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        self.0.iter().take_while(|&&owner| owner != NOBODY).count()
    }

    /// Never: a ring has at least one node, so every slot has an owner.
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// All of them, primary first.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = u16> + Clone {
        self.0.into_iter().take_while(|&owner| owner != NOBODY)
    }

    /// Whether `node` is one of them.
    #[inline]
    #[must_use]
    pub fn contains(self, node: u16) -> bool {
        node != NOBODY && self.0.contains(&node)
    }

    /// Appends the owner of the next rank.
    pub(super) fn set(&mut self, rank: u8, node: u16) {
        self.0[rank as usize] = node;
    }

    /// The same owners, each index replaced by its entry in `places`.
    pub(super) fn renumbered(self, places: &[u16]) -> Self {
        Self(self.0.map(|owner| places.get(owner as usize).copied().unwrap_or(NOBODY)))
    }

    /// The same owners as one word, for fingerprints.
    pub(super) fn to_bytes(self) -> [u8; 8] {
        let mut bytes = [0; 8];
        for (pair, owner) in bytes.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&owner.to_le_bytes());
        }
        bytes
    }
}

impl std::fmt::Debug for Owners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
