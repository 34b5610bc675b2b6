//! A memcached you scale by starting another node.
//!
//! The crate has nodes that any memcached client can use and that behave as one
//! cache, the ring that says where every key lives, and the laboratory and
//! command line around them. The rooms, lowest first; each may use those above it
//! in this list and no other:
//!
//! | room | what it knows |
//! |---|---|
//! | [`limits`] | every maximum, with its reason |
//! | [`ring`] | which nodes own a key: hash, points, slots, owners; pure |
//! | [`item`] | key, expiry, version, and what an operation does to an item; pure |
//! | [`memcache`] | what clients say: text, meta and binary, bytes and words; pure |
//! | [`cluster`] | what the nodes agree on: cards, members, the view with its rings; pure |
//! | [`wire`] | what nodes say to each other, bytes and words; pure |
//! | [`store`] | this node's memory: items, eviction, expiry, digests |
//! | [`net`] | connections of clients, gossip, links to nodes; moves bytes, decides nothing |
//! | [`node`] | joins them to a server: sessions, statistics, forwarding, copies, repair |
//! | [`admin`] | what operators talk to by HTTP: health, the cluster, leaving it |
//! | [`lab`] | the ring beside the algorithms that others use; load on a server |
//! | [`cli`] | the words of the command line |
//!
//! A request goes down and its answer comes up: a connection in [`net`] brings
//! bytes to a [`node::Session`], whose words are [`memcache`]'s;
//! [`node::ViewReader::view`] gives the current view, [`cluster::View::hash`]
//! hashes the key once, and [`store::Store::get`] or [`store::Store::apply`] does
//! what is asked, by the rules of [`item`]. In a cluster
//! [`cluster::View::primary`] says who executes: a request for another node goes
//! there as a [`wire::Message`], and a write goes from its primary to the other
//! owners ([`cluster::View::writers`]) before it is acknowledged.
//!
//! [`node::Running`] is a whole node in a process.

pub mod admin;
pub mod cli;
pub mod cluster;
pub mod item;
pub mod lab;
pub mod limits;
pub mod memcache;
pub mod net;
pub mod node;
pub mod ring;
pub mod store;
pub mod wire;
