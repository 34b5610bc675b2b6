//! One item as words in a segment.
//!
//! | words | what |
//! |---|---|
//! | 1 | shape: bytes of key and value, which of the words below are there, standing, whether it is dead, whether it is a tombstone |
//! | 1 | access: second of the last use, whether it was ever read, how often lately |
//! | 2 | version |
//! | 0 or 1 | expiry, if it has one |
//! | 0 or 1 | client flags, if not 0 |
//! | 0 or 2 | the client's own token, if it chose one |
//! | 0 or 1 | number of the large value, if it is kept apart |
//! | … | key, filled up to a word |
//! | … | value, filled up to a word, unless it is kept apart |

use super::arena::Segment;
use crate::item::{Expiry, Key, Meta, Standing, Version};
use crate::limits::KEY_BYTES_MAX;
use std::sync::atomic::{AtomicU32, Ordering};

const KEY_LEN: u32 = 0xff;
const VALUE_SHIFT: u32 = 8;
const VALUE_LEN: u32 = 0xffff;
const HAS_EXPIRY: u32 = 1 << 24;
const HAS_FLAGS: u32 = 1 << 25;
const HAS_CAS: u32 = 1 << 26;
const APART: u32 = 1 << 27;
const STALE: u32 = 1 << 28;
const WON: u32 = 1 << 29;
const DEAD: u32 = 1 << 30;
const TOMBSTONE: u32 = 1 << 31;

const USES: u32 = 0b11;
/// Uses that are counted, at most.
pub(super) const USES_MAX: u32 = USES;
const FETCHED: u32 = 0b100;
const SECOND_SHIFT: u32 = 3;

/// Bytes of the longest value that lives in a segment. Longer ones are kept
/// apart, where they are sent from without a copy.
pub const VALUE_BYTES_MAX: usize = VALUE_LEN as usize;

const HEAD_WORDS: usize = 4;
/// The longest record must leave a segment room for several.
const _: () = assert!(
    HEAD_WORDS + 5 + KEY_BYTES_MAX.div_ceil(4) + VALUE_BYTES_MAX.div_ceil(4)
        <= super::arena::SEGMENT_WORDS / 3
);

/// Where the value of a record is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Payload<'a> {
    Here(&'a [u8]),
    /// Kept apart, under this number.
    Apart(u32),
}

/// A record to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewRecord<'a> {
    pub(super) key: Key<'a>,
    pub(super) version: Version,
    pub(super) expiry: Expiry,
    pub(super) flags: u32,
    pub(super) cas: Option<u64>,
    pub(super) standing: Standing,
    pub(super) payload: Payload<'a>,
    /// It is the stamp of a delete and no item.
    pub(super) tombstone: bool,
    /// The second it is written, since the store's first.
    pub(super) second: u32,
    /// How often the item it replaces was used lately.
    pub(super) uses: u32,
    /// Whether it counts as read, as the item did that it replaces.
    pub(super) fetched: bool,
}

impl NewRecord<'_> {
    /// Words that it takes.
    pub(super) fn words(&self) -> usize {
        let value = match self.payload {
            Payload::Here(value) => value.len(),
            Payload::Apart(_) => 0,
        };
        body_start(self.shape()) + self.key.bytes().len().div_ceil(4) + value.div_ceil(4)
    }

    fn shape(&self) -> u32 {
        let (value_len, apart) = match self.payload {
            Payload::Here(value) => (value.len() as u32, 0),
            Payload::Apart(_) => (0, APART),
        };
        let set = |bit: u32, on: bool| if on { bit } else { 0 };
        self.key.bytes().len() as u32
            | value_len << VALUE_SHIFT
            | apart
            | set(HAS_EXPIRY, self.expiry != Expiry::Never)
            | set(HAS_FLAGS, self.flags != 0)
            | set(HAS_CAS, self.cas.is_some())
            | set(STALE, self.standing.stale)
            | set(WON, self.standing.won)
            | set(TOMBSTONE, self.tombstone)
    }

    /// Whether its value is kept apart.
    pub(super) fn is_apart(&self) -> bool {
        matches!(self.payload, Payload::Apart(_))
    }

    /// Writes it into words that nobody reads meanwhile.
    pub(super) fn write(&self, words: &[AtomicU32]) {
        let shape = self.shape();
        let mut at = 0;
        let mut put = |word: u32| {
            words[at].store(word, Ordering::Relaxed);
            at += 1;
        };
        put(shape);
        let fetched = if self.fetched { FETCHED } else { 0 };
        put(self.second << SECOND_SHIFT | fetched | self.uses);
        put(self.version.0 as u32);
        put((self.version.0 >> 32) as u32);
        if shape & HAS_EXPIRY != 0 {
            put(self.expiry.to_word());
        }
        if shape & HAS_FLAGS != 0 {
            put(self.flags);
        }
        if let Some(cas) = self.cas {
            put(cas as u32);
            put((cas >> 32) as u32);
        }
        if let Payload::Apart(number) = self.payload {
            put(number);
        }
        at += put_bytes(&words[at..], self.key.bytes());
        if let Payload::Here(value) = self.payload {
            put_bytes(&words[at..], value);
        }
    }
}

