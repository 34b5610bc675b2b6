//! One connection's requests: its bytes in, its answers out. No I/O, and nothing
//! in here ever waits.
//!
//! A request goes parse -> [`Road`] (owners, primary, store) -> reply. One file
//! per family of commands.

mod about;
mod admin;
mod auth;
mod binary;
mod body;
mod change;
mod cluster;
mod compared;
mod crawler;
mod elsewhere;
mod executing;
mod flush;
mod meta;
mod moment;
mod rate;
mod read;
mod reading;
mod road;
mod said;
mod slots;
mod stats;
mod text;
mod tuning;
mod waits;
mod watching;
mod write;

use crate::item::Now;
use crate::limits::OUTPUT_BYTES_HIGH;
use crate::memcache::Protocol;
use crate::memcache::text::Ahead;
use crate::net::{Answer, Next, Output, Peer, Progress};
use crate::node::{Binding, Counters, Shared, Watcher};
use crate::wire::Executor;
use crawler::Dump;
use rate::Limit;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use waits::Waits;

pub(super) use executing::Owned;
pub(super) use road::Road;

/// Answers one connection. Small while nothing is under way: there may be ten
/// thousand of them.
#[derive(Debug)]
pub struct Session {
    road: Rc<Road>,
    connection: u64,
    protocol: Option<Protocol>,
    authenticated: bool,
    /// So many bytes of the line at the input's start have been searched for
    /// its end.
    searched: u32,
    /// Of the line at the input's start so much has been answered.
    answered: u32,
    /// So many bytes to come are a value that nobody wants.
    unwanted: usize,
    role: Role,
    /// There were other nodes when this turn began.
    among_others: bool,
    /// A request was not executed, for this node is not who may.
    refused: bool,
    pending: Option<Box<Pending>>,
    /// The answers of the last turn, where they wait for other nodes.
    waits: Option<Box<Waits>>,
    /// How much may be asked, where that is limited.
    limit: Option<Box<Limit>>,
}

/// For whom a session executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::node) enum Role {
    /// For a client: what others execute goes to them.
    Client,
    /// For another node, and only as this.
    Peer(Executor),
}

/// A request alone is not foreseen: there would be nothing to do meanwhile. The
/// first of many is answered first, and then the others looked at together.
const FORESEE_FROM: usize = 1;

/// What a session is in the middle of.
#[derive(Debug)]
enum Pending {
    /// A large value is to come; this is what came before it.
    Value(Vec<u8>),
    /// A list of all items.
    Dump(Dump),
    /// It does nothing but watch from now on.
    Watch(Arc<Watcher>),
}

/// How far one request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// So many bytes of the input are done with.
    Done(usize),
    /// More has to come.
    Partial,
    /// So many bytes are done with; the answers must go out before there can be
    /// more.
    Full(usize),
    /// So many bytes are done with; then comes a value, to be read apart.
    Value { used: usize, len: usize },
    /// So many bytes are done with, and with them the connection. Where it ends
    /// because the client is wrong, what he said is not done with.
    Close(usize),
}

impl Session {
    /// A session for one connection from this machine to this worker, on a road of its
    /// own.
    #[must_use]
    pub fn new(shared: &Arc<Shared>, worker: usize, connection: u64) -> Self {
        Self::of_client(&Rc::new(Road::new(shared, worker)), connection, &Peer::Unix)
    }

    /// A session for one connection of the worker whose road this is.
    pub(super) fn of_client(road: &Rc<Road>, connection: u64, peer: &Peer) -> Self {
        let shared = road.shared();
        let rates = shared.rates.as_ref();
        let limit = rates.map(|rates| Limit::new(rates.allowance(peer, shared.elapsed())));
        let limit = limit.map(Box::new);
        let mut session = Self::on(road, connection);
        session.limit = limit;
        session
    }

    fn on(road: &Rc<Road>, connection: u64) -> Self {
        let shared = road.shared();
        let protocol = match shared.settings.binding {
            Binding::Auto => None,
            Binding::Text => Some(Protocol::Text),
            Binding::Binary => Some(Protocol::Binary),
        };
        Self {
            road: Rc::clone(road),
            connection,
            protocol,
            authenticated: shared.settings.users.is_none(),
            searched: 0,
            answered: 0,
            unwanted: 0,
            role: Role::Client,
            among_others: false,
            refused: false,
            pending: None,
            waits: None,
            limit: None,
        }
    }

    /// A session for the requests of another node.
    #[must_use]
    pub(in crate::node) fn of_peer(road: &Rc<Road>, role: Role) -> Self {
        let mut session = Self::on(road, 0);
        (session.role, session.authenticated) = (role, true);
        session
    }

    /// Whether a request was refused since the last look.
    pub(in crate::node) fn take_refused(&mut self) -> bool {
        std::mem::take(&mut self.refused)
    }

