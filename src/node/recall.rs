//! Nodes that went down. One that is there again at its old address need not know of
//! anybody: it was not told where others are, or those are gone. So they say hello to it,
//! and much more often than gossip looks for who is lost: before it has heard of them it
//! may take itself for the first.

use crate::limits::{RECALLED_MAX, RECALLED_S};
use crate::ring::NodeId;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// So many live nodes say hello in each period; the more there are, the more seldom each.
const CALLERS: u64 = 8;

const RECALLED: Duration = Duration::from_secs(RECALLED_S);

/// Whom to say hello to, and when.
#[derive(Debug)]
pub(super) struct Recall {
    every: Duration,
    due: Duration,
    turn: u64,
    /// Where each is found, if it is, and since when it is down.
    down: BTreeMap<NodeId, (SocketAddr, Duration)>,
}

impl Recall {
    /// Says hello once in each of these.
    pub(super) fn new(every: Duration) -> Self {
        Self { every, due: Duration::ZERO, turn: 0, down: BTreeMap::new() }
    }

    /// A node went down that was there.
    pub(super) fn lost(&mut self, node: NodeId, address: SocketAddr, at: Duration) {
        self.down.insert(node, (address, at));
        if self.down.len() > RECALLED_MAX {
            let first = self.down.iter().min_by_key(|(_, (_, since))| *since);
            if let Some(node) = first.map(|(&node, _)| node) {
                self.down.remove(&node);
            }
        }
    }

    /// It is there again.
    pub(super) fn found(&mut self, node: NodeId) {
        self.down.remove(&node);
    }

    /// To whom this node says hello now, beside so many others who do.
    pub(super) fn due(&mut self, me: NodeId, others: usize, at: Duration) -> Vec<SocketAddr> {
        if at < self.due {
            return Vec::new();
        }
        self.due = at + self.every;
        self.turn += 1;
        self.down.retain(|_, (_, since)| at.saturating_sub(*since) < RECALLED);
        // Ids are hashes, so the turns of many nodes are spread.
        let rest = 1 + others as u64 / CALLERS;
        if !self.turn.wrapping_add(me.0).is_multiple_of(rest) {
            return Vec::new();
        }
        self.down.values().map(|&(address, _)| address).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: NodeId = NodeId(7);
    const S: Duration = Duration::from_secs(1);

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn whoever_is_down_is_called_again_and_again_until_it_is_there() {
        let mut recall = Recall::new(S);
        assert!(recall.due(ME, 2, S).is_empty());
        recall.lost(NodeId(1), at(1), S);
        assert_eq!(recall.due(ME, 2, 2 * S), [at(1)]);
        assert!(recall.due(ME, 2, 2 * S + S / 2).is_empty());
        assert_eq!(recall.due(ME, 2, 3 * S), [at(1)]);
        recall.found(NodeId(1));
        assert!(recall.due(ME, 2, 4 * S).is_empty());
        recall.lost(NodeId(1), at(1), 5 * S);
        assert!(recall.due(ME, 2, 5 * S + RECALLED).is_empty());
    }

    #[test]
    fn many_share_the_calls() {
        let calls = |node: u64| {
            let mut recall = Recall::new(S);
            recall.lost(NodeId(1), at(1), Duration::ZERO);
            (1..=100).map(|turn| recall.due(NodeId(node), 800, turn * S).len()).sum::<usize>()
        };
        assert!((0..101).all(|node| (0..=1).contains(&calls(node))));
        assert_eq!((0..101).map(calls).sum::<usize>(), 100);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut recall = Recall::new(S);
        for number in 0..=RECALLED_MAX as u16 {
            recall.lost(NodeId(number.into()), at(number), S * u32::from(number));
        }
        let called = recall.due(ME, 1, S * 100);
        assert_eq!((called.len(), called.contains(&at(0))), (RECALLED_MAX, false));
    }
}
