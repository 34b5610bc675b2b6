//! The one face that every way of placing keys on nodes shows the laboratory.

use super::keys::Keys;
use crate::ring::{Layout, Node};
use std::hint::black_box;

/// What a placement is built from.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The nodes, in the order that numbers them.
    pub nodes: Vec<Node>,
    /// Seed, virtual nodes, copies; the slots and the bound concern only the
    /// ring of this crate.
    pub layout: Layout,
}

/// Keys placed on the nodes of one [`Setup`]. Nodes are named by their index in
/// its list.
pub trait Placement {
    /// The node that owns `key` first.
    fn primary(&self, key: &[u8]) -> u16;

    /// Writes the distinct owners of `key` into `owners`, primary first, and
    /// says how many it wrote: one where the algorithm knows no copies.
    fn owners(&self, key: &[u8], owners: &mut [u16]) -> usize {
        owners[0] = self.primary(key);
        1
    }

    /// How many slots the keys fall into, if that many can be counted one by
    /// one: then the figures are exact. Other algorithms are sampled by keys.
    fn slots(&self) -> Option<u32> {
        None
    }

    /// The owners of one slot, as [`Placement::owners`] of a key.
    fn slot_owners(&self, slot: u32, owners: &mut [u16]) -> usize {
        unreachable!("slot {slot} of {} asked of an algorithm without slots", owners.len())
    }

    /// The memory it holds, where it can tell.
    fn bytes(&self) -> Option<usize> {
        None
    }

    /// Looks up the primary of every key and adds them up. A default method is
    /// compiled once for each implementation, so the calls in the loop are
    /// direct and can be inlined, as they would be in a user's program.
    fn look_up_all(&self, keys: &Keys) -> u64 {
        keys.iter().fold(0, |sum, key| sum.wrapping_add(u64::from(self.primary(black_box(key)))))
    }

    /// The same for all owners of every key.
    fn look_up_all_owners(&self, keys: &Keys, copies: usize) -> u64 {
        let mut owners = [0_u16; crate::limits::COPIES_MAX as usize];
        keys.iter().fold(0, |sum, key| {
            let found = self.owners(black_box(key), &mut owners[..copies]);
            sum.wrapping_add(u64::from(black_box(&owners)[found - 1]))
        })
    }

    /// Looks up keys one after the other, each only known when the owner of the
    /// last one is: the time of one lookup, not of many overlapping ones.
    fn look_up_chained(&self, keys: &Keys) -> u64 {
        let mut next = 0;
        let mut sum = 0_u64;
        while let Some(key) = keys.at(next) {
            let owner = self.primary(key);
            sum = sum.wrapping_add(u64::from(owner));
            // No owner has this index, but the processor has to wait for it.
            next += 1 + usize::from(black_box(owner) == u16::MAX);
        }
        sum
    }
}

/// How an algorithm finds a key's node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Virtual nodes on a circle.
    VnodeRing,
    /// A table filled from permutations.
    Table,
    /// Arithmetic on numbered nodes: only the last one can leave for nothing.
    Numbered,
    /// Every node is scored for every key.
    Rendezvous,
    /// Several probes of a circle with one point a node.
    MultiProbe,
}

/// One way to place keys, as the laboratory lists it.
#[derive(Clone, Copy, Debug)]
pub struct Algorithm {
    /// What `--algo` calls it.
    pub name: &'static str,
    /// The crate it comes from, with its version; `ringcached` for our own.
    pub origin: &'static str,
    /// The hash it was run with.
    pub hash: &'static str,
    /// How it works.
    pub family: Family,
    /// Whether it honours node weights.
    pub weighted: bool,
    /// Whether it gives distinct owners for several copies.
    pub replicated: bool,
    /// Whether it has slots and bounds the load: our own ring.
    pub bounded: bool,
    /// Builds it. The text of an error says why it cannot serve this setup.
    pub build: fn(&Setup) -> Result<Box<dyn Placement>, String>,
}

impl Algorithm {
    /// Whether it places virtual nodes, so that their number is of interest.
    #[must_use]
    pub fn has_vnodes(&self) -> bool {
        self.family == Family::VnodeRing
    }
}
