//! Where all meets that comes from other nodes: gossip, links, frames and time.
//! Moves no bytes: what is to be done outside is taken out as an [`Effect`].

mod few;
mod following;
mod joining;
mod leaving;
mod parting;
mod planning;
mod shown;
mod stepping_back;
mod unheard;
mod unlinked;

use super::peers::{
    Audit, Cluster, Ended, Executor, FilledBy, Misses, Mover, NoBulkLinks, NoMessage, Promises,
    Repair, Said, Settling, Succession, Word,
};
use super::recall::Recall;
use super::session::{Road, Session};
use super::{Shared, WriteAck};
use crate::cluster::{
    Able, Agreed, Card, Cause, Change, Event, Flaw, Member, Members, Phase, Plan, Step, View, What,
};
use crate::item::Now;
use crate::net::peers::Link;
use crate::ring::{Layout, NodeId, RingError};
use crate::wire::{Kept, Life, Message};
use following::Following;
use joining::Beginning;
use parting::Parting;
use planning::Planner;
pub use planning::StepWait;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;
use stepping_back::{StepBack, SteppingBack};
use unheard::Unheard;
use unlinked::Unlinked;

/// What a node is told of its cluster.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// What is fixed for all nodes.
    pub layout: Layout,
    /// Who has to have a write before it is acknowledged.
    pub write_ack: WriteAck,
    /// A node that is down keeps its slots for so long.
    pub grace: Duration,
    /// A node that joins and hears of nobody who serves for so long may be the first.
    pub look: Duration,
    /// It is, if it has not heard of anybody for so long.
    pub search: Duration,
    /// It asks nobody who is there: those who know of it find it, one after another.
    pub is_sought: bool,
    /// Nobody else brings other nodes what they lack.
    pub moves_itself: bool,
    /// Nodes that went down are called this often.
    pub recall: Duration,
    /// A node that is dead is held for dead within this, as a rule.
    pub notice: Duration,
    /// How a change of owners is planned: [`Agreed::plan`]. Whatever it says is checked.
    pub plan: fn(&Agreed) -> Result<Plan, Flaw>,
}

/// A node that joins and was not sent all for so long says again that it joins.
const ASK_WAIT_MS: u64 = 2000;

/// What is to be done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Keep a link to this node.
    Meet {
        /// Which.
        node: NodeId,
        /// Where it is.
        address: SocketAddr,
        /// A link to an older generation is of no use.
        generation: u64,
    },
    /// There is no such node any more.
    Forget(NodeId),
    /// Tell the others this card.
    Say(Card),
    /// Say hello to whoever is there: it may know of nobody.
    Announce(SocketAddr),
    /// Tell people what has changed, and the name of the node.
    Log(Change, Box<str>),
    /// Tell people how far a change of owners has come.
    TellStep(Step, u64),
    /// Tell people that the plan of the change with this number is not carried out, and why.
    TellFlaw(u64, Flaw),
    /// Tell people for whom a step waits that waits too long.
    TellStepWaits(StepWait),
    /// Tell people whether writes are taken, and how many that serve are seen.
    TellWrites(bool, usize),
    /// Tell people that gossip reaches this node and calls do not.
    TellUnlinked(NodeId),
    /// Tell people that this node serves no more, for calls do not reach most others.
    TellSteppedBack,
}

