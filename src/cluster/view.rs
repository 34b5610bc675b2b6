//! The rings a node acts by: one to read from, one to write to.

use super::{Agreed, Card, Listed, Member, Members, Phase, Rings, Step};
use crate::ring::{KeyHash, NodeId, Owners, Ring, RingError, Table, ZoneId};
use std::collections::{BTreeMap, BTreeSet};

/// What one node believes of the cluster. Immutable; replaced whole.
///
/// While nothing moves, keys are read and written by one ring. While keys move,
/// they are read where they were and written where they were and where they
/// will be. Both rings count their owners in one list of nodes, so the two
/// answers for a key can be put side by side.
#[derive(Clone, Debug)]
pub struct View {
    nodes: Box<[NodeId]>,
    /// What each of the nodes can do, by the same indexes.
    able: Box<[Able]>,
    /// Whether each of the nodes is held for dead, by the same indexes.
    dead: Box<[bool]>,
    /// Whether each of the nodes is on the ring that is read, by the same indexes.
    is_read: Box<[bool]>,
    /// Where each of the nodes stands, by the same indexes.
    zones: Box<[ZoneId]>,
    fingerprint: u64,
    read: Table,
    write: Option<Table>,
    /// How far the change of owners has come.
    step: Step,
    /// Copies are taken of all but these: see [`View::that_takes_unheard`].
    refused: Option<Box<[NodeId]>>,
}

/// What deaths make of the slots of a node.
#[derive(Clone, Debug, Default)]
pub struct After {
    /// It executes for these from now on.
    pub next: Vec<u32>,
    /// It owned these together with one of the dead, as others may too.
    pub shared: Vec<u32>,
    /// Who else keeps them.
    pub others: BTreeSet<NodeId>,
}

/// What a node can do for its slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Able {
    /// It is down.
    Nothing,
    /// It takes copies, and catches up.
    Keeps,
    /// It executes where it is the primary.
    Executes,
}

impl Able {
    /// Of a node that is there.
    #[must_use]
    pub fn of(phase: Phase) -> Self {
        match phase {
            Phase::Joining => Self::Keeps,
            Phase::Warm | Phase::Serving | Phase::Leaving => Self::Executes,
        }
    }

    /// Of a node that is back and has not said yet how far it has come, it is only
    /// known that it is there.
    ///
    /// One that only takes copies does so by a link: whoever cannot be linked is waited
    /// for by nobody.
    fn of_member(member: &Member, is_linked: bool) -> Self {
        let able = member.current_card().map_or(Self::Keeps, |card| Self::of(card.phase));
        match able {
            _ if !member.is_live() => Self::Nothing,
            Self::Keeps if !is_linked => Self::Nothing,
            able => able,
        }
    }
}

impl View {
    /// A view in which nothing moves.
    #[must_use]
    pub fn settled(ring: &Ring) -> Self {
        let nodes: Box<[NodeId]> = ring.nodes().iter().map(|node| node.id).collect();
        let able = vec![Able::Executes; nodes.len()].into();
        let dead = vec![false; nodes.len()].into();
        let is_read = vec![true; nodes.len()].into();
        let zones = ring.nodes().iter().map(|node| node.zone).collect();
        let fingerprint = ring.fingerprint();
        let (read, step) = (ring.table().clone(), Step::Settled);
        let refused = None;
        Self { nodes, able, dead, is_read, zones, fingerprint, read, write: None, step, refused }
    }

