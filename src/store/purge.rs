//! Lets go of all items of slots that this node does not keep any more. Which those are,
//! the caller says.
//!
//! Who once owned a slot and kept its old items would bring deleted ones back when it
//! owns the slot again. Nothing else is told of what goes: it was not deleted, evicted or
//! over, and the slot's owners have it. So no statistics count it, and it leaves no stamp.

use super::Store;
use super::arena::{Place, Segment};
use super::record::Record;
use super::shared::Shared;
use super::stripe::Stripe;
use super::walk::{FullWalk, WALK_ITEMS, WalkFrom};

/// What a step of a purge came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Whether there is more to look at.
    pub more: bool,
    /// Items that went, tombstones among them.
    pub items: usize,
}

/// Bytes of large values that one step lets go of: 4 MiB, or one value more. To give them
/// back to the system takes as long as all else of a step, some 0.2 milliseconds in which
/// their stripe is held.
const APART_BYTES: usize = 4 << 20;

impl Store {
    /// Lets go of some of the items, tombstones too, whose slots are not kept, going on
    /// where the last call with this walk stopped. Their memory is used again by writes, and
    /// what is empty of it is given back by [`Store::crawl`].
    ///
    /// It passes over none that is there from the beginning of the walk to its end. What is
    /// written meanwhile, and slots that are not kept only since the walk began, take
    /// another walk. A [`Store::digest`] of zero tells that no item of a slot is left.
    ///
    /// `is_kept` is asked while nobody else can change the item: it calls nothing that waits
    /// and nothing of the store. If it goes by what is so at that moment, a slot that is kept
    /// again loses nothing written since.
    pub fn purge(&self, walk: &mut FullWalk, is_kept: impl Fn(u32) -> bool) -> Purged {
        let mut items = 0;
        let more = self.go_on(walk, |from| {
            let (reached, next, gone) = self.purge_segment(from, is_kept);
            items = gone;
            (reached, next)
        });
        Purged { more, items }
    }

    /// How far it came in a segment, where to go on in it, and how many items went.
    fn purge_segment(
        &self,
        from: WalkFrom,
        is_kept: impl Fn(u32) -> bool,
    ) -> (WalkFrom, Option<WalkFrom>, usize) {
        let purged = self.in_segment(from.segment, |stripe, segment| {
            let from = from.within(segment);
            let place = Place::new(from.segment, from.word);
            let (word, gone) = stripe.purge(&self.shared, segment, place, is_kept);
            let reached = WalkFrom { word, ..from };
            (reached, (word < segment.filled()).then_some(reached), gone)
        });
        purged.unwrap_or((from, None, 0))
    }
}

impl Stripe {
    /// Takes out what is not kept, among some records of one segment from a place on. Says
    /// how far it came, and how many went.
    fn purge(
        &mut self,
        shared: &Shared,
        segment: &Segment,
        from: Place,
        is_kept: impl Fn(u32) -> bool,
    ) -> (u32, usize) {
        let (mut place, mut gone) = (from, 0);
        let apart_bytes_least = self.apart_bytes.saturating_sub(APART_BYTES);
        for _ in 0..WALK_ITEMS {
            if place.word >= segment.filled() || self.apart_bytes < apart_bytes_least {
                break;
            }
            let record = Record::at(segment, place.word);
            if !record.is_dead() {
                let hash = shared.hash(record);
                if !is_kept(shared.digests.slot(hash) as u32) {
                    self.remove(shared, hash, place);
                    gone += 1;
                }
            }
            place.word += record.words() as u32;
        }
        (place.word, gone)
    }
}