/// Where all meets that comes from other nodes. Belongs to one thread.
pub struct Hub {
    shared: Arc<Shared>,
    cluster: Arc<Cluster>,
    executor: Executor,
    repair: Repair,
    misses: Misses,
    audit: Audit,
    mover: Option<Mover>,
    succession: Succession,
    promises: Promises,
    recall: Recall,
    config: HubConfig,
    card: Card,
    members: Members,
    following: Following,
    planner: Planner,
    started: Now,
    /// While this node joins: from when on, since which of its cards, and who has sent it all there
    /// was for it then.
    joins_from: Now,
    joins_since: Said,
    filled_by: BTreeMap<NodeId, FilledBy>,
    /// Then it says again that it joins: what another said to that may be lost. It
    /// waits longer each time, for whoever is asked begins anew.
    ask_again_at: Now,
    ask_wait_ms: u64,
    /// While this node begins to serve: its card then, and who has to know first.
    beginning: Option<Beginning>,
    /// Some have heard that it would serve, and it does not yet.
    told_in_vain: bool,
    /// Cards of others that this node acts by, and what has to end before it says so.
    settling: Vec<(Arc<Link>, u32, Settling)>,
    /// After the death of others: what has to end before anybody takes their places. A
    /// worker may keep what they sent, though the view knows of their death.
    burying: Vec<Settling>,
    unlinked: Unlinked,
    /// While this node ends to execute, to join again.
    stepping_back: Option<SteppingBack>,
    /// While this node ends.
    parting: Option<Parting>,
    /// Those that have said that they end, and in which life.
    parted: BTreeMap<NodeId, u64>,
    /// It is to hand over all that it owns.
    drains: bool,
    /// Copies of those that it has not heard of, while it joins.
    unheard: Unheard,
    /// It has served in this process, and may have what others lack.
    has_served: bool,
    /// Whose copies are brought up to date, by their generations.
    served: BTreeMap<NodeId, u64>,
    effects: VecDeque<Effect>,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("filled_by", &self.filled_by)
            .field("following", &self.following)
            .field("planner", &self.planner)
            .field("beginning", &self.beginning)
            .field("repair", &self.repair)
            .finish_non_exhaustive()
    }
}

impl Hub {
    /// The hub of the node with this card. `worker` is the number of a worker that
    /// nobody else counts for.
    #[must_use]
    pub fn new(config: HubConfig, card: Card, shared: &Arc<Shared>, worker: usize) -> Option<Self> {
        let cluster = Arc::clone(shared.cluster.as_ref()?);
        let road = Rc::new(Road::new(shared, worker));
        // It looks at each tick, and when frames came.
        let executor = Executor::new(Rc::clone(&road), Arc::clone(&cluster), || {});
        let repair = Repair::new(Rc::clone(&road), Arc::clone(&cluster));
        let (shared, started) = (Arc::clone(shared), shared.now());
        let misses = Misses::new(Rc::clone(&road), Arc::clone(&cluster), started);
        let limit = shared.settings.move_limit;
        let mover = config.moves_itself.then(|| {
            Mover::new(Rc::clone(&road), Arc::clone(&cluster), Box::new(NoBulkLinks), limit)
        });
        let audit = Audit::new(Rc::clone(&road), Arc::clone(&cluster), started);
        let succession = Succession::new(road, Arc::clone(&cluster), config.notice);
        let promises = Promises::new(&cluster, config.notice);
        let unlinked = Unlinked::new(config.notice);
        let mut hub = Self {
            shared,
            cluster,
            executor,
            repair,
            misses,
            audit,
            mover,
            succession,
            promises,
            recall: Recall::new(config.recall),
            config,
            members: Members::new(),
            following: Following::default(),
            planner: Planner::default(),
            started,
            joins_from: started,
            joins_since: Said::of(&card),
            filled_by: BTreeMap::new(),
            settling: Vec::new(),
            burying: Vec::new(),
            unlinked,
            stepping_back: None,
            parting: None,
            parted: BTreeMap::new(),
            drains: false,
            unheard: Unheard::Taken,
            has_served: false,
            ask_again_at: started.after_ms(ASK_WAIT_MS),
            ask_wait_ms: ASK_WAIT_MS,
            beginning: None,
            told_in_vain: false,
            served: BTreeMap::new(),
            effects: VecDeque::new(),
            card,
        };
        if hub.card.phase == Phase::Serving {
            // Nobody else is to be looked for.
            hub.found(vec![hub.card.ring_node()]);
        }
        // The ring of this node alone has been made before.
        let _ = hub.publish();
        let _ = hub.go_on_following();
        Some(hub)
    }

