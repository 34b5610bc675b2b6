//! One part of the store, written by one thread at a time. The stripe of a key
//! never changes, so whoever holds its lock is the only one to change the key.
//!
//! A stripe has its share of the memory and keeps to it by itself: see
//! [`super::reclaim`].

use super::StoreConfig;
use super::apart::SharedValue;
use super::arena::{Place, Segment};
use super::compose::{SCRATCH_BYTES_KEPT, compose, number_of};
use super::digest::Stamp;
use super::figures::Counts;
use super::found::Found;
use super::ghost::Ghost;
use super::index::BYTES_PER_ITEM;
use super::merge::version_of;
use super::queue::{Numbered, Queue};
use super::reclaim::{LOOK_EVERY, Victim};
use super::record::{NewRecord, Payload, Record, VALUE_BYTES_MAX};
use super::shared::Shared;
use crate::item::{
    Clock, Delete, Draft, Effect, Expiry, Key, NewValue, Now, Old, Op, Outcome, Standing, Version,
    decide,
};
use crate::ring::KeyHash;
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[derive(Debug)]
pub(super) struct Stripe {
    pub(super) number: u32,
    /// Bytes that it may take, all counted.
    pub(super) share: usize,
    /// Whether items may be evicted to make room.
    pub(super) evicts: bool,
    pub(super) item_bytes_max: usize,
    pub(super) clock: Clock,
    /// Where new items are put to the test.
    pub(super) small: Queue,
    /// Where those go that passed it.
    pub(super) main: Queue,
    pub(super) victim: Option<Victim>,
    /// Empty segments.
    pub(super) spare: Vec<Numbered>,
    /// Bytes of all its segments.
    pub(super) segment_bytes: usize,
    pub(super) ghost: Ghost,
    /// Bytes of large values.
    pub(super) apart_bytes: usize,
    pub(super) items: usize,
    /// Words of live records.
    pub(super) live_words: usize,
    /// Words judged since the emptiest segment was last looked for.
    pub(super) judged: usize,
    /// Words that the search for room under way has kept.
    pub(super) kept_words: usize,
    pub(super) counts: Counts,
    pub(super) scratch: Vec<u8>,
    /// It has not taken what another node sent it.
    pub(super) has_refused: bool,
}

/// The item that an operation finds.
pub(super) struct Present {
    pub(super) place: Place,
    pub(super) old: Old,
    uses: u32,
    main: bool,
}

/// A record that was just written or changed, for the visitor.
pub(super) struct Written {
    pub(super) segment: Arc<Segment>,
    pub(super) word: u32,
}

/// One operation on one key at one moment.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) hash: KeyHash,
    pub(super) key: Key<'a>,
    pub(super) now: Now,
    /// A value that may be kept as it is, if it is the one to be written.
    pub(super) whole: Option<&'a SharedValue>,
}

impl Stripe {
    /// A stripe without a share yet.
    pub(super) fn new(number: u32, config: &StoreConfig) -> Self {
        Self {
            number,
            share: 0,
            evicts: config.evicts,
            item_bytes_max: config.item_bytes_max,
            clock: Clock::new(config.node),
            small: Queue::default(),
            main: Queue::default(),
            victim: None,
            spare: Vec::new(),
            segment_bytes: 0,
            ghost: Ghost::default(),
            apart_bytes: 0,
            items: 0,
            live_words: 0,
            judged: LOOK_EVERY,
            kept_words: 0,
            counts: Counts::default(),
            scratch: Vec::new(),
            has_refused: false,
        }
    }

