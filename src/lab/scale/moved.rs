//! What the nodes that are there afterwards have to send each other, by the ring's
//! own code.

use crate::cluster::{Agreed, Card, Founded, Listed, Members, Rings, View};
use crate::ring::{Diff, Layout, Moved, Movement, Node, NodeId, Ring, RingError};
use std::collections::BTreeMap;

/// What has to move once the rings follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToMove {
    /// Slots of the rings.
    pub slots: u32,
    /// Copies of slots that change hands, and the least that could.
    pub copies: Moved,
    /// The same, counting primaries only.
    pub primaries: Moved,
    /// Copies of slots there are before, all counted.
    pub all_copies: u64,
    /// Runs of slots that one node sends another one.
    pub runs: usize,
    /// Copies of slots that the one gets that gets most.
    pub got_most: u64,
    /// Copies of slots that the one sends that sends most.
    pub sent_most: u64,
}

impl ToMove {
    /// From the ring of some nodes to that of others.
    pub(super) fn new(layout: &Layout, old: &[Node], new: &[Node]) -> Result<Self, RingError> {
        let (old, new) = (Ring::new(layout, old)?, Ring::new(layout, new)?);
        let movement = Movement::new(&old, &new)?;
        let moves = Diff::new(&old, &new)?.moves;
        let (mut got, mut sent) = (BTreeMap::new(), BTreeMap::new());
        for one in &moves {
            *got.entry(one.target).or_default() += one.slots.len() as u64;
            *sent.entry(one.source).or_default() += one.slots.len() as u64;
        }
        let most = |of: BTreeMap<NodeId, u64>| of.into_values().max().unwrap_or(0);
        Ok(Self {
            slots: layout.slots(),
            copies: movement.copies,
            primaries: movement.primaries,
            all_copies: u64::from(layout.slots()) * u64::from(old.copies()),
            runs: moves.len(),
            got_most: most(got),
            sent_most: most(sent),
        })
    }
}

/// The nodes of the ring that a node will go by once the dead have lost their slots.
pub(super) fn ring_nodes(own: &Card, members: &Members) -> Vec<Node> {
    let others = members.iter().filter(|&(node, member)| node != own.node && member.is_live());
    let others = others.filter_map(|(_, member)| Some(member.current_card()?.ring_node()));
    let mut nodes: Vec<Node> = others.chain([own.ring_node()]).collect();
    nodes.sort_unstable_by_key(|node| node.id);
    nodes
}

/// Whether all of these nodes act by one view.
pub(super) fn have_one_view(layout: &Layout, witnesses: &[(Card, &Members)]) -> bool {
    let view = |(own, members): &(Card, &Members)| {
        // The ring of all that are known, the dead included.
        let known = members.iter().filter_map(|(_, member)| member.card.as_ref());
        let nodes = known.chain([own]).map(Card::ring_node).collect();
        let founded = Founded { generation: 0, by: own.node };
        let agreed = Agreed::new(layout, Rings::found(founded, nodes))?;
        View::of_rings(&agreed, own, members, |_| true, &mut Listed::default())
            .map(|view| view.fingerprint())
    };
    let views: Vec<_> = witnesses.iter().map(view).collect();
    views.iter().all(|view| view.is_ok() && *view == views[0])
}
