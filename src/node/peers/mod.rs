//! The other nodes: who executes for which key, what is sent to whom, and what
//! becomes of it. Moves no bytes and keeps no clock: frames come in and go out
//! through links, and the time is passed in.

mod alarms;
mod audit;
mod batches;
mod breaker;
mod calls;
mod comparing;
mod differing;
mod dirty;
mod evening;
mod executor;
mod listing;
mod misses;
mod move_rate;
mod mover;
mod moves;
mod overview;
mod pace;
mod peer;
mod promises;
mod reach;
mod repair;
mod replies;
mod settling;
mod succession;
mod throttle;
mod turn;
mod waited;
mod waiting;
mod wanted;

pub(super) use audit::{Audit, Audited};
pub(super) use breaker::Breakers;
pub(super) use comparing::Digests;
pub(super) use dirty::{Dirty, Slots};
pub(super) use executor::{Executor, FilledBy, NoMessage, Word};
pub(super) use misses::Misses;
pub use move_rate::MoveLimit;
pub(super) use mover::{BulkLinks, Mover, NoBulkLinks, Rest};
pub use moves::{Moves, Progress};
pub(super) use overview::Overview;
pub(super) use peer::Peer;
pub(super) use promises::{Promised, Promises};
pub(super) use reach::OutOfReach;
pub(super) use repair::Repair;
pub(super) use replies::Replies;
pub(super) use settling::{Settling, Turns};
pub(super) use succession::{Ended, SomeSlots, Succession};
pub(super) use turn::{AskedAt, Sending, Turn};
pub(super) use waiting::{Answer, Calls, Waiting};
pub(super) use wanted::{Kind, Wanted};

use super::draining::Draining;
use super::others::plain;
use super::refusals::Remarks;
use crate::cluster::{Card, View};
use crate::item::{Copied, CopiedBody, Expiry, Now, Standing, Version};
use crate::limits::{BREAKER_FAILURES, TOMBSTONE_S};
use crate::net::peers::Link;
use crate::ring::{KeyHash, NodeId};
use crate::store::Found;
use crate::wire::{
    BULK_LANE, Compare, Filled, Flush, Follow, Item, Message, Promise, Relay, Relayed, Say,
};
use alarms::Alarms;
use calls::Call;
use comparing::Compares;
use overview::Overviews;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;
use turn::What;
use waited::Waited;

/// How many owners of a key, of those who are live, have to have a write before
/// it is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriteAck {
    /// The primary alone.
    One,
    /// More than half.
    #[default]
    Quorum,
    /// All.
    All,
}

impl fmt::Display for WriteAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One => "one",
            Self::Quorum => "quorum",
            Self::All => "all",
        })
    }
}

impl WriteAck {
    /// Of so many live owners beside the primary, how many.
    fn of_others(self, others: usize) -> u8 {
        match self {
            Self::One => 0,
            Self::Quorum => others.div_ceil(2) as u8,
            Self::All => others as u8,
        }
    }

    /// Of so many live owners beside the primary, how many have to answer a read in
    /// its place: one of them has what was acknowledged.
    pub(super) fn of_readers(self, others: usize) -> u8 {
        match self {
            // Perhaps none has it.
            Self::One => 1,
            Self::Quorum | Self::All => (others as u8 + 1).saturating_sub(self.of_others(others)),
        }
    }
}

/// How long a call may take before nobody waits for it any more: long enough for
/// a dead primary to be found dead, so that whoever tries again after it meets
/// the next one.
const CALL_MS: u64 = 5000;

/// A turn stamps what it writes, and sends it, within this.
const TURN_MS: u64 = 1000;

/// A node whose clock has not ticked for so long may be held for dead.
const STANDSTILL_MS: u64 = 1000;

