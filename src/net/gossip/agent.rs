//! One node's part in gossip, as a machine without sockets and without a clock.

use super::cards::packed;
use super::config::GossipConfig;
use super::effects::{Effects, Task};
use super::ledger::{CardHandler, Codec, Ledger, bytes_of};
use super::limits::{EVENTS_MAX, SEEDS_MAX};
use super::told::Told;
use crate::cluster::{Card, Cause, Event};
use crate::wire::gossip::{Identity, PARCEL_BYTES_MAX, Parcel};
use foca::{Foca, State, Timer};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// Bytes of a packet of the failure detector: a parcel without its tag and length.
const SWIM_BYTES_MAX: usize = PARCEL_BYTES_MAX - 4;

/// Times that this node says that it leaves, after the first, and how far apart.
const FAREWELLS: u8 = 3;
const FAREWELL_REST: Duration = Duration::from_millis(40);

/// The longest rest between two returns from being held for dead.
const RETURN_REST_MAX: Duration = Duration::from_secs(5);
const RETURN_REST_MIN: Duration = Duration::from_millis(100);

/// One node's part in gossip.
///
/// A state machine without I/O and without a clock: whoever owns it brings
/// packets with [`handle_packet`](Self::handle_packet), calls
/// [`handle_timeout`](Self::handle_timeout) at
/// [`next_timeout`](Self::next_timeout), and after each call takes what
/// [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event)
/// give. All times are counted from one moment of the owner's choice. Packets that
/// have come are to be handled before a timeout is: an answer that lies there was
/// not late.
///
/// Membership is SWIM's, by `foca`; around it the agent looks for members that
/// are lost, spreads cards, warns suspects, and mistrusts itself when it hears
/// little.
pub struct Agent {
    pub(super) config: GossipConfig,
    pub(super) swim: Foca<Identity, Codec, SmallRng, CardHandler>,
    pub(super) ledger: Ledger,
    pub(super) effects: Effects,
    pub(super) told: Told,
    pub(super) events: VecDeque<Event>,
    pub(super) rng: SmallRng,
    pub(super) gossiped_at: Duration,
    /// How many times more it asks for cards that are missing.
    pub(super) rounds: u8,
    seeds: Vec<SocketAddr>,
    stage: Stage,
    returned_at: Duration,
    return_rest: Duration,
    return_cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Running,
    /// It is held for dead and waits to go on under a new generation.
    Returning,
    Leaving,
    Left,
}

