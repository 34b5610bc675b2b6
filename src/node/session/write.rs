//! `set`, `add`, `replace`, `append`, `prepend`, `cas`.

use super::body::{Value, without_end};
use super::text::answer;
use super::{Session, Step};
use crate::item::{Expiry, Key, Now, Outcome, Store, StoreMode};
use crate::memcache::text::{StoreHead, reply};
use crate::net::Output;
use crate::node::Topic;

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
        let Some(Value { bytes: value, whole }) = value else {
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
        let outcome = self.road.store(head.key, now, store, whole, |outcome, _| outcome);
        self.note_write(head.key, &store, outcome, now);
        let text = match outcome {
            Outcome::Stored => reply::STORED,
            Outcome::Exists => reply::EXISTS,
            Outcome::NotFound => reply::NOT_FOUND,
            Outcome::TooLarge => reply::TOO_LARGE,
            Outcome::NoRoom => reply::NO_ROOM,
            _ => reply::NOT_STORED,
        };
        answer(head.noreply, text, out);
    }

    /// Counts a write, whichever protocol it came by.
    #[inline]
    pub(super) fn note_write(&self, key: Key<'_>, store: &Store<'_>, outcome: Outcome, now: Now) {
        let (shared, counters) = (self.shared(), self.counters());
        counters.cmd_set.add(1);
        match outcome {
            Outcome::TooLarge => counters.store_too_large.add(1),
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
        if shared.prefixes.are_counted() {
            shared.prefixes.count(key.bytes(), |counts| counts.sets += 1);
        }
        if shared.watch.wants(Topic::Mutations) {
            self.tell_write(key.bytes(), command_name(store), outcome, store, now);
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
