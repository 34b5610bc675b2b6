//! The keys of one multiget, looked up together.

use super::{KeyHash, Owners, Ring};

/// Hashes first, cells after: the loads of a run of cells do not wait for the
/// hashes in between, so the processor has as many of them under way as it
/// can. Keeps its memory from one multiget to the next.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    hashes: Vec<KeyHash>,
    owners: Vec<Owners>,
    /// Primary in the upper half, place in the request in the lower.
    order: Vec<u64>,
}

impl Batch {
    /// Looks up all keys, forgetting those of the last time.
    #[inline]
    pub fn look_up<'k>(&mut self, ring: &Ring, keys: impl IntoIterator<Item = &'k [u8]>) {
        self.hashes.clear();
        self.hashes.extend(keys.into_iter().map(|key| ring.hash(key)));
        self.owners.clear();
        self.owners.extend(self.hashes.iter().map(|&hash| ring.owners(hash)));
    }

    /// The hashes, in the order of the keys.
    #[must_use]
    pub fn hashes(&self) -> &[KeyHash] {
        &self.hashes
    }

    /// The owners, in the order of the keys.
    #[must_use]
    pub fn owners(&self) -> &[Owners] {
        &self.owners
    }

    /// Each primary with the places of its keys in the request, ascending.
    pub fn by_primary(&mut self) -> impl Iterator<Item = (u16, impl Iterator<Item = usize>)> {
        self.order.clear();
        let places = (0_u64..).zip(&self.owners);
        self.order.extend(places.map(|(place, owners)| u64::from(owners.primary()) << 32 | place));
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
    use crate::ring::{Layout, Node, NodeId};

    #[test]
    fn groups_cover_every_key_once() {
        let nodes: Vec<Node> = (0..5).map(|id| Node::new(NodeId(id))).collect();
        let ring = Ring::new(&Layout::default(), &nodes).unwrap();
        let keys: Vec<Vec<u8>> = (0..100).map(|n| format!("key:{n}").into_bytes()).collect();
        let mut batch = Batch::default();
        batch.look_up(&ring, [b"an earlier".as_slice(), b"multiget"]);
        batch.look_up(&ring, keys.iter().map(Vec::as_slice));
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
        assert_eq!(batch.owners()[7], ring.owners_of(&keys[7]));
        assert_eq!(batch.hashes()[7], ring.hash(&keys[7]));
    }
}
