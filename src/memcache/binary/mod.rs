//! The binary protocol: headers of 24 bytes, numbers with the highest byte first.

mod header;
mod parse;
pub mod reply;
mod status;

pub use header::{HEADER_BYTES, Header, REQUEST_MAGIC};
pub use parse::{Head, Request, Unfit, Verb};
pub use status::Status;
