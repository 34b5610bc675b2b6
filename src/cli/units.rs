//! Numbers with units, as people type them: `1M` keys, `64m` of memory, `5%`,
//! `1.05x`. Whole numbers are read exactly, without a float in between.

use crate::lab::Distribution;
use crate::limits::{SLOT_BITS_MAX, SLOT_BITS_MIN};
use crate::ring::Bound;
use std::fmt;
use std::time::Duration;

/// Why a text is no such number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UnitError {
    /// Not digits with at most one dot.
    NotANumber(String),
    /// A unit that does not belong here, and those that do.
    Unit { unit: String, known: &'static str },
    /// More digits behind the dot than the unit has.
    TooFine(String),
    /// Beyond 64 bits.
    TooLarge(String),
    /// No ring has this many slots.
    Slots(String),
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotANumber(text) => write!(f, "`{text}` is not a number"),
            Self::Unit { unit, known } if unit.is_empty() => write!(f, "it needs a unit: {known}"),
            Self::Unit { unit, known } => write!(f, "`{unit}` is not a unit here; write {known}"),
            Self::TooFine(text) => write!(f, "`{text}` has too many digits behind the dot"),
            Self::TooLarge(text) => write!(f, "`{text}` is too large"),
            Self::Slots(text) => write!(
                f,
                "`{text}` is not a power of two from {} to {}",
                1_u32 << SLOT_BITS_MIN,
                1_u32 << SLOT_BITS_MAX
            ),
        }
    }
}

impl std::error::Error for UnitError {}

/// A count of things, in decimal units: `250`, `1_000`, `64k`, `1.5M`, `2G`.
pub(crate) fn count(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = split(text);
    let scale = match unit {
        "" => 1,
        "k" | "K" => 1_000,
        "m" | "M" => 1_000_000,
        "g" | "G" => 1_000_000_000,
        _ => return Err(unknown(unit, "k, M or G, or none")),
    };
    scaled(number, scale)
}

/// An amount of memory, in binary units as memcached has them: `100`, `64m`,
/// `4GiB`. `MB` is refused, as half of all programs mean something else by it.
pub(crate) fn bytes(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = split(text);
    let power = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        "t" | "tib" => 40,
        _ => return Err(unknown(unit, "KiB, MiB, GiB or TiB, or k, m, g or t for the same")),
    };
    scaled(number, 1 << power)
}

/// How far a node may be filled above its fair share: `5%`, `2.5%` or `none`.
pub(crate) fn bound(text: &str) -> Result<Bound, UnitError> {
    match split(text) {
        ("", "none") => Ok(Bound::Unlimited),
        (number, "%") => {
            let permille = scaled(number, 10)?;
            let permille = permille.try_into().map_err(|_| UnitError::TooLarge(text.to_owned()))?;
            Ok(Bound::Permille(permille))
        }
        (_, unit) => Err(unknown(unit, "a percentage such as 5%, or none")),
    }
}

/// A count of slots, as the power of two that it must be: `65536` or `2^16`.
pub(crate) fn slot_bits(text: &str) -> Result<u8, UnitError> {
    let refused = || UnitError::Slots(text.to_owned());
    let bits = match text.strip_prefix("2^") {
        Some(power) => power.parse().map_err(|_| refused())?,
        None => match count(text)? {
            slots if slots.is_power_of_two() => slots.ilog2(),
            _ => return Err(refused()),
        },
    };
    let bits = u8::try_from(bits).map_err(|_| refused())?;
    if (SLOT_BITS_MIN..=SLOT_BITS_MAX).contains(&bits) { Ok(bits) } else { Err(refused()) }
}

/// Which keys are asked for: `uniform`, `sequential` or `zipf:0.99`.
pub(crate) fn distribution(text: &str) -> Result<Distribution, String> {
    match (text, text.strip_prefix("zipf:").map(str::parse)) {
        ("uniform", _) => Ok(Distribution::Uniform),
        ("sequential", _) => Ok(Distribution::Sequential),
        (_, Some(Ok(exponent))) if (0.0..=10.0).contains(&exponent) => {
            Ok(Distribution::Zipf(exponent))
        }
        _ => Err(format!("`{text}` is none of uniform, sequential, zipf:0.99")),
    }
}

