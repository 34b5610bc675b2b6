//! Which nodes own slots, and the steps from one ring to the next.
//!
//! Owners change only by steps that one node, the planner, tells to all who live. Each
//! step is safe beside the one before it and the one after it, and is told only once all
//! who live go by the one before:
//!
//! ```text
//! settled -> write -> fill -> hand_over -> follow -> settled
//!            old      old     old          new       new      who is read
//!            and new  and new and new      and old            who is written
//!            old      old     nobody       new       new      who executes what moves
//! ```
//!
//! In `write` whoever is to own a slot gets what is written in it from then on; in `fill`
//! what was there before. In `hand_over` those who executed end what they have begun; in
//! `follow` the new ones execute, and still write to the old ones, which some may still
//! read. Until all stand at `hand_over` every step back is safe, after it none is.

use super::Phase;
use super::members::Members;
use crate::ring::{Node, NodeId};
use std::collections::BTreeMap;
use std::fmt;

/// Which nodes own slots, and how far the change to others has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rings {
    /// Of which cluster: where two meet, the older one goes on.
    pub founded: Founded,
    /// How many steps there were.
    pub number: u64,
    /// Greater with each change of the planner.
    pub turn: u64,
    /// The planner.
    pub by: NodeId,
    /// How far the change has come.
    pub step: Step,
    /// The nodes before the change, by their ids.
    pub old: Box<[Node]>,
    /// The nodes after it; the same where nothing changes.
    pub new: Box<[Node]>,
    /// The nodes of both that live, as the planner knows it.
    pub acting: Box<[Acting]>,
}

/// When a cluster began, and with whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Founded {
    /// The generation of the first node.
    pub generation: u64,
    /// The first node.
    pub by: NodeId,
}

/// How far a change of owners has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Nothing changes.
    Settled,
    /// Those who are to own a slot are written to as well.
    Write,
    /// They are brought what was there before.
    Fill,
    /// Nobody executes for what changes its owners.
    HandOver,
    /// The new owners execute and are read; the old ones are written to as well.
    Follow,
}

impl Step {
    /// Whether nobody executes for some keys, or others do than before and not all may know.
    #[must_use]
    pub fn hands_over(self) -> bool {
        matches!(self, Self::HandOver | Self::Follow)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Settled => "settled",
            Self::Write => "write",
            Self::Fill => "fill",
            Self::HandOver => "hand_over",
            Self::Follow => "follow",
        })
    }
}

/// A node that lives and takes part in a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acting {
    /// Which.
    pub node: NodeId,
    /// In which of its lives.
    pub generation: u64,
    /// Whether it has all of what it owns.
    pub is_whole: bool,
}

/// How what a node is told stands to what it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It says the same.
    Same,
    /// It is the step after that.
    Next,
    /// Steps in between were missed, or others went another way.
    Beyond,
    /// It is older.
    Older,
}

/// What a planner goes by.
#[derive(Clone, Debug)]
pub struct Known {
    /// The planner.
    pub me: NodeId,
    /// Who is to own slots.
    pub wanted: Vec<Node>,
    /// Those who live, their lives, and whether they have all of what they own.
    pub live: BTreeMap<NodeId, (u64, bool)>,
    /// All who live go by the present step, and have done what it asks for.
    pub is_acknowledged: bool,
    /// They did so for some step of this planner's turn, so that none goes by another's.
    pub is_established: bool,
    /// Nobody executes for what moves, and that for too long.
    pub is_late: bool,
}

impl Rings {
    /// Of a cluster that begins with these nodes.
    #[must_use]
    pub fn found(founded: Founded, nodes: Vec<Node>) -> Self {
        let nodes = sorted(nodes);
        Self {
            founded,
            number: 1,
            turn: 1,
            by: founded.by,
            step: Step::Settled,
            old: nodes.clone(),
            new: nodes,
            acting: [].into(),
        }
    }

    /// Those who are read.
    #[must_use]
    pub fn read(&self) -> &[Node] {
        if self.step == Step::Follow { &self.new } else { &self.old }
    }

