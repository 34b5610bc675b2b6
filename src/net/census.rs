//! Who is connected, and what the connections of a node did, counted.
//!
//! A connection writes about itself with plain stores; whoever wants to know
//! reads. The lock of a worker's list is taken when a connection comes or goes,
//! once a second by the worker, and by whoever asks for the list.

use super::events::{End, Event, Hearer};
use super::round::Bell;
use crate::limits::{BUDGET_STEP_BYTES, DEAF_S};
use std::cmp::Reverse;
use std::fmt;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::time::{Duration, Instant};

use Ordering::Relaxed;

/// All connections of a node and its counters.
#[derive(Debug)]
pub struct Census {
    started: Instant,
    next_id: AtomicU64,
    current: AtomicUsize,
    rests: Mutex<Rests>,
    counts: Counts,
    hearer: Hearer,
    workers: Box<[Worker]>,
}

/// What one worker writes; apart from what others do.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Worker {
    members: Mutex<Members>,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
    yields: AtomicU64,
}

/// The connections of one worker, each in a seat with a number.
#[derive(Debug, Default)]
pub(super) struct Members {
    seats: Vec<Option<Arc<Member>>>,
    free: Vec<u32>,
}

impl Members {
    /// Gives a seat to who is made for its number.
    pub(super) fn add(&mut self, member: impl FnOnce(u32) -> Member) -> Arc<Member> {
        let seat = self.free.pop().unwrap_or_else(|| {
            self.seats.push(None);
            (self.seats.len() - 1) as u32
        });
        let member = Arc::new(member(seat));
        self.seats[seat as usize] = Some(Arc::clone(&member));
        member
    }

    pub(super) fn remove(&mut self, member: &Member) {
        if self.seats[member.seat as usize].take().is_some() {
            self.free.push(member.seat);
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Member>> {
        self.seats.iter().flatten()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.seats.len()
    }
}

/// What happens rarely.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) total: AtomicU64,
    pub(super) rejected: AtomicU64,
    pub(super) listen_disabled: AtomicU64,
    pub(super) idle_kicks: AtomicU64,
    pub(super) slow_request_kicks: AtomicU64,
    pub(super) slow_reader_kicks: AtomicU64,
    pub(super) read_buf_oom: AtomicU64,
    pub(super) handshake_errors: AtomicU64,
}

/// The counters at one moment, since the node's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionFigures {
    /// Connections now.
    pub current: u64,
    /// Connections ever served.
    pub total: u64,
    /// Connections refused at the limit.
    pub rejected: u64,
    /// Times that accepting had to rest.
    pub listen_disabled: u64,
    /// Whether connections are accepted now.
    pub accepting: bool,
    /// Microseconds for which accepting rested.
    pub resting_us: u64,
    /// Cut: idle for longer than allowed.
    pub idle_kicks: u64,
    /// Cut: a request was begun and did not get on.
    pub slow_request_kicks: u64,
    /// Cut: answers were not taken.
    pub slow_reader_kicks: u64,
    /// Cut: no memory left for what its request needs.
    pub read_buf_oom: u64,
    /// TLS handshakes that failed or took too long.
    pub handshake_errors: u64,
    /// Times a busy connection let others have their turn.
    pub yields: u64,
    /// Bytes that came from clients.
    pub bytes_read: u64,
    /// Bytes that went to clients.
    pub bytes_written: u64,
}

/// Listeners that accept nothing for a while.
#[derive(Clone, Copy, Debug, Default)]
struct Rests {
    now: usize,
    /// Since when there is one.
    since: Option<Instant>,
    /// How long there was one before.
    before: Duration,
}

