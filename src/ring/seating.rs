//! Seating: every slot finds the owner of one rank.
//!
//! Deferred acceptance. A slot claims the nodes it meets on its walk, one after
//! the other; a node that is full keeps the claims it likes best.

use super::circle::Circle;
use super::share::{Choice, Needed};
use std::collections::BinaryHeap;

/// Whom each slot may choose from.
pub(super) struct Choices {
    /// Empty where every slot may choose anybody.
    pub(super) of_slot: Vec<Choice>,
    pub(super) needed: Needed,
}

/// A slot's claim on a node. The least is taken in first: more turns made, then
/// nearer, then the lower slot. One word: 3 bits, 41 bits, 20 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Claim(u64);

impl Claim {
    const SLOT_BITS: u32 = crate::limits::SLOT_BITS_MAX as u32;

    fn new(turns: u8, distance: u64, slot: u32) -> Self {
        let turns_missing = u64::from(TURNS_MAX - 1 - turns);
        Self(turns_missing << 61 | distance >> 7 << Self::SLOT_BITS | u64::from(slot))
    }

    fn slot(self) -> u32 {
        (self.0 & ((1 << Self::SLOT_BITS) - 1)) as u32
    }
}

/// Turns a slot makes before it is given to the next node in spite of its cap.
/// One is enough without zones; two and three seat the rest where the zones are
/// so unequal that one of them is in nearly every slot.
const TURNS_MAX: u8 = 8;

/// How far a slot has walked: the next point to ask, and the turns made.
#[derive(Clone, Copy)]
struct Walker {
    place: u32,
    turns: u8,
}

/// The seating of all slots for one rank.
pub(super) struct Seating<'a> {
    circle: &'a Circle,
    /// Copies of a slot that one zone may hold.
    allowed: u8,
    /// Slots that each node may hold in this rank.
    capacity: Vec<u32>,
    held: Vec<BinaryHeap<Claim>>,
    walkers: Vec<Walker>,
    choices: Choices,
}

/// What a node says to a claim.
enum Answer {
    Taken,
    TakenInsteadOf(u32),
    Refused,
}

impl<'a> Seating<'a> {
    pub(super) fn new(circle: &'a Circle, rank: u8, capacity: Vec<u32>, choices: Choices) -> Self {
        let slots = 0..circle.cells.len() as u32;
        Self {
            circle,
            allowed: circle.zones.copies_allowed(rank),
            choices,
            held: vec![BinaryHeap::new(); capacity.len()],
            capacity,
            walkers: slots.map(|slot| Walker { place: circle.start(slot), turns: 0 }).collect(),
        }
    }

    /// The slots of each node. No node has more than its capacity, unless a
    /// slot would have no owner of this rank at all.
    pub(super) fn all(mut self) -> Vec<Vec<u32>> {
        let mut unseated = Vec::new();
        for slot in 0..self.walkers.len() as u32 {
            unseated.extend(self.seat(slot));
        }
        let slots = |held: BinaryHeap<Claim>| held.into_iter().map(Claim::slot).collect();
        let mut seats: Vec<Vec<u32>> = self.held.drain(..).map(slots).collect();
        for slot in unseated {
            self.walkers[slot as usize].turns = 0;
            let (node, _) = self.next(slot).expect("no more copies than nodes");
            seats[node as usize].push(slot);
        }
        seats
    }

    /// Walks a slot, and whichever slots it displaces, until all are seated.
    /// Returns the one that all its turns did not seat.
    fn seat(&mut self, mut slot: u32) -> Option<u32> {
        let mut refusals = 0;
        loop {
            let Some((node, claim)) = self.next(slot) else { return Some(slot) };
            match self.offer(node, claim) {
                Answer::Taken => return None,
                Answer::TakenInsteadOf(displaced) => (slot, refusals) = (displaced, 0),
                Answer::Refused => refusals += 1,
            }
            // Looking at every node costs as much as being refused by every
            // node, so it is done that often; a turn over thousands of points
            // that can only be refused is cut short.
            if refusals == self.capacity.len() {
                refusals = 0;
                if self.is_vain(claim) {
                    self.turn(slot);
                }
            }
        }
    }

    /// The next node clockwise that may own the slot.
    fn next(&mut self, slot: u32) -> Option<(u16, Claim)> {
        while self.walkers[slot as usize].turns < TURNS_MAX {
            let Walker { place, turns } = self.walkers[slot as usize];
            self.step(slot);
            let (node, distance) = self.circle.met_at(place, slot);
            if self.may_own(slot, node) {
                return Some((node, Claim::new(turns, distance, slot)));
            }
        }
        None
    }

    fn may_own(&self, slot: u32, node: u16) -> bool {
        let Choices { of_slot, needed } = &self.choices;
        let zone = self.circle.zones.of_node[node as usize];
        let chosen =
            of_slot.get(slot as usize).is_none_or(|&choice| needed.allows(choice, node, zone));
        chosen && self.circle.may_own(slot, node, self.allowed)
    }

    fn step(&mut self, slot: u32) {
        let walker = &mut self.walkers[slot as usize];
        walker.place = self.circle.after(walker.place);
        walker.turns += u8::from(walker.place == self.circle.start(slot));
    }

    /// Sends a slot back to its start, for another turn.
    fn turn(&mut self, slot: u32) {
        let Walker { place, turns } = self.walkers[slot as usize];
        let start = self.circle.start(slot);
        if place != start {
            self.walkers[slot as usize] = Walker { place: start, turns: turns + 1 };
        }
    }

    fn offer(&mut self, node: u16, claim: Claim) -> Answer {
        let held = &mut self.held[node as usize];
        if held.len() < self.capacity[node as usize] as usize {
            held.push(claim);
            return Answer::Taken;
        }
        match held.peek_mut() {
            Some(mut farthest) if claim < *farthest => {
                Answer::TakenInsteadOf(std::mem::replace(&mut *farthest, claim).slot())
            }
            _ => Answer::Refused,
        }
    }

    /// Whether every node would refuse this slot from here to the end of its
    /// turn: whoever refuses a claim refuses one from farther away.
    fn is_vain(&self, claim: Claim) -> bool {
        let takes = |node: usize| {
            self.held[node].len() < self.capacity[node] as usize
                || self.held[node].peek().is_some_and(|&farthest| claim < farthest)
        };
        let nodes = 0..self.capacity.len();
        !nodes.into_iter().any(|node| takes(node) && self.may_own(claim.slot(), node as u16))
    }
}
