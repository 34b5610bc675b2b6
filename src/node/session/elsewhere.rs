//! Requests for keys that another node executes for.
//!
//! A turn of a session goes on past such a request: it is gathered with all
//! others for the same node, and the place of its answer is remembered. At the
//! end of the turn the calls go out together, and when they have ended the
//! answers are put where they belong. A request is forwarded as the client said
//! it, and answered in bytes for the client.

use super::about::{line_of, one_key, reads};
use super::compared::Tally;
use super::said::whole_or_one;
use super::waits::{
    Again, Kind, Part, Source, Waits, too_few, unacknowledged, unacknowledged_quiet, unanswered,
    unowned, unreachable,
};
use super::{Road, Role, Session, Step};
use crate::cluster::ReadFrom;
use crate::item::{Key, Now, Version};
use crate::memcache::binary::{Head, Request, Verb};
use crate::memcache::text::{self, Command, Read, reply};
use crate::memcache::{Protocol, meta};
use crate::net::{Next, Output, Progress};
use crate::ring::{KeyHash, NodeId};
use crate::store::Store;
use crate::wire::Executor;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::task::Waker;

/// Where a request is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// By this node.
    Here,
    /// By that one.
    There(NodeId),
    /// By none that is live and may.
    Nowhere,
    /// By nobody soon: all its owners are held for dead.
    Dead,
    /// Read from this node's own copy, though another is primary.
    Copy,
    /// Read from the copy of that one, which is not the primary.
    Near(NodeId),
    /// Read from more than half of the owners.
    Majority,
}

/// Who looks so much later whether it is there was busy itself, and what came
/// meanwhile may wait to be read.
pub(super) const LATE_MS: u64 = 10;

/// Between two tries to find who executes for a key, where the nodes do not agree
/// yet.
const PAUSE_MS: u64 = 5;

/// The same where others execute for it than before: that they do not know it yet is over in some
/// milliseconds.
const CHANGED_PAUSE_MS: u64 = 1;

/// The same where too few owners have answered: who is missing is slow, or dead.
const FEW_PAUSE_MS: u64 = 25;

/// The parts of the turn under way, for all sessions of a worker: only one of
/// them has its turn.
#[derive(Debug, Default)]
pub(super) struct Parts {
    all: Vec<Part>,
    wrote: bool,
    /// Keys whose owners beside the primary were asked for them.
    from_copies: BTreeSet<KeyHash>,
}

impl Parts {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether one of them is a write that has not ended.
    pub(super) fn wrote(&self) -> bool {
        self.wrote
    }

    /// Whether one of them is a read of this key that the primary is not asked for, or not
    /// yet. A write of the key that went to the primary now would be seen by it.
    #[inline]
    fn is_read_from_copies(&self, hash: KeyHash) -> bool {
        !self.from_copies.is_empty() && self.from_copies.contains(&hash)
    }

    pub(super) fn push(&mut self, part: Part) {
        self.wrote |= part.writes();
        self.all.push(part);
    }
}

impl Session {
    /// Sends the request that starts the input to the node that executes for its
    /// key, if that is another.
    #[inline(never)]
    pub(super) fn elsewhere(
        &mut self,
        command: &Command<'_>,
        input: &[u8],
        used: usize,
        now: Now,
        out: &mut Output,
    ) -> Option<Step> {
        let mut base64 = None;
        let (key, len) = one_key(command, &mut base64)?;
        let reads = reads(command);
        let mut kind = Kind { reads, plain: false, one_of_many: false };
        if let Command::Meta(meta::Command::Get(request)) = command {
            kind.plain = reads;
            let may_be_near = self.shared().settings.read_from == ReadFrom::Nearest;
            if may_be_near
                && self.place(self.road.hash(key.bytes()), kind, false, now) == Place::Copy
            {
                if self.meta_get_copy(request, now, out) {
                    self.counters().reads_from_copies.add(1);
                    return Some(Step::Done(used));
                }
                kind.plain = false;
            }
        }
        let body_len = len.map_or(0, |len| len + reply::CRLF.len());
        let kind = (Protocol::Text, kind);
        self.one_elsewhere(key, len, kind, (input, used, body_len), now, out)
    }

