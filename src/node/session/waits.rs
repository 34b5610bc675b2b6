//! A turn whose answers wait for other nodes: the parts that are not there yet, what
//! came of each, and the whole in the order in which it was asked for.

use super::about::line_of;
use super::flush::Flushing;
use crate::item::Now;
use crate::memcache::Protocol;
use crate::memcache::binary::{Head, Status, reply as binary};
use crate::memcache::text::{self, reply};
use crate::net::{Next, Output};
use crate::node::peers::{Answer, AskedAt, Calls, Sent};
use crate::wire::{Message, Reply, Told};
use std::sync::Arc;

/// What a write reads that was not acknowledged by as many as were asked for.
const UNACKNOWLEDGED: &[u8] = b"SERVER_ERROR write not acknowledged\r\n";

/// What a request reads that nobody answered.
const UNANSWERED: &[u8] = b"SERVER_ERROR node does not answer\r\n";

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
    /// It waits for nothing but its time, to send again.
    pub(super) paused: bool,
    /// It has tried more than once.
    pub(super) tried: bool,
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
}

#[derive(Debug)]
pub(super) enum Source {
    /// The answer of another node.
    Asked(AskedAt, Kind),
    /// This, or what is there, if so many of the copies are kept.
    Written { text: Option<Vec<u8>>, calls: Calls, least: u8 },
    /// What is there, once all nodes have heard of this.
    Flushed(Flushing),
    /// This.
    Text(Vec<u8>),
    /// The answer to this, which is to be sent again.
    Again(Box<Again>),
}

/// What a request is like that was sent to another node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// It changes nothing, so that any owner may answer it.
    pub(super) reads: bool,
    /// It is for one of many keys of a line, so that its end is no part of the
    /// answer and a miss is one.
    pub(super) one_of_many: bool,
}

impl Kind {
    pub(super) const WRITE: Self = Self { reads: false, one_of_many: false };
}

/// A request to be sent again.
#[derive(Debug)]
pub(super) struct Again {
    pub(super) protocol: Protocol,
    pub(super) bytes: Vec<u8>,
    pub(super) kind: Kind,
    /// The primary does not answer.
    pub(super) lost: bool,
    /// There is nothing to wait for: it was not even sent.
    pub(super) unsent: bool,
}

impl Part {
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.source, Source::Text(_))
    }

    pub(super) fn is_to_be_sent_again(&self) -> bool {
        matches!(self.source, Source::Again(_) | Source::Flushed(Flushing { again: true, .. }))
    }

    /// What it waits for, where that is no part of the turn.
    pub(super) fn told(&self) -> Option<Sent> {
        let Source::Flushed(flushing) = &self.source else { return None };
        Some(Sent { waiting: Arc::clone(&flushing.told), sendings: Vec::new() })
    }

    /// The answer goes out as it was written.
    pub(super) fn stays(&mut self) {
        self.from = self.to;
        self.source = Source::Text(Vec::new());
    }

    pub(super) fn may_be_hedged(&self) -> bool {
        matches!(self.source, Source::Asked(_, Kind { reads: true, .. }))
    }
}

impl Waits {
    /// Whether nobody tries again.
    pub(super) fn is_late(&self, now: Now) -> bool {
        now.unix_ms() >= self.since.unix_ms() + RETRY_MS
    }

    /// Takes the answers that came.
    pub(super) fn settle(&mut self, protocol: Protocol, now: Now) {
        let is_late = self.is_late(now);
        for round in 0..self.rounds.len() {
            let sent = &self.rounds[round];
            let alarmed = sent.waiting.take_alarm();
            for (number, sending) in sent.sendings.iter().enumerate() {
                let call = number as u16;
                let is_its = |part: &Part| {
                    part.round == round
                        && matches!(part.source, Source::Asked(at, _) if at.call == call)
                };
                let mut parts = self.parts.iter_mut().filter(|part| is_its(part)).peekable();
                if parts.peek().is_none() {
                    continue;
                }
                let answer = match sent.waiting.take(call) {
                    Some(answer) => answer,
                    None if alarmed && sending.only_reads() => {
                        sent.waiting.give_up(call);
                        Answer::Lost
                    }
                    None => continue,
                };
                let told = told(&answer);
                for part in parts {
                    let Source::Asked(at, kind) = part.source else { continue };
                    let reply =
                        told.as_ref().and_then(|told| told.replies.get(usize::from(at.request)));
                    let request = sending.request(at.request);
                    let unsent = answer == Answer::Unsent;
                    let lost = !unsent || sending.asks_primary();
                    part.source = settled(reply.copied(), (lost, unsent), request, kind, is_late);
                }
            }
            for part in self.parts.iter_mut().filter(|part| part.round == round) {
                let Source::Written { text, calls, least } = &mut part.source else { continue };
                let Some(met) = self.rounds[round].waiting.is_met(*calls, *least) else { continue };
                part.source = match (met, text.take()) {
                    (true, None) => {
                        part.from = part.to;
                        Source::Text(Vec::new())
                    }
                    (true, Some(text)) => Source::Text(text),
                    (false, Some(text)) => Source::Text(unacknowledged(protocol, &text)),
                    (false, None) => {
                        let reply = &self.out.bytes()[part.from..part.to];
                        Source::Text(unacknowledged(protocol, reply))
                    }
                };
            }
        }
    }

