//! Brings copies up to date that are behind: of the slots that are marked for a
//! node all there is is to be brought to it, and whatever it has newer stays. Where nothing is
//! known but that it was away, it is asked first what it has.

use super::comparing::{Comparing, Look};
use super::dirty::Taken;
use super::moves::{Became, Moved};
use super::{Cluster, Said, Slots, Wanted};
use crate::item::Now;
use crate::limits::{REPAIR_REST_MS, REPAIR_TRIES};
use crate::node::session::Road;
use crate::ring::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// Brings copies up to date.
pub(in crate::node) struct Repair {
    road: Rc<Road>,
    cluster: Arc<Cluster>,
    /// Nodes that something is brought to.
    served: BTreeSet<NodeId>,
    /// Those of them that are asked first what they have, and what they are to be brought in
    /// any case.
    comparing: BTreeMap<NodeId, (Taken, Comparing)>,
    /// Nodes that have come back, and are to be told when they have all: what they said
    /// of themselves before that began, and the ring that it was by.
    tell: BTreeMap<NodeId, (Said, u64)>,
    /// Nodes that refuse something, or do not answer: how often they refused, and until when
    /// they are left alone.
    resting: BTreeMap<NodeId, (u32, Now)>,
}

impl fmt::Debug for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { served, tell, .. } = self;
        f.debug_struct("Repair").field("served", served).field("tell", tell).finish_non_exhaustive()
    }
}

impl Repair {
    pub(in crate::node) fn new(road: Rc<Road>, cluster: Arc<Cluster>) -> Self {
        Self {
            road,
            cluster,
            served: BTreeSet::new(),
            comparing: BTreeMap::new(),
            tell: BTreeMap::new(),
            resting: BTreeMap::new(),
        }
    }

    /// A node came, perhaps not for the first time: nobody knows what it has of what it owns
    /// by this ring.
    pub(in crate::node) fn came(&mut self, node: NodeId, said: Said, ring: u64) {
        // What it is to own only is for the plan of the change to bring, each slot by one owner.
        self.bring(node, self.road.slots_of(node));
        self.tell.insert(node, (said, ring));
    }

    /// A node is to be brought what is in these slots and not there yet.
    pub(in crate::node) fn bring(&mut self, node: NodeId, slots: Vec<u32>) {
        // What it has said may be of an earlier life.
        self.ask_anew(node);
        self.cluster.dirty.doubt(node, slots);
        self.resting.remove(&node);
    }

    /// What a node is being asked it is asked again.
    fn ask_anew(&mut self, node: NodeId) {
        let Some((Taken { slots, doubted }, _)) = self.comparing.remove(&node) else { return };
        self.served.remove(&node);
        self.cluster.dirty.mark(node, slots.iter());
        self.cluster.dirty.doubt(node, doubted.iter());
        self.cluster.dirty.end_taken(node, false);
    }

    /// Whether this node has anything.
    pub(in crate::node) fn has_items(&self) -> bool {
        self.road.has_items()
    }

    /// The slots of which this node gets what is written.
    pub(in crate::node) fn own_slots(&self, slots: u32) -> Slots {
        self.road.own_slots(slots)
    }

    /// A node says again that it joins. Where all there is for this life of it is being brought
    /// to it already, it is only told so by the newer card: what it got since, it has not lost.
    /// Whether that is so.
    pub(in crate::node) fn came_already(&mut self, node: NodeId, said: Said) -> bool {
        let told = self.tell.get_mut(&node).filter(|(told, _)| told.generation == said.generation);
        told.map(|(told, _)| *told = said.max(*told)).is_some()
    }

    /// A node is no longer known.
    pub(in crate::node) fn forget(&mut self, node: NodeId) {
        self.tell.remove(&node);
        self.resting.remove(&node);
        if self.comparing.remove(&node).is_some() {
            self.served.remove(&node);
        }
    }

    /// Whether a node has all of what is meant for it, as far as is known; or refuses the
    /// rest.
    pub(in crate::node) fn is_even(&self, node: NodeId) -> bool {
        let refuses = self.resting.get(&node).is_some_and(|&(tries, _)| tries >= REPAIR_TRIES);
        refuses || !self.served.contains(&node) && self.cluster.dirty.count(node) == 0
    }