    /// Those who are only written to, or the same.
    #[must_use]
    pub fn written(&self) -> &[Node] {
        if self.step == Step::Follow { &self.old } else { &self.new }
    }

    /// Whether a node is on one of the two.
    #[must_use]
    pub fn has(&self, node: NodeId) -> bool {
        self.old.iter().chain(&self.new).any(|there| there.id == node)
    }

    /// Whether a node is among those who are read.
    #[must_use]
    pub fn reads(&self, node: NodeId) -> bool {
        self.read().iter().any(|there| there.id == node)
    }

    /// The node as it takes part, if it did when this step was told.
    #[must_use]
    pub fn acting(&self, node: NodeId) -> Option<&Acting> {
        self.acting.iter().find(|acting| acting.node == node)
    }

    /// How what another node tells stands to this.
    #[must_use]
    pub fn told(&self, theirs: &Self) -> Told {
        if theirs.founded != self.founded {
            return if theirs.founded < self.founded { Told::Beyond } else { Told::Older };
        }
        let by = |rings: &Self| (rings.turn, rings.by);
        if by(theirs) < by(self) || theirs.number < self.number {
            return Told::Older;
        }
        if theirs.means(self) {
            Told::Same
        } else if theirs.number > self.number && theirs.comes_after(self) {
            Told::Next
        } else {
            Told::Beyond
        }
    }

    /// Whether whoever went by `before` may go by this at once. A change begins anew, or is
    /// given up, without being acknowledged: steps like that may be missed.
    fn comes_after(&self, before: &Self) -> bool {
        let goes_on = self.number == before.number + 1
            && self.old == before.old
            && self.new == before.new
            && self.acting == before.acting;
        match (before.step, self.step) {
            (Step::Follow, Step::Settled) => {
                self.number == before.number + 1 && self.old == before.new
            }
            (Step::Follow, _) => false,
            (_, Step::Settled | Step::Write) => self.old == before.old,
            (Step::Write, Step::Fill)
            | (Step::Fill, Step::HandOver)
            | (Step::HandOver, Step::Follow) => goes_on,
            _ => false,
        }
    }

    /// Whether both say the same, whoever told it.
    #[must_use]
    pub fn means(&self, other: &Self) -> bool {
        let it = |rings: &Self| (rings.founded, rings.number, rings.step);
        it(self) == it(other)
            && self.old == other.old
            && self.new == other.new
            && self.acting == other.acting
    }

    /// The same in this node's turn: it is the planner now, and has seen this turn of
    /// others.
    #[must_use]
    pub fn taken_over(&self, me: NodeId, seen: u64) -> Self {
        Self { turn: self.turn.max(seen) + 1, by: me, ..self.clone() }
    }

    /// What is to be told next, if it is time for something.
    #[must_use]
    pub fn next(&self, known: &Known) -> Option<Self> {
        if self.by != known.me || !known.is_established {
            return None;
        }
        let wanted = sorted(known.wanted.clone());
        // The last one that leaves has nobody to leave to.
        let wanted = if wanted.is_empty() { self.old.clone() } else { wanted };
        let is_over = known.is_acknowledged;
        match self.step {
            Step::Settled if is_over && wanted != self.old => Some(self.begun(known, wanted)),
            Step::Follow if is_over => Some(self.settled(self.new.clone())),
            Step::Settled | Step::Follow => None,
            // What was brought was brought by others, or to others.
            _ if self.is_disturbed(known) => Some(self.begun(known, wanted)),
            Step::Write if wanted != self.new => Some(self.begun(known, wanted)),
            // Somebody cannot do yet what it has to: until it can the old ones go on.
            Step::HandOver if known.is_late && !is_over => Some(self.begun(known, wanted)),
            _ if !is_over => None,
            Step::Write => Some(self.at(Step::Fill)),
            // Who catches up is to execute for what it gets: nobody else would.
            Step::Fill if self.catches_up(known) => None,
            Step::Fill => Some(self.at(Step::HandOver)),
            Step::HandOver => Some(self.at(Step::Follow)),
        }
    }

