//! What a node lacks is brought to it, whatever comes between.

use crate::client::Client;
use crate::digests;
use crate::run::{Plan, ask, rest};
use crate::world::{LINK_IDLE_MS, World, id};
use ringcached::cluster::Step;
use ringcached::item::Key;
use ringcached::ring::NodeId;
use std::collections::BTreeSet;
use std::sync::Arc;

const KEYS: usize = 100;
const VALUE_BYTES: usize = 30_000;

/// Keys of these owners, the first of whom is the primary.
fn keys(world: &World, owners: [usize; 2]) -> Vec<String> {
    let mut reader = world.nodes[0].up.as_ref().unwrap().shared.view.reader();
    let view = reader.view();
    let is_theirs = |key: &String| {
        let there = view.readers(view.hash(key.as_bytes())).iter().map(|owner| view.node(owner));
        there.eq(owners.map(id))
    };
    (0..10_000).map(|number| format!("key-{number}")).filter(is_theirs).take(KEYS).collect()
}

/// Stores the same under each of these keys.
fn store(world: &mut World, keys: &[String], value: &str) {
    for key in keys {
        let set = format!("set {key} 0 0 {}\r\n{value}\r\n", value.len());
        assert_eq!(ask(world, &mut Client::new(0), &set), "STORED\r\n");
    }
}

fn stat(world: &mut World, name: &str) -> u64 {
    let text = ask(world, &mut Client::new(0), "stats cluster\r\n");
    let start = format!("STAT {name} ");
    text.lines().find_map(|line| line.strip_prefix(&start)).unwrap().parse().unwrap()
}

/// Nothing gets from one of the first two nodes to the other until their link is at its
/// end; the third vouches for both.
fn part(world: &mut World) {
    world.cut(0, 1);
    world.cut(1, 0);
    let until = world.now_ms() + LINK_IDLE_MS + 10;
    while world.now_ms() < until {
        world.step();
    }
    world.heal();
}

#[test]
fn a_move_that_is_broken_off_is_begun_again() {
    for seed in 1..6 {
        let mut world = World::new(seed, &Plan::USUAL);
        rest(&mut world, seed, "at the start");
        let dirty = format!("{}:dirty_slots", id(1));
        let value = "x".repeat(VALUE_BYTES);
        world.cut(0, 1);
        world.cut(1, 0);
        let mut writers = Vec::new();
        for key in keys(&world, [0, 1]) {
            let mut writer = Client::new(0);
            let set = format!("set {key} 0 0 {VALUE_BYTES}\r\n{value}\r\n");
            assert_eq!(writer.begin(&mut world, &set), None, "one copy is no quorum of two");
            writers.push(writer);
        }
        let until = world.now_ms() + LINK_IDLE_MS + 10;
        while world.now_ms() < until {
            world.step();
            for writer in &mut writers {
                writer.poll(&world);
            }
        }
        assert!(stat(&mut world, &dirty) > 0);
        let before = stat(&mut world, "moved_items");
        world.heal();
        while stat(&mut world, "moved_items") == before {
            world.step();
        }
        part(&mut world);
        let brought = stat(&mut world, "moved_items") - before;
        assert!((1..KEYS as u64).contains(&brought), "{brought} are not some of {KEYS}");
        let healed = world.now_ms();
        // Also what was sent and lost counts as moved.
        while stat(&mut world, &dirty) > 0 || !world.unequal_copies().is_empty() {
            (0..50).for_each(|_| world.step());
            assert!(world.now_ms() < healed + 5000, "it is not gone on with");
        }
        rest(&mut world, seed, "in the end");
        assert_eq!(world.unequal_copies().len(), 0, "copies or digests that differ, seed {seed}");
    }
}

/// One node is filled, and answers nothing more; another one lacks a little.
#[test]
fn what_a_copy_missed_does_not_wait_for_a_node_that_is_filled() {
    let mut world = World::new(1, &Plan::USUAL);
    rest(&mut world, 1, "at the start");
    let kept = keys(&world, [0, 1]);
    store(&mut world, &kept, &"x".repeat(VALUE_BYTES));
    world.cut_calls(0, 2);
    let until = world.now_ms() + LINK_IDLE_MS + 10;
    while world.now_ms() < until {
        world.step();
    }
    let missed = keys(&world, [0, 2]);
    for key in &missed {
        let set = format!("set {key} 0 0 1\r\ny\r\n");
        assert_eq!(Client::new(0).begin(&mut world, &set), None, "one copy is no quorum of two");
    }
    world.kill(1);
    world.start(1, true);
    let moved = |world: &mut World| stat(world, "moved_items");
    let before = moved(&mut world);
    while moved(&mut world) == before {
        world.step();
    }
    world.stall(0, 1);
    let (stalled, brought) = (world.now_ms(), moved(&mut world));
    assert!(brought - before < kept.len() as u64);
    world.heal();
    while moved(&mut world) < brought + missed.len() as u64 {
        world.step();
        assert!(world.now_ms() < stalled + 2000, "{} items", moved(&mut world) - brought);
    }
    world.go_on(0, 1);
    rest(&mut world, 1, "in the end");
    assert_eq!(world.unequal_copies(), Vec::<String>::new());
}

