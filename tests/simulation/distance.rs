//! Nodes that are far from each other, or become so: a read waits for as long as an
//! answer takes, and no longer for who stands still.

use crate::client::Client;
use crate::run::{Plan, ask, rest};
use crate::world::World;
use ringcached::net::gossip::GossipConfig;
use ringcached::node::Sums;

/// How long a packet takes between continents.
const FAR_MS: u64 = 80;

fn world(distance_ms: u64, gossip: GossipConfig) -> World {
    let mut world = World::at_distance(5, &Plan::USUAL, distance_ms, gossip);
    rest(&mut world, 5, "at the start");
    // All are measured.
    (0..5000).for_each(|_| world.step());
    world
}

fn sums(world: &World) -> Sums {
    world.nodes[0].up.as_ref().unwrap().shared.sums()
}

fn breakers_opened(world: &mut World) -> String {
    let text = ask(world, &mut Client::new(0), "stats cluster\r\n");
    text.lines().find_map(|line| line.strip_prefix("STAT breakers_opened ")).unwrap().to_owned()
}

/// How long reads of all these keys take, and how many asked others.
fn read(world: &mut World, keys: std::ops::Range<usize>) -> (Vec<u64>, u64) {
    let before = sums(world).reads_hedged;
    let mut client = Client::new(0);
    let mut read = |key| {
        let from = world.now_ms();
        let answer = ask(world, &mut client, &format!("get key-{key}\r\n"));
        assert_eq!(answer, format!("VALUE key-{key} 0 1\r\nx\r\nEND\r\n"));
        world.now_ms() - from
    };
    let took = keys.map(&mut read).collect();
    (took, sums(world).reads_hedged - before)
}

fn write(world: &mut World, keys: std::ops::Range<usize>) {
    for key in keys {
        let stored = ask(world, &mut Client::new(0), &format!("set key-{key} 0 0 1\r\nx\r\n"));
        assert_eq!(stored, "STORED\r\n");
    }
}

#[test]
fn who_is_far_is_given_the_time_that_it_takes() {
    let mut world = world(FAR_MS, GossipConfig::wan());
    write(&mut world, 0..60);
    let (took, hedged) = read(&mut world, 0..60);
    let asked = took.iter().filter(|&&ms| ms >= 2 * FAR_MS).count();
    assert!((20..60).contains(&asked), "{took:?}");
    assert_eq!((hedged, breakers_opened(&mut world).as_str()), (0, "0"));
}

#[test]
fn one_that_is_far_and_stands_still_is_not_waited_for() {
    let mut world = world(FAR_MS, GossipConfig::wan());
    write(&mut world, 0..60);
    world.pause(1, 4000);
    let (took, hedged) = read(&mut world, 0..60);
    assert!(hedged > 0 && took.iter().all(|&ms| ms < 8 * FAR_MS), "{took:?}");
    let slow = took.iter().filter(|&&ms| ms > 3 * FAR_MS).count();
    assert!(slow <= 8, "the breaker is open: {took:?}");
}

/// Whoever stands still again and again answers late, and all at once.
#[test]
fn late_answers_of_a_near_node_win_it_no_time() {
    let mut world = world(0, GossipConfig::lan());
    write(&mut world, 0..60);
    for _ in 0..4 {
        world.pause(1, 900);
        let (took, hedged) = read(&mut world, 0..60);
        assert!(hedged > 0 && took.iter().all(|&ms| ms < 100), "{took:?}");
        (0..3000).for_each(|_| world.step());
    }
}

#[test]
fn who_was_near_and_is_far_is_measured_anew() {
    let mut world = world(0, GossipConfig::wan());
    write(&mut world, 0..60);
    world.set_distance(FAR_MS);
    let (_, hedged) = read(&mut world, 0..60);
    assert!(hedged > 0, "nobody knows it yet");
    (0..12_000).for_each(|_| world.step());
    let opened = breakers_opened(&mut world);
    let (took, hedged) = read(&mut world, 0..60);
    assert_eq!((hedged, breakers_opened(&mut world)), (0, opened), "{took:?}");
}
