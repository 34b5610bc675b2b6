//! The binary protocol's requests.

use super::body::Value;
use super::flush::Flush;
use super::write::Left;
use super::{Session, Step};
use crate::item::{Count, CountKind, Delete, Expiry, Get, Key, Now, Op, Outcome, Store, StoreMode};
use crate::limits::WAITED_BODY_BYTES_MAX;
use crate::memcache::binary::reply::{self, Parts};
use crate::memcache::binary::{HEADER_BYTES, Head, Header, Request, Status, Unfit, Verb};
use crate::net::Output;
use crate::node::VERSION;
use crate::store::Found;

/// The expiry of a count that is not to make an item.
const NOT_TO_BE_MADE: u32 = u32::MAX;

impl Session {
    pub(super) fn binary(&mut self, input: &[u8], now: Now, out: &mut Output) -> Step {
        let request = match Head::find(input) {
            Head::Whole(request) => request,
            Head::Partial => return Step::Partial,
            Head::Unfit(Unfit::Magic) => return Step::Close(0),
            Head::Unfit(Unfit::Broken(header, status)) => {
                reply::status(out.bytes(), &header, status);
                return Step::Close(0);
            }
            Head::Unfit(Unfit::Unknown(header)) => {
                reply::status(out.bytes(), &header, Status::Unknown);
                self.unwanted = header.body_len;
                return Step::Done(HEADER_BYTES);
            }
        };
        if !self.authenticated && !is_open_to_all(request.verb) {
            reply::status(out.bytes(), &request.header, Status::Unauthenticated);
            return Step::Close(0);
        }
        match self.is_limited() {
            true => self.limited_binary(&request, input, now, out),
            false => self.binary_request(&request, input, now, out),
        }
    }

    #[inline]
    pub(super) fn binary_request(
        &mut self,
        request: &Request<'_>,
        input: &[u8],
        now: Now,
        out: &mut Output,
    ) -> Step {
        if self.among_others
            && let Some(step) = self.binary_elsewhere(request, input, now, out)
        {
            return step;
        }
        let used = request.header.head_len();
        match request.verb {
            Verb::Get { with_key, .. } => self.binary_get(request, with_key, now, out),
            Verb::Touch => self.binary_touch(request, now, out),
            Verb::Store(_) | Verb::Extend(_) => {
                return self.binary_store(request, input, now, out);
            }
            Verb::Delete => self.binary_delete(request, now, out),
            Verb::Count(kind) => self.binary_count(request, kind, now, out),
            Verb::SaslAuth => return self.binary_sasl(request, input, out),
            _ => return self.binary_admin(request, used, now, out),
        }
        Step::Done(used)
    }

    fn binary_admin(
        &mut self,
        request: &Request<'_>,
        used: usize,
        now: Now,
        out: &mut Output,
    ) -> Step {
        let header = &request.header;
        match request.verb {
            Verb::Quit => {
                if !request.quiet {
                    reply::status(out.bytes(), header, Status::Done);
                }
                return Step::Close(used);
            }
            Verb::Flush => {
                if self.road.has_gathered() {
                    return Step::Full(0);
                }
                if !self.shared().settings.flush_enabled {
                    reply::status(out.bytes(), header, Status::Unauthenticated);
                    return Step::Done(used);
                }
                if self.road.refuses_writes() {
                    self.counters().writes_refused.add(1);
                    reply::status(out.bytes(), header, Status::Temporary);
                    return Step::Done(used);
                }
                let from = out.bytes().len();
                self.counters().cmd_flush.add(1);
                let flush = self.flush(request.extra_32(0) as i32, now);
                answer(request, Status::Done, out);
                if let Flush::Shared(floor) = flush {
                    self.tell_flush(floor, from, now, out);
                    return Step::Full(used);
                }
            }
            Verb::Version => reply::value(out.bytes(), header, 0, VERSION.as_bytes()),
            Verb::Verbosity => {
                self.set_verbosity(request.extra_32(0).into());
                reply::status(out.bytes(), header, Status::Done);
            }
            Verb::Stat => self.binary_stats(request, now, out),
            Verb::SaslList if self.shared().settings.users.is_some() => {
                reply::value(out.bytes(), header, 0, b"PLAIN");
            }
            Verb::SaslList => reply::status(out.bytes(), header, Status::Unknown),
            _ => reply::status(out.bytes(), header, Status::Done),
        }
        Step::Done(used)
    }