    /// The view of a node with this card that goes by these rings, as it knows the others.
    /// Whoever is on a ring owns its slots whether it lives or not; whose ring is made
    /// otherwise counts as dead. Whoever is on none is listed, and owns nothing.
    ///
    /// # Errors
    /// Refuses more nodes than a ring can have.
    pub fn of_rings(
        agreed: &Agreed,
        me: &Card,
        members: &Members,
        is_linked: impl Fn(NodeId) -> bool,
        listed: &mut Listed,
    ) -> Result<Self, RingError> {
        let rings = agreed.rings();
        let mut zones: BTreeMap<NodeId, ZoneId> =
            rings.old.iter().chain(&rings.new).map(|node| (node.id, node.zone)).collect();
        let cards = members.iter().filter_map(|(_, member)| member.card.as_ref());
        let cards = cards.filter(|card| card.node != me.node).chain([me]);
        zones.extend(cards.map(|card| (card.node, card.ring_node().zone)));
        let nodes: Vec<NodeId> = zones.keys().copied().collect();
        let state = |&node: &NodeId| Self::state(rings, node, me, members, &is_linked);
        let (able, dead): (Vec<Able>, Vec<bool>) = nodes.iter().map(state).unzip();
        let (read, write) = listed.tables(agreed, &nodes)?;
        let mut view = Self {
            able: able.into(),
            dead: dead.into(),
            is_read: nodes.iter().map(|&node| rings.reads(node)).collect(),
            nodes: nodes.into(),
            zones: zones.into_values().collect(),
            fingerprint: 0,
            read,
            write,
            step: rings.step,
            refused: None,
        };
        // Whoever rebuilds the ring of one that is settled knows only who is on it.
        let mut said = view.said(agreed.read.fingerprint(), |node| rings.reads(node));
        if rings.step != Step::Settled {
            said ^= rings.number.rotate_left(32);
        }
        view.fingerprint = said;
        Ok(view)
    }

    /// What a node can do, and whether it is held for dead.
    fn state(
        rings: &Rings,
        node: NodeId,
        me: &Card,
        members: &Members,
        is_linked: impl Fn(NodeId) -> bool,
    ) -> (Able, bool) {
        let able = |able| if rings.has(node) || able == Able::Nothing { able } else { Able::Keeps };
        if node == me.node {
            return (able(Able::of(me.phase)), false);
        }
        match members.find(node).filter(|member| member.is_live() && member.belongs()) {
            Some(member) => (able(Able::of_member(member, is_linked(node))), false),
            None => (Able::Nothing, true),
        }
    }

    /// The same rings, where the nodes can do this.
    #[must_use]
    pub fn with_able(self, able: impl Fn(NodeId) -> Able) -> Self {
        let able: Box<[Able]> = self.nodes.iter().map(|&node| able(node)).collect();
        let view = Self { able, ..self };
        let fingerprint = view.said(view.fingerprint, |_| true);
        Self { fingerprint, ..view }
    }

    /// The same, by which copies are taken of all but those of these members that are held for
    /// dead: also of those of whom little or nothing was heard yet.
    #[must_use]
    pub fn that_takes_unheard(self, members: &Members) -> Self {
        let is_refused = |member: &Member| !member.is_live() || !member.belongs();
        let refused = members.iter().filter(|(_, member)| is_refused(member));
        Self { refused: Some(refused.map(|(node, _)| node).collect()), ..self }
    }

    /// The fingerprint of a ring, and of what its nodes can do.
    fn said(&self, ring: u64, is_meant: impl Fn(NodeId) -> bool) -> u64 {
        let nodes = self.nodes.iter().zip(&self.able).filter(|&(&node, _)| is_meant(node));
        nodes.fold(ring, |said, (_, &able)| said.rotate_left(2) ^ able as u64)
    }

    /// A view in which keys move from the owners by `read` to those by `write`.
    ///
    /// # Errors
    /// Refuses rings that differ in seed or slot count.
    pub fn moving(read: &Ring, write: &Ring) -> Result<Self, RingError> {
        if !read.same_slots(write) {
            return Err(RingError::OtherSlots);
        }
        let all = read.nodes().iter().chain(write.nodes());
        let zones: BTreeMap<NodeId, ZoneId> = all.map(|node| (node.id, node.zone)).collect();
        let (nodes, zones): (Vec<NodeId>, Vec<ZoneId>) = zones.into_iter().unzip();
        let (nodes, zones): (Box<[NodeId]>, Box<[ZoneId]>) = (nodes.into(), zones.into());
        let old_and_new = (read.fingerprint(), write.fingerprint());
        let (read, write) = (read.listed_among(&nodes)?, write.listed_among(&nodes)?);
        let able = vec![Able::Executes; nodes.len()].into();
        let dead = vec![false; nodes.len()].into();
        let fingerprint = old_and_new.0 ^ old_and_new.1.rotate_left(32);
        let (write, step) = (Some(write), Step::Write);
        let is_read = vec![true; nodes.len()].into();
        let refused = None;
        Ok(Self { nodes, able, dead, is_read, zones, fingerprint, read, write, step, refused })
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

    /// Whether there is nobody else. Who joins is not alone, though it has not met
    /// the others yet.
    #[inline]
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.nodes.len() == 1 && self.executes(0)
    }

