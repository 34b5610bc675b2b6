//! Segments: the memory that items live in.
//!
//! All segments are alike, so what one workload leaves another can use: memory
//! is never fragmented by the sizes of values.

use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard};

/// Words of a segment: 256 KiB. A place in it is then 16 bits.
pub(super) const SEGMENT_WORDS: usize = 1 << WORD_BITS;
const WORD_BITS: u32 = 16;

/// Words of a segment of a stripe that has little: 8 KiB.
pub(super) const SMALL_SEGMENT_WORDS: usize = 1 << 11;

/// Bytes of a segment with what it costs to keep it: a malloc header that takes
/// a page of its own.
pub(super) const SEGMENT_BYTES: usize = SEGMENT_WORDS * 4 + 4096;

/// Where a record is: which segment, and at which of its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) segment: u32,
    pub(super) word: u32,
}

impl Place {
    pub(super) fn new(segment: u32, word: u32) -> Self {
        Self { segment, word }
    }

    #[inline]
    pub(super) fn from_bytes(bytes: [u8; 5]) -> Self {
        let mut wide = [0; 8];
        wide[..5].copy_from_slice(&bytes);
        let wide = u64::from_le_bytes(wide);
        Self { segment: (wide >> WORD_BITS) as u32, word: wide as u32 & (SEGMENT_WORDS as u32 - 1) }
    }

    #[inline]
    pub(super) fn to_bytes(self) -> [u8; 5] {
        let wide = u64::from(self.segment) << WORD_BITS | u64::from(self.word);
        let mut bytes = [0; 5];
        bytes.copy_from_slice(&wide.to_le_bytes()[..5]);
        bytes
    }
}

/// One segment. Records are appended to it by the one stripe that owns it and
/// read by everyone; a word is an atomic because both happen at once. What
/// orders them is the index: a record is found there only after it was written
/// whole, it is overwritten only while its shard there is held alone, and a
/// segment is used again only after none of its records can be found.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) words: Box<[AtomicU32]>,
    /// Which stripe owns it.
    pub(super) stripe: u32,
    /// Words written so far.
    pub(super) filled: AtomicU32,
    /// Words of records that are not dead.
    pub(super) live: AtomicU32,
    /// No record here is over before this second. `u32::MAX`: none ever is.
    pub(super) over_from_s: AtomicU32,
    /// Whether it belongs to the main queue, or to the small one.
    pub(super) main: AtomicU32,
    /// Another number with each use, of this segment and of those that have its
    /// number after it: whoever remembers a place in it can tell that it means
    /// something else now.
    pub(super) uses: AtomicU32,
}

impl Segment {
    fn new(stripe: u32, words: usize) -> Self {
        Self {
            // Zeros as the system gives them: what is not written is not resident.
            words: bytemuck::zeroed_slice_box(words),
            stripe,
            filled: AtomicU32::new(0),
            live: AtomicU32::new(0),
            over_from_s: AtomicU32::new(u32::MAX),
            main: AtomicU32::new(0),
            uses: AtomicU32::new(next_use()),
        }
    }

    /// Bytes that it takes, with what it costs to keep it.
    pub(super) fn bytes(&self) -> usize {
        SEGMENT_BYTES * self.words.len() / SEGMENT_WORDS
    }

    /// Whether so many words more go into it.
    #[inline]
    pub(super) fn has_room(&self, words: usize) -> bool {
        self.filled() as usize + words <= self.words.len()
    }

