//! One word for each slot of the ring that says which items this node has
//! there, so that two nodes can tell in a glance whether their copies differ.

use crate::item::{Standing, Version};
use crate::ring::KeyHash;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a digest sees of an item beside its hash: the version, and in the bit above it whether
/// somebody has won the right to fetch its value, which changes without a version. An expiry
/// changes without one too and is left out: two copies may keep another one for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(u64);

impl Stamp {
    #[inline]
    pub(super) fn of(version: Version, standing: Standing) -> Self {
        Self(version.0 | u64::from(standing.won) << 63)
    }
}

/// A digest for each slot: the exclusive or over a mix of each item's hash and
/// version. An item that comes or goes changes it in the same way, so the order
/// of writes does not matter and nothing has to be counted again.
#[derive(Debug)]
pub(super) struct Digests {
    slots: Box<[AtomicU64]>,
    shift: u32,
}

impl Digests {
    pub(super) fn new(slot_bits: u8) -> Self {
        Self { slots: bytemuck::zeroed_slice_box(1 << slot_bits), shift: 64 - u32::from(slot_bits) }
    }

    pub(super) fn slots(&self) -> u32 {
        self.slots.len() as u32
    }

    /// The slot of a hash.
    #[inline]
    pub(super) fn slot(&self, hash: KeyHash) -> usize {
        hash.slot(self.shift)
    }

    /// Notes that an item with this stamp came or went.
    #[inline]
    pub(super) fn turn(&self, hash: KeyHash, stamp: Stamp) {
        self.change(hash, mix(hash, stamp));
    }

    /// Notes that one stamp took another's place.
    #[inline]
    pub(super) fn replace(&self, hash: KeyHash, old: Stamp, new: Stamp) {
        if old != new {
            self.change(hash, mix(hash, old) ^ mix(hash, new));
        }
    }

    #[inline]
    fn change(&self, hash: KeyHash, by: u64) {
        self.slots[self.slot(hash)].fetch_xor(by, Ordering::Relaxed);
    }

    pub(super) fn of_slot(&self, slot: usize) -> Option<u64> {
        Some(self.slots.get(slot)?.load(Ordering::Relaxed))
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.len() * 8
    }
}

/// Two rounds of a multiplication folded in half: items that differ in one bit
/// of hash or version differ in half of the bits here.
#[inline]
fn mix(hash: KeyHash, stamp: Stamp) -> u64 {
    fold(fold(hash.0, 0x9e37_79b9_7f4a_7c15) ^ stamp.0, 0xd6e8_feb8_6659_fd93)
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a ^ b) * u128::from(b);
    (wide >> 64) as u64 ^ wide as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: KeyHash = KeyHash(0x1234_5678_9abc_def0);
    const SLOT: usize = 0x1234;

    #[test]
    fn what_comes_and_goes_leaves_nothing() {
        let digests = Digests::new(16);
        digests.turn(HASH, Stamp(5));
        assert_ne!(digests.of_slot(SLOT), Some(0));
        digests.replace(HASH, Stamp(5), Stamp(6));
        digests.turn(HASH, Stamp(6));
        assert_eq!(digests.of_slot(SLOT), Some(0));
        assert_eq!(digests.of_slot(1 << 16), None);
    }

    #[test]
    fn who_has_won_counts() {
        let stamp = |won| Stamp::of(Version(5), Standing { won, ..Standing::default() });
        assert_ne!(mix(HASH, stamp(true)), mix(HASH, stamp(false)));
    }

    #[test]
    fn hash_and_version_both_count() {
        let mut seen = std::collections::BTreeSet::new();
        for low in 0..100 {
            for version in 0..100 {
                assert!(seen.insert(mix(KeyHash(low), Stamp(version))));
            }
        }
    }
}
