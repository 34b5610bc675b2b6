//! One connection to a client: reads, has it answered, writes.
//!
//! A turn takes what is in the socket, answers all of it and writes once. What
//! comes in and what goes out passes through the worker's buffers, which all its
//! connections share: nothing is awaited between a read and the end of its
//! answers. Only an unfinished request, a large value on its way in, and answers
//! that the client does not take are a connection's own, so an idle one holds no
//! buffer.
//!
//! While answers wait to be taken nothing is read: whoever does not listen is not
//! asked what else he wants.

use super::census::{Phase, Summons};
use super::events::End;
use super::held::{Body, Held};
use super::stream::{Stream, poll_send};
use super::worker::Seat;
use super::{Answer, Next, Output, Progress};
use crate::limits::{
    INPUT_BEFORE_BULK_BYTES, INPUT_JOINED_BYTES_MAX, INPUT_KEPT_BYTES_MAX, PARTING_BYTES_MAX,
};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use tokio::io::ReadBuf;

/// After large values of so many bytes together a connection's turn is over.
const BULK_BYTES: usize = 256 << 10;

/// What a client reads whose request finds no memory.
const OUT_OF_MEMORY: &[u8] = b"SERVER_ERROR out of memory reading request\r\n";

/// What a client reads whose request does not end.
const TOO_LONG: &[u8] = b"CLIENT_ERROR line too long\r\n";

/// A connection, from its first byte to its end.
#[derive(Debug)]
pub(super) struct Connection<S, A> {
    stream: S,
    answer: A,
    seat: Seat,
    held: Option<Box<Held>>,
    step: Step,
    /// Whether large values come: of what is read with their heads little is
    /// to be copied.
    bulky: bool,
}

/// What to do once all answers are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Read.
    Read,
    /// Answer what is kept.
    Again,
    /// Read the rest of a large value.
    Body,
    /// Wait for answers that come from elsewhere.
    Wait,
    /// End.
    Close,
    /// End in the middle of an answer.
    Abandon,
    /// End, though the client may be sending on.
    Refuse,
    /// Pass over what comes, up to a limit, from a client that was refused, so that
    /// he reads why: of a socket that is closed with input in it nothing more is read.
    PassOver,
}

impl<S: Stream, A: Answer> Connection<S, A> {
    pub(super) fn new(stream: S, answer: A, seat: Seat) -> Self {
        Self { stream, answer, seat, held: None, step: Step::Read, bulky: false }
    }

