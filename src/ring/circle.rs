//! The circle that the slots walk: every node's points, and the owners found so
//! far.

use super::cells::Draft;
use super::points::{Points, slot_position};
use super::share::Zones;
use super::{Layout, Node};

/// The points and the slots between them.
pub(super) struct Circle {
    slot_bits: u8,
    points: Points,
    pub(super) zones: Zones,
    /// The place of the first point that each slot meets.
    starts: Vec<u32>,
    pub(super) cells: Vec<Draft>,
}

impl Circle {
    pub(super) fn new(layout: &Layout, nodes: &[Node], zones: Zones) -> Self {
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
    pub(super) fn may_own(&self, slot: u32, node: u16, allowed: u8) -> bool {
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

    /// The place of the first point that a slot meets.
    pub(super) fn start(&self, slot: u32) -> u32 {
        self.starts[slot as usize]
    }

    /// The place after this one, going clockwise.
    pub(super) fn after(&self, place: u32) -> u32 {
        (place + 1) % self.points.len() as u32
    }

    /// Whose point stands at a place, and how far it is from a slot.
    pub(super) fn met_at(&self, place: u32, slot: u32) -> (u16, u64) {
        self.points.at(place as usize, slot_position(slot, self.slot_bits))
    }
}