    /// The watcher that this connection has become.
    fn watcher(&self) -> Option<&Arc<Watcher>> {
        match self.pending.as_deref() {
            Some(Pending::Watch(watcher)) => Some(watcher),
            _ => None,
        }
    }

    fn shared(&self) -> &Shared {
        self.road.shared()
    }

    fn counters(&self) -> &Counters {
        self.road.counters()
    }

    /// Takes one step from the start of the input.
    fn step(&mut self, input: &[u8], now: Now, out: &mut Output) -> Step {
        if self.unwanted > 0 {
            if input.is_empty() {
                return Step::Partial;
            }
            let passed = self.unwanted.min(input.len());
            self.unwanted -= passed;
            return Step::Done(passed);
        }
        if self.pending.is_some() {
            return self.go_on(input, now, out);
        }
        let Some(&first) = input.first() else { return Step::Partial };
        match self.protocol.get_or_insert_with(|| Protocol::sniff(first)) {
            Protocol::Text => self.text(input, now, out),
            Protocol::Binary => self.binary(input, now, out),
        }
    }

    fn go_on(&mut self, input: &[u8], now: Now, out: &mut Output) -> Step {
        match self.pending.as_deref_mut() {
            Some(Pending::Dump(_)) => self.dump(now, out),
            Some(Pending::Watch(watcher)) => {
                watcher.take(out.bytes());
                // memcached's watchers are not listened to either.
                if input.is_empty() { Step::Partial } else { Step::Done(input.len()) }
            }
            Some(Pending::Value(_)) | None => Step::Partial,
        }
    }

    /// Gets ready for some of the requests to come; says how many bytes they
    /// take, or most of the input where there is nothing to get ready for.
    fn foresee(&mut self, input: &[u8]) -> usize {
        if self.protocol != Some(Protocol::Text) || self.pending.is_some() || self.unwanted > 0 {
            return input.len();
        }
        let mut ahead = Ahead::new(input);
        self.road.prefetch(ahead.by_ref());
        input.len() - ahead.rest().len()
    }

    fn account(&self, used: usize, written: usize) {
        self.counters().bytes_read.add(used as u64);
        self.counters().bytes_written.add(written as u64);
    }
}

impl Answer for Session {
    fn answer(&mut self, input: &[u8], out: &mut Output) -> Progress {
        let _turn = Road::begin_turn(&self.road);
        let now = self.shared().now();
        let before = out.len();
        if self.waits.is_some()
            && let Some(progress) = self.go_on_waiting(input, now, out)
        {
            self.account(0, out.len());
            return progress;
        }
        let is_shared = self.road.is_shared();
        self.among_others = is_shared;
        let (mut used, mut foreseen) = (0, FORESEE_FROM);
        let next = loop {
            if out.len() >= OUTPUT_BYTES_HIGH || is_shared && self.is_full_for_others() {
                break Next::Write;
            }
            if used >= foreseen {
                foreseen = used + self.foresee(&input[used..]);
            }
            let from = if is_shared { out.bytes().len() } else { 0 };
            let step = self.step(&input[used..], now, out);
            if is_shared {
                self.end_step(&input[used..], from, out);
            }
            match step {
                Step::Done(more) => used += more,
                Step::Partial => break Next::Read,
                Step::Full(more) => {
                    used += more;
                    break Next::Write;
                }
                Step::Value { used: more, len } => {
                    used += more;
                    break Next::Body(len);
                }
                Step::Close(more) => {
                    used += more;
                    break Next::Close;
                }
            }
        };
        let next = if is_shared { self.end_turn(next, now, out) } else { next };
        self.account(used, out.len().saturating_sub(before));
        Progress { used, next }
    }

    fn room(&mut self, bytes: usize) -> Vec<u8> {
        self.shared().store.room(bytes)
    }

    fn take_back(&mut self, room: Vec<u8>) {
        self.shared().store.take_back(room);
    }

    fn body(&mut self, body: Vec<u8>, out: &mut Output) -> Progress {
        let _turn = Road::begin_turn(&self.road);
        let now = self.shared().now();
        self.among_others = self.road.is_shared();
        let (from, before, came) = (out.bytes().len(), out.len(), body.len());
        let head = self.value_came(body, now, out);
        let mut next = Next::Read;
        if self.among_others {
            self.end_step(&head, from, out);
            next = self.end_turn(next, now, out);
        }
        self.account(came, out.len().saturating_sub(before));
        Progress { used: 0, next }
    }

    fn has_news(&mut self, waker: &Waker) -> bool {
        if self.waits.is_some() {
            return self.has_waited(waker);
        }
        let Some(watcher) = self.watcher() else { return false };
        if !watcher.is_heard() {
            let waker = waker.clone();
            watcher.on_news(move || waker.wake_by_ref());
        }
        watcher.has_news()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(watcher) = self.watcher() {
            self.shared().watch.leave(watcher);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Session;

    #[test]
    fn an_idle_session_is_small() {
        assert!(size_of::<Session>() <= 64);
    }
}
