//! A turn whose answers wait for other nodes: the parts that are not there yet, what
//! came of each, and the whole in the order in which it was asked for.

use super::about::line_of;
use super::compared::{Compared, Tally};
use super::flush::Flushing;
use super::said::{Said, said};
use crate::item::Now;
use crate::limits::READY_BYTES_HIGH;
use crate::memcache::Protocol;
use crate::memcache::binary::{Head, Status, reply as binary};
use crate::memcache::text;
use crate::net::{Next, Output};
use crate::node::peers::{Answer, AskedAt, Calls, Replies, Sending, Sent};
use crate::ring::NodeId;
use crate::wire::Reply;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What a write reads that was not acknowledged by as many as were asked for.
const UNACKNOWLEDGED: &[u8] = b"SERVER_ERROR write not acknowledged\r\n";

/// What a request reads that nobody answered.
const UNANSWERED: &[u8] = b"SERVER_ERROR node does not answer\r\n";

/// What a write reads that nobody is there for.
const UNOWNED: &[u8] = b"SERVER_ERROR all nodes that keep this key are down\r\n";

/// What a write reads where fewer nodes are seen than it is to have.
pub(super) const TOO_FEW: &[u8] = b"SERVER_ERROR too few nodes are seen to take writes\r\n";

/// What a request reads for whose key there is no link to anybody who may answer.
const UNREACHABLE: &[u8] = b"SERVER_ERROR no link to the node that keeps this key\r\n";

/// After so long nobody tries again.
const RETRY_MS: u64 = 5000;

/// A turn that waits for other nodes.
#[derive(Debug)]
pub(super) struct Waits {
    /// The answers so far, without those that are to come.
    pub(super) out: Output,
    /// What the turn ended with.
    pub(super) then: Next,
    pub(super) parts: Vec<Part>,
    /// What was sent, and what was sent again.
    pub(super) rounds: Vec<Sent>,
    pub(super) since: Now,
    /// Since then, to the microsecond.
    pub(super) began: Duration,
    /// It waits for nothing but its time, to send again.
    pub(super) pause: Option<Sent>,
    /// It has tried more than once.
    pub(super) tried: bool,
    pub(super) tally: Tally,
}

/// A part of the answers that is not there yet, or may not go out yet.
#[derive(Debug)]
pub(super) struct Part {
    /// Bytes of the answers that it replaces.
    pub(super) from: usize,
    pub(super) to: usize,
    /// Which of the rounds its calls belong to.
    pub(super) round: usize,
    pub(super) source: Source,
    /// Where the primary was asked first, while others are asked in its place: it
    /// may be slow, and not dead.
    pub(super) first: Option<(usize, AskedAt)>,
}

#[derive(Debug)]
pub(super) enum Source {
    /// The answer of another node.
    Asked(AskedAt, Kind),
    /// The newest of the answers of some owners.
    Compared(Box<Compared>),
    /// This, or what is there, if so many of the copies are kept; else an error, which
    /// is this one where there is nothing to be said of success, and nothing for one of
    /// many keys.
    Written { text: Option<Vec<u8>>, failed: Vec<u8>, calls: Calls, least: u8, one_of_many: bool },
    /// What is there, once all nodes have heard of this.
    Flushed(Flushing),
    /// This.
    Text(Vec<u8>),
    /// This, which another node said.
    Said(Said),
    /// The answer to this, which is to be sent again.
    Again(Box<Again>),
}

/// What a request is like that was sent to another node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// It changes nothing, so that any owner may answer it.
    pub(super) reads: bool,
    /// An owner may answer it though the primary could.
    pub(super) plain: bool,
    /// It is for one of many keys of a line, so that its end is no part of the
    /// answer and a miss is one.
    pub(super) one_of_many: bool,
}

impl Kind {
    pub(super) const WRITE: Self = Self { reads: false, plain: false, one_of_many: false };

    /// A write that nobody is told of, whatever comes of it.
    pub(super) const UNHEARD: Self = Self { one_of_many: true, ..Self::WRITE };
}

