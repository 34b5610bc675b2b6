//! What a node is brought that comes back with its memory: only what it lacks.

use crate::client::Client;
use crate::run::{Plan, ask, rest};
use crate::world::{World, id};
use crate::{FIVE, THREE};

const KEYS: usize = 600;
const CHANGED: usize = 12;

pub(crate) fn stat(world: &mut World, node: usize, name: &str) -> u64 {
    let text = ask(world, &mut Client::new(node), "stats cluster\r\n");
    let start = format!("STAT {name} ");
    text.lines().find_map(|line| line.strip_prefix(&start)).unwrap().parse().unwrap()
}

/// Items that all nodes but the last have brought others.
fn brought(world: &mut World) -> u64 {
    let others = 0..world.nodes.len() - 1;
    others.map(|node| stat(world, node, "moved_items")).sum()
}

fn set(world: &mut World, number: usize, value: &str) {
    let set = format!("set key-{number} 0 0 {}\r\n{value}\r\n", value.len());
    assert_eq!(ask(world, &mut Client::new(0), &set), "STORED\r\n");
}

/// A cluster with some items, whose last node was away: whether it stood still or was started
/// again with its memory. While it was, some items were replaced, some deleted, and one is new.
fn after_return(seed: u64, plan: &Plan, stands_still: bool) -> (World, u64) {
    let mut world = World::new(seed, plan);
    rest(&mut world, seed, "at the start");
    for number in 0..KEYS {
        set(&mut world, number, "old");
    }
    let (last, before) = (plan.nodes - 1, brought(&mut world));
    let memory = world.memory_of(last);
    match stands_still {
        true => world.pause(last, 8000),
        false => world.kill(last),
    }
    let until = world.now_ms() + 8000;
    while world.nodes[0].up.as_ref().unwrap().hub.members().find(id(last)).unwrap().is_live() {
        world.step();
    }
    // Its place is taken once what was promised to it is over.
    (0..4000).for_each(|_| world.step());
    for number in 0..CHANGED {
        set(&mut world, number, "new");
        let delete = format!("delete key-{}\r\n", KEYS - 1 - number);
        assert_eq!(ask(&mut world, &mut Client::new(0), &delete), "DELETED\r\n");
    }
    set(&mut world, KEYS, "new");
    while world.now_ms() < until {
        world.step();
    }
    if !stands_still {
        world.start_with(last, true, &memory);
    }
    rest(&mut world, seed, "in the end");
    (world, before)
}

#[test]
fn a_node_that_returns_is_brought_what_changed() {
    for seed in 1..4 {
        for (plan, stands_still) in [(THREE, true), (THREE, false), (FIVE, true), (FIVE, false)] {
            let (mut world, before) = after_return(seed, &plan, stands_still);
            let brought = brought(&mut world) - before;
            let changed = 2 * CHANGED as u64 + 1;
            // Each of the others that has it brings it, and what else is in its slot.
            let others = u64::from(plan.copies) - 1;
            let (slot, most) = (1 + KEYS as u64 / 256, changed * others);
            assert!(brought > 0, "seed {seed}");
            assert!(brought <= most * (slot + 1), "seed {seed}: {brought} items, {stands_still}");
            assert_eq!(world.unequal_copies(), Vec::<String>::new(), "seed {seed}");
            for node in 0..plan.nodes {
                let mut client = Client::new(node);
                let gone = format!("get key-{} key-{}\r\n", KEYS - 1, KEYS - CHANGED);
                assert_eq!(ask(&mut world, &mut client, &gone), "END\r\n");
                let there = "VALUE key-0 0 3\r\nnew\r\nEND\r\n";
                assert_eq!(ask(&mut world, &mut client, "get key-0\r\n"), there);
            }
        }
    }
}

/// What was flushed while it was away.
#[test]
fn a_node_that_returns_brings_back_nothing_flushed() {
    for seed in 1..4 {
        let mut world = World::new(seed, &THREE);
        rest(&mut world, seed, "at the start");
        for number in 0..50 {
            set(&mut world, number, "old");
        }
        let memory = world.memory_of(2);
        world.kill(2);
        (0..9000).for_each(|_| world.step());
        assert_eq!(ask(&mut world, &mut Client::new(0), "flush_all\r\n"), "OK\r\n");
        set(&mut world, 60, "new");
        world.start_with(2, true, &memory);
        rest(&mut world, seed, "in the end");
        for node in 0..3 {
            for number in 0..50 {
                let get = format!("get key-{number}\r\n");
                assert_eq!(ask(&mut world, &mut Client::new(node), &get), "END\r\n");
            }
        }
        assert_eq!(world.unequal_copies(), Vec::<String>::new());
    }
}
