//! What becomes of connections, for whoever wants to hear of it.

use super::census::{Member, Peer};
use std::fmt;
use std::io;
use std::sync::OnceLock;

/// Something that happened to a connection, or to one that was to be.
#[derive(Debug)]
pub enum Event<'a> {
    /// It is served from now on.
    Opened(&'a Member),
    /// It has ended.
    Closed(&'a Member, End),
    /// It would have been one too many.
    Refused(&'a Peer),
    /// None can be accepted for a while.
    Shortage(&'a io::Error),
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum End {
    /// The client wanted it.
    Normal,
    /// Nothing came for too long.
    Idle,
    /// A request did not get on.
    SlowRequest,
    /// Answers were not taken.
    SlowReader,
    /// There was no memory for its requests and answers.
    OutOfMemory,
    /// What it said is no request.
    Refused,
    /// It did not get as far as a request.
    Handshake,
    /// Its socket broke.
    Error,
    /// The node stops.
    Shutdown,
}

impl End {
    const ALL: [Self; 9] = [
        Self::Normal,
        Self::Idle,
        Self::SlowRequest,
        Self::SlowReader,
        Self::OutOfMemory,
        Self::Refused,
        Self::Handshake,
        Self::Error,
        Self::Shutdown,
    ];

    pub(super) fn from_number(number: u8) -> Self {
        Self::ALL[number as usize]
    }

    /// Whether the node ended it, because of what the client did.
    #[must_use]
    pub fn is_kick(self) -> bool {
        !matches!(self, Self::Normal | Self::Error | Self::Shutdown)
    }
}

/// In memcached's words, where it has one.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal",
            Self::Idle => "idle_timeout",
            Self::SlowRequest => "slow_request",
            Self::SlowReader => "slow_reader",
            Self::OutOfMemory => "out_of_memory",
            Self::Refused => "refused",
            Self::Handshake => "tls_handshake",
            Self::Error => "error",
            Self::Shutdown => "shutdown",
        })
    }
}

/// Who hears of it; nobody at first.
#[derive(Default)]
pub(super) struct Hearer(OnceLock<Hear>);

type Hear = Box<dyn Fn(&Event<'_>) + Send + Sync>;

impl Hearer {
    pub(super) fn set(&self, hear: impl Fn(&Event<'_>) + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(hear));
    }

    pub(super) fn tell(&self, event: &Event<'_>) {
        if let Some(hear) = self.0.get() {
            hear(event);
        }
    }
}

impl fmt::Debug for Hearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hearer").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_found_by_their_numbers() {
        for reason in End::ALL {
            assert_eq!(End::from_number(reason as u8), reason);
        }
    }
}
