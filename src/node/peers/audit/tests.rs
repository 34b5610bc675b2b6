//! What is done about copies that differ, by one node whose other owner is played by hand.

use super::*;
use crate::item::{Copied, CopiedBody, Expiry, Key, Standing, Version};
use crate::limits::{LISTINGS_MAX, TOMBSTONE_S, TURN_BYTES_HIGH};
use crate::net::peers::Link;
use crate::node::standing::{START_MS, node_of};
use crate::wire::Frames;
use std::sync::atomic::AtomicU64;

const ME: NodeId = NodeId(1);
const OTHER: NodeId = NodeId(2);

fn at(ms: u64) -> Now {
    Now::from_unix_ms(START_MS + ms)
}

struct Scene {
    audit: Audit,
    link: Arc<Link>,
}

/// What is said to the other node: lists by their slots, and what became of lists.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    List(usize),
    Listed(ListState),
}

impl Scene {
    fn new() -> Self {
        let shared = node_of(&[ME, OTHER], &Arc::new(AtomicU64::new(START_MS)));
        let cluster = Arc::clone(shared.cluster.as_ref().unwrap());
        let link = Arc::new(Link::detached(OTHER, 1, 1 << 20, || {}));
        cluster.linked(&link);
        let mut audit = Audit::new(Rc::new(Road::new(&shared, 0)), cluster, at(0));
        audit.next_at = at(u64::from(u32::MAX));
        Self { audit, link }
    }

    /// All slots of which this node is the primary differ, and are listed.
    fn exchanging() -> Self {
        let mut scene = Self::new();
        scene.differ();
        scene.audit.step(true, at(0));
        assert_eq!(scene.heard(), [Heard::List(LIST_SLOTS_MAX)]);
        scene
    }

    fn differ(&mut self) {
        let road = &self.audit.road;
        let slots = (0..road.slots()).filter(|slot| road.audited_owners(*slot).is_some());
        let slots = slots.take(LIST_SLOTS_MAX).collect();
        self.differ_in(slots);
    }

    fn differ_in(&mut self, slots: Vec<u32>) {
        let before = slots.iter().map(|&slot| (slot, Some(1))).collect();
        let differ = slots.into_iter().map(|slot| (slot, 1));
        self.audit.differing.saw(OTHER, differ, Some(&before), at(0));
    }

    /// This node has this, and has had it for a while.
    fn put(&self, key: &str, value: &[u8]) -> KeyHash {
        let body = CopiedBody { flags: 0, cas: 9, standing: Standing::default(), value };
        let version = Version((at(0).unix_ms() - 30_000) << 21);
        let copied = Copied { version, expiry: Expiry::Never, body: Some(body) };
        self.audit.road.merge(Key::new(key.as_bytes()).unwrap(), &copied, at(0));
        KeyHash::new(crate::ring::Layout::default().seed, key.as_bytes())
    }

    /// A slot in which this node, its primary, has something that the other one lacks. Both
    /// are asked for what they have.
    fn mending() -> (Self, u32) {
        let mut scene = Self::new();
        let keys = (0..100).map(|number| format!("key-{number}"));
        let mut slots = keys.map(|key| scene.audit.road.slot(scene.put(&key, b"value")));
        let is_mine = |slot: &u32| scene.audit.road.audited_owners(*slot).is_some();
        let slot = slots.find(is_mine).unwrap();
        scene.differ_in(vec![slot]);
        scene.audit.step(true, at(0));
        assert_eq!(scene.heard(), [Heard::List(1)]);
        (scene, slot)
    }

    fn steps(&mut self, ms: u64) {
        for _ in 0..1000 {
            self.audit.step(true, at(ms));
        }
    }

    fn hear(&mut self, state: ListState, ms: u64) {
        let said = Audited::Listed(self.audit.number, state, List::new());
        self.audit.hear(OTHER, said, at(ms));
        self.audit.step(true, at(ms));
    }

    fn heard(&self) -> Vec<Heard> {
        let (mut frames, mut heard) = (Frames::new(1 << 20), Vec::new());
        frames.push(&self.link.take_outgoing());
        while let Some(frame) = frames.next_frame().unwrap() {
            heard.push(match Message::decode(frame).unwrap() {
                Message::List(list) => Heard::List(list.slots.len() / 4),
                Message::Listed(listed) => Heard::Listed(listed.state),
                message => panic!("{message:?}"),
            });
        }
        heard
    }
}

