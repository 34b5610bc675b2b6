//! Asks another node for its digests of some slots: where they are equal it lacks nothing, and
//! only the others have to be brought to it.
//!
//! **Why equal digests prove that nothing is missing.** The other node reads its digest first,
//! and this one reads its own when the answer is here. A digest follows each change at once,
//! under the lock of the key, and is the sum of what it sees of each key. So if the two are
//! equal, each item that is here at the second moment was there at the first one, in the same
//! version, and only something newer can have taken its place since. What is in nobody's digest
//! is a write that is being executed at that moment. Whoever executes it sends it to all
//! owners by itself, or marks the slot, as it does with each write; and such a mark is not the
//! one that is being compared, for those were taken before. The other way round nothing is
//! proved, and nothing has to be: a copy under way makes two digests differ that are equal in a
//! moment, which costs the bytes of a slot.
//!
//! **What a digest does not see.** The stamps of deletes, which end on each node by its own
//! clock: they are brought in any case. Expiries, which change without a version. Items that are
//! over or flushed are seen until they are cleared away, so digests may differ for those; what
//! is over is not brought. Two digests of 64 bits that are equal by accident: one slot in
//! 10^19.

use super::{Answer, Cluster, Waiting};
use crate::item::Now;
use crate::limits::{COMPARE_MS, COMPARE_SLOTS_MAX, COMPARES_MAX};
use crate::ring::NodeId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

/// Asks another node for its digests of some slots.
#[derive(Debug)]
pub(super) struct Comparing {
    to: NodeId,
    /// To be asked for, from the end on.
    left: Vec<u32>,
    under_way: Vec<(Vec<u32>, Arc<Waiting>)>,
    until: Now,
    seen: Seen,
}

/// What was seen of another node's digests.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Slots whose digests differ, and this node's and the other one's; none where that was not
    /// told.
    pub(super) differing: Vec<(u32, Option<[u64; 2]>)>,
    /// How many were told.
    pub(super) told: u32,
    /// The other node's memory was full lately.
    pub(super) evicts: bool,
}

/// How far it has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    UnderWay,
    Over(Seen),
    /// The link broke: nothing is known.
    Lost,
}

/// What another node says of its digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::node) struct Digests {
    pub(super) evicts: bool,
    /// Eight bytes each.
    pub(super) bytes: Arc<[u8]>,
}

impl Digests {
    /// Those of so many slots, if they are.
    fn of(&self, slots: usize) -> Option<impl Iterator<Item = u64>> {
        let (digests, odd) = self.bytes.as_chunks();
        (odd.is_empty() && digests.len() == slots)
            .then(|| digests.iter().map(|digest| u64::from_le_bytes(*digest)))
    }
}

impl Comparing {
    pub(super) fn begin(to: NodeId, slots: Vec<u32>, now: Now) -> Self {
        let until = now.after_ms(COMPARE_MS);
        Self { to, left: slots, under_way: Vec::new(), until, seen: Seen::default() }
    }

    /// Goes on for a moment. `digest` is what this node has.
    pub(super) fn step(
        &mut self,
        cluster: &Cluster,
        now: Now,
        digest: impl Fn(u32) -> Option<u64>,
    ) -> Look {
        for (slots, waiting) in std::mem::take(&mut self.under_way) {
            if !waiting.is_over(Waker::noop()) {
                self.under_way.push((slots, waiting));
                continue;
            }
            match waiting.take(0) {
                Some(Answer::Compared(digests)) => self.hear(slots, &digests, &digest),
                Some(Answer::Unsent | Answer::Lost | Answer::Dead) if now < self.until => {
                    return Look::Lost;
                }
                // It has no answer to this.
                _ => {
                    self.left.extend(slots);
                    self.give_up();
                }
            }
        }
        if now >= self.until {
            self.give_up();
        }
        while self.under_way.len() < COMPARES_MAX && !self.left.is_empty() {
            let slots = self.left.split_off(self.left.len().saturating_sub(COMPARE_SLOTS_MAX));
            let waiting = cluster.ask_digests(&slots, self.to, now);
            self.under_way.push((slots, waiting));
        }
        match self.under_way.is_empty() {
            true => Look::Over(std::mem::take(&mut self.seen)),
            false => Look::UnderWay,
        }
    }

