//! What a node lacks is brought to it, whatever comes between.

use crate::client::Client;
use crate::run::{Plan, ask, rest};
use crate::world::{LINK_IDLE_MS, World, id};

const KEYS: usize = 100;
const VALUE_BYTES: usize = 30_000;

/// Keys whose primary is node 0 and whose other owner is node 1.
fn keys(world: &World) -> Vec<String> {
    let mut reader = world.nodes[0].up.as_ref().unwrap().shared.view.reader();
    let view = reader.view();
    let is_theirs = |key: &String| {
        let owners = view.readers(view.hash(key.as_bytes())).iter().map(|owner| view.node(owner));
        owners.eq([id(0), id(1)])
    };
    (0..10_000).map(|number| format!("key-{number}")).filter(is_theirs).take(KEYS).collect()
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
        for key in keys(&world) {
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
        while stat(&mut world, &dirty) > 0 || stat(&mut world, "moved_items") - before < KEYS as u64
        {
            world.step();
            assert!(world.now_ms() < healed + 5000, "it is not gone on with");
        }
        rest(&mut world, seed, "in the end");
        let unequal = world.unequal_copies().len();
        assert_eq!(unequal, 0, "copies or digests that differ");
    }
}

/// A node that joins says so again where it is not sent all within 2 s. What is under way
/// to it is not begun anew for that.
#[test]
fn a_node_that_asks_again_is_brought_everything_once() {
    for seed in 1..6 {
        let mut world = World::new(seed, &Plan::USUAL);
        rest(&mut world, seed, "at the start");
        let value = "x".repeat(VALUE_BYTES);
        for key in keys(&world) {
            let set = format!("set {key} 0 0 {VALUE_BYTES}\r\n{value}\r\n");
            assert_eq!(ask(&mut world, &mut Client::new(0), &set), "STORED\r\n");
        }
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
