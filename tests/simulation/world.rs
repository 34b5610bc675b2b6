//! The nodes, the packets and frames between them, and the clock.

use crate::faults::GRACE_MS;
use crate::leaving::Leaving;
use crate::memory::Memory;
use crate::run::Plan;
use crate::strangers::Strange;
use ringcached::cluster::{
    Agreed, Card, Flaw, Made, Phase, Plan as ChangePlan, ReadFrom, Step, View,
};
use ringcached::item::{Now, Version};
use ringcached::lab::Random;
use ringcached::net::gossip::{Agent, GossipConfig};
use ringcached::net::peers::Link;
use ringcached::node::{Effect, Hub, HubConfig, Session, Settings, Shared, SharedView, WriteAck};
use ringcached::ring::{Layout, NodeId, Ring};
use ringcached::store::{Store, StoreConfig};
use ringcached::wire::Frames;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Some day in 2027.
const START_MS: u64 = 1_800_000_000_000;

/// How often a node looks at the clock by itself.
const TICK_MS: u64 = 5;

/// A link that nothing comes over for so long is at its end.
pub(crate) const LINK_IDLE_MS: u64 = 3000;

/// How often a node tries to reach another that it cannot reach.
const REDIAL_MS: u64 = 200;

pub(crate) struct World {
    clock: Arc<AtomicU64>,
    pub(crate) random: Random,
    pub(crate) nodes: Vec<Node>,
    /// Of these nodes, the first so many are asked by clients.
    pub(crate) served: usize,
    layout: Layout,
    write_ack: WriteAck,
    read_from: ReadFrom,
    min_nodes_for_writes: usize,
    zones: usize,
    loss: u64,
    duplicates: u64,
    /// Whatever is sent takes so much longer.
    distance_ms: u64,
    gossip: GossipConfig,
    log: bool,
    /// What arrives when, in order.
    pub(crate) coming: BTreeMap<(u64, u64), Delivery>,
    sequence: u64,
    /// Nothing gets from the one to the other.
    pub(crate) cuts: BTreeSet<(usize, usize)>,
    /// Only gossip gets from the one to the other.
    pub(crate) call_cuts: BTreeSet<(usize, usize)>,
    /// Links bring nothing from the one to the other.
    pub(crate) stalls: BTreeSet<(usize, usize)>,
    /// Gossip to these nodes waits.
    pub(crate) unheard: BTreeSet<usize>,
    /// What was sent over links that are cut: it is sent again until it arrives or
    /// the link is at its end.
    pub(crate) held: Vec<Delivery>,
    /// How nodes plan that are started from now on.
    pub(crate) plan: fn(&Agreed) -> Result<ChangePlan, Flaw>,
    /// What nodes told people of changes that do not go on, and when.
    pub(crate) told: Vec<(u64, usize, Effect)>,
    /// The last arrival over each link: what is sent later arrives later.
    arrivals: BTreeMap<(usize, usize), u64>,
}

pub(crate) struct Node {
    pub(crate) up: Option<Up>,
    /// It does nothing until then.
    paused_until: u64,
    pub(crate) generation: u64,
    /// Its clock is so far ahead.
    skew_ms: u64,
    /// It cannot take part.
    pub(crate) strange: Option<Strange>,
    /// It was told to leave, and how far it has come with that.
    pub(crate) leaves: Option<Leaving>,
    /// How far the change of owners has come by which it goes.
    pub(crate) step: Option<Step>,
    /// Requests of its clients that are under way.
    pub(crate) busy: Rc<()>,
}

impl Node {
    /// One that is not started yet.
    pub(crate) fn new(skew_ms: u64) -> Self {
        Self {
            up: None,
            paused_until: 0,
            generation: 0,
            skew_ms,
            strange: None,
            leaves: None,
            step: None,
            busy: Rc::new(()),
        }
    }
}

pub(crate) struct Up {
    pub(crate) hub: Hub,
    pub(crate) agent: Agent,
    pub(crate) shared: Arc<Shared>,
    pub(crate) links: BTreeMap<usize, Wire>,
}

/// One end of a link.
pub(crate) struct Wire {
    /// Both ends have the same, and no other link has it.
    pub(crate) number: u64,
    pub(crate) link: Arc<Link>,
    frames: Frames,
    /// The other end's generation.
    theirs: u64,
}

