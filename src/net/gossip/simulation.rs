//! Whole clusters of agents in virtual time, on a network that loses, delays and
//! parts, from one seed.

use super::samples::{address, card};
use super::{Agent, GossipConfig};
use crate::cluster::{Card, Event};
use crate::ring::NodeId;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

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
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Packet { from: SocketAddr, bytes: Vec<u8> },
    Wake,
}

/// A cluster and its network. Faults are assignments.
struct World {
    now: Duration,
    hosts: Vec<Host>,
    queue: BinaryHeap<Reverse<(Duration, u64, usize, What)>>,
    count: u64,
    rng: SmallRng,
    config: GossipConfig,
    loss_percent: u32,
    /// A packet travels for so long, at most.
    travel_max: Duration,
    packets: u64,
    bytes: u64,
}

impl World {
    fn new(nodes: usize, config: GossipConfig, seed: u64) -> Self {
        let mut world = Self {
            now: Duration::ZERO,
            hosts: Vec::new(),
            queue: BinaryHeap::new(),
            count: 0,
            rng: SmallRng::seed_from_u64(seed),
            config,
            loss_percent: 0,
            travel_max: 2 * MS,
            packets: 0,
            bytes: 0,
        };
        for node in 0..nodes {
            world.hosts.push(Host {
                agent: None,
                paused_until: None,
                inbox: Vec::new(),
                late: Duration::ZERO,
                side: 0,
                wakes_at: Duration::MAX,
                news: Vec::new(),
            });
            world.start(node, 1);
        }
        world
    }

    /// A cluster in which everyone knows everyone.
    fn grown(nodes: usize, config: GossipConfig, seed: u64) -> Self {
        let mut world = Self::new(nodes, config, seed);
        let booted = world.run_until(240 * S, Self::is_whole);
        println!("{nodes} nodes know each other and their cards after {booted:?}");
        world.hosts.iter_mut().for_each(|host| host.news.clear());
        world
    }

    /// Starts a node, or starts it again.
    fn start(&mut self, node: usize, generation: u64) {
        let card = Card { generation, ..card(node as u64) };
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
        self.queue.push(Reverse((at, self.count, host, what)));
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
            self.live().map(|(node, _)| self.agent(node).card_of(NodeId(node as u64))).collect();
        self.live().all(|(_, host)| {
            let agent = host.agent.as_ref().expect("lives");
            self.live()
                .zip(&cards)
                .all(|((node, _), &newest)| agent.card_of(NodeId(node as u64)) == newest)
        })
    }