impl Rests {
    fn lasted(&self) -> Duration {
        self.before + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Census {
    pub(super) fn new(workers: usize) -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            next_id: AtomicU64::new(1),
            current: AtomicUsize::new(0),
            rests: Mutex::default(),
            counts: Counts::default(),
            hearer: Hearer::default(),
            workers: (0..workers).map(|_| Worker::default()).collect(),
        })
    }

    /// The counters now.
    #[must_use]
    pub fn figures(&self) -> ConnectionFigures {
        let counts = &self.counts;
        let sum = |field: fn(&Worker) -> &AtomicU64| -> u64 {
            self.workers.iter().map(|worker| field(worker).load(Relaxed)).sum()
        };
        let rests = *self.rests();
        ConnectionFigures {
            current: self.current.load(Relaxed) as u64,
            total: counts.total.load(Relaxed),
            rejected: counts.rejected.load(Relaxed),
            listen_disabled: counts.listen_disabled.load(Relaxed),
            accepting: rests.now == 0,
            resting_us: rests.lasted().as_micros() as u64,
            idle_kicks: counts.idle_kicks.load(Relaxed),
            slow_request_kicks: counts.slow_request_kicks.load(Relaxed),
            slow_reader_kicks: counts.slow_reader_kicks.load(Relaxed),
            read_buf_oom: counts.read_buf_oom.load(Relaxed),
            handshake_errors: counts.handshake_errors.load(Relaxed),
            yields: sum(|worker| &worker.yields),
            bytes_read: sum(|worker| &worker.bytes_read),
            bytes_written: sum(|worker| &worker.bytes_written),
        }
    }

    /// Has all that happens to connections told, on the thread where it happens:
    /// who hears it is to be quick. Set once.
    pub fn on_event(&self, hear: impl Fn(&Event<'_>) + Send + Sync + 'static) {
        self.hearer.set(hear);
    }

    pub(super) fn tell(&self, event: &Event<'_>) {
        self.hearer.tell(event);
    }

    /// Shows every connection.
    pub fn each(&self, mut visit: impl FnMut(&Member)) {
        for worker in &self.workers {
            worker.members().all().for_each(|member| visit(member));
        }
    }

    /// How many bytes come back from connections that make room. Where that is less
    /// than `short`, more are told to: for who writes, those that take none of their
    /// answers, until it is enough; and then the one that holds most, if it holds more
    /// than `bytes`. Each is told once, until it holds nothing.
    pub(super) fn make_room(&self, short: usize, bytes: usize, writes: bool) -> usize {
        let now_s = self.clock_s();
        let (mut coming, mut others) = (0, Vec::new());
        for worker in &self.workers {
            for member in worker.members().all() {
                match (member.held(), member.summons()) {
                    (0, _) => {}
                    (held, Summons::MakeRoom) => coming += held,
                    (held, Summons::None) => {
                        let is_deaf = writes && member.is_deaf(now_s);
                        if is_deaf || held > bytes {
                            others.push((is_deaf, held, Arc::clone(member)));
                        }
                    }
                    _ => {}
                }
            }
        }
        others.sort_unstable_by_key(|&(is_deaf, held, _)| Reverse((is_deaf, held)));
        for (is_deaf, held, member) in others {
            if coming < short && member.summon_anew(Summons::MakeRoom) {
                coming += held;
            }
            if coming >= short || !is_deaf {
                break;
            }
        }
        coming
    }

    /// How many connections each worker has.
    #[must_use]
    pub fn spread(&self) -> Vec<usize> {
        self.workers.iter().map(|worker| worker.members().all().count()).collect()
    }

    /// Whole seconds since the census began: the clock of [`Member::last_s`].
    #[must_use]
    pub fn clock_s(&self) -> u32 {
        self.started.elapsed().as_secs() as u32
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(super) fn worker(&self, index: usize) -> &Worker {
        &self.workers[index]
    }

    /// A listener accepts nothing, until it says that it does again.
    pub(super) fn rest_begins(&self) {
        self.counts.listen_disabled.fetch_add(1, Relaxed);
        let mut rests = self.rests();
        rests.now += 1;
        rests.since.get_or_insert_with(Instant::now);
    }

    pub(super) fn rest_ends(&self) {
        let mut rests = self.rests();
        rests.now -= 1;
        if rests.now == 0 {
            *rests = Rests { before: rests.lasted(), ..Rests::default() };
        }
    }

    fn rests(&self) -> MutexGuard<'_, Rests> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more connection, unless there are as many as there may be.
    pub(super) fn admit(self: &Arc<Self>, limit: usize) -> Option<Ticket> {
        let more = |current| (current < limit).then_some(current + 1);
        self.current.fetch_update(Relaxed, Relaxed, more).ok()?;
        Some(Ticket(Some(Arc::clone(self))))
    }

    /// A place among those allowed is free again.
    pub(super) fn leave(&self) {
        self.current.fetch_sub(1, Relaxed);
    }

    pub(super) fn is_full(&self, limit: usize) -> bool {
        self.current.load(Relaxed) >= limit
    }
}

/// A connection's place among those allowed; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Ticket(Option<Arc<Census>>);

impl Ticket {
    /// Somebody else gives the place back, by [`Census::leave`].
    pub(super) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(census) = &self.0 {
            census.leave();
        }
    }
}