/// A request to be sent again.
#[derive(Clone, Debug)]
pub(super) struct Again {
    pub(super) protocol: Protocol,
    pub(super) bytes: Vec<u8>,
    pub(super) kind: Kind,
    /// This node, the primary when it was asked, does not answer.
    pub(super) lost: Option<NodeId>,
    /// There is nothing to wait for: it was not even sent.
    pub(super) unsent: bool,
    /// Nobody waits before it is sent: only owners beside the primary were asked.
    pub(super) at_once: bool,
    /// Too few owners have answered.
    pub(super) few: bool,
}

impl Again {
    /// Whether it is sent before the turn has rested.
    pub(super) fn is_urgent(&self) -> bool {
        self.at_once || self.lost.is_some() && !self.unsent
    }
}

impl Part {
    /// A part of the first round, whose answer replaces these bytes.
    pub(super) fn new(from: usize, to: usize, source: Source) -> Self {
        Self { from, to, round: 0, source, first: None }
    }

    /// Whether it is a write that has not ended.
    pub(super) fn writes(&self) -> bool {
        match &self.source {
            Source::Asked(_, kind) => !kind.reads,
            Source::Again(again) => !again.kind.reads,
            Source::Written { .. } | Source::Flushed(_) => true,
            Source::Compared(_) | Source::Text(_) | Source::Said(_) => false,
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        matches!(self.source, Source::Text(_) | Source::Said(_))
    }

    /// What it is, as soon as that is known.
    fn text(&self) -> &[u8] {
        match &self.source {
            Source::Text(text) => text,
            Source::Said(said) => said.text(),
            _ => b"",
        }
    }

    pub(super) fn is_to_be_sent_again(&self) -> bool {
        matches!(self.source, Source::Again(_) | Source::Flushed(Flushing { again: true, .. }))
    }

    /// What it waits for, where that is no part of the turn.
    pub(super) fn told(&self, now: Now) -> Option<Sent> {
        let Source::Flushed(flushing) = &self.source else { return None };
        Some(Sent::waits_for(Arc::clone(&flushing.told), now))
    }

    /// The answer goes out as it was written.
    pub(super) fn stays(&mut self) {
        self.from = self.to;
        self.source = Source::Text(Vec::new());
    }

    pub(super) fn may_be_hedged(&self) -> bool {
        matches!(self.source, Source::Asked(_, Kind { reads: true, .. }) | Source::Compared(_))
    }

    /// What it waits for, to be put back or replaced.
    fn take_source(&mut self) -> Source {
        std::mem::replace(&mut self.source, Source::Text(Vec::new()))
    }

    /// Others are to be asked; the primary's answer is good all the same, if it comes. Where
    /// the other owners were asked there is nobody else: asking them again would only give
    /// them more to do.
    fn give_up_for_now(&mut self, round: usize, sending: &Sending) {
        self.source = match self.take_source() {
            Source::Asked(at, kind) => {
                if sending.asks_primary() {
                    self.first = Some((round, at));
                }
                let (protocol, bytes) = sending.request(at.request);
                let (bytes, at_once) = (bytes.to_vec(), sending.asks_copy());
                let lost = (!at_once).then_some(sending.to);
                Source::Again(Box::new(Again {
                    protocol,
                    bytes,
                    kind,
                    lost,
                    unsent: false,
                    at_once,
                    few: false,
                }))
            }
            Source::Compared(compared) if compared.is_majority => {
                Source::Again(Box::new(compared.again))
            }
            other => other,
        };
    }

    /// Whether one owner of several has answered.
    fn has_an_answer(&self) -> bool {
        matches!(&self.source, Source::Compared(compared) if !compared.is_majority && compared.has_an_answer())
    }

    /// Whether it waits for this call of its round.
    fn waits_for(&self, call: u16) -> bool {
        match &self.source {
            Source::Asked(at, _) => at.call == call,
            Source::Compared(compared) => compared.open.iter().any(|at| at.call == call),
            _ => false,
        }
    }
}

impl Waits {
    /// Whether all that is to be sent again is reads that too few owners have answered.
    pub(super) fn waits_for_few(&self) -> bool {
        let mut again = self.parts.iter().filter(|part| part.is_to_be_sent_again());
        again.all(|part| matches!(&part.source, Source::Again(again) if again.few))
    }

