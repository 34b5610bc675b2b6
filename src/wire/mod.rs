//! What nodes say to each other: bytes and words. Versioned and bounded.
//!
//! A connection begins with a [`Hello`] of each side; then come frames, each with
//! one [`Message`] in it. Nothing in here trusts a length before it is checked,
//! and nothing takes memory for what is only claimed.

mod card;
mod codec;
mod frame;
pub mod gossip;
mod hello;
mod message;
mod rings;

pub use card::{CARD_BYTES_MAX, CardError, card, card_bytes};
pub use codec::DecodeError;
pub use frame::{FRAME_PREFIX_BYTES, FrameTooLong, Frames, append_frame};
pub use hello::{
    BULK_LANE, Hello, Life, NoHello, PROTOCOL_VERSION, PROTOCOL_VERSION_MIN, Refusal, Versions,
    layout_fingerprint,
};
pub use message::{
    Ask, Behind, Body, Bring, Compare, Compared, Executor, Filled, Flush, Follow, Followed, Item,
    Keep, Kept, List, ListState, Listed, Message, Promise, Protocol, Relay, Relayed, Reply,
    Request, Say, Told,
};
pub use rings::{NoRings, rings, rings_bytes};
