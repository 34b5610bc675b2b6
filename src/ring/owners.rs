//! A slot's owners, in the word that a lookup loads.

use crate::limits::COPIES_MAX;

/// The distinct nodes that hold a slot, primary first, as indexes into the
/// node list of their ring.
///
/// They stay packed as the ring stores them and come out when they are asked
/// for: most who look a key up only want to know whether they are the primary.
#[derive(Clone, Copy)]
pub struct Owners {
    /// The primary in the lowest bits; all ones stand for nobody.
    word: u64,
    /// Bits of one index.
    bits: u32,
}

impl Owners {
    /// Nobody at all: a place to be filled in. Any width of index will do, as
    /// all ones stand for nobody in each.
    pub(super) const NONE: Self = Self { word: u64::MAX, bits: 1 };

    #[inline]
    pub(super) fn new(word: u64, bits: u32) -> Self {
        Self { word, bits }
    }

    /// The first owner.
    #[inline]
    #[must_use]
    pub fn primary(self) -> u16 {
        (self.word & self.nobody()) as u16
    }

    /// How many there are: the layout's copies, or all nodes if there are fewer.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        self.iter().count()
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
        let indexes = (0..u32::from(COPIES_MAX)).map(move |rank| self.word >> (rank * self.bits));
        let indexes = indexes.map(move |word| word & self.nobody());
        indexes.take_while(move |&index| index != self.nobody()).map(|index| index as u16)
    }

    /// Whether `node` is one of them.
    #[inline]
    #[must_use]
    pub fn contains(self, node: u16) -> bool {
        self.iter().any(|owner| owner == node)
    }

    /// The index that stands for no owner.
    #[inline]
    fn nobody(self) -> u64 {
        (1 << self.bits) - 1
    }
}

/// Equal owners in equal order, however they are packed.
impl PartialEq for Owners {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Owners {}

impl std::fmt::Debug for Owners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