/// The other nodes, as this one sees them.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) me: NodeId,
    pub(super) write_ack: WriteAck,
    pub(super) dirty: Dirty,
    pub(super) moves: Moves,
    pub(super) waited: Waited,
    pub(super) compares: Compares,
    /// Of these the next primary does not execute yet, after the death of another.
    pub(super) held_back: SomeSlots,
    /// Of these something may be missing that one who died has acknowledged.
    pub(super) lacking: SomeSlots,
    pub(super) promised: Promised,
    pub(super) turns: Turns,
    /// This node leaves or steps back, and executes no more.
    leaves: AtomicBool,
    /// It is to leave for good.
    pub(super) draining: Draining,
    pub(super) out_of_reach: OutOfReach,
    /// This node sees too few that serve, and takes no writes.
    pub(super) few: AtomicBool,
    pub(super) breakers: Breakers,
    /// Where to say that one opens, or closes.
    pub(super) remarks: OnceLock<Arc<Remarks>>,
    /// Of this node.
    lanes: usize,
    peers: RwLock<BTreeMap<NodeId, Arc<Peer>>>,
    pub(super) alarms: Alarms,
    /// Where clients reach the nodes that serve.
    roster: Mutex<Roster>,
    overviews: Overviews,
    /// The others know that all up to this version is gone.
    floor_known: AtomicU64,
    /// The millisecond of the last tick, and of the last that came much too late.
    ticked_ms: AtomicU64,
    woke_ms: AtomicU64,
    /// The millisecond in which it was last seen that this node lacked room.
    lacked_room_ms: AtomicU64,
}

/// Which card of a node: one that was said later in a life, or in a later life, is
/// greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Said {
    pub(super) generation: u64,
    pub(super) sequence: u64,
}

impl Said {
    pub(super) fn of(card: &Card) -> Self {
        Self { generation: card.generation, sequence: card.sequence }
    }
}

/// Where clients reach the nodes that serve, for those who ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Roster {
    /// Greater than that of what was said before.
    pub(super) version: u32,
    /// Host and port of each.
    pub(super) addresses: Vec<Box<str>>,
}

impl Roster {
    /// The version of what is told from this second on: seconds since the beginning
    /// of 2020, so that they fit into 31 bits for long.
    pub(super) fn version_of(unix_s: u32) -> u32 {
        unix_s.saturating_sub(1_577_836_800)
    }
}

/// A turn whose calls are under way.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) waiting: Arc<Waiting>,
    pub(super) at: Now,
    /// What was sent, for whoever has to send it again.
    pub(super) sendings: Vec<Sending>,
}

impl Sent {
    pub(super) fn nothing(now: Now) -> Self {
        Self::waits_for(Arc::new(Waiting::new(0, Vec::new())), now)
    }

    /// Nothing sent, that is over when this is.
    pub(super) fn waits_for(waiting: Arc<Waiting>, now: Now) -> Self {
        Self { waiting, at: now, sendings: Vec::new() }
    }

    /// Nobody sends it again: its memory is free for what is sent next.
    fn forget_bytes(&mut self) {
        self.sendings.iter_mut().for_each(Sending::forget_bytes);
    }

    /// To whom each of the calls went.
    fn receivers(&self) -> impl Iterator<Item = (u16, NodeId)> {
        (0..).zip(self.sendings.iter().map(|sending| sending.to))
    }

    /// Over when its time is up.
    pub(super) fn pause(now: Now) -> Self {
        Self::waits_for(Arc::new(Waiting::pause()), now)
    }

    /// To whom reads went that others can answer too.
    pub(super) fn readers(&self) -> impl Iterator<Item = NodeId> {
        self.sendings.iter().filter(|sending| sending.only_reads()).map(|sending| sending.to)
    }
}

/// An item in the words of the store.
fn copied<'a>(item: &Item<'a>) -> Copied<'a> {
    let body = item.body.map(|body| CopiedBody {
        flags: body.flags,
        cas: body.cas,
        standing: Standing { stale: body.stale, won: body.won },
        value: body.value,
    });
    Copied { version: Version(item.version), expiry: Expiry::from_word(item.expiry_s), body }
}