    /// What this node says of itself.
    #[must_use]
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The other nodes.
    #[must_use]
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// A session for a client of this thread.
    #[must_use]
    pub fn session(&self, worker: usize) -> Session {
        Session::new(&self.shared, worker, 0)
    }

    /// Gossip brought something.
    ///
    /// # Errors
    /// Where the nodes that are there make no ring; the view stays as it was.
    pub fn handle_event(&mut self, event: &Event, now: Now) -> Result<(), RingError> {
        if let Event::Renewed { generation, cause } = *event {
            let change = Change { node: self.card.node, generation, what: What::Returned, cause };
            self.effects.push_back(Effect::Log(change, self.card.name.clone()));
            return self.came_back(generation);
        }
        let mut is_late = false;
        if let Event::Heard(card) = event {
            self.shared.flushed(card.flush_floor, now);
            is_late = self.came_late(card);
        }
        let changes = self.members.apply(event, self.since_start(now));
        self.follow(changes)?;
        if is_late { self.join_again() } else { Ok(()) }
    }

    /// Whether this node has served alone beside one that served before it, and has not
    /// been heard of until now: it took itself for the first, and was not.
    fn came_late(&self, card: &Card) -> bool {
        let is_stranger = self.members.find(card.node).is_none_or(|known| {
            known.generation < card.generation || known.current_card().is_none()
        });
        self.card.phase == Phase::Serving
            && card.node != self.card.node
            && is_stranger
            && Able::of(card.phase) == Able::Executes
            && card.generation < self.card.generation
            && self.nobody_serves()
    }

    /// So long this node looks for others, from now on.
    pub fn set_search(&mut self, search: Duration) {
        self.config.search = search;
    }

