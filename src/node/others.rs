//! The thread from which the other nodes are reached: it runs gossip, the links
//! and the hub that both come to.

use super::hub::{Effect, Hub, HubConfig};
use super::refusals::Refusals;
use super::server::{now, random_id};
use super::{Shared, WriteAck};
use crate::cluster::{Card, Change, Event, Phase, What};
use crate::item::Version;
use crate::limits::{FRAME_HEADROOM_BYTES, FRAMES_WAITING_BYTES_MAX};
use crate::net::gossip::{Gossip, GossipConfig, GossipStart, Report, Seal, Seed};
use crate::net::peers::{Handler, Identity, Link, Peers, PeersConfig, Refused};
use crate::net::{Secret, TlsError};
use crate::ring::{Layout, Node, NodeId};
use crate::wire::{Hello, Versions, layout_fingerprint};
use std::collections::{BTreeMap, VecDeque};
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, io};
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

/// What a node is told of its cluster.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// What the cluster is called. Nodes of others are refused.
    pub name: String,
    /// What its nodes know each other by.
    pub secret: Secret,
    /// What this node is called; its id is the hash of it.
    pub node_name: String,
    /// The zone it stands in, by name.
    pub zone: String,
    /// Where other nodes reach it by gossip. Calls come in at the next port, or at
    /// any that is free.
    pub listen: SocketAddr,
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

/// A node that is told where others are, and finds none for so long, is the first.
const SEARCH: Duration = Duration::from_secs(2);

/// The thread, and how to end it.
#[derive(Debug)]
pub(super) struct Others {
    thread: Option<JoinHandle<()>>,
    stop: Arc<Notify>,
    address: SocketAddr,
}

impl Others {
    /// Starts to look for the others. `client` is where clients reach this node.
    pub(super) fn start(
        config: ClusterConfig,
        node: Node,
        client: Box<str>,
        shared: &Arc<Shared>,
        worker: usize,
    ) -> io::Result<Self> {
        let socket = UdpSocket::bind(config.listen)?;
        let address = socket.local_addr()?;
        let stop = Arc::new(Notify::new());
        let (tell, told) = mpsc::channel();
        let (shared, ended) = (Arc::clone(shared), Arc::clone(&stop));
        let run = move || {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(why) => return drop(tell.send(Err(why))),
            };
            runtime.block_on(async {
                match Meeting::open(config, node, client, socket, &shared, worker) {
                    Ok(meeting) => {
                        let _ = tell.send(Ok(()));
                        meeting.run(&ended).await;
                    }
                    Err(why) => drop(tell.send(Err(why))),
                }
            });
        };
        let thread = thread::Builder::new().name("peers".to_owned()).spawn(run)?;
        match told.recv() {
            Ok(Ok(())) => Ok(Self { thread: Some(thread), stop, address }),
            Ok(Err(why)) => Err(why),
            Err(_) => Err(io::Error::other("the thread for other nodes ended")),
        }
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
        if let Some(thread) = self.thread.take() {
            // A panic there was told by whoever panicked.
            let _ = thread.join();
        }
    }
}

/// What came from other nodes and waits for the hub.
enum Input {
    Linked(Arc<Link>),
    Frame(Arc<Link>, Vec<u8>),
    Unlinked(Arc<Link>),
    News(Event),
}

/// Where it waits: the links and gossip put it there, and the hub takes it out, on
/// one thread.
#[derive(Default)]
struct Inbox {
    waiting: Mutex<Waiting>,
    some: Notify,
    shared: Option<Arc<Shared>>,
    refusals: Mutex<Refusals>,
}

#[derive(Default)]
struct Waiting {
    inputs: VecDeque<Input>,
    frame_bytes: usize,
}

impl Inbox {
    fn put(&self, input: Input) {
        let mut waiting = self.waiting();
        if let Input::Frame(link, frame) = &input {
            waiting.frame_bytes += frame.len();
            if waiting.frame_bytes > FRAMES_WAITING_BYTES_MAX {
                link.end("more comes than can be handled");
            }
        }
        waiting.inputs.push_back(input);
        drop(waiting);
        self.some.notify_one();
    }

    fn take(&self) -> VecDeque<Input> {
        let mut waiting = self.waiting();
        waiting.frame_bytes = 0;
        std::mem::take(&mut waiting.inputs)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse(&self, what: &str, from: SocketAddr, why: &str) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = refusals.line(what, from.ip(), why, now()) {
            self.log(line);
        }
    }

    /// Said whatever `-v` is: who comes and goes here is not a client.
    fn log(&self, line: String) {
        if let Some(log) = self.shared.as_ref().and_then(|shared| shared.log.as_ref()) {
            log.say(line);
        }
    }
}

impl Handler for Inbox {
    fn linked(&self, link: Arc<Link>) {
        self.put(Input::Linked(link));
    }

    fn frame(&self, link: &Arc<Link>, frame: &[u8]) {
        self.put(Input::Frame(Arc::clone(link), frame.to_vec()));
    }

    fn idle(&self, _link: &Arc<Link>) {}

    fn unlinked(&self, link: &Arc<Link>) {
        self.put(Input::Unlinked(Arc::clone(link)));
    }

    fn refused(&self, addr: SocketAddr, why: &Refused) {
        self.refuse("call", addr, &why.to_string());
    }

    fn remark(&self, remark: &str) {
        self.log(remark.to_owned());
    }
}

