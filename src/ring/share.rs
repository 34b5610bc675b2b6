//! What each node should carry: the fair shares, and the caps that bound how
//! far the clockwise walk may go above them.
//!
//! Whole numbers only. Two machines that round a logarithm differently would
//! build different rings.

use super::cells::Draft;
use super::{Bound, Layout, Node, ZoneId};
use crate::limits::COPIES_MAX;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// One copy of every slot, in the fixed-point unit of a share.
pub(super) const WHOLE: u64 = 1 << 40;

/// The part of all slots that each node should hold, in units of [`WHOLE`].
pub(super) struct Shares {
    /// As primary: in proportion to weight.
    pub(super) primary: Vec<u64>,
    /// As any owner: in proportion to weight as far as distinct zones and
    /// distinct nodes allow.
    pub(super) copies: Vec<u64>,
}

impl Shares {
    pub(super) fn new(zones: &Zones, nodes: &[Node], copies: u8) -> Self {
        let weights: Vec<u64> = nodes.iter().map(|node| u64::from(node.weight)).collect();
        let all = vec![(0, WHOLE); nodes.len()];
        let primary = divide(WHOLE, &weights, &all);
        let mut shares = vec![0; nodes.len()];
        let zone_shares = zones.shares(copies);
        let mut members_of = vec![Vec::new(); zone_shares.len()];
        for (index, &zone) in zones.of_node.iter().enumerate() {
            members_of[zone as usize].push(index);
        }
        for (members, zone_share) in members_of.into_iter().zip(zone_shares) {
            let weights: Vec<u64> = members.iter().map(|&index| weights[index]).collect();
            let parts = divide(zone_share, &weights, &all[..members.len()]);
            for (index, part) in members.into_iter().zip(parts) {
                shares[index] = part;
            }
        }
        Self { primary, copies: shares }
    }
}

/// The nodes and zones whose share is a copy of every slot, or nearly.
///
/// A slot that walked to whoever is nearest could find in its last rank that
/// two of them are still missing, while others are over-full in their place.
/// So it stops choosing freely when it lacks as many as it has ranks left.
pub(super) struct Needed {
    nodes: Vec<bool>,
    /// Copies of each zone; zero for those that are not needed.
    zones: Vec<u8>,
}

/// Whom a slot may choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Anybody,
    NeededZones,
    NeededNodes,
}

impl Needed {
    /// Those who reach a copy of every slot with `permille` above their share.
    pub(super) fn new(zones: &Zones, shares: &Shares, copies: u8, permille: u32) -> Self {
        let whole = |share: u64, most: u64| {
            u128::from(share) * u128::from(1000 + permille) >= u128::from(most) * 1000
        };
        let limits = zones.limits(copies).into_iter().zip(zones.shares(copies));
        let zones = limits.map(|((_, most), share)| match whole(share, most) {
            true => (most / WHOLE) as u8,
            false => 0,
        });
        let nodes = shares.copies.iter().map(|&share| whole(share, WHOLE));
        Self { nodes: unless_all(nodes.collect(), false), zones: unless_all(zones.collect(), 0) }
    }

    /// Whether every slot may choose anybody.
    pub(super) fn is_empty(&self) -> bool {
        !self.nodes.contains(&true) && self.zones.iter().all(|&copies| copies == 0)
    }

    /// Whom a slot with these owners may choose from when so many ranks are left.
    pub(super) fn choice(&self, zones: &Zones, owners: Draft, ranks_left: usize) -> Choice {
        let zone = |node: u16| zones.of_node[node as usize] as usize;
        let held = |wanted| owners.iter().filter(|&owner| zone(owner) == wanted).count();
        let all = (0..).zip(&self.nodes).filter(|&(_, &needed)| needed).map(|(node, _)| node);
        let lacking = all.filter(|&node| !owners.contains(node));
        let (inside, outside): (Vec<u16>, Vec<u16>) =
            lacking.partition(|&node| self.zones[zone(node)] > 0);
        let zones = self.zones.iter().enumerate();
        let places = zones.map(|(zone, &copies)| (copies as usize).saturating_sub(held(zone)));
        match () {
            () if inside.len() + outside.len() >= ranks_left => Choice::NeededNodes,
            () if outside.len() + places.sum::<usize>() >= ranks_left => Choice::NeededZones,
            () => Choice::Anybody,
        }
    }

    /// Whether a node is among the choice.
    pub(super) fn allows(&self, choice: Choice, node: u16, zone: u16) -> bool {
        match choice {
            Choice::Anybody => true,
            Choice::NeededNodes => self.nodes[node as usize],
            Choice::NeededZones => self.nodes[node as usize] || self.zones[zone as usize] > 0,
        }
    }
}

