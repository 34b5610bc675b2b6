//! `set`, `add`, `replace`, `append`, `prepend`, `cas`.

use super::body::{Value, without_end};
use super::text::answer;
use super::{Session, Step};
use crate::item::{Expiry, Key, Now, Outcome, Store, StoreMode};
use crate::memcache::text::{StoreHead, reply};
use crate::net::Output;
use crate::node::Topic;
use crate::store::Found;

impl Session {
    #[inline]
    pub(super) fn store(
        &mut self,
        head: &StoreHead<'_>,
        input: &[u8],
        used: usize,
        now: Now,
        out: &mut Output,
    ) -> Step {
        let body_len = head.len + reply::CRLF.len();
        if self.is_too_large(head.key, head.len) {
            self.count_prefix_write(head.key);
            if head.mode == StoreMode::Set && head.compare.is_none() {
                self.drop_outdated(head.key, now, out);
            }
            answer(head.noreply, reply::TOO_LARGE, out);
            self.unwanted = body_len;
            return Step::Done(used);
        }
        match self.value(input, used, body_len) {
            Ok(body) => {
                let value = without_end(body).map(Value::within);
                self.store_with(head, value, now, out);
                Step::Done(used + body_len)
            }
            Err(step) => step,
        }
    }

    /// Stores the value; there is none where the line's end is not behind it.
    pub(super) fn store_with(
        &mut self,
        head: &StoreHead<'_>,
        value: Option<Value<'_>>,
        now: Now,
        out: &mut Output,
    ) {
        self.count_prefix_write(head.key);
        let Some(Value { bytes: value, whole }) = value else {
            self.counters().cmd_set.add(1);
            return answer(head.noreply, reply::BAD_CHUNK, out);
        };
        let store = Store {
            mode: head.mode,
            flags: head.flags,
            expiry: Expiry::from_client(head.exptime.into(), now),
            value,
            compare: head.compare,
            cas: None,
            invalidate: false,
            vivify: None,
        };
        let (outcome, left) = self.road.store(head.key, now, store, whole, |outcome, found| {
            (outcome, Left::by(&store, outcome, found))
        });
        self.note_write(head.key, &store, outcome, left, now);
        let text = match outcome {
            Outcome::Stored => reply::STORED,
            Outcome::Exists => reply::EXISTS,
            Outcome::NotFound => reply::NOT_FOUND,
            Outcome::NoRoom => reply::NO_ROOM,
            // What is appended to may get too large: memcached says no more of it.
            _ => reply::NOT_STORED,
        };
        answer(head.noreply, text, out);
    }

    /// Counts a write for its key's prefix, whatever becomes of it.
    pub(super) fn count_prefix_write(&self, key: Key<'_>) {
        self.shared().prefixes.count(key.bytes(), |counts| counts.sets += 1);
    }

    /// Counts a write, whichever protocol it came by.
    #[inline]
    pub(super) fn note_write(
        &self,
        key: Key<'_>,
        store: &Store<'_>,
        outcome: Outcome,
        left: Left,
        now: Now,
    ) {
        let (shared, counters) = (self.shared(), self.counters());
        counters.cmd_set.add(u64::from(outcome != Outcome::NoRoom));
        match outcome {
            Outcome::NoRoom => {
                counters.store_no_memory.add(1);
                // What could not be replaced is out of date all the same.
                if store.mode == StoreMode::Set && store.compare.is_none() {
                    self.drop_here(key, now);
                }
            }
            Outcome::Stored if store.compare.is_some() => counters.cas_hits.add(1),
            Outcome::Exists if store.compare.is_some() => counters.cas_badval.add(1),
            Outcome::NotFound if store.compare.is_some() => counters.cas_misses.add(1),
            _ => {}
        }
        if shared.watch.wants(Topic::Mutations) {
            self.tell_write(key.bytes(), command_name(store), outcome, left, now);
        }
    }
}

/// The item that a write left behind, or would have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    pub(super) expiry: Expiry,
    pub(super) value_len: usize,
}

impl Left {
    /// Of what was there before, an item that was added to keeps the expiry and all
    /// of the value.
    #[inline]
    pub(super) fn by(store: &Store<'_>, outcome: Outcome, found: Option<&Found<'_>>) -> Self {
        let extends = matches!(store.mode, StoreMode::Append | StoreMode::Prepend);
        match found {
            Some(found) if extends && outcome == Outcome::Stored => {
                Self { expiry: found.meta().expiry, value_len: found.value_len() }
            }
            _ => Self { expiry: store.expiry, value_len: store.value.len() },
        }
    }
}

fn command_name(store: &Store<'_>) -> &'static str {
    match store.mode {
        StoreMode::Set if store.compare.is_some() => "cas",
        StoreMode::Set => "set",
        StoreMode::Add => "add",
        StoreMode::Replace => "replace",
        StoreMode::Append => "append",
        StoreMode::Prepend => "prepend",
    }
}
