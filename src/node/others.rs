//! The thread of the other nodes: it runs gossip, the links by which nodes speak of the
//! cluster, and the hub that both come to.

use super::bulk;
use super::hub::{Effect, Hub, HubConfig, StepWait};
use super::inbox::{Inbox, Input};
use super::maker;
use super::seeking::{Seeking, is_only};
use super::server::{now, random_id};
use super::{Settings, Shared, WriteAck};
use crate::cluster::{Agreed, Card, Change, Phase, What};
use crate::item::Version;
use crate::limits::{
    FRAME_HEADROOM_BYTES, LANES_MAX, PEER_FAREWELL_MS, STEP_WAIT_NAMES_MAX, TOLD_BYTES_HIGH,
};
use crate::net::gossip::{Gossip, GossipConfig, GossipStart, Report, Seal, Seed};
use crate::net::peers::{Identity, Lane, Link, PeerCertificates, Peers, PeersConfig};
use crate::net::{Secret, TlsError};
use crate::ring::{Layout, Node, NodeId};
use crate::wire::{BULK_LANE, Hello, Life, Versions, layout_fingerprint};
use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, io};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until, timeout};

/// What a node is told of its cluster.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// What the cluster is called. Nodes of others are refused.
    pub name: String,
    /// What its nodes know each other by.
    pub secret: Secret,
    /// What they show each other, where that is not made of the secret.
    pub certificates: Option<Arc<PeerCertificates>>,
    /// What this node is called; its id is the hash of it.
    pub node_name: String,
    /// The zone it stands in, by name.
    pub zone: String,
    /// Where other nodes reach it by gossip. Calls come in at the ports behind it, one,
    /// one for each worker and one for what is moved in bulk, or at any that are free.
    pub listen: SocketAddr,
    /// Where operators reach it, as other nodes are told.
    pub admin: Option<SocketAddr>,
    /// Where others may be.
    pub join: Vec<Seed>,
    /// How many nodes keep a key.
    pub copies: u8,
    /// How many of them have to have a write before it is acknowledged.
    pub write_ack: WriteAck,
    /// A node that is down keeps its slots for so long.
    pub grace: Duration,
    /// How fast to gossip.
    pub gossip: GossipConfig,
}

impl ClusterConfig {
    /// The cluster's layout, equal on all its nodes.
    #[must_use]
    pub fn layout(&self) -> Layout {
        let seed = self.secret.ring_seed(&self.name);
        Layout { seed, copies: self.copies, ..Layout::default() }
    }
}

/// How often the hub is told the time: hedges and pauses are no finer.
const TICK: Duration = Duration::from_millis(5);

/// The same where nobody waits for it: a node that has nothing to do is to take next to
/// nothing of its processor. The first hedge after a rest may be so much later.
const TICK_AT_REST: Duration = Duration::from_millis(25);

/// The same while something is handed over: whoever asks for it waits.
const TICK_IN_HURRY: Duration = Duration::from_millis(1);

/// The thread, and how to end it.
#[derive(Debug)]
pub(super) struct Others {
    thread: Option<JoinHandle<()>>,
    /// Until it looks for them.
    begin: Option<mpsc::Sender<()>>,
    stop: Arc<Notify>,
    address: SocketAddr,
}

/// What each of the workers runs beside its connections, in their order.
pub(super) type Lanes = Vec<Lane>;

impl Others {
    /// Makes ready all that it takes to look for the others by this socket, which is what
    /// [`Others::seek`] begins with. `client` is where clients reach this node.
    pub(super) fn open(
        config: ClusterConfig,
        node: Node,
        client: Box<str>,
        socket: UdpSocket,
        shared: &Arc<Shared>,
    ) -> io::Result<(Self, Lanes)> {
        let address = socket.local_addr()?;
        let stop = Arc::new(Notify::new());
        let (tell, told) = mpsc::channel();
        let (begin, go) = mpsc::channel();
        let (shared, ended) = (Arc::clone(shared), Arc::clone(&stop));
        let run = move || {
            let builder =
                Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            let runtime = match builder {
                Ok(runtime) => runtime,
                Err(why) => return drop(tell.send(Err(why))),
            };
            runtime.block_on(async {
                match Meeting::open(config, node, client, socket, &shared) {
                    Ok((meeting, lanes)) => {
                        let _ = tell.send(Ok(lanes));
                        // Nothing of this thread goes on meanwhile, gossip neither.
                        if go.recv().is_err() {
                            return;
                        }
                        // A task: whatever wakes it need not wake its own thread.
                        let _ = spawn_local(meeting.run(ended)).await;
                    }
                    Err(why) => drop(tell.send(Err(why))),
                }
            });
        };
        let thread = thread::Builder::new().name("peers".to_owned()).spawn(run)?;
        match told.recv() {
            Ok(Ok(lanes)) => {
                let (thread, begin) = (Some(thread), Some(begin));
                Ok((Self { thread, begin, stop, address }, lanes))
            }
            Ok(Err(why)) => Err(why),
            Err(_) => Err(io::Error::other("the thread for other nodes ended")),
        }
    }

