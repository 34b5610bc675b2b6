//! `mg`, `ms`, `md`, `ma`, `me`.

use super::body::{Value, without_end};
use super::text::end_line;
use super::write::Left;
use super::{Role, Session, Step};
use crate::item::{
    Count, Delete, Expiry, Get, Key, Lease, Meta, Now, Op, Outcome, Store, StoreMode, reads_only,
};
use crate::memcache::KeyText;
use crate::memcache::meta::reply::{self, Shown, Winner};
use crate::memcache::meta::{CountHead, Flags, Request, SetHead};
use crate::memcache::text::{Refusal, reply as classic};
use crate::net::Output;
use crate::store::Found;
use crate::wire::Executor;

/// What a first look at an item came to.
enum Look {
    /// It was all that was asked for, of a value of so many bytes.
    Answered(usize),
    /// Something is to happen to the item, which was like this.
    Change(Meta),
}

/// What a read came to.
enum Came {
    /// An item with a value of so many bytes.
    Found(usize),
    /// An item that was not there before.
    Made,
    /// Nothing.
    Missed,
}

impl Session {
    #[inline]
    pub(super) fn meta_get(&mut self, request: &Request<'_>, now: Now, out: &mut Output) {
        let mut base64 = None;
        let Some(key) = written_key(request, &mut base64) else {
            return refuse_key(out);
        };
        let flags = &request.flags;
        let expiry = |seconds: i32| Expiry::from_client(seconds.into(), now);
        let touch = flags.ttl.map(expiry);
        let lease = Lease {
            vivify: flags.vivify.map(|_| flags.expiry_made(now)),
            recache_s: flags.recache.map(i64::from),
            cas: flags.cas,
        };
        let get = Get { touch, lease: Some(lease) };
        let came = match touch {
            None => self.look_first(key, &get, request, now, out),
            Some(_) => {
                let before = self.before_touch(key, flags, now);
                self.take_part(key, &get, before.as_ref(), request, now, out)
            }
        };
        if self.refused {
            return;
        }
        // As memcached has it: an item that is made was found, and what is not there
        // was not to be touched.
        match came {
            Came::Found(_) | Came::Made => self.count_reads(1, 0, touch.is_some()),
            Came::Missed => self.count_reads(0, 1, false),
        }
        let len = match came {
            Came::Found(len) => Some(len),
            Came::Made | Came::Missed => None,
        };
        self.note_look(key.bytes(), len, now);
    }

    /// How an item is whose expiry changes, if `t` is to tell of it.
    fn before_touch(&mut self, key: Key<'_>, flags: &Flags<'_>, now: Now) -> Option<Meta> {
        let meta = |found: &Found<'_>| found.meta();
        match flags.has(b't') {
            true => self.road.peek(key, now, meta),
            false => None,
        }
    }

