//! A worker: one thread, its connections, and the buffers they share.
//!
//! Nothing on the way of a request crosses from one worker to another.

use super::Answerer;
use super::accept::Accepted;
use super::budget::{Budget, OverBudget, in_steps};
use super::census::{Arrival, Census, Counts, Member, Summons, Ticket, Worker};
use super::connection::Connection;
use super::events::{End, Event};
use super::output::Output;
use super::patience::Patience;
use super::round::{Bell, Round};
use super::socket::Socket;
use super::stop::{Stop, StopListener};
use crate::limits::{HANDSHAKE_S, INPUT_BYTES};
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::task::Poll;
use std::time::Duration;
use std::{fmt, io};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsAcceptor;

/// How often a worker looks at the clock, and at the patience it has with each
/// of its connections.
const TICK: Duration = Duration::from_secs(1);

/// Seconds between two such looks after which the worker did not stand still in
/// between: a tick that comes late may show on a clock of whole seconds as two.
const TICKS_APART_S: u32 = 2;

/// Turns of the worker's tasks before the runtime looks for clocks, arrivals and
/// the end, while connections are busy.
const POLLS_BEFORE_EVENTS: u32 = 8;

/// What a worker's connections share.
pub(super) struct Bench {
    pub(super) input: RefCell<Box<[u8]>>,
    pub(super) output: RefCell<Output>,
    budget: Arc<Budget>,
    census: Arc<Census>,
    index: usize,
    /// As of the last tick: nobody reads a clock for each request.
    now_s: Cell<u32>,
    /// Of the connection that has its turn.
    heard: Cell<Heard>,
    pub(super) bell: Arc<Bell>,
    /// Told when the last connection has gone.
    empty: Notify,
}

/// What a worker has heard of a connection's socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Something may be there to be read.
    pub(super) some: bool,
    /// A read that brings little does not say that no more is there: the client has ended
    /// its side, or sent an urgent byte, before which a read ends. The worker hears of
    /// that but once.
    pub(super) more: bool,
}

impl fmt::Debug for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bench").field("index", &self.index).finish_non_exhaustive()
    }
}

impl Bench {
    fn new(index: usize, census: Arc<Census>, budget: Arc<Budget>) -> Self {
        Self {
            input: RefCell::new(vec![0; INPUT_BYTES].into()),
            output: RefCell::default(),
            budget,
            now_s: Cell::new(census.clock_s()),
            census,
            index,
            heard: Cell::default(),
            bell: Arc::default(),
            empty: Notify::new(),
        }
    }

    pub(super) fn tally(&self) -> &Worker {
        self.census.worker(self.index)
    }

    pub(super) fn counts(&self) -> &Counts {
        self.census.counts()
    }

    pub(super) fn now_s(&self) -> u32 {
        self.now_s.get()
    }

    /// A connection has its turn, of whose socket this was heard.
    pub(super) fn begin_turn(&self, heard: Heard) {
        self.heard.set(heard);
    }

    /// What was heard of its socket, without what it has read.
    pub(super) fn heard(&self) -> Heard {
        self.heard.get()
    }

    /// It has read all there is. Of what comes from now on the worker will hear.
    pub(super) fn read_all(&self) {
        self.heard.update(|heard| Heard { some: heard.more, ..heard });
    }

    /// Something may be there of which the worker has not heard.
    pub(super) fn look_again(&self) {
        self.heard.update(|heard| Heard { some: true, ..heard });
    }

    fn is_empty(&self) -> bool {
        self.tally().members().is_empty()
    }

    /// Cuts the connections that are overdue. Where the worker itself stood still, for
    /// whatever reason, nobody is blamed for that time: what came then is not read yet.
    fn sweep(&self, patience: &Patience) {
        let before_s = self.now_s.replace(self.census.clock_s());
        let went_by_s = self.now_s() - before_s;
        for member in self.tally().members().all() {
            if went_by_s > TICKS_APART_S {
                member.forgive(went_by_s, self.now_s());
            }
            if let Some(overdue) = patience.overdue(member, self.now_s()) {
                overdue.count(self.counts(), member);
                member.summon(Summons::Cut);
            }
        }
    }

    fn finish_all(&self) {
        for member in self.tally().members().all() {
            member.ends_by(End::Shutdown);
            member.summon(Summons::Finish);
        }
    }
}

/// A connection's place at a worker's bench; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) bench: Rc<Bench>,
    pub(super) member: Arc<Member>,
}

impl Seat {
    fn new(bench: &Rc<Bench>, arrival: Arrival, ticket: Ticket) -> Self {
        let member = |seat| Member::new(&bench.census, arrival, seat, &bench.bell);
        let member = bench.tally().members().add(member);
        bench.census.tell(&Event::Opened(&member));
        // The seat gives the place back.
        ticket.keep();
        Self { bench: Rc::clone(bench), member }
    }

    /// Pays for what the connection holds, or gets back what it holds no more. Where
    /// nothing is left, others make room: for one that `writes` who takes no answers,
    /// and else the one that holds most; if that is this one, it is over its budget.
    /// One that is to make room gets no more.
    #[inline]
    pub(super) fn pay(&mut self, bytes: usize, writes: bool) -> Result<(), OverBudget> {
        let (paid, bytes) = (self.member.held(), in_steps(bytes));
        if paid == bytes {
            return Ok(());
        }
        self.pay_anew(paid, bytes, writes)
    }