    /// Starts to look for the others, and to be found by them.
    pub(super) fn seek(&mut self) {
        // Where the thread has ended, somebody has told why.
        let _ = self.begin.take().map(|begin| begin.send(()));
    }

    /// Where other nodes reach this one.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Others {
    /// Tells the others that this node leaves.
    fn drop(&mut self) {
        self.stop.notify_one();
        self.begin = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was told by whoever panicked.
            let _ = thread.join();
        }
    }
}

/// What a node says that serves no more though it lives.
const STEPPED_BACK: &str = "WARNING: this node serves no more: gossip reaches most of the nodes \
                            that serve, and calls do not. It joins again once it is linked to them";

/// Gossip, links and the hub.
struct Meeting {
    hub: Hub,
    gossip: Gossip,
    /// By which nodes speak of the cluster.
    first: Peers,
    /// One for each worker.
    lanes: Vec<Peers>,
    /// By which they bring each other what they lack.
    bulk: Arc<Peers>,
    mover: Option<JoinHandle<()>>,
    inbox: Arc<Inbox>,
    generation: u64,
    started: Instant,
    seeking: Seeking,
    certificates: Option<Arc<PeerCertificates>>,
    /// What the log last said of a node's phase.
    phases: BTreeMap<NodeId, (u64, Phase)>,
}

impl fmt::Debug for Meeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meeting").field("hub", &self.hub).finish_non_exhaustive()
    }
}

impl Meeting {
    fn open(
        config: ClusterConfig,
        node: Node,
        client: Box<str>,
        socket: UdpSocket,
        shared: &Arc<Shared>,
    ) -> io::Result<(Self, Lanes)> {
        let (layout, address) = (config.layout(), socket.local_addr()?);
        let seeking = Seeking::new(&config);
        // Later starts are later lives, also where the clock was set back a little.
        let generation = now().unix_ms();
        let inbox = Arc::new(Inbox::new(&shared.remarks));
        let hello = Hello {
            versions: Versions::OURS,
            cluster: config.name.as_str().into(),
            slot_bits: layout.slot_bits,
            layout: layout_fingerprint(&layout),
            node: node.id,
            name: config.node_name.as_str().into(),
            generation,
            lane: 0,
            lanes: Box::default(),
            bulk: 0,
        };
        let Bound { first: (first, run), bulk: (bulk, run_bulk), lanes, workers } =
            bind_lanes(&config, hello, address, &shared.settings)?;
        spawn_local(run.run(Rc::new(Arc::clone(&inbox))));
        let bulk = Arc::new(bulk);
        let card = Card {
            node: node.id,
            name: config.node_name.as_str().into(),
            generation,
            sequence: 1,
            client,
            peer: address,
            calls: first.local_addr().port(),
            admin: config.admin,
            zone: config.zone.as_str().into(),
            weight: node.weight,
            // Nobody can find it, and it can find nobody.
            phase: if seeking.search.is_zero() { Phase::Serving } else { Phase::Joining },
            flush_floor: Version::ZERO,
            build: env!("CARGO_PKG_VERSION").into(),
        };
        let hub = hub_config(&config, &seeking);
        let start = GossipStart {
            config: config.gossip,
            seal: Seal::new(&config.secret.gossip_key(&config.name), &config.name),
            me: card.clone(),
            seeds: config.join,
            random: random_id().0,
        };
        let reports = Arc::clone(&inbox);
        let gossip = Gossip::start(start, socket, move |report| match report {
            Report::News(event) => reports.put(Input::News(event)),
            Report::Refused { from, why, .. } => {
                reports.remarks.refused("gossip", from, &why.to_string(), now());
            }
        })?;
        let hub = Hub::new(hub, card, shared, shared.others_worker())
            .ok_or_else(|| io::Error::other("a node without a cluster has no hub"))?;
        let mover = bulk::start(run_bulk, Arc::clone(&bulk), Arc::clone(shared))?;
        let this = Self {
            hub,
            gossip,
            first,
            lanes,
            bulk,
            mover: Some(mover),
            inbox,
            generation,
            started: Instant::now(),
            seeking,
            certificates: config.certificates,
            phases: BTreeMap::new(),
        };
        Ok((this, workers))
    }

