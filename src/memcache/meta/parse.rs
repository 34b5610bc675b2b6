//! From a line to what a meta command asks for.

use super::Flags;
use crate::item::{CountKind, StoreMode};
use crate::limits::KEY_BYTES_MAX;
use crate::memcache::Tokens;
use crate::memcache::number::length;
use crate::memcache::text::Refusal;

/// What a meta command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// `mg`
    Get(Request<'a>),
    /// `ms`: the value follows.
    Set(SetHead<'a>),
    /// `md`
    Delete(Request<'a>),
    /// `ma`
    Count(CountHead<'a>),
    /// `me`
    Debug {
        /// As the client wrote it.
        key: &'a [u8],
        /// Whether it is written as base64.
        base64: bool,
    },
}

/// A key and flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// As the client wrote it.
    pub key: &'a [u8],
    /// What to do, and what to tell.
    pub flags: Flags<'a>,
}

/// All of a meta set but the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetHead<'a> {
    /// Where to.
    pub request: Request<'a>,
    /// On what terms.
    pub mode: StoreMode,
    /// Bytes of the value, without the line's end behind it.
    pub len: usize,
}

/// A meta count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountHead<'a> {
    /// Where.
    pub request: Request<'a>,
    /// Which way.
    pub kind: CountKind,
}

#[inline]
pub(in crate::memcache) fn parse_get(mut words: Tokens<'_>) -> Result<Command<'_>, Refusal> {
    let key = written_key(&mut words)?;
    Ok(Command::Get(Request { key, flags: Flags::parse(words)? }))
}

#[inline]
pub(in crate::memcache) fn parse_set(mut words: Tokens<'_>) -> Result<Command<'_>, Refusal> {
    let key = written_key(&mut words)?;
    let len = words.next().and_then(length).ok_or(Refusal::BadLine)?;
    let flags = Flags::parse(words)?;
    let mode = match flags.mode {
        None | Some(b'S' | b's') => StoreMode::Set,
        Some(b'E' | b'e') => StoreMode::Add,
        Some(b'A' | b'a') => StoreMode::Append,
        Some(b'P' | b'p') => StoreMode::Prepend,
        Some(b'R' | b'r') => StoreMode::Replace,
        Some(_) => return Err(Refusal::StoreMode),
    };
    Ok(Command::Set(SetHead { request: Request { key, flags }, mode, len }))
}

pub(in crate::memcache) fn parse_delete(mut words: Tokens<'_>) -> Result<Command<'_>, Refusal> {
    let key = written_key(&mut words)?;
    let flags = Flags::parse(words).map_err(bluntly)?;
    Ok(Command::Delete(Request { key, flags }))
}

pub(in crate::memcache) fn parse_count(mut words: Tokens<'_>) -> Result<Command<'_>, Refusal> {
    let key = written_key(&mut words)?;
    let flags = Flags::parse(words).map_err(bluntly)?;
    let kind = match flags.mode {
        None | Some(b'I' | b'i' | b'+') => CountKind::Increment,
        Some(b'D' | b'd' | b'-') => CountKind::Decrement,
        Some(_) => return Err(Refusal::CountMode),
    };
    Ok(Command::Count(CountHead { request: Request { key, flags }, kind }))
}

pub(in crate::memcache) fn parse_debug(mut words: Tokens<'_>) -> Result<Command<'_>, Refusal> {
    let key = written_key(&mut words)?;
    Ok(Command::Debug { key, base64: words.any(|word| word == b"b") })
}

#[inline]
fn written_key<'a>(words: &mut Tokens<'a>) -> Result<&'a [u8], Refusal> {
    words.next().filter(|key| key.len() <= KEY_BYTES_MAX).ok_or(Refusal::BadLine)
}

/// Deletes and counts do not say what is wrong with a flag.
fn bluntly(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::BadLine | Refusal::TooManyFlags | Refusal::OpaqueTooLong => refusal,
        _ => Refusal::InvalidOrDuplicateFlag,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memcache::text::{self, parse};

    fn set(line: &[u8]) -> SetHead<'_> {
        match parse(line) {
            Ok(text::Command::Meta(Command::Set(head))) => head,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn sets_have_modes() {
        assert_eq!(set(b"ms k 5").mode, StoreMode::Set);
        assert_eq!(set(b"ms k 5 ME").mode, StoreMode::Add);
        assert_eq!(set(b"ms k 5 MA").mode, StoreMode::Append);
        assert_eq!(set(b"ms k 5 MP").mode, StoreMode::Prepend);
        assert_eq!(set(b"ms k 5 MR").mode, StoreMode::Replace);
        assert_eq!(set(b"ms k 5 MReplace").mode, StoreMode::Replace);
        let head = set(b"ms k 5 MS T30");
        assert_eq!((head.mode, head.len, head.request.key), (StoreMode::Set, 5, &b"k"[..]));
        assert_eq!(head.request.flags.ttl, Some(30));
    }

    #[test]
    fn broken_lines_are_refused() {
        let cases: [(&[u8], Refusal); 12] = [
            (b"mg", Refusal::BadLine),
            (b"mg k !", Refusal::BadLine),
            (b"mg k Z", Refusal::InvalidFlag),
            (b"ms k", Refusal::BadLine),
            (b"ms k S1", Refusal::BadLine),
            (b"ms k -1", Refusal::BadLine),
            (b"ms k 1 MX", Refusal::StoreMode),
            (b"ms k 1 M", Refusal::StoreMode),
            (b"ma k M", Refusal::CountMode),
            (b"md k q q", Refusal::InvalidOrDuplicateFlag),
            (b"ma k Dabc", Refusal::InvalidOrDuplicateFlag),
            (b"ma k MX", Refusal::CountMode),
        ];
        for (line, refusal) in cases {
            assert_eq!(parse(line), Err(refusal), "{}", line.escape_ascii());
        }
        let long = [b"mg ", &[b'k'; 251][..]].concat();
        assert_eq!(parse(&long), Err(Refusal::BadLine));
    }
}
