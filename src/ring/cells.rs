//! The owners of all slots, in as few bytes as they fit into.
//!
//! A lookup costs what it costs to bring its cell into the processor, so half
//! the bytes are worth a comparison: three copies on up to 1,024 nodes are ten
//! bits each, and the whole table of 2^16 slots is 256 KiB.

use super::owners::Owners;
use crate::limits::COPIES_MAX;
use std::sync::Arc;

/// The owners of one slot while the ring is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Draft([u16; COPIES_MAX as usize]);

const NOBODY: u16 = u16::MAX;

impl Draft {
    pub(super) const EMPTY: Self = Self([NOBODY; COPIES_MAX as usize]);

    pub(super) fn of(owners: impl Iterator<Item = u16>) -> Self {
        let mut draft = Self::EMPTY;
        owners.zip(0..).for_each(|(owner, rank)| draft.set(rank, owner));
        draft
    }

    /// Fills in the owner of one rank.
    pub(super) fn set(&mut self, rank: u8, node: u16) {
        self.0[rank as usize] = node;
    }

    /// Those found so far, primary first.
    pub(super) fn iter(self) -> impl Iterator<Item = u16> {
        self.0.into_iter().take_while(|&owner| owner != NOBODY)
    }

    pub(super) fn contains(self, node: u16) -> bool {
        node != NOBODY && self.0.contains(&node)
    }

    /// The same bytes however the owners are packed.
    pub(super) fn to_bytes(self) -> [u8; 8] {
        let mut bytes = [0; 8];
        for (pair, owner) in bytes.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&owner.to_le_bytes());
        }
        bytes
    }

    /// All owners in indexes of `bits` each, the first lowest.
    fn word(self, bits: u8) -> u64 {
        self.iter().zip(0..).fold(0, |word, (owner, rank)| word | u64::from(owner) << (rank * bits))
    }
}

/// One word for each slot, all with as many owners. Cheap to clone: they never change, and
/// many views have the same.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    words: Words,
    /// Bits of one index.
    bits: u8,
    copies: u8,
}

#[derive(Clone, Debug)]
enum Words {
    Narrow(Arc<[u32]>),
    Wide(Arc<[u64]>),
}

/// Bits of an index in a wide word.
const WIDE_BITS: u8 = 16;

impl Cells {
    /// Packs the owners of all slots, in order: `copies` for each.
    pub(super) fn new(nodes: usize, copies: u8, drafts: impl Iterator<Item = Draft>) -> Self {
        let bits = narrow_bits(copies);
        if nodes <= 1 << bits {
            let words = Words::Narrow(drafts.map(|draft| draft.word(bits) as u32).collect());
            Self { words, bits, copies }
        } else {
            let words = Words::Wide(drafts.map(|draft| draft.word(WIDE_BITS)).collect());
            Self { words, bits: WIDE_BITS, copies }
        }
    }

    /// The owners of one slot.
    #[inline]
    pub(super) fn at(&self, slot: usize) -> Owners {
        let word = match &self.words {
            Words::Narrow(words) => u64::from(words[slot]),
            Words::Wide(words) => words[slot],
        };
        Owners::new(word, self.bits, self.copies)
    }

    pub(super) fn len(&self) -> usize {
        match &self.words {
            Words::Narrow(words) => words.len(),
            Words::Wide(words) => words.len(),
        }
    }

    /// The owners of all slots, in order.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = Owners> {
        (0..self.len()).map(|slot| self.at(slot))
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.words {
            Words::Narrow(words) => size_of_val(&**words),
            Words::Wide(words) => size_of_val(&**words),
        }
    }
}

/// Bits of an index when all copies share 32 of them.
fn narrow_bits(copies: u8) -> u8 {
    match copies {
        1 | 2 => 16,
        3 => 10,
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_keeps_every_owner() {
        for (nodes, owners) in [
            (1, vec![0]),
            (9, vec![8, 0]),
            (1024, vec![1023, 0, 511]),
            (1025, vec![1024, 1023, 0]),
            (256, vec![255, 0, 254, 1]),
            (257, vec![256, 255, 0, 1]),
            (65_535, vec![65_534, 0]),
            (65_535, vec![65_534, 0, 65_533, 1]),
        ] {
            let drafts = [Draft::of(owners.iter().copied()); 3];
            let cells = Cells::new(nodes, owners.len() as u8, drafts.into_iter());
            assert_eq!(cells.iter().len(), 3);
            for found in cells.iter() {
                assert_eq!(found.iter().collect::<Vec<_>>(), owners, "{nodes} nodes");
                assert_eq!(found.primary(), owners[0]);
                assert_eq!(found.len(), owners.len());
            }
        }
    }

    #[test]
    fn small_rings_take_half() {
        let bytes =
            |nodes, copies| Cells::new(nodes, copies, [Draft::EMPTY; 8].into_iter()).bytes();
        assert_eq!(bytes(1024, 3), 32);
        assert_eq!(bytes(1025, 3), 64);
        assert_eq!(bytes(65_535, 2), 32);
        assert_eq!(bytes(256, 4), 32);
        assert_eq!(bytes(257, 4), 64);
    }
}