#[test]
fn who_has_too_much_is_asked_for_less_and_who_evicts_is_left_alone() {
    let mut scene = Scene::exchanging();
    scene.hear(ListState::TooMuch, 1);
    scene.audit.step(true, at(1 + AUDIT_REST_MS.start()));
    assert_eq!(scene.heard(), [Heard::List(LIST_SLOTS_MAX / 2)]);
    let mut scene = Scene::exchanging();
    scene.hear(ListState::Evicts, 1);
    scene.audit.step(true, at(1 + AUDIT_REST_MS.end()));
    assert_eq!((scene.heard(), scene.audit.at_once), (vec![], LIST_SLOTS_MAX));
    assert!(scene.audit.exchange.is_none() && scene.audit.differing.is_empty());
}

#[test]
fn who_lists_for_others_is_asked_again_soon() {
    let mut scene = Scene::exchanging();
    scene.hear(ListState::Busy, 1);
    assert_eq!(scene.heard(), []);
    scene.audit.step(true, at(1 + LIST_BUSY_MS));
    assert_eq!(scene.heard(), [Heard::List(LIST_SLOTS_MAX)]);
    let rest_ms = scene.audit.rest_ms;
    scene.hear(ListState::Busy, LIST_MS - 1);
    scene.audit.step(true, at(2 * LIST_MS));
    assert!(scene.audit.exchange.is_none() && !scene.audit.differing.is_empty());
    assert_eq!(scene.audit.rest_ms, rest_ms, "it has led to nothing yet");
}

#[test]
fn a_list_may_take_long_if_it_goes_on() {
    let mut scene = Scene::exchanging();
    for number in 1..10 {
        scene.hear(ListState::UnderWay, number * (LIST_MS - 1));
        assert!(scene.audit.exchange.is_some());
    }
    scene.audit.step(true, at(10 * LIST_MS));
    assert!(scene.audit.exchange.is_none() && scene.audit.differing.is_empty());
}

#[test]
fn it_does_not_rest_while_somebody_waits_for_a_list_and_tells_one_more_that_it_is_busy() {
    let mut scene = Scene::new();
    assert!(scene.audit.rests());
    for node in 0..LISTINGS_MAX as u64 {
        scene.audit.hear(NodeId(10 + node), Audited::List(1, vec![7]), at(0));
        assert!(!scene.audit.rests());
    }
    assert_eq!(scene.heard(), []);
    scene.audit.hear(OTHER, Audited::List(1, vec![7]), at(0));
    assert_eq!(scene.heard(), [Heard::Listed(ListState::Busy)]);
    scene.steps(1);
    assert!(scene.audit.rests());
    scene.audit.hear(OTHER, Audited::List(2, vec![7]), at(1));
    scene.steps(1);
    assert_eq!(scene.heard(), [Heard::Listed(ListState::All)]);
}

#[test]
fn only_what_is_sent_counts_as_mended() {
    let scene = Scene::new();
    let value = vec![b'x'; TURN_BYTES_HIGH / 4];
    let keys = (0..100).map(|number| format!("key-{number}"));
    let hashes: Vec<KeyHash> = keys.map(|key| scene.put(&key, &value)).collect();
    scene.audit.bring(OTHER, &hashes, at(0));
    assert_eq!(scene.audit.cluster.compares.mended(), 4);
}

#[test]
fn what_was_mended_is_tried_again_where_it_still_differs() {
    let (mut scene, slot) = Scene::mending();
    scene.hear(ListState::All, 1);
    scene.steps(1);
    let audit = &mut scene.audit;
    assert!(audit.exchange.is_none() && audit.differing.is_empty());
    assert_eq!(audit.cluster.compares.mended(), 1);
    assert_eq!(audit.rest_ms, *AUDIT_REST_MS.start());
    let due = audit.differing.take_due(at(1 + AUDIT_SETTLE_MS));
    assert_eq!(due, Some((OTHER, [(slot, None)].into())));
    scene.differ_in(vec![slot]);
    assert!(!scene.audit.differing.is_empty());
}

#[test]
fn what_was_listed_in_vain_is_left_and_the_next_list_comes_later() {
    let mut scene = Scene::exchanging();
    scene.hear(ListState::All, 1);
    assert!(scene.audit.exchange.is_none());
    assert_eq!(scene.audit.rest_ms, 2 * AUDIT_REST_MS.start());
    scene.differ();
    assert!(scene.audit.differing.is_empty());
}

