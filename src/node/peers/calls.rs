//! Calls to one peer that have not ended, each with a deadline.

use super::waiting::{Answer, Waiting};
use crate::item::Now;
use crate::limits::CALLS_MAX;
use std::sync::Arc;

/// One call under way.
#[derive(Debug)]
pub(super) struct Call {
    /// Who waits for its end, and as which of his calls.
    pub(super) waits: Option<(Arc<Waiting>, u16)>,
    /// Slots whose copies it brings.
    pub(super) slots: Vec<u32>,
    /// Whether those were there before, and are brought again where this fails.
    pub(super) brings: bool,
    /// Whether it asks for something to be executed.
    pub(super) asks: bool,
    /// Then it is over, answered or not.
    pub(super) deadline: Now,
}

impl Call {
    /// Tells whoever waits how it ended.
    pub(super) fn end(&self, answer: Answer) {
        if let Some((waiting, number)) = &self.waits {
            waiting.answer(*number, answer);
        }
    }
}

/// The calls under way, by the number that goes over the wire: a place in the
/// low half, and in the high half how often the place was used, so that an answer
/// that comes too late meets nobody else's call.
#[derive(Debug, Default)]
pub(super) struct CallTable {
    places: Vec<Place>,
    free: Vec<u16>,
}

#[derive(Debug, Default)]
struct Place {
    uses: u16,
    call: Option<Call>,
}

impl CallTable {
    /// The number of a new call; gives it back where there are too many.
    pub(super) fn begin(&mut self, call: Call) -> Result<u32, Call> {
        let place = match self.free.pop() {
            Some(place) => place,
            None if self.places.len() < CALLS_MAX => {
                self.places.push(Place::default());
                (self.places.len() - 1) as u16
            }
            None => return Err(call),
        };
        let Place { uses, call: there } = &mut self.places[usize::from(place)];
        *there = Some(call);
        Ok(u32::from(*uses) << 16 | u32::from(place))
    }

    /// Takes the call of this number out.
    pub(super) fn end(&mut self, number: u32) -> Option<Call> {
        let place = number as u16;
        let Place { uses, call } = self.places.get_mut(usize::from(place))?;
        if u32::from(*uses) != number >> 16 {
            return None;
        }
        let call = call.take()?;
        *uses = uses.wrapping_add(1);
        self.free.push(place);
        Some(call)
    }

    /// Takes out all whose deadline is over.
    pub(super) fn overdue(&mut self, now: Now) -> Vec<Call> {
        self.take(|call| call.deadline <= now)
    }

    /// Takes out all.
    pub(super) fn all(&mut self) -> Vec<Call> {
        self.take(|_| true)
    }

    /// The numbers of those that are such.
    pub(super) fn that(&self, is_meant: impl Fn(&Call) -> bool) -> impl Iterator<Item = u32> {
        let is_such = move |place: &Place| place.call.as_ref().is_some_and(&is_meant);
        let places = (0..).zip(&self.places).filter(move |(_, place)| is_such(place));
        places.map(|(number, place): (u32, _)| u32::from(place.uses) << 16 | number)
    }

    /// Whether the call of this number has not ended.
    pub(super) fn is_under_way(&self, number: u32) -> bool {
        let place = self.places.get(usize::from(number as u16));
        place.is_some_and(|place| u32::from(place.uses) == number >> 16 && place.call.is_some())
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    fn take(&mut self, is_meant: impl Fn(&Call) -> bool) -> Vec<Call> {
        let mut taken = Vec::new();
        for (place, Place { uses, call }) in self.places.iter_mut().enumerate() {
            if call.as_ref().is_some_and(&is_meant) {
                taken.extend(call.take());
                *uses = uses.wrapping_add(1);
                self.free.push(place as u16);
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(deadline_ms: u64) -> Call {
        let deadline = Now::from_unix_ms(deadline_ms);
        Call { waits: None, slots: Vec::new(), brings: false, asks: false, deadline }
    }

    #[test]
    fn late_answers_meet_nobody() {
        let mut calls = CallTable::default();
        let first = calls.begin(call(1)).unwrap();
        assert!(calls.end(first).is_some());
        let second = calls.begin(call(1)).unwrap();
        assert_ne!(first, second);
        assert!(calls.end(first).is_none());
        assert!(calls.end(second).is_some());
        assert!(calls.end(77).is_none());
    }

    #[test]
    fn overdue_calls_are_taken_once() {
        let mut calls = CallTable::default();
        calls.begin(call(10)).unwrap();
        let late = calls.begin(call(20)).unwrap();
        assert_eq!(calls.overdue(Now::from_unix_ms(15)).len(), 1);
        assert_eq!(calls.overdue(Now::from_unix_ms(15)).len(), 0);
        assert_eq!(calls.len(), 1);
        assert!(calls.end(late).is_some());
    }

    #[test]
    fn there_are_never_too_many() {
        let mut calls = CallTable::default();
        for _ in 0..CALLS_MAX {
            calls.begin(call(1)).unwrap();
        }
        assert!(calls.begin(call(1)).is_err());
        assert_eq!(calls.all().len(), CALLS_MAX);
        assert!(calls.begin(call(1)).is_ok());
    }
}