pub(crate) enum Delivery {
    Packet {
        to: usize,
        from: usize,
        bytes: Vec<u8>,
    },
    Frames {
        to: usize,
        from: usize,
        number: u64,
        bytes: Vec<u8>,
    },
    Link {
        one: usize,
        other: usize,
        generations: (u64, u64),
    },
    /// The link is at its end; or only if it is still cut.
    Unlink {
        at: usize,
        from: usize,
        number: u64,
        if_cut: bool,
    },
    /// A node, if it is still that one, has worked something out.
    Made {
        at: usize,
        shared: Arc<Shared>,
        made: Box<Made>,
    },
}

fn address(node: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1000 + node as u16))
}

pub(crate) fn id(node: usize) -> NodeId {
    NodeId::from_name(&format!("node-{node}"))
}

impl World {
    pub(crate) fn new(seed: u64, plan: &Plan) -> Self {
        Self::at_distance(seed, plan, 0, GossipConfig::lan())
    }

    /// Nodes that are so far from each other.
    pub(crate) fn at_distance(
        seed: u64,
        plan: &Plan,
        distance_ms: u64,
        gossip: GossipConfig,
    ) -> Self {
        let (nodes, copies) = (plan.nodes, plan.copies);
        let layout = Layout { seed, copies, slot_bits: 8, vnodes: 64, ..Layout::default() };
        let mut world = Self {
            clock: Arc::new(AtomicU64::new(START_MS)),
            random: Random::new(seed),
            nodes: Vec::new(),
            served: nodes,
            layout,
            write_ack: plan.write_ack,
            read_from: plan.read_from,
            min_nodes_for_writes: plan.min_nodes_for_writes,
            zones: plan.zones,
            loss: plan.faults.loss,
            duplicates: plan.faults.duplicates,
            distance_ms,
            gossip,
            log: std::env::var_os("SIMULATION_LOG").is_some(),
            coming: BTreeMap::new(),
            sequence: 0,
            cuts: BTreeSet::new(),
            call_cuts: BTreeSet::new(),
            stalls: BTreeSet::new(),
            unheard: BTreeSet::new(),
            held: Vec::new(),
            plan: Agreed::plan,
            told: Vec::new(),
            arrivals: BTreeMap::new(),
        };
        for node in 0..nodes {
            let skew_ms = if node == 0 { plan.faults.skew_ms } else { 0 };
            world.nodes.push(Node::new(skew_ms));
        }
        for node in 0..nodes {
            world.start(node, true);
        }
        world
    }

    /// All nodes move away from each other, or closer.
    pub(crate) fn set_distance(&mut self, ms: u64) {
        self.distance_ms = ms;
    }

    pub(crate) fn now(&self) -> Now {
        Now::from_unix_ms(self.clock.load(Ordering::Relaxed))
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.now().unix_ms() - START_MS
    }

    /// The time by a node's clock.
    pub(crate) fn now_at(&self, number: usize) -> Now {
        Now::from_unix_ms(self.now().unix_ms() + self.nodes[number].skew_ms)
    }

    pub(crate) fn since_start(&self) -> Duration {
        Duration::from_millis(self.now_ms())
    }

    /// Starts a node without anything in its memory, which is told where the others are
    /// or has to be found by them.
    pub(crate) fn start(&mut self, number: usize, has_seeds: bool) {
        self.start_with(number, has_seeds, &Memory::default());
    }

