//! xxh3 behind the traits of `std::hash`, for the crates that let their user
//! choose a hash. A key costs one call, as it does in the ring of this crate:
//! the streaming hasher of the xxh3 crate would first fill a buffer of half a
//! kilobyte.

use std::hash::{BuildHasher, Hash, Hasher};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Builds hashers that start from a seed.
#[derive(Clone, Copy)]
pub(super) struct Seeded(pub(super) u64);

impl BuildHasher for Seeded {
    type Hasher = Xxh3;

    fn build_hasher(&self) -> Xxh3 {
        Xxh3(self.0)
    }
}

/// Hashes every write with the hash of those before it as the seed.
#[derive(Clone, Copy)]
pub(super) struct Xxh3(u64);

impl Xxh3 {
    /// A hasher that has seen a key.
    pub(super) fn of(key: &[u8], seed: u64) -> Self {
        Self(xxh3_64_with_seed(key, seed))
    }
}

impl Hasher for Xxh3 {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A key as one write. Slices would hash their length as well, as a second.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key<'a>(pub(super) &'a [u8]);

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0);
    }
}
