//! Networks that part, and come together again.

use crate::world::{Delivery, World};

impl World {
    /// From now on nothing gets from the one to the other.
    pub(crate) fn cut(&mut self, from: usize, to: usize) {
        self.say(&format!("nothing gets from node-{from} to node-{to}"));
        self.cuts.insert((from, to));
        self.end_link_later(from, to, true);
        self.end_link_later(to, from, true);
    }

    /// From now on these two have no link, and gossip all the same.
    pub(crate) fn cut_calls(&mut self, one: usize, other: usize) {
        self.say(&format!("node-{one} and node-{other} cannot be linked"));
        self.call_cuts.extend([(one, other), (other, one)]);
        self.end_link_later(one, other, true);
        self.end_link_later(other, one, true);
    }

    /// Nothing gets from one side to the other.
    pub(crate) fn part(&mut self, is_here: impl Fn(usize) -> bool) {
        for (one, other) in self.pairs() {
            if is_here(one) != is_here(other) {
                self.cut(one, other);
            }
        }
    }

    /// All is whole again: what was held back on links that are still there arrives
    /// in its order.
    pub(crate) fn heal(&mut self) {
        self.say("the network is whole");
        let mut cuts = std::mem::take(&mut self.cuts);
        cuts.append(&mut self.call_cuts);
        self.release(|from, to| cuts.contains(&(from, to)));
    }

    /// From now on links bring nothing from the one to the other, and do not end; gossip
    /// goes on.
    pub(crate) fn stall(&mut self, from: usize, to: usize) {
        self.say(&format!("links bring nothing from node-{from} to node-{to}"));
        self.stalls.insert((from, to));
    }

    /// They go on.
    pub(crate) fn go_on(&mut self, from: usize, to: usize) {
        self.say(&format!("links go on from node-{from} to node-{to}"));
        self.stalls.remove(&(from, to));
        self.release(|one, other| (one, other) == (from, to));
    }

    /// What was held back, and what was sent since, arrives in its order.
    fn release(&mut self, is_meant: impl Fn(usize, usize) -> bool) {
        let at = self.now_ms() + 1;
        let is_free = |delivery: &Delivery| matches!(delivery, Delivery::Frames { to, from, .. } if is_meant(*from, *to));
        let coming = std::mem::take(&mut self.coming).into_iter();
        let (later, coming): (Vec<_>, Vec<_>) = coming.partition(|(_, delivery)| is_free(delivery));
        self.coming = coming.into_iter().collect();
        let later = later.into_iter().map(|(_, late)| late);
        let held: Vec<Delivery> = self.held.extract_if(.., |delivery| is_free(delivery)).collect();
        held.into_iter().chain(later).for_each(|delivery| self.plan(at, delivery));
    }

    fn pairs(&self) -> Vec<(usize, usize)> {
        let nodes = 0..self.nodes.len();
        nodes.clone().flat_map(|one| nodes.clone().map(move |other| (one, other))).collect()
    }
}
