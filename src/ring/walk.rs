//! The clockwise walk with bounded load: which nodes own which slots.
//!
//! Rank by rank, primaries first, every slot walks clockwise from its start
//! and asks each node it meets. A node that holds its fill keeps the slots
//! nearest to its points and sends the farthest one walking on. A slot that
//! has gone round in vain, because zones left it little choice, goes round
//! again and is taken in before all that have gone round less often.
//!
//! That is deferred acceptance: slots and nodes have strict orders of
//! preference, and a slot's later claim on a node is never weaker than one it
//! made there a turn before. So the outcome does not depend on the order in
//! which the slots are taken: the ring is a function of the set of nodes alone.

use super::cells::Draft;
use super::points::{Points, slot_position};
use super::share::{Choice, Needed, Shares, Zones, caps};
use super::{Bound, Layout, Node};
use std::collections::BinaryHeap;

/// Fills every slot with `copies` distinct owners.
pub(super) fn fill(layout: &Layout, nodes: &[Node], copies: u8) -> Vec<Draft> {
    let zones = Zones::new(nodes);
    let shares = Shares::new(&zones, nodes, copies);
    let primary_caps = caps(layout, nodes, &shares.primary);
    let mut room = caps(layout, nodes, &shares.copies);
    let mut walk = Walk::new(layout, nodes, zones);
    for rank in 0..copies {
        let capacity = match rank {
            0 => room.iter().zip(&primary_caps).map(|(&all, &first)| all.min(first)).collect(),
            _ => room.clone(),
        };
        let choices = choices(layout, &walk, &shares, copies, rank);
        let taken = Rank::new(&walk, rank, capacity, choices).seat_all();
        for (node, slots) in taken.into_iter().enumerate() {
            room[node] = room[node].saturating_sub(slots.len() as u32);
            for slot in slots {
                walk.cells[slot as usize].set(rank, node as u16);
            }
        }
    }
    walk.cells
}

/// Whom each slot may choose from in this rank.
fn choices(layout: &Layout, walk: &Walk, shares: &Shares, copies: u8, rank: u8) -> Choices {
    let ranks_left = usize::from(copies - rank);
    // A node that reaches every slot only with the bound on top of its share
    // need not be in all of them. But two such nodes must not both be missing
    // from a slot that has one place left for them, so they count as needed
    // until the last rank, in which the caps alone decide.
    let permille = match layout.bound {
        Bound::Permille(permille) if ranks_left > 1 => permille,
        _ => 0,
    };
    let needed = Needed::new(&walk.zones, shares, copies, permille);
    // The primary is chosen by weight alone.
    if rank == 0 || needed.is_empty() {
        return Choices { of_slot: Vec::new(), needed };
    }
    let allowed = walk.zones.copies_allowed(rank);
    let slots = (0..).zip(&walk.cells);
    let of_slot = slots.map(|(slot, &owners)| {
        let choice = needed.choice(&walk.zones, owners, ranks_left);
        let mut nodes = (0..).zip(&walk.zones.of_node);
        let may_be = nodes.any(|(node, &zone)| {
            needed.allows(choice, node, zone) && walk.may_own(slot, node, allowed)
        });
        if may_be { choice } else { Choice::Anybody }
    });
    Choices { of_slot: of_slot.collect(), needed }
}

struct Choices {
    /// Empty where every slot may choose anybody.
    of_slot: Vec<Choice>,
    needed: Needed,
}

/// The circle with its points, and the owners found so far.
struct Walk {
    slot_bits: u8,
    points: Points,
    zones: Zones,
    /// The place of the first point that each slot meets.
    starts: Vec<u32>,
    cells: Vec<Draft>,
}

impl Walk {
    fn new(layout: &Layout, nodes: &[Node], zones: Zones) -> Self {
        let points = Points::new(layout.seed, layout.vnodes, nodes);
        Self {
            slot_bits: layout.slot_bits,
            starts: points.starts(layout.slot_bits),
            points,
            zones,
            cells: vec![Draft::EMPTY; layout.slots() as usize],
        }
    }

    /// Whether the slot has neither this node nor `allowed` others of its zone.
    fn may_own(&self, slot: u32, node: u16, allowed: u8) -> bool {
        let zone = self.zones.of_node[node as usize];
        let mut in_zone = 0;
        for owner in self.cells[slot as usize].iter() {
            if owner == node {
                return false;
            }
            in_zone += u8::from(self.zones.of_node[owner as usize] == zone);
        }
        in_zone < allowed
    }
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
struct Rank<'a> {
    walk: &'a Walk,
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

impl<'a> Rank<'a> {
    fn new(walk: &'a Walk, rank: u8, capacity: Vec<u32>, choices: Choices) -> Self {
        Self {
            walk,
            allowed: walk.zones.copies_allowed(rank),
            choices,
            held: vec![BinaryHeap::new(); capacity.len()],
            capacity,
            walkers: walk.starts.iter().map(|&place| Walker { place, turns: 0 }).collect(),
        }
    }

    /// The slots of each node. No node has more than its capacity, unless a
    /// slot would have no owner of this rank at all.
    fn seat_all(mut self) -> Vec<Vec<u32>> {
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
        let walk = self.walk;
        let position = slot_position(slot, walk.slot_bits);
        while self.walkers[slot as usize].turns < TURNS_MAX {
            let Walker { place, turns } = self.walkers[slot as usize];
            self.step(slot);
            let (node, distance) = walk.points.at(place as usize, position);
            if self.may_own(slot, node) {
                return Some((node, Claim::new(turns, distance, slot)));
            }
        }
        None
    }

    fn may_own(&self, slot: u32, node: u16) -> bool {
        let Choices { of_slot, needed } = &self.choices;
        let zone = self.walk.zones.of_node[node as usize];
        let chosen =
            of_slot.get(slot as usize).is_none_or(|&choice| needed.allows(choice, node, zone));
        chosen && self.walk.may_own(slot, node, self.allowed)
    }

    fn step(&mut self, slot: u32) {
        let walker = &mut self.walkers[slot as usize];
        walker.place = (walker.place + 1) % self.walk.points.len() as u32;
        walker.turns += u8::from(walker.place == self.walk.starts[slot as usize]);
    }

    /// Sends a slot back to its start, for another turn.
    fn turn(&mut self, slot: u32) {
        let Walker { place, turns } = self.walkers[slot as usize];
        let start = self.walk.starts[slot as usize];
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
