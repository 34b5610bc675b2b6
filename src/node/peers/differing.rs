//! Slots whose copies differ: which of them are to be listed, and which first. By values alone.
//!
//! Digests of slots that are written to differ at most looks, for copies are under way and what
//! is over is cleared away by each node for itself. So a slot counts only if the difference of
//! its two digests is the very same at two looks, some seconds apart. A digest is an exclusive or
//! over all items: what both got or lost in between leaves the difference as it was, and what
//! only one of them did makes it another.

use crate::item::Now;
use crate::limits::{AUDIT_KNOWN_MAX, AUDIT_SETTLE_MS, AUDIT_SUSPECTS_MAX, AUDIT_TRIES};
use crate::ring::NodeId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The exclusive or of the two digests of a slot.
pub(super) type Difference = u64;

/// Slots that differed at a look, and how; none where that is not known.
pub(super) type Suspects = BTreeMap<u32, Option<Difference>>;

#[derive(Debug, Default)]
pub(super) struct Differing {
    /// To be looked at again, and since when.
    suspects: VecDeque<(NodeId, Suspects, Now)>,
    /// What differed twice, and when it was found, by a count.
    twice: BTreeMap<(u32, NodeId), (Difference, u64)>,
    found: u64,
    /// What was listed before and differed all the same, and how often it was tried to mend it.
    known: BTreeMap<(u32, NodeId), (Difference, u8)>,
}

impl Differing {
    pub(super) fn clear(&mut self) {
        self.suspects.clear();
        self.twice.clear();
        self.known.clear();
    }

    /// What is to be looked at again now.
    pub(super) fn take_due(&mut self, now: Now) -> Option<(NodeId, Suspects)> {
        let due_ms = self.suspects.front()?.2.unix_ms() + AUDIT_SETTLE_MS;
        let due = if now.unix_ms() >= due_ms { self.suspects.pop_front() } else { None };
        due.map(|(node, slots, _)| (node, slots))
    }

    /// These slots differ, and did so before if they are among `before`.
    pub(super) fn saw(
        &mut self,
        node: NodeId,
        differ: impl IntoIterator<Item = (u32, Difference)>,
        before: Option<&Suspects>,
        now: Now,
    ) {
        self.found += 1;
        let mut news = Suspects::new();
        for (slot, difference) in differ {
            match self.known.get(&(slot, node)) {
                Some(&(there, tries)) if there == difference && tries >= AUDIT_TRIES => continue,
                _ => {}
            }
            let was = before.map(|before| before.get(&slot).copied().flatten());
            match was {
                None | Some(None) => drop(news.insert(slot, Some(difference))),
                Some(Some(was)) if was == difference => self.found_twice((slot, node), difference),
                // It moves. If something stays behind the next round finds it.
                Some(Some(_)) => {}
            }
        }
        self.suspect(node, news, now);
    }

    fn found_twice(&mut self, place: (u32, NodeId), difference: Difference) {
        let found = self.twice.get(&place).map_or(self.found, |&(_, found)| found);
        if self.twice.len() < AUDIT_SUSPECTS_MAX || self.twice.contains_key(&place) {
            self.twice.insert(place, (difference, found));
        }
    }

