//! Requests into bytes, and bytes into the pieces of answers. Pure: whether a
//! piece answers what was asked is the session's to judge.

use super::items::Items;
use crate::limits::{LOAD_LINE_BYTES_MAX, LOAD_VALUE_BYTES_MAX};

/// The words a server is asked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// memcached's classic text: `get`, `set`.
    Text,
    /// memcached's meta commands: `mg`, `ms`.
    Meta,
    /// What Redis speaks: `GET`, `MGET`, `SET`.
    Redis,
}

/// A part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A value, with its key where the protocol tells it.
    Value { key: Option<&'a [u8]>, value: &'a [u8] },
    /// No value for the next key.
    Nil,
    /// So many values or nils follow, and then no end.
    Elements(u64),
    /// A value was stored.
    Stored,
    /// So many replicas have what was written.
    Replicas(u64),
    /// No value follows.
    End,
    /// Any other line: an error, or nothing that belongs here.
    Other(&'a [u8]),
}

/// What the first bytes of an inbox are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading<'a> {
    /// A piece, and its bytes.
    Whole(Piece<'a>, usize),
    /// The beginning of one, which has at least so many bytes.
    Partial(usize),
    /// One whose end is not worth waiting for. Says what.
    Bad(&'static str),
}

impl Protocol {
    /// Appends a request for the values of these keys.
    pub(super) fn write_get(self, items: &Items, numbers: &[u64], out: &mut Vec<u8>) {
        match (self, numbers) {
            (Self::Text, _) => {
                out.extend_from_slice(b"get");
                for &number in numbers {
                    out.push(b' ');
                    items.write_key(number, out);
                }
                out.extend_from_slice(b"\r\n");
            }
            (Self::Meta, &[number]) => write_mg(items, number, b" v\r\n", out),
            (Self::Meta, _) => {
                for &number in numbers {
                    write_mg(items, number, b" k v q\r\n", out);
                }
                out.extend_from_slice(b"mn\r\n");
            }
            (Self::Redis, &[number]) => {
                out.extend_from_slice(b"*2\r\n$3\r\nGET\r\n");
                write_bulk_key(items, number, out);
            }
            (Self::Redis, _) => {
                out.push(b'*');
                write_decimal(numbers.len() as u64 + 1, out);
                out.extend_from_slice(b"\r\n$4\r\nMGET\r\n");
                for &number in numbers {
                    write_bulk_key(items, number, out);
                }
            }
        }
    }

    /// Appends a request to store the value that belongs to a key.
    pub(super) fn write_set(self, items: &Items, number: u64, ttl_s: u32, out: &mut Vec<u8>) {
        let value = items.value(number);
        match self {
            Self::Text => {
                out.extend_from_slice(b"set ");
                items.write_key(number, out);
                out.extend_from_slice(b" 0 ");
                write_decimal(u64::from(ttl_s), out);
                out.push(b' ');
                write_decimal(value.len() as u64, out);
            }
            Self::Meta => {
                out.extend_from_slice(b"ms ");
                items.write_key(number, out);
                out.push(b' ');
                write_decimal(value.len() as u64, out);
                if ttl_s > 0 {
                    out.extend_from_slice(b" T");
                    write_decimal(u64::from(ttl_s), out);
                }
            }
            Self::Redis => {
                let words: &[u8] = if ttl_s > 0 { b"*5" } else { b"*3" };
                out.extend_from_slice(words);
                out.extend_from_slice(b"\r\n$3\r\nSET\r\n");
                write_bulk_key(items, number, out);
                out.push(b'$');
                write_decimal(value.len() as u64, out);
            }
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
        if self == Self::Redis && ttl_s > 0 {
            out.extend_from_slice(b"$2\r\nEX\r\n$");
            write_decimal(u64::from(decimal_digits(ttl_s)), out);
            out.extend_from_slice(b"\r\n");
            write_decimal(u64::from(ttl_s), out);
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Appends what waits until a replica has all that was written before.
    pub(super) fn write_wait(out: &mut Vec<u8>) {
        out.extend_from_slice(b"*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$1\r\n0\r\n");
    }

    /// Reads the next piece of an answer.
    pub(super) fn read(self, bytes: &[u8]) -> Reading<'_> {
        let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else {
            let is_line = bytes.len() < LOAD_LINE_BYTES_MAX;
            return match is_line {
                true => Reading::Partial(bytes.len() + 1),
                false => Reading::Bad("a line without an end"),
            };
        };
        let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
        let used = end + 1;
        let piece = match self {
            Self::Text => text_line(line),
            Self::Meta => meta_line(line),
            Self::Redis => redis_line(line),
        };
        match piece {
            Line::Piece(piece) => Reading::Whole(piece, used),
            Line::Value { key, length } => value(bytes, used, key, length),
        }
    }
}

fn write_mg(items: &Items, number: u64, flags: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"mg ");
    items.write_key(number, out);
    out.extend_from_slice(flags);
}

fn write_bulk_key(items: &Items, number: u64, out: &mut Vec<u8>) {
    out.push(b'$');
    write_decimal(items.key_bytes() as u64, out);
    out.extend_from_slice(b"\r\n");
    items.write_key(number, out);
    out.extend_from_slice(b"\r\n");
}

/// Appends a number. `write!` takes as long as all the rest of a request.
fn write_decimal(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let (mut rest, mut start) = (number, digits.len());
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

fn decimal_digits(number: u32) -> u32 {
    number.checked_ilog10().map_or(1, |log| log + 1)
}

/// What a line says.
enum Line<'a> {
    Piece(Piece<'a>),
    /// A value of this length follows.
    Value {
        key: Option<&'a [u8]>,
        length: u64,
    },
}

fn text_line(line: &[u8]) -> Line<'_> {
    match line {
        b"END" => Line::Piece(Piece::End),
        b"STORED" => Line::Piece(Piece::Stored),
        _ => announced(line).unwrap_or(Line::Piece(Piece::Other(line))),
    }
}

/// `VALUE <key> <flags> <bytes> [<cas>]`.
fn announced(line: &[u8]) -> Option<Line<'_>> {
    let mut words = line.strip_prefix(b"VALUE ")?.split(|&byte| byte == b' ');
    let (key, flags, length) = (words.next()?, words.next()?, words.next()?);
    decimal(flags)?;
    Some(Line::Value { key: Some(key), length: decimal(length)? })
}

fn meta_line(line: &[u8]) -> Line<'_> {
    let line_is = |code: &[u8]| {
        line.strip_prefix(code).is_some_and(|rest| rest.is_empty() || rest[0] == b' ')
    };
    if line_is(b"VA") {
        return announced_meta(line).unwrap_or(Line::Piece(Piece::Other(line)));
    }
    let piece = match () {
        () if line_is(b"EN") || line_is(b"MN") => Piece::End,
        () if line_is(b"HD") => Piece::Stored,
        () => Piece::Other(line),
    };
    Line::Piece(piece)
}

