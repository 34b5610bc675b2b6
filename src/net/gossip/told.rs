//! What the owner of an agent was told of each node, so that it is told only what
//! is new.

use crate::ring::NodeId;
use crate::wire::gossip::{Identity, SwimMember, SwimState};
use std::collections::BTreeMap;
use std::time::Duration;

/// What was told of each node.
#[derive(Debug, Default)]
pub(super) struct Told {
    last: BTreeMap<NodeId, SwimMember>,
    /// Those that are down, and since when.
    down: BTreeMap<NodeId, (Identity, Duration)>,
}

impl Told {
    /// Whether it would be news. What is older than what was told is not.
    pub(super) fn is_news(&self, member: &SwimMember) -> bool {
        let last = self.last.get(&member.identity.node());
        last.is_none_or(|last| rank(member) > rank(last))
    }

    /// Whether the node was never told of, or only under another generation.
    pub(super) fn is_new(&self, identity: &Identity) -> bool {
        self.last.get(&identity.node()).is_none_or(|last| last.identity != *identity)
    }

    pub(super) fn tell(&mut self, member: SwimMember, at: Duration) {
        let node = member.identity.node();
        self.last.insert(node, member);
        if member.state == SwimState::Down {
            self.down.insert(node, (member.identity, at));
        } else {
            self.down.remove(&node);
        }
    }

    pub(super) fn is_alive(&self, node: NodeId) -> bool {
        self.last.get(&node).is_some_and(|last| last.state == SwimState::Alive)
    }

    pub(super) fn is_suspect(&self, identity: &Identity, incarnation: u16) -> bool {
        let suspect = SwimMember { identity: *identity, incarnation, state: SwimState::Suspect };
        self.last.get(&identity.node()) == Some(&suspect)
    }

    /// All that are down, and for how long.
    pub(super) fn down(&self, now: Duration) -> Vec<(Identity, Duration)> {
        self.down.values().map(|&(identity, at)| (identity, now.saturating_sub(at))).collect()
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.last.remove(&node);
        self.down.remove(&node);
    }
}

/// Greater for what is newer. Within a generation being down is final.
fn rank(member: &SwimMember) -> (u64, std::net::SocketAddr, bool, u16, bool) {
    let SwimMember { identity, incarnation, state } = *member;
    let (generation, address) = (identity.generation, identity.address);
    match state {
        SwimState::Alive => (generation, address, false, incarnation, false),
        SwimState::Suspect => (generation, address, false, incarnation, true),
        SwimState::Down => (generation, address, true, 0, false),
    }
}
