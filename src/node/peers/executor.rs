//! Executes what other nodes ask for, and keeps the copies they send.

use super::{Answer, Calls, Cluster, Sent};
use crate::cluster::Card;
use crate::item::{Key, Now, Version};
use crate::limits::{TOLD_ALWAYS_BYTES_MAX, TOLD_BYTES_HIGH};
use crate::memcache::Protocol;
use crate::net::peers::Link;
use crate::node::Session;
use crate::node::session::{Road, Role};
use crate::ring::NodeId;
use crate::store::{Merged, PREFETCH_MAX};
use crate::wire::{self, Ask, Keep, Kept, Message, Reply, Told};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::time::Duration;

/// Executes what other nodes ask for. Belongs to the thread that the links'
/// frames come to.
pub(in crate::node) struct Executor {
    road: Rc<Road>,
    cluster: Arc<Cluster>,
    jobs: BTreeMap<u64, Job>,
    next_job: u64,
    /// Jobs that wait no longer.
    ready: Arc<Ready>,
    /// Cards that other nodes have told, to be acted by and acknowledged.
    pub(in crate::node) said: Vec<(Arc<Link>, u32, Card)>,
    /// Nodes that have sent all they had for this one.
    pub(in crate::node) filled: Vec<NodeId>,
    /// To whom this node has promised something, and for how long.
    pub(in crate::node) promised: Vec<(NodeId, Duration)>,
}

/// Requests of one call that were executed, and whose answers wait for copies.
struct Job {
    link: Arc<Link>,
    call: u32,
    executed: Vec<Executed>,
    sent: Sent,
}

/// What became of one request.
struct Executed {
    reply: Option<Vec<u8>>,
    /// Of what an owner saw.
    version: Option<Version>,
    calls: Calls,
    least: u8,
}

#[derive(Debug, Default)]
struct Ready(Mutex<Vec<u64>>);

struct JobWaker {
    ready: Arc<Ready>,
    job: u64,
}

impl Wake for JobWaker {
    fn wake(self: Arc<Self>) {
        self.ready.0.lock().unwrap_or_else(PoisonError::into_inner).push(self.job);
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").field("jobs", &self.jobs.len()).finish_non_exhaustive()
    }
}

impl Executor {
    pub(in crate::node) fn new(road: Rc<Road>, cluster: Arc<Cluster>) -> Self {
        Self {
            road,
            cluster,
            jobs: BTreeMap::new(),
            next_job: 0,
            ready: Arc::default(),
            said: Vec::new(),
            filled: Vec::new(),
            promised: Vec::new(),
        }
    }

    /// A frame came. What is no message ends the link: false.
    pub(in crate::node) fn frame(&mut self, link: &Arc<Link>, frame: &[u8], now: Now) -> bool {
        let Ok(message) = Message::decode(frame) else { return false };
        match message {
            Message::Told(told) => {
                self.cluster.answered(link.node(), told.call, Answer::Message(frame.to_vec()), now);
            }
            Message::Kept(kept) => {
                let answer = if kept.accepted { Answer::Kept } else { Answer::Refused };
                self.cluster.answered(link.node(), kept.call, answer, now);
            }
            Message::Ask(ask) => self.ask(link, &ask, now),
            Message::Keep(keep) => self.keep(link, &keep, now),
            Message::Say(say) => match wire::card(say.card) {
                Ok(card) => self.said.push((Arc::clone(link), say.call, card)),
                Err(_) => return false,
            },
            Message::Filled(filled) => {
                self.road.flushed(Version(filled.floor), now);
                self.filled.push(link.node());
            }
            Message::Flush(flush) => {
                let accepted = self.road.flushed(Version(flush.floor), now);
                let kept = Message::Kept(Kept { call: flush.call, accepted });
                // Where there is no room for it, it is asked for again.
                let _ = link.send(|frame| kept.encode(frame));
            }
            Message::Promise(promise) => {
                let accepted = self.road.is_live(link.node());
                if accepted {
                    let term = Duration::from_millis(promise.term_ms.into());
                    self.promised.push((link.node(), term));
                }
                let kept = Message::Kept(Kept { call: promise.call, accepted });
                let _ = link.send(|frame| kept.encode(frame));
            }
        }
        true
    }

