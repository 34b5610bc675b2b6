//! maglev: Google's table, filled by the nodes in turn, each along its own
//! permutation. Almost even whatever the nodes, but a change moves more than
//! it must. The crate writes all permutations out before it fills the table:
//! half a megabyte a node while it builds.

use super::hasher::{Key, Seeded};
use super::member::{Member, members};
use crate::lab::placement::{Algorithm, Family, Placement, Setup};
use crate::lab::rivals::fit;
use maglev::{ConsistentHasher, Maglev};

pub(super) const ALGORITHM: Algorithm = Algorithm {
    name: "maglev",
    origin: "maglev 0.2.1",
    hash: "xxh3 (default SipHash-1-3)",
    family: Family::Table,
    weighted: false,
    replicated: false,
    bounded: false,
    build: |setup| Ok(Box::new(Table(table(setup)?))),
};

/// The smaller table of the Maglev paper, a prime. The crate's own choice, a
/// hundred entries a node, would be another table after every change.
const ENTRIES: usize = 65_537;

/// The permutations of this many nodes take one GiB.
const NODES_MAX: usize = 2048;

struct Table(Maglev<Member, Seeded>);

fn table(setup: &Setup) -> Result<Maglev<Member, Seeded>, String> {
    fit::unweighted(setup)?;
    fit::at_most(setup, NODES_MAX)?;
    let mut nodes: Vec<_> = members(setup)?.into_iter().map(|(member, _)| member).collect();
    // The turns must not depend on the order of the list, as in any deployment
    // whose balancers agree.
    nodes.sort_unstable();
    Ok(Maglev::with_capacity_and_hasher(nodes, ENTRIES, Seeded(setup.layout.seed)))
}

impl Placement for Table {
    fn primary(&self, key: &[u8]) -> u16 {
        self.0.get(&Key(key)).expect("there are nodes").index
    }
}
