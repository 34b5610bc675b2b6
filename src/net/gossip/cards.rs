//! All cards a node has, and how two nodes find out which of them differ.

use super::limits::{HAVE_PARCELS_MAX, TAKE_PARCELS_MAX};
use crate::cluster::Card;
use crate::limits::NODES_MAX;
use crate::ring::NodeId;
use crate::wire::card_bytes;
use crate::wire::gossip::{Digest, PARCEL_BYTES_MAX};
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What a parcel has around its digests or cards, at most.
const AROUND_BYTES: usize = 96;

/// Digests in one parcel: each is three numbers of at most nine bytes.
const DIGESTS_MAX: usize = (PARCEL_BYTES_MAX - AROUND_BYTES) / 27;

/// Nodes that are asked for in one parcel.
const WANTED_MAX: usize = (PARCEL_BYTES_MAX - AROUND_BYTES) / 9;

/// All cards a node has, its own included.
#[derive(Debug)]
pub(super) struct Cards {
    me: NodeId,
    all: BTreeMap<NodeId, Card>,
    /// Nodes that have been down for so long, in this generation, that their
    /// cards are neither given nor taken any more: else two nodes that forget
    /// them at different times would give them to each other for ever.
    retired: BTreeMap<NodeId, u64>,
    /// What [`sum`](Self::sum) said, as long as it is so: it is asked for all the
    /// time, and seldom changes.
    sum: Option<(u32, u64)>,
    /// The greatest generation under which this node's name was heard.
    pub(super) namesake: u64,
}

/// The digests of all cards from one node to another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: NodeId,
    pub(super) last: NodeId,
    pub(super) digests: Vec<Digest>,
}

impl Cards {
    pub(super) fn new(me: NodeId) -> Self {
        Self { me, all: BTreeMap::new(), retired: BTreeMap::new(), sum: None, namesake: 0 }
    }

    /// This node's own card has changed.
    pub(super) fn set_own(&mut self, card: Card) {
        self.all.insert(self.me, card);
        self.sum = None;
    }

    pub(super) fn own(&self) -> Option<&Card> {
        self.all.get(&self.me)
    }

    /// Whether there is a card of the node, of this generation or a later one.
    pub(super) fn has(&self, node: NodeId, generation: u64) -> bool {
        self.all.get(&node).is_some_and(|card| card.generation >= generation)
    }

    /// Takes a card that came from elsewhere; whether it is news.
    pub(super) fn take(&mut self, card: &Card) -> bool {
        if card.node == self.me {
            self.namesake = self.namesake.max(card.generation);
            return false;
        }
        let retired = self.retired.get(&card.node).is_some_and(|&at| card.generation <= at);
        let known = self.all.get(&card.node);
        let full = known.is_none() && self.all.len() >= NODES_MAX;
        if retired || full || known.is_some_and(|known| !card.is_newer_than(known)) {
            return false;
        }
        self.all.insert(card.node, card.clone());
        self.sum = None;
        true
    }

    /// The node has been down for long.
    pub(super) fn retire(&mut self, node: NodeId, generation: u64) {
        if self.retired.insert(node, generation) != Some(generation) {
            self.sum = None;
        }
    }

