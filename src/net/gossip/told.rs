//! What the owner of an agent was told of each node, so that it is told only what
//! is new.

use crate::ring::NodeId;
use crate::wire::gossip::{Identity, SwimMember, SwimState};
use std::collections::BTreeMap;
use std::time::Duration;

/// What was told of each node.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeMap<NodeId, Last>);

/// What was told last, and when.
#[derive(Clone, Copy, Debug)]
struct Last {
    member: SwimMember,
    at: Duration,
}

impl Told {
    /// Whether it would be news. What is older than what was told is not.
    pub(super) fn is_news(&self, member: &SwimMember) -> bool {
        let last = self.0.get(&member.identity.node());
        last.is_none_or(|last| rank(member) > rank(&last.member))
    }

    /// Whether the node was never told of, or only under another generation.
    pub(super) fn is_new(&self, identity: &Identity) -> bool {
        let last = self.0.get(&identity.node());
        last.is_none_or(|last| last.member.identity != *identity)
    }

    pub(super) fn tell(&mut self, member: SwimMember, at: Duration) {
        self.0.insert(member.identity.node(), Last { member, at });
    }

    pub(super) fn is_alive(&self, node: NodeId) -> bool {
        self.0.get(&node).is_some_and(|last| last.member.state == SwimState::Alive)
    }

    pub(super) fn is_suspect(&self, identity: &Identity, incarnation: u16) -> bool {
        self.0.get(&identity.node()).is_some_and(|last| {
            let suspect =
                SwimMember { identity: *identity, incarnation, state: SwimState::Suspect };
            last.member == suspect
        })
    }

    /// All that are down, and for how long.
    pub(super) fn down(&self, now: Duration) -> Vec<(Identity, Duration)> {
        let down = self.0.values().filter(|last| last.member.state == SwimState::Down);
        down.map(|last| (last.member.identity, now.saturating_sub(last.at))).collect()
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.0.remove(&node);
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
