//! A memcached you scale by starting another node.
//!
//! Today the crate has the ring that says where every key lives, the view that
//! a node acts by, and the laboratory and command line around them. The rooms,
//! lowest first; each may use those above it in this list and no other:
//!
//! | room | what it knows |
//! |---|---|
//! | [`limits`] | every maximum, with its reason |
//! | [`ring`] | which nodes own a key: hash, points, slots, owners; pure |
//! | [`cluster`] | what the nodes agree on: the view with its rings; pure |
//! | [`node`] | how the workers of one node share the view |
//! | [`lab`] | the ring beside the algorithms that others use |
//! | [`cli`] | the subcommands' words |
//!
//! A key goes down and its owners come up: [`node::ViewReader::view`] gives the
//! current view, [`cluster::View::hash`] hashes the key once, and
//! [`cluster::View::readers`] or [`cluster::View::writers`] load its owners.

pub mod cli;
pub mod cluster;
pub mod lab;
pub mod limits;
pub mod node;
pub mod ring;
