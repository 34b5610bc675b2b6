//! The tasks: one that accepts, one for each node to dial, one for each link.

use super::greet::{self, Greeted};
use super::known::{Seat, Target};
use super::link::{Link, LinkParts};
use super::refused::Refused;
use super::{BULK_IN, Dial, Handler, Ours, Shared};
use crate::limits::{
    LINK_PIECE_BYTES, PEER_HANDSHAKES_MAX, PEER_HANDSHAKES_UNASKED, PEER_HELLO_MS, PEER_REDIAL_MS,
};
use crate::ring::NodeId;
use crate::wire::{BULK_LANE, Frames};
use quinn::{Incoming, ReadError, RecvStream, SendStream, WriteError};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The name that certificates are asked under; it is not looked at.
const SERVER_NAME: &str = "node.ringcached";

const HELLO: Duration = Duration::from_millis(PEER_HELLO_MS);

/// A link that lasted so long was a good one: its node is dialled again soon.
const GOOD_LINK: Duration = Duration::from_secs(1);

/// Accepts connections until the endpoint is closed.
pub(super) async fn accept(ours: Rc<Ours>) {
    let handshakes = Arc::new(Semaphore::new(PEER_HANDSHAKES_MAX));
    while let Some(incoming) = ours.endpoint.accept().await {
        let Ok(permit) = Arc::clone(&handshakes).try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let under_way = PEER_HANDSHAKES_MAX - handshakes.available_permits();
        if under_way > PEER_HANDSHAKES_UNASKED && incoming.may_retry() {
            // Whoever answers this has the address that it claims.
            let _ = incoming.retry();
            continue;
        }
        let ours = Rc::clone(&ours);
        spawn_local(async move {
            let addr = incoming.remote_address();
            let greeted = welcome(&ours.shared, incoming).await;
            drop(permit);
            let outcome = match greeted {
                Ok(greeted) => run(Rc::clone(&ours), greeted).await,
                Err(why) => Err(why),
            };
            if let Err(why) = outcome {
                ours.handler.refused(addr, &why);
            }
        });
    }
}

/// What a link is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    First,
    Lane,
    Bulk,
}

impl Kind {
    fn of(lane: u16) -> Self {
        match lane {
            0 => Self::First,
            BULK_LANE => Self::Bulk,
            _ => Self::Lane,
        }
    }
}

async fn welcome(shared: &Shared, incoming: Incoming) -> Result<Greeted, Refused> {
    let proof = shared.proof();
    let greeted = timeout(HELLO, async {
        let lost = |loss| Refused::from_loss(&loss, proof);
        let connection = incoming.accept().map_err(lost)?.await.map_err(lost)?;
        greet::accepted(connection, &shared.hello(shared.config.hello.lane), proof).await
    });
    let mut greeted = greeted.await.unwrap_or(Err(Refused::Silent))?;
    let ours = &shared.config.hello;
    let why = if Kind::of(greeted.lane) != Kind::of(ours.lane) {
        Refused::OtherLane
    } else if Kind::of(ours.lane) == Kind::Bulk {
        greeted.lane = BULK_IN;
        return Ok(greeted);
    } else if greeted.theirs.node > ours.node {
        Refused::OursToDial
    } else {
        return Ok(greeted);
    };
    greet::end(&greeted.connection, &why);
    Err(why)
}

/// Dials a node until it is forgotten, again and again, and runs what comes of it.
pub(super) async fn dial(ours: Rc<Ours>, dial: Dial) {
    let Dial { node, lane, news } = dial;
    let mut pause = Pause::new(ours.shared.config.hello.node, node, lane);
    let mut told = None;
    while let Some(target) = ours.shared.known.target(node, lane, &news) {
        let dialled = tokio::select! {
            biased;
            () = news.notified() => {
                pause.begin_anew();
                continue;
            }
            dialled = call(&ours, target) => dialled,
        };
        match dialled {
            Ok(greeted) => {
                let began = Instant::now();
                // In a task of its own: a panic in there ends the link and not the
                // dialling.
                let outcome = spawn_local(run(Rc::clone(&ours), greeted)).await.unwrap_or(Ok(()));
                told = report(&*ours.handler, target.addr, told.as_ref(), outcome.err());
                if began.elapsed() >= GOOD_LINK {
                    pause.begin_anew();
                }
            }
            Err(why) => told = report(&*ours.handler, target.addr, told.as_ref(), Some(why)),
        }
        tokio::select! {
            () = news.notified() => pause.begin_anew(),
            () = sleep(pause.next()) => {}
        }
    }
}

/// Tells of a failure, unless it is the same as the last one.
fn report(
    handler: &dyn Handler,
    addr: SocketAddr,
    told: Option<&Refused>,
    why: Option<Refused>,
) -> Option<Refused> {
    if let Some(why) = why.as_ref().filter(|why| told != Some(*why)) {
        handler.refused(addr, why);
    }
    why
}

