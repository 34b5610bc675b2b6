//! Lists what this node has in some slots: a walk over its memory, bit by bit on the hub's
//! thread, for itself and for others who ask for it.

use super::evening::{Had, List};
use crate::item::Now;
use crate::limits::{LIST_GATHERS_MAX, LIST_ITEMS_MAX, LIST_MS, LISTINGS_MAX};
use crate::node::session::Road;
use crate::ring::NodeId;
use crate::store::FullWalk;
use crate::wire::{ListState, Listed};
use std::collections::BTreeMap;

/// A walk over the memory for what is in some slots.
#[derive(Debug)]
pub(super) struct Listing {
    /// In order.
    slots: Vec<u32>,
    walk: FullWalk,
    list: List,
    is_through: bool,
}

impl Listing {
    pub(super) fn of(mut slots: Vec<u32>) -> Self {
        slots.sort_unstable();
        Self { slots, walk: FullWalk::default(), list: List::new(), is_through: false }
    }

    /// Goes on for a moment, which is shared with so many others.
    pub(super) fn step(&mut self, road: &Road, others: usize, now: Now) {
        for _ in 0..LIST_GATHERS_MAX.div_ceil(1 + others) {
            if self.is_over() {
                return;
            }
            let Self { slots, walk, list, is_through } = self;
            *is_through = !road.list(walk, now, slots, |hash, version, is_tombstone| {
                let had = Had::of(version, is_tombstone);
                let there = list.entry(hash).or_insert(had);
                *there = had.max(*there);
            });
        }
    }

    pub(super) fn is_too_much(&self) -> bool {
        self.list.len() > LIST_ITEMS_MAX
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_through || self.is_too_much()
    }

    pub(super) fn into_list(self) -> Option<List> {
        (!self.is_too_much()).then_some(self.list)
    }
}

/// The lists that this node makes for others.
#[derive(Debug, Default)]
pub(super) struct Listings(BTreeMap<NodeId, Asked>);

#[derive(Debug)]
struct Asked {
    number: u64,
    listing: Listing,
    /// When it was last told that this is under way, or began.
    told_at: Now,
}

impl Listings {
    /// Another node wants a list. False where there are too many already.
    pub(super) fn begin(&mut self, from: NodeId, number: u64, slots: Vec<u32>, now: Now) -> bool {
        let has_room = self.0.len() < LISTINGS_MAX || self.0.contains_key(&from);
        if has_room {
            self.0.insert(from, Asked { number, listing: Listing::of(slots), told_at: now });
        }
        has_room
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Goes on for a moment, which is shared with so many others.
    pub(super) fn step(
        &mut self,
        road: &Road,
        others: usize,
        now: Now,
        mut tell: impl FnMut(NodeId, Listed<'_>),
    ) {
        let others = others + self.0.len().saturating_sub(1);
        self.0.retain(|&node, Asked { number, listing, told_at }| {
            listing.step(road, others, now);
            let number = *number;
            if !listing.is_over() {
                if now.unix_ms() >= told_at.unix_ms() + LIST_MS / 4 {
                    *told_at = now;
                    tell(node, Listed { number, state: ListState::UnderWay, items: &[] });
                }
                return true;
            }
            let list = std::mem::replace(listing, Listing::of(Vec::new())).into_list();
            let state = match &list {
                _ if road.evicts(now) => ListState::Evicts,
                Some(_) => ListState::All,
                None => ListState::TooMuch,
            };
            let list = list.filter(|_| state == ListState::All);
            let words = list.iter().flatten().flat_map(|(hash, had)| [hash.0, had.0]);
            let items: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
            tell(node, Listed { number, state, items: &items });
            false
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{Copied, CopiedBody, Expiry, Key, Standing, Version};
    use crate::node::standing::{START_MS, node_of};
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    const OTHER: NodeId = NodeId(2);

    /// A node with some thousand items: more than is looked at in a few pieces.
    fn road() -> Road {
        let shared = node_of(&[NodeId(1)], &Arc::new(AtomicU64::new(START_MS)));
        let road = Road::new(&shared, 0);
        let body = CopiedBody { flags: 0, cas: 9, standing: Standing::default(), value: b"" };
        let version = Version(START_MS << 21);
        let copied = Copied { version, expiry: Expiry::Never, body: Some(body) };
        for number in 0..5000 {
            let key = format!("key-{number}");
            road.merge(Key::new(key.as_bytes()).unwrap(), &copied, Now::from_unix_ms(START_MS));
        }
        road
    }

    /// Whoever waits gives up where nobody says anything for [`LIST_MS`].
    #[test]
    fn who_waits_for_a_list_is_told_that_it_goes_on() {
        let (road, mut listings) = (road(), Listings::default());
        assert!(listings.begin(OTHER, 7, vec![0], Now::from_unix_ms(START_MS)));
        let mut told = |ms| {
            let (now, mut told) = (Now::from_unix_ms(START_MS + ms), Vec::new());
            // There are so many others that it is one piece.
            listings.step(&road, LIST_GATHERS_MAX, now, |node, listed| {
                told.push((node, listed.number, listed.state));
            });
            told
        };
        let under_way = (OTHER, 7, ListState::UnderWay);
        assert_eq!(told(LIST_MS / 4 - 1), []);
        assert_eq!(told(LIST_MS / 4), [under_way]);
        assert_eq!(told(LIST_MS / 2 - 1), []);
        assert_eq!(told(LIST_MS / 2), [under_way]);
        let rest: Vec<_> = (0..1000).flat_map(|_| told(LIST_MS / 2)).collect();
        assert_eq!(rest, [(OTHER, 7, ListState::All)]);
    }
}