    /// Turn after turn, until there is nothing to do.
    fn poll_turns(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut value_bytes = 0;
        loop {
            match self.seat.member.summons() {
                Summons::Cut => return self.cut(cx),
                Summons::MakeRoom if self.seat.holds() => self.refuse(OUT_OF_MEMORY),
                // It has given all back since, and is as good as any other.
                Summons::MakeRoom => self.seat.member.made_room(),
                // What has arrived is answered, though the worker has not heard of it yet.
                Summons::Finish => self.seat.bench.look_again(),
                Summons::None => {}
            }
            ready!(self.poll_unsent(cx))?;
            let turn = match self.step {
                Step::Close => return self.poll_goodbye(cx),
                Step::Refuse => {
                    ready!(self.poll_goodbye(cx))?;
                    self.step = Step::PassOver;
                    Turn::Done
                }
                Step::Abandon => return Poll::Ready(Ok(())),
                Step::PassOver => match self.poll_pass_over(cx)? {
                    Poll::Ready(turn) => turn,
                    // That is soon over, if the node stops or not.
                    Poll::Pending => return Poll::Pending,
                },
                Step::Again => self.answer_kept(cx)?,
                Step::Wait | Step::Read if self.answer.has_news(cx.waker()) => {
                    self.answer_kept(cx)?
                }
                // What waits has a deadline of its own, and a node that stops
                // waits for it.
                Step::Wait => return Poll::Pending,
                Step::Read => match self.poll_input(cx)? {
                    Poll::Ready(turn) => turn,
                    Poll::Pending => return self.wait_or_finish(cx),
                },
                Step::Body => {
                    value_bytes += self.body().map_or(0, Body::wanted);
                    match self.poll_body(cx)? {
                        // After much, others come first.
                        Poll::Ready(()) if value_bytes >= BULK_BYTES => Turn::More,
                        Poll::Ready(()) => Turn::Done,
                        Poll::Pending => return self.wait_or_finish(cx),
                    }
                }
            };
            if turn == Turn::More {
                self.seat.bench.tally().count_yield();
                // Queued behind all who are ready, and behind a look at the
                // sockets.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// What it holds of its own, to be added to.
    fn held(&mut self) -> &mut Held {
        self.held.get_or_insert_default()
    }

    fn body(&self) -> Option<&Body> {
        self.held.as_ref()?.body.as_ref()
    }

    /// Whether answers wait to be taken.
    fn is_sending(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.unsent.is_some())
    }

    /// There is no more input for now: a node that stops has answered all that
    /// had arrived. It ends once the answers are sent, and not in the system's hands.
    fn wait_or_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.seat.member.summons() < Summons::Finish {
            return Poll::Pending;
        }
        if !self.stream.socket().is_sent() {
            self.seat.member.enter(Phase::Sending, self.seat.bench.now_s());
            return Poll::Pending;
        }
        self.step = Step::Close;
        self.poll_goodbye(cx)
    }

    /// Ends the own side: the client sees that nothing was cut off.
    fn poll_goodbye(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.seat.member.enter(Phase::Parting, self.seat.bench.now_s());
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    /// Ends at once. In the middle of an answer there is no parting word: what came
    /// would look like all of it.
    fn cut(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_sending() {
            // Nobody waits for it to get through.
            let _ = self.poll_goodbye(cx)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads, and drops what comes.
    fn poll_pass_over(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Turn>> {
        let bench = Rc::clone(&self.seat.bench);
        let input = &mut *bench.input.borrow_mut();
        let mut free = ReadBuf::new(input);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut free))?;
        let came = free.filled().len();
        bench.tally().count_read(came);
        self.seat.member.moves(came, bench.now_s());
        if came == 0 || self.seat.member.moved() as usize >= PARTING_BYTES_MAX {
            self.step = Step::Close;
        }
        Poll::Ready(Ok(if free.remaining() == 0 { Turn::More } else { Turn::Done }))
    }

    /// Sends what waits.
    fn poll_unsent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(Held { unsent: Some(out), .. }) = self.held.as_deref_mut() else {
            return Poll::Ready(Ok(()));
        };
        let before = out.len();
        let sent = poll_send(&mut self.stream, cx, out);
        let moved = before - out.len();
        self.seat.bench.tally().count_written(moved);
        self.seat.member.moves(moved, self.seat.bench.now_s());
        if sent.is_pending() {
            // Values that are sent are paid for no longer.
            self.pay();
            return Poll::Pending;
        }
        ready!(sent)?;
        self.held().unsent = None;
        self.settle();
        Poll::Ready(Ok(()))
    }

    /// Reads once, and answers all that is whole.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Turn>> {
        let bench = Rc::clone(&self.seat.bench);
        let input = &mut *bench.input.borrow_mut();
        // A short beginning is joined to what follows it; a long one would be
        // copied again with every read.
        let kept = self.held.as_ref().map_or(&[][..], |held| &held.kept);
        let joined = if kept.len() > INPUT_JOINED_BYTES_MAX { &[] } else { kept };
        input[..joined.len()].copy_from_slice(joined);
        let (kept, joined) = (kept.len(), joined.len());
        let most = if self.bulky { INPUT_BEFORE_BULK_BYTES } else { input.len() };
        let mut free = ReadBuf::new(&mut input[joined..most]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut free))?;
        let (came, is_full) = (free.filled().len(), free.remaining() == 0);
        if came == 0 {
            self.step = Step::Close;
            return Poll::Ready(Ok(Turn::Done));
        }
        bench.tally().count_read(came);
        if joined < kept {
            self.held().kept.extend_from_slice(&input[..came]);
            return Poll::Ready(self.answer_kept(cx));
        }
        let input = &input[..joined + came];
        let used = self.answer(input, cx)?;
        self.keep(&input[used..]);
        self.settle();
        let in_body = self.step == Step::Body;
        self.bulky = in_body || self.bulky && !is_full;
        let more = is_full && !in_body || self.step == Step::Again;
        Poll::Ready(Ok(if more { Turn::More } else { Turn::Done }))
    }