    /// The same of what is in these slots.
    pub(in crate::node) fn is_even_in(&self, node: NodeId, slots: &Slots) -> bool {
        self.is_even(node)
            || !self.served.contains(&node) && !self.cluster.dirty.has_any(node, slots)
    }

    /// Whether there is nothing to bring.
    pub(in crate::node) fn rests(&self) -> bool {
        self.served.is_empty() && self.tell.is_empty() && self.cluster.dirty.marked().is_empty()
    }

    /// Goes on for a moment.
    pub(in crate::node) fn step(&mut self, now: Now) {
        for Moved { to, became } in self.cluster.moves.take_ended() {
            self.served.remove(&to);
            self.finish(to, became, now);
        }
        for to in self.due(now) {
            match self.cluster.dirty.take(to) {
                Some(taken) => {
                    self.served.insert(to);
                    self.begin(to, taken, now);
                }
                // It is only to be told.
                None => self.finish(to, Became::Brought, now),
            }
        }
        self.compare(now);
    }

    fn begin(&mut self, to: NodeId, taken: Taken, now: Now) {
        let Taken { mut slots, doubted } = taken;
        // Who has nothing has nothing to compare with.
        if doubted.len() > 0 && self.road.has_items() {
            let comparing = Comparing::begin(to, doubted.iter().collect(), now);
            self.comparing.insert(to, (Taken { slots, doubted }, comparing));
        } else {
            doubted.iter().for_each(|slot| slots.insert(slot));
            self.cluster.moves.ask(to, Wanted::all(slots));
        }
    }

    /// Goes on with asking nodes what they have, and has them brought what they lack.
    fn compare(&mut self, now: Now) {
        let (mut over, mut lost) = (Vec::new(), Vec::new());
        for (&to, (_, comparing)) in &mut self.comparing {
            match comparing.step(&self.cluster, now, |slot| self.road.digest(slot)) {
                Look::UnderWay => {}
                Look::Over(seen) => over.push((to, seen)),
                Look::Lost => lost.push(to),
            }
        }
        for (to, seen) in over {
            self.cluster.compares.count(&seen);
            let Some((Taken { mut slots, mut doubted }, _)) = self.comparing.remove(&to) else {
                continue;
            };
            let marked = slots.clone();
            for (slot, _) in seen.differing {
                doubted.remove(slot);
                slots.insert(slot);
            }
            self.cluster.moves.ask(to, Wanted { all: slots, marked, deletes: Some(doubted) });
        }
        for to in lost {
            self.ask_anew(to);
            self.finish(to, Became::Lost, now);
        }
    }

    /// Nodes for which there is something, and which can be reached.
    fn due(&self, now: Now) -> Vec<NodeId> {
        let rests = |node: &NodeId| self.resting.get(node).is_some_and(|&(_, until)| now < until);
        let mut nodes = self.cluster.dirty.marked();
        nodes.extend(self.tell.keys().filter(|&&node| self.cluster.dirty.count(node) == 0));
        nodes.retain(|node| {
            !self.served.contains(node)
                && self.cluster.is_linked(*node)
                && self.road.is_live(*node)
                && !rests(node)
        });
        nodes
    }

