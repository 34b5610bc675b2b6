//! Commands that tune memcached's slabs and queues. There are none here: what is
//! well said is agreed to, and changes nothing.

use crate::memcache::Tokens;
use crate::memcache::text::{Refusal, reply};

/// Microseconds that the crawler may sleep between two items.
const SLEEP_MAX: u32 = 1_000_000;

/// Of the memory, for queues that are not cold.
const WARMER_PERCENT_MAX: u64 = 80;

pub(super) fn slabs(mut words: Tokens<'_>) -> &'static [u8] {
    match (words.next(), words.next(), words.next()) {
        (Some(b"reassign"), Some(from), Some(to)) => match (number(from), number(to)) {
            (Some(from), Some(to)) if from == to => b"SAME src and dst class are identical\r\n",
            (Some(_), Some(_)) => reply::OK,
            _ => b"CLIENT_ERROR bad command line format\r\n",
        },
        (Some(b"automove"), Some(what), value) => automove(what, value),
        _ => Refusal::Unknown.reply(),
    }
}

fn automove(what: &[u8], value: Option<&[u8]>) -> &'static [u8] {
    match what {
        b"ratio" | b"freeratio" if value.and_then(ratio).is_some() => reply::OK,
        b"ratio" | b"freeratio" => Refusal::Unknown.reply(),
        b"window" if value.and_then(count).is_some() => reply::OK,
        b"window" => Refusal::BadLine.reply(),
        level => match count(level) {
            Some(0..=2) => reply::OK,
            Some(_) => Refusal::Unknown.reply(),
            None => Refusal::BadLine.reply(),
        },
    }
}

pub(super) fn lru(mut words: Tokens<'_>) -> &'static [u8] {
    let agreed = match words.next() {
        Some(b"mode") => matches!(words.next(), Some(b"flat" | b"segmented")),
        Some(b"temp_ttl") => words.next().and_then(number).is_some(),
        Some(b"tune") => return tune(words).unwrap_or(Refusal::Unknown.reply()),
        _ => false,
    };
    if agreed { reply::OK } else { Refusal::Unknown.reply() }
}

/// None, where what it needs is not there or is no number.
fn tune(mut words: Tokens<'_>) -> Option<&'static [u8]> {
    let (hot, warm) = (count(words.next()?)?, count(words.next()?)?);
    let ages = [ratio(words.next()?)?, ratio(words.next()?)?];
    if u64::from(hot) + u64::from(warm) > WARMER_PERCENT_MAX {
        return Some(b"ERROR hot and warm pcts must not exceed 80\r\n");
    }
    if ages.iter().any(|&age| age <= 0.0) {
        return Some(b"ERROR hot/warm age factors must be greater than 0\r\n");
    }
    Some(reply::OK)
}

/// `lru_crawler sleep`
pub(super) fn sleep(micros: &[u8]) -> &'static [u8] {
    match count(micros) {
        Some(..=SLEEP_MAX) => reply::OK,
        Some(_) => b"CLIENT_ERROR sleep must be one second or less\r\n",
        None => Refusal::BadLine.reply(),
    }
}

/// `lru_crawler tocrawl`
pub(super) fn to_crawl(items: &[u8]) -> &'static [u8] {
    if count(items).is_some() { reply::OK } else { Refusal::BadLine.reply() }
}

/// A whole number that memcached keeps in 32 bits.
pub(super) fn count(word: &[u8]) -> Option<u32> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// A whole number, perhaps a negative one.
pub(super) fn number(word: &[u8]) -> Option<i64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn ratio(word: &[u8]) -> Option<f64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_well_said_is_agreed_to() {
        let cases: [(&str, &[u8]); 14] = [
            ("reassign 1 2", b"OK\r\n"),
            ("reassign 1 1", b"SAME src and dst class are identical\r\n"),
            ("reassign a b", b"CLIENT_ERROR bad command line format\r\n"),
            ("automove 1", b"OK\r\n"),
            ("automove ratio 0.8", b"OK\r\n"),
            ("automove ratio x", b"ERROR\r\n"),
            ("automove window 5", b"OK\r\n"),
            ("automove window", b"CLIENT_ERROR bad command line format\r\n"),
            ("automove 1 more", b"OK\r\n"),
            ("automove 5", b"ERROR\r\n"),
            ("automove x", b"CLIENT_ERROR bad command line format\r\n"),
            ("automove", b"ERROR\r\n"),
            ("foo", b"ERROR\r\n"),
            ("", b"ERROR\r\n"),
        ];
        for (words, text) in cases {
            assert_eq!(slabs(Tokens::new(words.as_bytes())), text, "slabs {words}");
        }
        let too_warm: &[u8] = b"ERROR hot and warm pcts must not exceed 80\r\n";
        let no_age: &[u8] = b"ERROR hot/warm age factors must be greater than 0\r\n";
        let cases: [(&str, &[u8]); 14] = [
            ("mode segmented", b"OK\r\n"),
            ("mode foo", b"ERROR\r\n"),
            ("mode", b"ERROR\r\n"),
            ("tune 10 25 0.1 2.0", b"OK\r\n"),
            ("tune 10 25 0.1 2.0 5", b"OK\r\n"),
            ("tune 90 20 1 2", too_warm),
            ("tune 4294967295 1 1 2", too_warm),
            ("tune 10 20 -1 2", no_age),
            ("tune 10 20 1 0", no_age),
            ("tune -10 20 1 1", b"ERROR\r\n"),
            ("tune 10", b"ERROR\r\n"),
            ("temp_ttl -1", b"OK\r\n"),
            ("temp_ttl", b"ERROR\r\n"),
            ("", b"ERROR\r\n"),
        ];
        for (words, text) in cases {
            assert_eq!(lru(Tokens::new(words.as_bytes())), text, "lru {words}");
        }
        assert_eq!(sleep(b"1000000"), b"OK\r\n");
        assert_eq!(sleep(b"1000001"), b"CLIENT_ERROR sleep must be one second or less\r\n");
        for word in [&b"-5"[..], b"x", b"4294967296"] {
            assert_eq!(sleep(word), Refusal::BadLine.reply());
            assert_eq!(to_crawl(word), Refusal::BadLine.reply());
        }
    }
}
