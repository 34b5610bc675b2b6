//! The file that keys to look up are read from, one on each line.

use crate::cli::CliError;
use crate::lab::Keys;
use crate::limits::{KEY_BYTES_MAX, KEYS_FILE_BYTES_MAX};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

// `Keys` counts its bytes in 32 bits.
const _: () = assert!(KEYS_FILE_BYTES_MAX <= u32::MAX as u64);

/// The longest line: a key with `\r\n`.
const LINE_BYTES_MAX: u64 = KEY_BYTES_MAX as u64 + 2;

/// The first `most` lines of a file, as long as memcached lets a key be.
pub(super) fn read(path: &Path, most: usize) -> Result<Keys, CliError> {
    let keys = File::open(path)
        .map_err(KeysError::Unreadable)
        .and_then(|file| keys(BufReader::new(file), most, KEYS_FILE_BYTES_MAX));
    keys.map_err(|error| CliError::Usage(format!("keys file {}: {error}", path.display())))
}

/// Reads to the end, to as many keys as were asked for, or to `bytes_max`.
fn keys(mut source: impl BufRead, most: usize, bytes_max: u64) -> Result<Keys, KeysError> {
    let (mut keys, mut line) = (Keys::default(), Vec::new());
    let (mut number, mut bytes) = (0, 0);
    while keys.len() < most {
        line.clear();
        let read = source.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        let read = read.map_err(KeysError::Unreadable)? as u64;
        if read == 0 {
            break;
        }
        (number, bytes) = (number + 1, bytes + read);
        let key = line.strip_suffix(b"\n").unwrap_or(&line);
        let key = key.strip_suffix(b"\r").unwrap_or(key);
        if key.len() > KEY_BYTES_MAX {
            return Err(KeysError::Line(number));
        }
        if bytes > bytes_max {
            return Err(KeysError::TooLong);
        }
        if !key.is_empty() {
            keys.push(key);
        }
    }
    if keys.is_empty() { Err(KeysError::Empty) } else { Ok(keys) }
}

/// Why a file gives no keys.
#[derive(Debug)]
enum KeysError {
    /// It cannot be opened or read.
    Unreadable(io::Error),
    /// The line of this number is longer than any key.
    Line(u64),
    /// It is longer than the laboratory holds.
    TooLong,
    /// It has no keys.
    Empty,
}

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::Line(number) => write!(f, "line {number} is longer than {KEY_BYTES_MAX} bytes"),
            Self::TooLong => write!(
                f,
                "its keys are longer than {} GiB; take fewer with --keys",
                KEYS_FILE_BYTES_MAX >> 30
            ),
            Self::Empty => f.write_str("it has no keys"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_at_their_ends() {
        let longest = "k".repeat(KEY_BYTES_MAX);
        let text = format!("a\r\n\n{longest}\r\n{longest}\nb");
        let read = keys(text.as_bytes(), 9, 9999).unwrap();
        let longest = longest.as_bytes();
        assert!(read.iter().eq([b"a", longest, longest, b"b"]));
        assert_eq!(keys(text.as_bytes(), 2, 9999).unwrap().len(), 2);
    }

    #[test]
    fn longer_lines_are_refused() {
        for end in ["", "\n", "\r\n", "k", "kk\n"] {
            let text = format!("a\n{}{end}", "k".repeat(KEY_BYTES_MAX + 1));
            assert!(matches!(keys(text.as_bytes(), 9, 9999), Err(KeysError::Line(2))), "{end:?}");
        }
        assert!(matches!(keys(BufReader::new(io::repeat(0)), 9, 9999), Err(KeysError::Line(1))));
    }

    #[test]
    fn all_keys_together_are_bounded() {
        assert_eq!(keys(&b"a\nb\n"[..], 9, 4).unwrap().len(), 2);
        assert!(matches!(keys(&b"a\nb\n"[..], 9, 3), Err(KeysError::TooLong)));
        // Empty lines count too, or a file of nothing else would never end.
        assert!(matches!(
            keys(BufReader::new(io::repeat(b'\n')), 9, 9999),
            Err(KeysError::TooLong)
        ));
    }
}
