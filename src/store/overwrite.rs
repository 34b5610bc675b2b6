//! A new value in the place of the old one, where it takes as many words.
//!
//! Nothing dies then, so nothing has to be cleared away: counters, and values
//! of one size that are written again and again, take no more memory than they
//! take once.

use super::digest::Stamp;
use super::record::{NewRecord, Record, USES_MAX};
use super::shared::Shared;
use super::stripe::{Present, Stripe, Written, note_expiry};
use crate::ring::KeyHash;

/// Words of a record that may be overwritten, at most: readers of the shard wait
/// meanwhile, and 4 KiB are written in a tenth of a microsecond.
const WORDS_MAX: usize = 1 << 10;

impl Stripe {
    /// Writes a new record over the one of its item, if it fits exactly. That
    /// it was written counts as a use: it stays where it is in its queue, and
    /// one at the end of it would have more time.
    pub(super) fn overwrite(
        shared: &Shared,
        hash: KeyHash,
        present: Option<&Present>,
        new: &NewRecord<'_>,
    ) -> Option<Written> {
        let Present { place, old, .. } = present?;
        let words = new.words();
        let segment = shared.arena.segment(place.segment)?.share();
        let record = Record::at(&segment, place.word);
        let both_here = record.apart().is_none() && !new.is_apart();
        if words > WORDS_MAX || words != record.words() || !both_here {
            return None;
        }
        let uses = (new.uses + 1).min(USES_MAX);
        // No reader is at any record of this shard while it is held alone.
        let held = shared.index.hold_alone(hash)?;
        NewRecord { uses, ..*new }.write(&segment.words[place.word as usize..][..words]);
        drop(held);
        note_expiry(&segment, new.expiry);
        let old = Stamp::of(old.meta.version, old.meta.standing);
        shared.digests.replace(hash, old, Stamp::of(new.version, new.standing));
        Some(Written { segment, word: place.word })
    }
}