    fn at(&self, step: Step) -> Self {
        Self { step, number: self.number + 1, ..self.clone() }
    }

    /// The first step from the old nodes to these.
    fn begun(&self, known: &Known, wanted: Box<[Node]>) -> Self {
        if wanted == self.old {
            return self.settled(self.old.clone());
        }
        let both = sorted(self.old.iter().chain(&wanted).copied().collect());
        let acting = both.iter().filter_map(|node| {
            let &(generation, is_whole) = known.live.get(&node.id)?;
            let is_whole = is_whole && self.old.iter().any(|old| old.id == node.id);
            Some(Acting { node: node.id, generation, is_whole })
        });
        Self { acting: acting.collect(), new: wanted, ..self.at(Step::Write) }
    }

    fn settled(&self, nodes: Box<[Node]>) -> Self {
        Self { old: nodes.clone(), new: nodes, acting: [].into(), ..self.at(Step::Settled) }
    }

    /// Whether one of those who take part has died, came back, or lost what it had.
    fn is_disturbed(&self, known: &Known) -> bool {
        let stays = |acting: &Acting| {
            let now = known.live.get(&acting.node);
            now.is_some_and(|&(generation, is_whole)| {
                generation == acting.generation && (is_whole || !acting.is_whole)
            })
        };
        let is_new =
            |node: &Node| known.live.contains_key(&node.id) && self.acting(node.id).is_none();
        !self.acting.iter().all(stays) || self.old.iter().chain(&self.new).any(is_new)
    }

    /// Whether one that owns slots before and after the change has not all of what it owns.
    fn catches_up(&self, known: &Known) -> bool {
        let stays = |node: &&Node| self.new.iter().any(|there| there.id == node.id);
        let mut staying = self.old.iter().filter(stays);
        staying.any(|node| known.live.get(&node.id).is_some_and(|&(_, is_whole)| !is_whole))
    }

    /// Who tells the steps: of the nodes before the change that live the least that serves;
    /// else of those that know of these rings, and of them one from before the change first.
    #[must_use]
    pub fn planner(
        &self,
        live: &BTreeMap<NodeId, (u64, bool)>,
        knows: impl Fn(NodeId) -> bool,
    ) -> Option<NodeId> {
        let is_whole = |node: NodeId| live.get(&node).map(|&(_, is_whole)| is_whole);
        let all = self.old.iter().map(|node| (false, node.id));
        let all = all.chain(self.new.iter().map(|node| (true, node.id)));
        let all = all.filter_map(|(is_new, node)| Some((!is_whole(node)?, is_new, node)));
        let mut serving = all.clone().filter(|&(lacks, is_new, _)| !lacks && !is_new);
        let first = serving.by_ref().min();
        let first = first.or_else(|| all.filter(|&(.., node)| knows(node)).min());
        first.map(|(.., node)| node)
    }

    /// Whether nobody serves as of the present step whom the planner did not know of when it told
    /// it: it might execute by an earlier step.
    #[must_use]
    pub fn knows_all(&self, me: NodeId, members: &Members) -> bool {
        self.step == Step::Settled
            || self.old.iter().filter(|node| node.id != me).all(|node| {
                let member = members.find(node.id);
                let member = member.filter(|member| member.is_live() && member.belongs());
                let serves = member.and_then(|member| member.current_card());
                let serves = serves.filter(|card| card.phase != Phase::Joining);
                serves.is_none_or(|card| {
                    self.acting(node.id).is_some_and(|it| it.generation == card.generation)
                })
            })
    }
}

