//! A cluster of gossip agents and its network, in virtual time and on one thread.
//!
//! The agents are those that the server runs, and so are their packets. A packet
//! travels for a moment or is lost; it is neither sealed nor sent.

use super::seen::{Seen, Truth};
use crate::cluster::{Card, Event, Members, Phase};
use crate::item::Version;
use crate::net::gossip::{Agent, GossipConfig};
use crate::ring::NodeId;
use crate::wire::card_bytes;
use crate::wire::gossip::{Identity, PARCEL_BYTES_MAX, Parcel, parcel_bytes};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Of the first node: real ones are hashes, and take as many bytes.
const FIRST_NODE: u64 = 1 << 60;

/// Before the first start: real ones are milliseconds since 1970.
const NO_GENERATION: u64 = 1_700_000_000_000;

/// Zones of the cluster. Nodes stand in them in turn.
pub(super) const ZONES: usize = 3;

/// Nodes that keep all they are told, as a server does. Of the others it is only
/// noted whether they have it right: the cards that 5,000 nodes have of each other
/// would take as much memory again as their agents do.
const WITNESSES: usize = 3;

/// How long a packet travels: within one place.
const TRAVEL_US: std::ops::Range<u64> = 100..2000;

/// Nodes of a settled cluster were not started all at the same time. Less than the
/// time until the first of them probes another one, which has to be there by then.
const STARTED_WITHIN_US: u64 = 340_000;

/// Bytes of a parcel around the cards in it, at most.
const AROUND_CARDS_BYTES: usize = 96;

/// Packets, and the bytes in them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traffic {
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

/// One node.
struct Host {
    /// None while it is not running.
    agent: Option<Agent>,
    /// How often it was started.
    starts: u64,
    leaves: bool,
    wakes_at: Duration,
    seen: Seen,
    /// What it was told, if it is a witness.
    members: Option<Members>,
}

/// What happens to a host at some time. Ordered by time, and else as it was planned.
struct Due {
    at: Duration,
    count: u64,
    host: usize,
    what: What,
}

enum What {
    Packet(Vec<u8>, SocketAddr),
    Wake,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.count).cmp(&(other.at, other.count))
    }
}

/// A cluster and its network.
pub(super) struct World {
    pub(super) now: Duration,
    pub(super) sent: Traffic,
    /// How often a node was held for dead that was running, in the generation it
    /// was running in: once for each that held it for dead.
    pub(super) false_deaths: u64,
    /// Who was.
    pub(super) falsely_dead: BTreeSet<usize>,
    hosts: Vec<Host>,
    queue: BinaryHeap<Reverse<Due>>,
    count: u64,
    rng: SmallRng,
    config: GossipConfig,
    loss_percent: u32,
}

impl World {
    pub(super) fn new(config: GossipConfig, loss_percent: u32, seed: u64) -> Self {
        Self {
            now: Duration::ZERO,
            sent: Traffic::default(),
            false_deaths: 0,
            falsely_dead: BTreeSet::new(),
            hosts: Vec::new(),
            queue: BinaryHeap::new(),
            count: 0,
            rng: SmallRng::seed_from_u64(seed),
            config,
            loss_percent,
        }
    }

    /// A cluster in which everyone has had the cards of all others for long: they
    /// are given to each as another node would give them, without the storm of all
    /// starting at once.
    pub(super) fn settled(
        nodes: usize,
        config: GossipConfig,
        loss_percent: u32,
        seed: u64,
    ) -> Self {
        let mut world = Self::new(config, loss_percent, seed);
        let cards: Vec<Card> = (0..nodes).map(|node| card(node, 1)).collect();
        let parcels = packed(&cards);
        for node in 0..nodes {
            world.add_host();
            let started = Duration::from_micros(world.rng.random_range(0..STARTED_WITHIN_US));
            let seed = world.rng.random();
            let mut agent = Agent::new(world.config.clone(), card(node, 1), seed, started);
            for parcel in &parcels {
                agent.handle_packet(address(node), parcel, started);
                world.hear(node, &mut agent);
            }
            while agent.poll_transmit().is_some() {}
            let host = &mut world.hosts[node];
            host.starts = 1;
            host.agent = Some(agent);
            world.drain(node);
        }
        world
    }

    fn add_host(&mut self) {
        let members = (self.hosts.len() < WITNESSES).then(Members::new);
        self.hosts.push(Host {
            agent: None,
            starts: 0,
            leaves: false,
            wakes_at: Duration::MAX,
            seen: Seen::default(),
            members,
        });
    }

