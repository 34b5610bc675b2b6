//! A node that is told to leave for good: it is asked to, and says when it has handed over all.

use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Stays,
    Asked,
    Done(Left),
}

/// How a node has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Others own all that it did.
    HandedOver,
    /// There is nobody who could.
    Alone,
    /// It stops before others own all of it.
    NotAll,
}

/// A handle to have a node hand over all that it owns, from anywhere.
#[derive(Clone, Debug)]
pub struct Draining(watch::Sender<State>);

impl Default for Draining {
    fn default() -> Self {
        Self(watch::Sender::new(State::Stays))
    }
}

impl Draining {
    /// Asks for it; returns at once.
    pub fn begin(&self) {
        self.0.send_if_modified(|state| {
            let begins = *state == State::Stays;
            if begins {
                *state = State::Asked;
            }
            begins
        });
    }

    /// Waits until it has left, but no longer than this.
    pub async fn left_within(&self, patience: Duration) -> Option<Left> {
        let mut state = self.0.subscribe();
        let done = state.wait_for(|state| matches!(state, State::Done(_)));
        match *timeout(patience, done).await.ok()?.ok()? {
            State::Done(left) => Some(left),
            State::Stays | State::Asked => None,
        }
    }

    /// Waits until somebody asks for it.
    pub async fn asked(&self) {
        // This is one of those who could ask, so there is always one.
        let _ = self.0.subscribe().wait_for(|state| *state != State::Stays).await;
    }

    /// How it has left, once it has.
    #[must_use]
    pub fn left(&self) -> Option<Left> {
        match *self.0.borrow() {
            State::Done(left) => Some(left),
            State::Stays | State::Asked => None,
        }
    }

    /// The node stops, whether others own all of it or not.
    pub fn give_up(&self) {
        self.end(Left::NotAll);
    }

    /// Whether somebody has asked for it.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        *self.0.borrow() != State::Stays
    }

    pub(super) fn end(&self, left: Left) {
        self.0.send_if_modified(|state| {
            let ends = *state == State::Asked;
            if ends {
                *state = State::Done(left);
            }
            ends
        });
    }
}