impl Cluster {
    /// Of this node, whose requests are executed by so many threads, that of the other
    /// nodes and the mover's among them, who is the last; each has a lane.
    pub(super) fn new(me: NodeId, write_ack: WriteAck, slots: u32, threads: usize) -> Self {
        Self {
            me,
            write_ack,
            turns: Turns::new(threads),
            leaves: AtomicBool::new(false),
            draining: Draining::default(),
            out_of_reach: OutOfReach::default(),
            few: AtomicBool::new(false),
            lanes: threads.saturating_sub(1),
            dirty: Dirty::new(slots),
            moves: Moves::default(),
            waited: Waited::default(),
            compares: Compares::default(),
            held_back: SomeSlots::none(slots),
            lacking: SomeSlots::none(slots),
            promised: Promised::default(),
            breakers: Breakers::default(),
            remarks: OnceLock::new(),
            peers: RwLock::default(),
            alarms: Alarms::default(),
            roster: Mutex::default(),
            overviews: Overviews::default(),
            floor_known: AtomicU64::new(0),
            ticked_ms: AtomicU64::new(0),
            woke_ms: AtomicU64::new(0),
            lacked_room_ms: AtomicU64::new(0),
        }
    }

    /// Copies an item that was written here to its other owners, in so far as
    /// they are live; says how many of them have to acknowledge it.
    pub(super) fn copy(
        &self,
        turn: &mut Turn,
        view: &View,
        hash: KeyHash,
        key: &[u8],
        found: &Found<'_>,
    ) -> u8 {
        let slot = view.slot(hash);
        let (now, to_be) = view.writers(hash);
        let mut others = 0;
        for owner in now {
            let node = view.node(owner);
            if node == self.me {
                continue;
            }
            if view.is_live(owner) {
                turn.keep(node, slot, key, found);
                others += 1;
            } else {
                self.dirty.miss(node, [slot]);
            }
        }
        let needs_all = view.needs_all(hash);
        for owner in to_be.iter().filter(|&owner| !now.contains(owner) && view.is_live(owner)) {
            let node = view.node(owner);
            if node == self.me {
                continue;
            }
            if needs_all {
                turn.keep(node, slot, key, found);
                others += 1;
            } else {
                turn.keep_beside(node, slot, key, found);
            }
        }
        if needs_all { others as u8 } else { self.write_ack.of_others(others) }
    }

    /// Sends all that a turn has gathered, by a lane. What was written up to `floor` is gone.
    pub(super) fn send(&self, lane: usize, turn: Turn, floor: Version, now: Now) -> Sent {
        let (brings, offers) = (turn.brings(), turn.offers());
        let (sendings, needs) = turn.into_parts();
        let hurry = !needs.is_empty();
        let waiting = Arc::new(Waiting::new(sendings.len(), needs));
        for (number, sending) in sendings.iter().enumerate() {
            let call = Call {
                // Where nothing is needed nobody asks how it ended.
                waits: hurry.then(|| (Arc::clone(&waiting), number as u16)),
                slots: if offers { Vec::new() } else { sending.slots() },
                brings,
                asks: matches!(sending.what, What::Ask { .. }),
                deadline: now.after_ms(CALL_MS),
            };
            // Copies that nobody waits for.
            let hurry = hurry || !matches!(sending.what, What::Keep(_));
            self.call(lane, sending, floor, call, hurry);
        }
        Sent { waiting, at: now, sendings }
    }

    fn call(&self, lane: usize, sending: &Sending, floor: Version, call: Call, hurry: bool) {
        let Some(peer) = self.peer(sending.to) else {
            return self.make_good(sending.to, peer::failed(call, Answer::Unsent));
        };
        let sent = peer.call(lane, call, hurry, |call, frame| {
            let message = match &sending.what {
                What::Ask { executor, .. } => Message::Ask(crate::wire::Ask {
                    call,
                    executor: *executor,
                    requests: sending.requests(),
                }),
                What::Keep(_) => {
                    let (floor, items) = (floor.0, sending.items());
                    Message::Keep(crate::wire::Keep { call, floor, items })
                }
            };
            message.encode(frame);
        });
        if let Err(failed) = sent {
            self.make_good(sending.to, failed);
        }
    }

