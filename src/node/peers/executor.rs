//! Executes what other nodes ask for, and keeps the copies they send.

use super::evening::Had;
use super::{Answer, Audited, Calls, Cluster, Digests, Ended, Replies, Said, Sent};
use crate::cluster::{Card, Rings};
use crate::item::{Key, Now, Version};
use crate::limits::{
    COMPARE_SLOTS_MAX, LIST_ITEMS_MAX, LIST_SLOTS_MAX, NODES_MAX, OUTPUT_KEPT_BYTES_MAX,
    TOLD_BYTES_HIGH,
};
use crate::memcache::Protocol;
use crate::net::Output;
use crate::net::peers::Link;
use crate::node::Session;
use crate::node::session::{Owned, Road, Role};
use crate::ring::{KeyHash, NodeId};
use crate::store::{Merged, PREFETCH_MAX};
use crate::wire::{
    self, Ask, Behind, Bring, Compare, Compared, Filled, Followed, Keep, Kept, List, Listed,
    Message, Relay, Relayed, Reply, Told,
};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// Memory for the answers to the next call.
    spare: Vec<u8>,
}

/// What another node said of the cluster, which is for the hub.
pub(in crate::node) enum Word {
    /// A card, to be acted by before this call is acknowledged.
    Card(u32, Card),
    /// It has sent all it had for this node when that said this of itself.
    Filled(Said, FilledBy),
    /// It goes by the rings of this turn, of this planner and with this number.
    Followed((u64, NodeId, u64)),
    /// It goes by these rings, and tells others to where it is a call.
    Rings(Option<u32>, Rings),
    /// Copies are compared.
    Audited(Audited),
    /// It asks for what is here of the last writes of one who died.
    Relay(Ended),
    /// It has sent all it has of them, or is still to.
    Relayed(Ended, bool),
    /// It was promised, for so long, that nobody takes its place. From this millisecond on
    /// some owner may lack what it has written.
    Promised(Duration, u64),
}

/// What a node says that has sent another all it had for it.
#[derive(Clone, Debug)]
pub(in crate::node) struct FilledBy {
    /// By which ring the other owns that; zero where it knows of none.
    pub(in crate::node) ring: u64,
    /// Of its card.
    pub(in crate::node) own_sequence: u64,
    /// Whom it holds for live.
    pub(in crate::node) live: Vec<NodeId>,
}

/// What came is no message.
#[derive(Debug)]
pub(in crate::node) struct NoMessage;

/// Requests of one call that were executed, and whose answers wait for copies.
struct Job {
    link: Arc<Link>,
    call: u32,
    executed: Vec<Executed>,
    /// The answers to all of them.
    replies: Vec<u8>,
    sent: Sent,
}

/// What became of one request.
#[derive(Default)]
struct Executed {
    /// It was left for the next call: there is enough to tell.
    left: bool,
    /// Where its answer is.
    reply: Option<Range<usize>>,
    /// Of what an owner saw.
    owned: Option<Owned>,
    calls: Calls,
    least: u8,
}

impl Executed {
    /// Whether too few copies of what it wrote are kept.
    fn is_refused(&self, sent: &Sent) -> bool {
        // Most requests read, and there is nothing to look up.
        !self.calls.is_empty() && sent.waiting.is_met(self.calls, self.least) == Some(false)
    }
}

struct Ready {
    jobs: Mutex<Vec<u64>>,
    /// Told of each.
    bell: Box<dyn Fn() + Send + Sync>,
}

impl Ready {
    fn jobs(&self) -> MutexGuard<'_, Vec<u64>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct JobWaker {
    ready: Arc<Ready>,
    job: u64,
}

impl Wake for JobWaker {
    fn wake(self: Arc<Self>) {
        self.ready.jobs().push(self.job);
        (self.ready.bell)();
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").field("jobs", &self.jobs.len()).finish_non_exhaustive()
    }
}

impl Executor {
    /// `bell` is rung, from any thread, when [`Executor::finish_jobs`] has something to
    /// do.
    pub(in crate::node) fn new(
        road: Rc<Road>,
        cluster: Arc<Cluster>,
        bell: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let ready = Arc::new(Ready { jobs: Mutex::default(), bell: Box::new(bell) });
        Self { road, cluster, jobs: BTreeMap::new(), next_job: 0, ready, spare: Vec::new() }
    }

