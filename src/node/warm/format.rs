//! What a warm file looks like, as bytes and words. Opens no file and asks no clock.
//!
//! | bytes | what |
//! |---|---|
//! | 64 | header: `ringwarm`, format, whose it is, when it was written, what was flushed, checksum |
//! | … | chunks |
//! | 16 | the end: the head of a chunk without anything in it |
//!
//! A chunk is its bytes and items (4 each), a checksum (8), and its items; one is the
//! head in [`ItemHead`], the key and the value. All numbers begin with their lowest byte.
//!
//! A checksum is seeded by that of the header and by the number of the chunk, so that
//! chunks of another file, or of another place in this one, do not fit.

use crate::item::{Copied, CopiedBody, Expiry, Key, Meta, Now, Standing, Version};
use crate::limits::KEY_BYTES_MAX;
use crate::ring::NodeId;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The first bytes of every warm file, whatever its format.
const MAGIC: [u8; 8] = *b"ringwarm";

/// The format that is written, and the only one that is read: a file lives for as long
/// as a restart takes.
const FORMAT: u32 = 1;

pub(super) const HEADER_BYTES: usize = 64;
pub(super) const CHUNK_HEAD_BYTES: usize = 16;
const ITEM_HEAD_BYTES: usize = 30;

/// Bytes of an item beside its value, at most.
pub(super) const BESIDE_VALUE_BYTES_MAX: usize = ITEM_HEAD_BYTES + KEY_BYTES_MAX;

const HAS_CLUSTER: u32 = 1;
const HAS_NODE: u32 = 2;

const TOMBSTONE: u8 = 1;
const STALE: u8 = 2;
const WON: u8 = 4;
const FETCHED: u8 = 8;
const SHAPES: u8 = TOMBSTONE | STALE | WON | FETCHED;

/// Whose memory it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::node) struct Owner {
    /// The fingerprint of the cluster's layout; none for a node alone, whose layout is
    /// another one with each start.
    pub(in crate::node) cluster: Option<u64>,
    /// None for a node whose identity was drawn.
    pub(in crate::node) node: Option<NodeId>,
}

/// What a file says before its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) owner: Owner,
    /// What was deleted or written elsewhere since then is not in it.
    pub(super) written: Now,
    /// What was written up to here is flushed.
    pub(super) floor: Version,
    /// A flush that was still to come.
    pub(super) flush_at: Option<Now>,
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoHeader {
    /// It is no warm file at all.
    Strange,
    /// There are too few of them.
    Cut,
    /// Of a format that is not known.
    Format(u32),
    /// They were changed.
    Damaged,
}

impl Header {
    pub(super) fn bytes(&self) -> [u8; HEADER_BYTES] {
        let Owner { cluster, node } = self.owner;
        let has = |bit: u32, is_there: bool| if is_there { bit } else { 0 };
        let has = has(HAS_CLUSTER, cluster.is_some()) | has(HAS_NODE, node.is_some());
        let words = [
            cluster.unwrap_or(0),
            node.map_or(0, |node| node.0),
            self.written.unix_ms(),
            self.floor.0,
            self.flush_at.map_or(0, Now::unix_ms),
        ];
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(has.to_le_bytes());
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend(xxh3_64(&bytes).to_le_bytes());
        bytes.try_into().expect("as long as it is said to be")
    }

    /// The header that a file begins with, given as many bytes as there are of it.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, NoHeader> {
        let magic = &bytes[..bytes.len().min(MAGIC.len())];
        if !MAGIC.starts_with(magic) {
            return Err(NoHeader::Strange);
        }
        let mut rest = bytes.get(MAGIC.len()..).ok_or(NoHeader::Cut)?;
        let format = u32(&mut rest).ok_or(NoHeader::Cut)?;
        if format != FORMAT {
            return Err(NoHeader::Format(format));
        }
        let (said, sum) = bytes.split_at_checked(HEADER_BYTES - 8).ok_or(NoHeader::Cut)?;
        let sum = sum.try_into().map(u64::from_le_bytes).map_err(|_| NoHeader::Cut)?;
        if sum != xxh3_64(said) {
            return Err(NoHeader::Damaged);
        }
        Self::words(&mut rest).ok_or(NoHeader::Damaged)
    }

    fn words(rest: &mut &[u8]) -> Option<Self> {
        let has = u32(rest)?;
        let mut word = || u64(rest);
        let (cluster, node) = (word()?, NodeId(word()?));
        let owner = Owner {
            cluster: (has & HAS_CLUSTER != 0).then_some(cluster),
            node: (has & HAS_NODE != 0).then_some(node),
        };
        let (written, floor) = (Now::from_unix_ms(word()?), Version(word()?));
        let flush_at = Some(word()?).filter(|&at| at != 0).map(Now::from_unix_ms);
        Some(Self { owner, written, floor, flush_at })
    }
}