    /// Does what `op` asks, and shows the item as it is then.
    pub(super) fn apply<R>(
        &mut self,
        shared: &Shared,
        request: Request<'_>,
        op: &Op<'_>,
        visit: impl FnOnce(Outcome, Option<&Found<'_>>) -> R,
    ) -> R {
        let present = self.find(shared, request, matches!(op, Op::Count(_)));
        let ruling = decide(op, present.as_ref().map(|present| &present.old), request.now);
        match ruling.effect {
            Effect::Leave | Effect::Remove
                if shared.keeps_tombstones()
                    && (ruling.effect == Effect::Remove
                        || self.others_may_have(shared, request, op, ruling.outcome)) =>
            {
                let version = self.clock.stamp(request.now);
                match self.entomb(shared, request, version) {
                    Some(Written { segment, word }) => {
                        visit(ruling.outcome, Some(&found(shared, Record::at(&segment, word))))
                    }
                    None => visit(Outcome::NoRoom, None),
                }
            }
            Effect::Leave => show(shared, present.as_ref(), request, op, ruling.outcome, visit),
            Effect::Remove => {
                if let Some(present) = present {
                    self.remove(shared, request.hash, present.place);
                }
                visit(ruling.outcome, None)
            }
            Effect::Amend { expiry, standing } => {
                let present = self.amend(shared, request, present, expiry, standing);
                show(shared, present.as_ref(), request, op, ruling.outcome, visit)
            }
            Effect::Write(draft) => match self.write(shared, request, present.as_ref(), &draft) {
                Ok(written) => {
                    let record = Record::at(&written.segment, written.word);
                    let answer = visit(ruling.outcome, Some(&found(shared, record)));
                    // Who makes an item by reading it has read it.
                    if matches!(op, Op::Get(_)) {
                        record.note_read(shared.second(request.now));
                    }
                    answer
                }
                Err(outcome) => visit(outcome, None),
            },
        }
    }

    /// Whether a delete that finds nothing may leave a copy of the item on another node:
    /// this one may have evicted what the other still has.
    fn others_may_have(
        &self,
        shared: &Shared,
        request: Request<'_>,
        op: &Op<'_>,
        outcome: Outcome,
    ) -> bool {
        let deletes = matches!(op, Op::Delete(Delete { compare: None, .. }));
        let lacks = self.counts.evicted > 0 || self.has_refused;
        (deletes && outcome == Outcome::NotFound && lacks) && !version_of(shared, request).1
    }

    /// The item of a key. One that is gone is cleared away.
    pub(super) fn find(
        &mut self,
        shared: &Shared,
        Request { hash, key, now, .. }: Request<'_>,
        numeric: bool,
    ) -> Option<Present> {
        let place = shared.index.place(hash)?;
        let segment = shared.arena.segment(place.segment)?;
        let record = Record::at(&segment, place.word);
        if !record.has_key(key) {
            return None;
        }
        if shared.is_gone(record, now) {
            self.remove_gone(shared, hash, place, record);
            return None;
        }
        if record.is_tombstone() {
            return None;
        }
        let found = found(shared, record);
        let value_len = found.value_len();
        let number = if numeric { number_of(&found, &mut self.scratch) } else { None };
        let old = Old { meta: found.meta(), value_len, number };
        Some(Present { place, old, uses: record.uses(), main: segment.is_main() })
    }

    /// Changes expiry and standing where they are. A record without room for an
    /// expiry is written anew, with the version it has.
    pub(super) fn amend(
        &mut self,
        shared: &Shared,
        request: Request<'_>,
        present: Option<Present>,
        expiry: Expiry,
        standing: Standing,
    ) -> Option<Present> {
        let mut present = present?;
        let Place { segment, word } = present.place;
        let segment = shared.arena.segment(segment)?;
        let mut record = Record::at(&segment, word);
        let meta = present.old.meta;
        let stamps = [meta.standing, standing].map(|standing| Stamp::of(meta.version, standing));
        if record.set_expiry(expiry) {
            note_expiry(&segment, expiry);
            record.set_standing(standing);
            shared.digests.replace(request.hash, stamps[0], stamps[1]);
            return Some(present);
        }
        let apart = record.apart();
        let mut value = std::mem::take(&mut self.scratch);
        value.clear();
        if apart.is_none() {
            record.append_value(&mut value);
        }
        let payload = apart.map_or(Payload::Here(&value), Payload::Apart);
        let new = NewRecord {
            key: request.key,
            version: meta.version,
            expiry,
            flags: meta.flags,
            cas: record.own_cas(),
            standing,
            payload,
            tombstone: false,
            second: shared.second(request.now),
            uses: present.uses,
            fetched: meta.fetched,
        };
        drop(segment);
        shared.count_moved();
        let written = self.put(shared, request, present.main, &new);
        if written.is_some() {
            shared.digests.replace(request.hash, stamps[0], stamps[1]);
        }
        self.scratch = value;
        // Without room for a copy the item stays as it was, unless it went to make
        // room.
        present.place = written.or_else(|| shared.index.place(request.hash))?;
        Some(present)
    }

    fn write(
        &mut self,
        shared: &Shared,
        request: Request<'_>,
        present: Option<&Present>,
        draft: &Draft<'_>,
    ) -> Result<Written, Outcome> {
        let old_len = present.map_or(0, |present| present.old.value_len);
        let value_len = draft.value.len(old_len);
        if item_bytes(request.key.bytes().len(), value_len) > self.item_bytes_max {
            return Err(Outcome::TooLarge);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let place = present.map(|present| present.place);
        let value = compose(shared, place, draft.value, &mut scratch);
        let version = self.clock.stamp(request.now);
        let written = self.write_value(shared, request, present, draft, value, version);
        self.scratch = scratch;
        // What was large once need not stay so.
        if self.scratch.capacity() > SCRATCH_BYTES_KEPT {
            self.scratch = Vec::new();
        }
        written
    }

    pub(super) fn write_value(
        &mut self,
        shared: &Shared,
        request: Request<'_>,
        present: Option<&Present>,
        draft: &Draft<'_>,
        value: &[u8],
        version: Version,
    ) -> Result<Written, Outcome> {
        let Request { hash, key, now, whole } = request;
        let apart =
            (value.len() > VALUE_BYTES_MAX).then(|| SharedValue::of(value, whole, &shared.pool));
        let apart_bytes = apart.as_ref().map_or(0, SharedValue::memory);
        if !self.make_room_apart(shared, apart_bytes, now) {
            return Err(Outcome::NoRoom);
        }
        let number = apart.map(|value| shared.apart.keep(value));
        self.apart_bytes += apart_bytes;
        let same = present.filter(|present| is_same_item(present, draft, value));
        let new = NewRecord {
            key,
            version,
            expiry: draft.expiry,
            flags: draft.flags,
            cas: draft.cas,
            standing: draft.standing,
            payload: number.map_or(Payload::Here(value), Payload::Apart),
            tombstone: false,
            second: shared.second(now),
            uses: present.map_or(0, |present| present.uses),
            fetched: same.is_some_and(|present| present.old.meta.fetched),
        };
        let main = match present {
            Some(present) => present.main,
            None => self.ghost.recall(hash),
        };
        if let Some(written) = Self::overwrite(shared, hash, present, &new) {
            self.counts.total += u64::from(same.is_none());
            return Ok(written);
        }
        let Some(segment) = self.room(shared, main, new.words(), now) else {
            if let Some(number) = number {
                self.let_go_apart(shared, number);
            }
            return Err(Outcome::NoRoom);
        };
        // What the index says was there: making room may have moved the old
        // item or evicted it, and another key with this hash makes way too.
        let (written, old) = self.append(shared, hash, segment, &new);
        self.counts.total += u64::from(same.is_none());
        let stamp = Stamp::of(version, draft.standing);
        // Another key that had its place is of another slot, perhaps.
        let other = old.filter(|_| present.is_none()).and_then(|place| shared.hash_at(place));
        match old.and_then(|place| self.bury(shared, place)) {
            Some(old) => match other.filter(|&other| other != hash) {
                None => shared.digests.replace(hash, old, stamp),
                Some(other) => {
                    shared.digests.turn(other, old);
                    shared.digests.turn(hash, stamp);
                }
            },
            None => {
                shared.digests.turn(hash, stamp);
                self.items += 1;
            }
        }
        Ok(written)
    }

    /// Writes a record that is no new item: a copy of one, in another place.
    fn put(
        &mut self,
        shared: &Shared,
        request: Request<'_>,
        main: bool,
        new: &NewRecord<'_>,
    ) -> Option<Place> {
        let segment = self.room(shared, main, new.words(), request.now)?;
        // The item may have been evicted to make room for its own copy.
        shared.index.place(request.hash)?;
        let number = segment.0;
        let (Written { word, .. }, old) = self.append(shared, request.hash, segment, new);
        if let Some((old, segment)) =
            old.and_then(|old| Some((old, shared.arena.segment(old.segment)?)))
        {
            self.kill(&segment, Record::at(&segment, old.word));
        }
        Some(Place::new(number, word))
    }

    /// Writes a record at the end of a segment that has room for it, and lets
    /// the index point there.
    pub(super) fn append(
        &mut self,
        shared: &Shared,
        hash: KeyHash,
        (number, segment): Numbered,
        new: &NewRecord<'_>,
    ) -> (Written, Option<Place>) {
        let word = segment.filled();
        let words = new.words();
        new.write(&segment.words[word as usize..][..words]);
        segment.filled.store(word + words as u32, Ordering::Relaxed);
        segment.count_live(words as i64);
        self.live_words += words;
        note_expiry(&segment, new.expiry);
        let old = shared.index.put(hash, Place::new(number, word));
        (Written { segment, word }, old)
    }

    /// Takes an item away.
    pub(super) fn remove(&mut self, shared: &Shared, hash: KeyHash, place: Place) {
        shared.index.remove(hash);
        if let Some(stamp) = self.bury(shared, place) {
            shared.digests.turn(hash, stamp);
            self.items -= 1;
        }
    }

    /// Marks a record that the index does not point to any more. Says what is gone, if it
    /// was an item.
    pub(super) fn bury(&mut self, shared: &Shared, place: Place) -> Option<Stamp> {
        let segment = shared.arena.segment(place.segment)?;
        let record = Record::at(&segment, place.word);
        self.kill(&segment, record);
        if let Some(number) = record.apart() {
            self.let_go_apart(shared, number);
        }
        (!record.is_tombstone()).then(|| Stamp::of(record.version(), record.standing()))
    }

    /// Marks a record as dead. Its large value, if it has one, stays: it may have
    /// gone over to a copy.
    pub(super) fn kill(&mut self, segment: &Segment, record: Record<'_>) {
        record.kill();
        segment.count_live(-(record.words() as i64));
        self.live_words -= record.words();
    }

    fn let_go_apart(&mut self, shared: &Shared, number: u32) {
        if let Some(value) = shared.apart.let_go(number) {
            self.apart_bytes -= value.memory();
        }
    }

    /// Takes an item away because it is over or flushed.
    pub(super) fn remove_gone(
        &mut self,
        shared: &Shared,
        hash: KeyHash,
        place: Place,
        record: Record<'_>,
    ) {
        if record.is_tombstone() {
            return self.remove(shared, hash, place);
        }
        self.counts.expired += 1;
        self.counts.flushed += u64::from(shared.is_flushed(record.version()));
        self.counts.expired_unfetched += u64::from(!record.is_fetched());
        self.remove(shared, hash, place);
    }

    /// Clears an item away if it is gone, as a reader said it was.
    pub(super) fn clear_gone(&mut self, shared: &Shared, request: Request<'_>) {
        let (expired, flushed) = (self.counts.expired, self.counts.flushed);
        self.find(shared, request, false);
        self.counts.reads_flushed += self.counts.flushed - flushed;
        self.counts.reads_expired +=
            self.counts.expired - expired - (self.counts.flushed - flushed);
    }

    /// Bytes that it takes, all counted.
    pub(super) fn memory(&self, shared: &Shared) -> usize {
        self.segment_bytes + self.beside_segments(shared)
    }

    /// Bytes of the items, with all that is kept for each.
    pub(super) fn item_memory(&self) -> usize {
        self.live_words * 4 + self.apart_bytes + self.items * BYTES_PER_ITEM
    }

    /// Bytes of all that is not in segments.
    pub(super) fn beside_segments(&self, shared: &Shared) -> usize {
        self.apart_bytes + shared.index_share(self.items) + shared.pool_share() + self.ghost.bytes()
    }

    /// Segments that it has.
    pub(super) fn owned(&self) -> usize {
        self.small.len() + self.main.len() + self.spare.len() + self.victim.is_some() as usize
    }

    /// Words of dead records.
    pub(super) fn dead_words(&self) -> usize {
        let filled = self.small.words()
            + self.main.words()
            + self.victim.as_ref().map_or(0, Victim::words_left);
        filled.saturating_sub(self.live_words)
    }
}

/// Bytes that an item takes, as memcached counts them against its limit: with
/// the header and the line ends that it would keep.
pub(super) fn item_bytes(key_len: usize, value_len: usize) -> usize {
    const HEADER: usize = 48 + 8 + 1 + 2;
    HEADER + key_len + value_len
}

#[inline]
pub(super) fn found<'a>(shared: &Shared, record: Record<'a>) -> Found<'a> {
    let apart = record.apart().and_then(|number| shared.apart.value(number));
    Found { first_s: shared.first_s, record, apart }
}