/// A span of time: `250ms`, `10s`, `2m`, `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split(text);
    let nanoseconds = match unit {
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 60 * 60 * 1_000_000_000,
        _ => return Err(unknown(unit, "us, ms, s, m or h")),
    };
    scaled(number, nanoseconds).map(Duration::from_nanos)
}

/// The same where a number alone is of seconds, as memcached has them: `30`, `30s`, `5m`.
pub(crate) fn time(text: &str) -> Result<Duration, UnitError> {
    let seconds = text.parse().map(Duration::from_secs);
    seconds.or_else(|_| duration(text))
}

/// A part of a whole: `90%`, `2.5%`.
pub(crate) fn share(text: &str) -> Result<f64, UnitError> {
    match factor(text)? {
        (share, Suffix::Percent) if share <= 1.0 => Ok(share),
        (_, Suffix::Percent) => Err(UnitError::TooLarge(text.to_owned())),
        _ => Err(unknown(split(text).1, "a percentage such as 90%")),
    }
}

/// How a [`factor`] was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suffix {
    None,
    Times,
    Percent,
}

/// A figure to compare with: `1.05`, `1.05x` or `5%`.
pub(crate) fn factor(text: &str) -> Result<(f64, Suffix), UnitError> {
    let (number, unit) = split(text);
    let (divisor, suffix) = match unit {
        "" => (1.0, Suffix::None),
        "x" => (1.0, Suffix::Times),
        "%" => (100.0, Suffix::Percent),
        _ => return Err(unknown(unit, "x or %, or none")),
    };
    match number.parse::<f64>() {
        Ok(value) => Ok((value / divisor, suffix)),
        Err(_) => Err(UnitError::NotANumber(number.to_owned())),
    }
}

/// The number and its unit, with whatever space between them.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let is_numeric = |c: char| c.is_ascii_digit() || c == '.' || c == '_';
    let end = text.find(|c| !is_numeric(c)).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

fn unknown(unit: &str, known: &'static str) -> UnitError {
    UnitError::Unit { unit: unit.to_owned(), known }
}

/// Reads `number` times `scale`, if that is whole.
fn scaled(number: &str, scale: u64) -> Result<u64, UnitError> {
    let digits = number.replace('_', "");
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    if whole.is_empty() || fraction.contains('.') {
        return Err(UnitError::NotANumber(number.to_owned()));
    }
    let too_large = || UnitError::TooLarge(number.to_owned());
    let whole: u64 = whole.parse().map_err(|_| too_large())?;
    let parts = parts(fraction, scale).ok_or_else(|| UnitError::TooFine(number.to_owned()))?;
    let sum = u128::from(whole) * u128::from(scale) + u128::from(parts);
    u64::try_from(sum).map_err(|_| too_large())
}