    /// One more node, which is told where the first ones are.
    pub(super) fn add(&mut self) {
        self.add_host();
        self.start(self.hosts.len() - 1);
    }

    /// Starts a node, or starts it again: it knows nobody.
    pub(super) fn start(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        host.starts += 1;
        host.leaves = false;
        host.wakes_at = Duration::MAX;
        host.seen = Seen::default();
        host.members = host.members.take().map(|_| Members::new());
        let card = card(node, host.starts);
        let mut agent = Agent::new(self.config.clone(), card, self.rng.random(), self.now);
        agent.set_seeds(&[address(0), address(1), address(2)], self.now);
        self.hosts[node].agent = Some(agent);
        self.drain(node);
    }

    /// A node dies, or the process of one that has left ends.
    pub(super) fn kill(&mut self, node: usize) {
        self.hosts[node].agent = None;
    }

    /// A node says that it leaves.
    pub(super) fn leave(&mut self, node: usize) {
        let now = self.now;
        let host = &mut self.hosts[node];
        host.leaves = true;
        if let Some(agent) = &mut host.agent {
            agent.leave(now);
        }
        self.drain(node);
    }

    pub(super) fn len(&self) -> usize {
        self.hosts.len()
    }

    pub(super) fn zone_of(node: usize) -> usize {
        node % ZONES
    }

    pub(super) fn random(&mut self, end: usize) -> usize {
        self.rng.random_range(0..end)
    }

    fn running(&self) -> impl Iterator<Item = (usize, &Host, &Agent)> {
        let hosts = self.hosts.iter().enumerate();
        hosts.filter_map(|(node, host)| Some((node, host, host.agent.as_ref()?)))
    }

    pub(super) fn live(&self) -> usize {
        self.running().count()
    }

    /// What is so, of all nodes that ever were.
    pub(super) fn truth(&self) -> Truth {
        let stands = |host: &Host| match &host.agent {
            Some(agent) => (agent.generation() - NO_GENERATION, !host.leaves),
            None => (host.starts, false),
        };
        Truth::new(self.hosts.iter().map(stands))
    }

    /// Whether all running nodes know of all nodes what is so.
    pub(super) fn agrees(&self) -> bool {
        self.agreeing() == self.live()
    }

    /// How many of the running nodes know of all nodes what is so.
    pub(super) fn agreeing(&self) -> usize {
        let truth = self.truth();
        self.running().filter(|(node, host, _)| host.seen.is(&truth, *node)).count()
    }

    /// How many times a running node does not know of another one what is so.
    pub(super) fn mistaken(&self) -> u64 {
        let truth = self.truth();
        self.running().map(|(node, host, _)| host.seen.mistakes(&truth, node)).sum()
    }

    /// What each of the running witnesses was told, and its own card.
    pub(super) fn witnesses(&self) -> Vec<(Card, &Members)> {
        let kept = self.running().filter_map(|(node, host, agent)| {
            let own = Card { generation: agent.generation(), ..card(node, 1) };
            Some((own, host.members.as_ref()?))
        });
        kept.collect()
    }

    pub(super) fn run(&mut self, length: Duration) {
        let end = self.now + length;
        while self.queue.peek().is_some_and(|Reverse(due)| due.at <= end) {
            if let Some(Reverse(due)) = self.queue.pop() {
                self.now = due.at;
                self.step(due.host, due.what);
            }
        }
        self.now = end;
    }

    fn step(&mut self, node: usize, what: What) {
        let now = self.now;
        let host = &mut self.hosts[node];
        let Some(agent) = &mut host.agent else { return };
        match what {
            What::Packet(bytes, from) => agent.handle_packet(from, &bytes, now),
            What::Wake if host.wakes_at > now => return,
            What::Wake => host.wakes_at = Duration::MAX,
        }
        if agent.next_timeout().is_some_and(|due| due <= now) {
            agent.handle_timeout(now);
        }
        self.drain(node);
    }

    /// Carries away what an agent has to say, and wakes it when it wants to be.
    fn drain(&mut self, node: usize) {
        let Some(mut agent) = self.hosts[node].agent.take() else { return };
        self.hear(node, &mut agent);
        while let Some((to, bytes)) = agent.poll_transmit() {
            self.transmit(node, to, bytes);
        }
        let due = agent.next_timeout().unwrap_or(Duration::MAX);
        let host = &mut self.hosts[node];
        host.agent = Some(agent);
        if due < host.wakes_at {
            host.wakes_at = due;
            self.push(due, node, What::Wake);
        }
    }

