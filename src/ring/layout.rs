//! The constants of a cluster: what must be equal on all nodes for their rings
//! to be equal.

use super::RingError;
use crate::limits::{BOUND_PERMILLE_MAX, COPIES_MAX, SLOT_BITS_MAX, SLOT_BITS_MIN, VNODES_MAX};

/// How far above its fair share a node may be filled before the clockwise walk
/// passes it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bound {
    /// Thousandths above the fair share.
    Permille(u32),
    /// The plain virtual-node ring: whoever comes next clockwise owns the slot.
    Unlimited,
}

/// As `--bound` and cluster files write it.
impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Permille(permille) => write!(f, "{}%", f64::from(*permille) / 10.0),
            Self::Unlimited => write!(f, "none"),
        }
    }
}

/// Fixed at a cluster's birth: changing any of it moves keys. Seed and slots
/// cannot change at all without moving every key to another slot; the others
/// move as many as the rings before and after differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Seed of the key and point hashes, so that outsiders cannot aim keys.
    pub seed: u64,
    /// The ring has `2^slot_bits` slots.
    pub slot_bits: u8,
    /// Virtual nodes for each unit of weight.
    pub vnodes: u32,
    /// How far a node may be filled above its fair share.
    pub bound: Bound,
    /// Owners of each slot, as long as there are nodes for them.
    pub copies: u8,
}

impl Default for Layout {
    /// What `docs/benchmarks.md` chose with numbers.
    fn default() -> Self {
        Self { seed: 0, slot_bits: 16, vnodes: 2048, bound: Bound::Permille(50), copies: 2 }
    }
}

impl Layout {
    /// The slots, as a power of two, that keep the balance and the movement of
    /// the default layout up to so many nodes. Chosen at a cluster's birth for
    /// the size it may grow to.
    #[must_use]
    pub fn slot_bits_for(nodes: usize) -> u8 {
        match nodes {
            0..=128 => 16,
            129..=400 => 18,
            _ => 20,
        }
    }

    /// Slots on the ring.
    #[must_use]
    pub fn slots(&self) -> u32 {
        1 << self.slot_bits
    }

    /// Refuses a layout that no ring can have.
    ///
    /// # Errors
    /// Names the first value that is out of range.
    pub fn check(&self) -> Result<(), RingError> {
        if !(SLOT_BITS_MIN..=SLOT_BITS_MAX).contains(&self.slot_bits) {
            return Err(RingError::SlotBits(self.slot_bits));
        }
        if !(1..=VNODES_MAX).contains(&self.vnodes) {
            return Err(RingError::Vnodes(self.vnodes));
        }
        if !(1..=COPIES_MAX).contains(&self.copies) {
            return Err(RingError::Copies(self.copies));
        }
        match self.bound {
            Bound::Permille(permille) if permille > BOUND_PERMILLE_MAX => {
                Err(RingError::Bound(permille))
            }
            _ => Ok(()),
        }
    }
}