    /// Answers what is kept.
    fn answer_kept(&mut self, cx: &mut Context<'_>) -> io::Result<Turn> {
        let mut kept = self.held.as_mut().map_or(Vec::new(), |held| std::mem::take(&mut held.kept));
        let used = self.answer(&kept, cx)?;
        if used < kept.len() {
            kept.drain(..used);
            self.held().kept = kept;
        }
        self.settle();
        Ok(if self.step == Step::Again { Turn::More } else { Turn::Done })
    }

    /// Remembers input for the next turn. Nothing to remember takes no memory.
    fn keep(&mut self, rest: &[u8]) {
        match &mut self.held {
            Some(held) if rest.is_empty() => held.kept = Vec::new(),
            None if rest.is_empty() => {}
            held => {
                let kept = &mut held.get_or_insert_default().kept;
                kept.clear();
                kept.extend_from_slice(rest);
            }
        }
    }

    /// Has all of the input answered that is whole, and sends the answers. Says
    /// how many bytes are done with.
    fn answer(&mut self, input: &[u8], cx: &mut Context<'_>) -> io::Result<usize> {
        let bench = Rc::clone(&self.seat.bench);
        let out = &mut *bench.output.borrow_mut();
        out.clear();
        let mut used = 0;
        self.step = loop {
            let Progress { used: more, next } = self.answer.answer(&input[used..], out);
            used += more;
            if let Some(step) = self.follow(next, input, &mut used, out) {
                break step;
            }
        };
        if used > 0 {
            self.seat.member.answered(bench.now_s());
        }
        self.send(out, cx)?;
        Ok(used)
    }

    /// Where a turn ends after an answer; nowhere yet, if there may be more to
    /// answer in the input.
    fn follow(
        &mut self,
        mut next: Next,
        input: &[u8],
        used: &mut usize,
        out: &mut Output,
    ) -> Option<Step> {
        let mut after_body = false;
        loop {
            let wanted = match next {
                Next::Read if after_body && *used < input.len() => return None,
                Next::Read => return Some(Step::Read),
                Next::Write => return Some(Step::Again),
                Next::Wait => return Some(Step::Wait),
                Next::Close if *used == input.len() => return Some(Step::Close),
                Next::Close => {
                    *used = input.len();
                    self.seat.member.ends_by(End::Refused);
                    return Some(Step::Refuse);
                }
                Next::Body(wanted) => wanted,
            };
            let there = wanted.min(input.len() - *used);
            let body = Body::new(&input[*used..][..there], wanted, &mut self.answer);
            *used += there;
            if !body.is_whole() {
                self.held().body = Some(body);
                return Some(Step::Body);
            }
            next = self.answer.body(body.whole(), out).next;
            after_body = true;
        }
    }

    /// Writes at once. What the client does not take becomes the connection's.
    fn send(&mut self, out: &mut Output, cx: &mut Context<'_>) -> io::Result<()> {
        let before = out.len();
        let sent = poll_send(&mut self.stream, cx, out);
        self.seat.bench.tally().count_written(before - out.len());
        match sent {
            Poll::Ready(sent) => sent,
            Poll::Pending => {
                self.held().unsent = Some(out.take_rest());
                Ok(())
            }
        }
    }

