//! `flush_all`: here and on all other nodes. The version up to which all is gone
//! goes to those that are live, and the answer waits until they act by it; those
//! that are away learn it from the cards when they are back.

use super::text::answer;
use super::waits::TOO_FEW;
use super::{Road, Session, Step};
use crate::item::{Expiry, Now, Version};
use crate::memcache::text::{Refusal, reply};
use crate::net::Output;
use crate::node::peers::Waiting;
use crate::ring::NodeId;
use std::sync::Arc;

/// A flush that other nodes are to hear of.
#[derive(Debug)]
pub(super) struct Flushing {
    floor: Version,
    nodes: Vec<NodeId>,
    pub(super) told: Arc<Waiting>,
    /// Not all have heard of it, so they are to be told again.
    pub(super) again: bool,
}

/// What became of a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flush {
    /// It is done here, or will be.
    Done,
    /// It is done here, up to this version, and other nodes are to hear of it.
    Shared(Version),
}

impl Session {
    pub(super) fn flush_all(
        &mut self,
        (delay, noreply): (Option<i32>, bool),
        used: usize,
        now: Now,
        out: &mut Output,
    ) -> Step {
        // What was said before is to be done before.
        if self.road.has_gathered() {
            return Step::Full(0);
        }
        let from = out.bytes().len();
        self.counters().cmd_flush.add(1);
        if !self.shared().settings.flush_enabled {
            answer(noreply, b"CLIENT_ERROR flush_all not allowed\r\n", out);
            return Step::Done(used);
        }
        if self.road.refuses_writes() {
            self.counters().writes_refused.add(1);
            answer(noreply, TOO_FEW, out);
            return Step::Done(used);
        }
        let Some(delay) = delay else {
            answer(noreply, Refusal::BadExptime.reply(), out);
            return Step::Done(used);
        };
        match self.flush(delay, now) {
            Flush::Done => {
                answer(noreply, reply::OK, out);
                Step::Done(used)
            }
            Flush::Shared(floor) => {
                answer(noreply, reply::OK, out);
                self.tell_flush(floor, from, now, out);
                Step::Full(used)
            }
        }
    }

    /// Makes all items unreadable, perhaps later. A delay counts to the end of the
    /// second before it: one second is at once.
    pub(super) fn flush(&mut self, delay: i32, now: Now) -> Flush {
        let at = match Expiry::from_client(delay.into(), now) {
            Expiry::At(second) => Now::from_unix_ms(u64::from(second.saturating_sub(1)) * 1000),
            Expiry::Never => now,
        };
        match self.shared().store.flush(at.max(now), now) {
            Some(floor) if self.road.is_shared() => Flush::Shared(floor),
            _ => Flush::Done,
        }
    }
}

impl Road {
    /// Tells all other nodes that are live of a flush.
    pub(super) fn begin_flush(&self, floor: Version, now: Now) -> Flushing {
        let nodes = self.live_others();
        Flushing { floor, told: self.tell_floor(floor, &nodes, now), nodes, again: false }
    }

    /// Whether all nodes that are live have heard of it; unknown as long as some
    /// may yet.
    pub(super) fn is_flushed(&self, flushing: &mut Flushing) -> Option<bool> {
        if flushing.again {
            // The calls that there are were to more nodes than those that are left.
            flushing.nodes.retain(|&node| self.is_live(node));
            flushing.again = !flushing.nodes.is_empty();
            return Some(!flushing.again);
        }
        if !flushing.told.is_over_all() {
            return None;
        }
        let told = (0..).zip(&flushing.nodes);
        let untold =
            told.filter(|&(call, &node)| !flushing.told.is_kept(call) && self.is_live(node));
        flushing.nodes = untold.map(|(_, &node)| node).collect();
        flushing.again = !flushing.nodes.is_empty();
        Some(!flushing.again)
    }

    /// Tells those once more who have not heard of it.
    pub(super) fn flush_again(&self, flushing: &mut Flushing, now: Now) {
        flushing.again = false;
        flushing.told = self.tell_floor(flushing.floor, &flushing.nodes, now);
    }
}