    /// Whether nobody tries again.
    pub(super) fn is_late(&self, now: Now) -> bool {
        now.unix_ms() >= self.since.unix_ms() + RETRY_MS
    }

    /// Takes the answers that came. Of whom `is_slow` says so, nobody waits any longer
    /// for an answer to a read that another owner can give; it is told when that was
    /// asked for, and when this node was to look after it.
    pub(super) fn settle(
        &mut self,
        protocol: Protocol,
        now: Now,
        is_slow: impl Fn(NodeId, Now, Now) -> bool,
    ) {
        let is_late = self.is_late(now);
        self.settle_first(is_late);
        for round in 0..self.rounds.len() {
            let sent = &self.rounds[round];
            let due = sent.waiting.take_alarm();
            for (number, sending) in sent.sendings.iter().enumerate() {
                let call = number as u16;
                let is_its = |part: &Part| part.round == round && part.waits_for(call);
                if !self.parts.iter().any(is_its) {
                    continue;
                }
                // Who has one answer waits for the other: it may be newer.
                let has_some = self.parts.iter().any(|part| is_its(part) && part.has_an_answer());
                let answer = match sent.waiting.take(call) {
                    Some(answer) => answer,
                    None if sending.only_reads()
                        && !has_some
                        && due.is_some_and(|due| is_slow(sending.to, sent.at, due)) =>
                    {
                        for part in self.parts.iter_mut().filter(|part| is_its(part)) {
                            part.give_up_for_now(round, sending);
                        }
                        continue;
                    }
                    None => continue,
                };
                let told = told(&answer);
                let reply = |at: AskedAt| told?.get(at.request);
                for part in self.parts.iter_mut().filter(|part| is_its(part)) {
                    part.source = match part.take_source() {
                        Source::Asked(at, kind) => {
                            let request = sending.request(at.request);
                            let unsent = answer == Answer::Unsent;
                            let lost = !unsent || sending.asks_primary();
                            let lost = lost.then_some(sending.to);
                            let failed = match sending.asks_copy() {
                                true => Failed { lost: None, unsent: false, at_once: true },
                                false => Failed { lost, unsent, at_once: false },
                            };
                            let owned = matches!(reply(at), Some(Reply::Owned { .. }));
                            self.tally.from_copies += u64::from(owned);
                            settled(told, at, failed, request, kind, is_late)
                        }
                        Source::Compared(compared) => {
                            let may_do = part.first.is_none() || is_late;
                            let compared = compared.heard(call, sending.to, reply);
                            compared.settled(may_do, is_late, &mut self.tally)
                        }
                        other => other,
                    };
                }
            }
            self.settle_written(round, protocol);
        }
    }

    /// Looks which writes of a round are acknowledged.
    fn settle_written(&mut self, round: usize, protocol: Protocol) {
        let waiting = &self.rounds[round].waiting;
        for part in self.parts.iter_mut().filter(|part| part.round == round) {
            let Source::Written { text, failed, calls, least, one_of_many } = &mut part.source
            else {
                continue;
            };
            let Some(met) = waiting.is_met(*calls, *least) else { continue };
            part.source = match (met, text.take()) {
                (true, None) => {
                    part.stays();
                    continue;
                }
                (true, Some(text)) => Source::Text(text),
                (false, _) if *one_of_many => Source::Text(Vec::new()),
                (false, text) => {
                    let there = &self.out.bytes()[part.from..part.to];
                    let reply = text.as_deref().unwrap_or(there);
                    Source::Text(match reply.is_empty() {
                        true => std::mem::take(failed),
                        false => unacknowledged(protocol, reply),
                    })
                }
            };
        }
    }

