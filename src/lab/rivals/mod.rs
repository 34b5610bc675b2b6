//! Other ways to place keys, to hold the ring of this crate against: three
//! written here as textbooks have them, and the crates that a Rust programmer
//! would otherwise take.
//!
//! Every adapter shows its rival at its best. It uses the hash of this crate
//! wherever the rival lets its user choose one, hands over the key without
//! copying it, and keeps a node's index where the rival's answer already lies,
//! so that a lookup is the rival's own work and nothing else. What a rival
//! cannot serve, its `build` refuses; nothing here measures anything.
//!
//! Left out: lfchring 0.1.3. Dropping its ring frees neither the virtual nodes
//! nor the nodes, and a clone of its ring panics at the first lookup. It is
//! also unsound: replaced states are dropped later and maybe on another
//! thread, yet its nodes need be neither `Send` nor `'static`.

mod btree_ring;
mod fit;
#[cfg(feature = "rivals")]
mod published;
mod rendezvous;
mod vec_ring;
mod walk;

#[cfg(test)]
mod tests;

use crate::lab::placement::Algorithm;

/// Where the three textbook ones come from.
const ORIGIN: &str = concat!("ringcached ", env!("CARGO_PKG_VERSION"));

/// Those that need no other crate.
const OURS: &[Algorithm] = &[vec_ring::ALGORITHM, btree_ring::ALGORITHM, rendezvous::ALGORITHM];

/// Those that feature `rivals` brings.
#[cfg(feature = "rivals")]
const PUBLISHED: &[Algorithm] = published::ALGORITHMS;
#[cfg(not(feature = "rivals"))]
const PUBLISHED: &[Algorithm] = &[];

/// Every rival that was compiled in.
pub(super) fn all() -> impl Iterator<Item = &'static Algorithm> {
    OURS.iter().chain(PUBLISHED)
}