    fn run(&mut self, length: Duration) {
        let end = self.now + length;
        while self.queue.peek().is_some_and(|Reverse((at, ..))| *at <= end) {
            self.step();
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

    fn step(&mut self) {
        let Some(Reverse((at, _, node, what))) = self.queue.pop() else { return };
        self.now = at;
        let host = &mut self.hosts[node];
        let Some(agent) = &mut host.agent else { return };
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
        self.packets += 1;
        self.bytes += bytes.len() as u64;
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

    /// Who was held for dead, by whom.
    fn deaths(&self) -> impl Iterator<Item = (usize, usize, Duration)> {
        self.hosts.iter().enumerate().flat_map(|(by, host)| {
            host.news.iter().filter_map(move |(at, event)| match event {
                Event::Down(notice) => Some((notice.node.0 as usize, by, *at)),
                _ => None,
            })
        })
    }

    /// Kills a node and says when the others knew, from the kill on.
    fn detection(&mut self, victim: usize) -> Vec<Duration> {
        self.kill(victim);
        let start = self.now;
        let others = self.hosts.len() - 1;
        self.run_until(60 * S, |world| {
            world.deaths().filter(|&(node, ..)| node == victim).count() >= others
        });
        self.deaths()
            .filter(|&(node, ..)| node == victim)
            .map(|(.., at)| at.saturating_sub(start))
            .collect()
    }
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

/// Kills one of many in each of some runs, at 5 % loss: nobody else may be held
/// for dead.
fn kill_one(nodes: usize, runs: u64) -> (Duration, Duration) {
    let mut all = Vec::new();
    for seed in 0..runs {
        let mut world = World::grown(nodes, GossipConfig::lan(), seed);
        world.loss_percent = 5;
        let (packets, bytes) = (world.packets, world.bytes);
        world.run(10 * S);
        let per = |count: u64| count as f64 / 10.0 / nodes as f64;
        let (packets, bytes) = (per(world.packets - packets), per(world.bytes - bytes));
        println!("idle: {packets:.1} packets and {bytes:.0} bytes a second and node");
        all.extend(world.detection(nodes - 1));
        let falsely = world.deaths().filter(|&(node, ..)| node != nodes - 1).count();
        assert_eq!(falsely, 0, "seed {seed}");
    }
    all.sort_unstable();
    let (mean, worst) = (mean(&all), all[all.len() - 1]);
    let p99 = all[all.len() * 99 / 100];
    println!("{nodes} nodes, 5 % loss: death seen after {mean:?} (p99 {p99:?}, worst {worst:?})");
    (mean, worst)
}

#[test]
fn a_death_among_three_is_seen_in_seconds() {
    let (mean, worst) = kill_one(3, 20);
    assert!(mean < 4 * S && worst < 7 * S, "{mean:?} {worst:?}");
}

/// More with `RINGCACHED_GOSSIP_NODES=1000`.
#[test]
fn a_death_among_many_is_seen_in_seconds() {
    let nodes = std::env::var("RINGCACHED_GOSSIP_NODES");
    let nodes = nodes.ok().and_then(|nodes| nodes.parse().ok()).unwrap_or(100);
    let runs = if nodes > 100 { 1 } else { 3 };
    let (mean, worst) = kill_one(nodes, runs);
    assert!(mean < 4 * S && worst < 7 * S, "{mean:?} {worst:?}");
}

#[test]
fn slow_nodes_accuse_nobody() {
    let nodes = 60;
    let mut world = World::grown(nodes, GossipConfig::lan(), 1);
    for slow in 10..15 {
        world.hosts[slow].late = 1500 * MS;
    }
    world.run(60 * S);
    let falsely: Vec<_> = world.deaths().collect();
    assert_eq!(falsely, []);
    let times = world.detection(nodes - 1);
    let healthy = mean(&times);
    println!("with 5 slow of {nodes}: death seen after {healthy:?}");
    assert!(healthy < 6 * S);
}

#[test]
fn loss_kills_nobody() {
    let mut world = World::grown(50, GossipConfig::lan(), 2);
    world.loss_percent = 10;
    world.run(120 * S);
    assert_eq!(world.deaths().collect::<Vec<_>>(), []);
}

/// Few nodes suspect each other often, for there is hardly anyone to ask in one's
/// place.
#[test]
fn among_few_loss_and_delay_kill_nobody() {
    for (nodes, seed) in [(2, 1), (2, 2), (3, 3), (3, 4)] {
        let mut world = World::grown(nodes, GossipConfig::lan(), seed);
        (world.loss_percent, world.travel_max) = (5, 30 * MS);
        world.run(600 * S);
        let news: Vec<_> = world.hosts.iter().flat_map(|host| &host.news).collect();
        assert!(news.is_empty(), "{nodes} nodes, seed {seed}: {news:?}");
    }
}

#[test]
fn a_tenth_that_dies_at_once_is_seen_in_seconds() {
    let nodes = 50;
    let mut world = World::grown(nodes, GossipConfig::lan(), 2);
    world.loss_percent = 5;
    (40..45).for_each(|node| world.kill(node));
    let seen = world.run_until(20 * S, |world| {
        world.live().all(|(_, host)| host.agent.as_ref().is_some_and(|agent| agent.live() == 44))
    });
    println!("5 of {nodes} die at once: all know after {seen:?}");
    assert!(world.deaths().all(|(node, ..)| (40..45).contains(&node)) && seen < 8 * S);
}

#[test]
fn a_pause_of_two_seconds_is_survived() {
    for seed in 0..20 {
        let mut world = World::grown(5, GossipConfig::lan(), seed);
        world.loss_percent = 2;
        world.run(Duration::from_millis(37 * seed));
        world.pause(4, 2 * S);
        world.run(8 * S);
        assert_eq!(world.deaths().collect::<Vec<_>>(), [], "seed {seed}");
    }
}

#[test]
fn two_halves_find_each_other() {
    let nodes = 20;
    let mut world = World::grown(nodes, GossipConfig::lan(), 3);
    world.hosts.iter_mut().skip(nodes / 2).for_each(|host| host.side = 1);
    world.run_until(30 * S, |world| {
        world.live().all(|(_, host)| host.agent.as_ref().unwrap().live() == nodes / 2 - 1)
    });
    world.run(60 * S);
    world.hosts.iter_mut().for_each(|host| host.side = 0);
    let healed = world.run_until(60 * S, |world| {
        world.live().all(|(_, host)| host.agent.as_ref().unwrap().live() == nodes - 1)
    });
    println!("{nodes} nodes parted for 60 s are one again after {healed:?}");
    world.hosts.iter_mut().for_each(|host| host.news.clear());
    world.run(20 * S);
    assert_eq!(world.deaths().count(), 0, "it stays so");
}

#[test]
fn a_lone_survivor_is_found_again() {
    let mut world = World::grown(2, GossipConfig::lan(), 4);
    world.hosts[1].side = 1;
    world.run(30 * S);
    assert_eq!((world.agent(0).live(), world.agent(1).live()), (0, 0));
    world.hosts[1].side = 0;
    world.run_until(20 * S, |world| {
        world.live().all(|(_, h)| h.agent.as_ref().unwrap().live() == 1)
    });
}

#[test]
fn a_restarted_node_takes_its_place_again() {
    let mut world = World::grown(5, GossipConfig::lan(), 5);
    world.kill(3);
    world.run(200 * MS);
    world.start(3, 2);
    let back = world.run_until(10 * S, World::is_whole);
    println!("a node restarted at once is known after {back:?}");
    world.run(10 * S);
    let returned = world.agent(3).generation();
    assert_eq!((returned, world.deaths().filter(|&(node, ..)| node != 3).count()), (2, 0));
}

#[test]
fn a_clock_that_went_back_does_not_lock_a_node_out() {
    let mut world = World::grown(4, GossipConfig::lan(), 6);
    world.kill(2);
    world.run(S);
    world.start(2, 1_000_000);
    world.run_until(10 * S, World::is_whole);
    world.kill(2);
    world.run(10 * S);
    world.start(2, 5);
    world.run_until(15 * S, |world| {
        world.live().all(|(_, h)| h.agent.as_ref().unwrap().live() == 3)
    });
    assert!(world.agent(2).generation() > 1_000_000);
}

#[test]
fn cards_converge_though_a_fifth_is_lost() {
    let nodes = 40;
    let mut world = World::grown(nodes, GossipConfig::lan(), 7);
    world.loss_percent = 20;
    for node in 0..nodes {
        let mut agent = world.hosts[node].agent.take().unwrap();
        agent.set_card(Card { weight: 2, ..card(node as u64) }, world.now);
        world.hosts[node].agent = Some(agent);
        world.drain(node);
    }
    assert!(!world.cards_agree());
    let even = world.run_until(30 * S, World::cards_agree);
    println!("{nodes} new cards at once, 20 % loss: the same everywhere after {even:?}");
}

#[test]
fn a_card_is_soon_everywhere() {
    let nodes = 100;
    let mut world = World::grown(nodes, GossipConfig::lan(), 8);
    let mut agent = world.hosts[0].agent.take().unwrap();
    agent.set_card(card(0), world.now);
    world.hosts[0].agent = Some(agent);
    world.drain(0);
    let even = world.run_until(5 * S, World::cards_agree);
    println!("a new card is at {nodes} nodes after {even:?}");
}

#[test]
fn one_that_leaves_is_not_waited_for() {
    let mut world = World::grown(10, GossipConfig::lan(), 9);
    world.loss_percent = 5;
    let mut agent = world.hosts[9].agent.take().unwrap();
    agent.leave(world.now);
    world.hosts[9].agent = Some(agent);
    world.drain(9);
    world.run(S);
    assert!(world.agent(9).has_left());
    let told = world.deaths().filter(|&(node, ..)| node == 9).count();
    assert_eq!(told, 9);
}