    /// Forgets the rounds that no part waits for: there may be one every few
    /// milliseconds.
    pub(super) fn drop_ended(&mut self) {
        let waits_for = |part: &Part, round: usize, sent: &Sent| match &part.source {
            Source::Asked(..) | Source::Written { .. } => part.round == round,
            Source::Flushed(flushing) => Arc::ptr_eq(&flushing.told, &sent.waiting),
            Source::Text(_) | Source::Again(_) => false,
        };
        let mut left = Vec::new();
        for (round, sent) in std::mem::take(&mut self.rounds).into_iter().enumerate() {
            if self.parts.iter().any(|part| waits_for(part, round, &sent)) {
                let moved = self.parts.iter_mut().filter(|part| part.round == round);
                moved.for_each(|part| part.round = left.len());
                left.push(sent);
            }
        }
        self.rounds = left;
    }

    /// All answers, in the order in which they were asked for.
    pub(super) fn finish(&mut self) -> Output {
        let mut out = std::mem::take(&mut self.out);
        let texts = self.parts.iter().map(|part| match &part.source {
            Source::Text(text) => (part.from..part.to, &text[..]),
            _ => (part.from..part.to, &b""[..]),
        });
        out.replace(texts);
        out
    }
}

fn told(answer: &Answer) -> Option<Told<'_>> {
    let Answer::Message(frame) = answer else { return None };
    match Message::decode(frame) {
        Ok(Message::Told(told)) => Some(told),
        _ => None,
    }
}

/// What became of a request that another node was sent.
fn settled(
    reply: Option<Reply<'_>>,
    (lost, unsent): (bool, bool),
    (protocol, bytes): (Protocol, &[u8]),
    kind: Kind,
    is_late: bool,
) -> Source {
    let again = |lost| {
        let again = Again { protocol, bytes: bytes.to_vec(), kind, lost, unsent };
        Source::Again(Box::new(again))
    };
    match reply {
        Some(Reply::Done(bytes)) => Source::Text(whole_or_one(bytes.to_vec(), kind)),
        Some(Reply::NotMine | Reply::Busy) if !is_late => again(false),
        // To whom there is no link may be there for others: any owner may answer.
        None if kind.reads && !is_late => again(lost),
        None if unsent && !is_late => again(false),
        Some(Reply::Unacknowledged) => Source::Text(match protocol {
            Protocol::Text if text::is_hushed(line_of(bytes)) => Vec::new(),
            Protocol::Text => UNACKNOWLEDGED.to_vec(),
            Protocol::Binary => unanswered(protocol, bytes, kind),
        }),
        _ => Source::Text(unanswered(protocol, bytes, kind)),
    }
}

/// An answer as it is, or without its end.
pub(super) fn whole_or_one(mut reply: Vec<u8>, kind: Kind) -> Vec<u8> {
    if kind.one_of_many {
        // Whatever else it is, an error among them, is a miss.
        match reply.ends_with(reply::END) {
            true => reply.truncate(reply.len() - reply::END.len()),
            false => reply.clear(),
        }
    }
    reply
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

/// What stands in the place of the answer to a write that too few copies have.
pub(super) fn unacknowledged(protocol: Protocol, reply: &[u8]) -> Vec<u8> {
    match protocol {
        // No answer was wanted.
        _ if reply.is_empty() => Vec::new(),
        Protocol::Text => UNACKNOWLEDGED.to_vec(),
        Protocol::Binary => binary::instead_of(reply, Status::Temporary),
    }
}
