//! What an owner that is slow, and lives, lacks when the primary dies that knew of it.

use crate::client::{Client, Ended};
use crate::run::{Plan, ask, pass, rest};
use crate::world::{World, id};

const PLAN: Plan = Plan { nodes: 3, copies: 3, ..Plan::USUAL };

/// Nothing gets to the slow one from the first one, which dies; the other has it all.
const FIRST: usize = 0;
const OTHER: usize = 1;
const SLOW: usize = 2;

/// A key that these own, in this order.
fn key_of(world: &World, owners: [usize; 3]) -> String {
    let mut reader = world.nodes[FIRST].up.as_ref().unwrap().shared.view.reader();
    let view = reader.view();
    let is_theirs = |key: &String| {
        let there = view.readers(view.hash(key.as_bytes())).iter().map(|owner| view.node(owner));
        there.eq(owners.map(id))
    };
    (0..10_000).map(|number| format!("key-{number}")).find(is_theirs).unwrap()
}

/// Three nodes, and two keys that the first writes while the slow one gets nothing of it.
fn written(seed: u64) -> (World, [String; 2]) {
    let mut world = World::new(seed, &PLAN);
    rest(&mut world, seed, "at the start");
    let keys = [[FIRST, OTHER, SLOW], [FIRST, SLOW, OTHER]].map(|owners| key_of(&world, owners));
    for key in &keys {
        ask(&mut world, &mut Client::new(FIRST), &format!("set {key} 0 0 1\r\n1\r\n"));
    }
    pass(&mut world, 100);
    world.stall(FIRST, SLOW);
    for key in &keys {
        let answer = ask(&mut world, &mut Client::new(FIRST), &format!("set {key} 0 0 1\r\n5\r\n"));
        assert_eq!(answer, "STORED\r\n");
    }
    (world, keys)
}

/// Counts until somebody does, and returns what the first one said.
fn count(world: &mut World, node: usize, key: &str) -> String {
    loop {
        let answer = ask(world, &mut Client::new(node), &format!("incr {key} 1\r\n"));
        if !answer.starts_with("SERVER_ERROR") {
            return answer;
        }
    }
}

#[test]
fn what_a_slow_owner_lacks_is_not_lost_with_the_primary() {
    // The copy is under way, has just been given up, or was long ago.
    for (seed, ms) in [(1, 1000), (2, 4500), (3, 5000), (4, 5100), (5, 9000), (6, 20_000)] {
        let (mut world, keys) = written(seed);
        pass(&mut world, ms);
        world.kill(FIRST);
        for key in &keys {
            assert_eq!(count(&mut world, SLOW, key), "6\r\n", "{ms} ms after the write");
        }
        pass(&mut world, 2000);
        assert_eq!(world.unequal_copies(), Vec::<String>::new(), "{ms} ms after the write");
    }
}

/// What the primary has told is told again to whoever may not have heard it.
#[test]
fn who_was_away_is_told_what_a_slow_owner_lacks() {
    let (mut world, keys) = written(7);
    world.kill(OTHER);
    pass(&mut world, 8000);
    world.start(OTHER, true);
    // It cannot serve before the slow one says that it has sent it all.
    let from = world.now_ms();
    while !world.is_settled() {
        world.step();
        assert!(world.now_ms() < from + 30_000, "{}", world.describe());
    }
    world.kill(FIRST);
    for key in &keys {
        assert_eq!(count(&mut world, SLOW, key), "6\r\n");
    }
}

/// Who is next waits for what the other one has, as long as it may be coming.
#[test]
fn who_is_next_waits_for_what_the_other_has() {
    let (mut world, [_, key]) = written(8);
    pass(&mut world, 500);
    world.stall(OTHER, SLOW);
    world.kill(FIRST);
    let killed = world.now_ms();
    let mut client = Client::new(SLOW);
    while world.now_ms() < killed + 8000 {
        let request = format!("incr {key} 1\r\n");
        let ended =
            if client.is_busy() { client.poll(&world) } else { client.begin(&mut world, &request) };
        if let Some(Ended::Answer(answer)) = ended {
            assert!(answer.starts_with("SERVER_ERROR"), "{answer}");
        }
        world.step();
    }
    world.go_on(OTHER, SLOW);
    let answer = count(&mut world, SLOW, &key);
    // What read an error may have been done all the same, but never to the older value.
    assert!(answer.trim_end().parse::<u64>().unwrap() >= 6, "{answer}");
}

/// Nor is it read from who lacks it, whoever is next.
#[test]
fn who_lacks_what_the_other_has_does_not_answer_alone() {
    let (mut world, keys) = written(9);
    pass(&mut world, 500);
    world.stall(OTHER, SLOW);
    world.kill(FIRST);
    let is_known = |world: &World| {
        let mut reader = world.nodes[SLOW].up.as_ref().unwrap().shared.view.reader();
        let view = reader.view();
        !view.is_live(view.index_of(id(FIRST)).unwrap())
    };
    while !is_known(&world) {
        world.step();
    }
    let mut clients = keys.each_ref().map(|_| Client::new(SLOW));
    for (client, key) in clients.iter_mut().zip(&keys) {
        assert_eq!(client.begin(&mut world, &format!("get {key}\r\n")), None);
    }
    // As long as a read waits for one that does not answer, and much longer.
    for _ in 0..1000 {
        world.step();
        for client in &mut clients {
            assert_eq!(client.poll(&world), None, "it cannot know what was acknowledged");
        }
    }
    world.go_on(OTHER, SLOW);
    for (mut client, key) in clients.into_iter().zip(&keys) {
        let until = world.now_ms() + 3000;
        let ended = loop {
            world.step();
            match client.poll(&world) {
                None if world.now_ms() < until => {}
                ended => break ended,
            }
        };
        assert_eq!(ended, Some(Ended::Answer(format!("VALUE {key} 0 1\r\n5\r\nEND\r\n"))));
    }
}
