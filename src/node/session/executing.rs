//! Whole requests that are executed here, for another node or for a turn that waits.

use super::{Road, Role, Session, Step};
use crate::item::{Key, Now, Version};
use crate::memcache::Protocol;
use crate::net::Output;
use crate::node::peers::Calls;
use crate::wire::Executor;

/// What this node answers a read with, as one of the owners of its key.
#[derive(Clone, Copy, Debug)]
pub(in crate::node) struct Owned {
    /// That of what it saw, or an older one.
    pub(in crate::node) version: Version,
    /// As in [`Reply::Owned`](crate::wire::Reply::Owned).
    pub(in crate::node) owners: u8,
}

impl Session {
    /// Executes a read here, though another node is primary; none where this node is not
    /// to answer it.
    pub(in crate::node) fn execute_as(
        &mut self,
        executor: Executor,
        protocol: Protocol,
        bytes: &[u8],
        now: Now,
        out: &mut Output,
    ) -> Option<Owned> {
        let look = |road: &Road, key: Key<'_>, reads: bool| {
            let may = reads && road.answers(key);
            may.then(|| Owned { version: road.version(key, now), owners: road.owners_of(key) })
        };
        let owned = self.with_key(protocol, bytes, look).flatten()?;
        let role = std::mem::replace(&mut self.role, Role::Peer(executor));
        self.execute(protocol, bytes, now, out);
        self.role = role;
        (!self.take_refused()).then_some(owned)
    }

    /// Gets ready for these whole requests, as many as are worth it at once.
    pub(in crate::node) fn foresee_all<'a>(
        &self,
        requests: impl ExactSizeIterator<Item = (Protocol, &'a [u8])>,
    ) {
        if requests.len() > 1 {
            let hashes =
                requests.filter_map(|(protocol, bytes)| self.hash_of_request(protocol, bytes));
            self.road.prefetch_hashes(hashes);
        }
    }

    /// Executes one whole request here; says which copies its answer waits for.
    pub(in crate::node) fn execute(
        &mut self,
        protocol: Protocol,
        bytes: &[u8],
        now: Now,
        out: &mut Output,
    ) -> (Calls, u8) {
        // The connection's own line and value may be half read.
        let before = (self.protocol.replace(protocol), self.authenticated, self.role);
        let half_read = (self.searched, self.answered, self.unwanted);
        (self.searched, self.answered, self.unwanted) = (0, 0, 0);
        let pending = self.pending.take();
        self.among_others = true;
        self.authenticated = true;
        if self.role == Role::Client {
            self.role = Role::Peer(Executor::Primary);
        }
        let mut used = 0;
        while used < bytes.len() {
            let answered = self.answered;
            match self.step(&bytes[used..], now, out) {
                // Nothing that one node asks of another waits for what is sent first.
                Step::Full(0) if self.answered == answered => break,
                // However much it is, one answer goes in one piece.
                Step::Done(more) | Step::Full(more) => used += more,
                Step::Value { used: more, len } => {
                    used += more;
                    let body = bytes[used..].iter().take(len).copied().collect();
                    self.value_came(body, now, out);
                    break;
                }
                _ => break,
            }
        }
        let (calls, least) = self.road.end_step();
        (self.protocol, self.authenticated, self.role) = before;
        (self.searched, self.answered, self.unwanted) = half_read;
        self.pending = pending;
        (calls, least)
    }
}