/// By their ids, each once: the last of those with one id stays.
fn sorted(nodes: Vec<Node>) -> Box<[Node]> {
    let nodes: BTreeMap<NodeId, Node> = nodes.into_iter().map(|node| (node.id, node)).collect();
    nodes.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);
    const C: NodeId = NodeId(3);

    fn nodes(ids: &[NodeId]) -> Vec<Node> {
        ids.iter().copied().map(Node::new).collect()
    }

    /// Of these nodes, which all serve.
    fn founded(ids: &[NodeId]) -> Rings {
        Rings::found(Founded { generation: 7, by: A }, nodes(ids))
    }

    fn known(wanted: &[NodeId], live: &[(NodeId, u64, bool)]) -> Known {
        let live = live.iter().map(|&(node, generation, is_whole)| (node, (generation, is_whole)));
        Known {
            me: A,
            wanted: nodes(wanted),
            live: live.collect(),
            is_acknowledged: true,
            is_established: true,
            is_late: false,
        }
    }

    const ALL: [(NodeId, u64, bool); 3] = [(A, 1, true), (B, 1, true), (C, 1, false)];

    fn steps(mut rings: Rings, known: &Known) -> Vec<(Step, usize, usize)> {
        let mut steps = Vec::new();
        while let Some(next) = rings.next(known) {
            assert_eq!(next.number, rings.number + 1);
            assert_eq!(rings.told(&next), Told::Next);
            steps.push((next.step, next.read().len(), next.written().len()));
            rings = next;
            assert!(steps.len() < 10, "{steps:?}");
        }
        steps
    }

    #[test]
    fn owners_change_step_by_step() {
        let expected = [
            (Step::Write, 2, 3),
            (Step::Fill, 2, 3),
            (Step::HandOver, 2, 3),
            (Step::Follow, 3, 2),
            (Step::Settled, 3, 3),
        ];
        assert_eq!(steps(founded(&[A, B]), &known(&[A, B, C], &ALL)), expected);
        assert_eq!(steps(founded(&[A, B]), &known(&[A, B], &ALL)), []);
    }

    #[test]
    fn no_step_is_taken_before_all_acknowledge_the_one_before() {
        let all = known(&[A, B, C], &ALL);
        let waiting = Known { is_acknowledged: false, ..all.clone() };
        let mut rings = founded(&[A, B]);
        for _ in 0..5 {
            assert_eq!(rings.next(&waiting), None, "{}", rings.step);
            assert_eq!(rings.next(&Known { is_established: false, ..all.clone() }), None);
            assert_eq!(rings.next(&Known { me: B, ..all.clone() }), None);
            rings = rings.next(&all).unwrap();
        }
    }

    /// At these steps, what it comes to that somebody dies, comes back, or loses what it had.
    #[test]
    fn a_change_begins_anew_where_it_is_disturbed_and_ends_where_it_cannot_go_back() {
        let all = known(&[A, B, C], &ALL);
        let write = founded(&[A, B]).next(&all).unwrap();
        let fill = write.next(&all).unwrap();
        let hand_over = fill.next(&all).unwrap();
        let follow = hand_over.next(&all).unwrap();
        let disturbed = [
            known(&[A, B], &ALL[..2]),
            known(&[A, B, C], &[ALL[0], ALL[2]]),
            known(&[A, B, C], &[ALL[0], ALL[1], (C, 2, false)]),
            known(&[A, B, C], &[ALL[0], (B, 1, false), ALL[2]]),
        ];
        for (number, known) in disturbed.iter().enumerate() {
            let known = Known { is_acknowledged: false, ..known.clone() };
            let expected = if number == 0 { Step::Settled } else { Step::Write };
            for rings in [&write, &fill, &hand_over] {
                let next = rings.next(&known).unwrap();
                assert_eq!(next.step, expected, "{number} at {}", rings.step);
                assert_eq!(next.read(), write.read());
            }
            assert_eq!(follow.next(&known), None);
            let last = follow.next(&Known { is_acknowledged: true, ..known }).unwrap();
            assert_eq!((last.step, last.read().len()), (Step::Settled, 3));
        }
        // Who becomes whole disturbs nobody.
        let whole = known(&[A, B, C], &[ALL[0], ALL[1], (C, 1, true)]);
        assert_eq!(hand_over.next(&whole).unwrap().step, Step::Follow);
    }

    #[test]
    fn who_comes_while_nothing_is_brought_yet_is_taken_along() {
        let one = known(&[A, B, C], &ALL);
        let two = known(&[A, B, C, NodeId(4)], &[ALL[0], ALL[1], ALL[2], (NodeId(4), 1, false)]);
        let write = founded(&[A, B]).next(&one).unwrap();
        assert_eq!(write.next(&two).unwrap().new.len(), 4);
        let fill = write.next(&one).unwrap();
        assert_eq!(fill.next(&two).unwrap().step, Step::HandOver);
    }

    #[test]
    fn of_two_planners_the_later_turn_counts_and_no_step_is_taken_back() {
        let all = known(&[A, B, C], &ALL);
        let write = founded(&[A, B]).next(&all).unwrap();
        let fill = write.next(&all).unwrap();
        assert_eq!(write.told(&write.taken_over(B, 0)), Told::Same);
        assert_eq!(write.taken_over(B, 0).told(&write), Told::Older);
        assert_eq!(write.taken_over(B, 0).told(&fill), Told::Older, "by the turn before");
        assert_eq!(fill.told(&write.taken_over(B, 0)), Told::Older, "a step back");
        assert_eq!(write.told(&fill.taken_over(B, 5)), Told::Next);
        assert_eq!(founded(&[A, B]).told(&fill), Told::Beyond);
        let anew = Rings { number: 9, ..write.clone() };
        assert_eq!(fill.told(&anew), Told::Next);
        let follow = fill.next(&all).and_then(|hand_over| hand_over.next(&all)).unwrap();
        assert_eq!(follow.told(&anew), Told::Beyond, "it cannot go back");
        let other = Rings { new: write.old.clone(), ..write.taken_over(B, 0) };
        assert_eq!(write.told(&other), Told::Beyond, "another way to the same number");
    }

    #[test]
    fn of_two_clusters_the_older_goes_on() {
        let older = founded(&[A]);
        let younger = Rings::found(Founded { generation: 8, by: B }, nodes(&[B]));
        assert_eq!(older.told(&younger), Told::Older);
        assert_eq!(younger.told(&older), Told::Beyond);
    }

    #[test]
    fn nobody_waits_for_long_for_what_is_handed_over() {
        let all = known(&[A, B, C], &ALL);
        let write = founded(&[A, B]).next(&all).unwrap();
        let fill = write.next(&all).unwrap();
        let late = Known { is_acknowledged: false, is_late: true, ..all.clone() };
        assert_eq!(fill.next(&late), None);
        let hand_over = fill.next(&all).unwrap();
        assert_eq!(hand_over.next(&late).unwrap().step, Step::Write);
        let follow = hand_over.next(&all).unwrap();
        assert_eq!(follow.next(&late), None, "it cannot go back");
        let lacking = known(&[A, B, C], &[ALL[0], (B, 1, false), ALL[2]]);
        let begun = founded(&[A, B]).next(&lacking).unwrap();
        let fill = begun.next(&lacking).unwrap();
        assert_eq!(fill.next(&lacking), None, "it is to execute for what it gets");
        assert_eq!(fill.next(&all).unwrap().step, Step::HandOver);
    }

    #[test]
    fn the_least_of_those_who_serve_plans() {
        let live = |live: &[(NodeId, u64, bool)]| known(&[], live).live;
        let rings = founded(&[A, B]);
        let change = Rings { new: founded(&[A, B, C]).new, ..rings.clone() };
        let all = |_| true;
        assert_eq!(rings.planner(&live(&ALL), all), Some(A));
        assert_eq!(rings.planner(&live(&[(A, 1, false), (B, 1, true)]), all), Some(B));
        assert_eq!(rings.planner(&live(&[(A, 1, false), (B, 1, false)]), all), Some(A));
        let but_a = |node| node != A;
        assert_eq!(rings.planner(&live(&[(A, 1, false), (B, 1, false)]), but_a), Some(B));
        assert_eq!(rings.planner(&live(&[(C, 1, true)]), all), None, "it owns nothing");
        assert_eq!(change.planner(&live(&[(C, 1, true)]), all), Some(C), "all others are dead");
        assert_eq!(change.planner(&live(&[(B, 1, false), (C, 1, true)]), but_a), Some(C));
    }
}