impl Worker {
    pub(super) fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // Each worker's counters have one writer, so a load and a store will do.
    pub(super) fn count_read(&self, bytes: usize) {
        self.bytes_read.store(self.bytes_read.load(Relaxed) + bytes as u64, Relaxed);
    }

    pub(super) fn count_written(&self, bytes: usize) {
        self.bytes_written.store(self.bytes_written.load(Relaxed) + bytes as u64, Relaxed);
    }

    pub(super) fn count_yield(&self) {
        self.yields.store(self.yields.load(Relaxed) + 1, Relaxed);
    }
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Waiting for a request.
    Idle,
    /// Waiting for the rest of a request.
    Head,
    /// Waiting for the rest of a large value.
    Body,
    /// Waiting for the client to take its answers.
    Sending,
    /// Ending.
    Parting,
}

/// How a connection came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP, in the clear.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// A Unix socket.
    Unix,
}

/// Where a connection comes from. Small: there may be ten thousand of them, and
/// few have the longer kind of address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An IPv4 address and port.
    V4(SocketAddrV4),
    /// An IPv6 address and port.
    V6(Box<SocketAddrV6>),
    /// This machine, by a path.
    Unix,
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(address) => Self::V4(address),
            SocketAddr::V6(address) => Self::V6(Box::new(address)),
        }
    }
}

/// As memcached writes it: `tcp:127.0.0.1:40000`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => write!(f, "tcp:{address}"),
            Self::V6(address) => write!(f, "tcp6:{address}"),
            Self::Unix => f.write_str("unix"),
        }
    }
}

/// One connection, as others see it. Small: there may be ten thousand of them.
#[derive(Debug)]
pub struct Member {
    /// Its number: no other connection of this node ever has the same.
    pub id: u64,
    /// Its file descriptor.
    pub descriptor: i32,
    /// How it came in.
    pub transport: Transport,
    /// Where it comes from.
    pub peer: Peer,
    /// What it came in by, as memcached writes it.
    pub listener: Arc<String>,
    phase: AtomicU8,
    /// On the census' clock.
    last_s: AtomicU32,
    /// When the phase began or the last request was answered.
    since_s: AtomicU32,
    /// Bytes that got on in this phase; more than can be counted are as good as that.
    moved: AtomicU32,
    /// When the last of them did.
    moved_s: AtomicU32,
    summons: AtomicU8,
    /// Steps of the budget for all connections.
    held: AtomicU32,
    reason: AtomicU8,
    /// Its number among the connections of its worker.
    pub(super) seat: u32,
    bell: Arc<Bell>,
}

/// Who is woken gets a turn.
impl Wake for Member {
    fn wake(self: Arc<Self>) {
        self.bell.ring(self.seat);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.bell.ring(self.seat);
    }
}

/// What a connection is told to do from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Summons {
    /// Nothing: go on.
    None,
    /// Give back what it holds, and end: another one needs it.
    MakeRoom,
    /// Answer what has arrived, then end.
    Finish,
    /// End at once.
    Cut,
}

/// What is known of a connection when it comes.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) descriptor: i32,
    pub(super) transport: Transport,
    pub(super) peer: Peer,
    pub(super) listener: Arc<String>,
}

impl Member {
    pub(super) fn new(census: &Census, arrival: Arrival, seat: u32, bell: &Arc<Bell>) -> Self {
        let now_s = census.clock_s();
        Self {
            id: census.next_id.fetch_add(1, Relaxed),
            descriptor: arrival.descriptor,
            transport: arrival.transport,
            peer: arrival.peer,
            listener: arrival.listener,
            phase: AtomicU8::new(Phase::Idle as u8),
            last_s: AtomicU32::new(now_s),
            since_s: AtomicU32::new(now_s),
            moved: AtomicU32::new(0),
            moved_s: AtomicU32::new(now_s),
            summons: AtomicU8::new(Summons::None as u8),
            held: AtomicU32::new(0),
            reason: AtomicU8::new(End::Normal as u8),
            seat,
            bell: Arc::clone(bell),
        }
    }

