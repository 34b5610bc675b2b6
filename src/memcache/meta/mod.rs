//! The meta commands: one key, and flags that say what to do and what to tell.

mod flags;
mod parse;
pub mod reply;

pub use flags::Flags;
pub use parse::{Command, CountHead, Request, SetHead};
pub(super) use parse::{parse_count, parse_debug, parse_delete, parse_get, parse_set};
