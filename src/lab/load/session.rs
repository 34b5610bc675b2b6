//! One connection: a batch of requests is written at once, and each answer is
//! held against its request.
//!
//! Reading goes on while a batch is still being written, as a server may not
//! read on before its answers are taken.

use super::codec::{Piece, Reading};
use super::items::Items;
use super::link::Link;
use super::tally::Tally;
use super::traffic::{Kind, Traffic};
use super::{Load, LoadError, Protocol, Scrutiny, Wait};
use std::io;
use std::ops::Range;
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// A connection and what it waits for.
#[derive(Debug)]
pub(super) struct Session {
    link: Link,
    protocol: Protocol,
    scrutiny: Scrutiny,
    ttl_s: u32,
    wait: Option<Wait>,
    outbox: Vec<u8>,
    sent: usize,
    inbox: Vec<u8>,
    /// The bytes of the inbox that came and were not read.
    unread: Range<usize>,
    pending: Vec<Pending>,
    answered: usize,
    /// Those of the pending and of the answered that wait for replicas.
    waits: usize,
    waited: usize,
    /// When writes were due that a replica may not have yet.
    held: Vec<Instant>,
    /// The numbers of the keys of all pending requests.
    numbers: Vec<u64>,
    /// Within the first unanswered request: the next key to be answered for,
    /// and the elements still to come, where the protocol counts them.
    next: usize,
    elements: Option<u64>,
}

/// A request that was sent.
#[derive(Clone, Copy, Debug)]
struct Pending {
    kind: Kind,
    /// Where its keys end in `numbers`; they begin where the last one's end.
    end: usize,
    due: Instant,
}

/// What a connection shares with those of its thread, in one batch.
pub(super) struct Desk<'a> {
    pub(super) items: &'a Items,
    pub(super) traffic: &'a mut Traffic,
    pub(super) tally: &'a mut Tally,
}

/// Room for answers to begin with. One read then takes a batch of usual values.
const INBOX_BYTES: usize = 64 << 10;

impl Session {
    pub(super) fn new(link: Link, load: &Load) -> Self {
        Self {
            link,
            protocol: load.protocol,
            scrutiny: load.scrutiny,
            ttl_s: load.data.ttl_s,
            wait: load.wait,
            outbox: Vec::new(),
            sent: 0,
            inbox: vec![0; INBOX_BYTES],
            unread: 0..0,
            pending: Vec::new(),
            answered: 0,
            waits: 0,
            waited: 0,
            held: Vec::new(),
            numbers: Vec::new(),
            next: 0,
            elements: None,
        }
    }

    /// Forgets the batch before.
    pub(super) fn begin(&mut self) {
        self.outbox.clear();
        self.pending.clear();
        self.numbers.clear();
        self.held.clear();
        (self.sent, self.answered, self.next, self.elements) = (0, 0, 0, None);
        (self.waits, self.waited) = (0, 0);
    }

    /// Adds a request to the batch.
    pub(super) fn ask(&mut self, items: &Items, traffic: &mut Traffic, due: Instant) {
        let start = self.numbers.len();
        let kind = traffic.draw(&mut self.numbers);
        let numbers = &self.numbers[start..];
        match kind {
            Kind::Get => self.protocol.write_get(items, numbers, &mut self.outbox),
            Kind::Set => self.protocol.write_set(items, numbers[0], self.ttl_s, &mut self.outbox),
            Kind::Wait => {}
        }
        self.pending.push(Pending { kind, end: self.numbers.len(), due });
        if kind == Kind::Set && self.wait == Some(Wait::Each) {
            self.wait(due);
        }
    }

    /// Ends the batch.
    pub(super) fn close(&mut self) {
        let last_write = self.pending.iter().rev().find(|pending| pending.kind == Kind::Set);
        if let (Some(Wait::Batch), Some(&Pending { due, .. })) = (self.wait, last_write) {
            self.wait(due);
        }
    }

    fn wait(&mut self, due: Instant) {
        Protocol::write_wait(&mut self.outbox);
        self.pending.push(Pending { kind: Kind::Wait, end: self.numbers.len(), due });
        self.waits += 1;
    }

