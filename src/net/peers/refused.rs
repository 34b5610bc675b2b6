//! Why a connection between nodes did not come about, in words for the log.

use super::certificate::Proof;
use crate::wire::{FrameTooLong, NoHello, Refusal};
use quinn::{ConnectionClose, ConnectionError, TransportErrorCode};
use std::fmt;
use tokio_rustls::rustls::AlertDescription;

/// Why a connection between nodes did not come about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The other node's certificate is made of another secret, or ours is to it.
    Secret,
    /// The other node's certificate is not signed by our authority, or ours is
    /// not by theirs.
    Authority,
    /// A certificate is out of date, on one of the sides.
    Expired,
    /// What it said first parts us.
    Hello(Refusal),
    /// It said something else than a hello.
    Foreign,
    /// It did not say who it is in time.
    Silent,
    /// It is another node than we dialled.
    OtherNode {
        /// What it is called.
        name: Box<str>,
    },
    /// It is a life of a node that has begun another one since.
    Outdated {
        /// Its generation.
        generation: u64,
        /// The one we know of.
        known: u64,
    },
    /// It dialled where we do: of two nodes the one with the smaller id dials.
    OursToDial,
    /// It dialled one of the lanes for the first link, or the other way round.
    OtherLane,
    /// It refuses us, and says so.
    ByPeer(Box<str>),
    /// It does not answer, or the connection broke.
    Unreachable(Box<str>),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret => f.write_str("the secret differs"),
            Self::Authority => f.write_str("the certificate authority differs"),
            Self::Expired => f.write_str("a certificate is out of date"),
            Self::Hello(refusal) => refusal.fmt(f),
            Self::Foreign => f.write_str("it does not speak as a node"),
            Self::Silent => f.write_str("it did not say in time who it is"),
            Self::OtherNode { name } => write!(f, "another node is there, called {name:?}"),
            Self::Outdated { generation, known } => {
                write!(f, "generation {generation} of the node is over, since {known} is known")
            }
            Self::OursToDial => f.write_str("it dialled, where this node has the smaller id"),
            Self::OtherLane => f.write_str("it dialled another port than the one for this link"),
            Self::ByPeer(why) => write!(f, "it refuses this node: {why}"),
            Self::Unreachable(why) => write!(f, "it cannot be reached: {why}"),
        }
    }
}

impl std::error::Error for Refused {}

impl From<NoHello> for Refused {
    fn from(no_hello: NoHello) -> Self {
        match no_hello {
            NoHello::Foreign | NoHello::Malformed => Self::Foreign,
            NoHello::Version { theirs } => {
                Self::Hello(Refusal::Version { ours: crate::wire::Versions::OURS, theirs })
            }
        }
    }
}

impl From<FrameTooLong> for Refused {
    fn from(_: FrameTooLong) -> Self {
        Self::Foreign
    }
}

impl Refused {
    /// What the loss of a connection means before both have said hello. Who finds
    /// a certificate wrong tells the other by an alert of TLS, so both know.
    pub(super) fn from_loss(loss: &ConnectionError, proof: Proof) -> Self {
        match loss {
            ConnectionError::TransportError(error) => Self::from_code(error.code, proof, loss),
            ConnectionError::ConnectionClosed(ConnectionClose { error_code, .. }) => {
                Self::from_code(*error_code, proof, loss)
            }
            ConnectionError::ApplicationClosed(closed) if !closed.reason.is_empty() => {
                Self::ByPeer(String::from_utf8_lossy(&closed.reason).into())
            }
            loss => Self::Unreachable(loss.to_string().into()),
        }
    }

    fn from_code(code: TransportErrorCode, proof: Proof, loss: &ConnectionError) -> Self {
        let is = |alerts: &[AlertDescription]| {
            alerts.iter().any(|alert| code == TransportErrorCode::crypto(u8::from(*alert)))
        };
        if is(&WRONG_SIGNATURE) {
            return match proof {
                Proof::Secret => Self::Secret,
                Proof::Files => Self::Authority,
            };
        }
        if is(&[AlertDescription::CertificateExpired]) {
            return Self::Expired;
        }
        Self::Unreachable(loss.to_string().into())
    }
}

/// What is said of a certificate that another authority signed. One made of
/// another secret names an authority of our name with another key, so its
/// signature is wrong rather than its authority unknown.
const WRONG_SIGNATURE: [AlertDescription; 4] = [
    AlertDescription::UnknownCA,
    AlertDescription::DecryptError,
    AlertDescription::BadCertificate,
    AlertDescription::CertificateRequired,
];
