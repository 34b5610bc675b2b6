//! What a pass over the memory has sent, as long as it is under way.

use super::moves::Became;
use super::{Answer, Sent};
use crate::limits::BULK_WINDOW_BYTES;
use crate::ring::NodeId;
use std::collections::VecDeque;
use std::task::Waker;

/// Messages of a pass that are under way, and the bytes of each.
#[derive(Debug, Default)]
pub(super) struct Batches(VecDeque<(Sent, usize)>);

impl Batches {
    pub(super) fn push(&mut self, sent: Sent, bytes: usize) {
        self.0.push_back((sent, bytes));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether as much is under way as may be.
    pub(super) fn are_full(&self) -> bool {
        self.0.iter().map(|(_, bytes)| bytes).sum::<usize>() >= BULK_WINDOW_BYTES
    }

    /// Takes out what has ended, and says who has refused something or has not answered.
    pub(super) fn reap(&mut self, waker: &Waker) -> Vec<(NodeId, Became)> {
        let mut failed = Vec::new();
        while self.0.front().is_some_and(|(sent, _)| sent.waiting.is_over(waker)) {
            let Some((sent, _)) = self.0.pop_front() else { break };
            for (call, to) in sent.receivers() {
                match sent.waiting.take(call) {
                    Some(Answer::Kept) => {}
                    Some(Answer::Refused) => failed.push((to, Became::Refused)),
                    _ => failed.push((to, Became::Lost)),
                }
            }
        }
        failed
    }
}