    async fn run(mut self, stop: Arc<Notify>) {
        let mut tick_at = Instant::now();
        let inbox = Arc::clone(&self.inbox);
        loop {
            tokio::select! {
                () = inbox.some() => {
                    self.take_in();
                    if self.hub.hurries() {
                        self.tick();
                    }
                }
                () = sleep_until(tick_at) => {
                    self.tick();
                    tick_at = Instant::now() + TICK_AT_REST;
                }
                identity = PeerCertificates::renewed(self.certificates.as_deref()) => {
                    self.all_lanes().for_each(|lane| lane.renew(&identity));
                }
                () = stop.notified() => break,
            }
            self.carry_out();
            if self.hub.hurries() {
                tick_at = tick_at.min(Instant::now() + TICK_IN_HURRY);
            } else if !self.hub.rests() {
                tick_at = tick_at.min(Instant::now() + TICK);
            }
        }
        self.end_turns().await;
        let Self { gossip, first, lanes, bulk, mover, .. } = self;
        gossip.leave().await;
        // All at once: each waits a little for the others to hear of it.
        let mut lanes: Vec<_> =
            lanes.into_iter().map(|lane| spawn_local(async move { lane.stop().await })).collect();
        lanes.push(spawn_local(async move { bulk.stop().await }));
        first.stop().await;
        for lane in lanes {
            let _ = lane.await;
        }
        // Its lane has ended.
        let _ = mover.map(JoinHandle::join);
    }

    /// Executes no more, so that those who hear that this node leaves can take its place
    /// at once.
    async fn end_turns(&mut self) {
        let until = Instant::now() + Duration::from_millis(PEER_FAREWELL_MS);
        let inbox = Arc::clone(&self.inbox);
        while !self.hub.leave() && Instant::now() < until {
            let _ = timeout(TICK, inbox.some()).await;
            self.take_in();
            // What waits for company is sent by this.
            self.tick();
        }
    }

    fn tick(&mut self) {
        self.seek();
        let ticked = self.hub.handle_tick(now());
        self.told(ticked);
    }

    /// Says who does not answer, for as long as nobody does.
    fn seek(&mut self) {
        if !self.hub.is_alone() {
            self.seeking.found();
        } else if self.hub.card().phase != Phase::Joining {
            // It was not always alone, or has said so.
        } else if is_only(&self.gossip.seeds(), self.gossip.local_addr()) {
            self.seeking.found();
            self.hub.set_search(self.seeking.look);
        } else if let Some(line) = self.seeking.line(self.started.elapsed()) {
            self.inbox.remarks.say(line);
        }
    }

    fn take_in(&mut self) {
        let now = now();
        for input in self.inbox.take() {
            match input {
                Input::Linked(link) => {
                    let linked = self.hub.handle_linked(&link);
                    self.told(linked);
                    self.link_lanes(&link);
                }
                Input::Unlinked(link) => {
                    let unlinked = self.hub.handle_unlinked(&link);
                    self.told(unlinked);
                }
                Input::Stranger(life) => self.leave_out(life),
                Input::Made(made) => {
                    let followed = self.hub.handle_made(made.map(|made| *made));
                    self.told(followed);
                }
                Input::News(event) => {
                    let heard = self.hub.handle_event(&event, now);
                    self.told(heard);
                }
                Input::Frame(link, frame) => match self.hub.handle_frame(&link, &frame, now) {
                    Ok(false) => link.end("it sent what is no message"),
                    heard => self.told(heard.map(drop)),
                },
            }
        }
        let idle = self.hub.handle_idle();
        self.told(idle);
    }

    /// Leaves a node out of the ring, and says so once.
    fn leave_out(&mut self, life: Life) {
        let Life { node, generation } = life;
        let left_out = self.hub.handle_stranger(life);
        if left_out.is_ok_and(|is_news| is_news) {
            let card = self.hub.members().current_card(node);
            let name = plain(card.map_or("unknown", |card| &card.name));
            self.inbox.remarks.say(format!(
                "member node={name} id={node} generation={generation} what=left-out cause=\"its \
                 ring layout differs: start it with the same --copies as this node\""
            ));
        }
    }

