//! The protocols that memcached's clients speak: bytes and words, both ways.
//!
//! Parsers look at the head of a request only and say how long its body is:
//! nothing is kept, and nothing is allocated for a length that a client claims.
//! What they return borrows from the input. Writers append to a buffer. What a
//! command does is somebody else's matter.

pub mod binary;
mod key;
mod line;
pub mod meta;
mod number;
pub mod text;
mod tokens;

pub use key::KeyText;
pub use line::Line;
pub use tokens::Tokens;

/// Which family of protocols a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Lines: the classic and the meta commands.
    Text,
    /// Headers of 24 bytes.
    Binary,
}

impl Protocol {
    /// The first byte of a connection tells.
    #[must_use]
    pub fn sniff(first: u8) -> Self {
        match first {
            binary::REQUEST_MAGIC => Self::Binary,
            _ => Self::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_tells() {
        assert_eq!(Protocol::sniff(0x80), Protocol::Binary);
        for first in [b'g', 0x81, 0, 0xff] {
            assert_eq!(Protocol::sniff(first), Protocol::Text);
        }
    }
}
