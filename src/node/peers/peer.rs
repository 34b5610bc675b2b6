//! One other node, as this one sees it: the links to it and the calls under way.

use super::CALL_MS;
use super::calls::{Call, CallTable};
use super::pace::Pace;
use super::waiting::Answer;
use crate::item::Now;
use crate::net::peers::Link;
use crate::ring::NodeId;
use crate::wire::BULK_LANE;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One other node.
#[derive(Debug)]
pub(in crate::node) struct Peer {
    pub(in crate::node) node: NodeId,
    /// One for each lane of this node, by its number, and one for what is moved in bulk.
    paths: Box<[Way]>,
    pace: Pace,
    /// Microseconds that a packet and its answer take, as measured lately.
    round_trip_us: AtomicU64,
    measured_ms: AtomicU64,
}

/// So often it is looked how long a packet and its answer take.
const MEASURE_MS: u64 = 200;

/// A path, and what is to be known of it without its lock.
#[derive(Debug)]
struct Way {
    path: Mutex<Path>,
    /// See [`Path::waits_since_ms`].
    waits_since_ms: AtomicU64,
}

/// A path that is locked; what others know of it is told them at the end.
struct Locked<'a> {
    path: MutexGuard<'a, Path>,
    waits_since_ms: &'a AtomicU64,
}

/// What is under way by one link.
#[derive(Debug, Default)]
struct Path {
    link: Option<Arc<Link>>,
    calls: CallTable,
    /// The millisecond of the first call since there was none under way.
    asked_ms: u64,
    /// The millisecond of the last answer.
    heard_ms: u64,
}

impl Path {
    /// Whether nothing was answered for so long.
    fn is_slow(&self, now: Now, ms: u64) -> bool {
        now.unix_ms() >= self.heard_ms.saturating_add(ms)
    }

    /// Since when calls are under way and nothing is answered; the end of time where
    /// there are none.
    fn waits_since_ms(&self) -> u64 {
        match self.calls.len() {
            0 => u64::MAX,
            _ => self.asked_ms.max(self.heard_ms),
        }
    }
}

impl Default for Way {
    fn default() -> Self {
        let path = Path::default();
        Self { waits_since_ms: AtomicU64::new(path.waits_since_ms()), path: Mutex::new(path) }
    }
}

impl Deref for Locked<'_> {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Path {
        &mut self.path
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.waits_since_ms.store(self.path.waits_since_ms(), Ordering::Relaxed);
    }
}

/// A call that has ended without success, for whoever has to make good for it.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) slots: Vec<u32>,
    /// See [`Call::brings`].
    pub(super) brought: bool,
}

impl Peer {
    pub(super) fn new(node: NodeId, lanes: usize) -> Self {
        let paths = std::iter::repeat_with(Way::default).take(lanes.max(1) + 1).collect();
        let (round_trip_us, measured_ms) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { node, paths, pace: Pace::unknown(), round_trip_us, measured_ms }
    }

