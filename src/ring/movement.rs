//! How much moves from one placement to the next, against the least that could.

use super::balance::{FairShare, fair_shares};
use super::{Node, NodeId, Ring, RingError};
use std::collections::BTreeMap;

/// Slots, or sampled keys, that changed hands, and how many had to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moved {
    /// How many a node holds afterwards that it did not hold before.
    pub moved: u64,
    /// The least that brings every node from its old fair share to its new one.
    pub least: f64,
    /// How many moved between two nodes which were there before and after.
    pub misplaced: u64,
}

impl Moved {
    /// Moved over least possible: 1 is perfect.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        match self.moved {
            0 if self.least < 1.0 => 1.0,
            moved => moved as f64 / self.least,
        }
    }

    fn count(&mut self, from: &[u16], to: &[u16], stays: &[bool]) {
        let missing_in = |those: &[u16], these: &[u16]| {
            let missing = these.iter().filter(|owner| !those.contains(owner));
            missing.fold((0, 0), |(all, stayers), &owner| {
                (all + 1, stayers + u64::from(stays[owner as usize]))
            })
        };
        let (gained, gained_by_stayers) = missing_in(from, to);
        let (_, lost_by_stayers) = missing_in(to, from);
        self.moved += gained;
        self.misplaced += gained_by_stayers.min(lost_by_stayers);
    }
}

/// What moves between two placements.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Movement {
    /// Slots or keys that were compared.
    pub compared: u64,
    /// Counting primaries only.
    pub primaries: Moved,
    /// Counting all copies.
    pub copies: Moved,
}

impl Movement {
    /// Counts the slots that move between two rings.
    ///
    /// # Errors
    /// Refuses rings that differ in seed or slot count.
    pub fn new(old: &Ring, new: &Ring) -> Result<Self, RingError> {
        if !old.same_slots(new) {
            return Err(RingError::OtherSlots);
        }
        let mut tally = Tally::new((old.nodes(), old.copies()), (new.nodes(), new.copies()));
        let (mut from, mut to) = (Vec::new(), Vec::new());
        for (old, new) in old.slots().zip(new.slots()) {
            from.clear();
            from.extend(old.iter());
            to.clear();
            to.extend(new.iter());
            tally.compare(&from, &to);
        }
        Ok(tally.movement())
    }
}

/// Counts movement one slot, or one sampled key, after the other.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Where each old and each new node stands in the list of both.
    old: Vec<u16>,
    new: Vec<u16>,
    /// Which nodes of that list are in both.
    stays: Vec<bool>,
    movement: Movement,
}

impl Tally {
    /// Of the nodes before and after, with the copies each side keeps.
    #[must_use]
    pub fn new(old: (&[Node], u8), new: (&[Node], u8)) -> Self {
        let ids = |nodes: &[Node]| nodes.iter().map(|node| (node.id, 0)).collect::<Vec<_>>();
        let mut list: BTreeMap<NodeId, u16> = ids(old.0).into_iter().chain(ids(new.0)).collect();
        list.values_mut().zip(0..).for_each(|(place, number)| *place = number);
        let places = |nodes: &[Node]| nodes.iter().map(|node| list[&node.id]).collect::<Vec<_>>();
        let (old_places, new_places) = (places(old.0), places(new.0));
        let mut stays = vec![0; list.len()];
        old_places.iter().chain(&new_places).for_each(|&place| stays[place as usize] += 1);
        let mut movement = Movement::default();
        let shares = (fair_shares(old.0, old.1), fair_shares(new.0, new.1));
        let least = |share: fn(&FairShare) -> f64| {
            let mut growth = vec![0.0; list.len()];
            new_places.iter().zip(&shares.1).for_each(|(&p, s)| growth[p as usize] += share(s));
            old_places.iter().zip(&shares.0).for_each(|(&p, s)| growth[p as usize] -= share(s));
            growth.into_iter().map(|part| part.max(0.0)).sum()
        };
        movement.primaries.least = least(|share| share.primaries);
        movement.copies.least = least(|share| share.copies);
        let stays = stays.into_iter().map(|sides| sides == 2).collect();
        Self { old: old_places, new: new_places, stays, movement }
    }

    /// Compares the owners of one slot or key: indexes into the old and the new
    /// list of nodes, primary first.
    pub fn compare(&mut self, old: &[u16], new: &[u16]) {
        const MOST: usize = crate::limits::COPIES_MAX as usize;
        let (mut from, mut to) = ([0; MOST], [0; MOST]);
        from.iter_mut().zip(old).for_each(|(place, &node)| *place = self.old[node as usize]);
        to.iter_mut().zip(new).for_each(|(place, &node)| *place = self.new[node as usize]);
        let (from, to) = (&from[..old.len()], &to[..new.len()]);
        self.movement.compared += 1;
        if from != to {
            self.movement.primaries.count(&from[..1], &to[..1], &self.stays);
            self.movement.copies.count(from, to, &self.stays);
        }
    }

    /// What was counted.
    #[must_use]
    pub fn movement(mut self) -> Movement {
        self.movement.primaries.least *= self.movement.compared as f64;
        self.movement.copies.least *= self.movement.compared as f64;
        self.movement
    }
}