    /// A frame came. What is no message is to end the link.
    pub(in crate::node) fn frame(
        &mut self,
        link: &Arc<Link>,
        frame: &[u8],
        now: Now,
    ) -> Result<Option<Word>, NoMessage> {
        match Message::decode(frame).map_err(|_| NoMessage)? {
            Message::Told(told) => {
                let replies = Arc::new(Replies::of(&told, frame.len()));
                self.cluster.answered(link, told.call, Answer::Told(replies), now);
            }
            Message::Kept(kept) => {
                let answer = if kept.accepted { Answer::Kept } else { Answer::Refused };
                self.cluster.answered(link, kept.call, answer, now);
            }
            Message::Compare(compare) => self.compare(link, &compare, now)?,
            Message::Compared(Compared { call, evicts, digests }) => {
                let answer = Answer::Compared(Digests { evicts, bytes: digests.into() });
                self.cluster.answered(link, call, answer, now);
            }
            message @ (Message::List(_) | Message::Listed(_) | Message::Bring(_)) => {
                let is_live = self.road.is_live(link.node());
                return Ok(audited(&message)?.filter(|_| is_live).map(Word::Audited));
            }
            Message::Ask(ask) => self.ask(link, &ask, now),
            Message::Keep(keep) => self.keep(link, &keep, now),
            Message::Say(say) => {
                let card = wire::card(say.card).map_err(|_| NoMessage)?;
                return Ok(Some(Word::Card(say.call, card)));
            }
            Message::Filled(filled) => {
                self.road.flushed(Version(filled.floor), now);
                return filled_by(&filled).map(Some);
            }
            Message::Follow(follow) => {
                let rings = wire::rings(follow.rings).map_err(|_| NoMessage)?;
                if self.road.is_live(link.node()) {
                    return Ok(Some(Word::Rings(follow.call, rings)));
                }
                if let Some(call) = follow.call {
                    let kept = Message::Kept(Kept { call, accepted: false });
                    let _ = link.send(|frame| kept.encode(frame));
                }
            }
            Message::Followed(Followed { turn, by, number }) => {
                return Ok(Some(Word::Followed((turn, NodeId(by), number))));
            }
            Message::Relayed(relayed) => {
                self.road.flushed(Version(relayed.floor), now);
                let Relayed { node, generation, is_all, .. } = relayed;
                let ended = Ended { node: NodeId(node), generation };
                return Ok(Some(Word::Relayed(ended, is_all)));
            }
            Message::Relay(Relay { node, generation }) => {
                let ended = Ended { node: NodeId(node), generation };
                return Ok(self.road.is_live(link.node()).then_some(Word::Relay(ended)));
            }
            Message::Flush(flush) => {
                let accepted = self.road.flushed(Version(flush.floor), now);
                let kept = Message::Kept(Kept { call: flush.call, accepted });
                // Where there is no room for it, it is asked for again.
                let _ = link.send(|frame| kept.encode(frame));
            }
            Message::Behind(Behind { slot, node }) => {
                if self.road.is_live(link.node()) {
                    self.road.mark_behind(slot, NodeId(node));
                }
            }
            Message::Promise(promise) => {
                let accepted = self.road.is_live(link.node());
                let kept = Message::Kept(Kept { call: promise.call, accepted });
                let _ = link.send(|frame| kept.encode(frame));
                let term = Duration::from_millis(promise.term_ms.into());
                return Ok(accepted.then_some(Word::Promised(term, promise.open_since_ms)));
            }
        }
        Ok(None)
    }