/// A node that joins says so again where it is not sent all within 2 s. What is under way
/// to it is not begun anew for that.
#[test]
fn a_node_that_asks_again_is_brought_everything_once() {
    for seed in 1..6 {
        let mut world = World::new(seed, &Plan::USUAL);
        rest(&mut world, seed, "at the start");
        let kept = keys(&world, [0, 1]);
        store(&mut world, &kept, &"x".repeat(VALUE_BYTES));
        world.kill(1);
        world.start(1, true);
        let before = stat(&mut world, "moved_items");
        while stat(&mut world, "moved_items") == before {
            world.step();
        }
        world.stall(0, 1);
        let stalled = world.now_ms();
        while world.now_ms() < stalled + 3000 {
            world.step();
        }
        let brought = stat(&mut world, "moved_items") - before;
        assert!((1..KEYS as u64).contains(&brought), "{brought} are not some of {KEYS}");
        world.go_on(0, 1);
        rest(&mut world, seed, "in the end");
        // Some of it may have gone out by the link to its earlier life.
        let brought = stat(&mut world, "moved_items") - before;
        assert!(brought < 2 * KEYS as u64, "{brought} are all {KEYS} of them twice");
        assert_eq!(world.unequal_copies(), Vec::<String>::new());
    }
}

/// Who owns a key, by the ring that is read.
fn owners(world: &World, key: &str) -> BTreeSet<NodeId> {
    let mut reader = world.nodes[0].up.as_ref().unwrap().shared.view.reader();
    let view = reader.view();
    view.readers(view.hash(key.as_bytes())).iter().map(|owner| view.node(owner)).collect()
}

/// Items that all nodes have sent others by themselves.
fn moved(world: &mut World) -> u64 {
    (0..world.nodes.len()).map(|node| digests::stat(world, node, "moved_items")).sum()
}

/// The planner hears of one that joins and tells the others of the change, while gossip of the
/// joiner has not come to one of them. That one, too, brings it only what the plan says: it owns
/// nothing yet that nobody knows of.
#[test]
fn a_joiner_that_an_owner_hears_of_after_the_change_is_brought_everything_once() {
    let planner = (0..3).min_by_key(|&node| id(node)).unwrap();
    let others = (0..3).filter(|&node| node != planner);
    for (seed, late) in others.flat_map(|late| (1..4).map(move |seed| (seed, late))) {
        let mut world = World::new(seed, &Plan::USUAL);
        rest(&mut world, seed, "at the start");
        let kept: Vec<String> = (0..600).map(|number| format!("key-{number}")).collect();
        store(&mut world, &kept, "value");
        let before: Vec<_> = kept.iter().map(|key| owners(&world, key)).collect();
        let moved_before = moved(&mut world);
        world.unheard.insert(late);
        let joined = world.now_ms();
        world.let_one_join();
        while world.nodes[late].step != Some(Step::Write) {
            world.step();
            assert!(world.now_ms() < joined + 5000, "seed {seed}: {}", world.describe());
        }
        let heard = world.nodes[late].up.as_ref().unwrap().hub.members().find(id(3));
        assert!(heard.is_none(), "seed {seed}: it has heard of the joiner before");
        world.unheard.clear();
        rest(&mut world, seed, "in the end");
        let least: usize = kept
            .iter()
            .zip(&before)
            .map(|(key, before)| owners(&world, key).difference(before).count())
            .sum();
        assert!(least > 100, "{least}");
        let brought = moved(&mut world) - moved_before;
        assert_eq!(brought, least as u64, "seed {seed}, node-{late} hears late");
        assert_eq!(world.unequal_copies(), Vec::<String>::new());
    }
}