    /// These are looked at again in a while.
    pub(super) fn suspect(&mut self, node: NodeId, slots: Suspects, now: Now) {
        let there: usize = self.suspects.iter().map(|(_, slots, _)| slots.len()).sum();
        if !slots.is_empty() && there + slots.len() <= AUDIT_SUSPECTS_MAX {
            self.suspects.push_back((node, slots, now));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.twice.is_empty()
    }

    /// Slots that differed twice. Those come first that were found first: else some that always
    /// differ would keep the others from ever being listed.
    pub(super) fn in_turn(&self) -> Vec<u32> {
        let mut turns: BTreeMap<u32, u64> = BTreeMap::new();
        for (&(slot, _), &(_, found)) in &self.twice {
            let turn = turns.entry(slot).or_insert(found);
            *turn = found.min(*turn);
        }
        let mut slots: Vec<u32> = turns.keys().copied().collect();
        slots.sort_by_key(|slot| turns[slot]);
        slots
    }

    /// These are not to be listed any more.
    pub(super) fn drop(&mut self, slots: &BTreeSet<u32>) {
        self.twice.retain(|(slot, _), _| !slots.contains(slot));
    }

    /// A slot was listed. It is tried a few times to make it even if something was sent, and
    /// not again otherwise, before something changes there.
    pub(super) fn listed(&mut self, place: (u32, NodeId), is_mended: bool) {
        let Some((difference, _)) = self.twice.remove(&place) else { return };
        if self.known.len() >= AUDIT_KNOWN_MAX && !self.known.contains_key(&place) {
            self.known.pop_first();
        }
        let there = self.known.get(&place).filter(|&&(there, _)| there == difference);
        let tries = there.map_or(0, |&(_, tries)| tries) + 1;
        self.known.insert(place, (difference, if is_mended { tries } else { AUDIT_TRIES }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: NodeId = NodeId(2);

    fn at(ms: u64) -> Now {
        Now::from_unix_ms(1_800_000_000_000 + ms)
    }

    /// Two looks, and what is to be listed then.
    fn two_looks(first: &[(u32, u64)], second: &[(u32, u64)]) -> Vec<u32> {
        let mut differing = Differing::default();
        look_twice(&mut differing, first, second);
        differing.in_turn()
    }

    fn look_twice(differing: &mut Differing, first: &[(u32, u64)], second: &[(u32, u64)]) {
        differing.saw(OTHER, first.iter().copied(), None, at(0));
        assert_eq!(differing.take_due(at(AUDIT_SETTLE_MS - 1)), None);
        if let Some((node, before)) = differing.take_due(at(AUDIT_SETTLE_MS)) {
            differing.saw(node, second.iter().copied(), Some(&before), at(AUDIT_SETTLE_MS));
        }
    }

    #[test]
    fn what_differs_otherwise_at_the_second_look_is_under_way() {
        assert_eq!(two_looks(&[(7, 1), (8, 1), (9, 1)], &[(7, 1), (8, 2)]), [7]);
        assert!(two_looks(&[(7, 1)], &[]).is_empty());
    }

    #[test]
    fn what_was_mended_is_looked_at_twice_again() {
        let mut differing = Differing::default();
        differing.suspect(OTHER, [(7, None)].into(), at(0));
        for ms in [AUDIT_SETTLE_MS, 2 * AUDIT_SETTLE_MS] {
            assert!(differing.is_empty());
            let (node, before) = differing.take_due(at(ms)).unwrap();
            differing.saw(node, [(7, 1)], Some(&before), at(ms));
        }
        assert_eq!(differing.in_turn(), [7]);
    }

    #[test]
    fn low_slots_that_always_differ_do_not_keep_higher_ones_waiting() {
        let mut differing = Differing::default();
        let busy: Vec<(u32, u64)> = (0..64).map(|slot| (slot, 1)).collect();
        let all: Vec<(u32, u64)> = (0..65).map(|slot| (slot, 1)).collect();
        look_twice(&mut differing, &all, &all);
        let first: BTreeSet<u32> = differing.in_turn().into_iter().take(64).collect();
        assert!(!first.contains(&64));
        differing.drop(&first);
        look_twice(&mut differing, &busy, &busy);
        assert_eq!(differing.in_turn()[0], 64);
        // Nor does it lose its turn by being seen once more.
        look_twice(&mut differing, &all, &all);
        assert_eq!(differing.in_turn()[0], 64);
    }

    #[test]
    fn what_was_listed_in_vain_is_left_until_it_differs_otherwise() {
        let mut differing = Differing::default();
        for (is_mended, tries) in [(false, 1), (true, AUDIT_TRIES)] {
            let one = [(7, 1 + u64::from(is_mended))];
            for _ in 0..tries {
                look_twice(&mut differing, &one, &one);
                assert_eq!(differing.in_turn(), [7]);
                differing.listed((7, OTHER), is_mended);
            }
            look_twice(&mut differing, &one, &one);
            assert!(differing.is_empty());
        }
    }
}
