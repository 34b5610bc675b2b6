//! What a store has and what it did.

/// What one stripe did, since its start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) total: u64,
    pub(super) evicted: u64,
    pub(super) evicted_unfetched: u64,
    pub(super) expired: u64,
    pub(super) expired_unfetched: u64,
    pub(super) looked_at: u64,
    pub(super) crawled: u64,
    pub(super) flushed: u64,
    pub(super) reads_expired: u64,
    pub(super) reads_flushed: u64,
}

/// What a store has now, and what it did since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Items there now; some of them may be over and not yet cleared away.
    pub items: u64,
    /// Items ever written.
    pub total_items: u64,
    /// Bytes of the items there now, with all that is kept for each.
    pub bytes: u64,
    /// Bytes of memory taken, all counted.
    pub memory: u64,
    /// Bytes of memory that may be taken.
    pub memory_limit: u64,
    /// Bytes of the index.
    pub index_bytes: u64,
    /// Segments taken.
    pub segments: u64,
    /// Items evicted to make room, and those of them that were never read.
    pub evicted: u64,
    /// Of the evicted.
    pub evicted_unfetched: u64,
    /// Items cleared away because they were over or flushed.
    pub expired: u64,
    /// Of the expired.
    pub expired_unfetched: u64,
    /// Items the crawler looked at.
    pub looked_at: u64,
    /// Of the expired: found by the crawler.
    pub crawled: u64,
    /// Reads that found an item which was over.
    pub reads_expired: u64,
    /// Reads that found an item which was flushed.
    pub reads_flushed: u64,
}

/// What a step of the crawler came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crawled {
    /// Items looked at.
    pub looked_at: u64,
    /// Whether all segments have been passed.
    pub finished: bool,
}
