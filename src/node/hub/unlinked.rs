//! Nodes that gossip reaches and calls do not: another authority, another version, or a
//! firewall that lets only gossip through.
//!
//! Who joins and is not linked counts for nothing, so nobody waits for it. But who serves
//! is primary of its slots wherever it is known, and whoever cannot call it can write none
//! of them. Nobody may take its place as long as it executes. So it is the node itself that
//! steps back, and joins again: it knows who lives, by gossip, and who of them it reaches.
//! It does so where it reaches less than half of those who serve, itself counted; or
//! half, and the least id is among the others. Of two parts that cannot call each other so
//! at most one goes on.

use super::stepping_back::StepBack;
use super::{Effect, Hub};
use crate::cluster::Able;
use crate::limits::{UNLINKED_MS_MIN, UNLINKED_TOLD_S};
use crate::ring::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// It is looked so often.
const LOOK: Duration = Duration::from_millis(100);

/// Who is not linked, and since when.
#[derive(Debug)]
pub(super) struct Unlinked {
    patience: Duration,
    next: Duration,
    since: BTreeMap<NodeId, Duration>,
    told: BTreeMap<NodeId, Duration>,
}

impl Unlinked {
    /// A node that is dead is held for dead within `notice`, as a rule, so that it is no
    /// matter any more whether it is linked.
    pub(super) fn new(notice: Duration) -> Self {
        let patience = (2 * notice).max(Duration::from_millis(UNLINKED_MS_MIN));
        let (since, told) = (BTreeMap::new(), BTreeMap::new());
        Self { patience, next: Duration::ZERO, since, told }
    }

    /// Somebody was linked, and is not to be taken for one who is not.
    pub(super) fn look_again(&mut self) {
        self.next = Duration::ZERO;
    }

    /// Of those who live, these are not linked.
    fn look(&mut self, unlinked: &BTreeSet<NodeId>, at: Duration) {
        self.since.retain(|node, _| unlinked.contains(node));
        self.told.retain(|node, _| unlinked.contains(node));
        for &node in unlinked {
            self.since.entry(node).or_insert(at);
        }
    }

    /// Those for whose links nobody waits any more.
    fn out_of_reach(&self, at: Duration) -> BTreeSet<NodeId> {
        let is_long = |since: Duration| at.saturating_sub(since) >= self.patience;
        self.since.iter().filter(|&(_, &since)| is_long(since)).map(|(&node, _)| node).collect()
    }

    /// Those of them of whom people are to be told now.
    fn take_untold(&mut self, out_of_reach: &BTreeSet<NodeId>, at: Duration) -> Vec<NodeId> {
        let again = Duration::from_secs(UNLINKED_TOLD_S);
        let is_due = |node: &NodeId| self.told.get(node).is_none_or(|&told| at >= told + again);
        let due: Vec<NodeId> = out_of_reach.iter().copied().filter(is_due).collect();
        self.told.extend(due.iter().map(|&node| (node, at)));
        due
    }
}

/// Whether a node that serves beside these is to leave it to others, where it cannot reach
/// some of them.
fn steps_back(me: NodeId, serving: &[NodeId], out_of_reach: &BTreeSet<NodeId>) -> bool {
    let (there, mut here): (Vec<NodeId>, Vec<NodeId>) =
        serving.iter().partition(|node| out_of_reach.contains(node));
    here.push(me);
    there.len() > here.len() || there.len() == here.len() && there.iter().min() < here.iter().min()
}

impl Hub {
    /// Looks who cannot be linked, and what follows from it.
    pub(super) fn follow_unlinked(&mut self) {
        let at = self.shared.elapsed();
        if self.is_stepping_back() || at < self.unlinked.next {
            return;
        }
        self.unlinked.next = at + LOOK;
        let others = self.live_others();
        let unlinked = others.iter().copied().filter(|&node| !self.cluster.is_linked(node));
        self.unlinked.look(&unlinked.collect(), at);
        let out_of_reach = self.unlinked.out_of_reach(at);
        let take_untold = self.unlinked.take_untold(&out_of_reach, at);
        self.effects.extend(take_untold.into_iter().map(Effect::TellUnlinked));
        let serving: Vec<NodeId> = others.into_iter().filter(|&node| self.serves(node)).collect();
        let executes = Able::of(self.card.phase) == Able::Executes;
        if executes && steps_back(self.card.node, &serving, &out_of_reach) {
            self.step_back(StepBack::Unlinked);
        }
        self.cluster.out_of_reach.set(out_of_reach);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(ids: &[u64]) -> Vec<NodeId> {
        ids.iter().copied().map(NodeId).collect()
    }

    fn steps(me: u64, serving: &[u64], out_of_reach: &[u64]) -> bool {
        steps_back(NodeId(me), &nodes(serving), &nodes(out_of_reach).into_iter().collect())
    }

    /// What it is, who is asked, who serves, to whom no link leads, and the answer.
    type Case = (&'static str, u64, &'static [u64], &'static [u64], bool);

    #[test]
    fn whoever_reaches_few_steps_back() {
        let cases: [Case; 9] = [
            ("alone", 1, &[], &[], false),
            ("all linked", 3, &[1, 2], &[], false),
            ("none linked", 1, &[2, 3], &[2, 3], true),
            ("most linked", 3, &[1, 2], &[1], false),
            ("one of five linked", 1, &[2, 3, 4, 5], &[3, 4, 5], true),
            ("half, with the least", 1, &[2], &[2], false),
            ("half, without the least", 2, &[1], &[1], true),
            ("half of four", 4, &[1, 2, 3], &[2, 3], false),
            ("who does not serve is no matter", 2, &[3], &[1, 9, 8, 7], false),
        ];
        for (what, me, serving, out_of_reach, expected) in cases {
            assert_eq!(steps(me, serving, out_of_reach), expected, "{what}");
        }
    }

    #[test]
    fn of_two_parts_one_goes_on() {
        let all: Vec<u64> = (1..8).collect();
        for parts in 0_u32..1 << all.len() {
            let is_here = |node: u64| parts >> (node - 1) & 1 == 1;
            let stays = |&&me: &&u64| {
                let others: Vec<u64> = all.iter().copied().filter(|&node| node != me).collect();
                let there: Vec<u64> =
                    others.iter().copied().filter(|&node| is_here(node) != is_here(me)).collect();
                !steps(me, &others, &there)
            };
            let staying: BTreeSet<bool> = all.iter().filter(stays).map(|&me| is_here(me)).collect();
            assert_eq!(staying.len(), 1, "{parts:b}");
        }
    }

    #[test]
    fn a_missing_link_counts_after_a_while_and_is_told_once_a_minute() {
        let mut unlinked = Unlinked::new(Duration::from_secs(3));
        let s = Duration::from_secs;
        let one: BTreeSet<NodeId> = [NodeId(1)].into();
        let none = BTreeSet::new();
        unlinked.look(&one, s(10));
        assert_eq!(unlinked.out_of_reach(s(15)), none);
        unlinked.look(&none, s(15));
        unlinked.look(&one, s(16));
        assert_eq!(unlinked.out_of_reach(s(21)), none, "it was linked in between");
        assert_eq!(unlinked.out_of_reach(s(22)), one);
        let told: Vec<u64> =
            (22..150).filter(|&at| !unlinked.take_untold(&one, s(at)).is_empty()).collect();
        assert_eq!(told, [22, 82, 142]);
    }
}