/// What the digits behind the dot are worth, if that is whole.
fn parts(fraction: &str, scale: u64) -> Option<u64> {
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() {
        return Some(0);
    }
    let tenths = 10_u128.checked_pow(fraction.len().try_into().ok()?)?;
    let product = fraction.parse::<u128>().ok()?.checked_mul(u128::from(scale))?;
    // Below `scale`, since the fraction is below one.
    if product % tenths == 0 { u64::try_from(product / tenths).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_decimal() {
        let texts = ["0", "250", "1_000_000", "64k", "1M", "1.5M", "0.5k", "2 G", "1.0"];
        let counts = [0, 250, 1_000_000, 64_000, 1_000_000, 1_500_000, 500, 2_000_000_000, 1];
        assert_eq!(texts.map(|text| count(text).unwrap()), counts);
    }

    #[test]
    fn bytes_are_binary() {
        let texts = ["100", "100B", "64m", "64MiB", "4GiB", "1.5k", "2T"];
        let sizes = [100, 100, 64 << 20, 64 << 20, 4 << 30, 1536, 2 << 40];
        assert_eq!(texts.map(|text| bytes(text).unwrap()), sizes);
    }

    #[test]
    fn wrong_numbers_are_named() {
        let refused = [
            (count(""), "`` is not a number"),
            (count(".5k"), "`.5` is not a number"),
            (count("1.2.3"), "`1.2.3` is not a number"),
            (count("-1"), "`-1` is not a unit here; write k, M or G, or none"),
            (count("1.5"), "`1.5` has too many digits behind the dot"),
            (count("99999999999999999999"), "`99999999999999999999` is too large"),
            (count("18446744073709551616"), "`18446744073709551616` is too large"),
            (count("99999999999G"), "`99999999999` is too large"),
            (
                bytes("64MB"),
                "`MB` is not a unit here; \
                 write KiB, MiB, GiB or TiB, or k, m, g or t for the same",
            ),
        ];
        for (result, message) in refused {
            assert_eq!(result.unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn largest_count_is_exact() {
        assert_eq!(count("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(
            count("9.007199254740993G"),
            Err(UnitError::TooFine("9.007199254740993".into()))
        );
        assert_eq!(count("9007199254740993"), Ok(9_007_199_254_740_993));
    }

    #[test]
    fn bounds_are_percentages() {
        assert_eq!(bound("5%"), Ok(Bound::Permille(50)));
        assert_eq!(bound("2.5%"), Ok(Bound::Permille(25)));
        assert_eq!(bound("0%"), Ok(Bound::Permille(0)));
        assert_eq!(bound("none"), Ok(Bound::Unlimited));
        for text in ["5", "0.05", "", "5x", "1none", "0.01%", "99999999999%"] {
            assert!(bound(text).is_err(), "{text}");
        }
        assert_eq!(
            bound("5").unwrap_err().to_string(),
            "it needs a unit: a percentage such as 5%, or none"
        );
    }

    #[test]
    fn times_have_a_unit_or_are_seconds() {
        let times = ["30", "30s", "5m"].map(|text| time(text).unwrap().as_secs());
        assert_eq!(times, [30, 30, 300]);
        assert!(time("").is_err() && time("-1").is_err() && time("soon").is_err());
    }

    #[test]
    fn durations_have_units() {
        let texts = ["250ms", "10s", "1.5s", "2m", "1h", "5us", "0s"];
        let nanos = [250_000_000, 10_000_000_000, 1_500_000_000, 120_000_000_000];
        let nanos = nanos.into_iter().chain([3_600_000_000_000, 5_000, 0]);
        assert!(texts.into_iter().map(|text| duration(text).unwrap().as_nanos()).eq(nanos));
        for text in ["10", "", "5 days", "-1s", "999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares_are_percentages() {
        assert_eq!(["90%", "2.5%", "0%", "100%"].map(share), [0.9, 0.025, 0.0, 1.0].map(Ok));
        for text in ["90", "0.9", "101%", "9x", ""] {
            assert!(share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn distributions_have_names() {
        assert_eq!(distribution("uniform"), Ok(Distribution::Uniform));
        assert_eq!(distribution("zipf:0.99"), Ok(Distribution::Zipf(0.99)));
        for text in ["", "zipf", "zipf:", "zipf:-1", "zipf:nan", "normal"] {
            assert!(distribution(text).is_err(), "{text}");
        }
    }

    #[test]
    fn slots_are_powers_of_two() {
        assert_eq!(["256", "65536", "2^20", "65_536"].map(slot_bits), [8, 16, 20, 16].map(Ok));
        for text in ["0", "128", "65535", "64k", "2^7", "2^21", "2^x", "2^-1", "2^300", "many"] {
            assert!(slot_bits(text).is_err(), "{text}");
        }
    }

    #[test]
    fn factors_know_their_suffix() {
        assert_eq!(factor("1.05"), Ok((1.05, Suffix::None)));
        assert_eq!(factor("1.05x"), Ok((1.05, Suffix::Times)));
        assert_eq!(factor("5%"), Ok((0.05, Suffix::Percent)));
        for text in ["", "x", "%", "1.0.5", "-1", "5 apples", "nan", "inf", "1e3"] {
            assert!(factor(text).is_err(), "{text}");
        }
    }
}
