//! What may be asked of one key. Every command of every client protocol comes
//! down to one of these, and so does every request between nodes.

use super::{Expiry, Outcome, Standing, Version};

/// One operation on one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op<'a> {
    /// Read it.
    Get(Get),
    /// Write it.
    Store(Store<'a>),
    /// Take it away, or away from those who want a fresh value.
    Delete(Delete),
    /// Add to or take from the number that its value says.
    Count(Count),
    /// Give it another expiry.
    Touch(Expiry),
}

impl Op<'_> {
    /// Whether an operation that ended like this has changed its item.
    #[must_use]
    pub fn has_changed(&self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Stored | Outcome::Deleted | Outcome::Counted { .. } => true,
            Outcome::Found { won, .. } => match self {
                Op::Get(get) => won || get.touch.is_some(),
                Op::Touch(_) => true,
                _ => false,
            },
            _ => false,
        }
    }
}

/// A read, and what goes with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Get {
    /// The expiry it has from now on.
    pub touch: Option<Expiry>,
    /// How clients agree on who fetches a fresh value; the classic reads have
    /// no word for it.
    pub lease: Option<Lease>,
}

/// Among the readers who find an item missing, stale or soon to expire, one is
/// told that it has won: that one fetches a fresh value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// A missing item is made, empty, with this expiry; who made it has won.
    pub vivify: Option<Expiry>,
    /// With fewer seconds left than this there is a winner.
    pub recache_s: Option<i64>,
    /// The token that an item made by this read gets.
    pub cas: Option<u64>,
}

/// A write of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store<'a> {
    /// On what terms.
    pub mode: StoreMode,
    /// The client's own bits.
    pub flags: u32,
    /// When it goes.
    pub expiry: Expiry,
    /// The value, or the part to be added.
    pub value: &'a [u8],
    /// Only where the item's token is this one.
    pub compare: Option<u64>,
    /// The token to give it, chosen by the client.
    pub cas: Option<u64>,
    /// Where the token compared is older than the item's, store it and declare
    /// it stale.
    pub invalidate: bool,
    /// Where there is nothing to append to, store it with this expiry.
    pub vivify: Option<Expiry>,
}

/// On what terms a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreMode {
    /// Whatever is there.
    Set,
    /// Only where nothing is.
    Add,
    /// Only where something is.
    Replace,
    /// After what is there.
    Append,
    /// Before what is there.
    Prepend,
}

/// A delete, or the declaration that a value is out of date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delete {
    /// Only where the item's token is this one.
    pub compare: Option<u64>,
    /// The token that an item which stays gets.
    pub cas: Option<u64>,
    /// Keep it and declare it stale; the next reader wins.
    pub invalidate: bool,
    /// Keep it, without its value.
    pub drop_value: bool,
    /// The client's own bits of an item that loses its value.
    pub flags: u32,
    /// The expiry of an item that stays.
    pub expiry: Option<Expiry>,
}

/// Counting up or down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Which way.
    pub kind: CountKind,
    /// By how much.
    pub delta: u64,
    /// Only where the item's token is this one.
    pub compare: Option<u64>,
    /// The token to give it, chosen by the client.
    pub cas: Option<u64>,
    /// Where nothing is: start with this number and expiry.
    pub vivify: Option<(u64, Expiry)>,
    /// The expiry it has from now on.
    pub touch: Option<Expiry>,
}

/// Which way to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountKind {
    /// Up, and past the greatest number on from zero.
    Increment,
    /// Down, and not below zero.
    Decrement,
}

/// An item as another node has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied<'a> {
    /// The stamp of its last write, or of its delete.
    pub version: Version,
    /// When it goes; a tombstone's is not looked at.
    pub expiry: Expiry,
    /// The rest; a tombstone has none.
    pub body: Option<CopiedBody<'a>>,
}

/// What a copied item has that a tombstone has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopiedBody<'a> {
    /// The client's own bits.
    pub flags: u32,
    /// The token that clients compare.
    pub cas: u64,
    /// How it stands with those who may have to recompute it.
    pub standing: Standing,
    /// Its value.
    pub value: &'a [u8],
}
