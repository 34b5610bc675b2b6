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
    Done,
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

    /// Waits until others own all that it did, but no longer than this. Whether they do.
    pub async fn is_done_within(&self, patience: Duration) -> bool {
        let mut state = self.0.subscribe();
        let done = timeout(patience, state.wait_for(|state| *state == State::Done)).await;
        done.is_ok_and(|done| done.is_ok())
    }

    pub(super) fn is_asked(&self) -> bool {
        *self.0.borrow() != State::Stays
    }

    pub(super) fn end(&self) {
        self.0.send_if_modified(|state| {
            let ends = *state == State::Asked;
            if ends {
                *state = State::Done;
            }
            ends
        });
    }
}