/// What is said of a chunk before its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkHead {
    /// Bytes of its items; none is the end of the file.
    pub(super) bytes: u32,
    pub(super) items: u32,
    pub(super) sum: u64,
}

impl ChunkHead {
    pub(super) fn bytes(&self) -> [u8; CHUNK_HEAD_BYTES] {
        let mut bytes = [0; CHUNK_HEAD_BYTES];
        bytes[..4].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.items.to_le_bytes());
        bytes[8..].copy_from_slice(&self.sum.to_le_bytes());
        bytes
    }

    pub(super) fn read(bytes: &[u8; CHUNK_HEAD_BYTES]) -> Self {
        let mut rest = &bytes[..];
        // There are as many as it takes.
        let [bytes, items] = [u32(&mut rest), u32(&mut rest)].map(Option::unwrap_or_default);
        Self { bytes, items, sum: u64(&mut rest).unwrap_or_default() }
    }
}

/// Seeds the checksums of one file's chunks, one after another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seeds(u64);

impl Seeds {
    pub(super) fn of(header: &Header) -> Self {
        Self(xxh3_64(&header.bytes()))
    }

    /// The checksum of the next chunk, to be fed with its items.
    pub(super) fn next(&mut self, bytes: u32, items: u32) -> Xxh3 {
        let mut sum = Xxh3::with_seed(self.0);
        self.0 = self.0.wrapping_add(1);
        sum.update(&bytes.to_le_bytes());
        sum.update(&items.to_le_bytes());
        sum
    }
}

/// An item as a file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item<'a> {
    pub(super) key: Key<'a>,
    pub(super) copied: Copied<'a>,
    /// Whether it was read since it was written.
    pub(super) is_fetched: bool,
}

/// All of an item but its value, which follows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ItemHead<'a> {
    pub(super) key: Key<'a>,
    pub(super) meta: Meta,
    /// Bytes of the value; none for a tombstone.
    pub(super) value_len: Option<usize>,
}

impl ItemHead<'_> {
    pub(super) fn append(&self, into: &mut Vec<u8>) {
        let Self { key, meta, value_len } = self;
        let set = |bit: u8, on: bool| if on { bit } else { 0 };
        let shape = set(TOMBSTONE, value_len.is_none())
            | set(STALE, meta.standing.stale)
            | set(WON, meta.standing.won)
            | set(FETCHED, meta.fetched);
        into.push(shape);
        into.push(key.bytes().len() as u8);
        into.extend((value_len.unwrap_or(0) as u32).to_le_bytes());
        into.extend(meta.version.0.to_le_bytes());
        into.extend(meta.expiry.to_word().to_le_bytes());
        into.extend(meta.flags.to_le_bytes());
        into.extend(meta.cas.to_le_bytes());
        into.extend(key.bytes());
    }
}

/// The next item of a chunk, which goes on behind it; none where the bytes are no item.
pub(super) fn item<'a>(rest: &mut &'a [u8]) -> Option<Item<'a>> {
    let [shape, key_len] = *split(rest, 2)?.first_chunk()?;
    let value_len = u32(rest)? as usize;
    let version = Version(u64(rest)?);
    let expiry = Expiry::from_word(u32(rest)?);
    let (flags, cas) = (u32(rest)?, u64(rest)?);
    let key = Key::new(split(rest, usize::from(key_len))?).ok()?;
    let value = split(rest, value_len)?;
    let is_tombstone = shape & TOMBSTONE != 0;
    if shape & !SHAPES != 0 || is_tombstone && value_len > 0 {
        return None;
    }
    let standing = Standing { stale: shape & STALE != 0, won: shape & WON != 0 };
    let body = (!is_tombstone).then_some(CopiedBody { flags, cas, standing, value });
    let copied = Copied { version, expiry, body };
    Some(Item { key, copied, is_fetched: shape & FETCHED != 0 })
}

