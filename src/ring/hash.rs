//! The hash of a key, taken once for each request.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A key's place on the circle. The top bits are its slot. On one node those
/// bits are not uniform, so whoever shards by this hash takes others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub u64);

impl KeyHash {
    /// Hashes a key with the cluster's seed.
    #[inline]
    #[must_use]
    pub fn new(seed: u64, key: &[u8]) -> Self {
        Self(xxh3_64_with_seed(key, seed))
    }

    /// The top bits: all but the lowest `shift`.
    #[inline]
    pub(crate) fn slot(self, shift: u32) -> usize {
        (self.0 >> shift) as usize
    }
}
