//! From a line to what it asks for.

use super::{Admin, Refusal};
use crate::item::{CountKind, Key, StoreMode};
use crate::memcache::number::{client_flags, exptime, length, unsigned};
use crate::memcache::tokens::token_len;
use crate::memcache::{Tokens, meta};

/// What a line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// `get`, `gets`, `gat`, `gats`.
    Read(Read<'a>),
    /// `set`, `add`, `replace`, `append`, `prepend`, `cas`: the value follows.
    Store(StoreHead<'a>),
    /// `delete`
    Delete {
        /// Of this item.
        key: Key<'a>,
        /// Without an answer.
        noreply: bool,
    },
    /// `incr`, `decr`
    Count {
        /// Which way.
        kind: CountKind,
        /// The number in this item.
        key: Key<'a>,
        /// By how much.
        delta: u64,
        /// Without an answer.
        noreply: bool,
    },
    /// `touch`
    Touch {
        /// This item.
        key: Key<'a>,
        /// The client's seconds.
        exptime: i32,
        /// Without an answer.
        noreply: bool,
    },
    /// `mg`, `ms`, `md`, `ma`, `me`
    Meta(meta::Command<'a>),
    /// `mn`
    MetaNoop,
    /// Whatever is about the server and not about an item.
    Admin(Admin<'a>),
}

/// A read of any number of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read<'a> {
    /// The keys, not yet looked at.
    pub keys: Tokens<'a>,
    /// Whether to show each item's token.
    pub with_cas: bool,
    /// The client's seconds, for those that touch what they read.
    pub touch: Option<i32>,
}

/// All of a storage command but the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreHead<'a> {
    /// Where to.
    pub key: Key<'a>,
    /// On what terms.
    pub mode: StoreMode,
    /// The client's own bits.
    pub flags: u32,
    /// The client's seconds.
    pub exptime: i32,
    /// Bytes of the value, without the line's end behind it.
    pub len: usize,
    /// Only where the item's token is this one.
    pub compare: Option<u64>,
    /// Without an answer.
    pub noreply: bool,
}

/// What a line asks for.
///
/// # Errors
/// Says what to reply instead. A value may follow all the same: see
/// [`claimed_body`].
#[inline]
pub fn parse(line: &[u8]) -> Result<Command<'_>, Refusal> {
    let (name, rest) = line.split_at(token_len(line));
    let words = Tokens::new(rest);
    match name {
        b"get" => read(words, false),
        b"gets" => read(words, true),
        b"mg" => meta::parse_get(words).map(Command::Meta),
        b"set" => store(words, StoreMode::Set),
        b"ms" => meta::parse_set(words).map(Command::Meta),
        b"md" => meta::parse_delete(words).map(Command::Meta),
        b"ma" => meta::parse_count(words).map(Command::Meta),
        b"mn" => Ok(Command::MetaNoop),
        b"me" => meta::parse_debug(words).map(Command::Meta),
        b"delete" => delete(words),
        b"incr" => count(words, CountKind::Increment),
        b"decr" => count(words, CountKind::Decrement),
        b"touch" => touch(words),
        b"gat" => read_and_touch(words, false),
        b"gats" => read_and_touch(words, true),
        b"add" => store(words, StoreMode::Add),
        b"replace" => store(words, StoreMode::Replace),
        b"append" => store(words, StoreMode::Append),
        b"prepend" => store(words, StoreMode::Prepend),
        b"cas" => compare_and_swap(words),
        _ => Admin::parse(name, words).map(Command::Admin),
    }
}

/// Bytes that follow a refused line as its value, as far as the line says so:
/// they are no commands. With the line's end behind them.
#[must_use]
pub fn claimed_body(line: &[u8]) -> Option<usize> {
    let mut words = Tokens::new(line);
    let place = match words.next()? {
        b"set" | b"add" | b"replace" | b"append" | b"prepend" | b"cas" => 3,
        b"ms" => 1,
        _ => return None,
    };
    Some(length(words.nth(place)?)? + 2)
}

/// Whether a refused line gets no answer. It says that it wants none, and has as
/// many words as its command needs: who counts answers expects none.
#[must_use]
pub fn is_hushed(line: &[u8]) -> bool {
    let mut words = Tokens::new(line);
    let is_whole = match words.next() {
        Some(b"incr" | b"decr" | b"touch" | b"delete") => words.count() >= 2,
        Some(b"verbosity" | b"cache_memlimit") => true,
        _ => claimed_body(line).is_some(),
    };
    is_whole && noreply(words)
}

#[inline]
pub(crate) fn key(token: Option<&[u8]>) -> Result<Key<'_>, Refusal> {
    token.and_then(|token| Key::new(token).ok()).ok_or(Refusal::BadLine)
}