    /// Most reads change nothing, which can be told by a look.
    #[inline]
    fn look_first(
        &mut self,
        key: Key<'_>,
        get: &Get,
        request: &Request<'_>,
        now: Now,
        out: &mut Output,
    ) -> Came {
        let glance = |found: &Found<'_>| {
            let meta = found.meta();
            // Only a primary has winners; where it does not answer there is none.
            if !reads_only(get, Some(&meta), now) && self.role != Role::Peer(Executor::Owner) {
                return Look::Change(meta);
            }
            show(found, &meta, request, lost(&meta), now, out);
            Look::Answered(found.value_len())
        };
        let look = match request.flags.has(b'u') {
            true => self.road.peek(key, now, glance),
            false => self.road.get(key, now, glance),
        };
        match look {
            Some(Look::Answered(len)) => Came::Found(len),
            Some(Look::Change(_)) if self.reads_copies() => {
                self.refused = true;
                Came::Missed
            }
            Some(Look::Change(before)) => {
                self.take_part(key, get, Some(&before), request, now, out)
            }
            None if reads_only(get, None, now) => {
                answer_miss(request, out);
                Came::Missed
            }
            None => self.take_part(key, get, None, request, now, out),
        }
    }

    /// Reads, and may win, touch or make the item.
    fn take_part(
        &mut self,
        key: Key<'_>,
        get: &Get,
        before: Option<&Meta>,
        request: &Request<'_>,
        now: Now,
        out: &mut Output,
    ) -> Came {
        self.road.apply(key, now, &Op::Get(*get), |outcome, found| match (outcome, found) {
            (Outcome::Found { won, lost }, Some(found)) => {
                let mut meta = found.meta();
                // The first look was this same read.
                if let Some(before) = before {
                    (meta.fetched, meta.accessed_s) = (before.fetched, before.accessed_s);
                }
                let old = before.map(|before| before.expiry);
                meta.expiry = request.flags.expiry_told(old, now);
                let winner = Winner { won, lost };
                show(found, &meta, request, winner, now, out);
                let len = found.value_len();
                let was_there = before.is_some() || !(won && len == 0 && !meta.standing.stale);
                if was_there { Came::Found(len) } else { Came::Made }
            }
            (Outcome::TooLarge | Outcome::NoRoom, _) => {
                out.bytes().extend_from_slice(classic::NO_ROOM);
                Came::Missed
            }
            _ => {
                answer_miss(request, out);
                Came::Missed
            }
        })
    }

    #[inline]
    pub(super) fn meta_set(
        &mut self,
        head: &SetHead<'_>,
        input: &[u8],
        used: usize,
        now: Now,
        out: &mut Output,
    ) -> Step {
        let body_len = head.len + classic::CRLF.len();
        let mut base64 = None;
        let Some(key) = written_key(&head.request, &mut base64) else {
            refuse_key(out);
            self.unwanted = body_len;
            return Step::Done(used);
        };
        if self.is_too_large(key, head.len) {
            self.drop_outdated(key, now, out);
            out.bytes().extend_from_slice(classic::TOO_LARGE);
            self.unwanted = body_len;
            return Step::Done(used);
        }
        match self.value(input, used, body_len) {
            Ok(body) => {
                let value = without_end(body).map(Value::within);
                self.meta_set_with(head, value, now, out);
                Step::Done(used + body_len)
            }
            Err(step) => step,
        }
    }

    pub(super) fn meta_set_with(
        &mut self,
        head: &SetHead<'_>,
        value: Option<Value<'_>>,
        now: Now,
        out: &mut Output,
    ) {
        let (request, flags) = (&head.request, &head.request.flags);
        let mut base64 = None;
        let Some(key) = written_key(request, &mut base64) else { return refuse_key(out) };
        let Some(Value { bytes: value, whole }) = value else {
            self.counters().cmd_set.add(1);
            return out.bytes().extend_from_slice(classic::BAD_CHUNK);
        };
        let expiry = |seconds: i32| Expiry::from_client(seconds.into(), now);
        let extends = matches!(head.mode, StoreMode::Append | StoreMode::Prepend);
        let store = Store {
            mode: head.mode,
            flags: flags.client_flags,
            expiry: flags.ttl.map_or(Expiry::Never, expiry),
            value,
            compare: flags.compare,
            cas: flags.cas,
            invalidate: flags.invalidate(),
            vivify: flags.vivify.filter(|_| extends).map(expiry),
        };
        let (outcome, left) = self.road.store(key, now, store, whole, |outcome, found| {
            answer_write(outcome, found, request, value.len(), out);
            (outcome, Left::by(&store, outcome, found))
        });
        self.note_write(key, &store, outcome, left, now);
    }

    pub(super) fn meta_delete(&mut self, request: &Request<'_>, now: Now, out: &mut Output) {
        let mut base64 = None;
        let Some(key) = written_key(request, &mut base64) else { return refuse_key(out) };
        let flags = &request.flags;
        let delete = Delete {
            compare: flags.compare,
            cas: flags.cas,
            invalidate: flags.invalidate(),
            drop_value: flags.has(b'x'),
            flags: flags.client_flags,
            expiry: flags.ttl.map(|seconds| Expiry::from_client(seconds.into(), now)),
        };
        let outcome = self.road.apply(key, now, &Op::Delete(delete), |outcome, _| outcome);
        match outcome {
            // What is declared stale is not gone.
            Outcome::Deleted if flags.invalidate() => {}
            Outcome::Exists => self.counters().delete_misses.add(1),
            _ => self.note_delete(key.bytes(), outcome, now),
        }
        let word = match outcome {
            Outcome::Deleted if flags.quiet() => return,
            Outcome::Deleted => reply::DONE,
            Outcome::Exists => reply::EXISTS,
            Outcome::NoRoom => return out.bytes().extend_from_slice(classic::NO_ROOM),
            _ => reply::NOT_FOUND,
        };
        answer_word(word, request, out);
    }

    pub(super) fn meta_count(&mut self, head: &CountHead<'_>, now: Now, out: &mut Output) {
        let (request, flags) = (&head.request, &head.request.flags);
        let mut base64 = None;
        let Some(key) = written_key(request, &mut base64) else { return refuse_key(out) };
        let count = Count {
            kind: head.kind,
            delta: flags.delta.unwrap_or(1),
            compare: flags.compare,
            cas: flags.cas,
            vivify: flags.vivify.map(|_| (flags.initial, flags.expiry_made(now))),
            touch: flags.ttl.map(|seconds| Expiry::from_client(seconds.into(), now)),
        };
        let before = self.before_touch(key, flags, now).map(|meta| meta.expiry);
        let outcome = self.road.apply(key, now, &Op::Count(count), |outcome, found| {
            match (outcome, found) {
                (Outcome::Counted { number, .. }, Some(found)) => {
                    let told = flags.expiry_told(before, now);
                    let meta = Meta { expiry: told, ..found.meta() };
                    answer_count(number, &meta, request, now, out);
                }
                (Outcome::NotNumeric, _) => out.bytes().extend_from_slice(classic::NOT_NUMERIC),
                (Outcome::Exists, _) => answer_word(reply::EXISTS, request, out),
                (Outcome::NotFound, _) => answer_word(reply::NOT_FOUND, request, out),
                (Outcome::NoRoom | Outcome::TooLarge, _) => {
                    out.bytes().extend_from_slice(classic::NO_ROOM);
                }
                _ => answer_word(reply::NOT_STORED, request, out),
            }
            outcome
        });
        self.note_count(head.kind, outcome);
    }

    pub(super) fn meta_debug(&mut self, written: &[u8], base64: bool, now: Now, out: &mut Output) {
        let decoded = base64.then(|| KeyText::decode(written));
        let key = match &decoded {
            None => Key::new(written),
            Some(Some(text)) => Key::new(text.bytes()),
            Some(None) => return refuse_key(out),
        };
        let Ok(key) = key else { return out.bytes().extend_from_slice(Refusal::BadLine.reply()) };
        self.counters().cmd_meta.add(1);
        let shown = self.road.peek(key, now, |found| {
            let shown = Shown { meta: &found.meta(), len: found.value_len(), now };
            reply::debug_line(out.bytes(), written, &shown, found.memory());
        });
        if shown.is_none() {
            out.bytes().extend_from_slice(reply::MISS);
            end_line(out);
        }
    }
}

