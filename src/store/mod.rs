//! This node's memory: items in segments, an index of them, eviction, expiry
//! and slot digests. It knows nothing of protocols, peers or owners.
//!
//! A read hashes nothing and takes two locks in common with all other readers:
//! the index's shard, while which is held the item stays where it is, and the
//! segment. A write takes the lock of the key's stripe first, so a key is
//! changed by one thread at a time. No lock is held over anything that waits.

mod apart;
mod arena;
mod compose;
mod crawl;
mod digest;
mod evictions;
mod figures;
mod found;
mod ghost;
mod index;
mod list;
mod merge;
mod overwrite;
mod pool;
mod purge;
mod queue;
mod reclaim;
mod record;
mod shared;
mod shed;
mod stripe;
mod walk;

pub use apart::SharedValue;
pub use evictions::Evicted;
pub use figures::{Crawled, Figures};
pub use found::Found;
pub use purge::Purged;
pub use record::VALUE_BYTES_MAX;
pub use walk::{FullWalk, WalkFrom};

use crate::item::{Copied, Key, Now, Op, Outcome, Version};
use crate::limits::{FLUSH_AHEAD_MS, STORE_BYTES_MIN, STRIPE_BYTES_MIN, STRIPES_MAX};
use crate::ring::KeyHash;
use arena::Place;
use crawl::Crawler;
use record::{KeyRoom, Record};
use shared::Shared;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use stripe::{Request, Stripe, found};

/// What a store is made for.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Bytes that the store may take, all counted.
    pub memory: u64,
    /// Bytes of the largest item.
    pub item_bytes_max: usize,
    /// The cluster's seed: keys that move within the store are hashed again.
    pub seed: u64,
    /// Digests are kept for so many slots, as a power of two.
    pub slot_bits: u8,
    /// The lowest bits go into every version.
    pub node: u64,
    /// Whether items may be evicted to make room for others.
    pub evicts: bool,
}

/// This node's memory.
#[derive(Debug)]
pub struct Store {
    stripes: Box<[Padded]>,
    shared: Shared,
    item_bytes_max: usize,
    memory: AtomicU64,
    /// The millisecond at which everything is to be flushed; zero: none.
    flush_at_ms: AtomicU64,
    crawler: Mutex<Crawler>,
}

/// What became of an item that another node sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// It is there now.
    Taken,
    /// What was there is as new, or newer.
    Older,
    /// There is no room for it.
    NoRoom,
    /// Its stamp is of a clock that is far ahead.
    Ahead,
}

/// What a reader finds.
enum Looked<R> {
    Found(R),
    Nothing,
    /// An item that may not be seen any more, and is to be cleared away.
    Gone,
}

/// Locks that are taken by different threads at once do not share a line.
#[derive(Debug)]
#[repr(align(128))]
struct Padded(Mutex<Stripe>);

/// Keys whose memory is waited for at once: more than a processor has loads
/// under way.
pub const PREFETCH_MAX: usize = 32;

