//! From a header, its extras and key to what they ask for.

use super::{HEADER_BYTES, Header, REQUEST_MAGIC, Status};
use crate::item::{CountKind, StoreMode};
use crate::limits::KEY_BYTES_MAX;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Read, perhaps with another expiry from now on.
    Get {
        /// Whether to answer with the key.
        with_key: bool,
        /// Whether the item gets another expiry.
        touch: bool,
    },
    /// Another expiry.
    Touch,
    /// Write.
    Store(StoreMode),
    /// Add to a value.
    Extend(StoreMode),
    /// Take away.
    Delete,
    /// Count.
    Count(CountKind),
    /// Close.
    Quit,
    /// Make all unreadable.
    Flush,
    /// Nothing; the answer says that all before it has been answered.
    Noop,
    /// Which version this is.
    Version,
    /// How much to log.
    Verbosity,
    /// Statistics.
    Stat,
    /// Which ways to say who one is there are.
    SaslList,
    /// Who it is.
    SaslAuth,
}

/// What stands at the start of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head<'a> {
    /// A request, as far as its key.
    Whole(Request<'a>),
    /// More has to come.
    Partial,
    /// No request that can be served.
    Unfit(Unfit),
}

/// Why a request cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It does not start as requests do: what follows cannot be understood.
    Magic,
    /// Its lengths make no sense, so what follows cannot be understood.
    Broken(Header, Status),
    /// Nobody knows the command; its body is to be passed over.
    Unknown(Header),
}

/// A request without its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The numbers.
    pub header: Header,
    /// What is asked.
    pub verb: Verb,
    /// Whether the usual answer is not wanted.
    pub quiet: bool,
    /// Numbers that go with the verb.
    pub extras: &'a [u8],
    /// Which item.
    pub key: &'a [u8],
    /// Bytes of the value.
    pub value_len: usize,
}

impl<'a> Head<'a> {
    /// Looks at the start of the input.
    #[must_use]
    pub fn find(input: &'a [u8]) -> Self {
        match input.first() {
            None => return Self::Partial,
            Some(&REQUEST_MAGIC) => {}
            Some(_) => return Self::Unfit(Unfit::Magic),
        }
        let Some(bytes) = input.first_chunk::<HEADER_BYTES>() else { return Self::Partial };
        let header = Header::read(bytes);
        let Some(value_len) = header.value_len() else {
            return Self::Unfit(Unfit::Broken(header, Status::Unknown));
        };
        let Some((verb, quiet)) = verb(header.opcode) else {
            return Self::Unfit(Unfit::Unknown(header));
        };
        if !verb.fits(&header, value_len) {
            return Self::Unfit(Unfit::Broken(header, Status::Invalid));
        }
        let Some(rest) = input.get(HEADER_BYTES..header.head_len()) else { return Self::Partial };
        let (extras, key) = rest.split_at(header.extras_len);
        Self::Whole(Request { header, verb, quiet, extras, key, value_len })
    }
}