    /// What it is doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Idle,
            1 => Phase::Head,
            2 => Phase::Body,
            3 => Phase::Sending,
            _ => Phase::Parting,
        }
    }

    /// When its last request was answered, on the clock of [`Census::clock_s`].
    #[must_use]
    pub fn last_s(&self) -> u32 {
        self.last_s.load(Relaxed)
    }

    pub(super) fn since_s(&self) -> u32 {
        self.since_s.load(Relaxed)
    }

    pub(super) fn moved(&self) -> u32 {
        self.moved.load(Relaxed)
    }

    /// It answered something.
    pub(super) fn answered(&self, now_s: u32) {
        self.last_s.store(now_s, Relaxed);
        self.since_s.store(now_s, Relaxed);
    }

    /// It is in this phase now, since now if it was in another.
    pub(super) fn enter(&self, phase: Phase, now_s: u32) {
        if self.phase.load(Relaxed) != phase as u8 {
            self.phase.store(phase as u8, Relaxed);
            self.since_s.store(now_s, Relaxed);
            self.moved.store(0, Relaxed);
        }
    }

    pub(super) fn moves(&self, bytes: usize, now_s: u32) {
        if bytes > 0 {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            self.moved.store(self.moved().saturating_add(bytes), Relaxed);
            self.moved_s.store(now_s, Relaxed);
        }
    }

    /// So many seconds that have gone by do not count.
    pub(super) fn forgive(&self, seconds: u32, now_s: u32) {
        for began_s in [&self.since_s, &self.moved_s] {
            began_s.store((began_s.load(Relaxed) + seconds).min(now_s), Relaxed);
        }
    }

    /// Since when nothing got on in this phase.
    pub(super) fn still_since_s(&self) -> u32 {
        self.moved_s.load(Relaxed).max(self.since_s())
    }

    /// Whether answers wait for it, of which it has taken nothing for a while.
    fn is_deaf(&self, now_s: u32) -> bool {
        self.phase() == Phase::Sending && now_s.saturating_sub(self.still_since_s()) > DEAF_S
    }

    pub(super) fn summons(&self) -> Summons {
        match self.summons.load(Relaxed) {
            0 => Summons::None,
            1 => Summons::MakeRoom,
            2 => Summons::Finish,
            _ => Summons::Cut,
        }
    }

    pub(super) fn summon(&self, summons: Summons) {
        self.summon_anew(summons);
    }

    /// It holds nothing any more: whoever needs room is to look for another one.
    pub(super) fn made_room(&self) {
        let (told, nothing) = (Summons::MakeRoom as u8, Summons::None as u8);
        // Something more urgent stays.
        let _ = self.summons.compare_exchange(told, nothing, Relaxed, Relaxed);
    }

    /// Says whether it had not been told anything before.
    fn summon_anew(&self, summons: Summons) -> bool {
        let before = self.summons.fetch_max(summons as u8, Relaxed);
        self.bell.ring(self.seat);
        before == Summons::None as u8
    }

    /// It ends, or is to end, for this reason; the first one counts.
    pub(super) fn ends_by(&self, reason: End) {
        let normal = End::Normal as u8;
        let _ = self.reason.compare_exchange(normal, reason as u8, Relaxed, Relaxed);
    }

    pub(super) fn reason(&self) -> End {
        End::from_number(self.reason.load(Relaxed))
    }

    /// Bytes that it holds of the budget.
    #[inline]
    pub(super) fn held(&self) -> usize {
        self.held.load(Relaxed) as usize * BUDGET_STEP_BYTES
    }

    /// It holds so many bytes of the budget, in whole steps. Only its connection says
    /// so.
    pub(super) fn hold(&self, bytes: usize) {
        self.held.store((bytes / BUDGET_STEP_BYTES) as u32, Relaxed);
    }
}
