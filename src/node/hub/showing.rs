//! What the hub lets other threads and clients know of the cluster.

use super::{Hub, is_strange};
use crate::cluster::{Card, Phase};
use crate::node::peers::{Overview, Roster};

impl Hub {
    /// Lets other threads know what this one knows.
    pub(super) fn show(&self) {
        let (card, members) = (Some(self.card.clone()), self.members.clone());
        self.cluster.set_overview(Overview { card, members, waits_for: self.waits_for() });
    }

    /// The names of those that have not sent all that there is for this node.
    pub(super) fn waits_for(&self) -> Vec<Box<str>> {
        if self.card.phase != Phase::Joining {
            return Vec::new();
        }
        let is_told = self.beginning.is_some();
        let others = self.live_others().into_iter();
        let others = others.filter(|node| is_told || !self.filled_by.contains(node));
        let nobody_serves = self.nobody_serves();
        let strange = self.members.iter().filter(|(_, member)| nobody_serves && is_strange(member));
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
        cards.retain(|card| matches!(card.phase, Phase::Warm | Phase::Serving));
        cards.sort_unstable_by_key(|card| card.node);
        let addresses: Vec<Box<str>> = cards.iter().map(|card| card.client.clone()).collect();
        let before = self.cluster.roster();
        if before.addresses == addresses {
            return before;
        }
        // Nodes that hear of a change in the same second give it the same number.
        let version = Roster::version_of(self.shared.now().unix_s());
        Roster { version: version.max(before.version + 1), addresses }
    }
}
