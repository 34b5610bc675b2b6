//! Moves bytes and decides nothing: to and from clients.
//!
//! [`Clients`] accepts connections and serves them on worker threads. What the
//! bytes mean is known by the [`Answer`] that each connection is given.

mod accept;
mod answer;
mod budget;
mod census;
mod clients;
mod connection;
mod events;
pub mod gossip;
mod held;
mod listen;
mod output;
mod patience;

pub mod peers;
mod round;
mod secret;
mod socket;
mod stop;
mod stream;
mod tls;
mod worker;

pub use accept::Surplus;
pub use answer::{Answer, Answerer, Next, Progress};
pub use census::{Census, ConnectionFigures, Member, Peer, Phase, Transport};
pub use clients::{Clients, ClientsConfig, Lobby};
pub use events::{End, Event};
pub use listen::Listener;
pub use output::Output;
pub use patience::Patience;
pub use secret::{Secret, SecretError};
pub use stop::{Stop, Stopper};
pub use tls::{ClientCertificates, ClientFiles, Tls, TlsError, TlsFiles, TlsVersion};
