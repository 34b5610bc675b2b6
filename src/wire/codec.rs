//! Messages to bytes and back. Every list and every key has its own maximum: the
//! codec's limit of bytes would let a few of them claim the memory of a frame of
//! the greatest length.

use super::frame::append_frame;
use super::message::{Ask, Body, Item, Keep, Message, Told};
use crate::limits::{ASK_REQUESTS_MAX, FRAME_BYTES_MAX, KEEP_ITEMS_MAX, KEY_BYTES_MAX};
use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::de::BorrowDecoder;
use bincode::enc::write::Writer;
use bincode::error::{DecodeError as Misread, EncodeError};
use bincode::{BorrowDecode, Encode};
use std::fmt;

/// How all that nodes say to each other is written.
pub(super) const CODEC: Configuration<LittleEndian, Varint, Limit<FRAME_BYTES_MAX>> =
    bincode::config::standard().with_limit::<FRAME_BYTES_MAX>();

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// They are not what this version writes.
    Malformed,
    /// They claim more than a message may have.
    TooMuch,
    /// Bytes follow the message.
    Trailing,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "no message",
            Self::TooMuch => "a message that claims too much",
            Self::Trailing => "a message with bytes behind it",
        })
    }
}

impl std::error::Error for DecodeError {}

impl Message<'_> {
    /// Appends one whole frame with this in it. A frame over the maximum is for
    /// the link to refuse, which knows what the other side takes.
    pub fn encode(&self, into: &mut Vec<u8>) {
        append_frame(into, |into| append(into, self));
    }
}

impl<'a> Message<'a> {
    /// What a frame says, given without its length.
    ///
    /// # Errors
    /// Refuses what no node of this version writes.
    pub fn decode(frame: &'a [u8]) -> Result<Self, DecodeError> {
        decode(frame)
    }
}

/// Appends a value without a length. Memory takes whatever is written to it, so
/// there is nothing that fails.
pub(super) fn append(into: &mut Vec<u8>, value: &impl Encode) {
    let start = into.len();
    let written = bincode::encode_into_writer(value, Appended(into), CODEC);
    debug_assert!(written.is_ok(), "{written:?} from byte {start}");
}

/// Exactly one value.
pub(super) fn decode<'a, T: BorrowDecode<'a, ()>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    match bincode::borrow_decode_from_slice(bytes, CODEC) {
        Ok((value, used)) if used == bytes.len() => Ok(value),
        Ok(_) => Err(DecodeError::Trailing),
        Err(Misread::LimitExceeded) => Err(DecodeError::TooMuch),
        Err(_) => Err(DecodeError::Malformed),
    }
}

struct Appended<'a>(&'a mut Vec<u8>);

impl Writer for Appended<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// A list of at most `most` values. Memory is taken as they come, for an empty
/// word of a few bits may be a hundred bytes in memory.
fn list<'de, T: BorrowDecode<'de, D::Context>, D: BorrowDecoder<'de>>(
    decoder: &mut D,
    most: usize,
) -> Result<Vec<T>, Misread> {
    let claimed = u64::borrow_decode(decoder)?;
    if claimed > most as u64 {
        return Err(Misread::LimitExceeded);
    }
    let mut values = Vec::with_capacity((claimed as usize).min(LIST_BEFORE));
    for _ in 0..claimed {
        values.push(T::borrow_decode(decoder)?);
    }
    Ok(values)
}

/// Values of a list that memory is taken for before they come: most lists have
/// no more.
const LIST_BEFORE: usize = 16;

fn key<'de, D: BorrowDecoder<'de>>(decoder: &mut D) -> Result<&'de [u8], Misread> {
    let key = <&[u8]>::borrow_decode(decoder)?;
    if key.len() > KEY_BYTES_MAX { Err(Misread::LimitExceeded) } else { Ok(key) }
}

impl<'de, C> BorrowDecode<'de, C> for Ask<'de> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(d: &mut D) -> Result<Self, Misread> {
        Ok(Self {
            call: BorrowDecode::borrow_decode(d)?,
            executor: BorrowDecode::borrow_decode(d)?,
            requests: list(d, ASK_REQUESTS_MAX)?,
        })
    }
}

impl<'de, C> BorrowDecode<'de, C> for Told<'de> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(d: &mut D) -> Result<Self, Misread> {
        Ok(Self { call: BorrowDecode::borrow_decode(d)?, replies: list(d, ASK_REQUESTS_MAX)? })
    }
}

impl<'de, C> BorrowDecode<'de, C> for Keep<'de> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(d: &mut D) -> Result<Self, Misread> {
        Ok(Self {
            call: BorrowDecode::borrow_decode(d)?,
            floor: BorrowDecode::borrow_decode(d)?,
            items: list(d, KEEP_ITEMS_MAX)?,
        })
    }
}

impl<'de, C> BorrowDecode<'de, C> for Item<'de> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(d: &mut D) -> Result<Self, Misread> {
        Ok(Self {
            key: key(d)?,
            version: BorrowDecode::borrow_decode(d)?,
            expiry_s: BorrowDecode::borrow_decode(d)?,
            body: Option::<Body<'de>>::borrow_decode(d)?,
        })
    }
}
