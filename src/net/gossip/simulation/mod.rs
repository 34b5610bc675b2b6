//! Whole clusters of agents in virtual time, on a network that loses, delays and
//! parts, from one seed.

mod cards;
mod deaths;

use super::samples::{address, card as sample};
use super::{Agent, GossipConfig};
use crate::cluster::{Card, Event};
use crate::ring::NodeId;
use crate::wire::gossip::PARCEL_BYTES_MAX;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

/// Of the first node: real ones are drawn at random and take as many bytes.
const FIRST_NODE: u64 = 1 << 60;

/// Before the first start: real ones are milliseconds since 1970.
const NO_GENERATION: u64 = 1_700_000_000_000;

/// One node, as long as it lives.
struct Host {
    agent: Option<Agent>,
    /// It stands still until then; what comes is kept by its kernel.
    paused_until: Option<Duration>,
    inbox: Vec<(SocketAddr, Vec<u8>)>,
    /// What comes is read so much later.
    late: Duration,
    side: u8,
    wakes_at: Duration,
    /// Deaths and returns it was told of.
    news: Vec<(Duration, Event)>,
    received: Traffic,
}

enum What {
    Packet { from: SocketAddr, bytes: Vec<u8> },
    Wake,
}

/// Packets, and the bytes in them.
#[derive(Clone, Copy, Default)]
struct Traffic {
    packets: u64,
    bytes: u64,
}

impl Traffic {
    fn add(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }
}

/// A cluster and its network. Faults are assignments.
struct World {
    now: Duration,
    hosts: Vec<Host>,
    /// What happens when, to which host.
    queue: BTreeMap<(Duration, u64), (usize, What)>,
    count: u64,
    rng: SmallRng,
    config: GossipConfig,
    loss_percent: u32,
    /// A packet travels for so long, at most.
    travel_max: Duration,
    sent: Traffic,
}

impl World {
    fn new(nodes: usize, config: GossipConfig, seed: u64) -> Self {
        let mut world = Self {
            now: Duration::ZERO,
            hosts: Vec::new(),
            queue: BTreeMap::new(),
            count: 0,
            rng: SmallRng::seed_from_u64(seed),
            config,
            loss_percent: 0,
            travel_max: 2 * MS,
            sent: Traffic::default(),
        };
        (0..nodes).for_each(|_| world.add());
        world
    }

    /// One more node starts.
    fn add(&mut self) {
        self.hosts.push(Host {
            agent: None,
            paused_until: None,
            inbox: Vec::new(),
            late: Duration::ZERO,
            side: 0,
            wakes_at: Duration::MAX,
            news: Vec::new(),
            received: Traffic::default(),
        });
        self.start(self.hosts.len() - 1, 1);
    }

    /// A cluster in which everyone knows everyone.
    fn grown(nodes: usize, config: GossipConfig, seed: u64) -> Self {
        let mut world = Self::new(nodes, config, seed);
        let booted = world.run_until(240 * S, Self::is_whole);
        if seed == 0 {
            let (each, Traffic { packets, bytes }) = (nodes as u64, world.sent);
            println!("{nodes} nodes know each other and their cards after {booted:?}, having sent");
            println!("{} packets and {} bytes each", packets / each, bytes / each);
        }
        world.hosts.iter_mut().for_each(|host| host.news.clear());
        world
    }

    /// Starts a node, or starts it again.
    fn start(&mut self, node: usize, generation: u64) {
        let card = Card { generation: NO_GENERATION + generation, ..card(node) };
        let seed = self.rng.random();
        let mut agent = Agent::new(self.config.clone(), card, seed, self.now);
        agent.set_seeds(&[address(0), address(1)], self.now);
        self.hosts[node].agent = Some(agent);
        self.hosts[node].wakes_at = Duration::MAX;
        self.drain(node);
    }

    fn kill(&mut self, node: usize) {
        self.hosts[node].agent = None;
    }

    fn pause(&mut self, node: usize, length: Duration) {
        let until = self.now + length;
        self.hosts[node].paused_until = Some(until);
        self.push(until, node, What::Wake);
    }

    fn push(&mut self, at: Duration, host: usize, what: What) {
        self.count += 1;
        self.queue.insert((at, self.count), (host, what));
    }

    fn live(&self) -> impl Iterator<Item = (usize, &Host)> {
        self.hosts.iter().enumerate().filter(|(_, host)| host.agent.is_some())
    }

    fn agent(&self, node: usize) -> &Agent {
        self.hosts[node].agent.as_ref().expect("lives")
    }

    /// Everyone who lives knows everyone who lives, and has their newest cards.
    fn is_whole(&self) -> bool {
        let count = self.live().count();
        self.live()
            .all(|(_, host)| host.agent.as_ref().is_some_and(|agent| agent.live() == count - 1))
            && self.cards_agree()
    }

    fn cards_agree(&self) -> bool {
        let cards: Vec<_> =
            self.live().map(|(node, _)| self.agent(node).card_of(id(node))).collect();
        self.live().all(|(_, host)| {
            let agent = host.agent.as_ref().expect("lives");
            self.live().zip(&cards).all(|((node, _), &newest)| agent.card_of(id(node)) == newest)
        })
    }