    /// Answers what waits no longer.
    pub(in crate::node) fn finish_jobs(&mut self) {
        let ready =
            std::mem::take(&mut *self.ready.0.lock().unwrap_or_else(PoisonError::into_inner));
        for number in ready {
            let Some(job) = self.jobs.remove(&number) else { continue };
            let waker = self.waker(number);
            if job.sent.waiting.is_over(&waker) {
                tell(&job);
            } else {
                self.jobs.insert(number, job);
            }
        }
    }

    fn waker(&self, job: u64) -> Waker {
        Waker::from(Arc::new(JobWaker { ready: Arc::clone(&self.ready), job }))
    }

    fn ask(&mut self, link: &Arc<Link>, ask: &Ask<'_>, now: Now) {
        let mut session = Session::of_peer(&self.road, Role::Peer(ask.executor));
        // Who asks may not know yet that this node was started anew.
        let may = ask.executor == wire::Executor::Primary || self.road.has_all(now);
        let execute = |session: &mut Session, request: &wire::Request<'_>| {
            if !may {
                return Executed { reply: None, version: None, calls: Calls::default(), least: 0 };
            }
            let protocol = in_ours(request.protocol);
            if ask.executor == wire::Executor::Owner {
                let (version, reply) = session.execute_as_owner(protocol, request.bytes, now);
                let (reply, version, calls) = (Some(reply), Some(version), Calls::default());
                return Executed { reply, version, calls, least: 0 };
            }
            let (reply, calls, least) = session.execute(protocol, request.bytes, now);
            let reply = if session.take_refused() { None } else { Some(reply) };
            Executed { reply, version: None, calls, least }
        };
        let mut executed = Vec::with_capacity(ask.requests.len());
        for requests in ask.requests.chunks(PREFETCH_MAX) {
            session.foresee_all(
                requests.iter().map(|request| (in_ours(request.protocol), request.bytes)),
            );
            executed.extend(requests.iter().map(|request| execute(&mut session, request)));
        }
        let turn = std::mem::take(&mut *self.road.turn());
        let sent = self.road.send(turn, now);
        let job = Job { link: Arc::clone(link), call: ask.call, executed, sent };
        let number = self.next_job;
        if job.sent.waiting.is_over(&self.waker(number)) {
            return tell(&job);
        }
        self.next_job += 1;
        self.jobs.insert(number, job);
    }

    fn keep(&mut self, link: &Arc<Link>, keep: &Keep<'_>, now: Now) {
        // Who was held for dead is not to go on as if nothing had happened: others
        // have taken its place.
        let mut accepted = self.road.is_live(link.node());
        if accepted {
            for items in keep.items.chunks(PREFETCH_MAX) {
                self.road.prefetch(items.iter().filter_map(|item| Key::new(item.key).ok()));
                for item in items {
                    accepted &= self.keep_one(item, now);
                }
            }
        }
        let kept = Message::Kept(Kept { call: keep.call, accepted });
        // Where there is no room for it, whoever waits waits in vain, and sends the
        // items again.
        let _ = link.send(|frame| kept.encode(frame));
    }

    fn keep_one(&self, item: &wire::Item<'_>, now: Now) -> bool {
        let Ok(key) = Key::new(item.key) else { return false };
        let merged = self.road.merge(key, &super::copied(item), now);
        matches!(merged, Merged::Taken | Merged::Older)
    }
}

fn in_ours(protocol: wire::Protocol) -> Protocol {
    match protocol {
        wire::Protocol::Text => Protocol::Text,
        wire::Protocol::Binary => Protocol::Binary,
    }
}

/// Answers a call. What is too much for one frame is not told: whoever asks for
/// it asks again, and it is a read, for no other answer is long.
fn tell(job: &Job) {
    let mut told_bytes = 0;
    let replies = job.executed.iter().map(|executed| match &executed.reply {
        None => Reply::NotMine,
        Some(_) if job.sent.waiting.is_met(executed.calls, executed.least) == Some(false) => {
            Reply::Unacknowledged
        }
        Some(reply) if told_bytes > TOLD_BYTES_HIGH && reply.len() > TOLD_ALWAYS_BYTES_MAX => {
            Reply::Busy
        }
        Some(reply) => {
            told_bytes += reply.len();
            match executed.version {
                None => Reply::Done(reply),
                Some(version) => Reply::Owned { version: version.0, bytes: reply },
            }
        }
    });
    let told = Message::Told(Told { call: job.call, replies: replies.collect() });
    // Where there is no room the caller's deadline ends it.
    let _ = job.link.send(|frame| told.encode(frame));
}
