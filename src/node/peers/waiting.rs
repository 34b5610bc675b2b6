//! What somebody waits for: the answers of other nodes to what one turn asked.

use super::{Digests, Replies};
use crate::item::Now;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// How one call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::node) enum Answer {
    /// With these replies.
    Told(Arc<Replies>),
    /// With these digests.
    Compared(Digests),
    /// What was sent is kept.
    Kept,
    /// What was sent is not kept: the other holds this node for dead.
    Refused,
    /// It was not sent, so nothing was done.
    Unsent,
    /// It was sent, and nobody knows what was done.
    Lost,
    /// The other is held for dead, and nobody waits for it.
    Dead,
}

/// So many of these calls have to end well.
#[derive(Clone, Copy, Debug)]
pub(in crate::node) struct Need {
    pub(super) calls: Calls,
    pub(super) least: u8,
}

impl Need {
    /// That one call ends well.
    pub(super) fn of(call: u16) -> Self {
        Self { calls: Calls::one(call), least: 1 }
    }

    /// How many it takes where so many are held for dead by now: all that are left, or
    /// half of them, as it was of all.
    fn least_without(&self, dead: u8) -> u8 {
        match (self.calls.len, self.calls.len - dead) {
            // A single call is for what only that node can do, or for the only copy.
            (all, left) if self.least == all => left,
            (_, left) => self.least.min(left.div_ceil(2)),
        }
    }
}

/// A few of the calls of one turn. A key has no more owners than this, before and after they
/// change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::node) struct Calls {
    numbers: [u16; Self::MOST],
    len: u8,
}

impl Calls {
    const MOST: usize = 2 * crate::limits::COPIES_MAX as usize;

    fn one(call: u16) -> Self {
        let mut calls = Self::default();
        calls.push(call);
        calls
    }

    pub(in crate::node) fn push(&mut self, call: u16) {
        if !self.iter().any(|there| there == call) && (self.len as usize) < Self::MOST {
            self.numbers[self.len as usize] = call;
            self.len += 1;
        }
    }

    pub(in crate::node) fn iter(&self) -> impl Iterator<Item = u16> {
        self.numbers.into_iter().take(self.len.into())
    }

    pub(in crate::node) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The calls of one turn, for whoever waits until enough of them have ended.
#[derive(Debug)]
pub(in crate::node) struct Waiting(Mutex<State>);

#[derive(Debug)]
struct State {
    places: Vec<Place>,
    needs: Vec<Need>,
    waker: Option<Waker>,
    /// Somebody does not want to wait any longer than until then for some of them.
    alarm: Option<Now>,
    is_pause: bool,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    Open,
    Answered(Answer),
    Taken,
}

impl State {
    /// Whether a need is met; unknown as long as it may yet be.
    fn is_met(&self, need: &Need) -> Option<bool> {
        let (mut kept, mut dead, mut open) = (0, 0, false);
        for call in need.calls.iter() {
            match &self.places[usize::from(call)] {
                Place::Answered(Answer::Kept) => kept += 1,
                Place::Answered(Answer::Dead) => dead += 1,
                Place::Answered(_) | Place::Taken => {}
                Place::Open => open = true,
            }
        }
        match kept >= need.least_without(dead) {
            true => Some(true),
            false if open => None,
            false => Some(false),
        }
    }

    fn is_over(&self) -> bool {
        self.needs.iter().all(|need| self.is_met(need).is_some())
    }
}

impl Waiting {
    /// Waits for so many calls, as far as they are needed.
    pub(super) fn new(calls: usize, needs: Vec<Need>) -> Self {
        let places = std::iter::repeat_with(Place::default).take(calls).collect();
        Self(Mutex::new(State { places, needs, waker: None, alarm: None, is_pause: false }))
    }

    /// A call has ended.
    pub(super) fn answer(&self, call: u16, answer: Answer) {
        let mut state = self.state();
        let place = &mut state.places[usize::from(call)];
        if !matches!(place, Place::Open) {
            return;
        }
        *place = Place::Answered(answer);
        let waker = if state.is_over() { state.waker.take() } else { None };
        drop(state);
        wake(waker);
    }

    /// Waits for so many calls, and for each to end well.
    pub(super) fn for_all(calls: usize) -> Self {
        Self::new(calls, (0..calls as u16).map(Need::of).collect())
    }

    /// Waits for nothing but its time.
    pub(in crate::node) fn pause() -> Self {
        let pause = Self::for_all(1);
        pause.state().is_pause = true;
        pause
    }

    /// Whether it waits for nothing but its time.
    pub(super) fn is_pause(&self) -> bool {
        self.state().is_pause
    }

    /// Wakes whoever waits, though not all is over: it was to be over by then.
    pub(super) fn time_is_up(&self, due: Now) {
        let mut state = self.state();
        if state.is_over() {
            return;
        }
        match state.is_pause {
            true => state.places[0] = Place::Taken,
            false => state.alarm = Some(due),
        }
        let waker = state.waker.take();
        drop(state);
        wake(waker);
    }

    /// Whether there is nothing more to wait for. Where there is, the waker is
    /// woken at the end of it.
    pub(in crate::node) fn is_over(&self, waker: &Waker) -> bool {
        let mut state = self.state();
        if state.is_over() {
            return true;
        }
        if !state.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
        false
    }

    pub(in crate::node) fn is_alarmed(&self) -> bool {
        self.state().alarm.is_some()
    }

    /// When it was due, if it was.
    pub(in crate::node) fn take_alarm(&self) -> Option<Now> {
        self.state().alarm.take()
    }

    /// Whether so many of the calls ended well; unknown as long as they may yet.
    pub(in crate::node) fn is_met(&self, calls: Calls, least: u8) -> Option<bool> {
        self.state().is_met(&Need { calls, least })
    }

    /// Whether no call is open any more.
    pub(in crate::node) fn is_over_all(&self) -> bool {
        self.state().is_over()
    }

    /// Whether this call ended well.
    pub(in crate::node) fn is_kept(&self, call: u16) -> bool {
        let place = &self.state().places[usize::from(call)];
        matches!(place, Place::Answered(Answer::Kept))
    }

    /// Whether all calls ended well.
    pub(in crate::node) fn is_met_all(&self) -> bool {
        let state = self.state();
        state.needs.iter().all(|need| state.is_met(need) == Some(true))
    }

    /// How a call ended, if it has. Copies are only looked at: see
    /// [`Waiting::is_met`].
    pub(in crate::node) fn take(&self, call: u16) -> Option<Answer> {
        let place = &mut self.state().places[usize::from(call)];
        match std::mem::take(place) {
            Place::Open => None,
            Place::Answered(answer) => {
                *place = Place::Taken;
                Some(answer)
            }
            Place::Taken => {
                *place = Place::Taken;
                None
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
