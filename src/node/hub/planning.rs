//! The planner: of those who serve the one with the least id tells all who live each step of a
//! change of owners, and the next one when all go by it.

use super::following::stamp;
use super::{Effect, Hub};
use crate::cluster::{Card, Founded, Known, Phase, Rings, Step, Told};
use crate::item::Now;
use crate::limits::{
    HAND_OVER_MS, PLAN_TELL_DOUBLINGS, PLAN_TELL_MS, PLAN_TELL_SOON_MS, STEP_WAIT_MS,
};
use crate::node::peers::{Answer, Waiting};
use crate::ring::{Node, NodeId};
use crate::wire;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// Nobody executes for what is handed over for longer: the old owners go on.
pub(super) const HAND_OVER: Duration = Duration::from_millis(HAND_OVER_MS);

/// A step that waits for longer waits for somebody who has trouble, or much to bring.
const STEP_WAIT: Duration = Duration::from_millis(STEP_WAIT_MS);

/// What this node has told as the planner, and who acts by it.
#[derive(Debug, Default)]
pub(super) struct Planner {
    /// The greatest turn of others that it has heard of.
    seen: u64,
    /// Another one was told something by one with a greater turn.
    is_outbid: bool,
    /// All went by one of the steps that it told in this turn.
    established: Option<u64>,
    /// So often something could not be handed over in time; until then that is not tried again.
    late: u32,
    not_before: Duration,
    told: BTreeMap<NodeId, Telling>,
    /// Since when it waits for whoever has not done what the present step asks for.
    awaited: BTreeMap<NodeId, Duration>,
    /// For whom it has waited too long.
    waits_for: Vec<NodeId>,
    /// So often people were told of that.
    waits_told: u32,
}

/// A step that waits too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepWait {
    /// Which.
    pub step: Step,
    /// How many there were with it.
    pub number: u64,
    /// For so long.
    pub waited: Duration,
    /// For these nodes, by name.
    pub names: Vec<Box<str>>,
}

/// What one node was told.
#[derive(Debug)]
struct Telling {
    generation: u64,
    stamp: (u64, NodeId, u64),
    /// How often it was asked.
    tries: u32,
    /// It goes by it, and may have to do something yet.
    follows: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Asked(Arc<Waiting>),
    /// It did not answer, or not as it should; it is asked again then.
    Rests(Now),
    Acknowledged,
}

impl Planner {
    /// For whom the present step has waited too long.
    pub(super) fn waits_for(&self) -> &[NodeId] {
        &self.waits_for
    }

    /// A node goes by what it was told. Who says so once more, and was not asked, has done what
    /// it had to do for that, and is asked at once.
    pub(super) fn follows(&mut self, node: NodeId, stamp: (u64, NodeId, u64)) {
        let telling = self.told.get_mut(&node).filter(|telling| telling.stamp == stamp);
        let Some(telling) = telling else { return };
        let rests = match &telling.state {
            State::Asked(waiting) => waiting.is_over(Waker::noop()),
            State::Rests(_) => true,
            State::Acknowledged => false,
        };
        if telling.follows && rests {
            telling.state = State::Rests(Now::from_unix_ms(0));
        }
        telling.follows = true;
    }

    fn has_followed(&self, node: NodeId, generation: u64) -> bool {
        let telling = self.told.get(&node);
        telling.is_some_and(|telling| telling.generation == generation && telling.follows)
    }

    fn has_acknowledged(&self, node: NodeId, generation: u64) -> bool {
        self.told.get(&node).is_some_and(|telling| {
            telling.generation == generation && matches!(telling.state, State::Acknowledged)
        })
    }
}

impl Hub {
    /// A cluster begins with these nodes, and this one among them.
    pub(super) fn found(&mut self, nodes: Vec<Node>) {
        let founded = Founded { generation: self.card.generation, by: self.card.node };
        self.following.follow_later(Rings::found(founded, nodes), false);
    }

    /// Nobody goes by what this node tells from now on.
    pub(super) fn plan_anew(&mut self) {
        self.planner.told.clear();
        self.planner.awaited.clear();
        self.planner.waits_for.clear();
        self.planner.waits_told = 0;
    }

    /// Another node goes by something newer than this planner has told it.
    pub(super) fn outbid(&mut self, theirs: Rings) {
        let me = self.card.node;
        let plans = self.planner_now(&self.living()) == Some(me);
        let following = &mut self.following;
        let Some(mine) = following.rings().filter(|_| following.is_up_to_date()) else { return };
        if theirs.founded < mine.founded {
            // The younger of two clusters joins the older one.
            return following.follow_later(theirs, true);
        }
        if theirs.founded != mine.founded || !plans {
            return;
        }
        let planner = &mut self.planner;
        planner.seen = planner.seen.max(theirs.turn);
        if theirs.number > mine.number {
            let theirs = theirs.taken_over(me, planner.seen.max(mine.turn));
            let is_next = mine.told(&theirs) == Told::Next;
            following.follow_later(theirs, !is_next);
        } else if (theirs.turn, theirs.by) > (mine.turn, mine.by) {
            planner.is_outbid = true;
        }
    }