    /// The same with what it had in its memory.
    pub(crate) fn start_with(&mut self, number: usize, has_seeds: bool, memory: &Memory) {
        let now = self.now_at(number);
        let layout = self.nodes[number].strange.map_or(self.layout, |it| it.layout(self.layout));
        self.nodes[number].generation = now.unix_ms();
        let card = Card {
            node: id(number),
            name: format!("node-{number}").into(),
            generation: now.unix_ms(),
            sequence: 1,
            client: "127.0.0.1:1".into(),
            peer: address(number),
            calls: address(number).port(),
            admin: None,
            zone: format!("zone-{}", number % self.zones).into(),
            weight: 1,
            phase: Phase::Joining,
            flush_floor: Version::ZERO,
            build: "".into(),
        };
        let config = StoreConfig {
            memory: 64 << 20,
            item_bytes_max: 1 << 20,
            seed: layout.seed,
            slot_bits: layout.slot_bits,
            node: card.node.0,
            evicts: true,
        };
        let store = Store::new(&config, now);
        memory.put_into(&store, layout.seed, now);
        let ring = Ring::new(&layout, &[card.ring_node()]).unwrap();
        let clock = Arc::clone(&self.clock);
        let skew_ms = self.nodes[number].skew_ms;
        let ticks = Box::new(move || Now::from_unix_ms(clock.load(Ordering::Relaxed) + skew_ms));
        let view = SharedView::new(View::settled(&ring));
        let read_from = self.read_from;
        let min_nodes_for_writes = self.min_nodes_for_writes;
        let settings =
            Settings { threads: 2, layout, read_from, min_nodes_for_writes, ..Settings::default() };
        let mut shared = Shared::new(store, view, settings, ticks);
        let clock = Arc::clone(&self.clock);
        shared.elapsed =
            Box::new(move || Duration::from_millis(clock.load(Ordering::Relaxed) - START_MS));
        let shared = Arc::new(shared.in_cluster(card.node, self.write_ack));
        let config = HubConfig {
            layout,
            write_ack: self.write_ack,
            grace: Duration::from_millis(GRACE_MS),
            look: Duration::from_secs(2),
            search: Duration::from_secs(2),
            is_sought: !has_seeds,
            moves_itself: true,
            recall: self.gossip.search_alone_period,
            notice: self.gossip.notice(),
            plan: self.plan,
        };
        let mut agent =
            Agent::new(self.gossip.clone(), card.clone(), self.random.word(), self.since_start());
        let others = if has_seeds { self.nodes.len() } else { 0 };
        let seeds: Vec<SocketAddr> = (0..others).map(address).collect();
        agent.set_seeds(&seeds, self.since_start());
        let hub = Hub::new(config, card, &shared, 0).unwrap();
        self.nodes[number].up = Some(Up { hub, agent, shared, links: BTreeMap::new() });
        self.settle(number);
    }

    /// Ends a node as SIGKILL does: nobody is told.
    pub(crate) fn kill(&mut self, number: usize) {
        self.say(&format!("node-{number} is killed"));
        let node = &mut self.nodes[number];
        (node.up, node.leaves, node.step) = (None, None, None);
        // What it had not got out yet is lost with it, or not.
        for other in 0..self.nodes.len() {
            if self.random.below(2) == 0 {
                self.coming.retain(|_, delivery| {
                    !matches!(delivery, Delivery::Frames { from, to, .. } if (*from, *to) == (number, other))
                });
            }
        }
        for other in 0..self.nodes.len() {
            self.end_link_later(other, number, false);
        }
    }

    /// Lets a node stand still.
    pub(crate) fn pause(&mut self, number: usize, ms: u64) {
        self.say(&format!("node-{number} stands still for {ms} ms"));
        self.nodes[number].paused_until = self.now_ms() + ms;
        if ms > LINK_IDLE_MS {
            for other in 0..self.nodes.len() {
                self.end_link_later(other, number, false);
                self.end_link_later(number, other, false);
            }
        }
    }

    /// The link that there is comes to its end by its idle timeout.
    pub(crate) fn end_link_later(&mut self, at: usize, from: usize, if_cut: bool) {
        let up = self.nodes[at].up.as_ref();
        if let Some(wire) = up.and_then(|up| up.links.get(&from)) {
            let number = wire.number;
            let when = self.now_ms() + LINK_IDLE_MS;
            self.plan(when, Delivery::Unlink { at, from, number, if_cut });
        }
    }

    pub(crate) fn is_cut(&self, one: usize, other: usize) -> bool {
        self.takes_no_calls(one, other) || self.takes_no_calls(other, one)
    }

    fn takes_no_calls(&self, from: usize, to: usize) -> bool {
        self.cuts.contains(&(from, to)) || self.call_cuts.contains(&(from, to))
    }

    pub(crate) fn is_up(&self, number: usize) -> bool {
        self.nodes[number].up.is_some() && !self.is_paused(number)
    }