    /// Requests of the batch.
    pub(super) fn asked(&self) -> usize {
        self.pending.len() - self.waits
    }

    /// Requests of the batch that were answered.
    pub(super) fn answered(&self) -> usize {
        self.answered - self.waited
    }

    /// Sends the batch and reads until all of it is answered.
    pub(super) fn poll_exchange(
        &mut self,
        context: &mut Context<'_>,
        desk: &mut Desk<'_>,
    ) -> Poll<Result<(), LoadError>> {
        loop {
            if let Poll::Ready(Err(error)) = self.poll_send(context, desk.tally) {
                return Poll::Ready(Err(self.broken(Some(error))));
            }
            if self.answered == self.pending.len() {
                return Poll::Ready(Ok(()));
            }
            match ready!(self.poll_receive(context)) {
                Ok(0) => return Poll::Ready(Err(self.broken(None))),
                Ok(bytes) => desk.tally.received_bytes += bytes as u64,
                Err(error) => return Poll::Ready(Err(self.broken(Some(error)))),
            }
            if let Err(error) = self.read_answers(desk) {
                return Poll::Ready(Err(error));
            }
        }
    }

    /// The count of answers is the whole run's and is filled in by who knows it.
    fn broken(&self, error: Option<io::Error>) -> LoadError {
        LoadError::Closed { answered: self.answered() as u64, error }
    }

