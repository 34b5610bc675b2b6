//! What a stripe does when it has more than its share, because the limit was
//! lowered: it lets go of it bit by bit, as items are written and as the crawler
//! comes by, so that nobody waits for all of it.

use super::arena::{SEGMENT_BYTES, SEGMENT_WORDS};
use super::reclaim::{Pressure, Step};
use super::shared::Shared;
use super::stripe::Stripe;
use crate::item::Now;

/// Words judged for each word written.
const PAY_OVER: usize = 12;

/// Words judged for the crawler while it has the stripe: a tenth of a
/// millisecond for small items.
const SHED_WORDS: usize = SEGMENT_WORDS / 4;

/// A search that keeps what is wanted may take two segments more than it should.
const FAR_OVER_BYTES: usize = 2 * SEGMENT_BYTES;

impl Stripe {
    /// A search for room begins. Where there is too much it goes on instead: what
    /// it kept counts until a segment is given back, or it would keep all.
    pub(super) fn begin_search(&mut self, shared: &Shared) {
        if !self.is_over(shared) {
            self.kept_words = 0;
        }
    }

    /// Whether its segments take more than they may, as it does after its share was
    /// made smaller.
    pub(super) fn is_over(&self, shared: &Shared) -> bool {
        self.segment_bytes > self.capacity(shared)
    }

    /// Whether a search for room, which may have given a segment back, is to give
    /// back another.
    pub(super) fn gives_back(&self, shared: &Shared, given_back: bool) -> bool {
        let is_far_over = self.segment_bytes > self.capacity(shared) + FAR_OVER_BYTES;
        self.is_over(shared) && !(given_back && is_far_over)
    }

    /// Lets go of some of what is too much, looking at so many records at most.
    /// Says how many it looked at.
    pub(super) fn shed(&mut self, shared: &Shared, looks: u64, now: Now) -> u64 {
        let (mut looked, mut words) = (0, 0);
        while looked < looks && words < SHED_WORDS && self.has_too_much(shared) {
            if self.give_back_spare(shared) {
                self.kept_words = 0;
                continue;
            }
            match self.step(shared, Pressure::Full, now) {
                Step::Judged(judged) => words += judged,
                Step::Stuck => break,
            }
            looked += 1;
        }
        looked
    }

    /// As [`Stripe::is_over`], and large values count too.
    fn has_too_much(&self, shared: &Shared) -> bool {
        self.is_over(shared) || self.apart_bytes > 0 && self.memory(shared) > self.share
    }

    /// Judges ahead as so many words are written, and gives back what becomes
    /// empty.
    pub(super) fn pay_over(&mut self, shared: &Shared, words: usize, now: Now) {
        let mut due = words * PAY_OVER;
        while due > 0 && self.is_over(shared) {
            if self.give_back_spare(shared) {
                self.kept_words = 0;
                continue;
            }
            match self.step(shared, Pressure::Full, now) {
                Step::Judged(words) => due = due.saturating_sub(words.max(1)),
                Step::Stuck => return,
            }
        }
    }
}
