//! Numbers as clients write them.

/// Digits, perhaps after a plus.
#[inline]
pub(super) fn unsigned(token: &[u8]) -> Option<u64> {
    let digits = token.strip_prefix(b"+").unwrap_or(token);
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Digits, perhaps after a sign.
#[inline]
pub(super) fn signed(token: &[u8]) -> Option<i64> {
    match token {
        [b'-', digits @ ..] if digits.first() != Some(&b'+') => {
            0_i64.checked_sub_unsigned(unsigned(digits)?)
        }
        _ => i64::try_from(unsigned(token)?).ok(),
    }
}

/// Seconds. memcached keeps the lower 32 bits: the greatest numbers come out
/// negative, which is the past.
#[inline]
pub(super) fn exptime(token: &[u8]) -> Option<i32> {
    signed(token).map(|seconds| seconds as i32)
}

/// The client's own bits: memcached keeps the lower 32.
#[inline]
pub(super) fn client_flags(token: &[u8]) -> Option<u32> {
    unsigned(token).map(|flags| flags as u32)
}

/// Bytes of a value. Signed 32 bits, as memcached reads it, and the line's end
/// behind the value fits into them too.
#[inline]
pub(super) fn length(token: &[u8]) -> Option<usize> {
    let length = unsigned(token)?;
    i32::try_from(length.checked_add(2)?).ok().map(|_| length as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_memcached_reads_them() {
        let cases: [(&[u8], Option<i64>); 10] = [
            (b"0", Some(0)),
            (b"+5", Some(5)),
            (b"-5", Some(-5)),
            (b"-9223372036854775808", Some(i64::MIN)),
            (b"9223372036854775808", None),
            (b"", None),
            (b"-", None),
            (b"-+1", None),
            (b"1x", None),
            (b"0x5", None),
        ];
        for (token, number) in cases {
            assert_eq!(signed(token), number, "{}", token.escape_ascii());
        }
    }

    #[test]
    fn the_widths_are_memcacheds() {
        assert_eq!(unsigned(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(unsigned(b"18446744073709551616"), None);
        assert_eq!(exptime(b"4294967295"), Some(-1));
        assert_eq!(client_flags(b"4294967296"), Some(0));
        assert_eq!(client_flags(b"-1"), None);
        assert_eq!(length(b"2147483645"), Some(2_147_483_645));
        assert_eq!(length(b"2147483646"), None);
    }
}
