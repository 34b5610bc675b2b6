//! Highest random weight: every node is scored for the key, the best one owns
//! it. Perfectly even and minimal in what moves, at the price of one hash a
//! node. Weights would take logarithms, which differ between machines; they
//! are refused.

use super::{ORIGIN, fit};
use crate::lab::placement::{Algorithm, Family, Placement, Setup};
use crate::limits::COPIES_MAX;
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub(super) const ALGORITHM: Algorithm = Algorithm {
    name: "rendezvous",
    origin: ORIGIN,
    hash: "xxh3",
    family: Family::Rendezvous,
    weighted: false,
    replicated: true,
    bounded: false,
    build: |setup| Ok(Box::new(Rendezvous::new(setup)?)),
};

struct Rendezvous {
    seed: u64,
    /// The identities of the nodes.
    ids: Vec<u64>,
}

/// A node's score and its index, which never decides: over the eight bytes of
/// an identity the hash is a bijection, so no two nodes score alike.
type Candidate = (u64, u16);

impl Rendezvous {
    fn new(setup: &Setup) -> Result<Self, String> {
        fit::unweighted(setup)?;
        let ids = setup.nodes.iter().map(|node| node.id.0).collect();
        Ok(Self { seed: setup.layout.seed, ids })
    }

    fn candidates(&self, key: &[u8]) -> impl Iterator<Item = Candidate> {
        let key = xxh3_64_with_seed(key, self.seed);
        let score = move |id: u64| xxh3_64_with_seed(&id.to_le_bytes(), key);
        self.ids.iter().zip(0_u16..).map(move |(&id, index)| (score(id), index))
    }
}

impl Placement for Rendezvous {
    fn primary(&self, key: &[u8]) -> u16 {
        self.candidates(key).max().expect("there are nodes").1
    }

    fn owners(&self, key: &[u8], owners: &mut [u16]) -> usize {
        let mut best = [Candidate::default(); COPIES_MAX as usize];
        let found = owners.len().min(self.ids.len()).min(best.len());
        let best = &mut best[..found];
        for candidate in self.candidates(key) {
            if best.last().is_some_and(|worst| candidate > *worst) {
                let place = best.partition_point(|better| *better > candidate);
                best[place..].rotate_right(1);
                best[place] = candidate;
            }
        }
        for (owner, candidate) in owners.iter_mut().zip(best) {
            *owner = candidate.1;
        }
        found
    }
}