    fn hear(&mut self, slots: Vec<u32>, digests: &Digests, digest: impl Fn(u32) -> Option<u64>) {
        self.seen.evicts |= digests.evicts;
        match digests.of(slots.len()) {
            Some(theirs) => {
                self.seen.told += slots.len() as u32;
                let both = slots
                    .into_iter()
                    .zip(theirs)
                    .map(|(slot, theirs)| (slot, digest(slot).map(|mine| [mine, theirs])));
                let differs = both.filter(|(_, both)| both.is_none_or(|[one, other]| one != other));
                self.seen.differing.extend(differs);
            }
            // It has nothing, in other slots neither.
            None if digests.bytes.is_empty() => {
                self.seen.told += slots.len() as u32;
                let both = slots.into_iter().map(|slot| (slot, digest(slot).unwrap_or_default()));
                let differs = both.filter(|&(_, mine)| mine != 0);
                self.seen.differing.extend(differs.map(|(slot, mine)| (slot, Some([mine, 0]))));
                self.give_up();
            }
            // It talks nonsense.
            None => {
                self.left.extend(slots);
                self.give_up();
            }
        }
    }

    /// What was not told by now differs.
    fn give_up(&mut self) {
        let under_way = self.under_way.drain(..).flat_map(|(slots, _)| slots);
        let untold = under_way.chain(self.left.drain(..));
        self.seen.differing.extend(untold.map(|slot| (slot, None)));
    }
}

/// What comparing came to since the start.
#[derive(Debug, Default)]
pub(in crate::node) struct Compares {
    slots: AtomicU64,
    differing: AtomicU64,
    mended: AtomicU64,
}

impl Compares {
    /// So many items are brought to who has turned out to lack them.
    pub(super) fn mend(&self, items: usize) {
        self.mended.fetch_add(items as u64, Ordering::Relaxed);
    }

    pub(in crate::node) fn mended(&self) -> u64 {
        self.mended.load(Ordering::Relaxed)
    }

    /// Only the hub counts.
    pub(super) fn count(&self, seen: &Seen) {
        self.slots.fetch_add(seen.told.into(), Ordering::Relaxed);
        self.differing.fetch_add(seen.differing.len() as u64, Ordering::Relaxed);
    }

