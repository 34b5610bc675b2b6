//! Which of a worker's connections have something to do, and their turns.
//!
//! The runtime would keep a task and a registration for each connection, most
//! of a kilobyte for one that says nothing. So a worker watches the sockets
//! itself, and the runtime watches only that watch.

use super::census::Member;
use super::worker::{Bench, Heard};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll as Sockets, Token};
use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::Interest as Watched;
use tokio::io::unix::AsyncFd;

/// Sockets that one look tells of, at most.
const EVENTS_MAX: usize = 256;

/// Looks at the sockets before others on this thread have their turn.
const LOOKS: usize = 4;

/// The connections of a worker, and what wakes them.
pub(super) struct Round {
    bench: Rc<Bench>,
    sockets: RefCell<AsyncFd<Sockets>>,
    /// By the seat's number.
    turns: RefCell<Vec<Option<Turns>>>,
    /// What was heard of each socket, by the same number.
    heard: RefCell<Vec<Heard>>,
}

/// One connection: what is polled, and the waker that it is polled with.
struct Turns {
    connection: Pin<Box<dyn Future<Output = ()>>>,
    waker: Waker,
}

/// Tells a worker, from anywhere, which connections want a turn though nothing
/// happened at their sockets.
#[derive(Debug, Default)]
pub(super) struct Bell(Mutex<Rung>);

#[derive(Debug, Default)]
struct Rung {
    seats: Vec<u32>,
    worker: Option<Waker>,
}

impl Bell {
    pub(super) fn ring(&self, seat: u32) {
        let mut rung = self.rung();
        // Who rings on and on before he is heard is heard once.
        if rung.seats.last() == Some(&seat) {
            return;
        }
        rung.seats.push(seat);
        // For the first only: who hears it takes all.
        let worker = if rung.seats.len() == 1 { rung.worker.clone() } else { None };
        drop(rung);
        if let Some(worker) = worker {
            worker.wake();
        }
    }

    /// Takes those who rang. The worker hears of the next one by this waker.
    fn take(&self, into: &mut Vec<u32>, worker: &Waker) {
        let mut rung = self.rung();
        std::mem::swap(&mut rung.seats, into);
        // A turn that a socket led to may have rung beside the one that was rung
        // for: two turns would become three, and so on.
        into.sort_unstable();
        into.dedup();
        if !rung.worker.as_ref().is_some_and(|known| known.will_wake(worker)) {
            rung.worker = Some(worker.clone());
        }
    }

    fn rung(&self) -> MutexGuard<'_, Rung> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Round {
    /// Nobody yet. Belongs to the runtime that this is called in.
    pub(super) fn new(bench: &Rc<Bench>) -> io::Result<Self> {
        #[expect(
            deprecated,
            reason = "the other way to say it is unsafe; this watch keeps its descriptor"
        )]
        let sockets = AsyncFd::with_interest(Sockets::new()?, Watched::READABLE)?;
        let sockets = RefCell::new(sockets);
        let (turns, heard) = (RefCell::default(), RefCell::default());
        Ok(Self { bench: Rc::clone(bench), sockets, turns, heard })
    }

    pub(super) fn bench(&self) -> &Rc<Bench> {
        &self.bench
    }

    /// Takes a connection in, which gets its first turn soon.
    pub(super) fn add(
        &self,
        member: &Arc<Member>,
        connection: impl Future<Output = ()> + 'static,
    ) -> io::Result<()> {
        let seat = member.seat as usize;
        let all = Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY;
        let socket: RawFd = member.descriptor;
        let sockets = self.sockets.borrow();
        sockets.get_ref().registry().register(&mut SourceFd(&socket), Token(seat), all)?;
        let (mut turns, mut heard) = (self.turns.borrow_mut(), self.heard.borrow_mut());
        if turns.len() <= seat {
            turns.resize_with(seat + 1, || None);
            heard.resize(seat + 1, Heard::default());
        }
        // Something may have come before it was watched.
        heard[seat] = Heard { some: true, more: false };
        let waker = Waker::from(Arc::clone(member));
        waker.wake_by_ref();
        turns[seat] = Some(Turns { connection: Box::pin(connection), waker });
        Ok(())
    }

    /// Serves for as long as it is polled.
    pub(super) async fn serve(&self) -> io::Result<()> {
        let (mut events, mut rung) = (Events::with_capacity(EVENTS_MAX), Vec::new());
        std::future::poll_fn(|cx| {
            for _ in 0..LOOKS {
                self.bench.bell.take(&mut rung, cx.waker());
                let anybody_rang = !rung.is_empty();
                rung.drain(..).for_each(|seat| self.turn(seat as usize));
                if self.look(cx, &mut events)? {
                    continue;
                }
                if !anybody_rang {
                    return Poll::Pending;
                }
                // Who rings is busy, and the others must not wait until the
                // runtime comes to look.
                self.look_now(&mut events)?;
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    /// Gives a turn to all whose sockets have something. False if there is no need
    /// to look: then the runtime wakes this task when there is.
    fn look(&self, cx: &mut Context<'_>, events: &mut Events) -> io::Result<bool> {
        let mut sockets = self.sockets.borrow_mut();
        let Poll::Ready(ready) = sockets.poll_read_ready_mut(cx) else { return Ok(false) };
        let mut ready = ready?;
        match ready.get_inner_mut().poll(events, Some(Duration::ZERO)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            looked => looked?,
        }
        let count = events.iter().count();
        // Of what happens from now on the runtime is told anew. Where several
        // connections were busy it need not be asked: they will be again.
        if count <= 1 {
            ready.clear_ready();
        }
        drop(sockets);
        self.turns_of(events);
        Ok(true)
    }

    /// Gives a turn to all whose sockets have something, whatever the runtime
    /// knows of them.
    fn look_now(&self, events: &mut Events) -> io::Result<()> {
        let mut sockets = self.sockets.borrow_mut();
        match sockets.get_mut().poll(events, Some(Duration::ZERO)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            looked => looked?,
        }
        drop(sockets);
        self.turns_of(events);
        Ok(())
    }

    fn turns_of(&self, events: &Events) {
        for event in events {
            let seat = event.token().0;
            if let Some(heard) = self.heard.borrow_mut().get_mut(seat) {
                heard.some = true;
                heard.more |= event.is_read_closed() || event.is_error() || event.is_priority();
            }
            self.turn(seat);
        }
    }

    /// Polls one connection. One that panics is cut, and no other.
    fn turn(&self, seat: usize) {
        let mut all = self.turns.borrow_mut();
        let Some(Some(turns)) = all.get_mut(seat) else { return };
        self.bench.begin_turn(self.heard.borrow()[seat]);
        let mut cx = Context::from_waker(&turns.waker);
        let connection = turns.connection.as_mut();
        let polled = catch_unwind(AssertUnwindSafe(|| connection.poll(&mut cx)));
        self.heard.borrow_mut()[seat] = self.bench.heard();
        if !matches!(polled, Ok(Poll::Pending)) {
            all[seat] = None;
        }
    }
}
