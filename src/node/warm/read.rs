//! From the bytes of a warm file to items in the memory. Memory is taken for one chunk at
//! a time, and for none that is larger than what a chunk may be.

use super::format::{
    BESIDE_VALUE_BYTES_MAX, CHUNK_HEAD_BYTES, ChunkHead, HEADER_BYTES, Header, Item, NoHeader,
    Owner, Seeds, item,
};
use crate::item::Now;
use crate::limits::{DRIFT_MS_MAX, WARM_CHUNK_BYTES, WARM_PIECE_BYTES};
use crate::ring::KeyHash;
use crate::store::{Merged, Store, VALUE_BYTES_MAX};
use std::io::{self, Read};
use std::time::Duration;
use std::{fmt, mem};
use xxhash_rust::xxh3::Xxh3;

/// What a file has to be like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) owner: Owner,
    /// It was written no longer ago than this, if that matters.
    pub(super) age_max: Option<Duration>,
    /// The seed of the hashes of the memory's keys.
    pub(super) seed: u64,
    pub(super) now: Now,
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ReadIn {
    /// Items that are in the memory now, or were until there was no more room.
    pub(super) items: u64,
    /// Items that were over meanwhile.
    pub(super) expired: u64,
    /// Items that the memory does not take.
    pub(super) refused: u64,
    /// Bytes of the file.
    pub(super) bytes: u64,
}

/// Why a file is not read, or not to its end. What was read of it before is in the
/// memory all the same: that one is to be thrown away.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is something else, and whoever wrote it may still want it.
    Strange,
    Cut,
    Damaged,
    Format(u32),
    OtherCluster,
    OtherNode,
    /// Seconds since it was written, and how many there may be.
    Old(u64, u64),
    /// It was written in the future, by this clock.
    Ahead,
    Io(io::Error),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strange => f.write_str("it is no warm file"),
            Self::Cut => f.write_str("it ends too early"),
            Self::Damaged => f.write_str("it is damaged: a checksum does not fit"),
            Self::Format(format) => write!(f, "its format, {format}, is not known here"),
            Self::OtherCluster => {
                f.write_str("it is of another cluster, or of one with another secret or --copies")
            }
            Self::OtherNode => f.write_str("it is of a node with another --node-id"),
            Self::Old(age_s, most_s) => write!(
                f,
                "it was written {age_s} s ago, and after {most_s} s the others may have \
                 forgotten what was deleted meanwhile"
            ),
            Self::Ahead => f.write_str("it was written in the future, by this machine's clock"),
            Self::Io(why) => why.fmt(f),
        }
    }
}

impl From<NoHeader> for Refused {
    fn from(why: NoHeader) -> Self {
        match why {
            NoHeader::Strange => Self::Strange,
            NoHeader::Cut => Self::Cut,
            NoHeader::Damaged => Self::Damaged,
            NoHeader::Format(format) => Self::Format(format),
        }
    }
}

impl From<io::Error> for Refused {
    fn from(why: io::Error) -> Self {
        match why.kind() {
            io::ErrorKind::UnexpectedEof => Self::Cut,
            _ => Self::Io(why),
        }
    }
}

/// Reads a file of so many bytes into an empty memory.
pub(super) fn read(
    mut from: impl Read,
    bytes: u64,
    wanted: &Wanted,
    store: &Store,
) -> Result<ReadIn, Refused> {
    let mut first = Vec::with_capacity(HEADER_BYTES);
    from.by_ref().take(HEADER_BYTES as u64).read_to_end(&mut first)?;
    let header = Header::read(&first)?;
    wanted.check(&header)?;
    store.raise_floor(header.floor);
    let left = bytes.saturating_sub(HEADER_BYTES as u64);
    let mut reading = Reading::new(from, left, Seeds::of(&header), wanted, store);
    while reading.chunk()? {}
    // Where there are others, whoever asked for it was told that it goes with the node.
    if let (Some(at), None) = (header.flush_at, header.owner.cluster) {
        store.flush(at, wanted.now);
    }
    Ok(ReadIn { bytes, ..reading.read_in })
}

impl Wanted {
    fn check(&self, header: &Header) -> Result<(), Refused> {
        let Header { owner, written, floor, .. } = header;
        if owner.cluster != self.owner.cluster {
            return Err(Refused::OtherCluster);
        }
        if owner.node != self.owner.node {
            return Err(Refused::OtherNode);
        }
        // Nobody could write anything that is newer for as long.
        let latest_ms = self.now.unix_ms() + DRIFT_MS_MAX;
        if written.unix_ms() > latest_ms || floor.unix_ms() > latest_ms {
            return Err(Refused::Ahead);
        }
        let age = Duration::from_millis(self.now.unix_ms().saturating_sub(written.unix_ms()));
        match self.age_max {
            Some(most) if age > most => Err(Refused::Old(age.as_secs(), most.as_secs())),
            _ => Ok(()),
        }
    }
}

