//! What is done in the background, in short steps: items that are over are
//! cleared away, what is too much after the limit was lowered goes, and memory
//! that is not needed is given back.

use super::arena::{Place, Segment};
use super::figures::Crawled;
use super::record::Record;
use super::shared::Shared;
use super::stripe::{Stripe, note_expiry};
use super::walk::WalkFrom;
use super::{Store, lock};
use crate::item::Now;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// Where the crawler is.
#[derive(Debug, Default)]
pub(super) struct Crawler {
    from: WalkFrom,
    /// Flushes there had been when it began at the first segment.
    flushes: u64,
    /// The next of the index's tables to be looked at.
    table: usize,
}

/// Tables of the index that one step looks at. Those of a store of 64 GiB have
/// all been looked at within 30 seconds.
const TABLES_LOOKED_AT: usize = 64;

impl Store {
    /// Clears away what is over, going on where the last call stopped, and what
    /// is too much. Looks at so many records or a few more, and passes segments in
    /// which nothing can be over without looking.
    pub fn crawl(&self, now: Now, looks: u64) -> Crawled {
        self.flush_if_due(now);
        let mut crawler = self.crawler.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.pool.tidy(now.unix_s());
        crawler.table = self.shared.index.keep_up(crawler.table, TABLES_LOOKED_AT);
        let mut done = Crawled { looked_at: self.shed(now, looks), finished: false };
        while done.looked_at < looks {
            if crawler.from.segment >= self.shared.arena.numbers() {
                crawler.from = WalkFrom::default();
                crawler.flushes = self.shared.flushes();
                self.tidy();
                done.finished = true;
                break;
            }
            done.looked_at += self.crawl_segment(&mut crawler, now, looks - done.looked_at);
        }
        done
    }

    /// Evicts from stripes that have more than their share, as they do after the
    /// limit was lowered. Says how many records it looked at.
    fn shed(&self, now: Now, looks: u64) -> u64 {
        let mut looked = 0;
        for stripe in &self.stripes {
            if looked >= looks {
                break;
            }
            looked += lock(stripe).shed(&self.shared, looks - looked, now);
        }
        looked
    }

    /// Looks at what is left of the crawler's segment, and moves the crawler.
    fn crawl_segment(&self, crawler: &mut Crawler, now: Now, looks: u64) -> u64 {
        let all = crawler.flushes != self.shared.flushes();
        let number = crawler.from.segment;
        let outcome = self.in_segment(number, |stripe, segment| {
            let from = crawler.from.within(segment);
            if from.word == 0 {
                let due = segment.over_from_s.load(Ordering::Relaxed) <= now.unix_s();
                if !due && !all {
                    return (0, None);
                }
                // Said anew by each record that stays.
                segment.over_from_s.store(u32::MAX, Ordering::Relaxed);
            }
            let (looked, word) =
                stripe.crawl(&self.shared, (number, segment), from.word, looks, now);
            (looked, word.map(|word| WalkFrom { word, ..from }))
        });
        let (looked, from) = outcome.unwrap_or_default();
        crawler.from = from.unwrap_or(crawler.from.next());
        looked
    }

    /// Does something with a segment under the lock of the stripe that owns it;
    /// nothing, if there is none.
    pub(super) fn in_segment<R>(
        &self,
        number: u32,
        act: impl FnOnce(&mut Stripe, &Segment) -> R,
    ) -> Option<R> {
        let owner = self.shared.arena.segment(number)?.stripe;
        let mut stripe = lock(&self.stripes[owner as usize]);
        // Until the stripe was locked it may have been given back, and taken by
        // another.
        let segment = self.shared.arena.segment(number)?;
        (segment.stripe == owner).then(|| act(&mut stripe, &segment))
    }

    /// Gives back what has become empty, and weighs the index.
    fn tidy(&self) {
        self.shared.weigh_index();
        for stripe in &self.stripes {
            lock(stripe).drop_empty(&self.shared);
        }
    }
}

impl Stripe {
    /// Takes out what is gone, among at most so many records from `from` on of
    /// one segment. Says how many it looked at, and where to go on.
    pub(super) fn crawl(
        &mut self,
        shared: &Shared,
        (number, segment): (u32, &Segment),
        from: u32,
        looks: u64,
        now: Now,
    ) -> (u64, Option<u32>) {
        let (mut word, mut looked) = (from, 0);
        while word < segment.filled() && looked < looks {
            let record = Record::at(segment, word);
            looked += 1;
            if !record.is_dead() && !shared.is_gone(record, now) {
                note_expiry(segment, record.expiry());
            } else if !record.is_dead() {
                let place = Place::new(number, word);
                self.counts.crawled += 1;
                self.remove_gone(shared, shared.hash(record), place, record);
            }
            word += record.words() as u32;
        }
        self.counts.looked_at += looked;
        (looked, (word < segment.filled()).then_some(word))
    }

    /// Frees segments in which nothing lives any more.
    pub(super) fn drop_empty(&mut self, shared: &Shared) {
        for main in [false, true] {
            while let Some(segment) = self.queue(main).take_emptiest(1) {
                self.emptied(shared, segment);
            }
        }
        self.trim(shared);
    }
}