    /// Whether nobody is still to go by what this node tells, if it is the planner.
    pub(super) fn planner_rests(&self) -> bool {
        let is_over = |it: &Telling| matches!(it.state, State::Acknowledged);
        self.planner.told.values().all(is_over)
    }

    /// Those who live, their lives, and whether they have all of what they own.
    fn living(&self) -> BTreeMap<NodeId, (u64, bool)> {
        let cards = self.live_others().into_iter();
        let cards = cards.filter_map(|node| self.members.current_card(node));
        let whole = |card: &Card| card.phase != Phase::Joining;
        let others = cards.map(|card| (card.node, (card.generation, whole(card))));
        let me = (self.card.generation, whole(&self.card) && !self.is_stepping_back());
        others.chain([(self.card.node, me)]).collect()
    }

    /// Tells all who live what this node goes by, if it is the planner, and takes the next
    /// step.
    pub(super) fn go_on_planning(&mut self, now: Now) {
        let Some(rings) = self.following.rings().filter(|_| self.following.is_up_to_date()) else {
            return;
        };
        let (me, live) = (self.card.node, self.living());
        let plans = self.planner_now(&live) == Some(me);
        // Whoever has told a step by which it plans no more tells it to all the same.
        if !plans && rings.by != me {
            let is_news = !self.planner.waits_for.is_empty();
            self.plan_anew();
            if is_news {
                self.show();
            }
            return;
        }
        if plans && (rings.by != me || self.planner.is_outbid) {
            let rings = rings.taken_over(me, self.planner.seen);
            self.following.is_told_by(rings.turn, me);
            self.planner.is_outbid = false;
            self.plan_anew();
        }
        let Some(rings) = self.following.rings().cloned() else { return };
        self.tell_step(&rings, &live, now);
        let on_rings = live.iter().filter(|&(&node, _)| node != me && rings.has(node));
        let mut on_rings = on_rings.map(|(&node, &(generation, _))| (node, generation));
        let all = on_rings.clone().all(|(node, life)| self.planner.has_acknowledged(node, life));
        let is_acknowledged = all && self.has_followed();
        if on_rings.all(|(node, life)| self.planner.has_followed(node, life)) {
            self.planner.established = Some(rings.turn);
        }
        let is_established = self.planner.established == Some(rings.turn);
        let at = self.shared.elapsed();
        let is_late = rings.step == Step::HandOver && at >= self.following.since + HAND_OVER;
        let rests = rings.step == Step::Fill && at < self.planner.not_before;
        let is_acknowledged = is_acknowledged && !rests;
        let wanted = self.wanted(&rings, &live);
        let known = Known { me, wanted, live, is_acknowledged, is_established, is_late };
        let Some(next) = rings.next(&known) else {
            return self.look_who_is_late(&rings, &known.live);
        };
        if next.step == Step::Follow {
            self.planner.late = 0;
        } else if is_late && !is_acknowledged {
            self.planner.not_before = at + HAND_OVER * (1 << self.planner.late.min(5));
            self.planner.late += 1;
        }
        self.following.follow_later(next, false);
    }

    /// Notes for whom a step waits that waits too long, and tells people.
    fn look_who_is_late(&mut self, rings: &Rings, live: &BTreeMap<NodeId, (u64, bool)>) {
        let (at, awaited) = (self.shared.elapsed(), self.awaited_in(rings, live));
        let since = &mut self.planner.awaited;
        since.retain(|node, _| awaited.contains(node));
        let waits =
            awaited.iter().map(|&node| (node, at.saturating_sub(*since.entry(node).or_insert(at))));
        let late: Vec<_> = waits.filter(|&(_, waited)| waited >= STEP_WAIT).collect();
        let waited = late.iter().map(|&(_, waited)| waited).max().unwrap_or_default();
        let late: Vec<NodeId> = late.into_iter().map(|(node, _)| node).collect();
        let is_news = self.planner.waits_for != late;
        self.planner.waits_for = late;
        if is_news {
            self.show();
        }
        if self.planner.waits_for.is_empty() {
            self.planner.waits_told = 0;
        }
        let is_due = waited >= STEP_WAIT * (1 << self.planner.waits_told.min(20));
        if is_due && !self.planner.waits_for.is_empty() {
            self.planner.waits_told += 1;
            let (step, number, names) = (rings.step, rings.number, self.step_waits_for());
            let waits = StepWait { step, number, waited, names };
            self.effects.push_back(Effect::TellStepWaits(waits));
        }
    }

