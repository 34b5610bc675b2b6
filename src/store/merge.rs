//! Items as other nodes have them, and the stamps of deletes. The newer version
//! stays, so that copies may come late, twice or in any order.

use super::Merged;
use super::record::{NewRecord, Payload, Record};
use super::shared::Shared;
use super::stripe::{Present, Request, Stripe, Written, found, item_bytes};
use crate::item::{Copied, CopiedBody, Draft, Expiry, NewValue, Standing, Version};
use crate::limits::{DRIFT_MS_MAX, TOMBSTONE_S};
use std::cmp::Ordering;

impl Stripe {
    /// Takes an item as another node has it, unless what is here is newer.
    pub(super) fn merge(
        &mut self,
        shared: &Shared,
        request: Request<'_>,
        copied: &Copied<'_>,
    ) -> Merged {
        let version = copied.version;
        if shared.is_flushed(version) {
            return Merged::Older;
        }
        // Who would take it could not write anything newer for as long.
        if version.unix_ms() > request.now.unix_ms() + DRIFT_MS_MAX {
            return Merged::Ahead;
        }
        // What is written here from now on is newer than what was seen.
        self.clock.observe(version);
        let (there, tombstone) = version_of(shared, request);
        match (version.cmp(&there), copied.body) {
            (Ordering::Equal, Some(body)) if !tombstone => {
                // What is over here may have been touched there.
                let Some(present) = self.find(shared, request, false) else {
                    return self.take(shared, request, copied, &body);
                };
                match self.compare_value(shared, &present, body.value) {
                    // Two halves of a cluster may give one stamp to two writes: all decide
                    // alike.
                    Ordering::Less => self.take(shared, request, copied, &body),
                    Ordering::Greater => Merged::Older,
                    Ordering::Equal => {
                        self.stand(shared, request, present, copied.expiry, body.standing)
                    }
                }
            }
            // The same for a stamp that two halves gave to a write and to a delete.
            (Ordering::Equal, None) if !tombstone => self.delete(shared, request, version),
            (Ordering::Less | Ordering::Equal, _) => Merged::Older,
            (Ordering::Greater, None) => self.delete(shared, request, version),
            (Ordering::Greater, Some(body)) => self.take(shared, request, copied, &body),
        }
    }

    /// The same write: expiry and standing change without a version.
    fn stand(
        &mut self,
        shared: &Shared,
        request: Request<'_>,
        present: Present,
        expiry: Expiry,
        standing: Standing,
    ) -> Merged {
        // Who has won stays so until the next write: what was sent before may come after.
        let won = present.old.meta.standing.won;
        let standing = Standing { won: standing.won || won, ..standing };
        match self.amend(shared, request, Some(present), expiry, standing) {
            Some(_) => Merged::Taken,
            None => self.refuse(shared),
        }
    }

    fn delete(&mut self, shared: &Shared, request: Request<'_>, version: Version) -> Merged {
        match self.entomb(shared, request, version) {
            Some(_) => Merged::Taken,
            None => self.refuse(shared),
        }
    }

    /// How the value that is here stands to another.
    fn compare_value(&mut self, shared: &Shared, present: &Present, value: &[u8]) -> Ordering {
        let place = present.place;
        let Some(segment) = shared.arena.segment(place.segment) else { return Ordering::Equal };
        let mut here = std::mem::take(&mut self.scratch);
        here.clear();
        found(shared, Record::at(&segment, place.word)).append_value(&mut here);
        let order = here.as_slice().cmp(value);
        self.scratch = here;
        order
    }

    fn take(
        &mut self,
        shared: &Shared,
        request: Request<'_>,
        copied: &Copied<'_>,
        body: &CopiedBody<'_>,
    ) -> Merged {
        if item_bytes(request.key.bytes().len(), body.value.len()) > self.item_bytes_max {
            return self.refuse(shared);
        }
        let present = self.find(shared, request, false);
        let draft = Draft {
            flags: body.flags,
            expiry: copied.expiry,
            cas: (body.cas != copied.version.0).then_some(body.cas),
            standing: body.standing,
            value: NewValue::Bytes(body.value),
        };
        let (present, version) = (present.as_ref(), copied.version);
        match self.write_value(shared, request, present, &draft, body.value, version) {
            Ok(_) => Merged::Taken,
            Err(_) => self.refuse(shared),
        }
    }

    /// From now on others may have what this node lacks.
    fn refuse(&mut self, shared: &Shared) -> Merged {
        shared.lack_room();
        self.has_refused = true;
        Merged::NoRoom
    }

    /// Puts the stamp of a delete in the place of whatever is there.
    pub(super) fn entomb(
        &mut self,
        shared: &Shared,
        request: Request<'_>,
        version: Version,
    ) -> Option<Written> {
        let new = NewRecord {
            key: request.key,
            version,
            expiry: Expiry::after(TOMBSTONE_S, request.now),
            flags: 0,
            cas: None,
            standing: Standing::default(),
            payload: Payload::Here(b""),
            tombstone: true,
            second: shared.second(request.now),
            uses: 0,
            fetched: false,
        };
        let segment = self.room(shared, false, new.words(), request.now)?;
        let (written, old) = self.append(shared, request.hash, segment, &new);
        // Another key may have had its place.
        let there = old.and_then(|place| shared.hash_at(place));
        if let Some(old) = old.and_then(|place| self.bury(shared, place)) {
            shared.digests.turn(there.unwrap_or(request.hash), old);
            self.items -= 1;
        }
        Some(written)
    }
}

/// The version of what is there under a key, item or tombstone, and whether it
/// is one.
pub(super) fn version_of(shared: &Shared, request: Request<'_>) -> (Version, bool) {
    let place = shared.index.place(request.hash);
    let there = place.and_then(|place| Some((shared.arena.segment(place.segment)?, place)));
    let Some((segment, place)) = there else { return (Version::ZERO, false) };
    let record = Record::at(&segment, place.word);
    match record.has_key(request.key) {
        true => (record.version(), record.is_tombstone()),
        false => (Version::ZERO, false),
    }
}