/// To need everybody is no choice: it is the same as to need nobody.
fn unless_all<T: Copy + PartialEq>(needed: Vec<T>, nobody: T) -> Vec<T> {
    match needed.contains(&nobody) {
        true => needed,
        false => vec![nobody; needed.len()],
    }
}

/// The zones of a ring, numbered from zero.
pub(super) struct Zones {
    /// The zone of each node.
    pub(super) of_node: Vec<u16>,
    weights: Vec<u64>,
    sizes: Vec<u64>,
}

impl Zones {
    pub(super) fn new(nodes: &[Node]) -> Self {
        let mut numbers: BTreeMap<ZoneId, u16> = nodes.iter().map(|node| (node.zone, 0)).collect();
        for (number, zone) in (0..).zip(numbers.values_mut()) {
            *zone = number;
        }
        let of_node: Vec<u16> = nodes.iter().map(|node| numbers[&node.zone]).collect();
        let mut weights = vec![0; numbers.len()];
        let mut sizes = vec![0; numbers.len()];
        for (node, &zone) in nodes.iter().zip(&of_node) {
            weights[zone as usize] += u64::from(node.weight);
            sizes[zone as usize] += 1;
        }
        Self { of_node, weights, sizes }
    }

    /// How many copies of a slot one zone may hold once the copy of this rank
    /// is placed. Copies go round the zones: nobody gets a second one while a
    /// zone with a free node has none.
    pub(super) fn copies_allowed(&self, rank: u8) -> u8 {
        let mut placed = 0;
        let places_of_round = |round: &u8| {
            placed += self.sizes.iter().filter(|&&size| size >= u64::from(*round)).count();
            placed > usize::from(rank)
        };
        (1..COPIES_MAX).find(places_of_round).unwrap_or(COPIES_MAX)
    }

    /// Each zone's part of all copies: as near its part of the weight as going
    /// round the zones allows.
    fn shares(&self, copies: u8) -> Vec<u64> {
        divide(u64::from(copies) * WHOLE, &self.weights, &self.limits(copies))
    }

    /// The least and the most that each zone may get of all copies.
    fn limits(&self, copies: u8) -> Vec<(u64, u64)> {
        let last_round = u64::from(self.copies_allowed(copies - 1));
        let limits = |&size: &u64| (size.min(last_round - 1) * WHOLE, size.min(last_round) * WHOLE);
        self.sizes.iter().map(limits).collect()
    }
}

/// Divides `total` in proportion to the weights, nobody getting less than the
/// first or more than the second of its limits; what is clipped from one is
/// shared among the others.
fn divide(total: u64, weights: &[u64], limits: &[(u64, u64)]) -> Vec<u64> {
    // `level` is what a unit of weight gets; the sum grows with it, so it is
    // found by halving. 2^20 of scale keep the error far below one slot.
    const SCALE: u32 = 20;
    let part = |level: u128, weight: u64, (least, most): (u64, u64)| {
        let part = (level * u128::from(weight)) >> SCALE;
        part.clamp(u128::from(least), u128::from(most)) as u64
    };
    let parts = |level: u128| weights.iter().zip(limits).map(move |(&w, &l)| part(level, w, l));
    let (mut low, mut high) = (0, u128::from(total) << SCALE);
    while low < high {
        let middle = u128::midpoint(low, high);
        if parts(middle).sum::<u64>() < total {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    parts(low).collect()
}

/// The most slots each node may hold, given its share of `WHOLE`.
///
/// A cap is the bound rounded down, or one less. Which nodes get one less is
/// spread by a hash of their identity: if all caps fell by one slot at the same
/// node count, that one join would move slots everywhere. Where the bound is
/// less than a slot wide, a cap is still the next whole slot above the fair
/// share: without any room at all, the last slots would walk for ever.
pub(super) fn caps(layout: &Layout, nodes: &[Node], shares: &[u64]) -> Vec<u32> {
    let (slots, whole) = (u128::from(layout.slots()), u128::from(WHOLE));
    let Bound::Permille(permille) = layout.bound else {
        return vec![layout.slots(); nodes.len()];
    };
    let cap = |node: &Node, share: u64| {
        let fair = u128::from(share) * slots;
        let bounded = fair * u128::from(1000 + permille) / 1000;
        let cut = whole - stagger(layout.seed, node);
        (bounded.saturating_sub(cut) / whole).max(fair / whole + 1).min(slots) as u32
    };
    nodes.iter().zip(shares).map(|(node, &share)| cap(node, share)).collect()
}

/// A fixed fraction of a slot for each node, in units of [`WHOLE`].
fn stagger(seed: u64, node: &Node) -> u128 {
    u128::from(xxh3_64_with_seed(&node.id.0.to_le_bytes(), seed) >> 24)
}
