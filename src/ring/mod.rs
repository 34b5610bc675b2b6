//! The virtual-node hash ring: which nodes own which keys.
//!
//! A key's hash says its slot, a slot's cell says its owners: a lookup is the
//! hash, a shift and one load. The cells are filled once, from the points of
//! the virtual nodes, by a clockwise walk with bounded load:
//!
//! ```text
//! Layout, [Node] -> points, shares and caps -> circle, walk, seating -> cells -> Ring
//!                                                          key -> hash -> slot -> Owners
//! ```
//!
//! A ring is a pure function of its layout and the set of its nodes. Nothing in
//! here ever reads a clock, a random number or the order of its input.
//!
//! ```
//! use ringcached::ring::{Layout, Node, NodeId, Ring};
//!
//! let nodes = ["a", "b", "c"].map(|name| Node::new(NodeId::from_name(name)));
//! let ring = Ring::new(&Layout::default(), &nodes)?;
//! let owners = ring.owners_of(b"user:17");
//! assert_eq!(owners.len(), 2);
//! assert!(nodes.contains(ring.node(owners.primary())));
//! # Ok::<(), ringcached::ring::RingError>(())
//! ```

mod balance;
mod batch;
mod cells;
mod circle;
mod diff;
mod error;
mod hash;
mod layout;
mod movement;
mod node;
mod owners;
mod points;
mod seating;
mod share;
mod table;
mod walk;

pub use balance::{Balance, FairShare, Load, fair_shares};
pub use batch::{Batch, Found};
pub use diff::{Change, Diff, Move};
pub use error::RingError;
pub use hash::KeyHash;
pub use layout::{Bound, Layout};
pub use movement::{Moved, Movement, Tally};
pub use node::{Node, NodeId, ZoneId};
pub use owners::{Owners, OwnersIter};
pub use table::Table;

use cells::{Cells, Draft};

use crate::limits::{NODES_MAX, POINTS_MAX, WEIGHT_MAX};
use xxhash_rust::xxh3::Xxh3;

/// Every slot's owners, for one set of nodes. Immutable.
#[derive(Clone, Debug)]
pub struct Ring {
    table: Table,
    layout: Layout,
    nodes: Box<[Node]>,
    copies: u8,
    fingerprint: u64,
}

impl Ring {
    /// Builds the ring of these nodes, in whatever order they come.
    ///
    /// # Errors
    /// Says what is wrong with the layout or the nodes.
    pub fn new(layout: &Layout, nodes: &[Node]) -> Result<Self, RingError> {
        layout.check()?;
        let nodes = checked(layout, nodes)?;
        let copies = layout.copies.min(nodes.len().try_into().unwrap_or(u8::MAX));
        let drafts = walk::fill(layout, &nodes, copies);
        let cells = Cells::new(nodes.len(), copies, drafts.into_iter());
        let fingerprint = fingerprint(layout, &nodes, &cells);
        let table = Table::new(layout.seed, layout.slot_bits, cells);
        Ok(Self { table, layout: *layout, nodes, copies, fingerprint })
    }

    /// The owners of a key. Who needs the hash again, for the store or another
    /// ring, takes [`Ring::hash`] and [`Ring::owners`] apart.
    #[inline]
    #[must_use]
    pub fn owners_of(&self, key: &[u8]) -> Owners {
        self.owners(self.hash(key))
    }

    /// The place of a key on the circle, the same on every ring of the cluster.
    #[inline]
    #[must_use]
    pub fn hash(&self, key: &[u8]) -> KeyHash {
        self.table.hash(key)
    }

    /// The owners of a hashed key.
    #[inline]
    #[must_use]
    pub fn owners(&self, hash: KeyHash) -> Owners {
        self.table.owners(hash)
    }

    /// The slot of a hashed key: the top bits of the hash.
    #[inline]
    #[must_use]
    pub fn slot(&self, hash: KeyHash) -> u32 {
        self.table.slot(hash)
    }

    /// The owners of a slot.
    ///
    /// # Panics
    /// If the ring has no such slot.
    #[must_use]
    pub fn slot_owners(&self, slot: u32) -> Owners {
        self.table.cells.at(slot as usize)
    }