    fn is_paused(&self, number: usize) -> bool {
        self.nodes[number].paused_until > self.now_ms()
    }

    /// Whether all nodes that are up and can take part serve and see each other.
    pub(crate) fn is_settled(&self) -> bool {
        let served = self.nodes[..self.served].iter();
        let up: Vec<&Up> = served.filter_map(|node| node.up.as_ref()).collect();
        let leaving = up.iter().filter(|node| node.hub.card().phase == Phase::Leaving).count();
        up.iter().all(|node| {
            let live = node.hub.members().iter().filter(|(_, member)| {
                member.is_live()
                    && member.current_card().is_some_and(|card| card.phase == Phase::Serving)
            });
            let sees_all = live.count() + 1 >= up.len() - leaving;
            node.hub.is_settled() && sees_all
        })
    }

    /// How all stand, for whoever has to find out why.
    pub(crate) fn describe(&self) -> String {
        let mut text = String::new();
        for (number, node) in self.nodes.iter().enumerate() {
            let Some(up) = &node.up else {
                let _ = writeln!(text, "node-{number} is gone");
                continue;
            };
            let phase = up.hub.card().phase;
            let links: Vec<_> = up.links.keys().collect();
            let _ = writeln!(text, "node-{number} {phase:?}, links {links:?}, {:?}", up.hub);
            for (_, member) in up.hub.members().iter() {
                let card = member.card.as_ref().map(|card| (&card.name, card.phase));
                let _ = writeln!(text, "  {card:?} {:?} {}", member.standing, member.generation);
            }
        }
        text
    }

    pub(crate) fn session(&self, number: usize) -> Session {
        Session::new(&self.nodes[number].up.as_ref().unwrap().shared, 1, 0)
    }

    /// Lets a millisecond pass, and all happen that is due.
    pub(crate) fn step(&mut self) {
        self.clock.fetch_add(1, Ordering::Relaxed);
        let now_ms = self.now_ms();
        while let Some(entry) = self.coming.first_entry() {
            if entry.key().0 > now_ms {
                break;
            }
            let delivery = entry.remove();
            self.deliver(delivery);
        }
        for number in 0..self.nodes.len() {
            if self.is_paused(number) {
                continue;
            }
            let (now, since) = (self.now_at(number), self.since_start());
            let Some(up) = &mut self.nodes[number].up else { continue };
            if up.agent.next_timeout().is_some_and(|due| due <= since) {
                up.agent.handle_timeout(since);
            }
            let is_there = self.nodes[number].leaves != Some(Leaving::Bids);
            let Some(up) = &mut self.nodes[number].up else { continue };
            if is_there && (now_ms + number as u64).is_multiple_of(TICK_MS) {
                up.hub.handle_tick(now).unwrap();
            }
            self.settle(number);
            self.go_on_leaving(number);
        }
    }

    /// Tells whoever wants to know: `SIMULATION_LOG=1`.
    pub(crate) fn say(&self, what: &str) {
        if self.log {
            println!("{:6} {what}", self.now_ms());
        }
    }

    pub(crate) fn plan(&mut self, at_ms: u64, delivery: Delivery) {
        self.sequence += 1;
        self.coming.insert((at_ms, self.sequence), delivery);
    }

    fn delay(&mut self) -> u64 {
        let more_ms = match self.random.below(20) {
            0 => 1 + self.random.below(30) as u64,
            _ => 1 + self.random.below(2) as u64,
        };
        self.distance_ms + more_ms
    }