    /// The node of this index.
    #[inline]
    #[must_use]
    pub fn node(&self, index: u16) -> NodeId {
        self.nodes[index as usize]
    }

    /// Where the node of this index stands.
    #[inline]
    #[must_use]
    pub fn zone(&self, index: u16) -> ZoneId {
        self.zones[index as usize]
    }

    /// The index of a node, if it is on one of the rings.
    #[must_use]
    pub fn index_of(&self, node: NodeId) -> Option<u16> {
        self.nodes.iter().position(|&there| there == node).map(|index| index as u16)
    }

    /// Whether the node of this index is on the ring that is read.
    #[must_use]
    pub fn is_read(&self, index: u16) -> bool {
        self.is_read[index as usize]
    }

    /// Whether the node of this index keeps copies.
    #[inline]
    #[must_use]
    pub fn is_live(&self, index: u16) -> bool {
        self.able[index as usize] != Able::Nothing
    }

    /// Whether copies are taken of a node. Who is held for dead is not to go on as if nothing
    /// had happened: others have taken its place.
    #[must_use]
    pub fn takes_from(&self, node: NodeId) -> bool {
        match &self.refused {
            Some(refused) => refused.binary_search(&node).is_err(),
            None => self.index_of(node).is_some_and(|index| self.is_live(index)),
        }
    }

    /// Whether the node of this index executes, where it is the primary.
    #[inline]
    #[must_use]
    pub fn executes(&self, index: u16) -> bool {
        self.able[index as usize] == Able::Executes
    }

    /// Who executes for a key: the first of its owners that may. None as long as
    /// all that are there catch up: what they have may be older than what was
    /// acknowledged; and none while it is handed over.
    #[inline]
    #[must_use]
    pub fn primary(&self, hash: KeyHash) -> Option<NodeId> {
        let owners = self.readers(hash);
        if self.step == Step::HandOver && self.moves(hash, owners) {
            return None;
        }
        owners.iter().find(|&owner| self.executes(owner)).map(|owner| self.node(owner))
    }

    /// Whether others execute for some keys than before, and not all may know.
    #[must_use]
    pub fn has_just_changed(&self) -> bool {
        self.step == Step::Follow
    }

    /// Whether a key with these owners gets others, or the same in another order.
    #[inline]
    fn moves(&self, hash: KeyHash, now: Owners) -> bool {
        self.write.as_ref().is_some_and(|write| write.owners(hash) != now)
    }

    /// Whether all that a write of this key is sent to have to have it: some may still read
    /// from its owners before.
    #[must_use]
    pub fn needs_all(&self, hash: KeyHash) -> bool {
        self.step == Step::Follow && self.moves(hash, self.readers(hash))
    }

    /// Whether a node gets what is written under a key: it owns it, or is to, or did.
    #[must_use]
    pub fn gets(&self, hash: KeyHash, node: NodeId) -> bool {
        let (now, to_be) = self.writers(hash);
        now.iter().chain(to_be).any(|owner| self.node(owner) == node)
    }

    /// The same of a slot.
    #[must_use]
    pub fn gets_slot(&self, slot: u32, node: NodeId) -> bool {
        let rings = [Some(&self.read), self.write.as_ref()].into_iter().flatten();
        let mut owners = rings.filter_map(|ring| ring.slot_owners(slot)).flat_map(Owners::iter);
        owners.any(|owner| self.node(owner) == node)
    }

