//! A slot's owners, in the word that a lookup loads.

/// The distinct nodes that hold a slot, primary first, as indexes into the
/// node list of their ring.
///
/// They stay packed as the ring stores them and come out when they are asked
/// for: most who look a key up only want to know whether they are the primary.
#[derive(Clone, Copy)]
pub struct Owners {
    /// The primary in the lowest bits, the next owner above it.
    word: u64,
    /// Bits of one index.
    bits: u8,
    len: u8,
}

impl Owners {
    /// A place to be filled in.
    pub(super) const NONE: Self = Self { word: 0, bits: 0, len: 0 };

    #[inline]
    pub(super) fn new(word: u64, bits: u8, len: u8) -> Self {
        Self { word, bits, len }
    }

    /// The first owner.
    #[inline]
    #[must_use]
    pub fn primary(self) -> u16 {
        (self.word & self.mask()) as u16
    }

    /// How many there are: the layout's copies, or all nodes if there are fewer.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        usize::from(self.len)
    }

    /// Never: a ring has at least one node, so every slot has an owner.
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// All of them, primary first.
    #[inline]
    #[must_use]
    pub fn iter(self) -> OwnersIter {
        OwnersIter(self)
    }

    /// Whether `node` is one of them.
    #[inline]
    #[must_use]
    pub fn contains(self, node: u16) -> bool {
        self.iter().any(|owner| owner == node)
    }

    /// The bits of the lowest index.
    #[inline]
    fn mask(self) -> u64 {
        (1 << self.bits) - 1
    }
}

impl IntoIterator for Owners {
    type Item = u16;
    type IntoIter = OwnersIter;

    #[inline]
    fn into_iter(self) -> OwnersIter {
        self.iter()
    }
}

/// The owners still to come, the next one in the lowest bits.
#[derive(Clone, Debug)]
pub struct OwnersIter(Owners);

impl Iterator for OwnersIter {
    type Item = u16;

    #[inline]
    fn next(&mut self) -> Option<u16> {
        let Self(rest) = self;
        let next = rest.primary();
        rest.len = rest.len.checked_sub(1)?;
        rest.word >>= rest.bits;
        Some(next)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl ExactSizeIterator for OwnersIter {}

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