    /// An answer to one of this node's calls.
    pub(super) fn answered(&self, link: &Link, call: u32, answer: Answer, now: Now) {
        let Some(peer) = self.peer(link.node()) else { return };
        self.close_breaker(link.node(), "it answers");
        if let Err(failed) = peer.answered(link, call, answer, now) {
            self.make_good(link.node(), failed);
        }
    }

    /// Part of what a node answers came: it is neither slow nor silent.
    pub(super) fn hears(&self, link: &Link, now: Now) {
        if let Some(peer) = self.peer(link.node()) {
            peer.hears(link, now);
        }
    }

    pub(super) fn linked(&self, link: &Arc<Link>) {
        let node = link.node();
        let peer = Arc::clone(
            self.peers
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(node)
                .or_insert_with(|| Arc::new(Peer::new(node, self.lanes))),
        );
        self.close_breaker(node, "it was linked anew");
        self.failed(node, peer.linked(link));
        if link.lane() == BULK_LANE {
            self.moves.ring();
        }
    }

    pub(super) fn unlinked(&self, link: &Arc<Link>) {
        if let Some(peer) = self.peer(link.node()) {
            self.failed(peer.node, peer.unlinked(link));
        }
    }

    /// A node is held for dead: nobody waits for it.
    pub(super) fn down(&self, node: NodeId) {
        self.close_breaker(node, "it is held for dead");
        if let Some(peer) = self.peer(node) {
            self.failed(node, peer.give_up());
        }
    }

    /// A node did not answer in time: after some of them no reads are sent to it.
    pub(super) fn not_answered(&self, node: NodeId, now: Now) {
        if self.breakers.failed(node, now) {
            let cause = format!("{BREAKER_FAILURES} in a row were not answered");
            self.tell_breaker(node, "open", &cause);
        }
    }

    fn close_breaker(&self, node: NodeId, cause: &str) {
        if self.breakers.clear(node) {
            self.tell_breaker(node, "closed", cause);
        }
    }

    fn tell_breaker(&self, node: NodeId, what: &str, cause: &str) {
        let Some(remarks) = self.remarks.get() else { return };
        let overview = self.overview();
        let card = overview.members.current_card(node);
        let name = plain(card.map_or("unknown", |card| &card.name));
        remarks.say(format!("breaker node={name} id={node} what={what} cause=\"{cause}\""));
    }

    /// The node is no more.
    pub(super) fn forget(&self, node: NodeId) {
        self.down(node);
        self.peers.write().unwrap_or_else(PoisonError::into_inner).remove(&node);
        self.dirty.forget(node);
    }

    /// Tells a node that it has all that this one had for it by this ring when it said this
    /// of itself, what is flushed, what this one says of itself, and who is there.
    /// Whether that went out.
    pub(super) fn tell_filled(&self, node: NodeId, said: Said, ring: u64, floor: Version) -> bool {
        let Said { generation, sequence } = said;
        let overview = self.overview();
        let live = overview.members.iter().filter(|(_, member)| member.is_live());
        let live = live.filter(|&(other, member)| other != node && member.belongs());
        let live: Vec<u8> = live.flat_map(|(other, _)| other.0.to_le_bytes()).collect();
        let own_sequence = overview.card.as_ref().map_or(0, |card| card.sequence);
        let floor = floor.0;
        let filled = Filled { floor, generation, sequence, ring, own_sequence, live: &live };
        let peer = self.peer(node);
        peer.is_some_and(|peer| peer.say(|frame| Message::Filled(filled).encode(frame)))
    }

    /// Tells a node that all of the last writes of one that died is sent that is here, or that
    /// it will be; and what is flushed.
    fn tell_relayed(&self, to: NodeId, ended: Ended, is_all: bool, floor: Version) {
        let Ended { node, generation } = ended;
        let relayed = Relayed { floor: floor.0, node: node.0, generation, is_all };
        if let Some(peer) = self.peer(to) {
            peer.say(|frame| Message::Relayed(relayed).encode(frame));
        }
    }