#[inline]
fn read(keys: Tokens<'_>, with_cas: bool) -> Result<Command<'_>, Refusal> {
    match keys.rest().iter().all(|&byte| byte == b' ') {
        true => Err(Refusal::BadLine),
        false => Ok(Command::Read(Read { keys, with_cas, touch: None })),
    }
}

fn read_and_touch(mut words: Tokens<'_>, with_cas: bool) -> Result<Command<'_>, Refusal> {
    let seconds = words.next().ok_or(Refusal::BadLine)?;
    if words.clone().next().is_none() {
        return Err(Refusal::BadLine);
    }
    let touch = Some(exptime(seconds).ok_or(Refusal::BadExptime)?);
    Ok(Command::Read(Read { keys: words, with_cas, touch }))
}

#[inline]
fn store(mut words: Tokens<'_>, mode: StoreMode) -> Result<Command<'_>, Refusal> {
    let head = store_head(&mut words, mode)?;
    Ok(Command::Store(StoreHead { noreply: noreply(words), ..head }))
}

fn compare_and_swap(mut words: Tokens<'_>) -> Result<Command<'_>, Refusal> {
    let head = store_head(&mut words, StoreMode::Set)?;
    let compare = words.next().and_then(unsigned).ok_or(Refusal::BadLine)?;
    Ok(Command::Store(StoreHead { compare: Some(compare), noreply: noreply(words), ..head }))
}

#[inline]
fn store_head<'a>(words: &mut Tokens<'a>, mode: StoreMode) -> Result<StoreHead<'a>, Refusal> {
    let key = key(words.next())?;
    let flags = words.next().and_then(client_flags).ok_or(Refusal::BadLine)?;
    let exptime = words.next().and_then(exptime).ok_or(Refusal::BadLine)?;
    let len = words.next().and_then(length).ok_or(Refusal::BadLine)?;
    Ok(StoreHead { key, mode, flags, exptime, len, compare: None, noreply: false })
}

fn delete(mut words: Tokens<'_>) -> Result<Command<'_>, Refusal> {
    Ok(Command::Delete { key: key(words.next())?, noreply: noreply(words) })
}

fn count(mut words: Tokens<'_>, kind: CountKind) -> Result<Command<'_>, Refusal> {
    let key = key(words.next())?;
    let delta = words.next().ok_or(Refusal::BadLine)?;
    let delta = unsigned(delta).ok_or(Refusal::BadDelta)?;
    Ok(Command::Count { kind, key, delta, noreply: noreply(words) })
}

fn touch(mut words: Tokens<'_>) -> Result<Command<'_>, Refusal> {
    let key = key(words.next())?;
    let seconds = words.next().ok_or(Refusal::BadLine)?;
    let exptime = exptime(seconds).ok_or(Refusal::BadExptime)?;
    Ok(Command::Touch { key, exptime, noreply: noreply(words) })
}

/// Whether the last word says to be quiet.
#[inline]
pub(super) fn noreply(words: Tokens<'_>) -> bool {
    !words.rest().is_empty() && words.last() == Some(b"noreply")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_lines_say_it_all() {
        let head = StoreHead {
            key: Key::new(b"k").unwrap(),
            mode: StoreMode::Set,
            flags: 7,
            exptime: -1,
            len: 3,
            compare: Some(9),
            noreply: true,
        };
        assert_eq!(parse(b"cas k 7 -1 3 9 noreply"), Ok(Command::Store(head)));
        let head = StoreHead { compare: None, mode: StoreMode::Prepend, noreply: false, ..head };
        assert_eq!(parse(b"prepend  k  7  -1  3 "), Ok(Command::Store(head)));
    }

    #[test]
    fn broken_lines_are_refused() {
        let cases: [(&[u8], Refusal); 20] = [
            (b"", Refusal::Unknown),
            (b" get a", Refusal::Unknown),
            (b"GET a", Refusal::Unknown),
            (b"get", Refusal::BadLine),
            (b"get  ", Refusal::BadLine),
            (b"gat", Refusal::BadLine),
            (b"gat 10", Refusal::BadLine),
            (b"gat x a", Refusal::BadExptime),
            (b"set k 0 0", Refusal::BadLine),
            (b"set k x 0 1", Refusal::BadLine),
            (b"set k 0 x 1", Refusal::BadLine),
            (b"set k 0 0 x", Refusal::BadLine),
            (b"set k 0 0 -1", Refusal::BadLine),
            (b"cas k 0 0 1", Refusal::BadLine),
            (b"delete", Refusal::BadLine),
            (b"incr k", Refusal::BadLine),
            (b"incr k -1", Refusal::BadDelta),
            (b"touch k", Refusal::BadLine),
            (b"touch k 1x", Refusal::BadExptime),
            (b"misbehave", Refusal::Unknown),
        ];
        for (line, refusal) in cases {
            assert_eq!(parse(line), Err(refusal), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn refused_lines_may_claim_a_value() {
        let cases: [(&[u8], Option<usize>); 7] = [
            (b"set k x 0 5", Some(7)),
            (b"cas k 0 0 5", Some(7)),
            (b"ms k 5 Tx", Some(7)),
            (b"set k 0 0 -1", None),
            (b"set k 0 0", None),
            (b"get k 0 0 5", None),
            (b"", None),
        ];
        for (line, len) in cases {
            assert_eq!(claimed_body(line), len, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn keys_have_a_length() {
        let line = |len: usize| [b"delete ", &vec![b'k'; len][..]].concat();
        assert!(parse(&line(250)).is_ok());
        assert_eq!(parse(&line(251)), Err(Refusal::BadLine));
    }
}