    /// A node was brought what there was. What could not be sent was marked again, and so was
    /// what was refused: that is tried again with rests, and keeps nobody from serving. So was
    /// what came meanwhile and could not be sent at once; that is brought like any other.
    fn finish(&mut self, to: NodeId, became: Became, now: Now) {
        let is_even = self.cluster.dirty.count(to) == 0;
        let mut tries = self.resting.remove(&to).map_or(0, |(tries, _)| tries);
        if !is_even && became != Became::Brought {
            tries += u32::from(became == Became::Refused);
            self.resting.insert(to, (tries, now.after_ms(REPAIR_REST_MS)));
        }
        let refuses = became == Became::Refused && tries >= REPAIR_TRIES;
        self.cluster.dirty.end_taken(to, refuses || became == Became::Brought);
        if (is_even || refuses)
            && let Some(&(said, ring)) = self.tell.get(&to)
            && self.cluster.tell_filled(to, said, ring, self.road.flush_floor(now))
        {
            self.tell.remove(&to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{Copied, CopiedBody, Expiry, Key, Standing, Version};
    use crate::net::peers::Link;
    use crate::node::peers::{Answer, Digests, Kind};
    use crate::node::standing::{START_MS, node_of};
    use crate::wire::{Compare, Frames, Message};
    use std::sync::atomic::AtomicU64;

    const ME: NodeId = NodeId(1);
    const OTHER: NodeId = NodeId(2);

    fn at(ms: u64) -> Now {
        Now::from_unix_ms(START_MS + ms)
    }

    /// This node has missed to bring the other one something.
    fn behind() -> Repair {
        let shared = node_of(&[ME, OTHER], &Arc::new(AtomicU64::new(START_MS)));
        let cluster = Arc::clone(shared.cluster.as_ref().unwrap());
        cluster.linked(&Arc::new(Link::detached(OTHER, 1, 1 << 20, || {})));
        cluster.dirty.miss(OTHER, [7]);
        Repair::new(Rc::new(Road::new(&shared, 0)), cluster)
    }

    /// Whether a pass begins now. During it something else is missed, or else it is marked
    /// again what it was to bring.
    fn pass(repair: &mut Repair, ms: u64, became: Became) -> bool {
        repair.step(at(ms));
        let begins = repair.cluster.moves.take_asked().contains_key(&OTHER);
        if begins {
            match became {
                Became::Brought => repair.cluster.dirty.miss(OTHER, [8]),
                Became::Refused | Became::Lost => repair.cluster.dirty.mark(OTHER, [7]),
            }
            repair.cluster.moves.end(Moved { to: OTHER, became });
        }
        begins
    }

    /// Another node came, of whose slots this one has an item each in the first ones; what it is
    /// brought where it says that these are its digests.
    fn wanted(digests: impl Fn(u32, u64) -> u64, marked: u32) -> Wanted {
        let shared = node_of(&[ME, OTHER], &Arc::new(AtomicU64::new(START_MS)));
        let cluster = Arc::clone(shared.cluster.as_ref().unwrap());
        let link = Arc::new(Link::detached(OTHER, 1, 1 << 20, || {}));
        cluster.linked(&link);
        let road = Rc::new(Road::new(&shared, 0));
        let body = CopiedBody { flags: 0, cas: 9, standing: Standing::default(), value: b"v" };
        let (version, expiry) = (Version(START_MS << 21), Expiry::Never);
        let copied = Copied { version, expiry, body: Some(body) };
        for number in 0..100 {
            let key = format!("key-{number}");
            road.merge(Key::new(key.as_bytes()).unwrap(), &copied, at(0));
        }
        let mut repair = Repair::new(Rc::clone(&road), Arc::clone(&cluster));
        cluster.dirty.miss(OTHER, [marked]);
        repair.came(OTHER, Said::default(), 0);
        repair.step(at(1));
        assert!(!repair.is_even(OTHER) && cluster.moves.take_asked().is_empty());
        let mut frames = Frames::new(1 << 20);
        frames.push(&link.take_outgoing());
        for _ in 0..1 << 16 {
            let Some(frame) = frames.next_frame().unwrap() else { break };
            let Ok(Message::Compare(Compare { call, slots })) = Message::decode(frame) else {
                panic!("nothing else is sent");
            };
            let slots = slots.as_chunks().0.iter().map(|slot| u32::from_le_bytes(*slot));
            let mine = slots.map(|slot| digests(slot, road.digest(slot).unwrap()));
            let bytes = mine.flat_map(u64::to_le_bytes).collect::<Vec<u8>>().into();
            let answer = Answer::Compared(Digests { evicts: false, bytes });
            cluster.answered(&link, call, answer, at(2));
        }
        repair.step(at(2));
        let asked = cluster.moves.take_asked().remove(&OTHER).unwrap();
        assert!(!repair.is_even(OTHER), "it is on its way");
        cluster.moves.end(Moved { to: OTHER, became: Became::Brought });
        repair.step(at(3));
        assert!(repair.is_even(OTHER) && repair.rests());
        asked
    }

    #[test]
    fn who_has_all_is_brought_what_it_is_known_to_lack_and_the_stamps_of_deletes() {
        let wanted = wanted(|_, mine| mine, 7);
        assert_eq!(wanted.all.iter().collect::<Vec<_>>(), [7]);
        assert!(wanted.has(7, Kind::Items) && wanted.has(8, Kind::Deletes));
        assert!(!wanted.has(8, Kind::Items));
    }

    #[test]
    fn who_has_something_else_in_a_slot_is_brought_that() {
        let wanted = wanted(|slot, mine| mine ^ u64::from(slot == 300), 7);
        assert_eq!(wanted.all.iter().collect::<Vec<_>>(), [7, 300]);
    }

    #[test]
    fn what_comes_during_a_pass_is_brought_however_often_that_happens() {
        let mut repair = behind();
        for pass_number in 0..3 * u64::from(REPAIR_TRIES) {
            assert!(pass(&mut repair, pass_number, Became::Brought), "{pass_number}");
            assert!(!repair.is_even(OTHER) && repair.cluster.dirty.lacks(OTHER));
        }
    }

    #[test]
    fn what_is_refused_is_tried_some_times_with_rests_and_holds_up_nobody() {
        let mut repair = behind();
        for tries in 0..u64::from(REPAIR_TRIES) {
            assert!(!repair.is_even(OTHER), "{tries}");
            assert!(pass(&mut repair, tries * REPAIR_REST_MS, Became::Refused), "{tries}");
            for ms in [tries * REPAIR_REST_MS, (tries + 1) * REPAIR_REST_MS - 1] {
                assert!(!pass(&mut repair, ms, Became::Refused), "{ms}");
            }
        }
        assert!(repair.is_even(OTHER) && !repair.cluster.dirty.lacks(OTHER));
    }

    #[test]
    fn who_refuses_something_is_brought_what_else_it_misses() {
        let mut repair = behind();
        let mut ms = 0;
        for _ in 0..=REPAIR_TRIES {
            assert!(pass(&mut repair, ms, Became::Refused));
            repair.step(at(ms));
            ms += REPAIR_REST_MS;
        }
        assert!(!repair.cluster.dirty.lacks(OTHER));
        repair.cluster.dirty.miss(OTHER, [9]);
        for became in [Became::Lost, Became::Lost] {
            assert!(repair.cluster.dirty.lacks(OTHER), "{became:?}");
            assert!(pass(&mut repair, ms, became));
            repair.step(at(ms));
            ms += REPAIR_REST_MS;
        }
        assert!(repair.cluster.dirty.lacks(OTHER));
        assert!(repair.cluster.dirty.take_untold()[&OTHER].contains(9), "it is to be told");
        // It is missed while the pass before is under way.
        repair.step(at(ms));
        assert!(repair.cluster.moves.take_asked().contains_key(&OTHER));
        repair.cluster.dirty.miss(OTHER, [10]);
        repair.cluster.moves.end(Moved { to: OTHER, became: Became::Refused });
        repair.step(at(ms));
        assert!(repair.cluster.dirty.lacks(OTHER));
        assert!(repair.cluster.dirty.take_untold()[&OTHER].contains(10), "it is to be told");
    }

    #[test]
    fn what_is_lost_is_tried_for_ever_with_rests() {
        let mut repair = behind();
        for tries in 0..3 * u64::from(REPAIR_TRIES) {
            assert!(pass(&mut repair, tries * REPAIR_REST_MS, Became::Lost), "{tries}");
            for ms in [tries * REPAIR_REST_MS, (tries + 1) * REPAIR_REST_MS - 1] {
                assert!(!pass(&mut repair, ms, Became::Lost), "{ms}");
            }
            assert!(!repair.is_even(OTHER) && repair.cluster.dirty.lacks(OTHER));
        }
    }
}