#[inline]
fn body_start(shape: u32) -> usize {
    let there = |bit: u32| (shape & bit != 0) as usize;
    HEAD_WORDS + there(HAS_EXPIRY) + there(HAS_FLAGS) + 2 * there(HAS_CAS) + there(APART)
}

/// Fills words with bytes, the last one up with zeros; says how many.
#[inline]
fn put_bytes(words: &[AtomicU32], bytes: &[u8]) -> usize {
    let (whole, rest) = bytes.as_chunks::<4>();
    let (words, after) = words.split_at(whole.len());
    for (word, bytes) in words.iter().zip(whole) {
        word.store(u32::from_le_bytes(*bytes), Ordering::Relaxed);
    }
    if rest.is_empty() {
        return whole.len();
    }
    after[0].store(last_word(rest), Ordering::Relaxed);
    whole.len() + 1
}

#[inline]
fn last_word(rest: &[u8]) -> u32 {
    rest.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte))
}

/// A record that is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    /// From its first word to the end of the segment.
    words: &'a [AtomicU32],
    shape: u32,
}

impl<'a> Record<'a> {
    #[inline]
    pub(super) fn at(segment: &'a Segment, word: u32) -> Self {
        let words = &segment.words[word as usize..];
        Self { words, shape: words[0].load(Ordering::Relaxed) }
    }

    #[inline]
    fn word(&self, index: usize) -> u32 {
        self.words[index].load(Ordering::Relaxed)
    }

    #[inline]
    fn key_len(&self) -> usize {
        (self.shape & KEY_LEN) as usize
    }

    #[inline]
    fn inline_len(&self) -> usize {
        (self.shape >> VALUE_SHIFT & VALUE_LEN) as usize
    }

    /// Words that it takes.
    #[inline]
    pub(super) fn words(&self) -> usize {
        body_start(self.shape) + self.key_len().div_ceil(4) + self.inline_len().div_ceil(4)
    }

    #[inline]
    pub(super) fn is_dead(&self) -> bool {
        self.shape & DEAD != 0
    }

    /// Whether it is the stamp of a delete and no item.
    #[inline]
    pub(super) fn is_tombstone(&self) -> bool {
        self.shape & TOMBSTONE != 0
    }