    fn deliver(&mut self, delivery: Delivery) {
        let since = self.since_start();
        let number = match &delivery {
            Delivery::Packet { to, .. } | Delivery::Frames { to, .. } => *to,
            Delivery::Link { one, .. } => *one,
            Delivery::Unlink { at, .. } | Delivery::Made { at, .. } => *at,
        };
        let now = self.now_at(number);
        let paused_until = self.nodes[number].paused_until;
        if paused_until > self.now_ms() {
            // It waits in the socket, as much as fits there.
            return self.plan(paused_until, delivery);
        }
        match delivery {
            Delivery::Packet { to, from, bytes } => {
                if self.unheard.contains(&to) {
                    return self.plan(self.now_ms() + 1, Delivery::Packet { to, from, bytes });
                }
                let Some(up) = &mut self.nodes[to].up else { return };
                up.agent.handle_packet(address(from), &bytes, since);
                self.settle(to);
            }
            Delivery::Frames { to, from, number, bytes } => {
                if self.takes_no_calls(from, to) || self.stalls.contains(&(from, to)) {
                    return self.held.push(Delivery::Frames { to, from, number, bytes });
                }
                if self.nodes[to].leaves == Some(Leaving::Bids) {
                    return;
                }
                let Some(up) = &mut self.nodes[to].up else { return };
                let Some(wire) = up.links.get_mut(&from) else { return };
                if wire.number != number {
                    return;
                }
                wire.frames.push(&bytes);
                while let Some(frame) = wire.frames.next_frame().unwrap() {
                    let frame = frame.to_vec();
                    assert!(up.hub.handle_frame(&wire.link, &frame, now).unwrap(), "no message");
                }
                up.hub.handle_idle().unwrap();
                self.settle(to);
            }
            Delivery::Link { one, other, generations } => {
                if !self.may_link((one, other), generations) {
                    return;
                }
                let (first, second) = generations;
                if self.is_cut(one, other) {
                    let again = Delivery::Link { one, other, generations };
                    self.plan(self.now_ms() + REDIAL_MS, again);
                } else if !self.refuse_strangers(one, other) {
                    self.sequence += 1;
                    let number = self.sequence;
                    self.link(one, other, second, number);
                    self.link(other, one, first, number);
                }
            }
            Delivery::Made { at, shared, made } => self.has_made(at, &shared, *made),
            Delivery::Unlink { at, from, number, if_cut } => {
                if if_cut && !self.is_cut(at, from) {
                    return;
                }
                let Some(up) = &mut self.nodes[at].up else { return };
                if up.links.get(&from).is_some_and(|wire| wire.number == number) {
                    let wire = up.links.remove(&from).unwrap();
                    up.hub.handle_unlinked(&wire.link).unwrap();
                    self.settle(at);
                    self.meet(at, from);
                }
            }
        }
    }

    fn has_made(&mut self, at: usize, shared: &Arc<Shared>, made: Made) {
        let up = self.nodes[at].up.as_mut();
        let Some(up) = up.filter(|up| Arc::ptr_eq(&up.shared, shared)) else { return };
        up.hub.handle_made(Some(made)).unwrap();
        self.settle(at);
    }

    /// Whether both are what they were when they met, and not linked since.
    fn may_link(&self, (one, other): (usize, usize), (first, second): (u64, u64)) -> bool {
        let ends = [(one, other, first, second), (other, one, second, first)];
        ends.into_iter().all(|(at, peer, ours, theirs)| {
            let node = &self.nodes[at];
            let Some(up) = node.up.as_ref().filter(|_| node.generation == ours) else {
                return false;
            };
            let is_linked = up.links.get(&peer).is_some_and(|wire| wire.theirs >= theirs);
            at != one || !is_linked
        })
    }

    fn link(&mut self, at: usize, peer: usize, theirs: u64, number: u64) {
        let Some(up) = &mut self.nodes[at].up else { return };
        if let Some(old) = up.links.remove(&peer) {
            up.hub.handle_unlinked(&old.link).unwrap();
        }
        let link = Arc::new(Link::detached(id(peer), theirs, 16 << 20, || {}));
        up.hub.handle_linked(&link).unwrap();
        up.links.insert(peer, Wire { number, link, frames: Frames::new(16 << 20), theirs });
        self.settle(at);
    }

    /// One of two nodes ends their link.
    fn unlink(&mut self, one: usize, other: usize) {
        for (at, peer) in [(one, other), (other, one)] {
            let Some(up) = &mut self.nodes[at].up else { continue };
            if let Some(wire) = up.links.remove(&peer) {
                up.hub.handle_unlinked(&wire.link).unwrap();
            }
        }
        // The other one knows this one still.
        self.meet(other, one);
    }