/// An operator has moves wait: what is under way arrives, nothing more is sent, and it goes on
/// where it was.
#[test]
fn a_move_that_is_paused_waits_and_goes_on() {
    for seed in 1..4 {
        let mut world = World::new(seed, &Plan::USUAL);
        rest(&mut world, seed, "at the start");
        let kept = keys(&world, [0, 1]);
        store(&mut world, &kept, &"x".repeat(VALUE_BYTES));
        let source = Arc::clone(&world.nodes[0].up.as_ref().unwrap().shared);
        let moves = source.moves().unwrap();
        let items_sent =
            || moves.progress().into_iter().find(|it| it.to == id(1)).map(|it| it.items);
        world.kill(1);
        let until = world.now_ms() + LINK_IDLE_MS + 10;
        while world.now_ms() < until {
            world.step();
        }
        world.start(1, true);
        while items_sent().is_none_or(|items| items == 0) {
            world.step();
        }
        moves.pause();
        let before = items_sent().unwrap();
        let paused = world.now_ms();
        while world.now_ms() < paused + 5000 {
            world.step();
        }
        assert!(moves.is_paused() && before < KEYS as u64);
        let progress = moves.progress();
        let [there] = progress.as_slice() else { panic!("{progress:?}") };
        assert_eq!(there.items, before, "more is sent");
        assert!(there.slots > 0 && there.bytes > before * VALUE_BYTES as u64);
        assert!((0.0..=1.0).contains(&there.share_done));
        assert_eq!(there.left_s.is_some(), there.share_done > 0.0);
        moves.resume();
        rest(&mut world, seed, "in the end");
        assert_eq!(moves.progress(), [], "all is brought");
        assert_eq!(world.unequal_copies(), Vec::<String>::new());
    }
}

/// The planner asks more and more seldom whether all is brought, and is told.
#[test]
fn a_change_goes_on_as_soon_as_all_is_brought() {
    for seed in 1..6 {
        let mut world = World::new(seed, &Plan::USUAL);
        rest(&mut world, seed, "at the start");
        let kept = keys(&world, [0, 1]);
        store(&mut world, &kept, &"x".repeat(VALUE_BYTES));
        let sources =
            [0, 1, 2].map(|node| Arc::clone(&world.nodes[node].up.as_ref().unwrap().shared));
        let moves = sources.each_ref().map(|source| source.moves().unwrap());
        for moves in &moves {
            moves.pause();
        }
        world.let_one_join();
        let are_at = |world: &World, step| world.nodes.iter().all(|node| node.step == Some(step));
        while !are_at(&world, Step::Fill) {
            world.step();
        }
        let paused = world.now_ms();
        while world.now_ms() < paused + 3000 + 100 * seed {
            world.step();
        }
        assert!(are_at(&world, Step::Fill) && moves.iter().any(|it| !it.progress().is_empty()));
        for moves in &moves {
            moves.resume();
        }
        while moves.iter().any(|moves| !moves.progress().is_empty()) {
            world.step();
        }
        let brought = world.now_ms();
        while are_at(&world, Step::Fill) {
            world.step();
            assert!(world.now_ms() < brought + 100, "seed {seed}: {}", world.describe());
        }
        rest(&mut world, seed, "in the end");
    }
}

/// The stamp of a delete is kept for a while only: where whoever missed it heard of it when moves
/// go on, it might be too late.
#[test]
fn deletes_are_told_though_moves_are_paused() {
    let mut world = World::new(1, &Plan::USUAL);
    rest(&mut world, 1, "at the start");
    let kept = keys(&world, [0, 1]);
    store(&mut world, &kept, "value");
    let has = |world: &World, key: &str| {
        let shared = &world.nodes[1].up.as_ref().unwrap().shared;
        let hash = shared.view.reader().view().hash(key.as_bytes());
        let key = Key::new(key.as_bytes()).unwrap();
        shared.store.peek(hash, key, world.now_at(1), |_| ()).is_some()
    };
    assert!(kept.iter().all(|key| has(&world, key)));
    world.pause(1, 20_000);
    let until = world.now_ms() + 15_000;
    while world.now_ms() < until {
        world.step();
    }
    let (deleted, others) = kept.split_at(KEYS / 2);
    for key in deleted {
        let delete = format!("delete {key}\r\n");
        assert_eq!(ask(&mut world, &mut Client::new(0), &delete), "DELETED\r\n");
    }
    store(&mut world, others, "other");
    for node in [0, 2] {
        world.nodes[node].up.as_ref().unwrap().shared.moves().unwrap().pause();
    }
    let until = world.now_ms() + 10_000;
    while world.now_ms() < until {
        world.step();
    }
    assert!(deleted.iter().all(|key| !has(&world, key)), "it has not heard of all deletes");
    let moves = |node: usize| world.nodes[node].up.as_ref().unwrap().shared.moves().unwrap();
    assert!([0, 2].iter().any(|&node| !moves(node).progress().is_empty()) && !world.is_settled());
    for node in [0, 2] {
        world.nodes[node].up.as_ref().unwrap().shared.moves().unwrap().resume();
    }
    rest(&mut world, 1, "in the end");
    assert_eq!(world.unequal_copies(), Vec::<String>::new());
}