    /// Takes the answers of primaries that were only slow.
    fn settle_first(&mut self, is_late: bool) {
        let mut answers: BTreeMap<(usize, u16), Option<Answer>> = BTreeMap::new();
        for part in self.parts.iter_mut().filter(|part| !part.is_settled()) {
            let Some((round, at)) = part.first else { continue };
            let waiting = &self.rounds[round].waiting;
            let answer = answers.entry((round, at.call)).or_insert_with(|| waiting.take(at.call));
            let Some(answer) = answer else { continue };
            part.first = None;
            let told = told(answer);
            let kind = match &part.source {
                Source::Compared(compared) => compared.again.kind,
                Source::Again(again) => again.kind,
                Source::Asked(_, kind) => *kind,
                _ => continue,
            };
            if let Some(told) = told
                && let Some(Reply::Done(_)) = told.get(at.request)
            {
                part.source = said(told, at, kind);
            }
        }
        // Nobody else is to be waited for.
        for part in self.parts.iter_mut().filter(|part| part.first.is_none() || is_late) {
            part.source = match part.take_source() {
                Source::Compared(compared) if compared.open.is_empty() => {
                    compared.settled(true, is_late, &mut self.tally)
                }
                other => other,
            };
        }
    }

    /// Forgets the rounds that no part waits for: there may be one every few
    /// milliseconds.
    pub(super) fn drop_ended(&mut self) {
        for part in self.parts.iter_mut().filter(|part| part.is_settled()) {
            part.first = None;
        }
        let waits_for = |part: &Part, round: usize, sent: &Sent| match &part.source {
            _ if part.first.is_some_and(|(first, _)| first == round) => true,
            Source::Asked(..) | Source::Compared(_) | Source::Written { .. } => part.round == round,
            Source::Flushed(flushing) => {
                !flushing.again && Arc::ptr_eq(&flushing.told, &sent.waiting)
            }
            Source::Text(_) | Source::Said(_) | Source::Again(_) => false,
        };
        let mut left = Vec::new();
        for (round, sent) in std::mem::take(&mut self.rounds).into_iter().enumerate() {
            if self.parts.iter().any(|part| waits_for(part, round, &sent)) {
                for part in &mut self.parts {
                    if part.round == round {
                        part.round = left.len();
                    }
                    if let Some((first, _)) = &mut part.first
                        && *first == round
                    {
                        *first = left.len();
                    }
                }
                left.push(sent);
            }
        }
        self.rounds = left;
    }

    /// All answers, in the order in which they were asked for.
    pub(super) fn finish(&mut self) -> Output {
        put_in(std::mem::take(&mut self.out), &self.parts)
    }