impl Agent {
    /// A node that knows nobody yet. `seed` is of the random choices it makes.
    #[must_use]
    pub fn new(config: GossipConfig, me: Card, seed: u64, now: Duration) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let ledger = Ledger::new(me.node);
        let swim = Foca::with_custom_broadcast(
            Identity::new(me.node, me.generation, me.peer),
            config.swim(0, SWIM_BYTES_MAX),
            SmallRng::from_rng(&mut rng),
            Codec(ledger.clone()),
            CardHandler(ledger.clone()),
        );
        let mut agent = Self {
            config,
            swim,
            ledger,
            effects: Effects::new(now),
            told: Told::default(),
            events: VecDeque::new(),
            rng,
            gossiped_at: now,
            rounds: 0,
            seeds: Vec::new(),
            stage: Stage::Running,
            returned_at: now,
            return_rest: RETURN_REST_MIN,
            return_cause: Cause::Itself,
        };
        agent.put_card(me);
        agent.effects.plan(agent.config.exchange_period, Task::Exchange);
        agent.effects.plan(agent.config.search_alone_period, Task::Search);
        agent
    }

    /// This node's present generation.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.swim.identity().generation
    }

    /// How many other nodes are not held for dead.
    #[must_use]
    pub fn live(&self) -> usize {
        self.swim.num_members()
    }

    /// How many times the usual this node gives others to answer: more than one
    /// where it hears little itself.
    #[must_use]
    pub fn stretch(&self) -> u32 {
        self.effects.health.stretch()
    }

    /// Says hello to whoever is at an address.
    pub fn announce(&mut self, to: SocketAddr, now: Duration) {
        self.effects.now = now;
        self.hello(to);
    }

    /// Addresses where other nodes may be. They are tried at once, and again for
    /// as long as nobody known is there.
    pub fn set_seeds(&mut self, seeds: &[SocketAddr], now: Duration) {
        self.effects.now = now;
        let me = self.swim.identity().address;
        let others = seeds.iter().copied().filter(|&seed| seed != me);
        self.seeds = others.take(SEEDS_MAX).collect();
        for seed in self.unknown_seeds() {
            self.hello(seed);
        }
    }

    /// This node says something new of itself. Generation and sequence are put in
    /// here: they are the agent's to raise.
    pub fn set_card(&mut self, card: Card, now: Duration) {
        self.effects.now = now;
        self.put_card(card);
        let _ = self.swim.broadcast(&mut self.effects);
        self.settle();
    }

    /// Tells the others that this node leaves. It says so a few times; then
    /// [`has_left`](Self::has_left).
    pub fn leave(&mut self, now: Duration) {
        self.effects.now = now;
        if matches!(self.stage, Stage::Leaving | Stage::Left) {
            return;
        }
        self.stage = Stage::Leaving;
        let _ = self.swim.leave_cluster(&mut self.effects);
        self.effects.plan(FAREWELL_REST, Task::Farewell(FAREWELLS));
    }

    /// Whether the others were told often enough that this node leaves.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.stage == Stage::Left
    }

    /// Takes in what came from an address.
    pub fn handle_packet(&mut self, from: SocketAddr, plain: &[u8], now: Duration) {
        // Before anything is planned: only what was planned before is late.
        self.allow_for_standstill(now);
        if self.events.len() < EVENTS_MAX {
            self.read(from, plain);
            self.settle();
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.allow_for_standstill(now);
        while let Some(task) = self.effects.timers.due(now) {
            self.carry_out(task);
            self.settle();
        }
    }

    /// A timer that is late tells that this node did not run meanwhile: then all
    /// are put off.
    fn allow_for_standstill(&mut self, now: Duration) {
        self.effects.now = now;
        let late = self.next_timeout().map_or(Duration::ZERO, |due| now.saturating_sub(due));
        if late > self.config.lag_max {
            self.effects.timers.put_off(late);
            self.effects.health.missed();
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        self.effects.timers.next()
    }

    /// A packet to send.
    pub fn poll_transmit(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.effects.transmits.pop_front()
    }

    /// A piece of news.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn carry_out(&mut self, task: Task) {
        match task {
            Task::Swim(timer) => {
                if matches!(timer, Timer::ProbeRandomMember(_)) {
                    self.judge_probe();
                }
                let _ = self.swim.handle_timer(timer, &mut self.effects);
            }
            Task::Condemn(order, granted) => {
                if self.is_meant(&order)
                    && let Some(order) = self.effects.condemn(order, granted, &self.config)
                {
                    let _ = self.swim.handle_timer(order, &mut self.effects);
                }
            }
            Task::Doubt(of, incarnation) => self.doubt(of, incarnation),
            Task::Exchange => self.exchange(),
            Task::CatchUp => self.catch_up(),
            Task::Search => self.search(),
            Task::Renew => self.renew(),
            Task::Farewell(left) => self.farewell(left),
        }
    }

    /// Whether the suspicion that led to this order has not been refuted. The
    /// failure detector would leave such a member alive here, and all the same tell
    /// it that it is dead.
    fn is_meant(&self, order: &Timer<Identity>) -> bool {
        let Timer::ChangeSuspectToDown { member_id, incarnation, .. } = order else { return true };
        self.swim.iter_membership_state().any(|member| {
            member.id() == member_id
                && member.incarnation() == *incarnation
                && member.state() == State::Suspect
        })
    }

    /// Learns about its own ears from the probe that ends. That a suspect is
    /// silent was to be expected and says nothing.
    fn judge_probe(&mut self) {
        let Some(probe) = self.ledger.page().probe.take() else {
            return;
        };
        if probe.answered {
            self.effects.health.answered();
        } else if self.told.is_alive(probe.node) {
            self.effects.health.missed();
        }
    }

    /// Tells a suspect that it is one, until it has defended itself or is held
    /// for dead. It may be slow, or stand still for a moment: then this lies there
    /// when it comes back, and its answer comes straight here.
    fn doubt(&mut self, of: Identity, incarnation: u16) {
        if !self.told.is_suspect(&of, incarnation) {
            return;
        }
        let from = *self.swim.identity();
        self.effects.send(of.address, &Parcel::Doubt { from, of, incarnation });
        self.effects.plan(self.config.suspicion / 4, Task::Doubt(of, incarnation));
    }

    fn exchange(&mut self) {
        self.effects.plan(self.config.exchange_period, Task::Exchange);
        self.forget_the_long_dead();
        self.heed_namesakes();
        let members = self.swim.num_members();
        let config = self.config.swim(members, SWIM_BYTES_MAX);
        let _ = self.swim.set_config(config);
        if let Some(with) = self.random_member(|state| state != State::Down) {
            self.compare_cards(with.address);
        }
    }

    /// Asks another node for a comparison of cards.
    pub(super) fn compare_cards(&mut self, with: SocketAddr) {
        let from = *self.swim.identity();
        let (cards, mix) = self.ledger.page().cards.sum();
        self.effects.send(with, &Parcel::Sum { from, cards, mix });
    }

    /// Looks for members where they may be, so that two halves of a cluster find
    /// each other, and for those that are known to others only.
    fn search(&mut self) {
        let alone = self.swim.num_members() == 0;
        let config = &self.config;
        let period = if alone { config.search_alone_period } else { config.search_period };
        self.effects.plan(period, Task::Search);
        if matches!(self.stage, Stage::Leaving | Stage::Left) {
            return;
        }
        let seeds = self.unknown_seeds();
        if alone {
            for seed in seeds {
                self.hello(seed);
            }
        } else if !seeds.is_empty() {
            let seed = seeds[self.rng.random_range(0..seeds.len())];
            self.hello(seed);
        }
        for _ in 0..2 {
            if let Some(down) = self.random_member(|state| state == State::Down) {
                self.hello(down.address);
            }
        }
        if let Some(member) = self.random_member(|state| state != State::Down) {
            let _ = self.swim.announce(member, &mut self.effects);
        }
    }

    fn hello(&mut self, to: SocketAddr) {
        let from = *self.swim.identity();
        // A refutation is not known yet only where it does not matter: the first
        // answer of the failure detector brings it.
        self.effects.send(to, &Parcel::Hello { from, incarnation: 0 });
    }

    /// Seeds at whose address nobody known lives.
    fn unknown_seeds(&self) -> Vec<SocketAddr> {
        let known = |seed| self.swim.iter_members().any(|member| member.id().address == seed);
        self.seeds.iter().copied().filter(|&seed| !known(seed)).collect()
    }

    pub(super) fn random_member(&mut self, which: impl Fn(State) -> bool) -> Option<Identity> {
        let fit = || self.swim.iter_membership_state().filter(|member| which(member.state()));
        let count = fit().count();
        (count > 0)
            .then(|| self.rng.random_range(0..count))
            .and_then(|nth| fit().nth(nth).map(|member| *member.id()))
    }

    /// Another process with this node's name, or this one before its clock was
    /// set back, is known under a greater generation: this one would be refused
    /// for ever.
    fn heed_namesakes(&mut self) {
        let me = *self.swim.identity();
        let mut greatest = self.ledger.page().cards.namesake;
        for member in self.swim.iter_membership_state() {
            if member.id().node() == me.node() {
                greatest = greatest.max(member.id().generation);
            }
        }
        self.ledger.page().cards.namesake = greatest;
        if greatest > me.generation {
            self.plan_return(Cause::Namesake);
        }
    }

    /// Goes on under a new generation, soon: two nodes of one name take turns, and
    /// must not do so at the network's speed.
    pub(super) fn plan_return(&mut self, cause: Cause) {
        if self.stage != Stage::Running {
            return;
        }
        self.stage = Stage::Returning;
        self.return_cause = cause;
        let quiet = self.effects.now.saturating_sub(self.returned_at) > 2 * RETURN_REST_MAX;
        self.return_rest =
            if quiet { RETURN_REST_MIN } else { (2 * self.return_rest).min(RETURN_REST_MAX) };
        let rest = if quiet { Duration::ZERO } else { self.return_rest };
        self.effects.plan(rest, Task::Renew);
    }

    fn renew(&mut self) {
        if self.stage != Stage::Returning {
            return;
        }
        self.stage = Stage::Running;
        self.returned_at = self.effects.now;
        let me = *self.swim.identity();
        let generation = me.generation.max(self.ledger.page().cards.namesake).saturating_add(1);
        let renewed = Identity::new(me.node(), generation, me.address);
        let _ = self.swim.change_identity(renewed, &mut self.effects);
        self.events.push_back(Event::Renewed { generation, cause: self.return_cause });
    }

    fn farewell(&mut self, left: u8) {
        if left == 0 {
            self.stage = Stage::Left;
            return;
        }
        let _ = self.swim.gossip(&mut self.effects);
        self.effects.plan(FAREWELL_REST, Task::Farewell(left - 1));
    }

    fn put_card(&mut self, mut card: Card) {
        card.generation = self.generation();
        {
            let cards = &mut self.ledger.page().cards;
            let before = cards.own().filter(|own| own.generation == card.generation);
            let least = before.map_or(0, |own| own.sequence + 1);
            card.sequence = card.sequence.max(least);
            cards.set_own(card.clone());
        }
        if let Some(bytes) = bytes_of(&card) {
            let _ = self.swim.add_broadcast(&bytes);
        }
    }

    /// Sends cards to one who lacks them, as many as may be sent at once.
    pub(super) fn give(&mut self, to: SocketAddr, cards: &[&Card]) {
        let from = *self.swim.identity();
        let start = self.rng.random_range(0..cards.len().max(1));
        for group in packed(cards, start) {
            let cards = group.iter().map(Vec::as_slice).collect();
            self.effects.send(to, &Parcel::Take { from, cards });
        }
    }

    /// After half of the time for which the dead are looked for, their cards go no
    /// further; after all of it they are forgotten.
    fn forget_the_long_dead(&mut self) {
        let (now, kept) = (self.effects.now, self.config.down_kept);
        for (identity, down_for) in self.told.down(now) {
            if down_for > kept {
                let _ = self.swim.handle_timer(Timer::RemoveDown(identity), &mut self.effects);
                self.ledger.page().cards.forget(identity.node());
                self.told.forget(identity.node());
            } else if down_for > kept / 2 {
                self.ledger.page().cards.retire(identity.node(), identity.generation);
            }
        }
    }

    /// Whether this node takes part: not once it leaves.
    pub(super) fn takes_part(&self) -> bool {
        !matches!(self.stage, Stage::Leaving | Stage::Left)
    }

    /// The sequence and generation of the card it has of a node.
    #[cfg(test)]
    pub(super) fn card_of(&self, node: crate::ring::NodeId) -> Option<(u64, u64)> {
        let page = self.ledger.page();
        page.cards.of(&[node.0]).first().map(|card| (card.generation, card.sequence))
    }
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent")
            .field("identity", self.swim.identity())
            .field("stage", &self.stage)
            .field("live", &self.live())
            .finish_non_exhaustive()
    }
}