    fn binary_get(&mut self, request: &Request<'_>, with_key: bool, now: Now, out: &mut Output) {
        let Ok(key) = Key::new(request.key) else { return };
        let with_cas = self.shared().settings.cas_enabled;
        let show = |found: &Found<'_>| {
            let meta = found.meta();
            let parts = Parts {
                cas: if with_cas { meta.cas } else { 0 },
                extras: &meta.flags.to_be_bytes(),
                key: if with_key { request.key } else { b"" },
            };
            let len = found.value_len();
            reply::start(out.bytes(), &request.header, Status::Done, &parts, len);
            out.value(found);
            len
        };
        let touch = match request.verb {
            Verb::Get { touch: true, .. } => Some(seconds(request, 0, now)),
            _ => None,
        };
        let len = match touch {
            None => self.road.get(key, now, show),
            Some(_) => {
                let op = Op::Get(Get { touch, lease: None });
                self.road.apply(key, now, &op, |_, found| found.map(show))
            }
        };
        let found = len.is_some();
        self.count_reads(u64::from(found), u64::from(!found), touch.is_some());
        self.note_read(request.key, len, now);
        if found || request.quiet {
            return;
        }
        if with_key {
            let parts = Parts { key: request.key, ..Parts::default() };
            reply::start(out.bytes(), &request.header, Status::NotFound, &parts, 0);
        } else {
            reply::status(out.bytes(), &request.header, Status::NotFound);
        }
    }

    fn binary_touch(&mut self, request: &Request<'_>, now: Now, out: &mut Output) {
        let Ok(key) = Key::new(request.key) else { return };
        let op = Op::Touch(seconds(request, 0, now));
        let found = self.road.apply(key, now, &op, |_, found| {
            let Some(found) = found else { return false };
            let flags = found.meta().flags.to_be_bytes();
            let parts = Parts { cas: found.meta().cas, extras: &flags, key: b"" };
            reply::start(out.bytes(), &request.header, Status::Done, &parts, 0);
            true
        });
        self.count_reads(u64::from(found), u64::from(!found), true);
        self.count_prefix_read(request.key, found);
        if !found {
            reply::status(out.bytes(), &request.header, Status::NotFound);
        }
    }

    fn binary_store(
        &mut self,
        request: &Request<'_>,
        input: &[u8],
        now: Now,
        out: &mut Output,
    ) -> Step {
        let Ok(key) = Key::new(request.key) else { return Step::Partial };
        let (used, len) = (request.header.head_len(), request.value_len);
        if self.is_too_large(key, len) {
            self.count_prefix_write(key);
            if request.verb == Verb::Store(StoreMode::Set) {
                self.drop_outdated(key, now, out);
            }
            reply::status(out.bytes(), &request.header, Status::TooLarge);
            self.unwanted = len;
            return Step::Done(used);
        }
        match self.value(input, used, len) {
            Ok(value) => {
                self.binary_store_with(request, Value::within(value), now, out);
                Step::Done(used + len)
            }
            Err(step) => step,
        }
    }

    pub(super) fn binary_store_with(
        &mut self,
        request: &Request<'_>,
        Value { bytes: value, whole }: Value<'_>,
        now: Now,
        out: &mut Output,
    ) {
        let Ok(key) = Key::new(request.key) else { return };
        let (mode, flags, expiry) = match request.verb {
            // Whoever names a token means the item that has it, whatever else was
            // asked.
            Verb::Store(_) if request.compare().is_some() => {
                (StoreMode::Set, request.extra_32(0), seconds(request, 4, now))
            }
            Verb::Store(mode) => (mode, request.extra_32(0), seconds(request, 4, now)),
            Verb::Extend(mode) => (mode, 0, Expiry::Never),
            _ => return,
        };
        let compare = request.compare();
        let store = Store {
            mode,
            flags,
            expiry,
            value,
            compare,
            cas: None,
            invalidate: false,
            vivify: None,
        };
        let (outcome, left, cas) = self.road.store(key, now, store, whole, |outcome, found| {
            let left = Left::by(&store, outcome, found);
            (outcome, left, found.map_or(0, |found| found.meta().cas))
        });
        self.count_prefix_write(key);
        self.note_write(key, &store, outcome, left, now);
        let status = match outcome {
            Outcome::Stored if request.quiet => return,
            Outcome::Stored => return reply::value(out.bytes(), &request.header, cas, b""),
            Outcome::Exists => Status::Exists,
            Outcome::NotFound => Status::NotFound,
            Outcome::NoRoom => Status::NoRoom,
            _ => not_stored(mode),
        };
        reply::status(out.bytes(), &request.header, status);
    }

    fn binary_delete(&mut self, request: &Request<'_>, now: Now, out: &mut Output) {
        let Ok(key) = Key::new(request.key) else { return };
        let delete = Delete { compare: request.compare(), ..Delete::default() };
        let outcome = self.road.apply(key, now, &Op::Delete(delete), |outcome, _| outcome);
        self.count_prefix_delete(request.key);
        self.note_delete(request.key, outcome, now);
        let status = match outcome {
            Outcome::Deleted => Status::Done,
            Outcome::Exists => Status::Exists,
            Outcome::NoRoom => Status::NoRoom,
            _ => Status::NotFound,
        };
        answer(request, status, out);
    }

    fn binary_count(&mut self, request: &Request<'_>, kind: CountKind, now: Now, out: &mut Output) {
        let Ok(key) = Key::new(request.key) else { return };
        let made = request.extra_32(16) != NOT_TO_BE_MADE;
        let count = Count {
            kind,
            delta: request.extra_64(0),
            compare: request.compare(),
            cas: None,
            vivify: made.then(|| (request.extra_64(8), seconds(request, 16, now))),
            touch: None,
        };
        let (outcome, cas) = self.road.apply(key, now, &Op::Count(count), |outcome, found| {
            (outcome, found.map_or(0, |found| found.meta().cas))
        });
        self.note_count(kind, outcome);
        let status = match outcome {
            Outcome::Counted { .. } if request.quiet => return,
            Outcome::Counted { number, .. } => {
                let number = number.to_be_bytes();
                return reply::value(out.bytes(), &request.header, cas, &number);
            }
            Outcome::NotNumeric => Status::NotNumeric,
            Outcome::Exists => Status::Exists,
            Outcome::TooLarge | Outcome::NoRoom => Status::NoRoom,
            _ => Status::NotFound,
        };
        reply::status(out.bytes(), &request.header, status);
    }

    fn binary_sasl(&mut self, request: &Request<'_>, input: &[u8], out: &mut Output) -> Step {
        let header: &Header = &request.header;
        let (used, len) = (header.head_len(), request.value_len);
        if self.shared().settings.users.is_none() {
            reply::status(out.bytes(), header, Status::Unknown);
            self.unwanted = len;
            return Step::Done(used);
        }
        if len > WAITED_BODY_BYTES_MAX {
            reply::status(out.bytes(), header, Status::Invalid);
            return Step::Close(0);
        }
        let Some(value) = input.get(used..used + len) else { return Step::Partial };
        self.sasl(request, value, out);
        Step::Done(used + len)
    }
}

/// What a client may do before it has said who it is.
fn is_open_to_all(verb: Verb) -> bool {
    matches!(verb, Verb::SaslList | Verb::SaslAuth | Verb::Version)
}

/// Answers, unless all went well and the request is the quiet one.
fn answer(request: &Request<'_>, status: Status, out: &mut Output) {
    if status != Status::Done || !request.quiet {
        reply::status(out.bytes(), &request.header, status);
    }
}

/// The expiry in the extras. There is no sign: the greatest numbers are moments
/// to come, where a line's are the past.
fn seconds(request: &Request<'_>, at: usize, now: Now) -> Expiry {
    Expiry::from_client(request.extra_32(at).into(), now)
}

/// Binary adds and replaces say why nothing was stored.
fn not_stored(mode: StoreMode) -> Status {
    match mode {
        StoreMode::Add => Status::Exists,
        StoreMode::Replace => Status::NotFound,
        _ => Status::NotStored,
    }
}