/// The key that a request means; base64 is decoded into the place given.
#[inline]
fn written_key<'a>(request: &Request<'a>, decoded: &'a mut Option<KeyText>) -> Option<Key<'a>> {
    if !request.flags.base64() {
        return Key::new(request.key).ok();
    }
    *decoded = KeyText::decode(request.key);
    decoded.as_ref().and_then(|text| Key::new(text.bytes()).ok())
}

fn refuse_key(out: &mut Output) {
    out.bytes().extend_from_slice(Refusal::KeyNotBase64.reply());
}

/// Of a read that changes nothing: the winner was found before.
#[inline]
fn lost(meta: &Meta) -> Winner {
    Winner { won: false, lost: meta.standing.won }
}

#[inline]
fn show(
    found: &Found<'_>,
    meta: &Meta,
    request: &Request<'_>,
    winner: Winner,
    now: Now,
    out: &mut Output,
) {
    let with_value = wants_value(&request.flags, meta);
    let len = found.value_len();
    let bytes = out.bytes();
    match with_value {
        true => reply::value_start(bytes, len),
        false => bytes.extend_from_slice(reply::DONE),
    }
    reply::item_flags(bytes, request, &Shown { meta, len, now });
    reply::winner_flags(bytes, meta, winner);
    end_line(out);
    if with_value {
        out.value(found);
        end_line(out);
    }
}

/// A client that names the token it knows does not want that value again.
#[inline]
fn wants_value(flags: &Flags<'_>, meta: &Meta) -> bool {
    flags.has(b'v') && flags.compare != Some(meta.cas)
}

fn answer_miss(request: &Request<'_>, out: &mut Output) {
    if !request.flags.quiet() {
        answer_word(reply::MISS, request, out);
    }
}

fn answer_word(word: &[u8], request: &Request<'_>, out: &mut Output) {
    out.bytes().extend_from_slice(word);
    reply::request_flags(out.bytes(), request);
    end_line(out);
}

#[inline]
fn answer_write(
    outcome: Outcome,
    found: Option<&Found<'_>>,
    request: &Request<'_>,
    len: usize,
    out: &mut Output,
) {
    let word = match outcome {
        Outcome::Stored if request.flags.quiet() => return,
        Outcome::Stored => reply::DONE,
        Outcome::Exists => reply::EXISTS,
        Outcome::NotFound => reply::NOT_FOUND,
        Outcome::NoRoom => return out.bytes().extend_from_slice(classic::NO_ROOM),
        _ => reply::NOT_STORED,
    };
    let bytes = out.bytes();
    bytes.extend_from_slice(word);
    let cas = found.filter(|_| outcome == Outcome::Stored).map_or(0, |found| found.meta().cas);
    reply::write_flags(bytes, request, cas, len);
    end_line(out);
}

fn answer_count(number: u64, meta: &Meta, request: &Request<'_>, now: Now, out: &mut Output) {
    let flags = &request.flags;
    if flags.quiet() {
        return;
    }
    let digits = crate::item::Decimal::new(number);
    let with_value = flags.has(b'v');
    let bytes = out.bytes();
    match with_value {
        true => reply::value_start(bytes, digits.text().len()),
        false => bytes.extend_from_slice(reply::DONE),
    }
    reply::count_flags(bytes, request, &Shown { meta, len: 0, now });
    end_line(out);
    if with_value {
        out.bytes().extend_from_slice(digits.text());
        end_line(out);
    }
}
