//! Shows what is in some slots, for those who compare copies.

use super::Store;
use super::arena::{Place, Segment};
use super::found::Found;
use super::record::Record;
use super::shared::Shared;
use super::stripe::{Stripe, found};
use super::walk::{FullWalk, WALK_ITEMS, WalkFrom};
use crate::item::Now;
use crate::ring::KeyHash;

impl Store {
    /// Shows some of the items in the slots that are wanted, tombstones too, going on where the
    /// last call with this walk stopped, and passes over none that is there from the beginning
    /// of the walk to its end. Whether there are more to look at.
    ///
    /// What is over or flushed there is cleared away: it is in the digest of its slot until
    /// then, and so keeps two copies from being seen to be alike.
    ///
    /// `is_wanted` and `visit` are called while nobody else can change the item: they call
    /// nothing that waits and nothing of the store.
    pub fn list(
        &self,
        walk: &mut FullWalk,
        now: Now,
        is_wanted: impl Fn(u32) -> bool,
        visit: impl FnMut(KeyHash, &Found<'_>),
    ) -> bool {
        self.go_on(walk, |from| {
            let listed = self.in_segment(from.segment, |stripe, segment| {
                let from = from.within(segment);
                let place = Place::new(from.segment, from.word);
                let word = stripe.list((&self.shared, segment), place, now, is_wanted, visit);
                let reached = WalkFrom { word, ..from };
                (reached, (word < segment.filled()).then_some(reached))
            });
            listed.unwrap_or((from, None))
        })
    }
}

impl Stripe {
    /// Shows some records of one segment from a place on. Says how far it came.
    fn list(
        &mut self,
        (shared, segment): (&Shared, &Segment),
        mut place: Place,
        now: Now,
        is_wanted: impl Fn(u32) -> bool,
        mut visit: impl FnMut(KeyHash, &Found<'_>),
    ) -> u32 {
        for _ in 0..WALK_ITEMS {
            if place.word >= segment.filled() {
                break;
            }
            let record = Record::at(segment, place.word);
            if !record.is_dead() {
                let hash = shared.hash(record);
                match is_wanted(shared.digests.slot(hash) as u32) {
                    true if shared.is_gone(record, now) => {
                        self.counts.crawled += 1;
                        self.remove_gone(shared, hash, place, record);
                    }
                    true => visit(hash, &found(shared, record)),
                    false => {}
                }
            }
            place.word += record.words() as u32;
        }
        place.word
    }
}