    /// Links each lane to one of the other node's, and each of those to one of ours.
    fn link_lanes(&self, link: &Link) {
        let theirs = link.lanes();
        if theirs.is_empty() {
            return;
        }
        let lanes = theirs.len().max(self.lanes.len());
        // In an earlier life it may have had more.
        self.lanes.iter().for_each(|lane| lane.forget_above(link.node(), lanes as u16));
        for number in 0..lanes {
            let (ours, theirs) = (number % self.lanes.len(), theirs[number % theirs.len()]);
            let lane = number as u16 + 1;
            self.lanes[ours].meet(link.node(), lane, theirs, link.generation());
        }
    }

    fn all_lanes(&self) -> impl Iterator<Item = &Peers> {
        std::iter::once(&self.first).chain(&self.lanes).chain(std::iter::once(&*self.bulk))
    }

    fn told<E: fmt::Display>(&self, told: Result<(), E>) {
        if let Err(why) = told {
            self.inbox.remarks.say(format!("the view stays as it was: {why}"));
        }
    }

    fn carry_out(&mut self) {
        if let Some(making) = self.hub.poll_making() {
            maker::make(making, &self.inbox);
        }
        while let Some(effect) = self.hub.poll_effect() {
            match effect {
                Effect::Meet { node, address, generation } => {
                    self.first.meet(node, 0, address, generation);
                    self.lanes.iter().for_each(|lane| lane.outlive(node, generation));
                    self.bulk.outlive(node, generation);
                }
                Effect::Announce(address) => self.gossip.announce(address),
                Effect::Forget(node) => self.all_lanes().for_each(|lane| lane.forget(node)),
                Effect::Say(card) => {
                    if card.generation > self.generation {
                        self.generation = card.generation;
                        self.all_lanes().for_each(|lane| lane.set_generation(card.generation));
                    }
                    self.tell_own(&card);
                    self.gossip.set_card(card);
                }
                Effect::Log(change, name) => {
                    self.tell_change(&change, &name);
                }
                Effect::TellStep(step, number) => {
                    self.inbox.remarks.say(format!("rings number={number} step={step}"));
                }
                Effect::TellWrites(taken, seen) => {
                    let what = if taken { "taken" } else { "refused" };
                    self.inbox.remarks.say(format!("writes what={what} nodes={seen}"));
                }
                Effect::TellStepWaits(waits) => self.inbox.remarks.say(waits_line(&waits)),
                Effect::TellFlaw(number, flaw) => self.inbox.remarks.say(format!(
                    "ERROR: rings number={number}: the plan is refused, and owners stay as they \
                     are: {flaw}"
                )),
                Effect::TellUnlinked(node) => self.tell_unlinked(node),
                Effect::TellSteppedBack => self.inbox.remarks.say(STEPPED_BACK.to_owned()),
            }
        }
    }

    /// This node's own phase, whenever that is another.
    fn tell_own(&mut self, card: &Card) {
        if self.is_new_phase(card) {
            if card.phase == Phase::Serving
                && let Some(warning) = self.seeking.farewell()
            {
                self.inbox.remarks.say(warning);
            }
            let (name, generation, phase) = (plain(&card.name), card.generation, card.phase);
            let what = format!("what=self phase={phase} cause=\"this node\"");
            let id = card.node;
            self.inbox
                .remarks
                .say(format!("member node={name} id={id} generation={generation} {what}"));
        }
    }

    /// What has changed of another node; its card is told where its phase is
    /// another.
    fn tell_change(&mut self, change: &Change, name: &str) {
        let Change { node, generation, what, cause } = change;
        let card = self.hub.members().current_card(*node).cloned();
        let is_new = card.as_ref().is_some_and(|card| self.is_new_phase(card));
        match what {
            What::Said if !is_new => return,
            What::Forgotten => drop(self.phases.remove(node)),
            _ => {}
        }
        let phase = card.map_or_else(|| "unknown".to_owned(), |card| card.phase.to_string());
        let name = plain(name);
        self.inbox.remarks.say(format!(
            "member node={name} id={node} generation={generation} what={what} phase={phase} \
             cause=\"{cause}\""
        ));
    }

    fn tell_unlinked(&self, node: NodeId) {
        let card = self.hub.members().current_card(node);
        let name = plain(card.map_or("unknown", |card| &card.name));
        let calls = card.map(|card| card.call_address().to_string()).unwrap_or_default();
        self.inbox.remarks.say(format!(
            "member node={name} id={node} what=unlinked calls={calls} cause=\"gossip reaches it and \
             calls do not: another authority or version, which its log or this one names as \
             refused, or a firewall that lets no UDP through to this port and those behind it\""
        ));
    }

