//! Where a request line ends, and when to stop waiting for it.

use crate::limits::{KEYS_LINE_BYTES_MAX, LINE_BYTES_MAX};

/// The line at the start of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// It is there.
    Whole {
        /// Without its end, `\n` or `\r\n`.
        text: &'a [u8],
        /// Bytes up to and with its end.
        used: usize,
    },
    /// Its end is still to come.
    Partial,
    /// It is longer than a line may be.
    Endless,
}

impl<'a> Line<'a> {
    /// Finds the line. The first `searched` bytes are known to hold no end.
    #[inline]
    #[must_use]
    pub fn find(input: &'a [u8], searched: usize) -> Self {
        let searched = searched.min(input.len());
        match memchr::memchr(b'\n', &input[searched..]) {
            Some(at) if searched + at < LINE_BYTES_MAX => Self::up_to(input, searched + at),
            Some(at) if searched + at < bytes_max(input) => Self::up_to(input, searched + at),
            None if input.len() <= LINE_BYTES_MAX || input.len() <= bytes_max(input) => {
                Self::Partial
            }
            _ => Self::Endless,
        }
    }

    fn up_to(input: &'a [u8], end: usize) -> Self {
        let text = &input[..end];
        Self::Whole { text: text.strip_suffix(b"\r").unwrap_or(text), used: end + 1 }
    }
}

/// Only a line that asks for keys may be longer than the others.
#[cold]
fn bytes_max(input: &[u8]) -> usize {
    let asks: [&[u8]; 4] = [b"get ", b"gets ", b"gat ", b"gats "];
    match asks.iter().any(|ask| input.starts_with(ask)) {
        true => KEYS_LINE_BYTES_MAX,
        false => LINE_BYTES_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_ends() {
        let whole = |text, used| Line::Whole { text, used };
        assert_eq!(Line::find(b"get a\r\nx", 0), whole(b"get a", 7));
        assert_eq!(Line::find(b"get a\nx", 0), whole(b"get a", 6));
        assert_eq!(Line::find(b"\n", 0), whole(b"", 1));
        assert_eq!(Line::find(b"get a\r", 0), Line::Partial);
        assert_eq!(Line::find(b"", 0), Line::Partial);
    }

    #[test]
    fn the_search_goes_on_where_it_stopped() {
        assert_eq!(Line::find(b"get a\n", 5), Line::Whole { text: b"get a", used: 6 });
    }

    #[test]
    fn only_keys_make_a_long_line() {
        for (start, max) in [("set ", LINE_BYTES_MAX), ("gats ", KEYS_LINE_BYTES_MAX)] {
            let mut line = start.as_bytes().to_vec();
            line.resize(max, b'k');
            assert_eq!(Line::find(&line, 0), Line::Partial);
            line[max - 1] = b'\n';
            assert!(matches!(Line::find(&line, 0), Line::Whole { .. }));
            line[max - 1] = b'k';
            line.push(b'\n');
            assert_eq!(Line::find(&line, 0), Line::Endless, "however it was split");
            line[max] = b'k';
            assert_eq!(Line::find(&line, 0), Line::Endless);
        }
    }
}