/// Gossip, links and the hub.
struct Meeting {
    hub: Hub,
    gossip: Gossip,
    peers: Peers,
    inbox: Arc<Inbox>,
    generation: u64,
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
        worker: usize,
    ) -> io::Result<Self> {
        let (layout, address) = (config.layout(), socket.local_addr()?);
        // Later starts are later lives, also where the clock was set back a little.
        let generation = now().unix_ms();
        let inbox = Arc::new(Inbox { shared: Some(Arc::clone(shared)), ..Inbox::default() });
        let hello = Hello {
            versions: Versions::OURS,
            cluster: config.name.as_str().into(),
            slot_bits: layout.slot_bits,
            layout: layout_fingerprint(&layout),
            node: node.id,
            name: config.node_name.as_str().into(),
            generation,
        };
        let tls = |why: TlsError| io::Error::other(why.to_string());
        let identity = Identity::from_secret(&config.secret, &config.name, node.id).map_err(tls)?;
        let frame_bytes = shared.settings.item_bytes_max + FRAME_HEADROOM_BYTES;
        let listen = |port| {
            let address = SocketAddr::new(address.ip(), port);
            let mut peers = PeersConfig::new(identity.clone(), hello.clone(), address);
            peers.frame_bytes_max = peers.frame_bytes_max.max(frame_bytes);
            peers.outbox_bytes_max = peers.outbox_bytes_max.max(2 * peers.frame_bytes_max);
            Peers::start(peers, Arc::clone(&inbox) as Arc<dyn Handler>)
        };
        let next = address.port().checked_add(1).map(&listen);
        let peers = match next {
            Some(Ok(peers)) => peers,
            Some(Err(_)) | None => listen(0)?,
        };
        let card = Card {
            node: node.id,
            name: config.node_name.as_str().into(),
            generation,
            sequence: 1,
            client,
            peer: address,
            calls: peers.local_addr()?.port(),
            admin: None,
            zone: config.zone.as_str().into(),
            weight: node.weight,
            // The first node has nobody to catch up with.
            phase: if config.join.is_empty() { Phase::Serving } else { Phase::Joining },
            flush_floor: Version::ZERO,
            build: env!("CARGO_PKG_VERSION").into(),
        };
        let notice = config.gossip.notice();
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
            Report::Refused { from, why, .. } => reports.refuse("gossip", from, &why.to_string()),
        })?;
        let hub = HubConfig {
            layout,
            write_ack: config.write_ack,
            grace: config.grace,
            search: SEARCH,
            notice,
        };
        let hub = Hub::new(hub, card, shared, worker)
            .ok_or_else(|| io::Error::other("a node without a cluster has no hub"))?;
        Ok(Self { hub, gossip, peers, inbox, generation, phases: BTreeMap::new() })
    }

    async fn run(mut self, stop: &Notify) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let inbox = Arc::clone(&self.inbox);
        loop {
            tokio::select! {
                () = inbox.some.notified() => self.take_in(),
                _ = tick.tick() => {
                    let ticked = self.hub.handle_tick(now());
                    self.told(ticked);
                }
                () = stop.notified() => break,
            }
            self.carry_out();
        }
        let Self { gossip, peers, .. } = self;
        gossip.leave().await;
        peers.stop().await;
    }

    fn take_in(&mut self) {
        let now = now();
        for input in self.inbox.take() {
            match input {
                Input::Linked(link) => self.hub.handle_linked(&link),
                Input::Unlinked(link) => self.hub.handle_unlinked(&link),
                Input::News(event) => {
                    let heard = self.hub.handle_event(&event, now);
                    self.told(heard);
                }
                Input::Frame(link, frame) => match self.hub.handle_frame(&link, &frame, now) {
                    Ok(true) => {}
                    Ok(false) => link.end("it sent what is no message"),
                    Err(why) => self.inbox.log(format!("the view stays as it was: {why}")),
                },
            }
        }
        self.hub.handle_idle();
    }

    fn told<E: fmt::Display>(&self, told: Result<(), E>) {
        if let Err(why) = told {
            self.inbox.log(format!("the view stays as it was: {why}"));
        }
    }

    fn carry_out(&mut self) {
        while let Some(effect) = self.hub.poll_effect() {
            match effect {
                Effect::Meet { node, address, generation } => {
                    self.peers.meet(node, address, generation);
                }
                Effect::Forget(node) => self.peers.forget(node),
                Effect::Say(card) => {
                    if card.generation > self.generation {
                        self.generation = card.generation;
                        self.peers.set_generation(card.generation);
                    }
                    self.tell_own(&card);
                    self.gossip.set_card(card);
                }
                Effect::Log(change, name) => {
                    self.tell_change(&change, &name);
                }
            }
        }
    }

    /// This node's own phase, whenever that is another.
    fn tell_own(&mut self, card: &Card) {
        if self.is_new_phase(card) {
            let (name, generation, phase) = (plain(&card.name), card.generation, card.phase);
            let what = format!("what=self phase={phase} cause=\"this node\"");
            let id = card.node;
            self.inbox.log(format!("member node={name} id={id} generation={generation} {what}"));
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
        self.inbox.log(format!(
            "member node={name} id={node} generation={generation} what={what} phase={phase} \
             cause=\"{cause}\""
        ));
    }

    fn is_new_phase(&mut self, card: &Card) -> bool {
        let said = (card.generation, card.phase);
        self.phases.insert(card.node, said) != Some(said)
    }
}

/// A name as it is, or in quotes where it would not be one word.
fn plain(name: &str) -> String {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if !name.is_empty() && name.bytes().all(is_word) {
        name.to_owned()
    } else {
        format!("{name:?}")
    }
}