    /// Those who have not done what the present step asks for, this node too.
    fn awaited_in(&self, rings: &Rings, live: &BTreeMap<NodeId, (u64, bool)>) -> BTreeSet<NodeId> {
        let me = self.card.node;
        if rings.step == Step::Settled && self.planner_rests() && self.has_followed() {
            return BTreeSet::new();
        }
        let catches_up = |node: NodeId, is_whole: bool| {
            let is_in = |nodes: &[Node]| nodes.iter().any(|there| there.id == node);
            rings.step == Step::Fill && !is_whole && is_in(&rings.old) && is_in(&rings.new)
        };
        let lacks = |&(&node, &(generation, is_whole)): &(&NodeId, &(u64, bool))| {
            let has_followed = match node == me {
                true => self.has_followed(),
                false => self.planner.has_acknowledged(node, generation),
            };
            (rings.has(node) || node == me) && (!has_followed || catches_up(node, is_whole))
        };
        live.iter().filter(lacks).map(|(&node, _)| node).collect()
    }

    /// Who is the planner, as far as this node knows.
    fn planner_now(&self, live: &BTreeMap<NodeId, (u64, bool)>) -> Option<NodeId> {
        let rings = self.following.rings()?;
        rings.planner(live, |node| self.knows_rings(node))
    }

    /// Whether a node knows of owners: this one does, and so does whoever said by which ring it
    /// owns something.
    fn knows_rings(&self, node: NodeId) -> bool {
        node == self.card.node || self.filled_by.get(&node).is_some_and(|by| by.ring != 0)
    }

    /// Tells whoever has not acknowledged it.
    fn tell_step(&mut self, rings: &Rings, live: &BTreeMap<NodeId, (u64, bool)>, now: Now) {
        let (me, stamp) = (self.card.node, stamp(rings));
        let mut bytes = None;
        self.planner.told.retain(|node, _| live.contains_key(node));
        for (&node, &(generation, _)) in live.iter().filter(|&(&node, _)| node != me) {
            let telling = self.planner.told.get_mut(&node);
            let telling = telling.filter(|it| (it.generation, it.stamp) == (generation, stamp));
            let (mut tries, mut follows) = (0, false);
            let again = match telling {
                None => true,
                Some(Telling { state: State::Acknowledged, .. }) => false,
                Some(Telling {
                    state: State::Rests(until), tries: before, follows: it, ..
                }) => {
                    (tries, follows) = (*before, *it);
                    now >= *until
                }
                Some(Telling { state, tries, follows, .. }) => {
                    if let State::Asked(waiting) = state
                        && waiting.is_over(Waker::noop())
                    {
                        *state = match waiting.take(0) {
                            Some(Answer::Kept) => {
                                *follows = true;
                                State::Acknowledged
                            }
                            // It takes as long as there is to bring.
                            _ => {
                                let rest_ms = match rings.step {
                                    Step::Fill if *follows => {
                                        PLAN_TELL_MS << (*tries).min(PLAN_TELL_DOUBLINGS)
                                    }
                                    _ => PLAN_TELL_SOON_MS,
                                };
                                State::Rests(now.after_ms(rest_ms))
                            }
                        };
                    }
                    false
                }
            };
            if again && self.cluster.is_linked(node) {
                let bytes = bytes.get_or_insert_with(|| wire::rings_bytes(rings));
                let state = State::Asked(self.cluster.tell_rings(bytes, node, now));
                // Who does not go by it yet is soon asked again.
                let tries = tries + u32::from(follows);
                let telling = Telling { generation, stamp, tries, follows, state };
                self.planner.told.insert(node, telling);
            }
        }
    }

    /// Who is to own slots: those who do, unless they leave or are given up, and those who
    /// join and go by the rings as they are.
    fn wanted(&self, rings: &Rings, live: &BTreeMap<NodeId, (u64, bool)>) -> Vec<Node> {
        let leaves = |card: &Card| card.phase == Phase::Leaving;
        let stays = |node: &Node| {
            if node.id == self.card.node {
                return (!leaves(&self.card)).then(|| self.card.ring_node());
            }
            let member = self.members.find(node.id).filter(|member| member.belongs())?;
            match &member.card {
                Some(card) if leaves(card) => None,
                Some(card) => Some(card.ring_node()),
                None => Some(*node),
            }
        };
        // Who was started after another died has not heard for how long it keeps its slots.
        let is_young = self.shared.elapsed() < self.config.grace;
        let stays = |node: &Node| match self.members.find(node.id) {
            None if is_young && node.id != self.card.node => Some(*node),
            _ => stays(node),
        };
        let joins = |&(&node, &(generation, is_whole)): &(&NodeId, &(u64, bool))| {
            !is_whole && !rings.has(node) && self.planner.has_acknowledged(node, generation)
        };
        let before = if rings.step == Step::Follow { &rings.new } else { &rings.old };
        let joining = live.iter().filter(joins);
        let joining = joining.filter_map(|(&node, _)| self.members.current_card(node));
        // Whoever is to be on the rings already goes by them, or the change begins anew.
        let taken = rings.new.iter().filter(|node| !before.contains(node));
        let taken = taken.filter(|node| live.get(&node.id).is_some_and(|&(_, whole)| !whole));
        let taken = taken.filter_map(|node| self.members.current_card(node.id));
        let joining = joining.chain(taken).map(Card::ring_node);
        before.iter().filter_map(stays).chain(joining).collect()
    }
}