    /// Makes it empty. None of its records may be in the index any more.
    pub(super) fn clear(&self) {
        self.filled.store(0, Ordering::Relaxed);
        self.live.store(0, Ordering::Relaxed);
        self.over_from_s.store(u32::MAX, Ordering::Relaxed);
        self.uses.store(next_use(), Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn filled(&self) -> u32 {
        self.filled.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn live(&self) -> u32 {
        self.live.load(Ordering::Relaxed)
    }

    /// Counts words of records that came or, negative, went. Only the owning
    /// stripe does, so a load and a store are enough.
    #[inline]
    pub(super) fn count_live(&self, words: i64) {
        let live = i64::from(self.live()) + words;
        debug_assert!(live >= 0, "more words died than lived");
        self.live.store(live as u32, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn is_main(&self) -> bool {
        self.main.load(Ordering::Relaxed) != 0
    }
}

/// The uses of all segments, counted together; none is number zero, which a walk
/// begins with.
fn next_use() -> u32 {
    static USES: AtomicU32 = AtomicU32::new(1);
    USES.fetch_add(1, Ordering::Relaxed)
}

type Slot = RwLock<Option<Arc<Segment>>>;

/// Words of a line of the processor's caches, and lines worth loading ahead: the
/// processor itself goes on with the lines after them.
const LINE_WORDS: usize = 16;
const LINES_PREFETCHED: usize = 3;

/// Segments of one block of the table.
const BLOCK: usize = 1 << 10;
/// With so many blocks the table reaches 4 TiB, all that a place can say.
const BLOCKS: usize = (1 << 24) / BLOCK;

/// All segments, by number. A slot's lock is held in common by those who read
/// or append and alone only by who gives the memory back, once no record in it
/// can be found.
#[derive(Debug)]
pub(super) struct Arena {
    blocks: Box<[OnceLock<Box<[Slot]>>]>,
    numbers: Mutex<Numbers>,
}

/// Which numbers are in use.
#[derive(Debug, Default)]
struct Numbers {
    next: u32,
    free: Vec<u32>,
}

/// A segment that stays while this is held.
pub(super) struct InUse<'a>(RwLockReadGuard<'a, Option<Arc<Segment>>>);

impl Deref for InUse<'_> {
    type Target = Segment;

    #[inline]
    fn deref(&self) -> &Segment {
        self.0.as_deref().expect("an empty slot is not held")
    }
}

impl InUse<'_> {
    /// The segment for its owner, who alone can give it back.
    #[inline]
    pub(super) fn share(&self) -> Arc<Segment> {
        self.0.clone().expect("an empty slot is not held")
    }
}

impl Arena {
    pub(super) fn new() -> Self {
        Self { blocks: (0..BLOCKS).map(|_| OnceLock::new()).collect(), numbers: Mutex::default() }
    }

    /// Numbers given out so far: no segment has a greater one.
    pub(super) fn numbers(&self) -> u32 {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).next
    }

    /// A new segment of so many words; none where all numbers are taken.
    pub(super) fn take(&self, stripe: u32, words: usize) -> Option<(u32, Arc<Segment>)> {
        let number = self.number()?;
        let block = self.blocks[number as usize / BLOCK]
            .get_or_init(|| (0..BLOCK).map(|_| RwLock::new(None)).collect());
        let segment = Arc::new(Segment::new(stripe, words));
        let mut slot =
            block[number as usize % BLOCK].write().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(Arc::clone(&segment));
        Some((number, segment))
    }

    fn number(&self) -> Option<u32> {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = numbers.free.pop() {
            return Some(number);
        }
        let number = numbers.next;
        ((number as usize) < BLOCKS * BLOCK).then(|| {
            numbers.next += 1;
            number
        })
    }

    /// Gives the memory of a segment back.
    pub(super) fn give_back(&self, number: u32) {
        if let Some(slot) = self.slot(number) {
            *slot.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).free.push(number);
    }

    #[inline]
    fn slot(&self, number: u32) -> Option<&Slot> {
        let block = self.blocks.get(number as usize / BLOCK)?.get()?;
        Some(&block[number as usize % BLOCK])
    }

    /// Begins to load the record at a place, as far as there is one: another may
    /// have come there since the index was asked.
    #[inline]
    pub(super) fn prefetch(&self, place: Place) {
        let Some(segment) = self.segment(place.segment) else { return };
        let Some(words) = segment.words.get(place.word as usize..) else { return };
        let lines = words.iter().step_by(LINE_WORDS);
        for word in lines.take(LINES_PREFETCHED) {
            std::hint::black_box(word.load(Ordering::Relaxed));
        }
    }

    /// The segment of this number, if there is one.
    #[inline]
    pub(super) fn segment(&self, number: u32) -> Option<InUse<'_>> {
        let slot = self.slot(number)?.read().unwrap_or_else(PoisonError::into_inner);
        slot.is_some().then_some(InUse(slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_forty_bits() {
        for place in [Place::new(0, 0), Place::new(0xff_ffff, 0xffff), Place::new(70_000, 3)] {
            assert_eq!(Place::from_bytes(place.to_bytes()), place);
        }
    }

    #[test]
    fn numbers_are_used_again() {
        let arena = Arena::new();
        let (first, _) = arena.take(0, SEGMENT_WORDS).unwrap();
        let (second, _) = arena.take(0, SMALL_SEGMENT_WORDS).unwrap();
        assert_ne!(first, second);
        arena.give_back(first);
        assert!(arena.segment(first).is_none());
        assert!(arena.segment(second).is_some());
        assert_eq!(arena.take(1, SEGMENT_WORDS).unwrap().0, first);
        assert_eq!(arena.numbers(), 2);
    }
}