    /// Slots that were compared, and those that differed or were not told.
    pub(in crate::node) fn counts(&self) -> (u64, u64) {
        (self.slots.load(Ordering::Relaxed), self.differing.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::peers::Link;
    use crate::node::WriteAck;
    use crate::wire::{Frames, Message};

    const OTHER: NodeId = NodeId(2);

    fn at(ms: u64) -> Now {
        Now::from_unix_ms(1_800_000_000_000 + ms)
    }

    struct Scene {
        cluster: Cluster,
        link: Arc<Link>,
        comparing: Comparing,
    }

    impl Scene {
        /// So many slots are compared.
        fn of(slots: u32) -> Self {
            let cluster = Cluster::new(NodeId(1), WriteAck::Quorum, slots, 2);
            let link = Arc::new(Link::detached(OTHER, 1, 1 << 24, || {}));
            cluster.linked(&link);
            let comparing = Comparing::begin(OTHER, (0..slots).collect(), at(0));
            Self { cluster, link, comparing }
        }

        /// This node's digest of each slot is its number.
        fn step(&mut self, ms: u64) -> Look {
            self.comparing.step(&self.cluster, at(ms), |slot| Some(slot.into()))
        }

        /// What the other node was asked since the last look: calls and slots.
        fn asked(&self) -> Vec<(u32, Vec<u32>)> {
            let mut frames = Frames::new(1 << 24);
            frames.push(&self.link.take_outgoing());
            let mut asked = Vec::new();
            while let Some(frame) = frames.next_frame().unwrap() {
                let Ok(Message::Compare(compare)) = Message::decode(frame) else { panic!() };
                let slots = compare.slots.as_chunks().0.iter().map(|it| u32::from_le_bytes(*it));
                asked.push((compare.call, slots.collect()));
            }
            asked
        }

        fn answer(&self, call: u32, digests: impl Iterator<Item = u64>) {
            let bytes: Vec<u8> = digests.flat_map(u64::to_le_bytes).collect();
            let digests = Digests { evicts: false, bytes: bytes.into() };
            self.cluster.answered(&self.link, call, Answer::Compared(digests), at(1));
        }
    }

    fn differing(look: Look) -> Vec<u32> {
        let Look::Over(mut seen) = look else { panic!("{look:?}") };
        seen.differing.sort_unstable();
        seen.differing.into_iter().map(|(slot, _)| slot).collect()
    }

    #[test]
    fn slots_that_differ_are_told_from_those_that_do_not() {
        let slots = 2 * COMPARE_SLOTS_MAX as u32;
        let mut scene = Scene::of(slots);
        assert_eq!(scene.step(1), Look::UnderWay);
        let asked = scene.asked();
        assert!(asked.iter().all(|(_, slots)| slots.len() <= COMPARE_SLOTS_MAX));
        for (call, slots) in asked {
            let digest = |slot: u32| if slot == 7 { 8 } else { slot.into() };
            scene.answer(call, slots.into_iter().map(digest));
        }
        let Look::Over(seen) = scene.step(2) else { panic!() };
        assert_eq!(seen, Seen { differing: vec![(7, Some([7, 8]))], told: slots, evicts: false });
    }

    #[test]
    fn it_is_seen_if_one_answer_of_several_says_that_room_was_lacking() {
        let mut scene = Scene::of(2 * COMPARE_SLOTS_MAX as u32);
        scene.step(1);
        for (number, (call, slots)) in scene.asked().into_iter().enumerate() {
            let bytes: Vec<u8> =
                slots.iter().flat_map(|&slot| u64::from(slot).to_le_bytes()).collect();
            let digests = Digests { evicts: number == 0, bytes: bytes.into() };
            scene.cluster.answered(&scene.link, call, Answer::Compared(digests), at(1));
        }
        let Look::Over(seen) = scene.step(2) else { panic!() };
        assert!(seen.evicts && seen.differing.is_empty());
    }

    #[test]
    fn much_is_asked_bit_by_bit() {
        let mut scene = Scene::of((COMPARES_MAX * COMPARE_SLOTS_MAX) as u32 + 1);
        scene.step(1);
        let asked = scene.asked();
        assert_eq!(asked.len(), COMPARES_MAX);
        let (call, slots) = asked[0].clone();
        scene.answer(call, slots.into_iter().map(u64::from));
        assert_eq!(scene.step(2), Look::UnderWay);
        assert_eq!(scene.asked().len(), 1);
    }

    #[test]
    fn who_has_nothing_or_talks_nonsense_is_brought_all() {
        // There is nothing in the first slot here.
        for (digests, first) in [(0..0, 1), (0..5, 0), (0..11, 0)] {
            let mut scene = Scene::of(10);
            scene.step(1);
            let call = scene.asked()[0].0;
            scene.answer(call, digests);
            assert_eq!(differing(scene.step(2)), (first..10).collect::<Vec<_>>());
        }
        let mut scene = Scene::of(10);
        scene.step(1);
        let call = scene.asked()[0].0;
        scene.cluster.answered(&scene.link, call, Answer::Kept, at(1));
        assert_eq!(differing(scene.step(2)).len(), 10);
    }

    #[test]
    fn who_does_not_answer_in_time_is_brought_what_it_has_not_told() {
        let mut scene = Scene::of(COMPARE_SLOTS_MAX as u32 + 10);
        scene.step(1);
        let asked = scene.asked();
        let (call, slots) = asked[0].clone();
        scene.answer(call, slots.iter().copied().map(u64::from));
        assert_eq!(scene.step(COMPARE_MS - 1), Look::UnderWay);
        let mut left = asked[1].1.clone();
        left.sort_unstable();
        assert_eq!(differing(scene.step(COMPARE_MS)), left);
    }

    #[test]
    fn of_who_is_gone_nothing_is_known() {
        let mut scene = Scene::of(10);
        scene.step(1);
        scene.cluster.unlinked(&scene.link);
        assert_eq!(scene.step(2), Look::Lost);
    }
}
