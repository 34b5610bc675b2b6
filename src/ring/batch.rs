//! The keys of one multiget, looked up together.

use super::{KeyHash, Owners, Table};

/// One key of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its hash, which the store needs again.
    pub hash: KeyHash,
    /// Who owns it.
    pub owners: Owners,
}

/// Looks keys up and groups them by primary. Keeps its memory from one multiget
/// to the next.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    found: Vec<Found>,
    /// Primary in the upper half, place in the request in the lower.
    order: Vec<u64>,
}

/// A table up to this size is likely to be in the second-level cache: then one
/// loop is best. The cells of a larger one come from so far away that they are
/// loaded in a loop of their own, in which the processor has more of them under
/// way than fit between the instructions of a hash.
const CLOSE_BYTES: usize = 1 << 20;

impl Batch {
    /// Looks up all keys, forgetting those of the last time. They are in the
    /// order of the keys.
    #[inline]
    pub fn look_up(&mut self, table: &Table, keys: &[&[u8]]) -> &[Found] {
        self.found.clear();
        let found = |key: &&[u8]| {
            let hash = table.hash(key);
            Found { hash, owners: table.owners(hash) }
        };
        if table.cells.bytes() <= CLOSE_BYTES {
            self.found.extend(keys.iter().map(found));
        } else {
            let hashed = |key: &&[u8]| Found { hash: table.hash(key), owners: Owners::NONE };
            self.found.extend(keys.iter().map(hashed));
            for one in &mut self.found {
                one.owners = table.owners(one.hash);
            }
        }
        &self.found
    }

    /// Each primary with the places of its keys in the request, ascending.
    pub fn by_primary(&mut self) -> impl Iterator<Item = (u16, impl Iterator<Item = usize>)> {
        self.order.clear();
        let places = (0_u64..).zip(&self.found);
        self.order.extend(places.map(|(place, key)| u64::from(key.owners.primary()) << 32 | place));
        self.order.sort_unstable();
        self.order.chunk_by(|a, b| a >> 32 == b >> 32).map(|group| {
            let places = group.iter().map(|word| (word & 0xffff_ffff) as usize);
            ((group[0] >> 32) as u16, places)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{Layout, Node, NodeId, Ring};

    /// Once with a table that is close and once with one that is not.
    #[test]
    fn groups_cover_every_key_once() {
        for slot_bits in [16, 20] {
            check_groups(&Layout { slot_bits, vnodes: 64, ..Layout::default() });
        }
    }

    fn check_groups(layout: &Layout) {
        let nodes: Vec<Node> = (0..5).map(|id| Node::new(NodeId(id))).collect();
        let ring = Ring::new(layout, &nodes).unwrap();
        let keys: Vec<Vec<u8>> = (0..100).map(|n| format!("key:{n}").into_bytes()).collect();
        let mut batch = Batch::default();
        batch.look_up(ring.table(), &[b"an earlier".as_slice(), b"multiget"]);
        let found =
            batch.look_up(ring.table(), &keys.iter().map(Vec::as_slice).collect::<Vec<_>>())[7];
        assert_eq!(found.hash, ring.hash(&keys[7]));
        assert_eq!(found.owners, ring.owners_of(&keys[7]));
        let mut seen = vec![0; keys.len()];
        let mut primaries = Vec::new();
        for (primary, places) in batch.by_primary() {
            primaries.push(primary);
            for place in places {
                assert_eq!(ring.owners_of(&keys[place]).primary(), primary);
                seen[place] += 1;
            }
        }
        assert_eq!(seen, vec![1; keys.len()]);
        assert_eq!(primaries, vec![0, 1, 2, 3, 4]);
    }
}