    /// Asks a node for what it has of the last writes of one that died.
    fn ask_relay(&self, of: NodeId, Ended { node, generation }: Ended) {
        let relay = Relay { node: node.0, generation };
        if let Some(peer) = self.peer(of) {
            peer.say(|frame| Message::Relay(relay).encode(frame));
        }
    }

    /// Tells all these nodes this card; over when they act by it.
    pub(super) fn say(&self, card: &[u8], to: &[NodeId], now: Now) -> Arc<Waiting> {
        self.call_all(to, now, |call, frame| Message::Say(Say { call, card }).encode(frame))
    }

    /// Tells a node to go by these rings; over when it does, and has done what the step
    /// asks for.
    pub(super) fn tell_rings(&self, rings: &[u8], to: NodeId, now: Now) -> Arc<Waiting> {
        self.call_all(&[to], now, |call, frame| {
            Message::Follow(Follow { call: Some(call), rings }).encode(frame);
        })
    }

    /// Asks a node for its digests of these slots; over when it has told them.
    fn ask_digests(&self, slots: &[u32], of: NodeId, now: Now) -> Arc<Waiting> {
        let slots: Vec<u8> = slots.iter().flat_map(|slot| slot.to_le_bytes()).collect();
        self.call_all(&[of], now, |call, frame| {
            Message::Compare(Compare { call, slots: &slots }).encode(frame);
        })
    }

    /// Asks a node not to take this one's place for so long; over when it has
    /// promised it. All that was missed up to `told` was told to it.
    pub(super) fn ask_promise(
        &self,
        node: NodeId,
        term_ms: u32,
        told: Now,
        now: Now,
    ) -> Arc<Waiting> {
        // What is younger may be under way, or in a turn that has not sent it yet.
        let open_since_ms = told.unix_ms().saturating_sub(CALL_MS + TURN_MS);
        self.call_all(&[node], now, |call, frame| {
            Message::Promise(Promise { call, term_ms, open_since_ms }).encode(frame);
        })
    }

    /// Tells all these nodes what is flushed; over when they act by it.
    pub(super) fn tell_floor(&self, floor: Version, to: &[NodeId], now: Now) -> Arc<Waiting> {
        self.knows_floor(floor);
        let floor = floor.0;
        self.call_all(to, now, |call, frame| Message::Flush(Flush { call, floor }).encode(frame))
    }

    /// The others know, or are being told, that all up to this version is gone.
    pub(super) fn knows_floor(&self, floor: Version) {
        self.floor_known.fetch_max(floor.0, Ordering::AcqRel);
    }

    /// Whether they are still to be told.
    pub(super) fn is_unknown(&self, floor: Version) -> bool {
        floor.0 > self.floor_known.load(Ordering::Acquire)
    }

    /// A call to each of these nodes by the first link; over when all have ended.
    fn call_all(&self, to: &[NodeId], now: Now, write: impl Fn(u32, &mut Vec<u8>)) -> Arc<Waiting> {
        let waiting = Arc::new(Waiting::for_all(to.len()));
        for (number, &node) in to.iter().enumerate() {
            let call = Call {
                waits: Some((Arc::clone(&waiting), number as u16)),
                slots: Vec::new(),
                brings: false,
                asks: false,
                deadline: now.after_ms(CALL_MS),
            };
            match self.peer(node) {
                // Whoever waits is told where it fails.
                Some(peer) => drop(peer.call(0, call, true, &write)),
                None => call.end(Answer::Unsent),
            }
        }
        waiting
    }

    /// What clients are told of the nodes from now on.
    pub(super) fn set_roster(&self, roster: Roster) {
        *self.roster.lock().unwrap_or_else(PoisonError::into_inner) = roster;
    }