async fn call(ours: &Ours, target: Target) -> Result<Greeted, Refused> {
    let shared = &ours.shared;
    let proof = shared.proof();
    let greeted = timeout(HELLO, async {
        let unreachable = |why: &dyn ToString| Refused::Unreachable(why.to_string().into());
        let connecting = ours.endpoint.connect_with(shared.client(), target.addr, SERVER_NAME);
        let connecting = connecting.map_err(|why| unreachable(&why))?;
        let connection = connecting.await.map_err(|loss| Refused::from_loss(&loss, proof))?;
        greet::dialled(connection, &shared.hello(target.lane), proof).await
    });
    let no_answer = || Err(Refused::Unreachable("no answer".into()));
    let greeted = greeted.await.unwrap_or_else(|_| no_answer())?;
    if greeted.theirs.node != target.node {
        let why = Refused::OtherNode { name: greeted.theirs.name.clone() };
        greet::end(&greeted.connection, &why);
        return Err(why);
    }
    Ok(greeted)
}

/// Carries frames in both directions until the link ends, for whatever reason.
async fn run(ours: Rc<Ours>, mut greeted: Greeted) -> Result<(), Refused> {
    let shared = &ours.shared;
    let ready = Arc::new(Notify::new());
    let link = Arc::new(link(shared, &greeted, &ready));
    let (going, gone) = watch::channel(());
    let before = match shared.known.seat(Seat { link: Arc::clone(&link), gone }) {
        Ok(before) => before,
        Err(why) => {
            greet::end(&greeted.connection, &why);
            return Err(why);
        }
    };
    // The handler hears the end of one link before the beginning of the next.
    if let Some(before) = before {
        before.until_gone().await;
    }
    let handler = &*ours.handler;
    let _seated = Seated { ours: &ours, link: &link, _going: going };
    handler.linked(Arc::clone(&link));
    greeted.frames.set_bytes_max(shared.config.frame_bytes_max);
    let why = tokio::select! {
        biased;
        why = read(&link, handler, greeted.recv, greeted.frames) => why,
        why = write(&link, &ready, greeted.send) => why,
    };
    link.end(&why);
    Ok(())
}

/// A link in use. All hear of its end, whatever that is.
struct Seated<'a> {
    ours: &'a Ours,
    link: &'a Arc<Link>,
    _going: watch::Sender<()>,
}

impl Drop for Seated<'_> {
    fn drop(&mut self) {
        self.link.end("this node failed");
        self.ours.shared.known.unseat(self.link);
        self.ours.handler.unlinked(self.link);
    }
}

fn link(shared: &Shared, greeted: &Greeted, ready: &Arc<Notify>) -> Link {
    let ready = Arc::clone(ready);
    Link::new(LinkParts {
        node: greeted.theirs.node,
        name: greeted.theirs.name.clone(),
        generation: greeted.theirs.generation,
        version: greeted.version,
        lane: greeted.lane,
        lanes: greeted.theirs.lanes.clone(),
        bulk: greeted.theirs.bulk,
        outbox_bytes_max: shared.config.outbox_bytes_max,
        frame_bytes_max: shared.config.frame_bytes_max,
        on_ready: Box::new(move || ready.notify_one()),
        connection: Some(greeted.connection.clone()),
    })
}

async fn read(
    link: &Arc<Link>,
    handler: &dyn Handler,
    mut recv: RecvStream,
    mut frames: Frames,
) -> String {
    loop {
        let mut came = false;
        while !link.is_ended() {
            match frames.next_frame() {
                Ok(Some(frame)) => handler.frame(link, frame),
                Ok(None) => break,
                Err(too_long) => return too_long.to_string(),
            }
            came = true;
        }
        match came {
            true => handler.idle(link),
            false => handler.part(link),
        }
        match recv.read(frames.room()).await {
            Ok(Some(bytes)) => frames.came(bytes),
            Ok(None) => return "the other end has nothing more to say".to_owned(),
            Err(ReadError::ConnectionLost(loss)) => return loss.to_string(),
            Err(error) => return error.to_string(),
        }
    }
}

async fn write(link: &Link, ready: &Notify, mut send: SendStream) -> String {
    let mut bytes = Vec::new();
    loop {
        link.swap_outgoing(&mut bytes);
        if bytes.is_empty() {
            ready.notified().await;
            continue;
        }
        // The connection copies each piece to memory of its own, until it is acknowledged.
        for piece in bytes.chunks(LINK_PIECE_BYTES) {
            match send.write_all(piece).await {
                Ok(()) => {}
                Err(WriteError::ConnectionLost(loss)) => return loss.to_string(),
                Err(error) => return error.to_string(),
            }
        }
    }
}

/// How long to wait before the next dial: twice as long each time, and not the
/// same for all who wait for one node.
struct Pause {
    us: u64,
    spread: u64,
}

impl Pause {
    fn new(ours: NodeId, theirs: NodeId, lane: u16) -> Self {
        let seed = theirs.0.wrapping_add(lane.into());
        let spread = xxh3_64_with_seed(&ours.0.to_le_bytes(), seed);
        Self { us: *PEER_REDIAL_MS.start() * 1000, spread }
    }

    fn begin_anew(&mut self) {
        self.us = *PEER_REDIAL_MS.start() * 1000;
    }

    fn next(&mut self) -> Duration {
        self.spread = xxh3_64_with_seed(&self.spread.to_le_bytes(), 0);
        let now = self.us - self.spread % (self.us / 2);
        self.us = (2 * self.us).min(*PEER_REDIAL_MS.end() * 1000);
        Duration::from_micros(now)
    }
}
