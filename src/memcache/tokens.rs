//! The words of a line.

/// The words of a line, one after the other; any number of spaces stands between
/// two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    /// The words of this.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }

    /// What has not been read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

#[expect(clippy::copy_iterator, reason = "a copy is how to look at the words without taking them")]
impl<'a> Iterator for Tokens<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        while let [b' ', rest @ ..] = self.rest {
            self.rest = rest;
        }
        if self.rest.is_empty() {
            return None;
        }
        let (token, rest) = self.rest.split_at(token_len(self.rest));
        self.rest = rest;
        Some(token)
    }
}

/// Most words are short, and found sooner than a search for long ones is set up.
const SHORT: usize = 24;

/// Bytes up to the next space.
#[inline]
pub(super) fn token_len(text: &[u8]) -> usize {
    let near = &text[..text.len().min(SHORT)];
    match near.iter().position(|&byte| byte == b' ') {
        Some(len) => len,
        None if text.len() <= SHORT => text.len(),
        None => memchr::memchr(b' ', &text[SHORT..]).map_or(text.len(), |len| SHORT + len),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_part_the_words() {
        let words = |text: &'static str| -> Vec<&[u8]> { Tokens::new(text.as_bytes()).collect() };
        assert_eq!(words(""), [b""; 0]);
        assert_eq!(words("  "), [b""; 0]);
        assert_eq!(words(" a  bc\td "), [&b"a"[..], b"bc\td"]);
    }

    #[test]
    fn words_of_any_length_are_whole() {
        for len in [1, SHORT - 1, SHORT, SHORT + 1, 300] {
            let word = vec![b'k'; len];
            let line = [&word[..], b" ", &word[..]].concat();
            assert_eq!(Tokens::new(&line).collect::<Vec<_>>(), [&word[..], &word[..]], "{len}");
        }
    }
}