    /// Takes the news of an agent.
    fn hear(&mut self, node: usize, agent: &mut Agent) {
        while let Some(event) = agent.poll_event() {
            match &event {
                Event::Heard(card) => {
                    let generation = card.generation - NO_GENERATION;
                    self.hosts[node].seen.card(number(card.node), generation);
                }
                Event::Alive(notice) | Event::Suspect(notice) => {
                    let generation = notice.generation - NO_GENERATION;
                    self.hosts[node].seen.alive(number(notice.node), generation);
                }
                Event::Down(notice) => {
                    let of = number(notice.node);
                    self.hosts[node].seen.down(of, notice.generation - NO_GENERATION);
                    self.judge(of, notice.generation);
                }
                // Its owner has it say its card again, under the new generation.
                Event::Renewed { generation, .. } => {
                    let starts = generation - NO_GENERATION;
                    self.hosts[node].starts = starts;
                    agent.set_card(card(node, starts), self.now);
                }
            }
            if let Some(members) = &mut self.hosts[node].members {
                members.apply(&event, self.now);
            }
        }
    }

    /// One holds a node for dead. Whether it is.
    fn judge(&mut self, of: usize, generation: u64) {
        let Some(host) = self.hosts.get(of) else { return };
        let running = host.agent.as_ref().filter(|_| !host.leaves);
        if running.is_some_and(|agent| agent.generation() == generation) {
            self.false_deaths += 1;
            self.falsely_dead.insert(of);
        }
    }

    fn transmit(&mut self, from: usize, to: SocketAddr, bytes: Vec<u8>) {
        self.sent.packets += 1;
        self.sent.bytes += bytes.len() as u64;
        let lost = self.rng.random_range(0..100) < self.loss_percent;
        let target = host_at(to).filter(|&target| target < self.hosts.len());
        if let Some(target) = target.filter(|_| !lost) {
            let travel = Duration::from_micros(self.rng.random_range(TRAVEL_US));
            self.push(self.now + travel, target, What::Packet(bytes, address(from)));
        }
    }

    fn push(&mut self, at: Duration, host: usize, what: What) {
        self.count += 1;
        self.queue.push(Reverse(Due { at, count: self.count, host, what }));
    }
}

fn number(node: NodeId) -> usize {
    (node.0 - FIRST_NODE) as usize
}

fn address(node: usize) -> SocketAddr {
    let [high, low] = (node as u16).to_be_bytes();
    (Ipv4Addr::new(10, 0, high, low), 11213).into()
}

fn host_at(at: SocketAddr) -> Option<usize> {
    let SocketAddr::V4(at) = at else { return None };
    let [_, _, high, low] = at.ip().octets();
    Some(usize::from(u16::from_be_bytes([high, low])))
}

/// As long as those of a real cluster.
fn card(node: usize, starts: u64) -> Card {
    Card {
        node: NodeId(FIRST_NODE + node as u64),
        name: format!("cache-{node}").into(),
        generation: NO_GENERATION + starts,
        sequence: 0,
        client: format!("{}:11211", address(node).ip()).into(),
        peer: address(node),
        calls: 11213,
        admin: None,
        zone: format!("zone-{}", World::zone_of(node)).into(),
        weight: 1,
        phase: Phase::Serving,
        flush_floor: Version::ZERO,
        build: concat!("ringcached ", env!("CARGO_PKG_VERSION")).into(),
    }
}

/// All cards, in as many parcels as that takes.
fn packed(cards: &[Card]) -> Vec<Vec<u8>> {
    let cards: Vec<Vec<u8>> = cards.iter().filter_map(|card| card_bytes(card).ok()).collect();
    let from = Identity::new(NodeId(FIRST_NODE), NO_GENERATION, address(0));
    let mut parcels = Vec::new();
    let mut rest = &cards[..];
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |card: &&Vec<u8>| {
            bytes += card.len() + 3;
            bytes <= PARCEL_BYTES_MAX - AROUND_CARDS_BYTES
        };
        let (these, others) = rest.split_at(rest.iter().take_while(fits).count().max(1));
        let cards = these.iter().map(Vec::as_slice).collect();
        parcels.push(parcel_bytes(&Parcel::Take { from, cards }));
        rest = others;
    }
    parcels
}