    /// Reads more of a large value, and has it answered when it is whole.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(body) = self.held.as_mut().and_then(|held| held.body.as_mut()) else {
            return Poll::Ready(Ok(()));
        };
        while !body.is_whole() {
            let bench = &self.seat.bench;
            let came = ready!(body.poll_read(&mut self.stream, &mut self.answer, bench, cx))?;
            if came == 0 {
                self.step = Step::Close;
                return Poll::Ready(Ok(()));
            }
            self.seat.bench.tally().count_read(came);
            self.seat.member.moves(came, self.seat.bench.now_s());
            if self.seat.pay(body.bytes(), true).is_err() {
                self.refuse(OUT_OF_MEMORY);
                return Poll::Ready(Ok(()));
            }
        }
        let body = self.held().body.take().map_or(Vec::new(), Body::whole);
        let bench = Rc::clone(&self.seat.bench);
        let out = &mut *bench.output.borrow_mut();
        out.clear();
        let next = self.answer.body(body, out).next;
        self.step = match next {
            Next::Read => Step::Read,
            Next::Write => Step::Again,
            Next::Wait => Step::Wait,
            Next::Close => Step::Close,
            Next::Body(wanted) => {
                self.held().body = Some(Body::new(&[], wanted, &mut self.answer));
                Step::Body
            }
        };
        self.seat.member.answered(bench.now_s());
        self.send(out, cx)?;
        self.settle();
        Poll::Ready(Ok(()))
    }

    /// Pays for what is held, or gives it back. A large value that many wait for is
    /// paid for by each: the store may let go of it, and then it is theirs.
    fn pay(&mut self) {
        let bytes = self.held.as_ref().map_or(0, |held| held.bytes());
        if self.seat.pay(bytes, self.step == Step::Body).is_err() {
            self.refuse(OUT_OF_MEMORY);
        }
    }

    /// After a turn: pays for what is held, and tells what it is waiting for.
    fn settle(&mut self) {
        self.held.take_if(|held| held.is_nothing());
        self.pay();
        if self.held.as_ref().is_some_and(|held| held.kept.len() > INPUT_KEPT_BYTES_MAX) {
            self.refuse(TOO_LONG);
        }
        let phase = match self.step {
            _ if self.is_sending() => Phase::Sending,
            Step::Close | Step::Abandon | Step::Refuse | Step::PassOver => Phase::Parting,
            Step::Body => Phase::Body,
            // No body and no answers: it is the beginning of a request.
            _ if self.held.is_some() => Phase::Head,
            _ => Phase::Idle,
        };
        self.seat.member.enter(phase, self.seat.bench.now_s());
    }

    /// Gives back all it holds, says why, and ends. Answers that wait are lost:
    /// they may be what there is no room for.
    fn refuse(&mut self, why: &[u8]) {
        if why == OUT_OF_MEMORY {
            self.seat.bench.counts().read_buf_oom.fetch_add(1, Ordering::Relaxed);
            self.seat.member.ends_by(End::OutOfMemory);
        }
        self.seat.member.ends_by(End::Refused);
        // In the middle of an answer a text would be read as part of it.
        self.step = if self.is_sending() { Step::Abandon } else { Step::Refuse };
        self.held = None;
        if self.step == Step::Refuse {
            let mut out = Output::default();
            out.bytes().extend_from_slice(why);
            self.held().unsent = Some(out);
        }
        // To hold nothing is always paid for.
        let _ = self.seat.pay(0, false);
    }
}

/// Whether a turn left something to do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Done,
    /// More input is likely there; others come first.
    More,
}

impl<S: Stream, A: Answer + Unpin> Future for Connection<S, A> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // An error of the socket is its end; there is nobody to tell.
        self.poll_turns(cx).map(|end| {
            if end.is_err() {
                self.seat.member.ends_by(End::Error);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::census::Member;
    use super::super::socket::Socket;
    use super::Connection;

    /// Ten thousand idle connections are to take less memory than memcached's.
    #[test]
    fn an_idle_connection_is_small() {
        // With what understands it, 56 bytes for a session.
        assert!(size_of::<Connection<Socket, [u64; 7]>>() <= 104);
        // With the two counts of those who hold it.
        assert!(size_of::<Member>() + 16 <= 88);
    }
}