    /// The same for a request for this key, whichever protocol it came by, with
    /// a value of so many bytes, if it has one: what is used of the input is its
    /// head, and so many bytes of body follow.
    fn one_elsewhere(
        &mut self,
        key: Key<'_>,
        value_len: Option<usize>,
        (protocol, kind): (Protocol, Kind),
        (input, used, body_len): (&[u8], usize, usize),
        now: Now,
        out: &mut Output,
    ) -> Option<Step> {
        if !kind.reads && self.is_to_wait(self.road.hash(key.bytes())) {
            return Some(Step::Full(0));
        }
        let is_too_large = |len| Store::item_bytes(key, len) > self.shared().store.item_bytes_max();
        // A value that is too large is refused here as anywhere.
        if self.reads_copies() || value_len.is_some_and(is_too_large) {
            return None;
        }
        let whole = used + body_len;
        if self.refuses(kind) {
            if let Err(step) = self.value(input, used, body_len) {
                return Some(step);
            }
            self.refuse_write(protocol, &input[..whole], kind, out);
            return Some(Step::Done(whole));
        }
        let hash = self.road.hash(key.bytes());
        let place = self.place(hash, kind, false, now);
        if matches!(place, Place::Here | Place::Copy) {
            self.counters().reads_from_copies.add(u64::from(place == Place::Copy));
            return None;
        }
        if self.role == Role::Peer(Executor::Primary) {
            self.refused = true;
            return Some(Step::Done(input.len()));
        }
        if let Err(step) = self.value(input, used, body_len) {
            return Some(step);
        }
        self.forward((place, hash), (protocol, kind), &[&input[..whole]], now, out);
        Some(Step::Done(whole))
    }

    /// The same for a request whose large value came apart from its head.
    pub(super) fn elsewhere_apart(&mut self, head: &[u8], value: &[u8], out: &mut Output) -> bool {
        let protocol = self.protocol.unwrap_or(Protocol::Text);
        let Some(hash) = self.hash_of_request(protocol, head) else { return false };
        if self.refuses(Kind::WRITE) {
            self.refuse_write(protocol, head, Kind::WRITE, out);
            return true;
        }
        match self.road.place(hash, false) {
            Place::Here => false,
            // Nobody sends on what another node sent.
            _ if self.role != Role::Client => {
                self.refused = true;
                true
            }
            place => {
                let now = self.shared().now();
                self.forward((place, hash), (protocol, Kind::WRITE), &[head, value], now, out);
                true
            }
        }
    }

    /// The hash of the key that a request begins with.
    pub(super) fn hash_of_request(&self, protocol: Protocol, request: &[u8]) -> Option<KeyHash> {
        self.with_key(protocol, request, |road, key, _| road.hash(key.bytes()))
    }

