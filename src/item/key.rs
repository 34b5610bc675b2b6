//! A key that has been checked.

use crate::limits::KEY_BYTES_MAX;
use std::fmt;

/// One to 250 bytes. Which bytes is the protocol's matter: text cannot say a
/// space or a line's end, binary and base64 can.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key<'a>(&'a [u8]);

/// Why bytes are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// There are none.
    Empty,
    /// There are more than a key may have.
    TooLong,
}

impl<'a> Key<'a> {
    /// Checks the length.
    ///
    /// # Errors
    /// Refuses no bytes, and more than 250.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Result<Self, KeyError> {
        match bytes.len() {
            0 => Err(KeyError::Empty),
            1..=KEY_BYTES_MAX => Ok(Self(bytes)),
            _ => Err(KeyError::TooLong),
        }
    }

    /// The bytes.
    #[inline]
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }
}

impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_checked_at_birth() {
        assert_eq!(Key::new(b"").unwrap_err(), KeyError::Empty);
        assert_eq!(Key::new(&[b'k'; 250]).unwrap().bytes().len(), 250);
        assert_eq!(Key::new(&[b'k'; 251]).unwrap_err(), KeyError::TooLong);
    }
}
