//! The lesser of two halves takes no writes.

use crate::client::{Client, Ended};
use crate::run::{Plan, ask, rest};
use crate::world::{World, id};
use ringcached::node::Effect;

const KEYS: usize = 40;

const REFUSED: &str = "SERVER_ERROR too few nodes are seen to take writes\r\n";

const FIVE: Plan = Plan { nodes: 5, copies: 3, min_nodes_for_writes: 3, ..Plan::USUAL };

/// A death is noticed, and what was promised before it is over, within this with `lan`; the
/// deaths of several are not noticed at once.
const NOTICED_MS: u64 = 12_000;

fn set(world: &mut World, node: usize, number: usize, value: &str) -> String {
    let set = format!("set key-{number} 0 0 {}\r\n{value}\r\n", value.len());
    ask(world, &mut Client::new(node), &set)
}

fn get(world: &mut World, node: usize, number: usize) -> String {
    ask(world, &mut Client::new(node), &format!("get key-{number}\r\n"))
}

fn found(number: usize, value: &str) -> String {
    format!("VALUE key-{number} 0 {}\r\n{value}\r\nEND\r\n", value.len())
}

/// What each node said last of whether it takes writes, and since when.
fn takes(world: &World, node: usize) -> Option<(u64, bool, usize)> {
    let mut told = world.told.iter().rev();
    told.find_map(|(at, who, effect)| match effect {
        Effect::TellWrites(taken, seen) if *who == node => Some((*at, *taken, *seen)),
        _ => None,
    })
}

/// Writes a key every 50 ms, at each node in turn; those that are acknowledged.
fn write_meanwhile(world: &mut World, until: u64) -> Vec<usize> {
    let mut writers: Vec<(usize, Client)> = Vec::new();
    let (mut next, mut kept) = (KEYS, Vec::new());
    while world.now_ms() < until || !writers.is_empty() {
        world.step();
        let stored = Ended::Answer("STORED\r\n".to_owned());
        if world.now_ms() < until && world.now_ms().is_multiple_of(50) {
            let mut client = Client::new(next % 5);
            let set = format!("set key-{next} 0 0 4\r\nlate\r\n");
            match client.begin(world, &set) {
                Some(ended) if ended == stored => kept.push(next),
                Some(_) => {}
                None => writers.push((next, client)),
            }
            next += 1;
        }
        writers.retain_mut(|(number, client)| {
            let ended = client.poll(world);
            kept.extend((ended.as_ref() == Some(&stored)).then_some(*number));
            ended.is_none()
        });
    }
    kept
}

#[test]
fn the_lesser_half_takes_no_writes_and_the_greater_goes_on() {
    for seed in 1..6 {
        let mut world = World::new(seed, &FIVE);
        rest(&mut world, seed, "at the start");
        for number in 0..KEYS {
            assert_eq!(set(&mut world, number % 5, number, "early"), "STORED\r\n");
        }
        world.part(|node| node < 2);
        let cut = world.now_ms();
        let mut last: Vec<String> = vec!["early".to_owned(); KEYS];
        let kept = write_meanwhile(&mut world, cut + NOTICED_MS);
        assert!(kept.len() > KEYS, "{} writes", kept.len());
        for node in 0..2 {
            let (at, taken, seen) = takes(&world, node).unwrap();
            assert!(!taken && seen == 2, "node {node} sees {seen}");
            assert!(at < cut + NOTICED_MS);
            for number in 0..KEYS {
                assert_eq!(set(&mut world, node, number, "of the lesser"), REFUSED);
            }
        }
        for node in 2..5 {
            assert!(takes(&world, node).is_some_and(|(_, taken, seen)| taken && seen >= 3));
            for number in (node..KEYS).step_by(3) {
                let value = format!("of the greater by {node}");
                assert_eq!(set(&mut world, node, number, &value), "STORED\r\n", "{number}");
                last[number] = value;
            }
        }
        // Reads go on in both, by whatever owners are there.
        let answered = (0..KEYS).filter(|&key| get(&mut world, 0, key) == found(key, "early"));
        assert!(answered.count() > KEYS / 2);
        world.heal();
        rest(&mut world, seed, "in the end");
        for node in 0..5 {
            assert!(takes(&world, node).is_some_and(|(_, taken, seen)| taken && seen >= 3));
            // Also what the lesser half acknowledged before it noticed.
            for &number in &kept {
                assert_eq!(get(&mut world, node, number), found(number, "late"), "{}", id(node));
            }
            for (number, value) in last.iter().enumerate() {
                assert_eq!(get(&mut world, node, number), found(number, value), "{}", id(node));
            }
        }
        assert_eq!(world.unequal_copies(), Vec::<String>::new());
        assert_eq!(set(&mut world, 0, 0, "again"), "STORED\r\n");
    }
}
