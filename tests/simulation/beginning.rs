//! When a node that was started begins to serve.

use crate::client::Client;
use crate::run::{Plan, ask, rest};
use crate::world::{World, id};
use ringcached::cluster::{Cause, Event, Notice, Phase};

/// One who is back, and of whom nothing is known but that.
const SILENT: usize = 3;

fn tell(world: &mut World, event: &Event) {
    let now = world.now_at(1);
    world.nodes[1].up.as_mut().unwrap().hub.handle_event(event, now).unwrap();
}

fn phase(world: &World) -> Phase {
    world.nodes[1].up.as_ref().unwrap().hub.card().phase
}

#[test]
fn who_does_not_know_yet_what_another_is_does_not_begin() {
    let mut world = World::new(1, &Plan { nodes: 4, ..Plan::USUAL });
    rest(&mut world, 1, "at the start");
    world.kill(1);
    world.kill(SILENT);
    world.start(1, true);
    let generation = world.nodes[SILENT].generation + 1;
    let silent = Notice { node: id(SILENT), generation, incarnation: 0, cause: Cause::Itself };
    tell(&mut world, &Event::Alive(silent));

    let from = world.now_ms();
    while world.now_ms() < from + 20_000 {
        world.step();
        assert_eq!(phase(&world), Phase::Joining);
    }
    tell(&mut world, &Event::Down(silent));
    rest(&mut world, 1, "once it is alone with those it knows");
    assert_eq!(phase(&world), Phase::Serving);
}

fn value(world: &mut World, node: usize, key: &str) -> String {
    let text = ask(world, &mut Client::new(node), &format!("get {key}\r\n"));
    text.lines().nth(1).unwrap_or("none").to_owned()
}

fn set(world: &mut World, node: usize, key: &str, value: &str) {
    let request = format!("set {key} 0 0 {}\r\n{value}\r\n", value.len());
    assert_eq!(ask(world, &mut Client::new(node), &request), "STORED\r\n");
}

/// It took itself for the first, and takes part once it hears of those who were there
/// before: nothing of theirs is missed, and of what both have written the newer stays.
#[test]
fn who_served_alone_and_meets_an_older_cluster_joins_it() {
    for seed in 1..5 {
        let mut world = World::new(seed, &Plan::USUAL);
        rest(&mut world, seed, "at the start");
        let keys: Vec<String> = (0..12).map(|key| format!("key-{key}")).collect();
        for key in &keys {
            set(&mut world, 0, key, "old");
        }
        world.kill(1);
        world.part(|node| node == 1);
        world.start(1, false);
        let started = world.now_ms();
        while phase(&world) != Phase::Serving {
            world.step();
            assert!(world.now_ms() < started + 10_000, "seed {seed}: there is nobody else");
        }
        for key in &keys {
            assert_eq!(value(&mut world, 1, key), "none", "it knows of nothing");
        }
        set(&mut world, 1, "key-0", "alone");
        set(&mut world, 1, "key-1", "alone");
        // The others hold it for dead by now.
        (0..5000).for_each(|_| world.step());
        set(&mut world, 2, "key-1", "newer");

        world.heal();
        let healed = world.now_ms();
        while phase(&world) != Phase::Joining {
            world.step();
            assert!(world.now_ms() < healed + 10_000, "seed {seed}: it does not join");
        }
        while phase(&world) != Phase::Serving {
            for node in [0, 2] {
                let others = world.nodes[node].up.as_ref().unwrap().hub.card().phase;
                assert_eq!(others, Phase::Serving, "seed {seed}: they were there before");
                assert_eq!(value(&mut world, node, "key-5"), "old", "seed {seed}");
            }
            assert!(world.now_ms() < healed + 20_000, "seed {seed}: it does not serve");
        }
        for node in 0..3 {
            let read: Vec<String> = keys.iter().map(|key| value(&mut world, node, key)).collect();
            assert_eq!(read[..2], ["alone", "newer"], "seed {seed}, node {node}");
            assert!(
                read[2..].iter().all(|value| value == "old"),
                "seed {seed}, node {node}: {read:?}"
            );
        }
    }
}