    /// Nobody looks for the node any more.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.retired.remove(&node);
        self.all.remove(&node);
        self.sum = None;
    }

    /// The cards that are given to others.
    fn given(&self) -> impl Iterator<Item = &Card> {
        self.all.values().filter(|card| self.is_given(card))
    }

    fn is_given(&self, card: &Card) -> bool {
        self.retired.get(&card.node).is_none_or(|&retired| card.generation > retired)
    }

    /// How many there are, and their digests mixed: equal for equal cards.
    pub(super) fn sum(&mut self) -> (u32, u64) {
        let sum = self.sum.unwrap_or_else(|| {
            self.given().fold((0, 0), |(count, mix), card| (count + 1, mix ^ mixed(card)))
        });
        self.sum = Some(sum);
        sum
    }

    /// Digests of all cards, in ranges that fit into a parcel each. Where they
    /// are too many for one answer, `start` says with which range it begins.
    pub(super) fn ranges(&self, start: usize) -> Vec<Range> {
        let digests: Vec<Digest> = self
            .given()
            .map(|card| Digest::new(card.node, card.generation, card.sequence))
            .collect();
        let mut first = NodeId(0);
        let mut ranges = Vec::with_capacity(digests.len() / DIGESTS_MAX + 1);
        for chunk in digests.chunks(DIGESTS_MAX) {
            let last = chunk.last().map_or(NodeId(0), Digest::node);
            ranges.push(Range { first, last, digests: chunk.to_vec() });
            first = NodeId(last.0.saturating_add(1));
        }
        if let Some(range) = ranges.last_mut() {
            range.last = NodeId(u64::MAX);
        }
        let start = start % ranges.len().max(1);
        ranges.rotate_left(start);
        ranges.truncate(HAVE_PARCELS_MAX);
        ranges
    }

    /// The cards that another lacks, or has older, whose digests in a range are
    /// these.
    pub(super) fn newer(&self, first: NodeId, last: NodeId, digests: &[Digest]) -> Vec<&Card> {
        let theirs: BTreeMap<NodeId, (u64, u64)> = digests
            .iter()
            .map(|digest| (digest.node(), (digest.generation, digest.sequence)))
            .collect();
        if first > last {
            return Vec::new();
        }
        let here = self.all.range(first..=last).map(|(_, card)| card);
        here.filter(|card| self.is_given(card))
            .filter(|card| {
                theirs.get(&card.node).is_none_or(|&had| (card.generation, card.sequence) > had)
            })
            .collect()
    }

    /// The nodes whose cards another has newer. A card of this very node that is
    /// newer than its own is a namesake's.
    pub(super) fn wanted(&mut self, digests: &[Digest]) -> Vec<u64> {
        let mine = digests.iter().filter(|digest| digest.node() == self.me);
        self.namesake = mine.map(|digest| digest.generation).fold(self.namesake, u64::max);
        let newer = digests.iter().filter(|digest| {
            let had = self.all.get(&digest.node());
            digest.node() != self.me
                && had.is_none_or(|card| {
                    (digest.generation, digest.sequence) > (card.generation, card.sequence)
                })
        });
        newer.map(|digest| digest.node().0).take(WANTED_MAX).collect()
    }

    /// The cards of these nodes, as far as there are any.
    pub(super) fn of(&self, nodes: &[u64]) -> Vec<&Card> {
        nodes.iter().filter_map(|&node| self.all.get(&NodeId(node))).collect()
    }
}

fn mixed(card: &Card) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&card.generation.to_le_bytes());
    bytes[8..].copy_from_slice(&card.sequence.to_le_bytes());
    xxh3_64_with_seed(&bytes, card.node.0)
}