    /// The owners of all slots, in order.
    #[must_use]
    pub fn slots(&self) -> impl ExactSizeIterator<Item = Owners> {
        self.table.slots()
    }

    /// The node that an owner's index stands for.
    ///
    /// # Panics
    /// If the index is not from this ring.
    #[must_use]
    pub fn node(&self, owner: u16) -> &Node {
        &self.nodes[owner as usize]
    }

    /// All nodes, by identity: an owner is an index into this list.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The index of a node, if it is on this ring.
    #[must_use]
    pub fn index_of(&self, id: NodeId) -> Option<u16> {
        self.nodes.binary_search_by_key(&id, |node| node.id).ok().map(|index| index as u16)
    }

    /// The constants it was built with.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Owners of each slot: the layout's copies, or all nodes if there are fewer.
    #[must_use]
    pub fn copies(&self) -> u8 {
        self.copies
    }

    /// A hash of the placement: seed, nodes and the owners of every slot. Nodes
    /// whose fingerprints are equal send every key to the same owners.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Bytes that the ring holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.nodes) + self.table.cells.bytes()
    }

    /// The same placement with owners counted in a longer list of nodes, so that
    /// the owners of two rings can be put side by side without looking up
    /// identities. A table and no ring: the nodes that the list adds are not
    /// members, and must not be taken for such.
    ///
    /// # Errors
    /// Refuses a list that is not ascending, is too long for an index, or lacks
    /// a node of this ring.
    pub fn listed_among(&self, ids: &[NodeId]) -> Result<Table, RingError> {
        if ids.len() > NODES_MAX {
            return Err(RingError::TooManyNodes(ids.len()));
        }
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(RingError::DuplicateNode(pair[1]));
        }
        let place = |node: &Node| {
            let found = ids.binary_search(&node.id);
            found.map(|index| index as u16).map_err(|_| RingError::MissingNode(node.id))
        };
        let places = self.nodes.iter().map(place).collect::<Result<Vec<u16>, _>>()?;
        let renumbered =
            |owners: Owners| Draft::of(owners.iter().map(|owner| places[owner as usize]));
        let cells = Cells::new(ids.len(), self.copies, self.slots().map(renumbered));
        Ok(self.table.with(cells))
    }

    /// The table that lookups go by, with owners counted in [`Ring::nodes`].
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Whether a slot of one means the same keys as that slot of the other.
    #[must_use]
    pub fn same_slots(&self, other: &Self) -> bool {
        (self.layout.seed, self.layout.slot_bits) == (other.layout.seed, other.layout.slot_bits)
    }
}

/// The nodes by identity, if they can make a ring.
fn checked(layout: &Layout, nodes: &[Node]) -> Result<Box<[Node]>, RingError> {
    if nodes.is_empty() {
        return Err(RingError::NoNodes);
    }
    if nodes.len() > NODES_MAX {
        return Err(RingError::TooManyNodes(nodes.len()));
    }
    let mut nodes: Box<[Node]> = nodes.into();
    nodes.sort_unstable_by_key(|node| node.id);
    if let Some(twins) = nodes.windows(2).find(|pair| pair[0].id == pair[1].id) {
        return Err(RingError::DuplicateNode(twins[0].id));
    }
    if let Some(node) = nodes.iter().find(|node| !(1..=WEIGHT_MAX).contains(&node.weight)) {
        return Err(RingError::Weight(node.id, node.weight));
    }
    let weight: u64 = nodes.iter().map(|node| u64::from(node.weight)).sum();
    match weight * u64::from(layout.vnodes) {
        points if points > POINTS_MAX => Err(RingError::TooManyPoints(points)),
        _ => Ok(nodes),
    }
}

fn fingerprint(layout: &Layout, nodes: &[Node], cells: &Cells) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(&layout.seed.to_le_bytes());
    hasher.update(&(nodes.len() as u64).to_le_bytes());
    for node in nodes {
        hasher.update(&node.id.0.to_le_bytes());
    }
    for owners in cells.iter() {
        hasher.update(&Draft::of(owners.iter()).to_bytes());
    }
    hasher.digest()
}
