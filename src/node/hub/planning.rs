//! The planner: of those who serve the one with the least id tells all who live each step of a
//! change of owners, and the next one when all go by it.

use super::Hub;
use super::following::stamp;
use crate::cluster::{Card, Founded, Known, Phase, Rings, Step};
use crate::item::Now;
use crate::limits::PLAN_TELL_MS;
use crate::node::peers::{Answer, Waiting};
use crate::ring::{Node, NodeId};
use crate::wire;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

/// What this node has told as the planner, and who acts by it.
#[derive(Debug, Default)]
pub(super) struct Planner {
    /// The greatest turn of others that it has heard of.
    seen: u64,
    /// Another one was told something by one with a greater turn.
    is_outbid: bool,
    /// All went by one of the steps that it told in this turn.
    established: Option<u64>,
    told: BTreeMap<NodeId, Telling>,
}

/// What one node was told.
#[derive(Debug)]
struct Telling {
    generation: u64,
    stamp: (u64, NodeId, u64),
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
    }

    /// Another node goes by something newer than this planner has told it.
    pub(super) fn outbid(&mut self, theirs: Rings) {
        let live = self.living();
        let following = &mut self.following;
        let Some(mine) = following.rings().filter(|_| following.is_up_to_date()) else { return };
        let plans = mine.planner(&live) == Some(self.card.node);
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
            let is_next = theirs.number == mine.number + 1;
            let theirs = theirs.taken_over(self.card.node, planner.seen.max(mine.turn));
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
        let plans = rings.planner(&live) == Some(me);
        // Whoever has told a step by which it plans no more tells it to all the same.
        if !plans && rings.by != me {
            self.planner.told.clear();
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
        let all = on_rings.all(|(node, life)| self.planner.has_acknowledged(node, life));
        let is_acknowledged = all && self.has_followed();
        if is_acknowledged {
            self.planner.established = Some(rings.turn);
        }
        let is_established = self.planner.established == Some(rings.turn);
        let wanted = self.wanted(&rings, &live);
        let known = Known { me, wanted, live, is_acknowledged, is_established };
        if let Some(next) = rings.next(&known) {
            self.following.follow_later(next, false);
        }
    }

    /// Tells whoever has not acknowledged it.
    fn tell_step(&mut self, rings: &Rings, live: &BTreeMap<NodeId, (u64, bool)>, now: Now) {
        let (me, stamp) = (self.card.node, stamp(rings));
        let mut bytes = None;
        self.planner.told.retain(|node, _| live.contains_key(node));
        for (&node, &(generation, _)) in live.iter().filter(|&(&node, _)| node != me) {
            let telling = self.planner.told.get_mut(&node);
            let telling = telling.filter(|it| (it.generation, it.stamp) == (generation, stamp));
            let again = match telling {
                None => true,
                Some(Telling { state: State::Acknowledged, .. }) => false,
                Some(Telling { state: State::Rests(until), .. }) => now >= *until,
                Some(Telling { state, .. }) => {
                    if let State::Asked(waiting) = state
                        && waiting.is_over(Waker::noop())
                    {
                        *state = match waiting.take(0) {
                            Some(Answer::Kept) => State::Acknowledged,
                            _ => State::Rests(Now::from_unix_ms(now.unix_ms() + PLAN_TELL_MS)),
                        };
                    }
                    false
                }
            };
            if again && self.cluster.is_linked(node) {
                let bytes = bytes.get_or_insert_with(|| wire::rings_bytes(rings));
                let state = State::Asked(self.cluster.tell_rings(bytes, node, now));
                self.planner.told.insert(node, Telling { generation, stamp, state });
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