/// Cards as bytes, in groups that fit into a parcel each. `start` says with which
/// card to begin, so that what did not fit this time comes another time.
pub(super) fn packed(cards: &[&Card], start: usize) -> Vec<Vec<Vec<u8>>> {
    let mut groups: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut room = 0;
    let turned = cards.iter().cycle().skip(start % cards.len().max(1)).take(cards.len());
    for bytes in turned.filter_map(|card| card_bytes(card).ok()) {
        // A length is at most three bytes.
        let needed = bytes.len() + 3;
        if needed > room {
            if groups.len() == TAKE_PARCELS_MAX {
                break;
            }
            groups.push(Vec::new());
            room = PARCEL_BYTES_MAX - AROUND_BYTES;
        }
        room -= needed;
        if let Some(group) = groups.last_mut() {
            group.push(bytes);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::super::samples::card;
    use super::*;
    use crate::wire::gossip::{Identity, Parcel, parcel_bytes};

    fn cards(nodes: impl IntoIterator<Item = u64>) -> Cards {
        let mut cards = Cards::new(NodeId(0));
        cards.set_own(card(0));
        for node in nodes {
            assert!(cards.take(&card(node)));
        }
        cards
    }

    #[test]
    fn only_newer_cards_are_news() {
        let mut cards = cards([1]);
        let newer = Card { sequence: 1, ..card(1) };
        assert!(!cards.take(&card(1)));
        assert!(cards.take(&newer));
        assert!(!cards.take(&card(1)));
        assert!(cards.take(&Card { generation: 2, ..card(1) }));
    }

    #[test]
    fn a_namesake_is_noticed_and_not_taken() {
        let mut cards = cards([]);
        assert!(!cards.take(&Card { generation: 9, ..card(0) }));
        assert_eq!((cards.namesake, cards.own().unwrap().generation), (9, 1));
    }

    #[test]
    fn what_is_retired_neither_goes_nor_comes() {
        let mut cards = cards([1, 2]);
        let all = cards.sum();
        cards.retire(NodeId(1), 1);
        assert_ne!(cards.sum(), all);
        cards.forget(NodeId(1));
        assert_eq!(cards.sum().0, all.0 - 1);
        cards.retire(NodeId(1), 1);
        assert!(!cards.take(&card(1)));
        assert!(cards.take(&Card { generation: 2, ..card(1) }));
    }

    #[test]
    fn ranges_cover_every_node_once() {
        let cards = cards(1..200);
        let ranges = cards.ranges(0);
        assert!(ranges.len() > 2);
        assert_eq!((ranges[0].first, ranges.last().unwrap().last), (NodeId(0), NodeId(u64::MAX)));
        for pair in ranges.windows(2) {
            assert_eq!(pair[0].last.0 + 1, pair[1].first.0);
        }
        assert_eq!(ranges.iter().map(|range| range.digests.len()).sum::<usize>(), 200);
    }

    #[test]
    fn a_difference_is_found_from_both_sides() {
        let (mut mine, theirs) = (cards([1, 2, 4]), cards([2, 3]));
        let range = &theirs.ranges(0)[0];
        let newer = mine.newer(range.first, range.last, &range.digests);
        assert_eq!(newer.iter().map(|card| card.node.0).collect::<Vec<_>>(), [1, 4]);
        assert_eq!(mine.wanted(&range.digests), [3]);
        assert!(mine.wanted(&[Digest::new(NodeId(0), 7, 0)]).is_empty());
        assert_eq!(mine.namesake, 7);
    }

    #[test]
    fn every_parcel_fits() {
        let identity =
            Identity::new(NodeId(u64::MAX), u64::MAX, "[ffff::ffff]:65535".parse().unwrap());
        let long = "x".repeat(60);
        let large: Vec<Card> = (0..200)
            .map(|node| Card { name: long.as_str().into(), ..card(u64::MAX - node) })
            .collect();
        let groups = packed(&large.iter().collect::<Vec<_>>(), 0);
        assert_eq!(groups.len(), TAKE_PARCELS_MAX);
        for group in groups {
            let cards = group.iter().map(Vec::as_slice).collect();
            let bytes = parcel_bytes(&Parcel::Take { from: identity, cards });
            assert!(bytes.len() <= PARCEL_BYTES_MAX);
        }
        let digests = vec![Digest::new(NodeId(u64::MAX), u64::MAX, u64::MAX); DIGESTS_MAX];
        let have = Parcel::Have { from: identity, first: u64::MAX, last: u64::MAX, digests };
        assert!(parcel_bytes(&have).len() <= PARCEL_BYTES_MAX);
        let want = Parcel::Want { from: identity, nodes: vec![u64::MAX; WANTED_MAX] };
        assert!(parcel_bytes(&want).len() <= PARCEL_BYTES_MAX);
    }

    #[test]
    fn another_start_packs_other_cards() {
        let many: Vec<Card> = (0..1000).map(card).collect();
        let many: Vec<&Card> = many.iter().collect();
        assert_ne!(packed(&many, 0)[0], packed(&many, 500)[0]);
    }
}
