//! Why a line is not obeyed.

/// Why a line is not obeyed; each has a text that memcached's clients know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such command, or one that may not be written like this.
    Unknown,
    /// Words are missing, or are not what they should be.
    BadLine,
    /// The time is no number.
    BadExptime,
    /// What to count by is no number.
    BadDelta,
    /// A flag's value is no number.
    BadToken,
    /// What a flag is to count by is no number.
    BadMetaDelta,
    /// What a flag is to start counting with is no number.
    BadMetaInitial,
    /// A letter that is no flag.
    InvalidFlag,
    /// A flag stands there twice.
    DuplicateFlag,
    /// Deletes and counts have one text for whatever is wrong with a flag.
    InvalidOrDuplicateFlag,
    /// There are too many flags.
    TooManyFlags,
    /// The opaque token is too long.
    OpaqueTooLong,
    /// No mode of a meta set.
    StoreMode,
    /// No mode of a meta count.
    CountMode,
    /// The key is no base64.
    KeyNotBase64,
    /// A subcommand of `stats detail` is missing or unknown.
    StatsDetail,
    /// Numbers for `stats cachedump` are missing.
    StatsCachedump,
    /// No class of items.
    BadClass,
}

impl Refusal {
    /// The reply, with its end.
    #[must_use]
    pub fn reply(self) -> &'static [u8] {
        match self {
            Self::Unknown => b"ERROR\r\n",
            Self::BadLine => b"CLIENT_ERROR bad command line format\r\n",
            Self::BadExptime => b"CLIENT_ERROR invalid exptime argument\r\n",
            Self::BadDelta => b"CLIENT_ERROR invalid numeric delta argument\r\n",
            Self::BadToken => b"CLIENT_ERROR bad token in command line format\r\n",
            Self::BadMetaDelta => b"CLIENT_ERROR invalid numeric delta value\r\n",
            Self::BadMetaInitial => b"CLIENT_ERROR invalid numeric initial value\r\n",
            Self::InvalidFlag => b"CLIENT_ERROR invalid flag\r\n",
            Self::DuplicateFlag => b"CLIENT_ERROR duplicate flag\r\n",
            Self::InvalidOrDuplicateFlag => b"CLIENT_ERROR invalid or duplicate flag\r\n",
            Self::TooManyFlags => b"CLIENT_ERROR options flags are too long\r\n",
            Self::OpaqueTooLong => b"CLIENT_ERROR opaque token too long\r\n",
            Self::StoreMode => b"CLIENT_ERROR invalid mode for ms M token\r\n",
            Self::CountMode => b"CLIENT_ERROR invalid mode for ma M token\r\n",
            Self::KeyNotBase64 => b"CLIENT_ERROR error decoding key\r\n",
            Self::StatsDetail => b"CLIENT_ERROR usage: stats detail on|off|dump\r\n",
            Self::StatsCachedump => b"CLIENT_ERROR bad command line\r\n",
            Self::BadClass => b"BADCLASS invalid class id\r\n",
        }
    }
}