    fn run(&mut self, length: Duration) {
        let end = self.now + length;
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), (node, what)) = entry.remove_entry();
            self.step(at, node, what);
        }
        self.now = end;
    }

    /// Runs until something is so, which must be within a time. Looks ten times a
    /// second. How long it took.
    fn run_until(&mut self, within: Duration, so: impl Fn(&Self) -> bool) -> Duration {
        let start = self.now;
        while !so(self) {
            assert!(self.now < start + within, "not within {within:?}");
            self.run(100 * MS);
        }
        self.now.saturating_sub(start)
    }

    fn step(&mut self, at: Duration, node: usize, what: What) {
        self.now = at;
        let host = &mut self.hosts[node];
        let Some(agent) = &mut host.agent else { return };
        if let What::Packet { bytes, .. } = &what {
            host.received.add(bytes.len());
        }
        if host.paused_until.is_some_and(|until| at < until) {
            if let What::Packet { from, bytes } = what {
                host.inbox.push((from, bytes));
            }
            return;
        }
        host.paused_until = None;
        for (from, bytes) in host.inbox.drain(..) {
            agent.handle_packet(from, &bytes, at);
        }
        match what {
            What::Packet { from, bytes } => agent.handle_packet(from, &bytes, at),
            What::Wake => host.wakes_at = Duration::MAX,
        }
        if agent.next_timeout().is_some_and(|due| due <= at) {
            agent.handle_timeout(at);
        }
        self.drain(node);
    }

    /// Carries away what an agent has to say.
    fn drain(&mut self, node: usize) {
        let Some(mut agent) = self.hosts[node].agent.take() else { return };
        while let Some((to, bytes)) = agent.poll_transmit() {
            self.transmit(node, to, bytes);
        }
        let host = &mut self.hosts[node];
        while let Some(event) = agent.poll_event() {
            if matches!(event, Event::Down(_) | Event::Renewed { .. }) {
                host.news.push((self.now, event));
            }
        }
        let due = agent.next_timeout().unwrap_or(Duration::MAX);
        let earlier = due < host.wakes_at;
        host.agent = Some(agent);
        if earlier {
            host.wakes_at = due;
            self.push(due, node, What::Wake);
        }
    }

    fn transmit(&mut self, from: usize, to: SocketAddr, bytes: Vec<u8>) {
        assert!(bytes.len() <= PARCEL_BYTES_MAX, "{} bytes in one packet", bytes.len());
        self.sent.add(bytes.len());
        let Some(target) = node_at(to) else { return };
        let lost = self.rng.random_range(0..100) < self.loss_percent;
        if lost || target >= self.hosts.len() || self.hosts[from].side != self.hosts[target].side {
            return;
        }
        let travel =
            Duration::from_micros(self.rng.random_range(100..self.travel_max.as_micros() as u64));
        let at = self.now + travel + self.hosts[target].late;
        self.push(at, target, What::Packet { from: address(from as u64), bytes });
    }

    /// Has a node say something new of itself.
    fn renew_card(&mut self, node: usize, weight: u32) {
        let mut agent = self.hosts[node].agent.take().expect("lives");
        agent.set_card(Card { weight, ..card(node) }, self.now);
        self.hosts[node].agent = Some(agent);
        self.drain(node);
    }

    /// What a node sends in a second, over some of them: packets and bytes.
    fn rate(&mut self, length: Duration) -> (f64, f64) {
        let before = self.sent;
        self.run(length);
        let per = |count: u64| count as f64 / length.as_secs_f64() / self.live().count() as f64;
        (per(self.sent.packets - before.packets), per(self.sent.bytes - before.bytes))
    }

    /// Who was held for dead, by whom.
    fn deaths(&self) -> impl Iterator<Item = (usize, usize, Duration)> {
        self.hosts.iter().enumerate().flat_map(|(by, host)| {
            host.news.iter().filter_map(move |(at, event)| match event {
                Event::Down(notice) => Some((index(notice.node), by, *at)),
                _ => None,
            })
        })
    }

    /// Who lives and was held for dead.
    fn false_deaths(&self) -> Vec<(usize, usize, Duration)> {
        self.deaths().filter(|&(node, ..)| self.hosts[node].agent.is_some()).collect()
    }

    /// Kills a node and says when the others knew, from the kill on.
    fn detection(&mut self, victim: usize) -> Vec<Duration> {
        self.kill(victim);
        let start = self.now;
        let others = self.live().count();
        self.run_until(60 * S, |world| {
            world.deaths().filter(|&(node, ..)| node == victim).count() >= others
        });
        self.deaths()
            .filter(|&(node, ..)| node == victim)
            .map(|(.., at)| at.saturating_sub(start))
            .collect()
    }
}

fn id(node: usize) -> NodeId {
    NodeId(FIRST_NODE + node as u64)
}

fn index(node: NodeId) -> usize {
    (node.0 - FIRST_NODE) as usize
}

fn card(node: usize) -> Card {
    Card { node: id(node), ..sample(node as u64) }
}

/// How many nodes, where that is asked for.
fn asked_nodes() -> Option<usize> {
    std::env::var("RINGCACHED_GOSSIP_NODES").ok()?.parse().ok()
}

fn node_at(at: SocketAddr) -> Option<usize> {
    match at {
        SocketAddr::V4(at) => {
            let [_, _, high, low] = at.ip().octets();
            Some(usize::from(u16::from_be_bytes([high, low])))
        }
        SocketAddr::V6(_) => None,
    }
}

fn mean(times: &[Duration]) -> Duration {
    times.iter().sum::<Duration>() / times.len().max(1) as u32
}