    fn poll_send(&mut self, context: &mut Context<'_>, tally: &mut Tally) -> Poll<io::Result<()>> {
        while self.sent < self.outbox.len() {
            let bytes = ready!(self.link.poll_write(context, &self.outbox[self.sent..]))?;
            self.sent += bytes;
            tally.sent_bytes += bytes as u64;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let bytes = ready!(self.link.poll_read(context, &mut self.inbox[self.unread.end..]))?;
        self.unread.end += bytes;
        Poll::Ready(Ok(bytes))
    }

    /// Takes all whole pieces out of the inbox, and makes room for the rest of
    /// one that is not.
    fn read_answers(&mut self, desk: &mut Desk<'_>) -> Result<(), LoadError> {
        let now = Instant::now();
        // The pieces borrow it while the rest of the session is changed.
        let inbox = std::mem::take(&mut self.inbox);
        let mut needed = 0;
        let mut result = Ok(());
        while !self.unread.is_empty() {
            match self.protocol.read(&inbox[self.unread.clone()]) {
                Reading::Whole(piece, used) => {
                    self.unread.start += used;
                    self.take(piece, now, desk);
                }
                Reading::Partial(bytes) => {
                    needed = bytes;
                    break;
                }
                Reading::Bad(what) => {
                    result = Err(LoadError::Unreadable(what.to_owned()));
                    break;
                }
            }
        }
        self.inbox = inbox;
        self.make_room(needed);
        result
    }

    fn make_room(&mut self, needed: usize) {
        if self.unread.is_empty() {
            self.unread = 0..0;
        } else if self.unread.start + needed >= self.inbox.len() {
            self.inbox.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
        if needed >= self.inbox.len() {
            self.inbox.resize(needed.next_power_of_two() * 2, 0);
        }
    }

    /// Holds a piece against the request that it must belong to.
    fn take(&mut self, piece: Piece<'_>, now: Instant, desk: &mut Desk<'_>) {
        let Some(&Pending { kind, end, .. }) = self.pending.get(self.answered) else {
            desk.tally.mistake(|| format!("nothing was asked, but came {}", shown(piece)));
            return;
        };
        match (kind, piece) {
            (Kind::Set, Piece::Stored) | (Kind::Wait, Piece::Replicas(1..)) => {
                self.finish(now, desk);
            }
            (Kind::Get, Piece::Elements(count)) if self.elements.is_none() => {
                self.elements = Some(count);
                self.finish_if(count == 0, now, desk);
            }
            (Kind::Get, Piece::End) if self.elements.is_none() => {
                self.misses(end, desk);
                self.finish(now, desk);
            }
            (Kind::Get, Piece::Value { key, value }) => {
                self.value(key, value, end, desk);
                self.count_element(key, now, desk);
            }
            (Kind::Get, Piece::Nil) => {
                self.misses((self.next + 1).min(end), desk);
                self.count_element(None, now, desk);
            }
            (_, wrong) => {
                desk.tally.mistake(|| format!("{kind:?} was answered by {}", shown(wrong)));
                self.finish(now, desk);
            }
        }
    }

    /// A value without its key is the whole answer, or the next element of one;
    /// after one with its key more may come.
    fn count_element(&mut self, key: Option<&[u8]>, now: Instant, desk: &mut Desk<'_>) {
        match (&mut self.elements, key) {
            (Some(left), _) => {
                *left -= 1;
                let is_last = *left == 0;
                self.finish_if(is_last, now, desk);
            }
            (None, None) => self.finish(now, desk),
            (None, Some(_)) => {}
        }
    }

    fn value(&mut self, key: Option<&[u8]>, value: &[u8], end: usize, desk: &mut Desk<'_>) {
        let rest = &self.numbers[self.next..end];
        let place = match key {
            None => (!rest.is_empty()).then_some(0),
            Some(key) => {
                let number = desk.items.number(key);
                rest.iter().position(|&asked| Some(asked) == number)
            }
        };
        let Some(place) = place else {
            let key = key.unwrap_or_default().escape_ascii().to_string();
            desk.tally.mistake(|| format!("a value that was not asked for, of key `{key}`"));
            return;
        };
        self.misses(self.next + place, desk);
        let number = self.numbers[self.next];
        self.next += 1;
        desk.tally.hits += 1;
        desk.tally.cold_hits += u64::from(number >= desk.items.count());
        if self.scrutiny == Scrutiny::Values && value != desk.items.value(number) {
            desk.tally.mistake(|| format!("the value of key number {number} is another one"));
        }
    }

    /// No value comes for the keys before this place.
    fn misses(&mut self, place: usize, desk: &mut Desk<'_>) {
        for &number in &self.numbers[self.next..place] {
            desk.traffic.missed(number);
        }
        self.next = place;
    }

    fn finish_if(&mut self, is_last: bool, now: Instant, desk: &mut Desk<'_>) {
        if is_last {
            self.finish(now, desk);
        }
    }

    /// Counts the first unanswered request as answered.
    fn finish(&mut self, now: Instant, desk: &mut Desk<'_>) {
        let Pending { kind, end, due } = self.pending[self.answered];
        let start = self.answered.checked_sub(1).map_or(0, |before| self.pending[before].end);
        match kind {
            Kind::Set => desk.tally.sets += 1,
            Kind::Wait => self.waited += 1,
            Kind::Get => {
                let is_cold = self.numbers[start] >= desk.items.count();
                desk.tally.gets += 1;
                desk.tally.keys += (end - start) as u64;
                desk.tally.cold_keys += u64::from(is_cold);
            }
        }
        match kind {
            // It is not written as it should be before a replica has it.
            Kind::Set if self.wait.is_some() => self.held.push(due),
            Kind::Set | Kind::Get => desk.tally.took(now.saturating_duration_since(due)),
            Kind::Wait => {
                let held = self.held.drain(..);
                held.for_each(|due| desk.tally.took(now.saturating_duration_since(due)));
            }
        }
        (self.answered, self.next, self.elements) = (self.answered + 1, end, None);
    }
}

/// A piece for a message, cut short.
fn shown(piece: Piece<'_>) -> String {
    match piece {
        Piece::Other(line) => format!("`{}`", line[..line.len().min(100)].escape_ascii()),
        Piece::Value { value, .. } => format!("a value of {} bytes", value.len()),
        Piece::Nil => "no value".to_owned(),
        Piece::Elements(count) => format!("{count} elements"),
        Piece::Stored => "that it was stored".to_owned(),
        Piece::Replicas(count) => format!("that {count} replicas have it"),
        Piece::End => "the end of values".to_owned(),
    }
}