    /// The owners of a slot beside the first, if that is this node and all of them execute.
    #[must_use]
    pub fn owners_beside_first(&self, slot: u32, first: NodeId) -> Option<BTreeSet<NodeId>> {
        let owners = self.read.slot_owners(slot)?;
        let is_first = owners.iter().next().is_some_and(|owner| self.node(owner) == first);
        if !is_first || !owners.iter().all(|owner| self.executes(owner)) {
            return None;
        }
        Some(owners.iter().skip(1).map(|owner| self.node(owner)).collect())
    }

    /// Whether a node may be read from under a key: it owns it, or did, and still gets all
    /// that is written.
    #[must_use]
    pub fn answers(&self, hash: KeyHash, node: NodeId) -> bool {
        let is_it = |owners: Owners| owners.iter().any(|owner| self.node(owner) == node);
        let (now, before) = self.writers(hash);
        is_it(now) || self.step == Step::Follow && is_it(before)
    }

    /// Whether all owners of a key are held for dead: nobody is to answer for it until
    /// one of them is back, or they have lost their slots.
    #[must_use]
    pub fn are_dead(&self, hash: KeyHash) -> bool {
        self.readers(hash).iter().all(|owner| self.dead[usize::from(owner)])
    }

    /// The hash of a key, the same for both rings.
    #[inline]
    #[must_use]
    pub fn hash(&self, key: &[u8]) -> KeyHash {
        self.read.hash(key)
    }

    /// The slots that a node owns.
    #[must_use]
    pub fn slots_of(&self, node: NodeId) -> Vec<u32> {
        self.slots_in(&self.read, node)
    }

    /// The slots of which a node gets what is written.
    #[must_use]
    pub fn slots_kept_by(&self, node: NodeId) -> Vec<u32> {
        let tables = std::iter::once(&self.read).chain(&self.write);
        tables.flat_map(|table| self.slots_in(table, node)).collect()
    }

    fn slots_in(&self, table: &Table, node: NodeId) -> Vec<u32> {
        let Some(index) = self.index_of(node) else { return Vec::new() };
        let slots = (0..).zip(table.slots());
        slots.filter(|(_, owners)| owners.contains(index)).map(|(slot, _)| slot).collect()
    }

    /// What the death of others makes of the slots that this node owns with them.
    #[must_use]
    pub fn slots_after(&self, dead: &BTreeSet<NodeId>, me: NodeId) -> After {
        let mut after = After::default();
        for (slot, owners) in (0..).zip(self.read.slots()) {
            let executing = || {
                let executing = owners.iter().filter(|&owner| self.executes(owner));
                executing.map(|owner| self.node(owner))
            };
            if !executing().any(|node| node == me) || !executing().any(|node| dead.contains(&node))
            {
                continue;
            }
            after.shared.push(slot);
            let was_other = executing().next().is_some_and(|node| dead.contains(&node));
            if was_other && executing().find(|node| !dead.contains(node)) == Some(me) {
                after.next.push(slot);
            }
            let live = owners.iter().filter(|&owner| self.is_live(owner));
            after.others.extend(live.map(|owner| self.node(owner)));
        }
        after.others.retain(|node| *node != me && !dead.contains(node));
        after
    }

    /// The slot of a key: the top bits of its hash.
    #[inline]
    #[must_use]
    pub fn slot(&self, hash: KeyHash) -> u32 {
        self.read.slot(hash)
    }