    /// Answers what waits no longer.
    pub(in crate::node) fn finish_jobs(&mut self) {
        let ready = std::mem::take(&mut *self.ready.jobs());
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

    fn keep_spare(&mut self, mut bytes: Vec<u8>) {
        bytes.clear();
        bytes.shrink_to(OUTPUT_KEPT_BYTES_MAX);
        self.spare = bytes;
    }

    fn waker(&self, job: u64) -> Waker {
        Waker::from(Arc::new(JobWaker { ready: Arc::clone(&self.ready), job }))
    }

    fn ask(&mut self, link: &Arc<Link>, ask: &Ask<'_>, now: Now) {
        let mut session = Session::of_peer(&self.road, Role::Peer(ask.executor));
        // Who asks may not know yet that this node was started anew.
        let may = ask.executor == wire::Executor::Primary || self.road.has_all(now);
        let mut out = Output::default();
        *out.bytes() = std::mem::take(&mut self.spare);
        let mut execute = |session: &mut Session, request: &wire::Request<'_>| {
            let mut executed = Executed::default();
            if !may {
                return executed;
            }
            // And so is all that comes after it: nothing overtakes it.
            executed.left = out.bytes().len() > TOLD_BYTES_HIGH;
            if executed.left {
                return executed;
            }
            let (protocol, from) = (in_ours(request.protocol), out.bytes().len());
            let bytes = request.bytes;
            let refused = if ask.executor == wire::Executor::Primary {
                (executed.calls, executed.least) = session.execute(protocol, bytes, now, &mut out);
                session.take_refused()
            } else {
                executed.owned = session.execute_as(ask.executor, protocol, bytes, now, &mut out);
                executed.owned.is_none()
            };
            out.flatten(from);
            match refused {
                true => out.bytes().truncate(from),
                false => executed.reply = Some(from..out.bytes().len()),
            }
            executed
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
        let (link, replies) = (Arc::clone(link), out.take());
        let job = Job { link, call: ask.call, executed, replies, sent };
        let number = self.next_job;
        if job.sent.waiting.is_over_all() || job.sent.waiting.is_over(&self.waker(number)) {
            tell(&job);
            return self.keep_spare(job.replies);
        }
        self.next_job += 1;
        self.jobs.insert(number, job);
    }

    fn keep(&mut self, link: &Arc<Link>, keep: &Keep<'_>, now: Now) {
        let mut accepted = self.road.takes_from(link.node());
        if accepted {
            if Version(keep.floor) > self.road.flush_floor(now) {
                self.road.flushed(Version(keep.floor), now);
            }
            for items in keep.items.chunks(PREFETCH_MAX) {
                self.road.prefetch_copies(items.iter().filter_map(|item| Key::new(item.key).ok()));
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

    /// Tells the digests of some slots, as they are now.
    fn compare(&self, link: &Arc<Link>, compare: &Compare<'_>, now: Now) -> Result<(), NoMessage> {
        let (slots, odd) = compare.slots.as_chunks();
        if !odd.is_empty() || slots.len() > COMPARE_SLOTS_MAX {
            return Err(NoMessage);
        }
        let slots = slots.iter().map(|slot| u32::from_le_bytes(*slot));
        let digests: Vec<u8> = match self.road.has_items() {
            true => self.road.digests(slots).into_iter().flat_map(u64::to_le_bytes).collect(),
            false => Vec::new(),
        };
        let (call, evicts) = (compare.call, self.road.evicts(now));
        let compared = Message::Compared(Compared { call, evicts, digests: &digests });
        // Where there is no room the caller's deadline ends it.
        let _ = link.send(|frame| compared.encode(frame));
        Ok(())
    }

    fn keep_one(&self, item: &wire::Item<'_>, now: Now) -> bool {
        let Ok(key) = Key::new(item.key) else { return false };
        let merged = self.road.merge(key, &super::copied(item), now);
        matches!(merged, None | Some(Merged::Taken | Merged::Older))
    }
}

/// What a node says that has sent this one all it had for it.
fn filled_by(filled: &Filled<'_>) -> Result<Word, NoMessage> {
    let &Filled { generation, sequence, ring, own_sequence, live, .. } = filled;
    let live = words(live, NODES_MAX)?.into_iter().map(NodeId).collect();
    let by = FilledBy { ring, own_sequence, live };
    Ok(Word::Filled(Said { generation, sequence }, by))
}

/// What is said where copies are compared.
fn audited(message: &Message<'_>) -> Result<Option<Audited>, NoMessage> {
    Ok(Some(match *message {
        Message::List(List { number, slots }) => {
            let (slots, odd) = slots.as_chunks();
            if !odd.is_empty() || slots.len() > LIST_SLOTS_MAX {
                return Err(NoMessage);
            }
            Audited::List(number, slots.iter().map(|slot| u32::from_le_bytes(*slot)).collect())
        }
        Message::Listed(Listed { number, state, items }) => {
            let items = words(items, 2 * LIST_ITEMS_MAX)?;
            let list = items.chunks_exact(2).map(|item| (KeyHash(item[0]), Had(item[1])));
            Audited::Listed(number, state, list.collect())
        }
        Message::Bring(Bring { node, hashes }) => {
            let hashes = words(hashes, LIST_ITEMS_MAX)?.into_iter().map(KeyHash).collect();
            Audited::Bring(NodeId(node), hashes)
        }
        _ => return Ok(None),
    }))
}

/// So many words of eight bytes, at most.
fn words(bytes: &[u8], most: usize) -> Result<Vec<u64>, NoMessage> {
    let (words, odd) = bytes.as_chunks();
    let is_it = odd.is_empty() && words.len() <= most;
    is_it.then(|| words.iter().map(|word| u64::from_le_bytes(*word)).collect()).ok_or(NoMessage)
}

fn in_ours(protocol: wire::Protocol) -> Protocol {
    match protocol {
        wire::Protocol::Text => Protocol::Text,
        wire::Protocol::Binary => Protocol::Binary,
    }
}

/// Answers a call.
fn tell(job: &Job) {
    let replies = job.executed.iter().map(|executed| match executed.reply.clone() {
        None if executed.left => Reply::Busy,
        None => Reply::NotMine,
        Some(_) if executed.is_refused(&job.sent) => Reply::Unacknowledged,
        Some(reply) => {
            let reply = &job.replies[reply];
            match executed.owned {
                None => Reply::Done(reply),
                Some(Owned { version, owners }) => {
                    Reply::Owned { version: version.0, owners, bytes: reply }
                }
            }
        }
    });
    let told = Message::Told(Told { call: job.call, replies: replies.collect() });
    // Where there is no room the caller's deadline ends it.
    let _ = job.link.send(|frame| told.encode(frame));
}