/// Shows an item as it is.
fn show<R>(
    shared: &Shared,
    present: Option<&Present>,
    request: Request<'_>,
    op: &Op<'_>,
    outcome: Outcome,
    visit: impl FnOnce(Outcome, Option<&Found<'_>>) -> R,
) -> R {
    let place = present.map(|present| present.place);
    let held = place.and_then(|place| Some((shared.arena.segment(place.segment)?, place.word)));
    let Some((segment, word)) = held else { return visit(outcome, None) };
    let record = Record::at(&segment, word);
    let answer = visit(outcome, Some(&found(shared, record)));
    if matches!(op, Op::Get(_) | Op::Touch(_)) {
        record.note_read(shared.second(request.now));
    }
    answer
}

/// Whether a number takes the place of another of its length, or the value stays:
/// then it is still that item, for memcached too.
fn is_same_item(present: &Present, draft: &Draft<'_>, value: &[u8]) -> bool {
    match draft.value {
        NewValue::Number { .. } => present.old.value_len == value.len(),
        NewValue::Kept => true,
        _ => false,
    }
}

pub(super) fn note_expiry(segment: &Segment, expiry: Expiry) {
    if let Expiry::At(second) = expiry {
        let earliest = segment.over_from_s.load(Ordering::Relaxed).min(second);
        segment.over_from_s.store(earliest, Ordering::Relaxed);
    }
}
