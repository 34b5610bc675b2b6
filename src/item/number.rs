//! Numbers as values: read from a value's text, written back into it.

/// A number as decimal text.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    digits: [u8; Self::LEN_MAX],
    start: usize,
}

impl Decimal {
    /// Digits of the greatest number.
    pub const LEN_MAX: usize = 20;

    /// The text of a number.
    #[must_use]
    pub fn new(mut number: u64) -> Self {
        let mut digits = [b'0'; Self::LEN_MAX];
        let mut start = Self::LEN_MAX - 1;
        while number > 9 {
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
            start -= 1;
        }
        digits[start] = b'0' + number as u8;
        Self { digits, start }
    }

    /// Its digits, without leading zeros.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.digits[self.start..]
    }

    /// The number a value says, as memcached reads it: spaces around the digits
    /// and leading zeros are fine, what follows the first space is not looked at.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<u64> {
        let text = value.trim_ascii_start();
        let text = text.strip_prefix(b"+").unwrap_or(text);
        let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
        let (digits, rest) = text.split_at(end);
        let ends = rest.first().is_none_or(|&byte| byte == 0 || byte.is_ascii_whitespace());
        if digits.is_empty() || !ends {
            return None;
        }
        digits.iter().try_fold(0_u64, |number, digit| {
            number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_number_agree() {
        for number in [0, 9, 10, 99, 100, 12_345, u64::MAX] {
            assert_eq!(Decimal::new(number).text(), number.to_string().as_bytes());
            assert_eq!(Decimal::parse(Decimal::new(number).text()), Some(number));
        }
    }

    #[test]
    fn values_are_read_as_memcached_reads_them() {
        let cases: [(&[u8], Option<u64>); 10] = [
            (b"99 ", Some(99)),
            (b"  7", Some(7)),
            (b"00012", Some(12)),
            (b"18446744073709551615", Some(u64::MAX)),
            (b"18446744073709551616", None),
            (b"", None),
            (b" ", None),
            (b"1x", None),
            (b"-1", None),
            (b"12 34", Some(12)),
        ];
        for (value, number) in cases {
            assert_eq!(Decimal::parse(value), number, "{}", value.escape_ascii());
        }
    }
}
