//! What a node was told at its start, as far as its clients can see it.

use crate::cluster::ReadFrom;
use crate::net::{Surplus, TlsFiles};
use crate::node::{MoveLimit, Users};
use crate::ring::Layout;
use std::num::NonZeroU32;

/// What memcached this node is like: clients choose by it what they may ask.
pub const VERSION: &str = "1.6.45";

/// Which protocols a port speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Binding {
    /// Whichever a connection's first byte starts.
    #[default]
    Auto,
    /// Lines only.
    Text,
    /// Binary only.
    Binary,
}

/// What a node was told at its start.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // Each is a switch of its own on the command line.
pub struct Settings {
    /// The port for clients; zero is none.
    pub port: u16,
    /// The addresses it listens at.
    pub listen: Vec<String>,
    /// The path of a Unix socket, and its permissions.
    pub unix_socket: Option<String>,
    /// Permissions of the Unix socket.
    pub unix_mask: u32,
    /// Bytes of memory at the start.
    pub memory_bytes: u64,
    /// Connections at a time, at most.
    pub connections_max: usize,
    /// Workers.
    pub threads: usize,
    /// Bytes of the largest item.
    pub item_bytes_max: usize,
    /// How much to log at the start.
    pub verbosity: u8,
    /// Connections that wait to be taken.
    pub backlog: u32,
    /// Requests of one connection before the others have their turn.
    pub requests_per_event: u32,
    /// Whether to evict where there is no room.
    pub evict: bool,
    /// Whether `shutdown` is obeyed.
    pub shutdown_enabled: bool,
    /// What its cluster is called; nothing where it has none.
    pub cluster_name: String,
    /// What is equal on all nodes of its cluster.
    pub layout: Layout,
    /// Who answers its clients' reads.
    pub read_from: ReadFrom,
    /// How fast it brings other nodes what they lack.
    pub move_limit: MoveLimit,
    /// Writes are refused while it sees fewer nodes that serve, itself counted; 0 and 1 never
    /// refuse any.
    pub min_nodes_for_writes: usize,
    /// Whether `flush_all` is obeyed.
    pub flush_enabled: bool,
    /// Whether `lru_crawler metadump` and its like are obeyed.
    pub dump_enabled: bool,
    /// Whether `watch` is obeyed.
    pub watch_enabled: bool,
    /// Whether reads show tokens.
    pub cas_enabled: bool,
    /// Whether prefixes are counted from the start.
    pub detail_enabled: bool,
    /// What ends a key's prefix.
    pub prefix_delimiter: u8,
    /// Which protocols it speaks.
    pub binding: Binding,
    /// Who may use it; none lets everybody.
    pub users: Option<Users>,
    /// Seconds after which a silent connection is closed; zero is never.
    pub idle_timeout_s: u32,
    /// Requests a second of each client, at most; none is no limit.
    pub client_rate_limit: Option<NonZeroU32>,
    /// Requests a second of all clients together, at most; none is no limit.
    pub rate_limit: Option<NonZeroU32>,
    /// What becomes of the connection that is one too many.
    pub surplus: Surplus,
    /// Bytes that requests and answers under way may hold; zero is not known.
    pub buffers_bytes: usize,
    /// The certificates, where clients come by TLS.
    pub tls: Option<TlsFiles>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            port: 11_211,
            listen: Vec::new(),
            unix_socket: None,
            unix_mask: 0o700,
            memory_bytes: 64 << 20,
            connections_max: 1024,
            threads: 4,
            item_bytes_max: 1 << 20,
            verbosity: 0,
            backlog: 1024,
            requests_per_event: 20,
            evict: true,
            shutdown_enabled: false,
            cluster_name: String::new(),
            layout: Layout { copies: 1, ..Layout::default() },
            read_from: ReadFrom::Primary,
            move_limit: MoveLimit::Auto,
            min_nodes_for_writes: 0,
            flush_enabled: true,
            dump_enabled: true,
            watch_enabled: true,
            cas_enabled: true,
            detail_enabled: false,
            prefix_delimiter: b':',
            binding: Binding::Auto,
            users: None,
            idle_timeout_s: 0,
            client_rate_limit: None,
            rate_limit: None,
            surplus: Surplus::Refuse,
            buffers_bytes: 0,
            tls: None,
        }
    }
}