    /// Sends what `write` writes for a call of this number by a lane's link, or by the
    /// first one where that lane has none; in no hurry, where nobody waits for its
    /// answer.
    pub(super) fn call(
        &self,
        lane: usize,
        call: Call,
        hurry: bool,
        write: impl FnOnce(u32, &mut Vec<u8>),
    ) -> Result<(), Failed> {
        let mut path = self.linked_path(lane);
        let Some(link) = path.link.clone() else {
            drop(path);
            return Err(unsent(call));
        };
        if path.calls.len() == 0 {
            path.asked_ms = begun_ms(&call);
        }
        let number = match path.calls.begin(call) {
            Ok(number) => number,
            Err(call) => {
                drop(path);
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
        let call = path.calls.end(number);
        drop(path);
        call.map_or(Ok(()), |call| Err(unsent(call)))
    }

    /// Sends what nobody answers. Where there is no link, or no room, it is lost; whether
    /// it went out.
    pub(super) fn say(&self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let link = self.first().link.clone();
        link.is_some_and(|link| link.send(write).is_ok())
    }

    /// Whether it has not answered anything by this lane for so long. Who answers others
    /// has much to do, and asking more of it, and of others, would help nobody.
    pub(in crate::node) fn is_slow(&self, lane: usize, now: Now, ms: u64) -> bool {
        self.linked_path(lane).is_slow(now, ms)
    }

    /// Whether it has left calls without any answer for longer than it is waited for.
    /// Whoever was asked nothing is not silent.
    pub(in crate::node) fn is_silent(&self, now: Now) -> bool {
        let lanes = &self.paths[..self.paths.len() - 1];
        let since_ms = lanes.iter().map(|way| way.waits_since_ms.load(Ordering::Relaxed));
        let since_ms = since_ms.min().unwrap_or(u64::MAX);
        now.unix_ms() >= since_ms.saturating_add(self.patience_ms())
    }

    /// An answer of it is waited for so long until others are asked.
    pub(in crate::node) fn patience_ms(&self) -> u64 {
        self.pace.patience_ms()
    }

    /// How long a packet and its answer take; zero where that is not known.
    pub(in crate::node) fn round_trip(&self) -> Duration {
        Duration::from_micros(self.round_trip_us.load(Ordering::Relaxed))
    }

    /// Something comes by this link.
    pub(super) fn hears(&self, link: &Link, now: Now) {
        if let Some(mut path) = self.path(link) {
            path.heard_ms = now.unix_ms();
        }
    }

    /// The call of this number has ended, as is said by this link.
    pub(super) fn answered(
        &self,
        link: &Link,
        number: u32,
        answer: Answer,
        now: Now,
    ) -> Result<(), Failed> {
        let call = self.path(link).and_then(|mut path| {
            path.heard_ms = now.unix_ms();
            path.calls.end(number)
        });
        // One that was given up before has no more to say.
        let Some(call) = call else { return Ok(()) };
        self.pace.note(now.unix_ms().saturating_sub(begun_ms(&call)), now);
        match answer {
            Answer::Refused => Err(failed(call, answer)),
            answer => {
                call.end(answer);
                Ok(())
            }
        }
    }

    /// There is a link now, perhaps in place of another.
    pub(super) fn linked(&self, link: &Arc<Link>) -> Vec<Failed> {
        let path = self.path(link);
        path.map_or_else(Vec::new, |path| relink(path, Some(Arc::clone(link))))
    }

    /// This link is gone; if there is another by now, that one stays.
    pub(super) fn unlinked(&self, link: &Arc<Link>) -> Vec<Failed> {
        let is_current = |path: &Locked<'_>| {
            path.link.as_ref().is_some_and(|current| Arc::ptr_eq(current, link))
        };
        let path = self.path(link).filter(is_current);
        path.map_or_else(Vec::new, |path| relink(path, None))
    }

    /// The node is down: nobody waits for it any more.
    pub(super) fn give_up(&self) -> Vec<Failed> {
        let calls: Vec<Call> = self.paths().flat_map(|mut path| path.calls.all()).collect();
        calls.into_iter().map(|call| failed(call, Answer::Dead)).collect()
    }

    /// Looks how long a packet and its answer take by one of the links: not often, for
    /// that is behind a lock.
    fn measure(&self, link: &Link, now: Now) {
        let now_ms = now.unix_ms();
        if now_ms >= self.measured_ms.load(Ordering::Relaxed).saturating_add(MEASURE_MS) {
            let round_trip_us = link.round_trip().as_micros() as u64;
            self.round_trip_us.store(round_trip_us, Ordering::Relaxed);
            self.measured_ms.store(now_ms, Ordering::Relaxed);
        }
    }

    /// Ends the calls whose deadline is over, and sends what waited for company.
    pub(super) fn tick(&self, now: Now) -> Vec<Failed> {
        let mut overdue = Vec::new();
        for mut path in self.paths() {
            let link = path.link.clone();
            overdue.append(&mut path.calls.overdue(now));
            drop(path);
            if let Some(link) = link {
                link.announce();
                self.measure(&link, now);
            }
        }
        overdue.into_iter().map(lost).collect()
    }

    pub(in crate::node) fn is_linked(&self) -> bool {
        self.first().link.is_some()
    }

    /// How many of this node's lanes have a link of their own to it.
    pub(in crate::node) fn linked_lanes(&self) -> usize {
        self.lanes().skip(1).filter(|path| path.link.is_some()).count()
    }

    /// The calls under way that bring copies of what was just written: their lanes and
    /// numbers.
    pub(super) fn copies_under_way(&self) -> Vec<(usize, u32)> {
        self.under_way(|call| !call.slots.is_empty())
    }

    /// Those, and the ones that ask for something to be executed.
    pub(super) fn work_under_way(&self) -> Vec<(usize, u32)> {
        self.under_way(|call| call.asks || !call.slots.is_empty())
    }

    fn under_way(&self, is_meant: impl Fn(&Call) -> bool) -> Vec<(usize, u32)> {
        let paths = self.lanes().enumerate();
        let meant = |(lane, path): (usize, Locked<'_>)| {
            path.calls.that(&is_meant).map(|number| (lane, number)).collect::<Vec<_>>()
        };
        paths.flat_map(meant).collect()
    }

    pub(super) fn is_under_way(&self, lane: usize, number: u32) -> bool {
        locked(&self.paths[lane]).calls.is_under_way(number)
    }

    /// Calls under way.
    pub(in crate::node) fn calls(&self) -> usize {
        self.paths().map(|path| path.calls.len()).sum()
    }

    /// The path of a link. None where only the other node asks by it: it has more lanes
    /// than this one.
    fn path(&self, link: &Link) -> Option<Locked<'_>> {
        let (bulk, lanes) = self.paths.split_last()?;
        let path = match link.lane() {
            BULK_LANE => Some(bulk),
            lane => lanes.get(usize::from(lane)),
        };
        path.map(locked)
    }

