//! What makes the copies of some slots even: who is to bring whom what. Decided from what all
//! owners have, by values alone.
//!
//! The newest version of each key stays, a delete as well as an item. So a copy that has an
//! older one is brought the newest: it cannot bring back what was deleted, for a delete that
//! somebody knows of is newer and wins, and where nobody does, the key was there before too.
//!
//! A copy that has nothing under a key, not even the stamp of a delete, is brought only what is
//! younger than such a stamp gets: a delete of it would still be known to one of the owners,
//! all of whom were asked, and none of whom lacked room since. What is older may have been
//! deleted, and everybody may have forgotten that. It is left as it is. And so is what the
//! primary itself has nothing of: clients read that it is not there, and a delete of it leaves
//! no stamp.

use crate::item::{Now, Version};
use crate::limits::{TOMBSTONE_S, UNEVEN_MS};
use crate::ring::{KeyHash, NodeId};
use std::collections::{BTreeMap, BTreeSet};

/// What a node has under a key: a greater one wins. Of one version the delete does, as it does
/// where copies are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::node) struct Had(pub(super) u64);

impl Had {
    pub(in crate::node) fn of(version: Version, is_tombstone: bool) -> Self {
        Self(version.0 << 1 | u64::from(is_tombstone))
    }

    fn is_tombstone(self) -> bool {
        self.0 & 1 == 1
    }

    fn unix_ms(self) -> u64 {
        Version(self.0 >> 1).unix_ms()
    }
}

/// What a node has in some slots.
pub(in crate::node) type List = BTreeMap<KeyHash, Had>;

/// What is to be brought, and what it is too early for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Evening {
    /// From whom to whom.
    pub(super) brought: BTreeMap<(NodeId, NodeId), Vec<KeyHash>>,
    /// A copy of these may be under way.
    pub(super) young: BTreeSet<KeyHash>,
}

/// The margin by which an item has to be younger than stamps of deletes get: clocks differ,
/// and it takes a while until what is decided is done.
const MARGIN_MS: u64 = 60_000;

impl Evening {
    /// Of what all owners of some slots have, of whom one is the primary. Their lists were begun
    /// a while ago: what was written since may be in some of them only.
    pub(super) fn of(
        lists: &BTreeMap<NodeId, List>,
        primary: NodeId,
        began: Now,
        now: Now,
    ) -> Self {
        let mut evening = Self::default();
        let hashes: BTreeSet<KeyHash> = lists.values().flat_map(List::keys).copied().collect();
        let first = lists.get(&primary);
        for hash in hashes {
            let is_there = first.is_some_and(|list| list.contains_key(&hash));
            let had = lists.iter().filter_map(|(&node, list)| Some((*list.get(&hash)?, node)));
            if let Some((newest, from)) = had.max() {
                evening.even(lists, (hash, is_there), (newest, from), [began, now]);
            }
        }
        evening
    }

    fn even(
        &mut self,
        lists: &BTreeMap<NodeId, List>,
        (hash, is_there): (KeyHash, bool),
        (newest, from): (Had, NodeId),
        [began, now]: [Now; 2],
    ) {
        let [age_then_ms, age_ms] =
            [began, now].map(|at| at.unix_ms().saturating_sub(newest.unix_ms()));
        let is_known = age_ms + MARGIN_MS < u64::from(TOMBSTONE_S) * 1000;
        let lacks = |list: &List| match list.get(&hash) {
            Some(&had) => had < newest,
            None => is_there && is_known && !newest.is_tombstone(),
        };
        let behind = lists.iter().filter(|(_, list)| lacks(list)).map(|(&node, _)| node);
        for to in behind {
            if age_then_ms < UNEVEN_MS {
                self.young.insert(hash);
            } else {
                self.brought.entry((from, to)).or_default().push(hash);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now::from_unix_ms(1_800_000_000_000);
    const HASH: KeyHash = KeyHash(7);
    const LIFE_MS: u64 = TOMBSTONE_S as u64 * 1000;

    #[allow(clippy::unnecessary_wraps)] // It stands beside a `None` everywhere.
    fn aged(ms: u64, is_tombstone: bool) -> Option<Had> {
        Some(Had::of(Version::end_of(Now::from_unix_ms(NOW.unix_ms() - ms)), is_tombstone))
    }

    fn evening(had: &[Option<Had>]) -> Evening {
        let list = |had: &Option<Had>| had.map(|had| (HASH, had)).into_iter().collect();
        let lists = (1..).map(NodeId).zip(had.iter().map(list)).collect();
        Evening::of(&lists, NodeId(1), NOW, NOW)
    }

    /// From whom to whom something is brought.
    fn ways(had: &[Option<Had>]) -> Vec<(u64, u64)> {
        let evening = evening(had);
        assert!(evening.young.is_empty());
        evening.brought.keys().map(|(from, to)| (from.0, to.0)).collect()
    }

    #[test]
    fn who_has_something_older_is_brought_the_newest() {
        let (old, new) = (aged(2 * LIFE_MS, false), aged(LIFE_MS + 1, false));
        assert_eq!(ways(&[old, new]), [(2, 1)]);
        assert_eq!(ways(&[new, old, old]), [(1, 2), (1, 3)]);
        assert_eq!(ways(&[new, new]), []);
    }

    #[test]
    fn a_delete_wins_over_what_it_deleted_and_is_no_news_to_who_has_nothing() {
        let (item, deleted) = (aged(30_000, false), aged(20_000, true));
        assert_eq!(ways(&[item, deleted]), [(2, 1)]);
        assert_eq!(ways(&[None, item, deleted]), [(3, 2)], "and not from the second to the first");
        assert_eq!(ways(&[None, deleted]), []);
        assert_eq!(ways(&[aged(20_000, false), aged(20_000, true)]), [(2, 1)]);
    }

    #[test]
    fn what_may_have_been_deleted_and_forgotten_is_not_brought_to_who_lacks_it() {
        assert_eq!(ways(&[aged(20_000, false), None]), [(1, 2)]);
        assert_eq!(ways(&[aged(LIFE_MS - MARGIN_MS - 1, false), None]), [(1, 2)]);
        assert_eq!(ways(&[aged(LIFE_MS - MARGIN_MS, false), None]), []);
    }

    #[test]
    fn what_the_primary_has_nothing_of_is_left() {
        let item = aged(20_000, false);
        assert_eq!(ways(&[None, item, None]), []);
        assert_eq!(ways(&[aged(30_000, false), item, None]), [(2, 1), (2, 3)]);
        assert_eq!(ways(&[aged(30_000, true), item, None]), [(2, 1), (2, 3)]);
    }

    #[test]
    fn what_was_written_while_lists_were_made_is_left_for_later() {
        let item = aged(UNEVEN_MS, false).unwrap();
        let lists = [(NodeId(1), [(HASH, item)].into()), (NodeId(2), List::new())].into();
        let began = Now::from_unix_ms(NOW.unix_ms() - 1);
        let evening = Evening::of(&lists, NodeId(1), began, NOW);
        assert!(evening.brought.is_empty() && evening.young.contains(&HASH));
    }

    #[test]
    fn what_may_be_under_way_is_left_for_later() {
        let evening = evening(&[aged(UNEVEN_MS - 1, false), None]);
        assert!(evening.brought.is_empty() && evening.young.contains(&HASH));
        assert_eq!(ways(&[aged(UNEVEN_MS, false), None]), [(1, 2)]);
    }
}
