//! What all stripes of a store share.

use super::apart::Apart;
use super::arena::{Arena, Place};
use super::digest::Digests;
use super::evictions::Evictions;
use super::index::{BYTES_PER_ITEM, Index};
use super::pool::Pool;
use super::record::{KeyRoom, Record};
use crate::item::{Now, Version};
use crate::ring::KeyHash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) index: Index,
    pub(super) arena: Arena,
    pub(super) apart: Apart,
    pub(super) pool: Arc<Pool>,
    pub(super) digests: Digests,
    pub(super) evictions: Evictions,
    /// The cluster's: keys that move within the store are hashed again.
    pub(super) seed: u64,
    /// Records count seconds from here.
    pub(super) first_s: u32,
    /// The number of stripes, as a power of two.
    stripe_bits: u32,
    /// Bytes of the index that fall to each stripe, as last weighed.
    index_share: AtomicUsize,
    /// What was written up to this version is gone.
    floor: AtomicU64,
    /// Raised with each flush.
    flushes: AtomicU64,
    /// How many items have moved to another place, ever.
    moved: AtomicU64,
    /// A delete leaves a tombstone.
    tombstones: AtomicBool,
    /// Since somebody last asked, something went or did not come for want of room.
    lacks_room: AtomicBool,
}

impl Shared {
    pub(super) fn new(memory: u64, stripes: u32, slot_bits: u8, seed: u64, now: Now) -> Self {
        Self {
            index: Index::new(memory),
            arena: Arena::new(),
            apart: Apart::default(),
            pool: Arc::default(),
            digests: Digests::new(slot_bits),
            evictions: Evictions::default(),
            seed,
            first_s: now.unix_s(),
            stripe_bits: stripes.ilog2(),
            index_share: AtomicUsize::new(0),
            floor: AtomicU64::new(0),
            flushes: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            tombstones: AtomicBool::new(false),
            lacks_room: AtomicBool::new(false),
        }
    }

    /// The hash of a record's key, which the record does not keep.
    pub(super) fn hash(&self, record: Record<'_>) -> KeyHash {
        KeyHash::new(self.seed, record.key(&mut KeyRoom::new()).bytes())
    }

    /// The hash of the key of what is at a place.
    pub(super) fn hash_at(&self, place: Place) -> Option<KeyHash> {
        let segment = self.arena.segment(place.segment)?;
        Some(self.hash(Record::at(&segment, place.word)))
    }

    #[inline]
    pub(super) fn second(&self, now: Now) -> u32 {
        now.unix_s().saturating_sub(self.first_s)
    }

    pub(super) fn keep_tombstones(&self) {
        self.tombstones.store(true, Ordering::Relaxed);
    }

    pub(super) fn keeps_tombstones(&self) -> bool {
        self.tombstones.load(Ordering::Relaxed)
    }

    /// Something goes, or does not come, for want of room.
    #[inline]
    pub(super) fn lack_room(&self) {
        // It is read by all who evict, and written once.
        if !self.lacks_room.load(Ordering::Relaxed) {
            self.lacks_room.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn take_lacks_room(&self) -> bool {
        self.lacks_room.swap(false, Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn is_flushed(&self, version: Version) -> bool {
        version.0 <= self.floor.load(Ordering::Acquire)
    }

    /// Whether an item may not be seen any more.
    #[inline]
    pub(super) fn is_gone(&self, record: Record<'_>, now: Now) -> bool {
        record.expiry().is_over(now) || self.is_flushed(record.version())
    }

    /// Weighs the index, which each stripe has a share of; says how many bytes it
    /// takes.
    pub(super) fn weigh_index(&self) -> usize {
        let bytes = self.index.bytes();
        self.index_share.store(bytes >> self.stripe_bits, Ordering::Relaxed);
        bytes
    }

    /// Bytes of the index that a stripe with so many items answers for.
    pub(super) fn index_share(&self, items: usize) -> usize {
        self.index_share.load(Ordering::Relaxed).max(items * BYTES_PER_ITEM)
    }

    /// Bytes that wait for large values to come, as they fall to each stripe.
    pub(super) fn pool_share(&self) -> usize {
        self.pool.bytes() >> self.stripe_bits
    }

    pub(super) fn floor(&self) -> Version {
        Version(self.floor.load(Ordering::Acquire))
    }

    pub(super) fn raise_floor(&self, floor: Version) {
        self.floor.fetch_max(floor.0, Ordering::AcqRel);
        self.flushes.fetch_add(1, Ordering::AcqRel);
    }

    /// An item has moved. Its stripe is locked.
    pub(super) fn count_moved(&self) {
        self.moved.fetch_add(1, Ordering::Release);
    }

    /// How many items have moved, ever.
    pub(super) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Acquire)
    }

    pub(super) fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::Acquire)
    }
}