/// A file that is being read.
pub(super) struct Reading<'a, R> {
    pub(super) from: R,
    /// Bytes of the file that are still to come.
    left: u64,
    seeds: Seeds,
    pub(super) body: Vec<u8>,
    wanted: &'a Wanted,
    store: &'a Store,
    read_in: ReadIn,
}

impl<'a, R: Read> Reading<'a, R> {
    pub(super) fn new(
        from: R,
        left: u64,
        seeds: Seeds,
        wanted: &'a Wanted,
        store: &'a Store,
    ) -> Self {
        let (body, read_in) = (Vec::new(), ReadIn::default());
        Self { from, left, seeds, body, wanted, store, read_in }
    }

    /// Reads a chunk; false where it was the end.
    pub(super) fn chunk(&mut self) -> Result<bool, Refused> {
        let mut head = [0; CHUNK_HEAD_BYTES];
        self.claim(head.len())?;
        self.from.read_exact(&mut head)?;
        let head = ChunkHead::read(&head);
        let sum = self.seeds.next(head.bytes, head.items);
        let bytes = head.bytes as usize;
        // Before memory is taken for it.
        self.claim(bytes)?;
        if bytes == 0 {
            let is_end = head.items == 0 && sum.digest() == head.sum && self.left == 0;
            return if is_end { Ok(false) } else { Err(Refused::Damaged) };
        }
        let largest = self.store.item_bytes_max().max(VALUE_BYTES_MAX);
        if bytes <= WARM_CHUNK_BYTES + BESIDE_VALUE_BYTES_MAX + largest {
            self.take_in(&head, sum)?;
        } else {
            self.pass_over(&head, sum)?;
        }
        Ok(true)
    }

    /// Bytes that are said to follow.
    fn claim(&mut self, bytes: usize) -> Result<(), Refused> {
        self.left = self.left.checked_sub(bytes as u64).ok_or(Refused::Cut)?;
        Ok(())
    }

    fn take_in(&mut self, head: &ChunkHead, mut sum: Xxh3) -> Result<(), Refused> {
        let mut body = mem::take(&mut self.body);
        body.resize(head.bytes as usize, 0);
        self.from.read_exact(&mut body)?;
        sum.update(&body);
        if sum.digest() != head.sum {
            return Err(Refused::Damaged);
        }
        let mut rest = &body[..];
        for _ in 0..head.items {
            self.take(&item(&mut rest).ok_or(Refused::Damaged)?);
        }
        if !rest.is_empty() {
            return Err(Refused::Damaged);
        }
        // A large one is not kept for those to come.
        if body.capacity() <= 2 * WARM_CHUNK_BYTES {
            self.body = body;
        }
        Ok(())
    }

    /// Reads past an item that is larger than any may be here: others were allowed when
    /// it was written.
    fn pass_over(&mut self, head: &ChunkHead, mut sum: Xxh3) -> Result<(), Refused> {
        let mut left = head.bytes as usize;
        let mut piece = vec![0; WARM_PIECE_BYTES];
        while left > 0 {
            let piece = &mut piece[..left.min(WARM_PIECE_BYTES)];
            self.from.read_exact(piece)?;
            sum.update(piece);
            left -= piece.len();
        }
        if head.items != 1 || sum.digest() != head.sum {
            return Err(Refused::Damaged);
        }
        self.read_in.refused += 1;
        Ok(())
    }

    fn take(&mut self, item: &Item<'_>) {
        let &Item { key, ref copied, is_fetched } = item;
        let (now, is_item) = (self.wanted.now, u64::from(copied.body.is_some()));
        if copied.expiry.is_over(now) {
            self.read_in.expired += is_item;
            return;
        }
        let hash = KeyHash::new(self.wanted.seed, key.bytes());
        match self.store.merge(hash, key, now, copied) {
            Merged::Taken => self.read_in.items += is_item,
            // It was flushed.
            Merged::Older => {}
            Merged::NoRoom | Merged::Ahead => self.read_in.refused += is_item,
        }
        if is_fetched {
            // What was read stays longer than what never was, as it would have.
            self.store.get(hash, key, now, |_| ());
        }
    }
}
