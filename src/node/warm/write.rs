//! From the items in the memory to the bytes of a warm file.

use super::format::{ChunkHead, Header, ItemHead, Seeds};
use crate::item::{Key, Now};
use crate::limits::WARM_CHUNK_BYTES;
use crate::store::{FullWalk, SharedValue, Store};
use std::fmt;
use std::io::{self, Write};

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) items: u64,
    /// Bytes of the file.
    pub(super) bytes: u64,
}

/// Why there is no file.
#[derive(Debug)]
pub(super) enum NotWritten {
    /// Somebody does not want to wait for it.
    CutShort,
    Io(io::Error),
}

impl From<io::Error> for NotWritten {
    fn from(why: io::Error) -> Self {
        Self::Io(why)
    }
}

impl fmt::Display for NotWritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutShort => f.write_str("the node is to stop at once"),
            Self::Io(why) => why.fmt(f),
        }
    }
}

/// Writes a file of all items that nobody changes any more, tombstones too, of those keys
/// that this node `keeps`; but no further when it is to be cut short.
pub(super) fn write(
    store: &Store,
    header: &Header,
    now: Now,
    mut keeps: impl FnMut(Key<'_>) -> bool,
    is_cut_short: impl Fn() -> bool,
    to: impl Write,
) -> Result<Written, NotWritten> {
    let mut writing = Writing { to, seeds: Seeds::of(header), written: Written::default() };
    writing.put(&header.bytes())?;
    let (mut walk, mut chunk) = (FullWalk::default(), Chunk::default());
    loop {
        let is_more = store.walk_all(&mut walk, now, |key, found| {
            if keeps(key) {
                let is_item = !found.is_tombstone();
                let value_len = is_item.then(|| found.value_len());
                let head = ItemHead { key, meta: found.meta(), value_len };
                writing.written.items += u64::from(is_item);
                match found.shared_value() {
                    // Not copied: it may be a large part of the memory.
                    Some(value) => chunk.set_apart(&head, value),
                    None => chunk.add(&head, |body| found.append_value(body)),
                }
            }
            !chunk.is_full()
        });
        if is_cut_short() {
            return Err(NotWritten::CutShort);
        }
        if chunk.is_full() || !is_more {
            writing.chunk(&mut chunk)?;
        }
        if !is_more {
            writing.chunk_of(0, &[])?;
            return Ok(writing.written);
        }
    }
}

/// Items that are gathered before they are written.
#[derive(Default)]
struct Chunk {
    body: Vec<u8>,
    items: u32,
    /// An item with a large value, which is a chunk of its own.
    apart: Option<(Vec<u8>, SharedValue)>,
}

impl Chunk {
    fn add(&mut self, head: &ItemHead<'_>, append_value: impl FnOnce(&mut Vec<u8>)) {
        head.append(&mut self.body);
        if head.value_len.is_some() {
            append_value(&mut self.body);
        }
        self.items += 1;
    }

    fn set_apart(&mut self, head: &ItemHead<'_>, value: SharedValue) {
        let mut bytes = Vec::new();
        head.append(&mut bytes);
        self.apart = Some((bytes, value));
    }

    fn is_full(&self) -> bool {
        self.body.len() >= WARM_CHUNK_BYTES || self.apart.is_some()
    }
}

/// A file that is being written.
struct Writing<W> {
    to: W,
    seeds: Seeds,
    written: Written,
}

impl<W: Write> Writing<W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written.bytes += bytes.len() as u64;
        self.to.write_all(bytes)
    }

    /// Writes all that was gathered.
    fn chunk(&mut self, chunk: &mut Chunk) -> io::Result<()> {
        if chunk.items > 0 {
            self.chunk_of(chunk.items, &[&chunk.body])?;
            chunk.body.clear();
            chunk.items = 0;
        }
        match chunk.apart.take() {
            Some((head, value)) => self.chunk_of(1, &[&head, value.as_ref()]),
            None => Ok(()),
        }
    }

    /// Writes a chunk of so many items; one of none is the end.
    fn chunk_of(&mut self, items: u32, parts: &[&[u8]]) -> io::Result<()> {
        // Items have 1 GiB at most, and a chunk is full long before it.
        let bytes = parts.iter().map(|part| part.len() as u32).sum();
        let mut sum = self.seeds.next(bytes, items);
        for part in parts {
            sum.update(part);
        }
        self.put(&ChunkHead { bytes, items, sum: sum.digest() }.bytes())?;
        parts.iter().try_for_each(|part| self.put(part))
    }
}
