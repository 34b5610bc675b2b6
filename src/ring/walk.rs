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
use super::circle::Circle;
use super::seating::{Choices, Seating};
use super::share::{Choice, Needed, Shares, Zones, caps};
use super::{Bound, Layout, Node};

/// Fills every slot with `copies` distinct owners.
pub(super) fn fill(layout: &Layout, nodes: &[Node], copies: u8) -> Vec<Draft> {
    let zones = Zones::new(nodes);
    let shares = Shares::new(&zones, nodes, copies);
    let primary_caps = caps(layout, nodes, &shares.primary);
    let mut room = caps(layout, nodes, &shares.copies);
    let mut circle = Circle::new(layout, nodes, zones);
    for rank in 0..copies {
        let capacity = match rank {
            0 => room.iter().zip(&primary_caps).map(|(&all, &first)| all.min(first)).collect(),
            _ => room.clone(),
        };
        let choices = choices(layout, &circle, &shares, copies, rank);
        let taken = Seating::new(&circle, rank, capacity, choices).all();
        for (node, slots) in taken.into_iter().enumerate() {
            room[node] = room[node].saturating_sub(slots.len() as u32);
            for slot in slots {
                circle.cells[slot as usize].set(rank, node as u16);
            }
        }
    }
    circle.cells
}

/// Whom each slot may choose from in this rank.
fn choices(layout: &Layout, circle: &Circle, shares: &Shares, copies: u8, rank: u8) -> Choices {
    let ranks_left = usize::from(copies - rank);
    // A node that reaches every slot only with the bound on top of its share
    // need not be in all of them. But two such nodes must not both be missing
    // from a slot that has one place left for them, so they count as needed
    // until the last rank, in which the caps alone decide.
    let permille = match layout.bound {
        Bound::Permille(permille) if ranks_left > 1 => permille,
        _ => 0,
    };
    let needed = Needed::new(&circle.zones, shares, copies, permille);
    // The primary is chosen by weight alone, and without a bound so are all.
    if rank == 0 || layout.bound == Bound::Unlimited || needed.is_empty() {
        return Choices { of_slot: Vec::new(), needed };
    }
    let allowed = circle.zones.copies_allowed(rank);
    let slots = (0..).zip(&circle.cells);
    let of_slot = slots.map(|(slot, &owners)| {
        let choice = needed.choice(&circle.zones, owners, ranks_left);
        let mut nodes = (0..).zip(&circle.zones.of_node);
        let may_be = nodes.any(|(node, &zone)| {
            needed.allows(choice, node, zone) && circle.may_own(slot, node, allowed)
        });
        if may_be { choice } else { Choice::Anybody }
    });
    Choices { of_slot: of_slot.collect(), needed }
}
