//! `delete`, `incr`, `decr`, `touch`.

use super::Session;
use super::text::answer;
use crate::item::{Count, CountKind, Delete, Expiry, Key, Now, Op, Outcome};
use crate::memcache::text::reply;
use crate::net::Output;
use crate::node::Topic;

impl Session {
    pub(super) fn delete(&mut self, key: Key<'_>, noreply: bool, now: Now, out: &mut Output) {
        let op = Op::Delete(Delete::default());
        let outcome = self.road.apply(key, now, &op, |outcome, _| outcome);
        self.count_prefix_delete(key.bytes());
        self.note_delete(key.bytes(), outcome, now);
        let text = match outcome {
            Outcome::Deleted => reply::DELETED,
            Outcome::NoRoom => reply::NO_ROOM,
            _ => reply::NOT_FOUND,
        };
        answer(noreply, text, out);
    }

    pub(super) fn count(
        &mut self,
        kind: CountKind,
        key: Key<'_>,
        delta: u64,
        noreply: bool,
        now: Now,
        out: &mut Output,
    ) {
        let count = Count { kind, delta, compare: None, cas: None, vivify: None, touch: None };
        let outcome = self.road.apply(key, now, &Op::Count(count), |outcome, _| outcome);
        self.note_count(kind, outcome);
        match outcome {
            Outcome::Counted { .. } if noreply => {}
            Outcome::Counted { number, .. } => reply::number_line(out.bytes(), number),
            Outcome::NotNumeric => answer(noreply, reply::NOT_NUMERIC, out),
            Outcome::TooLarge | Outcome::NoRoom => answer(noreply, reply::NO_ROOM, out),
            _ => answer(noreply, reply::NOT_FOUND, out),
        }
    }

    pub(super) fn touch(
        &mut self,
        key: Key<'_>,
        exptime: i32,
        noreply: bool,
        now: Now,
        out: &mut Output,
    ) {
        let op = Op::Touch(Expiry::from_client(exptime.into(), now));
        let outcome = self.road.apply(key, now, &op, |outcome, _| outcome);
        let found = matches!(outcome, Outcome::Found { .. });
        self.count_reads(u64::from(found), u64::from(!found), true);
        answer(noreply, if found { reply::TOUCHED } else { reply::NOT_FOUND }, out);
    }

    pub(super) fn count_prefix_delete(&self, key: &[u8]) {
        self.shared().prefixes.count(key, |counts| counts.deletes += 1);
    }

    pub(super) fn note_delete(&self, key: &[u8], outcome: Outcome, now: Now) {
        let (shared, counters) = (self.shared(), self.counters());
        match outcome {
            Outcome::Deleted => counters.delete_hits.add(1),
            Outcome::NotFound => counters.delete_misses.add(1),
            _ => {}
        }
        if outcome == Outcome::Deleted && shared.watch.wants(Topic::Deletions) {
            self.tell_delete(key, now);
        }
    }

    /// Counting that starts is neither found nor missed.
    pub(super) fn note_count(&self, kind: CountKind, outcome: Outcome) {
        let counters = self.counters();
        let (hits, misses) = match kind {
            CountKind::Increment => (&counters.incr_hits, &counters.incr_misses),
            CountKind::Decrement => (&counters.decr_hits, &counters.decr_misses),
        };
        match outcome {
            Outcome::Counted { made: false, .. } => hits.add(1),
            Outcome::NotFound => misses.add(1),
            _ => {}
        }
    }
}
