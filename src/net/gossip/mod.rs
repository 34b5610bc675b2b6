//! Who is there: membership by SWIM, and the cards that nodes say of themselves.
//!
//! [`Agent`] is the machine, without sockets and without a clock; [`Gossip`] runs
//! it on a UDP socket of its own, with datagrams that [`Seal`] makes unreadable to
//! others. What is heard goes out as [`Event`]s, which
//! [`Members`](crate::cluster::Members) puts together.

mod agent;
mod cards;
mod catch_up;
mod config;
mod effects;
mod health;
mod ledger;
mod limits;
mod read;
#[cfg(test)]
mod samples;
mod seal;
mod seeds;
mod settle;
#[cfg(test)]
mod simulation;
mod socket;
mod timers;
mod told;

pub use crate::cluster::Event;
pub use agent::Agent;
pub use config::GossipConfig;
pub use seal::{Refused, Seal};
pub use seeds::{Seed, SeedsFound};
pub use socket::{Gossip, GossipStart, Report};
