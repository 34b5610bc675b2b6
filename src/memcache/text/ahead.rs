//! Which keys the requests to come are about, at a glance.

use crate::item::Key;
use crate::memcache::Tokens;
use crate::memcache::number::length;

/// The keys of the lines in the input, the first of each. A hint and no parser:
/// what is broken is passed over or ends it, and says nothing of the answers.
#[derive(Clone, Debug)]
pub struct Ahead<'a> {
    rest: &'a [u8],
}

impl<'a> Ahead<'a> {
    /// Looks at the requests in this input.
    #[must_use]
    pub fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// What it has not passed.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Ahead<'a> {
    type Item = Key<'a>;

    #[inline]
    fn next(&mut self) -> Option<Key<'a>> {
        let end = memchr::memchr(b'\n', self.rest)?;
        let (line, rest) = self.rest.split_at(end + 1);
        let mut words = Tokens::new(line);
        // Where, behind the key, the length of a value stands.
        let value = match words.next()? {
            b"get" | b"mg" | b"gets" | b"delete" | b"incr" | b"decr" | b"touch" | b"md" | b"ma" => {
                None
            }
            b"set" | b"add" | b"replace" | b"append" | b"prepend" | b"cas" => Some(2),
            b"ms" => Some(0),
            _ => return None,
        };
        let key = Key::new(words.next()?.trim_ascii_end()).ok()?;
        let value = match value {
            Some(place) => length(words.nth(place)?.trim_ascii_end())? + 2,
            None => 0,
        };
        self.rest = rest.get(value..).unwrap_or_default();
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(input: &[u8]) -> Vec<&[u8]> {
        Ahead::new(input).map(Key::bytes).collect()
    }

    #[test]
    fn values_are_passed_over() {
        let input = b"get a b\r\nset c 0 0 8\r\nget x\r\n\r\r\nmg d v\r\nms e 1\r\nx\r\nget f\n";
        assert_eq!(keys(input), [&b"a"[..], b"c", b"d", b"e", b"f"]);
    }

    #[test]
    fn what_is_not_whole_ends_it() {
        assert_eq!(keys(b"get a\r\nget b"), [b"a"]);
        assert_eq!(keys(b"set a 0 0 100\r\nget b\r\n"), [b"a"]);
        assert_eq!(keys(b"get a\r\nstats\r\nget b\r\n"), [b"a"]);
        assert_eq!(keys(b"get\r\nget b\r\n"), [b""; 0]);
        assert_eq!(keys(b""), [b""; 0]);
    }
}
