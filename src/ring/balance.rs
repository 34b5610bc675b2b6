//! How evenly a ring loads its nodes, counted over all slots: exact, with no
//! sampled keys in between.
//!
//! Floating point is welcome here: figures place nothing.

use super::share::{Shares, WHOLE, Zones};
use super::{Node, Ring};

/// The parts of all keys that a node should hold: 0.2 is a fifth of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FairShare {
    /// As primary: its part of the weight.
    pub primaries: f64,
    /// As any owner: its part of the weight times the copies, as far as
    /// distinct nodes and distinct zones allow.
    pub copies: f64,
}

/// The fair share of every node, in their order. Of all algorithms, not only of
/// this ring.
#[must_use]
pub fn fair_shares(nodes: &[Node], copies: u8) -> Vec<FairShare> {
    let shares = Shares::new(&Zones::new(nodes), nodes, copies);
    let part = |share: u64| share as f64 / WHOLE as f64;
    let both = shares.primary.into_iter().zip(shares.copies);
    both.map(|(primary, copies)| FairShare { primaries: part(primary), copies: part(copies) })
        .collect()
}

/// What one node holds, and what it should hold, in slots.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Slots it is primary of.
    pub primaries: u32,
    /// Slots it owns in any rank.
    pub copies: u32,
    /// Slots it should be primary of.
    pub primaries_fair: f64,
    /// Slots it should own in any rank.
    pub copies_fair: f64,
}

impl Load {
    /// Primaries held over primaries fair.
    #[must_use]
    pub fn primaries_ratio(&self) -> f64 {
        f64::from(self.primaries) / self.primaries_fair
    }

    /// Copies held over copies fair.
    #[must_use]
    pub fn copies_ratio(&self) -> f64 {
        f64::from(self.copies) / self.copies_fair
    }
}

/// A set of ratios of held to fair, summed up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Balance {
    /// The emptiest node's ratio.
    pub min: f64,
    /// The fullest node's ratio: with equal weights, maximum over mean.
    pub max: f64,
    /// Standard deviation of the ratios.
    pub stddev: f64,
}

impl Balance {
    /// Sums up ratios of held to fair, whose mean by definition is near 1.
    #[must_use]
    pub fn of(ratios: impl Iterator<Item = f64> + Clone) -> Self {
        let count = ratios.clone().count() as f64;
        let mean = ratios.clone().sum::<f64>() / count;
        let variance = ratios.clone().map(|ratio| (ratio - mean).powi(2)).sum::<f64>() / count;
        Self {
            min: ratios.clone().fold(f64::INFINITY, f64::min),
            max: ratios.fold(0.0, f64::max),
            stddev: variance.sqrt(),
        }
    }
}

impl Ring {
    /// What every node holds and should hold, in the order of [`Ring::nodes`].
    #[must_use]
    pub fn loads(&self) -> Vec<Load> {
        let slots = f64::from(self.layout.slots());
        let mut loads: Vec<Load> = fair_shares(&self.nodes, self.copies)
            .into_iter()
            .map(|fair| Load {
                primaries_fair: fair.primaries * slots,
                copies_fair: fair.copies * slots,
                ..Load::default()
            })
            .collect();
        for owners in self.slots() {
            loads[owners.primary() as usize].primaries += 1;
            for owner in owners {
                loads[owner as usize].copies += 1;
            }
        }
        loads
    }
}