    /// Equal for views that say the same.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Who answers reads of the keys of a slot; none where there is no such slot.
    #[must_use]
    pub fn readers_of_slot(&self, slot: u32) -> Option<Owners> {
        self.read.slot_owners(slot)
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
    use crate::cluster::{Cause, Event, Notice};
    use crate::ring::{Layout, Node};
    use std::time::Duration;

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
    fn nobody_executes_before_it_has_caught_up() {
        let view = View::settled(&ring(0..2));
        let hash = view.hash(b"key");
        let first = view.primary(hash).unwrap();
        let view = view.with_able(|node| if node == first { Able::Keeps } else { Able::Executes });
        let second = view.primary(hash).unwrap();
        assert_ne!(second, first);
        let view = view.with_able(|node| if node == first { Able::Keeps } else { Able::Nothing });
        assert_eq!(view.primary(hash), None);
    }

    #[test]
    fn copies_are_taken_of_the_live_and_where_it_is_said_of_the_unheard() {
        let notice = |node| Notice { node, generation: 1, incarnation: 0, cause: Cause::NoAnswer };
        let mut members = Members::new();
        for live in [NodeId(1), NodeId(7)] {
            members.apply(&Event::Alive(notice(live)), Duration::ZERO);
        }
        for dead in [NodeId(2), NodeId(8)] {
            members.apply(&Event::Down(notice(dead)), Duration::ZERO);
        }
        // Of the third owner and of the last one nothing was heard, and of the seventh not
        // what it is.
        let owners = View::settled(&ring(1..4));
        let view = owners.with_able(|node| match members.find(node) {
            Some(member) if member.is_live() => Able::Executes,
            _ => Able::Nothing,
        });
        let takes = |view: &View| [1, 2, 3, 7, 8, 9].map(|node| view.takes_from(NodeId(node)));
        assert_eq!(takes(&view), [true, false, false, false, false, false]);
        let view = view.that_takes_unheard(&members);
        assert_eq!(takes(&view), [true, false, true, true, false, true]);
    }

    /// The slots of a node once these are dead, and who else keeps them, as is found by asking
    /// the view that knows of it.
    fn check_slots_after(view: &View, dead: &[NodeId], me: NodeId) {
        let dead: BTreeSet<NodeId> = dead.iter().copied().collect();
        let After { next, shared, others } = view.slots_after(&dead, me);
        let after = view.clone().with_able(|node| match dead.contains(&node) {
            true => Able::Nothing,
            false => Able::Executes,
        });
        let mut expected = BTreeSet::new();
        let mut after_all = 0;
        for key in 0..2000_u32 {
            let hash = view.hash(&key.to_le_bytes());
            let was_dead = view.primary(hash).is_some_and(|primary| dead.contains(&primary));
            let is_next = was_dead && after.primary(hash) == Some(me);
            assert_eq!(next.contains(&view.slot(hash)), is_next);
            let owners = listed(view, view.readers(hash));
            let is_shared = owners.contains(&me) && owners.iter().any(|node| dead.contains(node));
            assert_eq!(shared.contains(&view.slot(hash)), is_shared);
            if is_shared {
                after_all += usize::from(
                    owners.iter().filter(|node| dead.contains(node)).count() == dead.len(),
                );
                expected.extend(owners);
            }
        }
        let ends = &dead | &BTreeSet::from([me]);
        assert!(after_all > 0 && others.is_superset(&(&expected - &ends)));
        assert!(others.is_disjoint(&ends));
    }

    #[test]
    fn whoever_is_next_after_a_death_knows_its_slots() {
        check_slots_after(&View::settled(&ring(0..5)), &[NodeId(0)], NodeId(1));
    }

    /// Also of those for which the one was next after the other.
    #[test]
    fn whoever_is_next_after_two_deaths_knows_its_slots() {
        let nodes: Vec<Node> = (0..5).map(|id| Node::new(NodeId(id))).collect();
        let layout = Layout { copies: 3, ..Layout::default() };
        let view = View::settled(&Ring::new(&layout, &nodes).unwrap());
        check_slots_after(&view, &[NodeId(0), NodeId(3)], NodeId(1));
    }

    #[test]
    fn other_slots_are_refused() {
        let other = Layout { slot_bits: 12, ..Layout::default() };
        let small = Ring::new(&other, &[Node::new(NodeId(1))]).unwrap();
        assert_eq!(View::moving(&ring(0..3), &small).unwrap_err(), RingError::OtherSlots);
    }
}