    /// Whether this node has not heard of anybody who is live.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        let mut others = self.members.iter().filter(|&(node, _)| node != self.card.node);
        !others.any(|(_, member)| member.is_live())
    }

    /// There is a link to another node.
    ///
    /// # Errors
    /// As [`Hub::handle_event`].
    pub fn handle_linked(&mut self, link: &Arc<Link>) -> Result<(), RingError> {
        self.cluster.linked(link);
        self.unlinked.look_again();
        self.follow_unlinked();
        // What was told by the link before may not have come.
        self.misses.tell_again();
        self.follow_link(link.node())?;
        if self.is_joining(link.node()) && !self.has_parted(link.node()) {
            // It may have been told that it has all by a link that was over already.
            self.came_again(link.node());
        }
        Ok(())
    }

    /// A link is no more.
    ///
    /// # Errors
    /// As [`Hub::handle_event`].
    pub fn handle_unlinked(&mut self, link: &Arc<Link>) -> Result<(), RingError> {
        self.cluster.unlinked(link);
        self.follow_link(link.node())
    }

    /// Whoever does not execute takes copies only while it is linked.
    fn follow_link(&mut self, node: NodeId) -> Result<(), RingError> {
        let is_known = self.members.find(node).is_some_and(Member::is_live);
        if is_known && !self.serves(node) { self.publish() } else { Ok(()) }
    }

    /// A node was refused, for it makes its ring otherwise. Whether that is news.
    ///
    /// # Errors
    /// As [`Hub::handle_event`].
    pub fn handle_stranger(&mut self, life: Life) -> Result<bool, RingError> {
        let is_news = self.members.estrange(life.node, life.generation);
        if is_news {
            self.publish()?;
            self.cluster.dirty.forget(life.node);
        }
        Ok(is_news)
    }

    /// A frame came. False where it is no message: then the link is to be cut.
    ///
    /// # Errors
    /// As [`Hub::handle_event`].
    pub fn handle_frame(
        &mut self,
        link: &Arc<Link>,
        frame: &[u8],
        now: Now,
    ) -> Result<bool, RingError> {
        let node = link.node();
        match self.executor.frame(link, frame, now) {
            Err(NoMessage) => return Ok(false),
            Ok(None) => {}
            Ok(Some(Word::Filled(said, by))) => {
                // What was sent for an earlier reason is not all there is.
                if said >= self.joins_since {
                    self.filled_by.insert(node, by);
                }
            }
            Ok(Some(Word::Rings(call, rings))) => self.told_rings(link, call, rings),
            Ok(Some(Word::Followed(stamp))) => self.planner.follows(node, stamp),
            Ok(Some(Word::Relay(ended))) => {
                self.refuse_unheard(ended)?;
                let is_known = ended.is_known(&self.members);
                self.succession.asked(node, ended, is_known, now);
            }
            Ok(Some(Word::Audited(said))) => self.audit.hear(node, said, now),
            Ok(Some(Word::Relayed(ended, is_all))) => self.succession.told(node, ended, is_all),
            Ok(Some(Word::Promised(term, open_since_ms))) => {
                self.promises.give(node, term, self.shared.elapsed());
                let life = Ended { node, generation: link.generation() };
                self.succession.heard(life, open_since_ms);
            }
            // Nobody speaks for another.
            Ok(Some(Word::Card(_, card))) if card.node != node => return Ok(false),
            Ok(Some(Word::Card(call, card))) => {
                let parts = self.hear_parting(&card);
                self.handle_event(&Event::Heard(card), now)?;
                let settling = match parts {
                    true => Settling::of_all_work(&self.cluster, node),
                    false => Settling::begin(&self.cluster, Some(node)),
                };
                // Whoever calls anew waits no more for the call before.
                self.settling.retain(|(other, ..)| other.node() != node);
                self.settling.push((Arc::clone(link), call, settling));
                self.acknowledge();
            }
        }
        Ok(true)
    }

    /// All frames that came together have been handled.
    ///
    /// # Errors
    /// As [`Hub::handle_event`].
    pub fn handle_idle(&mut self) -> Result<(), RingError> {
        self.executor.finish_jobs();
        self.acknowledge();
        self.go_on_following()
    }

    /// Says which cards this node acts by, with all that it does.
    fn acknowledge(&mut self) {
        let (cluster, repair, parted) = (&self.cluster, &self.repair, &self.parted);
        // What could not be sent counts as ended, and is marked. Who ends is brought nothing.
        let is_over = |(link, _, that): &mut (Arc<Link>, u32, Settling)| {
            let parts = parted.get(&link.node()) == Some(&link.generation());
            that.is_over(cluster) && (parts || repair.is_even(link.node()))
        };
        for (link, call, _) in self.settling.extract_if(.., is_over) {
            let kept = Message::Kept(Kept { call, accepted: true });
            let _ = link.send(|frame| kept.encode(frame));
        }
    }

    /// Time passed.
    ///
    /// # Errors
    /// As [`Hub::handle_event`].
    pub fn handle_tick(&mut self, now: Now) -> Result<(), RingError> {
        if !self.cluster.keeps_time(now) {
            // It stood still, and others may have taken its place meanwhile.
            match self.card.phase {
                Phase::Joining if self.beginning.is_some() => self.join_again()?,
                Phase::Joining => {}
                Phase::Warm | Phase::Serving | Phase::Leaving => {
                    self.step_back(StepBack::StoodStill);
                }
            }
        }
        self.cluster.tick(now);
        // A worker may have looked who executes just before the view was another.
        for (node, _) in self.members.iter().filter(|(_, member)| !member.is_live()) {
            self.cluster.down(node);
        }
        self.executor.finish_jobs();
        self.acknowledge();
        let elapsed = self.shared.elapsed();
        self.burying.retain_mut(|settling| !settling.is_over(&self.cluster));
        if self.burying.is_empty() {
            self.succession.step(now, self.promises.may_take_over(elapsed));
        }
        let others = self.live_others();
        // Before they hear up to when they were told, by the same links.
        self.misses.step(&others, now);
        let told = self.misses.told();
        self.promises.step(&others, elapsed, |cluster, node, term_ms| {
            cluster.ask_promise(node, term_ms, told, now)
        });
        self.repair.step(now);
        self.audit.step(self.is_settled(), now);
        if let Some(mover) = &mut self.mover {
            // It goes on with the next tick.
            mover.step(now, Waker::noop());
        }
        let live = others.len();
        let recalled = self.recall.due(self.card.node, live, elapsed);
        self.effects.extend(recalled.into_iter().map(Effect::Announce));
        self.follow_floor(now);
        self.go_on_stepping_back()?;
        self.follow_unlinked();
        self.go_on_following()?;
        self.go_on_joining(now)?;
        self.go_on_leaving(now);
        self.go_on_planning(now);
        // What this node has told itself it may go by at once.
        self.go_on_following()?;
        let forgotten = self.members.forget(self.since_start(now), self.config.grace);
        self.follow(forgotten)
    }

    /// Whether this node serves, and owners do not change.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.card.phase == Phase::Serving && self.following.rests() && self.planner_rests()
    }

    /// Whether nothing is under way that time would bring on within some ticks.
    #[must_use]
    pub fn rests(&self) -> bool {
        self.card.phase == Phase::Serving
            && self.settling.is_empty()
            && self.burying.is_empty()
            && self.following.rests()
            && self.planner_rests()
            && !self.is_stepping_back()
            && self.promises.may_take_over(self.shared.elapsed())
            && self.repair.rests()
            && self.audit.rests()
            && self.succession.rests()
            && self.cluster.rests()
    }

    /// What is to be done outside.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// The others held this node for dead and gave its place to others, so it is
    /// to catch up.
    fn came_back(&mut self, generation: u64) -> Result<(), RingError> {
        self.card.generation = generation;
        self.join_again()
    }

    /// Begins anew, with all that is in the memory: what others have newer comes
    /// from them, and what they miss goes to them.
    fn join_again(&mut self) -> Result<(), RingError> {
        self.has_served |= self.card.phase != Phase::Joining;
        self.card.phase = Phase::Joining;
        self.give_up_beginning();
        self.joins_from = self.shared.now();
        self.filled_by.clear();
        self.ask_wait_ms = ASK_WAIT_MS;
        self.ask_again_at = self.shared.now().after_ms(ASK_WAIT_MS);
        self.say();
        self.joins_since = Said::of(&self.card);
        self.publish()?;
        self.all_came();
        Ok(())
    }

    /// Nobody knows what the others have.
    fn all_came(&mut self) {
        for node in self.live_others() {
            self.came(node);
        }
    }

    fn came(&mut self, node: NodeId) {
        self.repair.came(node, self.said(node), self.following.ring());
    }

    /// The same, unless that is being made good already for the same life of it.
    fn came_again(&mut self, node: NodeId) {
        if !self.repair.came_already(node, self.said(node)) {
            self.came(node);
        }
    }

    /// What is flushed here stands on the card, so that whoever was away learns it.
    fn follow_floor(&mut self, now: Now) {
        let floor = self.shared.store.flush_floor(now);
        if floor <= self.card.flush_floor || self.beginning.is_some() || self.parting.is_some() {
            return;
        }
        self.card.flush_floor = floor;
        self.say();
        if self.cluster.is_unknown(floor) {
            // It was due, and no client waits for it.
            drop(self.cluster.tell_floor(floor, &self.live_others(), now));
        }
        self.show();
    }

    fn say(&mut self) {
        self.card.sequence += 1;
        self.told_in_vain = false;
        self.effects.push_back(Effect::Say(self.card.clone()));
    }

    fn is_joining(&self, node: NodeId) -> bool {
        self.members.current_card(node).is_some_and(|card| card.phase == Phase::Joining)
    }

    fn serves(&self, node: NodeId) -> bool {
        let card = self.members.current_card(node);
        card.is_some_and(|card| Able::of(card.phase) == Able::Executes)
    }

    fn follow(&mut self, changes: Vec<Change>) -> Result<(), RingError> {
        if changes.is_empty() {
            return Ok(());
        }
        let lost = changes.iter().filter(|change| change.what == What::Lost);
        let lost: Vec<NodeId> = lost.map(|change| change.node).collect();
        let ended = changes.iter().filter_map(Ended::by).collect::<Vec<_>>();
        self.succession.lost(&ended, self.shared.now());
        for change in changes {
            self.follow_one(&change);
            let member = self.members.find(change.node);
            let name = member.and_then(|member| member.card.as_ref());
            let name =
                name.map_or_else(|| change.node.to_string().into(), |card| card.name.clone());
            self.effects.push_back(Effect::Log(change, name));
        }
        self.publish()?;
        // Not before: whoever is told that a call is lost goes by the view.
        for node in lost {
            self.cluster.down(node);
            self.burying.push(Settling::begin(&self.cluster, Some(node)));
        }
        Ok(())
    }

    fn follow_one(&mut self, change: &Change) {
        let node = change.node;
        match change.what {
            What::Lost => {
                let elapsed = self.shared.elapsed();
                // Whoever leaves has ended to execute before. Who never executed may be
                // passed over, unless this node has just begun: it may have promised
                // something in its life before.
                let never_executed =
                    self.card.phase != Phase::Joining && !self.succession.executed(node);
                if change.cause == Cause::Itself || never_executed {
                    self.promises.returned(node);
                } else {
                    self.promises.lost(node, elapsed);
                }
                let card = self.members.find(node).and_then(|member| member.card.as_ref());
                if let Some(card) = card {
                    self.recall.lost(node, card.peer, elapsed);
                }
            }
            What::Forgotten => {
                // What was heard of it is not known any more.
                self.unheard = Unheard::Refused;
                self.cluster.forget(node);
                self.succession.forget(node);
                self.repair.forget(node);
                self.parted.remove(&node);
                self.effects.push_back(Effect::Forget(node));
            }
            What::Returned | What::Found => {
                // It may have been started again before anyone missed it.
                self.promises.returned(node);
                self.recall.found(node);
                // One that is found may have sent all it had before it was heard of.
                if change.what == What::Returned {
                    self.filled_by.remove(&node);
                }
                self.meet(node);
            }
            What::Said => {
                self.meet(node);
                let generation = change.generation;
                if self.is_joining(node) {
                    // It executes no more: it stood still, or has stepped back.
                    self.succession.lost(&[Ended { node, generation }], self.shared.now());
                }
                let is_served = self.served.get(&node) == Some(&generation);
                if self.is_joining(node) && is_served && !self.has_parted(node) {
                    // It wants all that there is for it.
                    self.came_again(node);
                }
            }
            What::Suspected | What::Cleared => {}
        }
    }

    fn meet(&mut self, node: NodeId) {
        let Some(card) = self.members.current_card(node) else { return };
        let (address, generation) = (card.call_address(), card.generation);
        self.effects.push_back(Effect::Meet { node, address, generation });
    }

    /// Makes the view anew from what is known.
    fn publish(&mut self) -> Result<(), RingError> {
        self.count_serving();
        let is_linked = |node| self.cluster.is_linked(node);
        let (agreed, listed) = self.following.for_view(&self.config.layout, &self.card)?;
        let view = View::of_rings(agreed, &self.card, &self.members, is_linked, listed)?;
        self.cluster.promised.expect(&view, self.card.node, self.shared.elapsed());
        self.shared.view.publish(self.with_unheard(view));
        self.cluster.alarms.end_pauses();
        self.cluster.set_roster(self.roster());
        self.show();
        // Whoever is there now and was not before gets what this node has for it.
        for node in self.live_others() {
            let generation = self.members.find(node).map_or(0, |member| member.generation);
            if self.served.insert(node, generation) != Some(generation) {
                // All others bring it all.
                self.cluster.dirty.lacks_nothing(node);
                self.came(node);
            }
        }
        Ok(())
    }

    fn since_start(&self, now: Now) -> Duration {
        Duration::from_millis(now.unix_ms().saturating_sub(self.started.unix_ms()))
    }
}