    pub(super) fn roster(&self) -> Roster {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What this node knows of the cluster from now on.
    pub(super) fn set_overview(&self, overview: Overview) {
        self.overviews.set(overview);
    }

    pub(super) fn overview(&self) -> Arc<Overview> {
        self.overviews.last()
    }

    /// See [`Overviews::wait_until_serving`].
    pub(super) fn wait_until_serving(&self, patience: Duration) -> Arc<Overview> {
        self.overviews.wait_until_serving(patience)
    }

    /// Whether this node has not stood still. One that has may be held for dead,
    /// and is not to execute before it knows: nobody is held for dead as fast as
    /// this.
    pub(super) fn keeps_time(&self, now: Now) -> bool {
        let ticked = self.ticked_ms.load(Ordering::Acquire);
        ticked == 0 || now.unix_ms().saturating_sub(ticked) < STANDSTILL_MS
    }

    /// When it last went on after it had stood still.
    pub(super) fn woke_at(&self, now: Now) -> Now {
        match self.keeps_time(now) {
            true => Now::from_unix_ms(self.woke_ms.load(Ordering::Acquire)),
            false => now,
        }
    }

    /// Whether this node lacked room lately, or does so now.
    pub(super) fn evicts(&self, lacks_room: bool, now: Now) -> bool {
        if lacks_room {
            self.lacked_room_ms.fetch_max(now.unix_ms(), Ordering::Relaxed);
        }
        let last = self.lacked_room_ms.load(Ordering::Relaxed);
        now.unix_ms() < last + u64::from(TOMBSTONE_S) * 1000
    }

    /// This node leaves: others take its place as soon as they hear of it.
    pub(super) fn leave(&self) {
        self.leaves.store(true, Ordering::SeqCst);
    }

    /// It does not leave after all, but only joins anew.
    pub(super) fn stay(&self) {
        self.leaves.store(false, Ordering::SeqCst);
    }

    /// Whether nobody can have taken this node's place, for all it knows of itself: it has
    /// not stood still, and executes on.
    #[inline]
    pub(super) fn keeps_up(&self, now: Now) -> bool {
        self.stays() && self.keeps_time(now)
    }

    /// Whether it has not begun to leave.
    pub(super) fn stays(&self) -> bool {
        !self.leaves.load(Ordering::SeqCst)
    }

    /// Whether nobody waits for an answer, or for a time.
    pub(super) fn rests(&self) -> bool {
        self.alarms.rest() && self.peers().iter().all(|peer| peer.calls() == 0)
    }

    /// Ends what is overdue.
    pub(super) fn tick(&self, now: Now) {
        if !self.keeps_time(now) {
            self.woke_ms.store(now.unix_ms(), Ordering::Release);
        }
        self.ticked_ms.store(now.unix_ms(), Ordering::Release);
        self.alarms.ring(now);
        for peer in self.peers() {
            let overdue = peer.tick(now);
            if !overdue.is_empty() {
                self.not_answered(peer.node, now);
            }
            self.failed(peer.node, overdue);
        }
    }

    pub(super) fn peers(&self) -> Vec<Arc<Peer>> {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        peers.values().cloned().collect()
    }

    pub(super) fn peer(&self, node: NodeId) -> Option<Arc<Peer>> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner).get(&node).cloned()
    }

    pub(super) fn is_linked(&self, node: NodeId) -> bool {
        self.peer(node).is_some_and(|peer| peer.is_linked())
    }

    /// Where a node takes what is moved in bulk, and which life of it.
    fn bulk_address(&self, node: NodeId) -> Option<(SocketAddr, u64)> {
        self.peer(node)?.bulk_address()
    }

    fn has_bulk_link(&self, node: NodeId) -> bool {
        self.peer(node).is_some_and(|peer| peer.has_bulk_link())
    }

    fn failed(&self, node: NodeId, failed: Vec<peer::Failed>) {
        for failed in failed {
            self.make_good(node, failed);
        }
    }

    /// Remembers what did not get to a node.
    fn make_good(&self, node: NodeId, failed: peer::Failed) {
        match failed.brought {
            // It is known already whether anybody is missing it.
            true => self.dirty.mark(node, failed.slots),
            false => self.dirty.miss(node, failed.slots),
        }
    }
}
