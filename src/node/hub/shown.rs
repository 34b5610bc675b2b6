//! What the hub shows to the node's other threads: all that it knows, for whom it waits,
//! and where clients may go.

use super::Hub;
use crate::cluster::{Card, Phase};
use crate::node::peers::{Overview, Roster};
use crate::ring::NodeId;

impl Hub {
    /// Lets other threads know what this one knows.
    pub(super) fn show(&self) {
        let (card, members) = (Some(self.card.clone()), self.members.clone());
        let rings = self.following.rings();
        let (step, number) = (rings.map(|rings| rings.step), rings.map(|rings| rings.number));
        let (waits_for, step_waits_for) = (self.waits_for(), self.step_waits_for());
        let overview = Overview { card, members, step, number, waits_for, step_waits_for };
        self.cluster.set_overview(overview);
    }

    /// The names of those for whom a change of owners waits, where it is this node that tells
    /// its steps, and where it waits too long.
    pub(super) fn step_waits_for(&self) -> Vec<Box<str>> {
        let name = |&node: &NodeId| match node == self.card.node {
            true => self.card.name.clone(),
            false => {
                let card = self.members.current_card(node);
                card.map_or_else(|| node.to_string().into(), |card| card.name.clone())
            }
        };
        self.planner.waits_for().iter().map(name).collect()
    }

    /// The names of those that have not sent all that there is for this node.
    pub(super) fn waits_for(&self) -> Vec<Box<str>> {
        if self.card.phase != Phase::Joining {
            return Vec::new();
        }
        let is_told = self.beginning.is_some();
        let others = self.live_others().into_iter();
        let is_awaited = |&node: &NodeId| match self.following.rings() {
            _ if is_told => true,
            None => !self.filled_by.contains_key(&node) || self.serves(node),
            // It is the planner who says when it is to own something.
            Some(rings) if !rings.reads(self.card.node) => rings.by == node,
            Some(rings) => rings.has(node) && !self.is_filled_by(node),
        };
        let others = others.filter(is_awaited);
        let nobody_serves = self.nobody_serves();
        let strange =
            self.members.iter().filter(|(_, member)| nobody_serves && member.is_strange());
        let all = others.chain(strange.map(|(node, _)| node));
        let cards = all.filter_map(|node| self.members.current_card(node));
        cards.map(|card| card.name.clone()).collect()
    }

    /// Where clients reach the nodes that serve, in the order of their ids.
    pub(super) fn roster(&self) -> Roster {
        let cards = self.members.iter().filter(|(_, member)| member.is_live());
        let cards = cards.filter(|(_, member)| member.belongs());
        let cards = cards.filter_map(|(_, member)| member.current_card());
        let mut cards: Vec<&Card> = cards.filter(|card| card.node != self.card.node).collect();
        cards.push(&self.card);
        cards.retain(|card| card.phase == Phase::Serving && self.owns(card.node));
        cards.sort_unstable_by_key(|card| card.node);
        let addresses: Vec<Box<str>> = cards.iter().map(|card| card.client.clone()).collect();
        let before = self.cluster.roster();
        // Where all leave there is nobody else to go to.
        if before.addresses == addresses || addresses.is_empty() {
            return before;
        }
        // Nodes that hear of a change in the same second give it the same number.
        let version = Roster::version_of(self.shared.now().unix_s());
        Roster { version: version.max(before.version + 1), addresses }
    }
}
