//! Nodes that gossip reaches and calls do not.

use crate::FIVE;
use crate::client::{Client, Ended};
use crate::run::{Plan, ask, pass, rest};
use crate::world::{LINK_IDLE_MS, World, id};
use ringcached::cluster::Phase;
use std::collections::BTreeSet;

/// Until a link that is missing counts, after the last one is at its end: twice the time in
/// which a death is noticed, and some steps.
const UNTIL_MS: u64 = LINK_IDLE_MS + 6800 + 500;

const UNREACHABLE: &str = "SERVER_ERROR no link to the node that keeps this key\r\n";

const KEYS: usize = 24;

fn world(plan: &Plan) -> World {
    let mut world = World::new(1, plan);
    rest(&mut world, 1, "at the start");
    for key in 0..KEYS {
        set(&mut world, 0, key);
    }
    world
}

/// Nobody can link this node.
fn shut_off(world: &mut World, node: usize) {
    for other in (0..world.nodes.len()).filter(|&other| other != node) {
        world.cut_calls(node, other);
    }
}

fn phase(world: &World, node: usize) -> Phase {
    world.nodes[node].up.as_ref().unwrap().hub.card().phase
}

fn set(world: &mut World, node: usize, key: usize) -> String {
    ask(world, &mut Client::new(node), &format!("set key-{key} 0 0 1\r\nx\r\n"))
}

fn get(world: &mut World, node: usize, key: usize) -> String {
    ask(world, &mut Client::new(node), &format!("get key-{key}\r\n"))
}

fn all_works_at(world: &mut World, nodes: &[usize]) {
    for &node in nodes {
        for key in 0..KEYS {
            let value = format!("VALUE key-{key} 0 1\r\nx\r\nEND\r\n");
            assert_eq!(get(world, node, key), value, "at {node}");
            assert_eq!(set(world, node, key), "STORED\r\n", "key-{key} at {node}");
        }
    }
}

#[test]
fn who_cannot_be_linked_by_anybody_leaves_its_keys_to_the_others() {
    for plan in [Plan::USUAL, FIVE] {
        let mut world = world(&plan);
        shut_off(&mut world, 2);
        pass(&mut world, UNTIL_MS);
        assert_eq!(phase(&world, 2), Phase::Joining);
        let others: Vec<usize> = (0..plan.nodes).filter(|&node| node != 2).collect();
        assert!(others.iter().all(|&node| phase(&world, node) == Phase::Serving));
        let from = world.now_ms();
        all_works_at(&mut world, &others);
        let requests = (2 * KEYS * others.len()) as u64;
        assert!(world.now_ms() - from < requests * 20, "none waits");
        // Its own clients are told at once.
        for request in ["get key-1\r\n", "set key-1 0 0 1\r\ny\r\n"] {
            let ended = Client::new(2).begin(&mut world, request);
            assert_eq!(ended, Some(Ended::Answer(UNREACHABLE.to_owned())));
        }
        let ended = Client::new(2).begin(&mut world, "get key-1 key-2\r\n");
        assert_eq!(ended, Some(Ended::Answer("END\r\n".to_owned())));
        world.heal();
        rest(&mut world, 1, "once it is linked");
        all_works_at(&mut world, &(0..plan.nodes).collect::<Vec<_>>());
    }
}

/// At no time two count for one key: all see other numbers, and what was acknowledged is
/// there in the end.
#[test]
fn no_two_execute_while_one_steps_back() {
    for (seed, plan) in [(1, Plan::USUAL), (2, FIVE), (3, FIVE)] {
        let mut world = World::new(seed, &plan);
        rest(&mut world, seed, "at the start");
        let keys: Vec<String> = (0..6).map(|key| format!("count-{key}")).collect();
        for key in &keys {
            ask(&mut world, &mut Client::new(0), &format!("set {key} 0 0 1\r\n0\r\n"));
        }
        let from = world.now_ms();
        let mut clients: Vec<(Client, usize)> =
            (0..4 * plan.nodes).map(|number| (Client::new(number % plan.nodes), 0)).collect();
        let (mut seen, mut greatest) = (BTreeSet::new(), vec![0; keys.len()]);
        let mut is_cut = false;
        while world.now_ms() < from + 30_000 {
            world.step();
            if !is_cut && world.now_ms() > from + 500 {
                is_cut = true;
                for other in (0..plan.nodes).filter(|&other| other != 2) {
                    // With three copies one can still acknowledge what it writes.
                    if seed != 3 || other != 4 {
                        world.cut_calls(2, other);
                    }
                }
            }
            for (client, key) in &mut clients {
                let ended = if client.is_busy() {
                    client.poll(&world)
                } else {
                    *key = world.random.below(keys.len());
                    client.begin(&mut world, &format!("incr {} 1\r\n", keys[*key]))
                };
                if let Some(Ended::Answer(text)) = ended
                    && let Ok(number) = text.trim_end().parse::<u64>()
                {
                    assert!(seen.insert((*key, number)), "seed {seed}: {number} of {key} twice");
                    greatest[*key] = number.max(greatest[*key]);
                }
            }
        }
        assert_eq!(phase(&world, 2), Phase::Joining);
        world.heal();
        rest(&mut world, seed, "once it is linked");
        for (key, greatest) in keys.iter().zip(greatest) {
            let text = ask(&mut world, &mut Client::new(2), &format!("get {key}\r\n"));
            let number: u64 = text.lines().nth(1).unwrap().trim_end().parse().unwrap();
            assert!(number >= greatest, "seed {seed}: {key} is {number}, was {greatest}");
        }
    }
}

#[test]
fn of_two_one_goes_on() {
    let mut world = world(&Plan { nodes: 2, ..Plan::USUAL });
    shut_off(&mut world, 0);
    pass(&mut world, UNTIL_MS);
    let stays = usize::from(id(1) < id(0));
    assert_eq!(phase(&world, stays), Phase::Serving);
    assert_eq!(phase(&world, 1 - stays), Phase::Joining);
    all_works_at(&mut world, &[stays]);
    world.heal();
    rest(&mut world, 1, "once they are linked");
    all_works_at(&mut world, &[0, 1]);
}

/// Where two have no link and both reach most others, both go on.
#[test]
fn a_node_that_has_no_link_to_one_says_so_at_once() {
    let mut world = world(&Plan::USUAL);
    world.cut_calls(0, 2);
    pass(&mut world, UNTIL_MS);
    assert!((0..3).all(|node| phase(&world, node) == Phase::Serving));
    let from = world.now_ms();
    let mut refused = 0;
    for key in 0..KEYS {
        let value = format!("VALUE key-{key} 0 1\r\nx\r\nEND\r\n");
        for node in 0..3 {
            assert_eq!(get(&mut world, node, key), value, "at {node}");
        }
        match set(&mut world, 0, key).as_str() {
            UNREACHABLE => refused += 1,
            "STORED\r\n" | "SERVER_ERROR write not acknowledged\r\n" => {}
            other => panic!("{other:?}"),
        }
    }
    assert!((4..12).contains(&refused), "a third of all: {refused}");
    assert!(world.now_ms() - from < 4 * KEYS as u64 * 40, "none waits");
    let text = ask(&mut world, &mut Client::new(0), "stats cluster\r\n");
    assert!(text.contains(&format!("STAT requests_out_of_reach {refused}\r\n")), "{text}");
    world.heal();
    pass(&mut world, 1000);
    all_works_at(&mut world, &[0, 1, 2]);
}
