//! Commands that tune memcached's slabs and queues. There are none here: what is
//! well said is agreed to, and changes nothing.

use crate::memcache::Tokens;
use crate::memcache::text::{Refusal, reply};

pub(super) fn slabs(mut words: Tokens<'_>) -> &'static [u8] {
    match (words.next(), words.next(), words.next()) {
        (Some(b"reassign"), Some(from), Some(to)) => match (number(from), number(to)) {
            (Some(from), Some(to)) if from == to => b"SAME src and dst class are identical\r\n",
            (Some(_), Some(_)) => reply::OK,
            _ => b"CLIENT_ERROR bad command line format\r\n",
        },
        (Some(b"automove"), Some(b"ratio" | b"freeratio"), Some(ratio)) if is_ratio(ratio) => {
            reply::OK
        }
        (Some(b"automove"), Some(b"0" | b"1" | b"2"), None) => reply::OK,
        _ => Refusal::Unknown.reply(),
    }
}

pub(super) fn lru(mut words: Tokens<'_>) -> &'static [u8] {
    let agreed = match words.next() {
        Some(b"mode") => matches!(words.next(), Some(b"flat" | b"segmented")),
        Some(b"temp_ttl") => words.next().and_then(number).is_some(),
        Some(b"tune") => words.filter(|word| is_ratio(word)).count() == 4,
        _ => false,
    };
    if agreed { reply::OK } else { Refusal::Unknown.reply() }
}

/// A whole number, perhaps a negative one.
pub(super) fn number(word: &[u8]) -> Option<i64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn is_ratio(word: &[u8]) -> bool {
    std::str::from_utf8(word).is_ok_and(|word| word.parse::<f64>().is_ok_and(|ratio| ratio >= 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_well_said_is_agreed_to() {
        let cases: [(&str, &[u8]); 9] = [
            ("reassign 1 2", b"OK\r\n"),
            ("reassign 1 1", b"SAME src and dst class are identical\r\n"),
            ("reassign a b", b"CLIENT_ERROR bad command line format\r\n"),
            ("automove 1", b"OK\r\n"),
            ("automove ratio 0.8", b"OK\r\n"),
            ("automove 5", b"ERROR\r\n"),
            ("automove", b"ERROR\r\n"),
            ("foo", b"ERROR\r\n"),
            ("", b"ERROR\r\n"),
        ];
        for (words, text) in cases {
            assert_eq!(slabs(Tokens::new(words.as_bytes())), text, "slabs {words}");
        }
        let cases = [
            ("mode segmented", true),
            ("mode foo", false),
            ("mode", false),
            ("tune 10 25 0.1 2.0", true),
            ("tune 10", false),
            ("temp_ttl -1", true),
            ("temp_ttl", false),
            ("", false),
        ];
        for (words, agreed) in cases {
            assert_eq!(lru(Tokens::new(words.as_bytes())) == reply::OK, agreed, "lru {words}");
        }
    }
}