/// The part of the memory (1 / 32) that is left to the allocator: what the index
/// gave back stays with it in pieces, and counts as this process's all the same.
const KEPT_BACK_PART: usize = 32;

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new(config: &StoreConfig, now: Now) -> Self {
        let memory = config.memory.max(STORE_BYTES_MIN);
        let stripes = stripes_for(memory, config.item_bytes_max);
        let shared = Shared::new(memory, stripes, config.slot_bits, config.seed, now);
        let store = Self {
            stripes: (0..stripes)
                .map(|number| Padded(Mutex::new(Stripe::new(number, config))))
                .collect(),
            shared,
            item_bytes_max: config.item_bytes_max,
            memory: AtomicU64::new(0),
            flush_at_ms: AtomicU64::new(0),
            crawler: Mutex::default(),
        };
        store.limit_memory(memory);
        store
    }

    /// Reads an item. `visit` runs while the item is held: it copies what it
    /// needs, and calls nothing that waits.
    #[inline]
    pub fn get<R>(
        &self,
        hash: KeyHash,
        key: Key<'_>,
        now: Now,
        visit: impl FnOnce(&Found<'_>) -> R,
    ) -> Option<R> {
        self.peek(hash, key, now, |found| {
            let answer = visit(found);
            found.record.note_read(self.shared.second(now));
            answer
        })
    }

    /// As [`Store::get`], but nobody will know that the item was read.
    #[inline]
    pub fn peek<R>(
        &self,
        hash: KeyHash,
        key: Key<'_>,
        now: Now,
        visit: impl FnOnce(&Found<'_>) -> R,
    ) -> Option<R> {
        self.flush_if_due(now);
        match self.look(hash, key, now, visit) {
            Looked::Found(answer) => Some(answer),
            Looked::Nothing => None,
            Looked::Gone => {
                self.stripe(hash).clear_gone(&self.shared, Request { hash, key, now, whole: None });
                None
            }
        }
    }

    /// Shows what is there under a hash, the stamp of a delete too.
    pub fn find(&self, hash: KeyHash, now: Now, visit: impl FnOnce(Key<'_>, &Found<'_>)) {
        let Some(held) = self.shared.index.hold(hash) else { return };
        let Some(segment) = self.shared.arena.segment(held.place().segment) else { return };
        let record = Record::at(&segment, held.place().word);
        if self.shared.hash(record) == hash && !self.shared.is_gone(record, now) {
            visit(record.key(&mut KeyRoom::new()), &found(&self.shared, record));
        }
    }

    #[inline]
    fn look<R>(
        &self,
        hash: KeyHash,
        key: Key<'_>,
        now: Now,
        visit: impl FnOnce(&Found<'_>) -> R,
    ) -> Looked<R> {
        let Some(held) = self.shared.index.hold(hash) else { return Looked::Nothing };
        let place = held.place();
        let Some(segment) = self.shared.arena.segment(place.segment) else {
            return Looked::Nothing;
        };
        let record = Record::at(&segment, place.word);
        if !record.has_key(key) {
            return Looked::Nothing;
        }
        if self.shared.is_gone(record, now) {
            return Looked::Gone;
        }
        if record.is_tombstone() {
            return Looked::Nothing;
        }
        Looked::Found(visit(&found(&self.shared, record)))
    }

    /// Brings what requests for these keys will look at nearer to the processor.
    /// A request waits for memory three times in a row; here many wait at once,
    /// so that a hundred reads after this take less than half the time.
    pub fn prefetch(&self, hashes: &[KeyHash]) {
        const NOWHERE: Place = Place { segment: u32::MAX, word: 0 };
        let mut places = [NOWHERE; PREFETCH_MAX];
        for hashes in hashes.chunks(PREFETCH_MAX) {
            for (place, hash) in places.iter_mut().zip(hashes) {
                *place = self.shared.index.place(*hash).unwrap_or(NOWHERE);
            }
            for place in &places[..hashes.len()] {
                self.shared.arena.prefetch(*place);
            }
        }
    }

    /// Does what `op` asks. `visit` gets the item as it is afterwards, if there
    /// is one, while it is held.
    pub fn apply<R>(
        &self,
        hash: KeyHash,
        key: Key<'_>,
        now: Now,
        op: &Op<'_>,
        visit: impl FnOnce(Outcome, Option<&Found<'_>>) -> R,
    ) -> R {
        self.apply_shared(hash, key, now, op, None, visit)
    }

    /// As [`Store::apply`]. Where the value that `op` writes is `whole`, all of
    /// it, and large enough to have memory of its own, it is kept as it is
    /// instead of copied.
    pub fn apply_shared<R>(
        &self,
        hash: KeyHash,
        key: Key<'_>,
        now: Now,
        op: &Op<'_>,
        whole: Option<&SharedValue>,
        visit: impl FnOnce(Outcome, Option<&Found<'_>>) -> R,
    ) -> R {
        self.flush_if_due(now);
        self.stripe(hash).apply(&self.shared, Request { hash, key, now, whole }, op, visit)
    }

    /// Memory for a large value on its way in, of just so many bytes, whatever is in
    /// them. It may come back by [`Store::share`] or [`Store::take_back`].
    #[must_use]
    pub fn room(&self, bytes: usize) -> Vec<u8> {
        self.shared.pool.take(bytes)
    }

    /// A large value that may be kept as it is.
    #[must_use]
    pub fn share(&self, bytes: Vec<u8>) -> SharedValue {
        SharedValue::new(bytes, &self.shared.pool)
    }

    /// Takes memory of a large value back that is not kept here.
    pub fn take_back(&self, bytes: Vec<u8>) {
        self.shared.pool.give(bytes);
    }

    /// Takes an item as another node has it, unless what is here is newer.
    pub fn merge(&self, hash: KeyHash, key: Key<'_>, now: Now, copied: &Copied<'_>) -> Merged {
        self.flush_if_due(now);
        let request = Request { hash, key, now, whole: None };
        self.stripe(hash).merge(&self.shared, request, copied)
    }

    /// The version of what is there, or of what is known to be gone.
    pub fn version(&self, hash: KeyHash, key: Key<'_>, now: Now) -> Version {
        // A flush that is due asks every stripe: none may be held by then.
        self.flush_if_due(now);
        let request = Request { hash, key, now, whole: None };
        let _held = self.stripe(hash);
        merge::version_of(&self.shared, request).0.max(self.shared.floor())
    }

    /// Slots that there are digests of.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.shared.digests.slots()
    }

    /// From now on a delete leaves a tombstone, for copies that miss it.
    pub fn keep_tombstones(&self) {
        self.shared.keep_tombstones();
    }

    /// The stripe of a key: by bits that neither the slot nor the index's shard
    /// is taken from.
    #[inline]
    fn stripe(&self, hash: KeyHash) -> MutexGuard<'_, Stripe> {
        let number = hash.0 >> 8 & (self.stripes.len() as u64 - 1);
        lock(&self.stripes[number as usize])
    }

    /// Makes all that was written up to `at` unreadable, from `at` on. Of two
    /// moments to come, the later call counts.
    ///
    /// The greatest version that is gone, if it is done at once.
    pub fn flush(&self, at: Now, now: Now) -> Option<Version> {
        if at > now {
            self.flush_at_ms.store(at.unix_ms(), Ordering::Release);
            return None;
        }
        self.flush_at_ms.store(0, Ordering::Release);
        Some(self.flush_now(now))
    }

    /// When everything is to be flushed, if that is still to come.
    #[must_use]
    pub fn flush_to_come(&self) -> Option<Now> {
        Some(self.flush_at_ms.load(Ordering::Acquire)).filter(|&at| at != 0).map(Now::from_unix_ms)
    }

    /// What was written up to this version is gone, whoever flushed it.
    pub fn flush_floor(&self, now: Now) -> Version {
        self.flush_if_due(now);
        self.shared.floor()
    }

    #[inline]
    fn flush_if_due(&self, now: Now) {
        let at = self.flush_at_ms.load(Ordering::Relaxed);
        if at != 0 && at <= now.unix_ms() {
            self.flush_due(at, now);
        }
    }

    #[cold]
    fn flush_due(&self, at: u64, now: Now) {
        let taken = self.flush_at_ms.compare_exchange(at, 0, Ordering::AcqRel, Ordering::Relaxed);
        if taken.is_ok() {
            self.flush_now(now);
        }
    }

    /// The floor is raised only after every clock is above it: what is written
    /// after this call has a greater version.
    fn flush_now(&self, now: Now) -> Version {
        let end_of = |unix_ms| Version::end_of(Now::from_unix_ms(unix_ms));
        let last = self.stripes.iter().map(|stripe| lock(stripe).clock.last()).max();
        let last = last.unwrap_or(Version::ZERO);
        let mut floor = end_of(now.unix_ms()).max(last);
        if self.shared.keeps_tombstones() {
            // Other nodes' clocks may be ahead of this one's; and after a flush they are ahead
            // of all clocks: what they wrote since has the stamps that follow it. Who
            // flushes all the time is not to drive them on and on.
            let ahead = now.unix_ms() + FLUSH_AHEAD_MS;
            let since = (last.unix_ms() + 1).min(ahead + FLUSH_AHEAD_MS);
            floor = floor.max(end_of(ahead.max(since)));
        }
        self.raise_floor(floor);
        floor
    }

    /// Makes all unreadable that was written up to this version, here and on
    /// other nodes.
    pub fn raise_floor(&self, floor: Version) {
        if floor <= self.shared.floor() {
            return;
        }
        for stripe in &self.stripes {
            lock(stripe).clock.observe(floor);
        }
        self.shared.raise_floor(floor);
    }

    /// The items evicted since the last call, or the last of them; and whether
    /// those to come are to be kept for the next call.
    pub fn evicted(&self, and_on: bool) -> impl Iterator<Item = Evicted> + use<> {
        self.shared.evictions.want(and_on);
        self.shared.evictions.take().into_iter()
    }

    /// What there is and what was done.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let memory_limit = self.memory.load(Ordering::Relaxed);
        let mut figures = Figures { memory_limit, ..Figures::default() };
        figures.memory = self.shared.digests.bytes() as u64;
        figures.index_bytes = self.shared.weigh_index() as u64;
        for stripe in &self.stripes {
            let stripe = lock(stripe);
            let counts = &stripe.counts;
            figures.items += stripe.items as u64;
            figures.total_items += counts.total;
            figures.bytes += stripe.item_memory() as u64;
            figures.memory += stripe.memory(&self.shared) as u64;
            figures.segments += stripe.owned() as u64;
            figures.evicted += counts.evicted;
            figures.evicted_unfetched += counts.evicted_unfetched;
            figures.expired += counts.expired;
            figures.expired_unfetched += counts.expired_unfetched;
            figures.looked_at += counts.looked_at;
            figures.crawled += counts.crawled;
            figures.reads_expired += counts.reads_expired;
            figures.reads_flushed += counts.reads_flushed;
        }
        figures
    }

    /// Whether anything went, or did not come, for want of room since this was last asked.
    pub fn take_lacks_room(&self) -> bool {
        self.shared.take_lacks_room()
    }

    /// The digest of a slot: equal on two nodes that have the same items there.
    #[must_use]
    pub fn digest(&self, slot: usize) -> Option<u64> {
        self.shared.digests.of_slot(slot)
    }

    /// Bytes of the largest item.
    #[must_use]
    pub fn item_bytes_max(&self) -> usize {
        self.item_bytes_max
    }

    /// Bytes that an item of this key and value would take, for the comparison
    /// with [`Store::item_bytes_max`].
    #[must_use]
    pub fn item_bytes(key: Key<'_>, value_len: usize) -> usize {
        stripe::item_bytes(key.bytes().len(), value_len)
    }

    /// Bytes to which [`Store::limit_memory`] may go down: each stripe must still
    /// take the largest item beside a few segments. What a store was made for says
    /// how many stripes it has.
    #[must_use]
    pub fn memory_min(&self) -> u64 {
        let stripe = 2 * self.item_bytes_max + 6 * arena::SEGMENT_BYTES;
        let all = stripe * self.stripes.len() + self.shared.digests.bytes();
        (all + all / (KEPT_BACK_PART - 1)) as u64
    }

    /// Changes the bytes the store may take. What is too much goes bit by bit, with
    /// the writes to come and with the crawler.
    pub fn limit_memory(&self, bytes: u64) {
        self.memory.store(bytes, Ordering::Relaxed);
        self.shared.pool.limit(bytes);
        let kept_back = bytes as usize / KEPT_BACK_PART + self.shared.digests.bytes();
        let for_items = (bytes as usize).saturating_sub(kept_back);
        for stripe in &self.stripes {
            lock(stripe).share = for_items / self.stripes.len();
        }
    }
}

fn lock(stripe: &Padded) -> MutexGuard<'_, Stripe> {
    stripe.0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As many stripes as have enough memory each to judge items well and to take
/// the largest item.
fn stripes_for(memory: u64, item_bytes_max: usize) -> u32 {
    let least = STRIPE_BYTES_MIN.max(4 * item_bytes_max as u64);
    let stripes = (memory / least).clamp(1, u64::from(STRIPES_MAX));
    1 << stripes.ilog2()
}
