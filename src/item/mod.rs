//! What a cache holds, and what may be asked of it: key, expiry, version, the
//! operations that every client protocol comes down to, and the rules that say
//! what an operation does to an item. Values in, values out; the memory they
//! live in is the store's.

mod expiry;
mod key;
mod meta;
mod number;
mod op;
mod rules;
mod version;

pub use expiry::{Expiry, Now};
pub use key::{Key, KeyError};
pub use meta::{Meta, Standing};
pub use number::Decimal;
pub use op::{Copied, CopiedBody, Count, CountKind, Delete, Get, Lease, Op, Store, StoreMode};
pub use rules::{Draft, Effect, NewValue, Old, Outcome, Ruling, decide, reads_only};
pub use version::{Clock, Version};