impl Request<'_> {
    /// The word of 32 bits that starts at this byte of the extras; zero where
    /// they end before.
    #[must_use]
    pub fn extra_32(&self, at: usize) -> u32 {
        let bytes = self.extras.get(at..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }

    /// The same with 64 bits.
    #[must_use]
    pub fn extra_64(&self, at: usize) -> u64 {
        let bytes = self.extras.get(at..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    /// The token that the item must have.
    #[must_use]
    pub fn compare(&self) -> Option<u64> {
        (self.header.cas != 0).then_some(self.header.cas)
    }
}

impl Verb {
    /// Whether a request for this may have such lengths.
    fn fits(self, header: &Header, value_len: usize) -> bool {
        let has_key = (1..=KEY_BYTES_MAX).contains(&header.key_len);
        let no_key = header.key_len == 0;
        let extras = header.extras_len;
        match self {
            Self::Get { touch: false, .. } | Self::Delete => {
                extras == 0 && has_key && value_len == 0
            }
            Self::Get { .. } | Self::Touch => extras == 4 && has_key && value_len == 0,
            Self::Store(_) => extras == 8 && has_key,
            Self::Extend(_) | Self::SaslAuth => extras == 0 && has_key,
            Self::Count(_) => extras == 20 && has_key && value_len == 0,
            Self::Quit | Self::Noop | Self::Version | Self::SaslList => header.body_len == 0,
            Self::Flush => (extras == 0 || extras == 4) && no_key && value_len == 0,
            Self::Verbosity => extras == 4 && no_key && value_len == 0,
            Self::Stat => extras == 0 && (has_key || no_key) && value_len == 0,
        }
    }
}

/// The verb of an opcode, and whether it is the quiet form.
fn verb(opcode: u8) -> Option<(Verb, bool)> {
    use CountKind::{Decrement, Increment};
    use StoreMode::{Add, Append, Prepend, Replace, Set};
    let get = |with_key, touch| Verb::Get { with_key, touch };
    Some(match opcode {
        0x00 => (get(false, false), false),
        0x01 => (Verb::Store(Set), false),
        0x02 => (Verb::Store(Add), false),
        0x03 => (Verb::Store(Replace), false),
        0x04 => (Verb::Delete, false),
        0x05 => (Verb::Count(Increment), false),
        0x06 => (Verb::Count(Decrement), false),
        0x07 => (Verb::Quit, false),
        0x08 => (Verb::Flush, false),
        0x09 => (get(false, false), true),
        0x0a => (Verb::Noop, false),
        0x0b => (Verb::Version, false),
        0x0c => (get(true, false), false),
        0x0d => (get(true, false), true),
        0x0e => (Verb::Extend(Append), false),
        0x0f => (Verb::Extend(Prepend), false),
        0x10 => (Verb::Stat, false),
        0x11 => (Verb::Store(Set), true),
        0x12 => (Verb::Store(Add), true),
        0x13 => (Verb::Store(Replace), true),
        0x14 => (Verb::Delete, true),
        0x15 => (Verb::Count(Increment), true),
        0x16 => (Verb::Count(Decrement), true),
        0x17 => (Verb::Quit, true),
        0x18 => (Verb::Flush, true),
        0x19 => (Verb::Extend(Append), true),
        0x1a => (Verb::Extend(Prepend), true),
        0x1b => (Verb::Verbosity, false),
        0x1c => (Verb::Touch, false),
        0x1d => (get(false, true), false),
        0x1e => (get(false, true), true),
        0x20 => (Verb::SaslList, false),
        0x21 | 0x22 => (Verb::SaslAuth, false),
        0x23 => (get(true, true), false),
        0x24 => (get(true, true), true),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(opcode: u8, extras: &[u8], key: &[u8], value_len: u32) -> Vec<u8> {
        let mut bytes = vec![REQUEST_MAGIC, opcode];
        bytes.extend((key.len() as u16).to_be_bytes());
        bytes.extend([extras.len() as u8, 0, 0, 0]);
        bytes.extend((extras.len() as u32 + key.len() as u32 + value_len).to_be_bytes());
        bytes.extend([0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 9]);
        bytes.extend(extras);
        bytes.extend(key);
        bytes
    }

    #[test]
    fn heads_are_read_without_their_value() {
        let bytes = request(0x11, &[0, 0, 0, 1, 0, 0, 0, 2], b"key", u32::MAX - 11);
        let Head::Whole(request) = Head::find(&bytes) else { panic!() };
        assert_eq!((request.verb, request.quiet), (Verb::Store(StoreMode::Set), true));
        assert_eq!((request.extra_32(0), request.extra_32(4), request.extra_32(6)), (1, 2, 0));
        assert_eq!((request.key, request.header.opaque), (&b"key"[..], 5));
        assert_eq!((request.compare(), request.value_len), (Some(9), u32::MAX as usize - 11));
        for end in 0..bytes.len() {
            assert_eq!(Head::find(&bytes[..end]), Head::Partial, "{end}");
        }
    }

    #[test]
    fn lengths_must_fit_the_verb() {
        let broken = |bytes: &[u8], status| matches!(Head::find(bytes), Head::Unfit(Unfit::Broken(_, found)) if found == status);
        assert!(broken(&request(0x00, b"1234", b"a", 0), Status::Invalid));
        assert!(broken(&request(0x00, b"", b"", 0), Status::Invalid));
        assert!(broken(&request(0x00, b"", b"a", 2), Status::Invalid));
        assert!(broken(&request(0x00, b"", &[b'k'; 251], 0), Status::Invalid));
        assert!(broken(&request(0x01, b"", b"a", 1), Status::Invalid));
        assert!(broken(&request(0x0a, b"", b"abc", 0), Status::Invalid));
        let mut short = request(0x00, b"", b"abc", 0);
        short[11] = 1;
        assert!(broken(&short, Status::Unknown));
    }

    #[test]
    fn strangers_are_told_apart() {
        assert_eq!(Head::find(b"\x81"), Head::Unfit(Unfit::Magic));
        let unknown = request(0x55, b"", b"abc", 2);
        assert!(matches!(Head::find(&unknown), Head::Unfit(Unfit::Unknown(_))));
    }
}
