//! Time as items know it: seconds for expiry, milliseconds for versions.

/// The moment an operation happens, in milliseconds since 1970. Taken once for
/// all requests that arrived together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    unix_ms: u64,
}

impl Now {
    /// A moment so many milliseconds after 1970.
    #[must_use]
    pub const fn from_unix_ms(unix_ms: u64) -> Self {
        Self { unix_ms }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        self.unix_ms
    }

    /// So many milliseconds later.
    #[must_use]
    pub const fn after_ms(self, ms: u64) -> Self {
        Self { unix_ms: self.unix_ms + ms }
    }

    /// Whole seconds since 1970: the clock that expiry goes by.
    #[must_use]
    pub const fn unix_s(self) -> u32 {
        (self.unix_ms / 1000) as u32
    }
}

/// When an item stops being readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expiry {
    /// It stays until it is deleted, flushed or evicted.
    Never,
    /// From this second since 1970 on it is gone.
    At(u32),
}

/// Up to thirty days a client's number counts from now; above, from 1970.
const RELATIVE_S_MAX: i64 = 60 * 60 * 24 * 30;

impl Expiry {
    /// Already over when it is set: such an item is stored and never found.
    pub const PAST: Self = Self::At(1);

    /// What a client means by a number of seconds.
    #[must_use]
    pub fn from_client(seconds: i64, now: Now) -> Self {
        match seconds {
            0 => Self::Never,
            ..0 => Self::PAST,
            1..=RELATIVE_S_MAX => Self::after(seconds as u32, now),
            // 1970 and a day has long been over, so whatever is not greater
            // than now is the past without a further question.
            _ => Self::At(u32::try_from(seconds).unwrap_or(u32::MAX)),
        }
    }

    /// So many seconds from now.
    #[must_use]
    pub fn after(seconds: u32, now: Now) -> Self {
        Self::At(now.unix_s().saturating_add(seconds).max(1))
    }

    /// Whether it is over.
    #[inline]
    #[must_use]
    pub fn is_over(self, now: Now) -> bool {
        match self {
            Self::Never => false,
            Self::At(second) => second <= now.unix_s(),
        }
    }

    /// Seconds until it is over; none where that never comes.
    #[must_use]
    pub fn left_s(self, now: Now) -> Option<u32> {
        match self {
            Self::Never => None,
            Self::At(second) => Some(second.saturating_sub(now.unix_s())),
        }
    }

    /// One word of memory: zero is never.
    #[inline]
    #[must_use]
    pub fn to_word(self) -> u32 {
        match self {
            Self::Never => 0,
            Self::At(second) => second.max(1),
        }
    }

    /// Back from [`Expiry::to_word`].
    #[inline]
    #[must_use]
    pub fn from_word(word: u32) -> Self {
        match word {
            0 => Self::Never,
            second => Self::At(second),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now::from_unix_ms(1_800_000_000_999);

    #[test]
    fn client_numbers_mean_what_memcached_says() {
        let cases = [
            (0, Expiry::Never),
            (-1, Expiry::PAST),
            (1, Expiry::At(1_800_000_001)),
            (2_592_000, Expiry::At(1_802_592_000)),
            (2_592_001, Expiry::At(2_592_001)),
            (1_900_000_000, Expiry::At(1_900_000_000)),
        ];
        for (seconds, expiry) in cases {
            assert_eq!(Expiry::from_client(seconds, NOW), expiry, "{seconds}");
        }
        assert!(Expiry::from_client(2_592_001, NOW).is_over(NOW));
        assert!(Expiry::PAST.is_over(NOW));
    }

    #[test]
    fn over_from_its_second_on() {
        let expiry = Expiry::after(1, NOW);
        assert!(!expiry.is_over(NOW));
        assert!(expiry.is_over(Now::from_unix_ms(1_800_000_001_000)));
        assert_eq!(expiry.left_s(NOW), Some(1));
        assert_eq!(Expiry::Never.left_s(NOW), None);
    }

    #[test]
    fn words_keep_every_expiry() {
        for expiry in [Expiry::Never, Expiry::PAST, Expiry::At(u32::MAX)] {
            assert_eq!(Expiry::from_word(expiry.to_word()), expiry);
        }
    }
}