/// `VA <bytes> <flags>*`, of which `k<key>` is asked for with several keys.
fn announced_meta(line: &[u8]) -> Option<Line<'_>> {
    let mut words = line.split(|&byte| byte == b' ').skip(1);
    let length = decimal(words.next()?)?;
    let key = words.find_map(|word| word.strip_prefix(b"k"));
    Some(Line::Value { key, length })
}

fn redis_line(line: &[u8]) -> Line<'_> {
    match line {
        b"+OK" => Line::Piece(Piece::Stored),
        b"$-1" | b"_" => Line::Piece(Piece::Nil),
        [b'$', length @ ..] => match decimal(length) {
            Some(length) => Line::Value { key: None, length },
            None => Line::Piece(Piece::Other(line)),
        },
        [b':', count @ ..] => {
            Line::Piece(decimal(count).map_or(Piece::Other(line), Piece::Replicas))
        }
        [b'*', count @ ..] => {
            Line::Piece(decimal(count).map_or(Piece::Other(line), Piece::Elements))
        }
        _ => Line::Piece(Piece::Other(line)),
    }
}

/// The value after its line, with the two bytes that end it.
fn value<'a>(bytes: &'a [u8], start: usize, key: Option<&'a [u8]>, length: u64) -> Reading<'a> {
    if length > LOAD_VALUE_BYTES_MAX {
        return Reading::Bad("a value that is longer than any here");
    }
    let end = start + length as usize;
    match bytes.get(end..end + 2) {
        Some(b"\r\n") => Reading::Whole(Piece::Value { key, value: &bytes[start..end] }, end + 2),
        Some(_) => Reading::Bad("a value that does not end where its length says"),
        None => Reading::Partial(end + 2),
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let digit = |byte: u8| byte.checked_sub(b'0').filter(|&digit| digit < 10).map(u64::from);
    let number = digits
        .iter()
        .try_fold(0_u64, |number, &byte| number.checked_mul(10)?.checked_add(digit(byte)?))?;
    (!digits.is_empty()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::super::Data;
    use super::*;

    fn items() -> Items {
        let prefix = "k".to_owned();
        Items::new(&Data { keys: 10, prefix, key_bytes: 3, value_bytes: 5..=5, ttl_s: 0 })
    }

    fn written(write: impl FnOnce(&Items, &mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&items(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn gets_are_as_documented() {
        let get = |protocol: Protocol, numbers: &[u64]| {
            written(|items, out| protocol.write_get(items, numbers, out))
        };
        assert_eq!(get(Protocol::Text, &[7]), "get k07\r\n");
        assert_eq!(get(Protocol::Text, &[7, 12]), "get k07 k12\r\n");
        assert_eq!(get(Protocol::Meta, &[7]), "mg k07 v\r\n");
        assert_eq!(get(Protocol::Meta, &[7, 8]), "mg k07 k v q\r\nmg k08 k v q\r\nmn\r\n");
        assert_eq!(get(Protocol::Redis, &[7]), "*2\r\n$3\r\nGET\r\n$3\r\nk07\r\n");
        assert_eq!(get(Protocol::Redis, &[7, 8]), "*3\r\n$4\r\nMGET\r\n$3\r\nk07\r\n$3\r\nk08\r\n");
    }

    #[test]
    fn sets_are_as_documented() {
        let value = String::from_utf8(items().value(7).to_vec()).unwrap();
        let set = |protocol: Protocol, ttl_s| {
            written(|items, out| protocol.write_set(items, 7, ttl_s, out)).replace(&value, "?")
        };
        assert_eq!(set(Protocol::Text, 60), "set k07 0 60 5\r\n?\r\n");
        assert_eq!(set(Protocol::Meta, 0), "ms k07 5\r\n?\r\n");
        assert_eq!(set(Protocol::Meta, 60), "ms k07 5 T60\r\n?\r\n");
        let redis = "$3\r\nSET\r\n$3\r\nk07\r\n$5\r\n?\r\n";
        assert_eq!(set(Protocol::Redis, 0), format!("*3\r\n{redis}"));
        assert_eq!(set(Protocol::Redis, 60), format!("*5\r\n{redis}$2\r\nEX\r\n$2\r\n60\r\n"));
    }

    #[test]
    fn pieces_are_read() {
        use Piece::{Elements, End, Nil, Other, Replicas, Stored, Value};
        let keyed = Value { key: Some(b"k07"), value: b"hel\nlo" };
        let bare = Value { key: None, value: b"hel\nlo" };
        let cases: [(Protocol, &str, Piece<'_>); 17] = [
            (Protocol::Text, "VALUE k07 0 6\r\nhel\nlo\r\n", keyed),
            (Protocol::Text, "VALUE k07 1 6 99\r\nhel\nlo\r\n", keyed),
            (Protocol::Text, "END\r\n", End),
            (Protocol::Text, "STORED\r\n", Stored),
            (Protocol::Text, "SERVER_ERROR full\r\n", Other(b"SERVER_ERROR full")),
            (Protocol::Text, "VALUE k07 0 x\r\n", Other(b"VALUE k07 0 x")),
            (Protocol::Meta, "VA 6 kk07\r\nhel\nlo\r\n", keyed),
            (Protocol::Meta, "VA 6\r\nhel\nlo\r\n", bare),
            (Protocol::Meta, "EN\r\n", End),
            (Protocol::Meta, "HD\r\n", Stored),
            (Protocol::Meta, "HDX\r\n", Other(b"HDX")),
            (Protocol::Redis, "$6\r\nhel\nlo\r\n", bare),
            (Protocol::Redis, "$-1\r\n", Nil),
            (Protocol::Redis, "*12\r\n", Elements(12)),
            (Protocol::Redis, "-ERR no\r\n", Other(b"-ERR no")),
            (Protocol::Redis, ":2\r\n", Replicas(2)),
            (Protocol::Redis, ":x\r\n", Other(b":x")),
        ];
        for (protocol, text, piece) in cases {
            let whole = Reading::Whole(piece, text.len());
            assert_eq!(protocol.read(format!("{text}rest").as_bytes()), whole, "{text}");
            for cut in 0..text.len() {
                let part = protocol.read(&text.as_bytes()[..cut]);
                assert!(matches!(part, Reading::Partial(needed) if needed > cut), "{text} {cut}");
            }
        }
    }

    #[test]
    fn endless_answers_are_bad() {
        let endless = vec![b'x'; LOAD_LINE_BYTES_MAX];
        assert!(matches!(Protocol::Text.read(&endless), Reading::Bad(_)));
        assert!(matches!(Protocol::Text.read(&endless[1..]), Reading::Partial(_)));
        let largest = format!("$99999999999999\r\n{}", "x".repeat(10));
        assert!(matches!(Protocol::Redis.read(largest.as_bytes()), Reading::Bad(_)));
        assert!(matches!(Protocol::Redis.read(b"$2\r\nabcd"), Reading::Bad(_)));
    }
}
