//! The flags of a meta command: looked at once, all of them, and then only those
//! that matter.

use crate::item::{Expiry, Now};
use crate::limits::{META_FLAGS_MAX, OPAQUE_BYTES_MAX};
use crate::memcache::Tokens;
use crate::memcache::number::{client_flags, exptime, unsigned};
use crate::memcache::text::Refusal;

/// The flags of a meta command. Every command takes the letters of all, and
/// passes over those that mean nothing to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags<'a> {
    tokens: &'a [u8],
    /// One bit for each letter that is there.
    letters: u64,
    /// `T`: the client's seconds.
    pub ttl: Option<i32>,
    /// `N`: make the item where it is missing, for so many seconds.
    pub vivify: Option<i32>,
    /// `R`: with fewer seconds left, one reader is to fetch a fresh value.
    pub recache: Option<i32>,
    /// `C`: only where the item's token is this one.
    pub compare: Option<u64>,
    /// `E`: the token to give it.
    pub cas: Option<u64>,
    /// `F`: the client's own bits.
    pub client_flags: u32,
    /// `D`: by how much to count.
    pub delta: Option<u64>,
    /// `J`: where to start counting.
    pub initial: u64,
    /// `M`: on what terms to write, or which way to count.
    pub mode: Option<u8>,
}

impl<'a> Flags<'a> {
    /// Looks at all that is left of the line.
    #[inline]
    pub(super) fn parse(words: Tokens<'a>) -> Result<Self, Refusal> {
        let mut flags = Self { tokens: words.rest(), ..Self::default() };
        for token in words {
            // Whatever is wrong with one of too many, they are too many.
            flags.take(token).map_err(|refusal| match words.count() > META_FLAGS_MAX {
                true => Refusal::TooManyFlags,
                false => refusal,
            })?;
        }
        match words.rest().len() > META_FLAGS_MAX && words.count() > META_FLAGS_MAX {
            true => Err(Refusal::TooManyFlags),
            false => Ok(flags),
        }
    }

    #[inline]
    fn take(&mut self, token: &[u8]) -> Result<(), Refusal> {
        let (&letter, value) = token.split_first().ok_or(Refusal::BadLine)?;
        if !letter.is_ascii_alphabetic() {
            return Err(Refusal::BadLine);
        }
        if self.has(letter) {
            return Err(Refusal::DuplicateFlag);
        }
        self.letters |= bit(letter);
        match letter {
            b'O' if token.len() > OPAQUE_BYTES_MAX => return Err(Refusal::OpaqueTooLong),
            // Those that say it all by being there.
            b'b' | b'c' | b'f' | b'h' | b'k' | b'l' | b'q' | b's' | b't' | b'u' | b'v' | b'x'
            | b'I' | b'L' | b'O' | b'P' => {}
            b'T' => self.ttl = Some(valid(exptime(value))?),
            b'N' => self.vivify = Some(valid(exptime(value))?),
            b'R' => self.recache = Some(valid(exptime(value))?),
            b'C' => self.compare = Some(valid(unsigned(value))?),
            b'E' => self.cas = Some(valid(unsigned(value))?),
            b'F' => self.client_flags = client_flags(value).ok_or(Refusal::BadLine)?,
            b'D' => self.delta = Some(unsigned(value).ok_or(Refusal::BadMetaDelta)?),
            b'J' => self.initial = unsigned(value).ok_or(Refusal::BadMetaInitial)?,
            // Its first letter counts; without one it is no mode.
            b'M' => self.mode = Some(value.first().copied().unwrap_or(b' ')),
            _ => return Err(Refusal::InvalidFlag),
        }
        Ok(())
    }

    /// Whether this letter is there.
    #[inline]
    #[must_use]
    pub fn has(&self, letter: u8) -> bool {
        self.letters & bit(letter) != 0
    }

    /// `b`: whether the key is written as base64.
    #[inline]
    #[must_use]
    pub fn base64(&self) -> bool {
        self.has(b'b')
    }

