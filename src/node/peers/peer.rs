//! One other node, as this one sees it: the link to it and the calls under way.

use super::calls::{Call, CallTable};
use super::waiting::Answer;
use crate::item::Now;
use crate::net::peers::Link;
use crate::ring::NodeId;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One other node.
#[derive(Debug)]
pub(in crate::node) struct Peer {
    pub(in crate::node) node: NodeId,
    state: Mutex<State>,
    /// The millisecond of its last answer.
    heard_ms: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    link: Option<Arc<Link>>,
    calls: CallTable,
}

/// A call that has ended without success, for whoever has to make good for it.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) slots: Vec<u32>,
}

impl Peer {
    pub(super) fn new(node: NodeId) -> Self {
        Self { node, state: Mutex::default(), heard_ms: AtomicU64::new(0) }
    }

    /// Sends what `write` writes for a call of this number; in no hurry, where nobody
    /// waits for its answer.
    pub(super) fn call(
        &self,
        call: Call,
        hurry: bool,
        write: impl FnOnce(u32, &mut Vec<u8>),
    ) -> Result<(), Failed> {
        let mut state = self.state();
        let Some(link) = state.link.clone() else {
            drop(state);
            return Err(unsent(call));
        };
        let number = match state.calls.begin(call) {
            Ok(number) => number,
            Err(call) => {
                drop(state);
                return Err(unsent(call));
            }
        };
        // Within the lock: an answer cannot come before the call is known, and
        // calls go out in the order of their numbers.
        let frame = |frame: &mut Vec<u8>| write(number, frame);
        let sent = if hurry { link.send(frame) } else { link.send_later(frame) };
        if sent.is_ok() {
            return Ok(());
        }
        let call = state.calls.end(number);
        drop(state);
        call.map_or(Ok(()), |call| Err(unsent(call)))
    }

    /// Sends what nobody answers. Where there is no link, or no room, it is lost.
    pub(super) fn say(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let link = self.state().link.clone();
        let _ = link.map(|link| link.send(write));
    }

    /// Whether it has not answered anything for so long. Who answers others has much
    /// to do, and asking more of it, and of others, would help nobody.
    pub(in crate::node) fn is_slow(&self, now: Now, ms: u64) -> bool {
        now.unix_ms() >= self.heard_ms.load(Ordering::Relaxed).saturating_add(ms)
    }

    /// The call of this number has ended.
    pub(super) fn answered(&self, number: u32, answer: Answer, now: Now) -> Result<(), Failed> {
        self.heard_ms.store(now.unix_ms(), Ordering::Relaxed);
        let call = self.state().calls.end(number);
        // One that was given up before has no more to say.
        let Some(call) = call else { return Ok(()) };
        let refused = answer == Answer::Refused;
        call.end(answer);
        if refused { Err(Failed { slots: call.slots }) } else { Ok(()) }
    }

    /// There is a link now, perhaps in place of another.
    pub(super) fn linked(&self, link: &Arc<Link>) -> Vec<Failed> {
        self.replace(Some(Arc::clone(link)))
    }

    /// This link is gone; if there is another by now, that one stays.
    pub(super) fn unlinked(&self, link: &Arc<Link>) -> Vec<Failed> {
        let is_current =
            self.state().link.as_ref().is_some_and(|current| Arc::ptr_eq(current, link));
        if is_current { self.replace(None) } else { Vec::new() }
    }

    /// The node is down: nobody waits for it any more.
    pub(super) fn give_up(&self) -> Vec<Failed> {
        let calls = self.state().calls.all();
        calls.into_iter().map(|call| failed(call, Answer::Dead)).collect()
    }

    /// Ends the calls whose deadline is over, and sends what waited for company.
    pub(super) fn tick(&self, now: Now) -> Vec<Failed> {
        let mut state = self.state();
        let (calls, link) = (state.calls.overdue(now), state.link.clone());
        drop(state);
        if let Some(link) = link {
            link.announce();
        }
        calls.into_iter().map(lost).collect()
    }

    pub(in crate::node) fn is_linked(&self) -> bool {
        self.state().link.is_some()
    }

    /// Calls under way.
    pub(in crate::node) fn calls(&self) -> usize {
        self.state().calls.len()
    }

    fn replace(&self, link: Option<Arc<Link>>) -> Vec<Failed> {
        let mut state = self.state();
        state.link = link;
        let calls = state.calls.all();
        drop(state);
        calls.into_iter().map(lost).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unsent(call: Call) -> Failed {
    failed(call, Answer::Unsent)
}

fn lost(call: Call) -> Failed {
    failed(call, Answer::Lost)
}

fn failed(call: Call, how: Answer) -> Failed {
    call.end(how);
    Failed { slots: call.slots }
}
