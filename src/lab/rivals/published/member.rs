//! A node as a crate is shown it: a name to hash and an index to hand back.

use crate::lab::placement::Setup;
use crate::lab::rivals::fit;
use std::hash::{Hash, Hasher};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// One node. Only its name is hashed, so that the order of the list places no
/// key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Member {
    /// Made of the node's identity and the seed: so the seed also reaches the
    /// crates that have none of their own.
    pub(super) name: u64,
    /// Where the node is in the list.
    pub(super) index: u16,
}

impl Hash for Member {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.name);
    }
}

/// A virtual node, for the crate that leaves them to its users.
#[derive(Clone, Copy, Hash)]
pub(super) struct Vnode {
    pub(super) member: Member,
    pub(super) number: u32,
}

/// All nodes with their weights.
pub(super) fn members(setup: &Setup) -> Result<Vec<(Member, u32)>, String> {
    fit::nodes(setup)?;
    let seed = setup.layout.seed;
    let name = |id: u64| xxh3_64_with_seed(&id.to_le_bytes(), seed);
    let nodes = setup.nodes.iter().zip(0_u16..);
    Ok(nodes.map(|(node, index)| (Member { name: name(node.id.0), index }, node.weight)).collect())
}
