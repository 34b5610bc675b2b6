//! Keys as base64, for those that a line cannot say.

use crate::limits::KEY_BYTES_MAX;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A key's bytes out of base64, or its base64: whatever is not the other.
#[derive(Clone, Copy, Debug)]
pub struct KeyText {
    bytes: [u8; Self::LEN_MAX],
    len: usize,
}

impl KeyText {
    /// Base64 of the longest key.
    const LEN_MAX: usize = KEY_BYTES_MAX.div_ceil(3) * 4;

    /// The key that base64 says.
    #[must_use]
    pub fn decode(base64: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::LEN_MAX];
        match STANDARD.decode_slice(base64, &mut bytes) {
            Ok(len) if (1..=KEY_BYTES_MAX).contains(&len) => Some(Self { bytes, len }),
            _ => None,
        }
    }

    /// The base64 of a key.
    #[must_use]
    pub fn encode(key: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::LEN_MAX];
        let len = STANDARD.encode_slice(key, &mut bytes).ok()?;
        Some(Self { bytes, len })
    }

    /// Whether a line can say the key as it is.
    #[must_use]
    pub fn is_plain(key: &[u8]) -> bool {
        key.iter().all(|byte| byte.is_ascii_graphic() || *byte >= 0x80)
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_from_base64() {
        for key in [&b"foo"[..], b"a b\n", &[0xff; 250]] {
            let text = KeyText::encode(key).unwrap();
            assert_eq!(KeyText::decode(text.bytes()).unwrap().bytes(), key);
        }
        assert!(KeyText::is_plain(b"foo"));
        assert!(!KeyText::is_plain(b"a b"));
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in [&b"Z!9v"[..], b"Zm9", b"", b"Zm9v=", &[b'A'; 336]] {
            assert!(KeyText::decode(text).is_none(), "{}", text.escape_ascii());
        }
    }
}
