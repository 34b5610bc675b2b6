//! The client protocols, from the bytes of a connection to its answers, without
//! a socket.

mod admin;
mod auth;
mod binary;
mod bodies;
mod classic;
mod client;
mod clock;
mod golden;
mod large;
mod leases;
mod meta;
mod rates;
mod splits;
mod statistics;
mod unfinished;