    fn is_new_phase(&mut self, card: &Card) -> bool {
        let said = (card.generation, card.phase);
        self.phases.insert(card.node, said) != Some(said)
    }
}

/// A name as it is, or in quotes where it would not be one word.
pub(super) fn plain(name: &str) -> String {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if !name.is_empty() && name.bytes().all(is_word) {
        name.to_owned()
    } else {
        format!("{name:?}")
    }
}

/// For whom a step waits, the first of many.
fn waits_line(waits: &StepWait) -> String {
    let StepWait { step, number, waited, names } = waits;
    let some = names.iter().take(STEP_WAIT_NAMES_MAX).map(|name| plain(name));
    let (for_s, all, some) = (waited.as_secs(), names.len(), some.collect::<Vec<_>>().join(","));
    format!("rings number={number} step={step} what=waits for_s={for_s} nodes={all} names={some}")
}

fn hub_config(config: &ClusterConfig, seeking: &Seeking) -> HubConfig {
    HubConfig {
        layout: config.layout(),
        write_ack: config.write_ack,
        grace: config.grace,
        look: seeking.look,
        search: seeking.search,
        is_sought: config.join.is_empty(),
        moves_itself: false,
        recall: config.gossip.search_alone_period,
        notice: config.gossip.notice(),
        plan: Agreed::plan,
    }
}

/// The links of this thread, of the mover and of the workers: what each is told by, and
/// what is to be run.
struct Bound {
    first: (Peers, Lane),
    bulk: (Peers, Lane),
    lanes: Vec<Peers>,
    workers: Lanes,
}

fn bind_lanes(
    config: &ClusterConfig,
    mut hello: Hello,
    gossip: SocketAddr,
    settings: &Settings,
) -> io::Result<Bound> {
    let tls = |why: TlsError| io::Error::other(why.to_string());
    let identity = match &config.certificates {
        Some(certificates) => certificates.identity(),
        None => Identity::from_secret(&config.secret, &config.name, hello.node).map_err(tls)?,
    };
    let frame_bytes = settings.item_bytes_max + TOLD_BYTES_HIGH + FRAME_HEADROOM_BYTES;
    // At so many ports behind that of gossip, or at any that is free.
    let bind = |hello: Hello, behind| {
        let listen = |port| {
            let address = SocketAddr::new(gossip.ip(), port);
            let mut peers = PeersConfig::new(identity.clone(), hello.clone(), address);
            peers.frame_bytes_max = peers.frame_bytes_max.max(frame_bytes);
            peers.outbox_bytes_max = peers.outbox_bytes_max.max(2 * peers.frame_bytes_max);
            Peers::bind(peers)
        };
        let wanted = gossip.port().checked_add(behind).map(listen);
        wanted.and_then(Result::ok).map_or_else(|| listen(0), Ok)
    };
    let (mut workers, mut lanes) = (Vec::new(), Vec::new());
    for lane in 1..=settings.threads.clamp(1, LANES_MAX) as u16 {
        let (peers, worker) = bind(Hello { lane, ..hello.clone() }, lane + 1)?;
        workers.push(worker);
        lanes.push(peers);
    }
    hello.lanes = lanes.iter().map(|lane| lane.local_addr().port()).collect();
    let bulk = bind(Hello { lane: BULK_LANE, ..hello.clone() }, lanes.len() as u16 + 2)?;
    hello.bulk = bulk.0.local_addr().port();
    let first = bind(hello, 1)?;
    Ok(Bound { first, bulk, lanes, workers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Step;

    #[test]
    fn a_line_names_the_first_for_whom_a_step_waits() {
        let waits = |names: &[&str]| {
            let names = names.iter().copied().map(Into::into).collect();
            StepWait { step: Step::Fill, number: 7, waited: Duration::from_millis(5004), names }
        };
        let line = "rings number=7 step=fill what=waits for_s=5 nodes=2 names=a,\"b c\"";
        assert_eq!(waits_line(&waits(&["a", "b c"])), line);
        let line = waits_line(&waits(&["a"; STEP_WAIT_NAMES_MAX + 1]));
        assert!(line.ends_with(&format!("nodes=11 names={}a", "a,".repeat(9))), "{line}");
    }
}