    /// The answers before the first that is not there, once they are many: they need not
    /// be held for it.
    pub(super) fn take_ready(&mut self) -> Option<Output> {
        let first = self.parts.iter().position(|part| !part.is_settled())?;
        let from = self.parts[first].from;
        let texts = self.parts[..first].iter().map(|part| part.text().len());
        if from + texts.sum::<usize>() < READY_BYTES_HIGH {
            return None;
        }
        let rest = self.out.split_off(from);
        let ready: Vec<_> = self.parts.drain(..first).collect();
        for part in &mut self.parts {
            (part.from, part.to) = (part.from - from, part.to - from);
        }
        Some(put_in(std::mem::replace(&mut self.out, rest), &ready))
    }
}

/// Puts the texts of parts in their places.
fn put_in(mut out: Output, parts: &[Part]) -> Output {
    out.replace(parts.iter().map(|part| (part.from..part.to, part.text())));
    out
}

fn told(answer: &Answer) -> Option<&Arc<Replies>> {
    match answer {
        Answer::Told(replies) => Some(replies),
        _ => None,
    }
}

/// What is known of a request that was not answered; as in [`Again`].
#[derive(Clone, Copy)]
struct Failed {
    lost: Option<NodeId>,
    unsent: bool,
    at_once: bool,
}

/// What became of a request that another node was sent.
fn settled(
    told: Option<&Arc<Replies>>,
    at: AskedAt,
    Failed { lost, unsent, at_once }: Failed,
    (protocol, bytes): (Protocol, &[u8]),
    kind: Kind,
    is_late: bool,
) -> Source {
    let again = |lost| {
        let bytes = bytes.to_vec();
        let again = Again { protocol, bytes, kind, lost, unsent, at_once, few: false };
        Source::Again(Box::new(again))
    };
    match told.map(|told| (told, told.get(at.request))) {
        Some((told, Some(Reply::Done(_) | Reply::Owned { .. }))) => said(told, at, kind),
        Some((_, Some(Reply::NotMine | Reply::Busy))) if !is_late => again(None),
        // To whom there is no link may be there for others: any owner may answer.
        None | Some((_, None)) if kind.reads && !is_late => again(lost),
        None | Some((_, None)) if unsent && !is_late => again(None),
        Some((_, Some(Reply::Unacknowledged))) if !kind.one_of_many => {
            Source::Text(unacknowledged_quiet(protocol, bytes))
        }
        _ => Source::Text(unanswered(protocol, bytes, kind)),
    }
}

/// What a client reads whose request nobody executes.
pub(super) fn unanswered(protocol: Protocol, request: &[u8], kind: Kind) -> Vec<u8> {
    match protocol {
        _ if kind.one_of_many => Vec::new(),
        Protocol::Text if text::is_hushed(line_of(request)) => Vec::new(),
        Protocol::Text => UNANSWERED.to_vec(),
        Protocol::Binary => {
            let mut packet = Vec::new();
            if let Head::Whole(request) = Head::find(request) {
                binary::status(&mut packet, &request.header, Status::Temporary);
            }
            packet
        }
    }
}

/// What a client reads of a key for which no link leads to who may answer.
pub(super) fn unreachable(protocol: Protocol, request: &[u8], kind: Kind) -> Vec<u8> {
    let text = unanswered(protocol, request, kind);
    match protocol {
        Protocol::Text if !text.is_empty() => UNREACHABLE.to_vec(),
        _ => text,
    }
}

/// What a client reads of a key whose owners are all held for dead: the same for a read,
/// and the reason for a write.
pub(super) fn unowned(protocol: Protocol, request: &[u8], kind: Kind) -> Vec<u8> {
    let text = unanswered(protocol, request, kind);
    match protocol {
        Protocol::Text if !kind.reads && !text.is_empty() => UNOWNED.to_vec(),
        _ => text,
    }
}

/// What a client reads whose write is refused since too few nodes are seen.
pub(super) fn too_few(protocol: Protocol, request: &[u8], kind: Kind) -> Vec<u8> {
    let text = unanswered(protocol, request, kind);
    match protocol {
        Protocol::Text if !text.is_empty() => TOO_FEW.to_vec(),
        _ => text,
    }
}

/// What a client reads whose write too few copies have, where he reads nothing of one that
/// is acknowledged.
pub(super) fn unacknowledged_quiet(protocol: Protocol, request: &[u8]) -> Vec<u8> {
    match protocol {
        Protocol::Text if text::is_hushed(line_of(request)) => Vec::new(),
        Protocol::Text => UNACKNOWLEDGED.to_vec(),
        Protocol::Binary => unanswered(protocol, request, Kind::WRITE),
    }
}

/// What stands in the place of the answer to a write that too few copies have.
pub(super) fn unacknowledged(protocol: Protocol, reply: &[u8]) -> Vec<u8> {
    match protocol {
        // No answer was wanted.
        _ if reply.is_empty() => Vec::new(),
        Protocol::Text => UNACKNOWLEDGED.to_vec(),
        Protocol::Binary => binary::instead_of(reply, Status::Temporary),
    }
}
