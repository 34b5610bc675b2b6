//! Walks over all items, while others write.

use super::arena::Segment;
use super::record::{KeyRoom, Record};
use super::stripe::found;
use super::{Found, Store};
use crate::item::{Key, Now};
use std::sync::atomic::Ordering;

/// Where a walk over all items goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WalkFrom {
    pub(super) segment: u32,
    pub(super) word: u32,
    /// The use of the segment that the word belongs to.
    pub(super) uses: u32,
}

impl WalkFrom {
    /// The beginning of the next segment.
    pub(super) fn next(self) -> Self {
        Self { segment: self.segment + 1, ..Self::default() }
    }

    /// The same place in the segment as it is used now: its beginning, if it was
    /// emptied meanwhile.
    pub(super) fn within(self, segment: &Segment) -> Self {
        let uses = segment.uses.load(Ordering::Relaxed);
        Self { uses, word: if uses == self.uses { self.word } else { 0 }, ..self }
    }
}

/// Items that one piece of a walk looks at, at most: their stripe is held meanwhile.
pub(super) const WALK_ITEMS: usize = 500;

/// A walk that passes over no item that is there from its beginning to its end, though
/// it may move meanwhile.
///
/// An item that moves is written to the end of some segment, perhaps of one that was
/// seen before. So the walk remembers how far it has seen each, and goes round until
/// none has moved in a round: from the second on it sees only what was written since.
#[derive(Debug, Default)]
pub struct FullWalk {
    /// How far each segment was seen, by their numbers.
    seen: Vec<WalkFrom>,
    segment: u32,
    /// How many items had moved, ever, when this round began.
    moved_before: u64,
    round: u32,
}

/// Rounds, at most. An item that is missed would have to move in each of them, behind
/// the walk every time.
const ROUNDS_MAX: u32 = 8;

impl Store {
    /// Shows some of the items, and says where to go on; none at the end. Who
    /// walks while others write sees every item that stays put, and may see one
    /// that moves twice or not at all.
    pub fn walk(
        &self,
        from: WalkFrom,
        now: Now,
        mut visit: impl FnMut(Key<'_>, &Found<'_>),
    ) -> Option<WalkFrom> {
        if from.segment >= self.shared.arena.numbers() {
            return None;
        }
        let visit = |key: Key<'_>, found: &Found<'_>| {
            if !found.is_tombstone() {
                visit(key, found);
            }
            true
        };
        let from = self.walk_segment(from, now, visit);
        Some(from.1.unwrap_or(from.0.next()))
    }

    /// Shows some of the items, tombstones too, and no more than `visit` wants: it says
    /// whether to go on. Whether there are more.
    pub fn walk_all(
        &self,
        walk: &mut FullWalk,
        now: Now,
        visit: impl FnMut(Key<'_>, &Found<'_>) -> bool,
    ) -> bool {
        self.go_on(walk, |from| self.walk_segment(from, now, visit))
    }

    /// How much of all a full walk has looked at, of 1. What moved meanwhile it looks at again.
    #[must_use]
    pub fn walked(&self, walk: &FullWalk) -> f64 {
        match walk.round {
            0 => (f64::from(walk.segment) / f64::from(self.shared.arena.numbers().max(1))).min(1.0),
            _ => 1.0,
        }
    }

    /// Goes on with a full walk by one piece, which says how far it came in its segment and
    /// where to go on in it. Whether there are more.
    pub(super) fn go_on(
        &self,
        walk: &mut FullWalk,
        piece: impl FnOnce(WalkFrom) -> (WalkFrom, Option<WalkFrom>),
    ) -> bool {
        if walk.segment >= self.shared.arena.numbers() {
            let moved = self.shared.moved();
            walk.round += 1;
            walk.segment = 0;
            return std::mem::replace(&mut walk.moved_before, moved) != moved
                && walk.round < ROUNDS_MAX;
        }
        let number = walk.segment as usize;
        if walk.round == 0 && number == 0 && walk.seen.is_empty() {
            walk.moved_before = self.shared.moved();
        }
        if walk.seen.len() <= number {
            walk.seen.resize(number + 1, WalkFrom::default());
        }
        let from = WalkFrom { segment: walk.segment, ..walk.seen[number] };
        let (reached, next) = piece(from);
        walk.seen[number] = reached;
        walk.segment += u32::from(next.is_none());
        true
    }

    /// Shows some items of a segment. How far it was seen, and where to go on in it.
    fn walk_segment(
        &self,
        from: WalkFrom,
        now: Now,
        mut visit: impl FnMut(Key<'_>, &Found<'_>) -> bool,
    ) -> (WalkFrom, Option<WalkFrom>) {
        let walked = self.in_segment(from.segment, |_, segment| {
            let mut from = from.within(segment);
            for _ in 0..WALK_ITEMS {
                if from.word >= segment.filled() {
                    return (from, None);
                }
                let record = Record::at(segment, from.word);
                from.word += record.words() as u32;
                if !record.is_dead()
                    && !self.shared.is_gone(record, now)
                    && !visit(record.key(&mut KeyRoom::new()), &found(&self.shared, record))
                {
                    break;
                }
            }
            (from, Some(from))
        });
        walked.unwrap_or((from, None))
    }
}
