//! What meta commands answer.

use super::Request;
use crate::item::{Expiry, Meta, Now};
use crate::memcache::text::reply::{CRLF, number};

/// It is done.
pub const DONE: &[u8] = b"HD";
/// There is no such item to read.
pub const MISS: &[u8] = b"EN";
/// There is no such item to change.
pub const NOT_FOUND: &[u8] = b"NF";
/// The terms of a write are not met.
pub const NOT_STORED: &[u8] = b"NS";
/// The item has another token.
pub const EXISTS: &[u8] = b"EX";
/// Nothing was to be done.
pub const NOOP: &[u8] = b"MN\r\n";

/// An item, as far as the return flags tell of it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// All but its key and value.
    pub meta: &'a Meta,
    /// Bytes of its value.
    pub len: usize,
    /// When it is shown.
    pub now: Now,
}

/// Who is to fetch a fresh value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Winner {
    /// This reader.
    pub won: bool,
    /// Another one, before.
    pub lost: bool,
}

/// The flags that tell of an item, in the order they were asked for.
#[inline]
pub fn item_flags(out: &mut Vec<u8>, request: &Request<'_>, shown: &Shown<'_>) {
    for token in request.flags.tokens() {
        match token[0] {
            b'c' => flag(out, b'c', shown.meta.cas),
            b'f' => flag(out, b'f', u64::from(shown.meta.flags)),
            b'h' => flag(out, b'h', u64::from(shown.meta.fetched)),
            b'l' => flag(out, b'l', u64::from(shown.meta.idle_s(shown.now))),
            b's' => flag(out, b's', shown.len as u64),
            b't' => seconds_left(out, shown),
            b'k' => key(out, request),
            b'O' => word(out, token),
            _ => {}
        }
    }
}

/// The flags that a miss tells, or a write that was not done: which request it
/// answers.
pub fn request_flags(out: &mut Vec<u8>, request: &Request<'_>) {
    for token in request.flags.tokens() {
        match token[0] {
            b'k' => key(out, request),
            b'O' => word(out, token),
            _ => {}
        }
    }
}

/// The flags that a write tells. One that was not done has no token.
#[inline]
pub fn write_flags(out: &mut Vec<u8>, request: &Request<'_>, cas: u64, len: usize) {
    for token in request.flags.tokens() {
        match token[0] {
            b'c' => flag(out, b'c', cas),
            b's' => flag(out, b's', len as u64),
            b'k' => key(out, request),
            b'O' => word(out, token),
            _ => {}
        }
    }
}

/// The flags that a count tells.
pub fn count_flags(out: &mut Vec<u8>, request: &Request<'_>, shown: &Shown<'_>) {
    for token in request.flags.tokens() {
        match token[0] {
            b'c' => flag(out, b'c', shown.meta.cas),
            b't' => seconds_left(out, shown),
            b'k' => key(out, request),
            b'O' => word(out, token),
            _ => {}
        }
    }
}

/// Whether there is a fresh value to fetch, and who does.
#[inline]
pub fn winner_flags(out: &mut Vec<u8>, meta: &Meta, winner: Winner) {
    if winner.lost {
        word(out, b"Z");
    }
    if meta.standing.stale {
        word(out, b"X");
    }
    if winner.won {
        word(out, b"W");
    }
}

/// The start of an answer with a value.
#[inline]
pub fn value_start(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(b"VA ");
    number(out, len as u64);
}

/// The line that `me` answers.
pub fn debug_line(out: &mut Vec<u8>, key: &[u8], shown: &Shown<'_>, memory: usize) {
    out.extend_from_slice(b"ME ");
    out.extend_from_slice(key);
    out.extend_from_slice(b" exp=");
    match shown.meta.expiry.left_s(shown.now) {
        None => out.extend_from_slice(b"-1"),
        Some(left) => number(out, u64::from(left)),
    }
    out.extend_from_slice(b" la=");
    number(out, u64::from(shown.meta.idle_s(shown.now)));
    out.extend_from_slice(b" cas=");
    number(out, shown.meta.cas);
    out.extend_from_slice(if shown.meta.fetched { b" fetch=yes" } else { b" fetch=no" });
    out.extend_from_slice(b" cls=1 size=");
    number(out, memory as u64);
    out.extend_from_slice(CRLF);
}

#[inline]
fn flag(out: &mut Vec<u8>, letter: u8, value: u64) {
    out.extend_from_slice(&[b' ', letter]);
    number(out, value);
}

fn seconds_left(out: &mut Vec<u8>, shown: &Shown<'_>) {
    match shown.meta.expiry {
        Expiry::Never => word(out, b"t-1"),
        expiry @ Expiry::At(_) => flag(out, b't', expiry.left_s(shown.now).unwrap_or(0).into()),
    }
}

/// The key as the client wrote it.
fn key(out: &mut Vec<u8>, request: &Request<'_>) {
    out.extend_from_slice(b" k");
    out.extend_from_slice(request.key);
    if request.flags.base64() {
        word(out, b"b");
    }
}

#[inline]
fn word(out: &mut Vec<u8>, word: &[u8]) {
    out.push(b' ');
    out.extend_from_slice(word);
}

#[cfg(test)]
mod tests {
    use super::super::Command;
    use super::*;
    use crate::item::{Standing, Version};
    use crate::memcache::text::{self, parse};

    fn request(line: &str) -> Request<'_> {
        match parse(line.as_bytes()) {
            Ok(text::Command::Meta(Command::Get(request))) => request,
            other => panic!("{other:?}"),
        }
    }

    fn meta() -> Meta {
        Meta {
            flags: 7,
            expiry: Expiry::At(130),
            version: Version(1),
            cas: 9,
            standing: Standing { stale: true, won: false },
            fetched: true,
            accessed_s: 95,
        }
    }

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn flags_are_told_in_the_order_asked() {
        let (meta, now) = (meta(), Now::from_unix_ms(100_000));
        let shown = Shown { meta: &meta, len: 5, now };
        let told = |line| written(|out| item_flags(out, &request(line), &shown));
        assert_eq!(told("mg key s v q k t f c O9 h l"), " s5 kkey t30 f7 c9 O9 h1 l5");
        assert_eq!(told("mg a2V5 O k b"), " O ka2V5 b");
        let told = written(|out| request_flags(out, &request("mg key s v k t O9")));
        assert_eq!(told, " kkey O9");
    }

    #[test]
    fn winners_come_last() {
        let told = |won, lost| written(|out| winner_flags(out, &meta(), Winner { won, lost }));
        assert_eq!(told(true, false), " X W");
        assert_eq!(told(false, true), " Z X");
    }

    #[test]
    fn debugging_shows_an_item() {
        let (meta, now) = (meta(), Now::from_unix_ms(100_000));
        let shown = Shown { meta: &meta, len: 5, now };
        let line = written(|out| debug_line(out, b"k", &shown, 61));
        assert_eq!(line, "ME k exp=30 la=5 cas=9 fetch=yes cls=1 size=61\r\n");
    }
}
