//! How a request went.

/// How a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As asked.
    Done,
    /// There is no such item.
    NotFound,
    /// There is an item already, or one with another token.
    Exists,
    /// The value is larger than a value may be.
    TooLarge,
    /// The request makes no sense.
    Invalid,
    /// There is nothing to append to.
    NotStored,
    /// The value says no number.
    NotNumeric,
    /// Who asks has not said who it is, or is not believed.
    Unauthenticated,
    /// No such command.
    Unknown,
    /// There is no room, whatever is evicted.
    NoRoom,
    /// It is asked too much.
    Busy,
    /// It may go better later.
    Temporary,
}

impl Status {
    /// The number in the header.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Done => 0x00,
            Self::NotFound => 0x01,
            Self::Exists => 0x02,
            Self::TooLarge => 0x03,
            Self::Invalid => 0x04,
            Self::NotStored => 0x05,
            Self::NotNumeric => 0x06,
            Self::Unauthenticated => 0x20,
            Self::Unknown => 0x81,
            Self::NoRoom => 0x82,
            Self::Busy => 0x85,
            Self::Temporary => 0x86,
        }
    }

    /// The text that goes with it.
    #[must_use]
    pub fn text(self) -> &'static [u8] {
        match self {
            Self::Done => b"",
            Self::NotFound => b"Not found",
            Self::Exists => b"Data exists for key.",
            Self::TooLarge => b"Too large.",
            Self::Invalid => b"Invalid arguments",
            Self::NotStored => b"Not stored.",
            Self::NotNumeric => b"Non-numeric server-side value for incr or decr",
            Self::Unauthenticated => b"Auth failure.",
            Self::Unknown => b"Unknown command",
            Self::NoRoom => b"Out of memory",
            Self::Busy => b"Too many requests a second",
            Self::Temporary => b"Temporary failure",
        }
    }
}