fn split<'a>(rest: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (first, behind) = rest.split_at_checked(bytes)?;
    *rest = behind;
    Some(first)
}

fn u32(rest: &mut &[u8]) -> Option<u32> {
    split(rest, 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn u64(rest: &mut &[u8]) -> Option<u64> {
    split(rest, 8)?.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            owner: Owner { cluster: Some(7), node: Some(NodeId(0xff)) },
            written: Now::from_unix_ms(1_800_000_000_000),
            floor: Version(9),
            flush_at: None,
        }
    }

    /// A file of the same format has to be read by each program that knows it.
    #[test]
    fn the_bytes_of_a_header_never_change() {
        let text = header().bytes().escape_ascii().to_string();
        let words = r"ringwarm\x01\x00\x00\x00\x03\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\xff";
        assert!(text.starts_with(words), "{text}");
        let flushes = Header { flush_at: Some(Now::from_unix_ms(5)), ..header() };
        let nobody = Header { owner: Owner { cluster: None, node: None }, ..header() };
        for header in [header(), flushes, nobody] {
            assert_eq!(Header::read(&header.bytes()), Ok(header));
        }
    }

    #[test]
    fn a_header_that_is_cut_or_changed_is_refused() {
        let bytes = header().bytes();
        for end in 0..bytes.len() {
            assert_eq!(Header::read(&bytes[..end]), Err(NoHeader::Cut), "{end}");
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes;
            bytes[at] ^= 1;
            let why = Header::read(&bytes).unwrap_err();
            match at {
                0..8 => assert_eq!(why, NoHeader::Strange),
                8..12 => assert!(matches!(why, NoHeader::Format(_))),
                _ => assert_eq!(why, NoHeader::Damaged),
            }
        }
        assert_eq!(Header::read(b"root:x:0:0"), Err(NoHeader::Strange));
    }

    #[test]
    fn a_chunk_of_another_place_does_not_fit() {
        let mut seeds = Seeds::of(&header());
        let mut others = Seeds::of(&Header { floor: Version(10), ..header() });
        let sums = [seeds.next(1, 1), seeds.next(1, 1), others.next(1, 1)].map(|sum| sum.digest());
        assert!(sums[0] != sums[1] && sums[0] != sums[2] && sums[1] != sums[2]);
    }

    #[test]
    fn items_come_back_as_they_were() {
        let standing = Standing { stale: true, won: false };
        let expiry = Expiry::At(1_800_000_100);
        let version = Version(0x0102_0304_0506_0708);
        let meta = Meta {
            flags: 70_000,
            expiry,
            version,
            cas: 12,
            standing,
            fetched: true,
            accessed_s: 0,
        };
        let mut bytes = Vec::new();
        let key = Key::new(b"user:1").unwrap();
        ItemHead { key, meta, value_len: Some(3) }.append(&mut bytes);
        bytes.extend(b"v\r\n");
        ItemHead { key, meta, value_len: None }.append(&mut bytes);
        let mut rest = &bytes[..];
        let body = CopiedBody { flags: 70_000, cas: 12, standing, value: b"v\r\n" };
        let copied = Copied { version, expiry, body: Some(body) };
        assert_eq!(item(&mut rest), Some(Item { key, copied, is_fetched: true }));
        let copied = Copied { body: None, ..copied };
        assert_eq!(item(&mut rest), Some(Item { key, copied, is_fetched: true }));
        assert!(rest.is_empty() && item(&mut rest).is_none());
        bytes[0] |= 0x80;
        assert!(item(&mut &bytes[..]).is_none(), "a shape that nobody writes");
    }

    #[test]
    fn an_item_cut_anywhere_is_none() {
        let meta = Meta {
            flags: 0,
            expiry: Expiry::Never,
            version: Version(1),
            cas: 1,
            standing: Standing::default(),
            fetched: false,
            accessed_s: 0,
        };
        let mut bytes = Vec::new();
        let key = Key::new(b"key").unwrap();
        ItemHead { key, meta, value_len: Some(5) }.append(&mut bytes);
        bytes.extend(b"value");
        for end in 0..bytes.len() {
            assert!(item(&mut &bytes[..end]).is_none(), "{end}");
        }
        assert!(item(&mut &bytes[..]).is_some());
    }
}