#[test]
fn others_are_not_given_up_while_ones_own_list_goes_on() {
    let mut scene = Scene::new();
    for number in 0..50_000 {
        scene.put(&format!("key-{number}"), b"");
    }
    // Of three lists at a time each goes on more slowly.
    for node in 0..LISTINGS_MAX as u64 {
        scene.audit.hear(NodeId(10 + node), Audited::List(1, vec![7]), at(0));
    }
    scene.differ();
    scene.audit.step(true, at(0));
    for ms in [1, LIST_MS, 2 * LIST_MS - 1] {
        scene.audit.step(true, at(ms));
        let exchange = scene.audit.exchange.as_ref();
        assert!(exchange.is_some_and(|it| !it.mine.is_over()), "{ms}");
    }
}

#[test]
fn who_lacked_room_is_not_compared_and_has_no_list() {
    let mut scene = Scene::new();
    let audit = &mut scene.audit;
    let seen = Seen { evicts: true, differing: vec![(7, Some([1, 2]))], told: 1 };
    audit.saw(OTHER, seen, None, at(0));
    assert_eq!(audit.differing.take_due(at(AUDIT_SETTLE_MS)), None);
    audit.hear(OTHER, Audited::List(1, vec![7]), at(0));
    audit.begin_look(OTHER, vec![7], None, at(0));
    assert!(audit.looking.take().is_some());
    audit.cluster.evicts(true, at(0));
    audit.begin_look(OTHER, vec![7], None, at(0));
    assert!(audit.looking.is_none());
    scene.steps(1);
    assert_eq!(scene.heard(), [Heard::Listed(ListState::Evicts)], "since the list was begun");
    scene.audit.hear(OTHER, Audited::List(2, vec![7]), at(1));
    assert_eq!(scene.heard(), [Heard::Listed(ListState::Evicts)]);
}

#[test]
fn who_lacked_room_while_lists_were_made_mends_nothing() {
    let (mut scene, _) = Scene::mending();
    scene.audit.cluster.evicts(true, at(0));
    scene.hear(ListState::All, 1);
    scene.steps(1);
    assert!(scene.audit.exchange.is_none() && scene.audit.differing.is_empty());
    assert_eq!(scene.audit.cluster.compares.mended(), 0);
}

#[test]
fn what_is_marked_is_brought_and_not_compared() {
    let mut scene = Scene::new();
    scene.audit.cluster.dirty.miss(OTHER, [7]);
    scene.audit.begin_look(OTHER, vec![8], None, at(0));
    assert!(scene.audit.looking.is_none());
}

#[test]
fn a_round_begins_bit_by_bit_and_has_all_slots() {
    let mut scene = Scene::new();
    let audit = &mut scene.audit;
    let steps = 1 + (0..1000).take_while(|_| !audit.has_begun_round()).count() as u32;
    assert_eq!(steps, audit.road.slots() / AUDIT_GATHER_SLOTS);
    let slots: BTreeSet<u32> = audit.left.iter().flat_map(|(_, slots)| slots).copied().collect();
    let mine = (0..audit.road.slots()).filter(|slot| audit.road.audited_owners(*slot).is_some());
    assert_eq!(slots, mine.collect());
}

/// What an empty copy is brought has to be younger than stamps of deletes get.
#[test]
fn what_is_missing_is_found_while_it_may_be_brought() {
    let most_ms = AUDIT_ROUND_MS + AUDIT_SETTLE_MS + AUDIT_REST_MS.end() + LIST_MS;
    assert_eq!(most_ms, 425_000);
    assert!(most_ms + 100_000 < u64::from(TOMBSTONE_S) * 1000 - 60_000);
}

#[test]
fn the_rest_gets_longer_by_what_is_in_vain_and_shorter_by_rounds() {
    let mut scene = Scene::new();
    let audit = &mut scene.audit;
    for _ in 0..20 {
        audit.rest(false, at(0));
    }
    assert_eq!(audit.rest_ms, *AUDIT_REST_MS.end());
    while !audit.has_begun_round() {}
    assert_eq!(audit.rest_ms, AUDIT_REST_MS.end() / 2);
    audit.rest(true, at(0));
    assert_eq!(audit.rest_ms, *AUDIT_REST_MS.start());
}

/// `cargo test --release --lib how_long -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn how_long_it_takes_to_gather_the_slots_of_a_round() {
    let mut scene = Scene::new();
    for _ in 0..5 {
        let (slots, begin) = (scene.audit.road.slots(), std::time::Instant::now());
        while !scene.audit.has_begun_round() {}
        println!("{slots} slots: {:?}", begin.elapsed());
    }
}