    /// Where it takes what is moved in bulk, and which life of it.
    pub(super) fn bulk_address(&self) -> Option<(SocketAddr, u64)> {
        let link = self.first().link.clone()?;
        Some((link.bulk()?, link.generation()))
    }

    /// Whether there is a link for what is moved in bulk.
    pub(in crate::node) fn has_bulk_link(&self) -> bool {
        self.paths.last().is_some_and(|path| locked(path).link.is_some())
    }

    fn linked_path(&self, lane: usize) -> Locked<'_> {
        let path = self.paths.get(lane).map(locked).filter(|path| path.link.is_some());
        path.unwrap_or_else(|| self.first())
    }

    fn first(&self) -> Locked<'_> {
        locked(&self.paths[0])
    }

    /// All but the one for what is moved in bulk.
    fn lanes(&self) -> impl Iterator<Item = Locked<'_>> {
        self.paths().take(self.paths.len() - 1)
    }

    /// No two are locked at once, as long as each is dropped before the next.
    fn paths(&self) -> impl Iterator<Item = Locked<'_>> {
        self.paths.iter().map(locked)
    }
}

fn locked(way: &Way) -> Locked<'_> {
    let path = way.path.lock().unwrap_or_else(PoisonError::into_inner);
    Locked { path, waits_since_ms: &way.waits_since_ms }
}

/// The millisecond in which a call began.
fn begun_ms(call: &Call) -> u64 {
    call.deadline.unix_ms().saturating_sub(CALL_MS)
}

/// Puts a link in the place of another, with which its calls are lost.
fn relink(mut path: Locked<'_>, link: Option<Arc<Link>>) -> Vec<Failed> {
    path.link = link;
    let calls = path.calls.all();
    drop(path);
    calls.into_iter().map(lost).collect()
}

fn unsent(call: Call) -> Failed {
    failed(call, Answer::Unsent)
}

fn lost(call: Call) -> Failed {
    failed(call, Answer::Lost)
}

pub(super) fn failed(call: Call, how: Answer) -> Failed {
    call.end(how);
    Failed { slots: call.slots, brought: call.brings }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_asked_is_silent() {
        let peer = Peer::new(NodeId(1), 1);
        let at = Now::from_unix_ms;
        let link = Arc::new(Link::detached(NodeId(1), 1, 1 << 20, || {}));
        drop(peer.linked(&link));
        let ask = |now_ms| {
            let deadline = at(now_ms + CALL_MS);
            let call =
                Call { waits: None, slots: Vec::new(), brings: false, asks: false, deadline };
            let mut number = 0;
            peer.call(0, call, true, |begun, _| number = begun).unwrap();
            number
        };
        // It is near.
        let quick = ask(4000);
        peer.answered(&link, quick, Answer::Kept, at(4001)).unwrap();
        assert!(!peer.is_silent(at(5000)), "nobody has asked it");
        let first = ask(5000);
        assert!(!peer.is_silent(at(5024)) && peer.is_silent(at(5025)));
        let second = ask(5030);
        peer.answered(&link, first, Answer::Kept, at(5040)).unwrap();
        assert!(!peer.is_silent(at(5064)) && peer.is_silent(at(5065)), "one is left");
        peer.answered(&link, second, Answer::Kept, at(5070)).unwrap();
        assert!(!peer.is_silent(at(9000)), "it has answered all");
    }
}
