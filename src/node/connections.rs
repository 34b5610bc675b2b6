//! The connections of a node, as its statistics see them.

use std::fmt;

/// Knows the connections. Filled by whoever accepts them.
pub trait Connections: fmt::Debug + Send + Sync {
    /// How many there are and were.
    fn count(&self) -> ConnectionCount;

    /// Shows each of them.
    fn each(&self, show: &mut dyn FnMut(&ConnectionLine<'_>));
}

/// How many connections there are and were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionCount {
    /// Open now.
    pub current: u64,
    /// Opened since the start.
    pub total: u64,
    /// Turned away since the start.
    pub rejected: u64,
    /// Times that accepting had to stop for want of room.
    pub listening_paused: u64,
    /// Microseconds for which it had to.
    pub listening_paused_us: u64,
    /// Whether accepting goes on now.
    pub accepting: bool,
    /// Closed because they were silent for too long, since the start.
    pub idle_kicks: u64,
    /// Closed for want of memory for their requests, since the start.
    pub out_of_memory: u64,
    /// Times that a busy one let others have their turn, since the start.
    pub yields: u64,
}

/// One connection.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLine<'a> {
    /// Its number.
    pub id: u64,
    /// Who is at the other end, as `tcp:127.0.0.1:4711`; of a listening one, its
    /// own address.
    pub address: &'a str,
    /// Where it came in; none for a listening one.
    pub listen_address: Option<&'a str>,
    /// In memcached's words, such as `conn_read`.
    pub state: &'a str,
    /// Seconds since its last request.
    pub idle_s: u64,
}

/// No connections: for a node that is used without sockets.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoConnections;

impl Connections for NoConnections {
    fn count(&self) -> ConnectionCount {
        ConnectionCount { accepting: true, ..ConnectionCount::default() }
    }

    fn each(&self, _show: &mut dyn FnMut(&ConnectionLine<'_>)) {}
}
