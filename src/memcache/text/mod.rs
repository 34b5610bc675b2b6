//! Lines: what a request line asks for, and the answers.

mod admin;
mod ahead;
mod parse;
mod refusal;
pub mod reply;

pub use admin::Admin;
pub use ahead::Ahead;
pub use parse::{Command, Read, StoreHead, claimed_body, is_hushed, parse};
pub use refusal::Refusal;
