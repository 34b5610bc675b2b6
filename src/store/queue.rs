//! A queue of segments: records go in at the last one and are judged, oldest
//! first, at the first.

use super::arena::{SEGMENT_WORDS, Segment};
use super::record::Record;
use std::collections::VecDeque;
use std::sync::Arc;

/// A segment and its number.
pub(super) type Numbered = (u32, Arc<Segment>);

/// One queue of a stripe.
#[derive(Debug, Default)]
pub(super) struct Queue {
    segments: VecDeque<Numbered>,
    /// Words of all segments.
    size: usize,
    /// The next word of the first segment to be judged.
    cursor: u32,
}

/// What is at the front of a queue.
pub(super) enum Front {
    /// A record, in this segment, at this word.
    Record(Numbered, u32),
    /// This segment was judged to its end and is out of the queue.
    Empty(Numbered),
    /// Nothing is left to be judged.
    Nothing,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.segments.len()
    }

    /// Words between the front and the back.
    pub(super) fn words(&self) -> usize {
        let Some((_, last)) = self.segments.back() else { return 0 };
        self.size - last.words.len() + last.filled() as usize - self.cursor as usize
    }

    /// The last segment, if it has room for so many words more.
    #[inline]
    pub(super) fn tail(&self, words: usize) -> Option<&Numbered> {
        let last = self.segments.back()?;
        last.1.has_room(words).then_some(last)
    }

    pub(super) fn extend(&mut self, segment: Numbered) {
        self.size += segment.1.words.len();
        self.segments.push_back(segment);
    }

    /// Steps over the next record, or takes out the segment that has none left.
    pub(super) fn step(&mut self) -> Front {
        let Some((number, segment)) = self.segments.front().cloned() else {
            return Front::Nothing;
        };
        if self.cursor < segment.filled() {
            let word = self.cursor;
            self.cursor += Record::at(&segment, word).words() as u32;
            return Front::Record((number, segment), word);
        }
        if self.segments.len() > 1 {
            self.cursor = 0;
            self.segments.pop_front();
            self.size -= segment.words.len();
            return Front::Empty((number, segment));
        }
        Front::Nothing
    }

    /// Takes out the segment with the fewest live words for its size.
    pub(super) fn take_emptiest(&mut self, below: u32) -> Option<Numbered> {
        let (at, live) = self.emptiest()?;
        if live >= below {
            return None;
        }
        let segment = self.segments.remove(at)?;
        self.size -= segment.1.words.len();
        Some(segment)
    }

    /// Live words of the segment that has the fewest for its size, as if all were
    /// [`SEGMENT_WORDS`] long.
    pub(super) fn fewest_live(&self) -> Option<u32> {
        self.emptiest().map(|(_, live)| live)
    }

    /// The first, while it is being judged, and the last, which is being filled,
    /// stay.
    fn emptiest(&self) -> Option<(usize, u32)> {
        let last = self.segments.len().checked_sub(1)?;
        let first = usize::from(self.cursor > 0);
        let middle = self.segments.iter().enumerate().take(last).skip(first);
        let scaled =
            |segment: &Segment| segment.live() * (SEGMENT_WORDS / segment.words.len()) as u32;
        middle.map(|(at, (_, segment))| (at, scaled(segment))).min_by_key(|&(_, live)| live)
    }

    /// Empties the only segment, once all of it was judged.
    pub(super) fn start_over(&mut self) {
        if let [(_, segment)] = self.segments.make_contiguous() {
            debug_assert_eq!(segment.live(), 0, "a live record was passed over");
            segment.clear();
            self.cursor = 0;
        }
    }

    /// Its first segment.
    pub(super) fn front(&self) -> Option<&Numbered> {
        self.segments.front()
    }
}