    /// Marks it as no longer an item. Other bits of the word are changed by the
    /// owning stripe too, and by nobody else.
    pub(super) fn kill(&self) {
        self.words[0].store(self.shape | DEAD, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn has_key(&self, key: Key<'_>) -> bool {
        let bytes = key.bytes();
        if bytes.len() != self.key_len() {
            return false;
        }
        let start = body_start(self.shape);
        let (whole, rest) = bytes.as_chunks::<4>();
        let words = &self.words[start..];
        let same = whole
            .iter()
            .zip(words)
            .all(|(bytes, word)| u32::from_le_bytes(*bytes) == word.load(Ordering::Relaxed));
        same && (rest.is_empty() || words[whole.len()].load(Ordering::Relaxed) == last_word(rest))
    }

    /// Its key, copied into `room`.
    pub(super) fn key<'k>(&self, room: &'k mut KeyRoom) -> Key<'k> {
        let start = body_start(self.shape);
        let len = self.key_len();
        let words = &self.words[start..start + len.div_ceil(4)];
        for (bytes, word) in room.0.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *bytes = word.load(Ordering::Relaxed).to_le_bytes();
        }
        Key::new(&room.0[..len]).expect("only checked keys are written")
    }

    #[inline]
    pub(super) fn version(&self) -> Version {
        Version(u64::from(self.word(2)) | u64::from(self.word(3)) << 32)
    }

    #[inline]
    pub(super) fn expiry(&self) -> Expiry {
        match self.shape & HAS_EXPIRY {
            0 => Expiry::Never,
            _ => Expiry::from_word(self.word(HEAD_WORDS)),
        }
    }

    /// Gives it another expiry, if it has room for one.
    pub(super) fn set_expiry(&self, expiry: Expiry) -> bool {
        if self.shape & HAS_EXPIRY == 0 {
            return expiry == Expiry::Never;
        }
        self.words[HEAD_WORDS].store(expiry.to_word(), Ordering::Relaxed);
        true
    }

    /// Gives it another standing.
    pub(super) fn set_standing(&mut self, standing: Standing) {
        let set = |bit: u32, on: bool| if on { bit } else { 0 };
        self.shape &= !(STALE | WON);
        self.shape |= set(STALE, standing.stale) | set(WON, standing.won);
        self.words[0].store(self.shape, Ordering::Relaxed);
    }

    pub(super) fn standing(&self) -> Standing {
        Standing { stale: self.shape & STALE != 0, won: self.shape & WON != 0 }
    }

    pub(super) fn flags(&self) -> u32 {
        match self.shape & HAS_FLAGS {
            0 => 0,
            _ => self.word(HEAD_WORDS + (self.shape & HAS_EXPIRY != 0) as usize),
        }
    }

    pub(super) fn own_cas(&self) -> Option<u64> {
        let at = body_start(self.shape & (HAS_EXPIRY | HAS_FLAGS));
        (self.shape & HAS_CAS != 0)
            .then(|| u64::from(self.word(at)) | u64::from(self.word(at + 1)) << 32)
    }

    /// The number of a value that is kept apart.
    #[inline]
    pub(super) fn apart(&self) -> Option<u32> {
        (self.shape & APART != 0).then(|| self.word(body_start(self.shape) - 1))
    }

    /// All but its key and value. Seconds count from `first_s` on.
    #[inline]
    pub(super) fn meta(&self, first_s: u32) -> Meta {
        let version = self.version();
        let access = self.word(1);
        Meta {
            flags: self.flags(),
            expiry: self.expiry(),
            version,
            cas: self.own_cas().unwrap_or(version.0),
            standing: self.standing(),
            fetched: access & FETCHED != 0,
            accessed_s: first_s.saturating_add(access >> SECOND_SHIFT),
        }
    }

    /// Bytes of a value that is here.
    #[inline]
    pub(super) fn value_len(&self) -> usize {
        self.inline_len()
    }

    /// Copies a value that is here to the end of `out`.
    #[inline]
    pub(super) fn append_value(&self, out: &mut Vec<u8>) {
        let start = body_start(self.shape) + self.key_len().div_ceil(4);
        let len = self.inline_len();
        let words = &self.words[start..start + len.div_ceil(4)];
        let end = out.len() + len;
        out.reserve(words.len() * 4);
        let (blocks, rest) = words.as_chunks::<8>();
        for block in blocks {
            let bytes: [[u8; 4]; 8] =
                std::array::from_fn(|at| block[at].load(Ordering::Relaxed).to_le_bytes());
            out.extend_from_slice(bytes.as_flattened());
        }
        for word in rest {
            out.extend_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        out.truncate(end);
    }

    /// How often it was used lately, up to 3.
    #[inline]
    pub(super) fn uses(&self) -> u32 {
        self.word(1) & USES
    }

    pub(super) fn is_fetched(&self) -> bool {
        self.word(1) & FETCHED != 0
    }

    /// Notes that it was read. Two who read at once may note it once: what it
    /// decides is only who is evicted.
    #[inline]
    pub(super) fn note_read(&self, second: u32) {
        let old = self.word(1);
        let uses = (old & USES).saturating_add(1).min(USES);
        let new = second << SECOND_SHIFT | FETCHED | uses;
        if new != old {
            self.words[1].store(new, Ordering::Relaxed);
        }
    }

    /// Copies it to other words, with another count of uses.
    pub(super) fn copy_to(&self, to: &[AtomicU32], uses: u32) {
        for (to, from) in to.iter().zip(&self.words[..self.words()]) {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        let access = self.word(1) & !USES | uses;
        to[1].store(access, Ordering::Relaxed);
    }
}

/// Room for the longest key, in whole words.
pub(super) struct KeyRoom([u8; KEY_BYTES_MAX.next_multiple_of(4)]);

impl KeyRoom {
    pub(super) fn new() -> Self {
        Self([0; KEY_BYTES_MAX.next_multiple_of(4)])
    }
}