    /// `q`: whether the usual answer is not wanted.
    #[inline]
    #[must_use]
    pub fn quiet(&self) -> bool {
        self.has(b'q')
    }

    /// `I`: whether to declare the item stale.
    #[inline]
    #[must_use]
    pub fn invalidate(&self) -> bool {
        self.has(b'I')
    }

    /// When an item is to go, once the flags of these tokens have been gone over in
    /// their order: `T` says when, and so does `N` of an item that this request
    /// makes. `old` is what it was for an item that had been there.
    fn expiry_after<'t>(
        &self,
        tokens: impl Iterator<Item = &'t [u8]>,
        old: Option<Expiry>,
        now: Now,
    ) -> Expiry {
        let expiry = |seconds: i32| Expiry::from_client(seconds.into(), now);
        tokens.fold(old.unwrap_or(Expiry::Never), |before, token| {
            let seconds = match token[0] {
                b'T' => self.ttl,
                b'N' if old.is_none() => self.vivify,
                _ => None,
            };
            seconds.map_or(before, expiry)
        })
    }

    /// When an item goes that this request makes.
    #[must_use]
    pub fn expiry_made(&self, now: Now) -> Expiry {
        self.expiry_after(self.tokens(), None, now)
    }

    /// What `t` tells: it stands among the flags that change the expiry, and those
    /// behind it have not been gone over by then.
    #[must_use]
    pub fn expiry_told(&self, old: Option<Expiry>, now: Now) -> Expiry {
        self.expiry_after(self.tokens().take_while(|token| token[0] != b't'), old, now)
    }

    /// The flags in the client's order, each with its value.
    #[inline]
    #[must_use]
    pub fn tokens(&self) -> Tokens<'a> {
        Tokens::new(self.tokens)
    }
}

#[inline]
fn valid<T>(number: Option<T>) -> Result<T, Refusal> {
    number.ok_or(Refusal::BadToken)
}

/// Letters lie within 58 bytes of each other.
#[inline]
fn bit(letter: u8) -> u64 {
    1 << (letter.wrapping_sub(b'A') & 63)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Flags<'_>, Refusal> {
        Flags::parse(Tokens::new(text.as_bytes()))
    }

    #[test]
    fn values_are_taken_by_their_letters() {
        let flags = parse("T-1 N60 R30 C5 E6 F7 D8 J9 MA k O1 q b").unwrap();
        assert_eq!((flags.ttl, flags.vivify, flags.recache), (Some(-1), Some(60), Some(30)));
        assert_eq!((flags.compare, flags.cas), (Some(5), Some(6)));
        assert_eq!((flags.client_flags, flags.delta, flags.initial), (7, Some(8), 9));
        assert_eq!(flags.mode, Some(b'A'));
        assert!(flags.quiet() && flags.base64() && !flags.invalidate());
        assert_eq!(flags.tokens().nth(10), Some(&b"O1"[..]));
    }

    #[test]
    fn broken_flags_are_refused() {
        let cases = [
            ("!", Refusal::BadLine),
            ("5", Refusal::BadLine),
            ("Z", Refusal::InvalidFlag),
            ("S1", Refusal::InvalidFlag),
            ("v v", Refusal::DuplicateFlag),
            ("T", Refusal::BadToken),
            ("Tx", Refusal::BadToken),
            ("C-1", Refusal::BadToken),
            ("F-1", Refusal::BadLine),
        ];
        for (text, refusal) in cases {
            assert_eq!(parse(text), Err(refusal), "{text}");
        }
    }

    #[test]
    fn opaque_and_count_are_bounded() {
        assert!(parse(&format!("O{}", "1".repeat(31))).is_ok());
        assert_eq!(parse(&format!("O{}", "1".repeat(32))), Err(Refusal::OpaqueTooLong));
        let letters = "b c f h k l q s t u v x I L P O T1 N1 R1 C1 E1";
        assert_eq!(parse(letters), Err(Refusal::TooManyFlags));
        assert!(parse(letters.strip_suffix(" E1").unwrap()).is_ok());
    }
}
