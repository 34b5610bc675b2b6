//! The 24 bytes that every request starts with.

/// The first byte of a request.
pub const REQUEST_MAGIC: u8 = 0x80;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 24;

/// What a request's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What is asked.
    pub opcode: u8,
    /// Bytes of the key.
    pub key_len: usize,
    /// Bytes of the extras.
    pub extras_len: usize,
    /// Bytes of extras, key and value together.
    pub body_len: usize,
    /// Goes back with the answer.
    pub opaque: u32,
    /// Only where the item's token is this one; zero is any.
    pub cas: u64,
}

impl Header {
    /// Reads the bytes after the first one, which is for whoever looks for
    /// requests.
    #[inline]
    pub(super) fn read(bytes: &[u8; HEADER_BYTES]) -> Self {
        let [_, opcode, key_0, key_1, extras_len, _, _, _, rest @ ..] = *bytes;
        let [len_0, len_1, len_2, len_3, o_0, o_1, o_2, o_3, cas @ ..] = rest;
        Self {
            opcode,
            key_len: usize::from(u16::from_be_bytes([key_0, key_1])),
            extras_len: usize::from(extras_len),
            body_len: u32::from_be_bytes([len_0, len_1, len_2, len_3]) as usize,
            opaque: u32::from_be_bytes([o_0, o_1, o_2, o_3]),
            cas: u64::from_be_bytes(cas),
        }
    }

    /// Bytes before the value: the header, the extras and the key.
    #[inline]
    #[must_use]
    pub fn head_len(&self) -> usize {
        HEADER_BYTES + self.extras_len + self.key_len
    }

    /// Bytes of the value, if the lengths agree with each other.
    #[inline]
    #[must_use]
    pub fn value_len(&self) -> Option<usize> {
        self.body_len.checked_sub(self.extras_len + self.key_len)
    }
}