    /// Looks at the key that a request begins with, and whether it is only to be read.
    pub(super) fn with_key<R>(
        &self,
        protocol: Protocol,
        request: &[u8],
        visit: impl FnOnce(&Road, Key<'_>, bool) -> R,
    ) -> Option<R> {
        match protocol {
            Protocol::Binary => match Head::find(request) {
                Head::Whole(request) => {
                    Some(visit(&self.road, Key::new(request.key).ok()?, only_reads(&request)))
                }
                _ => None,
            },
            Protocol::Text => {
                let command = text::parse(line_of(request)).ok()?;
                let mut base64 = None;
                if let Command::Read(Read { mut keys, touch, .. }) = command {
                    return Some(visit(&self.road, Key::new(keys.next()?).ok()?, touch.is_none()));
                }
                let (key, _) = one_key(&command, &mut base64)?;
                Some(visit(&self.road, key, reads(&command)))
            }
        }
    }

    /// The same for a key of a line that reads, perhaps one of many.
    pub(super) fn read_elsewhere(
        &mut self,
        key: Key<'_>,
        read: &Read<'_>,
        one_of_many: bool,
        now: Now,
        out: &mut Output,
    ) -> bool {
        if self.reads_copies() {
            return false;
        }
        let reads = read.touch.is_none();
        let kind = Kind { reads, plain: reads, one_of_many };
        if self.refuses(kind) {
            // It is answered here, whoever asked.
            self.refuse_write(Protocol::Text, &[], kind, out);
            return true;
        }
        let hash = self.road.hash(key.bytes());
        // There is nothing to win for it, whatever it finds.
        let place = self.place(hash, kind, reads, now);
        if matches!(place, Place::Here | Place::Copy) {
            self.counters().reads_from_copies.add(u64::from(place == Place::Copy));
            return false;
        }
        if self.role != Role::Client {
            self.refused = true;
            return true;
        }
        let name: &[u8] = match (read.with_cas, read.touch) {
            (false, None) => b"get ",
            (true, None) => b"gets ",
            (false, Some(_)) => b"gat ",
            (true, Some(_)) => b"gats ",
        };
        let seconds = read.touch.map(|seconds| format!("{seconds} ")).unwrap_or_default();
        let line = [name, seconds.as_bytes(), key.bytes(), reply::CRLF];
        self.forward((place, hash), (Protocol::Text, kind), &line, now, out);
        true
    }

    /// The same for a request of the binary protocol.
    pub(super) fn binary_elsewhere(
        &mut self,
        request: &Request<'_>,
        input: &[u8],
        now: Now,
        out: &mut Output,
    ) -> Option<Step> {
        let reads = only_reads(request);
        let is_one = matches!(
            request.verb,
            Verb::Get { .. }
                | Verb::Touch
                | Verb::Store(_)
                | Verb::Extend(_)
                | Verb::Delete
                | Verb::Count(_)
        );
        let key = Key::new(request.key).ok().filter(|_| is_one)?;
        let kind = Kind { reads, plain: reads, one_of_many: false };
        let (head_len, len) = (request.header.head_len(), request.value_len);
        let kind = (Protocol::Binary, kind);
        self.one_elsewhere(key, Some(len), kind, (input, head_len, len), now, out)
    }

    /// Has an item deleted where another node executes for it, without a word to the
    /// client.
    pub(super) fn drop_elsewhere(&mut self, key: Key<'_>, now: Now, out: &mut Output) -> bool {
        if self.road.refuses_writes() {
            return true;
        }
        let hash = self.road.hash(key.bytes());
        let place = self.road.place(hash, false);
        if place == Place::Here || self.role != Role::Client {
            return false;
        }
        // A key of the binary protocol may have bytes that no line has.
        let key = STANDARD.encode(key.bytes());
        let line = [b"md ", key.as_bytes(), b" b q", reply::CRLF];
        self.forward((place, hash), (Protocol::Text, Kind::UNHEARD), &line, now, out);
        true
    }

    /// Whether a write of this key comes behind reads of it whose answers have to be there
    /// first.
    #[inline]
    pub(super) fn is_to_wait(&self, hash: KeyHash) -> bool {
        self.role == Role::Client && self.road.parts().is_read_from_copies(hash)
    }

    /// Whether this node takes no writes, and this is one.
    #[inline]
    fn refuses(&self, kind: Kind) -> bool {
        !kind.reads && self.road.refuses_writes()
    }

    fn refuse_write(&self, protocol: Protocol, request: &[u8], kind: Kind, out: &mut Output) {
        self.counters().writes_refused.add(1);
        out.bytes().extend(too_few(protocol, request, kind));
    }

    fn forward(
        &mut self,
        (place, hash): (Place, KeyHash),
        (protocol, kind): (Protocol, Kind),
        bytes: &[&[u8]],
        now: Now,
        out: &mut Output,
    ) {
        if let Some(text) = self.unanswerable((place, hash), (protocol, kind), bytes) {
            return out.bytes().extend(text);
        }
        let from = out.bytes().len();
        let past = match place {
            Place::There(node) => self.past((node, hash), (protocol, kind), bytes, now),
            _ => None,
        };
        let ask = |node, executor| {
            let at = self.road.turn().ask(node, executor, protocol, kind.reads, bytes);
            Source::Asked(at, kind)
        };
        let again = |at_once: bool| {
            let (bytes, unsent) = (bytes.concat(), !at_once);
            Again { protocol, bytes, kind, lost: None, unsent, at_once, few: false }
        };
        if past.is_some() || matches!(place, Place::Near(_) | Place::Majority) {
            self.road.parts().from_copies.insert(hash);
        }
        let source = match place {
            Place::There(node) => past.unwrap_or_else(|| ask(node, Executor::Primary)),
            Place::Near(node) => ask(node, Executor::Copy),
            Place::Majority => self.ask_majority(hash, again(true), now),
            // Somebody may be back soon.
            Place::Here | Place::Copy | Place::Nowhere | Place::Dead => {
                Source::Again(Box::new(again(false)))
            }
        };
        self.road.parts().push(Part::new(from, from, source));
    }

    /// What a client reads at once of a key that nobody is going to answer for.
    fn unanswerable(
        &self,
        (place, hash): (Place, KeyHash),
        (protocol, kind): (Protocol, Kind),
        bytes: &[&[u8]],
    ) -> Option<Vec<u8>> {
        match place {
            _ if self.refuses(kind) => {
                self.counters().writes_refused.add(1);
                Some(too_few(protocol, &bytes.concat(), kind))
            }
            Place::Dead => {
                self.counters().requests_without_owner.add(1);
                Some(unowned(protocol, &bytes.concat(), kind))
            }
            Place::There(primary) if self.road.is_out_of_reach(primary, hash, kind.reads) => {
                self.counters().requests_out_of_reach.add(1);
                Some(unreachable(protocol, &bytes.concat(), kind))
            }
            _ => None,
        }
    }

    /// Asks the other owners for a read whose primary does not answer; none where it is
    /// to be asked all the same.
    fn past(
        &mut self,
        (primary, hash): (NodeId, KeyHash),
        (protocol, kind): (Protocol, Kind),
        bytes: &[&[u8]],
        now: Now,
    ) -> Option<Source> {
        if !kind.reads || !self.road.knows_of_failures() {
            return None;
        }
        // It is not to overtake what was written before it.
        if self.road.parts().wrote() || !self.road.passes_by(primary) {
            return None;
        }
        let (bytes, unsent, at_once) = (bytes.concat(), false, false);
        let (lost, few) = (Some(primary), false);
        let again = Again { protocol, bytes, kind, lost, unsent, at_once, few };
        let beside = self.road.whole_beside(hash, Some(primary), now);
        if beside.owners.len() < usize::from(beside.least) {
            // They may not have what was acknowledged.
            return None;
        }
        let source = self.ask_owners(hash, Some(primary), &again, now)?;
        self.road.count_passed_by();
        Some(source)
    }

    /// Remembers that the answer to this request, written from there on, waits for copies.
    pub(super) fn end_step(&mut self, request: &[u8], from: usize, out: &mut Output) {
        let (calls, least) = self.road.end_step();
        if least > 0 && !calls.is_empty() {
            let to = out.bytes().len();
            let failed = match from == to {
                true => unacknowledged_quiet(self.protocol.unwrap_or(Protocol::Text), request),
                false => Vec::new(),
            };
            let source = Source::Written { text: None, failed, calls, least, one_of_many: false };
            self.road.parts().push(Part::new(from, to, source));
        }
    }

    /// The same for one of many keys: where too few copies have it, it is a miss.
    pub(super) fn end_key(&mut self, from: usize, out: &mut Output) {
        let (calls, least) = self.road.end_step();
        if least > 0 && !calls.is_empty() {
            let (to, failed) = (out.bytes().len(), Vec::new());
            let source = Source::Written { text: None, failed, calls, least, one_of_many: true };
            self.road.parts().push(Part::new(from, to, source));
        }
    }

    /// Tells the others of a flush; the answer written from there on waits until
    /// they act by it.
    pub(super) fn tell_flush(&self, floor: Version, from: usize, now: Now, out: &mut Output) {
        let to = out.bytes().len();
        let source = Source::Flushed(self.road.begin_flush(floor, now));
        self.road.parts().push(Part::new(from, to, source));
    }

    /// Whether so much is gathered for other nodes that it has to be sent first.
    pub(super) fn is_full_for_others(&self) -> bool {
        self.road.turn().is_full()
    }

    /// Sends what the turn has gathered for other nodes, and waits where its
    /// answers wait for them.
    pub(super) fn end_turn(&mut self, then: Next, now: Now, out: &mut Output) -> Next {
        let parts = std::mem::take(&mut *self.road.parts()).all;
        let turn = std::mem::take(&mut *self.road.turn());
        if turn.is_empty() && parts.is_empty() {
            return then;
        }
        let sent = self.road.send(turn, now);
        if parts.is_empty() {
            return then;
        }
        if parts.iter().any(Part::may_be_hedged) {
            self.road.wake_for_hedge(&sent, now);
        }
        let told = parts.iter().filter_map(|part| part.told(now));
        let rounds = [sent].into_iter().chain(told).collect();
        let out = out.take_rest();
        let (pause, tally) = (None, Tally::default());
        let (since, began, tried) = (now, self.road.elapsed(), false);
        let waits = Waits { out, then, parts, rounds, since, began, pause, tried, tally };
        self.waits = Some(Box::new(waits));
        Next::Wait
    }

    /// Whether a turn waits no longer.
    pub(super) fn has_waited(&self, waker: &Waker) -> bool {
        let Some(waits) = &self.waits else { return false };
        // Each of them is to know the waker. What is over has been looked at and
        // dropped, but for what just ended.
        let over = waits.rounds.iter().filter(|sent| sent.waiting.is_over(waker)).count();
        over > 0
            || waits.rounds.is_empty() && waits.pause.is_none()
            || waits.rounds.iter().any(|sent| sent.waiting.is_alarmed())
            || waits.pause.as_ref().is_some_and(|pause| pause.waiting.is_over(waker))
    }

    /// Goes on with a turn that waited.
    pub(super) fn go_on_waiting(
        &mut self,
        input: &[u8],
        now: Now,
        out: &mut Output,
    ) -> Option<Progress> {
        let mut waits = self.waits.take()?;
        if !waits.tried && waits.is_late(now) {
            // Nothing was tried meanwhile: this node may have stood still.
            waits.since = now;
        }
        // While it did, nothing could be tried.
        waits.since = waits.since.max(self.road.woke_at(now));
        waits.tried = true;
        let protocol = self.protocol.unwrap_or(Protocol::Text);
        let road = Rc::clone(&self.road);
        waits.settle(protocol, now, |node, asked, due| road.gives_up(node, asked, due, now));
        self.account_reads(&mut waits.tally, now);
        self.settle_flushes(&mut waits, protocol, now);
        if waits.parts.iter().all(Part::is_settled) {
            self.road.note_waited(waits.began);
            *out = waits.finish();
            let next = match waits.then {
                // What has come already is answered once these answers are out.
                Next::Read if !input.is_empty() => Next::Write,
                then => then,
            };
            return Some(Progress { used: 0, next });
        }
        waits.drop_ended();
        if let Some(ready) = waits.take_ready() {
            *out = ready;
            self.waits = Some(waits);
            return Some(Progress { used: 0, next: Next::Write });
        }
        let urgent =
            |part: &Part| matches!(&part.source, Source::Again(again) if again.is_urgent());
        let rested = waits.pause.take_if(|pause| pause.waiting.is_over_all()).is_some();
        if rested || waits.parts.iter().any(urgent) {
            self.send_again(&mut waits, rested, now);
        }
        if waits.pause.is_none() && waits.parts.iter().any(Part::is_to_be_sent_again) {
            // The nodes do not agree yet who executes for a key, or none may.
            let ms = match waits.waits_for_few() {
                true => FEW_PAUSE_MS,
                false if self.road.has_just_changed() => CHANGED_PAUSE_MS,
                false => PAUSE_MS,
            };
            waits.pause = Some(self.road.pause(now, ms));
        }
        if waits.parts.iter().any(Part::may_be_hedged) {
            for sent in &waits.rounds {
                self.road.wake_for_hedge(sent, now);
            }
        }
        self.waits = Some(waits);
        Some(Progress { used: 0, next: Next::Wait })
    }

    fn settle_flushes(&self, waits: &mut Waits, protocol: Protocol, now: Now) {
        let is_late = waits.is_late(now);
        for part in &mut waits.parts {
            let Source::Flushed(flushing) = &mut part.source else { continue };
            match self.road.is_flushed(flushing) {
                Some(true) => part.stays(),
                Some(false) if is_late => {
                    let reply = &waits.out.bytes()[part.from..part.to];
                    part.source = Source::Text(unacknowledged(protocol, reply));
                }
                Some(false) | None => {}
            }
        }
    }

    /// Sends what was not executed to whom it now belongs, and a read that was
    /// not answered to another owner: the latter alone, unless the turn has rested.
    fn send_again(&mut self, waits: &mut Waits, rested: bool, now: Now) {
        let is_late = waits.is_late(now);
        for part in &mut waits.parts {
            if let Source::Flushed(flushing) = &mut part.source
                && flushing.again
                && rested
            {
                self.road.flush_again(flushing, now);
                waits.rounds.extend(part.told(now));
            }
        }
        let round = waits.rounds.len();
        let mut wrote = false;
        for part in &mut waits.parts {
            let Source::Again(again) = &part.source else {
                wrote |= part.writes();
                continue;
            };
            wrote |= !again.kind.reads;
            if !rested && !again.is_urgent() {
                continue;
            }
            if is_late {
                let text = unanswered(again.protocol, &again.bytes, again.kind);
                part.source = Source::Text(text);
            } else if let Some(source) = self.source_again(again, !wrote, now) {
                (part.source, part.round) = (source, round);
            }
        }
        let turn = std::mem::take(&mut *self.road.turn());
        waits.rounds.push(self.road.send(turn, now));
        waits.drop_ended();
    }

    /// None, where there is nobody to send it to. Whether it may overtake what was
    /// written before it: it would see what was there before.
    fn source_again(&mut self, again: &Again, overtakes: bool, now: Now) -> Option<Source> {
        let Again { protocol, ref bytes, kind, lost, .. } = *again;
        let hash = self.hash_of_request(protocol, bytes)?;
        let place = self.road.place(hash, false);
        if let Some(text) = self.unanswerable((place, hash), (protocol, kind), &[bytes]) {
            return Some(Source::Text(text));
        }
        let primary = match place {
            Place::Here => {
                let mut reply = Output::default();
                let (calls, least) = self.execute(protocol, bytes, now, &mut reply);
                if self.take_refused() {
                    // Meanwhile it is not this node's any more.
                    return None;
                }
                let text = Some(whole_or_one(reply.take(), kind));
                let failed = unacknowledged_quiet(protocol, bytes);
                let one_of_many = kind.one_of_many;
                return Some(Source::Written { text, failed, calls, least, one_of_many });
            }
            Place::There(primary) => primary,
            // Who is to be primary may not execute yet.
            Place::Nowhere if kind.reads && overtakes => {
                return self.ask_owners(hash, None, again, now);
            }
            _ => return None,
        };
        // Where nobody else has a copy, the primary is asked once more. And one that is primary
        // now, and was not when it was asked, is an owner as the others are.
        let lost = lost.filter(|_| overtakes);
        let owners = lost.and_then(|lost| {
            let beside = Some(primary).filter(|&primary| primary == lost);
            self.ask_owners(hash, beside, again, now)
        });
        owners.or_else(|| {
            let executor = Executor::Primary;
            let at = self.road.turn().ask(primary, executor, protocol, kind.reads, &[bytes]);
            Some(Source::Asked(at, kind))
        })
    }
}

/// Whether a request of the binary protocol changes nothing.
fn only_reads(request: &Request<'_>) -> bool {
    matches!(request.verb, Verb::Get { touch: false, .. })
}
