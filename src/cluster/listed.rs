//! Rings whose owners are counted in one list of nodes.

use super::Agreed;
use crate::ring::{NodeId, Ring, RingError, Table};

/// The tables of the rings that a node goes by, listed among all nodes that it knows.
///
/// Counting anew takes milliseconds, and while owners are handed over somebody waits for each
/// view; but from one view to the next it is mostly only what the nodes can do that is another.
#[derive(Debug, Default)]
pub struct Listed {
    nodes: Box<[NodeId]>,
    /// Each with the fingerprint of its ring.
    tables: Vec<(u64, Table)>,
}

impl Listed {
    /// Of the ring that is read, and of that which is written too, if there is one.
    ///
    /// # Errors
    /// As [`Ring::listed_among`].
    pub(super) fn tables(
        &mut self,
        agreed: &Agreed,
        nodes: &[NodeId],
    ) -> Result<(Table, Option<Table>), RingError> {
        if *self.nodes != *nodes {
            self.tables.clear();
            self.nodes = nodes.into();
        }
        let read = self.table(&agreed.read)?;
        let written = agreed.written.as_ref().map(|ring| self.table(ring)).transpose()?;
        let written_by = agreed.written.as_ref().map(Ring::fingerprint);
        self.tables.retain(|&(by, _)| by == agreed.read.fingerprint() || Some(by) == written_by);
        Ok((read, written))
    }

    fn table(&mut self, ring: &Ring) -> Result<Table, RingError> {
        let by = ring.fingerprint();
        if let Some((_, table)) = self.tables.iter().find(|&&(known, _)| known == by) {
            return Ok(table.clone());
        }
        let table = ring.listed_among(&self.nodes)?;
        self.tables.push((by, table.clone()));
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Founded, Rings, Step};
    use crate::ring::{Layout, Node, Owners};

    fn ids(ids: &[u64]) -> Vec<NodeId> {
        ids.iter().copied().map(NodeId).collect()
    }

    fn agreed(step: Step, old: &[u64], new: &[u64]) -> Agreed {
        let nodes = |these: &[u64]| ids(these).into_iter().map(Node::new).collect();
        let rings = Rings::found(Founded { generation: 1, by: NodeId(1) }, Vec::new());
        let rings = Rings { step, old: nodes(old), new: nodes(new), ..rings };
        Agreed::new(&Layout { slot_bits: 8, ..Layout::default() }, rings).unwrap()
    }

    fn owners(table: &Table) -> Vec<Owners> {
        table.slots().collect()
    }

    /// Whatever was asked for before.
    #[test]
    fn tables_are_those_of_the_rings_and_nodes_that_are_asked_for() {
        let (mut listed, all) = (Listed::default(), [1, 2, 3, 4, 5]);
        let steps = [Step::Settled, Step::Fill, Step::HandOver, Step::Follow, Step::Settled];
        let changes = [(&[2, 3][..], &[2, 3, 4][..]), (&[2, 3, 4], &[3, 4]), (&[3, 4], &[3, 4, 5])];
        for (old, new) in changes {
            for (number, &step) in steps.iter().enumerate() {
                // One more is known from some step on, and before all others.
                let nodes = ids(if number < 2 { &all[1..] } else { &all });
                let agreed =
                    if number == 4 { agreed(step, new, new) } else { agreed(step, old, new) };
                let (read, written) = listed.tables(&agreed, &nodes).unwrap();
                let expected = agreed.read.listed_among(&nodes).unwrap();
                assert_eq!(owners(&read), owners(&expected), "{step}");
                let expected =
                    agreed.written.as_ref().map(|ring| ring.listed_among(&nodes).unwrap());
                assert_eq!(written.as_ref().map(owners), expected.as_ref().map(owners), "{step}");
                assert_eq!(listed.tables.len(), 1 + usize::from(written.is_some()), "{step}");
            }
        }
    }

    #[test]
    fn a_ring_with_a_node_that_is_not_listed_is_refused() {
        let mut listed = Listed::default();
        let refused = listed.tables(&agreed(Step::Settled, &[1, 2], &[1, 2]), &ids(&[1, 3]));
        assert_eq!(refused.unwrap_err(), RingError::MissingNode(NodeId(2)));
    }
}