    /// Two nodes that know each other get a link after a while.
    fn meet(&mut self, one: usize, other: usize) {
        let generations = (self.nodes[one].generation, self.nodes[other].generation);
        let at = self.now_ms() + 1 + self.delay();
        self.plan(at, Delivery::Link { one, other, generations });
    }

    fn send_packet(&mut self, from: usize, to: usize, bytes: Vec<u8>) {
        if self.random.below(100) as u64 >= self.loss && !self.cuts.contains(&(from, to)) {
            if (self.random.below(100) as u64) < self.duplicates {
                let at = self.now_ms() + 1 + self.random.below(300) as u64;
                self.plan(at, Delivery::Packet { to, from, bytes: bytes.clone() });
            }
            let at = self.now_ms() + self.delay();
            self.plan(at, Delivery::Packet { to, from, bytes });
        }
    }

    /// Takes out of a node whatever it wants done.
    pub(crate) fn settle(&mut self, number: usize) {
        let (now, since) = (self.now_at(number), self.since_start());
        loop {
            let Some(up) = &mut self.nodes[number].up else { return };
            while let Some(event) = up.agent.poll_event() {
                up.hub.handle_event(&event, now).unwrap();
            }
            let mut effects = Vec::new();
            while let Some(effect) = up.hub.poll_effect() {
                effects.push(effect);
            }
            for effect in &effects {
                match effect {
                    Effect::Say(card) => up.agent.set_card(card.clone(), since),
                    Effect::Announce(address) => up.agent.announce(*address, since),
                    _ => {}
                }
            }
            let mut packets = Vec::new();
            while let Some(packet) = up.agent.poll_transmit() {
                packets.push(packet);
            }
            let Some(up) = &mut self.nodes[number].up else { return };
            let making = up.hub.poll_making().map(|making| (Arc::clone(&up.shared), making));
            let sent: Vec<(usize, u64, Vec<u8>)> = up
                .links
                .iter()
                .map(|(&peer, wire)| (peer, wire.number, wire.link.take_outgoing()))
                .filter(|(_, _, bytes)| !bytes.is_empty())
                .collect();
            if effects.is_empty() && packets.is_empty() && sent.is_empty() && making.is_none() {
                return;
            }
            if let Some((shared, making)) = making {
                let (at, made) = (self.now_ms() + self.delay(), Box::new(making.make()));
                self.plan(at, Delivery::Made { at: number, shared, made });
            }
            for (to, bytes) in packets {
                self.send_packet(number, usize::from(to.port()) - 1000, bytes);
            }
            for (to, link, bytes) in sent {
                let at = (self.now_ms() + self.delay())
                    .max(self.arrivals.get(&(number, to)).copied().unwrap_or(0));
                self.arrivals.insert((number, to), at);
                self.plan(at, Delivery::Frames { to, from: number, number: link, bytes });
            }
            for effect in &effects {
                self.carry_out(number, effect);
            }
        }
    }

    /// Tells of what a node wants done beside all else, and does it.
    fn carry_out(&mut self, number: usize, effect: &Effect) {
        match effect {
            Effect::Log(change, name) => {
                self.say(&format!("node-{number}: {name} {:?}, {}", change.what, change.cause));
            }
            Effect::TellStep(step, count) => {
                self.nodes[number].step = Some(*step);
                self.say(&format!("node-{number} goes by step {count}, {step}"));
            }
            Effect::TellFlaw(..) | Effect::TellStepWaits(_) | Effect::TellWrites(..) => {
                self.say(&format!("node-{number}: {effect:?}"));
                self.told.push((self.now_ms(), number, effect.clone()));
            }
            Effect::Say(card) => {
                self.say(&format!("node-{number} is {:?}, {}", card.phase, card.generation));
            }
            Effect::Forget(node) => {
                if let Some(other) = (0..self.nodes.len()).find(|&other| id(other) == *node) {
                    self.unlink(number, other);
                }
            }
            Effect::Meet { address, .. } => {
                let other = usize::from(address.port()) - 1000;
                let is_linked = self.nodes[number].up.as_ref().is_some_and(|up| {
                    up.links
                        .get(&other)
                        .is_some_and(|wire| wire.theirs == self.nodes[other].generation)
                });
                if !is_linked && other != number {
                    self.meet(number, other);
                }
            }
            _ => {}
        }
    }
}
