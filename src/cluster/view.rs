//! The rings a node acts by: one to read from, one to write to.

use crate::ring::{KeyHash, NodeId, Owners, Ring, RingError, Table};
use std::collections::BTreeSet;

/// What one node believes of the cluster. Immutable; replaced whole.
///
/// While nothing moves, keys are read and written by one ring. While keys move,
/// they are read where they were and written where they were and where they
/// will be. Both rings count their owners in one list of nodes, so the two
/// answers for a key can be put side by side.
#[derive(Clone, Debug)]
pub struct View {
    nodes: Box<[NodeId]>,
    read: Table,
    write: Option<Table>,
}

impl View {
    /// A view in which nothing moves.
    #[must_use]
    pub fn settled(ring: &Ring) -> Self {
        let nodes = ring.nodes().iter().map(|node| node.id).collect();
        Self { nodes, read: ring.table().clone(), write: None }
    }

    /// A view in which keys move from the owners by `read` to those by `write`.
    ///
    /// # Errors
    /// Refuses rings that differ in seed or slot count.
    pub fn moving(read: &Ring, write: &Ring) -> Result<Self, RingError> {
        if !read.same_slots(write) {
            return Err(RingError::OtherSlots);
        }
        let nodes: BTreeSet<NodeId> =
            read.nodes().iter().chain(write.nodes()).map(|node| node.id).collect();
        let nodes: Box<[NodeId]> = nodes.into_iter().collect();
        let (read, write) = (read.listed_among(&nodes)?, write.listed_among(&nodes)?);
        Ok(Self { nodes, read, write: Some(write) })
    }

    /// All nodes of both rings: an owner is an index into this list.
    #[must_use]
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// The table that reads go by, for many keys at once.
    #[must_use]
    pub fn reading(&self) -> &Table {
        &self.read
    }

    /// The hash of a key, the same for both rings.
    #[inline]
    #[must_use]
    pub fn hash(&self, key: &[u8]) -> KeyHash {
        self.read.hash(key)
    }

    /// Who answers a read.
    #[inline]
    #[must_use]
    pub fn readers(&self, hash: KeyHash) -> Owners {
        self.read.owners(hash)
    }

    /// Who takes a write: the owners now and the owners to be. While nothing
    /// moves the two are the same.
    #[inline]
    #[must_use]
    pub fn writers(&self, hash: KeyHash) -> (Owners, Owners) {
        let now = self.read.owners(hash);
        (now, self.write.as_ref().map_or(now, |write| write.owners(hash)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{Layout, Node};

    fn ring(ids: std::ops::Range<u64>) -> Ring {
        let nodes: Vec<Node> = ids.map(|id| Node::new(NodeId(id))).collect();
        Ring::new(&Layout::default(), &nodes).unwrap()
    }

    fn listed(view: &View, owners: Owners) -> Vec<NodeId> {
        owners.iter().map(|owner| view.nodes()[owner as usize]).collect()
    }

    fn ids(ring: &Ring, owners: Owners) -> Vec<NodeId> {
        owners.iter().map(|owner| ring.node(owner).id).collect()
    }

    #[test]
    fn moving_answers_as_both_rings() {
        let (old, new) = (ring(1..5), ring(0..4));
        let view = View::moving(&old, &new).unwrap();
        assert_eq!(view.nodes().len(), 5);
        for key in 0..2000_u32 {
            let hash = view.hash(&key.to_le_bytes());
            let (now, to_be) = view.writers(hash);
            assert_eq!(now, view.readers(hash));
            assert_eq!(listed(&view, now), ids(&old, old.owners(hash)));
            assert_eq!(listed(&view, to_be), ids(&new, new.owners(hash)));
        }
    }

    #[test]
    fn settled_writes_where_it_reads() {
        let view = View::settled(&ring(0..3));
        let hash = view.hash(b"key");
        assert_eq!(view.writers(hash), (view.readers(hash), view.readers(hash)));
    }

    #[test]
    fn other_slots_are_refused() {
        let other = Layout { slot_bits: 12, ..Layout::default() };
        let small = Ring::new(&other, &[Node::new(NodeId(1))]).unwrap();
        assert_eq!(View::moving(&ring(0..3), &small).unwrap_err(), RingError::OtherSlots);
    }
}