    fn pay_anew(&mut self, paid: usize, bytes: usize, writes: bool) -> Result<(), OverBudget> {
        let budget = &self.bench.budget;
        if let Err(over) = budget.resize(paid, bytes, 0) {
            if self.member.summons() == Summons::MakeRoom {
                return Err(over);
            }
            let coming = self.bench.census.make_room(over.short, bytes, writes);
            budget.resize(paid, bytes, coming)?;
        }
        self.member.hold(bytes);
        Ok(())
    }

    /// Whether the connection holds anything that was paid for.
    pub(super) fn holds(&self) -> bool {
        self.member.held() > 0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.bench.census.tell(&Event::Closed(&self.member, self.member.reason()));
        let mut members = self.bench.tally().members();
        members.remove(&self.member);
        // Before anybody looks who might make room.
        self.bench.budget.give_back(self.member.held());
        if members.is_empty() {
            self.bench.empty.notify_one();
        }
        drop(members);
        self.bench.census.leave();
    }
}

/// What a worker is made of.
pub(super) struct Job {
    pub(super) index: usize,
    pub(super) census: Arc<Census>,
    pub(super) budget: Arc<Budget>,
    pub(super) patience: Patience,
    pub(super) grace: Duration,
    pub(super) arrivals: mpsc::UnboundedReceiver<Accepted>,
    pub(super) stop: StopListener,
    /// Dropped when nobody is served any more.
    pub(super) serves: Sender<Infallible>,
}

/// Serves until the node stops.
pub(super) fn work(job: Job, answerer: impl Answerer) -> io::Result<()> {
    let runtime = Builder::new_current_thread()
        .event_interval(POLLS_BEFORE_EVENTS)
        .enable_all()
        .build_local(LocalOptions::default())?;
    runtime.block_on(serve(job, answerer))
}

async fn serve(mut job: Job, mut answerer: impl Answerer) -> io::Result<()> {
    let bench = Rc::new(Bench::new(job.index, job.census, job.budget));
    let round = Rc::new(Round::new(&bench)?);
    let turns = Rc::clone(&round);
    let mut turns = tokio::task::spawn_local(async move { turns.serve().await });
    let beside = tokio::task::spawn_local(answerer.beside());
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stop = loop {
        tokio::select! {
            stop = job.stop.stopped() => break stop,
            ended = &mut turns => return ended?,
            Some(accepted) = job.arrivals.recv() => open(&round, accepted, &mut answerer),
            _ = tick.tick() => bench.sweep(&job.patience),
        }
    };
    if stop == Stop::Graceful {
        let finish = async {
            // Ends when the acceptor has gone.
            while let Some(accepted) = job.arrivals.recv().await {
                open(&round, accepted, &mut answerer);
            }
            finish(&bench).await;
        };
        tokio::select! {
            () = finish => {}
            () = keep_sweeping(&bench, &job.patience, tick) => {}
            () = job.stop.out_of_grace(job.grace) => {}
        }
    }
    turns.abort();
    let _ = turns.await;
    drop((round, job.serves));
    // A panic there was told, and has ended it.
    let _ = beside.await;
    Ok(())
}

/// Those who end have no more patience for it than others.
async fn keep_sweeping(bench: &Bench, patience: &Patience, mut tick: Interval) {
    loop {
        tick.tick().await;
        bench.sweep(patience);
    }
}

/// Lets every connection answer what has arrived.
async fn finish(bench: &Bench) {
    bench.finish_all();
    while !bench.is_empty() {
        bench.empty.notified().await;
    }
}

/// Makes a connection of a socket. One that is no good is dropped.
fn open(round: &Round, accepted: Accepted, answerer: &mut impl Answerer) {
    let Accepted { socket, arrival, tls, ticket } = accepted;
    let bench = round.bench();
    let seat = Seat::new(bench, arrival, ticket);
    bench.counts().total.fetch_add(1, Ordering::Relaxed);
    let (member, answer) = (Arc::clone(&seat.member), answerer.answer(&seat.member));
    let socket = Socket::new(socket, bench);
    // Dropped, it is closed: there is nobody to tell.
    let _ = match tls {
        None => round.add(&member, Connection::new(socket, answer, seat)),
        Some(tls) => round.add(&member, secure(socket, tls.acceptor(), answer, seat)),
    };
}

/// Shakes hands, then serves.
async fn secure<A>(socket: Socket, acceptor: TlsAcceptor, answer: A, seat: Seat)
where
    A: super::Answer + Unpin + 'static,
{
    // In a box, so that the connection does not keep the room for it.
    let handshake = Box::pin(timeout(Duration::from_secs(HANDSHAKE_S), acceptor.accept(socket)));
    match unless_summoned(&seat, handshake).await {
        None => {}
        Some(Ok(Ok(stream))) => Connection::new(stream, answer, seat).await,
        Some(_) => {
            seat.bench.counts().handshake_errors.fetch_add(1, Ordering::Relaxed);
            seat.member.ends_by(End::Handshake);
        }
    }
}

/// Goes on until it is done, or the connection is to end: at once, or when all that has
/// arrived was looked at.
async fn unless_summoned<F: Future + Unpin>(seat: &Seat, mut work: F) -> Option<F::Output> {
    poll_fn(|cx| {
        let summons = seat.member.summons();
        match summons {
            Summons::Cut => return Poll::Ready(None),
            Summons::Finish => seat.bench.look_again(),
            Summons::MakeRoom | Summons::None => {}
        }
        match Pin::new(&mut work).poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if summons == Summons::Finish => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
