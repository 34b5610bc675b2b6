//! What is known of an item beside its key and value.

use super::{Expiry, Now, Version};

/// All of an item but its key and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The client's own 32 bits.
    pub flags: u32,
    /// When it goes.
    pub expiry: Expiry,
    /// The stamp of the write that made it: what copies compare.
    pub version: Version,
    /// The token that a client compares: the version, unless the client chose
    /// one of its own.
    pub cas: u64,
    /// Whether a client still owes a fresh value.
    pub standing: Standing,
    /// Whether it has been read since it was written.
    pub fetched: bool,
    /// The second it was last read or written, since 1970.
    pub accessed_s: u32,
}

/// How an item stands with the clients that may have to recompute it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The value was declared out of date and is served until a fresh one comes.
    pub stale: bool,
    /// One client has been told to fetch a fresh value.
    pub won: bool,
}

impl Meta {
    /// Seconds since it was last read or written.
    #[must_use]
    pub fn idle_s(&self, now: Now) -> u32 {
        now.unix_s().saturating_sub(self.accessed_s)
    }
}
