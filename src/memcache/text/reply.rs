//! What classic commands answer.

use crate::item::Decimal;

/// After the last item of a read.
pub const END: &[u8] = b"END\r\n";
/// The end of a line, and of a value.
pub const CRLF: &[u8] = b"\r\n";
/// A write was done.
pub const STORED: &[u8] = b"STORED\r\n";
/// The terms of a write were not met.
pub const NOT_STORED: &[u8] = b"NOT_STORED\r\n";
/// The item has another token.
pub const EXISTS: &[u8] = b"EXISTS\r\n";
/// There is no such item.
pub const NOT_FOUND: &[u8] = b"NOT_FOUND\r\n";
/// The item is gone.
pub const DELETED: &[u8] = b"DELETED\r\n";
/// The item has another expiry.
pub const TOUCHED: &[u8] = b"TOUCHED\r\n";
/// It is done.
pub const OK: &[u8] = b"OK\r\n";
/// The counters begin anew.
pub const RESET: &[u8] = b"RESET\r\n";
/// The value has no end where its length says.
pub const BAD_CHUNK: &[u8] = b"CLIENT_ERROR bad data chunk\r\n";
/// The value says no number.
pub const NOT_NUMERIC: &[u8] = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
/// The value is larger than a value may be.
pub const TOO_LARGE: &[u8] = b"SERVER_ERROR object too large for cache\r\n";
/// There is no room, whatever is evicted.
pub const NO_ROOM: &[u8] = b"SERVER_ERROR out of memory storing object\r\n";
/// The connection has yet to say who it is.
pub const UNAUTHENTICATED: &[u8] = b"CLIENT_ERROR unauthenticated\r\n";
/// No such user, or another password.
pub const AUTHENTICATION_FAILURE: &[u8] = b"CLIENT_ERROR authentication failure\r\n";
/// What was to say who it is does not.
pub const BAD_AUTHENTICATION: &[u8] = b"CLIENT_ERROR bad authentication token format\r\n";

/// A number, without a line's end.
#[inline]
pub fn number(out: &mut Vec<u8>, number: u64) {
    match number {
        // Client flags and counts are this, most of the time.
        0..=9 => out.push(b'0' + number as u8),
        _ => out.extend_from_slice(Decimal::new(number).text()),
    }
}

/// A number on a line of its own.
pub fn number_line(out: &mut Vec<u8>, value: u64) {
    number(out, value);
    out.extend_from_slice(CRLF);
}

/// The line before an item's value.
#[inline]
pub fn value_line(out: &mut Vec<u8>, key: &[u8], flags: u32, len: usize, cas: Option<u64>) {
    out.extend_from_slice(b"VALUE ");
    out.extend_from_slice(key);
    // Most clients have no use for their own bits.
    if flags == 0 {
        out.extend_from_slice(b" 0 ");
    } else {
        out.push(b' ');
        number(out, u64::from(flags));
        out.push(b' ');
    }
    number(out, len as u64);
    if let Some(cas) = cas {
        out.push(b' ');
        number(out, cas);
    }
    out.extend_from_slice(CRLF);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_lines_say_flags_length_and_token() {
        let line = |flags, len, cas| {
            let mut out = Vec::new();
            value_line(&mut out, b"k", flags, len, cas);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(line(0, 0, None), "VALUE k 0 0\r\n");
        assert_eq!(line(u32::MAX, 10, Some(7)), "VALUE k 4294967295 10 7\r\n");
    }
}
