//! A node that swallows what it is sent.

use crate::client::Client;
use crate::run::{Plan, ask, rest};
use crate::world::{World, id};

/// What a read waits for the primary before it asks another owner.
const HEDGE_MS: u64 = 25;

/// Reads that find out that a node does not answer, in milliseconds each, until one is
/// answered at once.
const FIRST_MAX: usize = 8;

/// A key whose primary is the one and whose other owner the other.
pub(crate) fn key_of(world: &World, primary: usize, other: usize) -> String {
    let mut reader = world.nodes[0].up.as_ref().unwrap().shared.view.reader();
    let view = reader.view();
    let is_theirs = |key: &String| {
        let owners = view.readers(view.hash(key.as_bytes())).iter().map(|owner| view.node(owner));
        owners.eq([id(primary), id(other)])
    };
    (0..10_000).map(|number| format!("key-{number}")).find(is_theirs).unwrap()
}

/// How long a read takes, which finds the key.
fn read(world: &mut World, client: &mut Client, key: &str) -> u64 {
    let from = world.now_ms();
    let answer = ask(world, client, &format!("get {key}\r\n"));
    assert_eq!(answer, format!("VALUE {key} 0 1\r\nx\r\nEND\r\n"));
    world.now_ms() - from
}

fn stat(world: &mut World, name: &str) -> String {
    let text = ask(world, &mut Client::new(0), "stats cluster\r\n");
    let start = format!("STAT {name} ");
    text.lines().find_map(|line| line.strip_prefix(&start)).unwrap().to_owned()
}

fn three(seed: u64) -> World {
    let mut world = World::new(seed, &Plan::USUAL);
    rest(&mut world, seed, "at the start");
    world
}

#[test]
fn a_node_that_does_not_answer_costs_only_the_first_reads() {
    for (seed, other) in [(1, 0), (2, 2)] {
        let mut world = three(seed);
        let (mut client, key) = (Client::new(0), key_of(&world, 1, other));
        ask(&mut world, &mut client, &format!("set {key} 0 0 1\r\nx\r\n"));
        let breaker = format!("{}:breaker", id(1));
        assert_eq!(stat(&mut world, &breaker), "closed");

        world.cut(0, 1);
        let mut first = Vec::new();
        while stat(&mut world, &breaker) == "closed" && first.len() < FIRST_MAX {
            first.push(read(&mut world, &mut client, &key));
        }
        assert!(first.len() < FIRST_MAX && first.iter().all(|&ms| ms >= HEDGE_MS), "{first:?}");
        let from = world.now_ms();
        let mut later: Vec<u64> = (0..20).map(|_| read(&mut world, &mut client, &key)).collect();
        later.sort_unstable();
        assert!(later[later.len() / 2] < 10, "{later:?}");
        // Now and then one finds out.
        let mut slow = 0;
        while world.now_ms() < from + 1000 {
            slow += usize::from(read(&mut world, &mut client, &key) >= HEDGE_MS);
        }
        // Some answers of others are late too; were all asked of it, there were forty.
        assert!((1..20).contains(&slow), "{slow}");
        assert_eq!(stat(&mut world, "breakers_opened"), "1");
        assert!(stat(&mut world, "reads_past_breakers").parse::<usize>().unwrap() >= 20);

        world.heal();
        let healed = world.now_ms();
        while stat(&mut world, &breaker) == "open" {
            world.step();
            assert!(world.now_ms() < healed + 1000, "it answers, and is not asked");
        }
        let past = stat(&mut world, "reads_past_breakers");
        read(&mut world, &mut client, &key);
        assert_eq!(stat(&mut world, "reads_past_breakers"), past);
    }
}

#[test]
fn writes_go_where_they_belong_all_the_same() {
    let mut world = three(3);
    let (mut client, key) = (Client::new(0), key_of(&world, 1, 2));
    ask(&mut world, &mut client, &format!("set {key} 0 0 1\r\nx\r\n"));
    world.cut(0, 1);
    for _ in 0..FIRST_MAX {
        read(&mut world, &mut client, &key);
    }
    assert_eq!(stat(&mut world, "breakers_opened"), "1");
    // A write waits for its primary, and a read behind it for the write.
    let request = format!("set {key} 0 0 1\r\ny\r\nget {key}\r\n");
    let mut writer = Client::new(0);
    assert_eq!(writer.begin(&mut world, &request), None);
    for _ in 0..100 {
        world.step();
        assert_eq!(writer.poll(&world), None);
    }
    assert!(read(&mut world, &mut client, &key) < HEDGE_MS);
    world.heal();
    let answer = loop {
        world.step();
        if let Some(answer) = writer.poll(&world) {
            break answer;
        }
    };
    let expected = format!("STORED\r\nVALUE {key} 0 1\r\ny\r\nEND\r\n");
    assert_eq!(answer, crate::client::Ended::Answer(expected));
}
