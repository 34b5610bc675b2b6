//! Reads that need not be the primary's: who answers them, and what becomes of copies
//! that they find behind.

use crate::client::{Client, Ended};
use crate::run::{Plan, ask, pass, rest};
use crate::world::{World, id};
use crate::{FIVE, FIVE_BY_NEAREST, FIVE_BY_QUORUM};
use ringcached::item::{Copied, CopiedBody, Expiry, Key, Now, Standing, Version};
use ringcached::limits::TURN_BYTES_HIGH;
use ringcached::net::{Answer, Output};
use ringcached::wire::{Ask, Behind, Executor, Message, Protocol, Reply, Request};
use std::sync::Arc;

fn world(plan: &Plan) -> World {
    let mut world = World::new(3, plan);
    rest(&mut world, 3, "at the start");
    world
}

/// The owners of a key, the primary first.
fn owners(world: &World, key: &str) -> Vec<usize> {
    let mut reader = world.nodes[0].up.as_ref().unwrap().shared.view.reader();
    let view = reader.view();
    let number = |owner| (0..world.nodes.len()).find(|&node| id(node) == view.node(owner));
    view.readers(view.hash(key.as_bytes())).iter().filter_map(number).collect()
}

/// Bytes that a node has for others and has not sent.
fn unsent(world: &World, node: usize) -> usize {
    let links = world.nodes[node].up.as_ref().unwrap().links.values();
    links.map(|wire| wire.link.bytes_waiting()).sum()
}

/// What all nodes have counted together.
fn count(world: &World, what: impl Fn(&ringcached::node::Sums) -> u64) -> u64 {
    let up = world.nodes.iter().filter_map(|node| node.up.as_ref());
    up.map(|up| what(&up.shared.sums())).sum()
}

/// Gives one node a copy that was written so long ago; none is a tombstone.
fn keep(world: &World, node: usize, key: &str, ago_ms: u64, value: Option<&str>) {
    let shared = &world.nodes[node].up.as_ref().unwrap().shared;
    let version = Version::end_of(Now::from_unix_ms(world.now().unix_ms() - ago_ms));
    let body = value.map(|value| CopiedBody {
        flags: 0,
        cas: version.0,
        standing: Standing::default(),
        value: value.as_bytes(),
    });
    let hash = shared.view.reader().view().hash(key.as_bytes());
    let copied = Copied { version, expiry: Expiry::Never, body };
    shared.store.merge(hash, Key::new(key.as_bytes()).unwrap(), world.now(), &copied);
}

/// All nodes read a key, again and again: each finds what it can compare.
fn read_everywhere(world: &mut World, key: &str) -> Vec<String> {
    let mut answers = Vec::new();
    for _ in 0..3 {
        for node in 0..world.nodes.len() {
            answers.push(ask(world, &mut Client::new(node), &format!("get {key}\r\n")));
        }
        pass(world, 1500);
    }
    answers
}

#[test]
fn an_owner_answers_from_its_own_copy_without_a_call() {
    let mut world = world(&FIVE_BY_NEAREST);
    for number in 0..8 {
        let key = format!("key-{number}");
        ask(&mut world, &mut Client::new(0), &format!("set {key} 0 0 1\r\nx\r\n"));
        let owners = owners(&world, &key);
        let reads = [
            (format!("get {key}\r\n"), format!("VALUE {key} 0 1\r\nx\r\nEND\r\n")),
            (format!("mg {key} v\r\n"), "VA 1\r\nx\r\n".to_owned()),
            (
                format!("get {key} {key}\r\n"),
                format!("{0}{0}END\r\n", format_args!("VALUE {key} 0 1\r\nx\r\n")),
            ),
        ];
        for node in 0..5 {
            for (read, expected) in &reads {
                let mut client = Client::new(node);
                let ended = client.begin(&mut world, read);
                let is_owner = owners.contains(&node);
                assert_eq!(unsent(&world, node) == 0, is_owner, "{read:?} at {node}");
                let at_once = is_owner.then(|| Ended::Answer(expected.clone()));
                assert_eq!(ended, at_once, "{read:?} at {node}, owners {owners:?}");
                pass(&mut world, 200);
                let answer = ended.or_else(|| client.poll(&world));
                assert_eq!(answer, Some(Ended::Answer(expected.clone())));
            }
        }
        // What changes something is the primary's.
        let touch = format!("gat 100 {key}\r\n");
        let at_once = |&node: &usize| Client::new(node).begin(&mut world, &touch).is_some();
        assert_eq!(owners.iter().map(at_once).collect::<Vec<_>>(), [false; 3]);
        pass(&mut world, 50);
    }
    assert!(count(&world, |sums| sums.reads_from_copies) >= 8 * 3 * 2);
}

#[test]
fn whoever_owns_none_asks_an_owner_in_its_own_zone() {
    let mut world = world(&Plan { zones: 2, ..FIVE_BY_NEAREST });
    let mut passed_over = 0;
    for number in 0..20 {
        let key = format!("key-{number}");
        let owners = owners(&world, &key);
        for node in (0..5).filter(|node| !owners.contains(node)) {
            let _ = Client::new(node).begin(&mut world, &format!("get {key}\r\n"));
            let links = &world.nodes[node].up.as_ref().unwrap().links;
            let asked = links.iter().filter(|(_, wire)| wire.link.bytes_waiting() > 0);
            let asked: Vec<usize> = asked.map(|(&peer, _)| peer).collect();
            // The first of those that stand where it does.
            let near = owners.iter().position(|owner| owner % 2 == node % 2).unwrap();
            assert_eq!(asked, [owners[near]], "{key} at {node}, owners {owners:?}");
            passed_over += near;
            pass(&mut world, 100);
        }
    }
    assert!(passed_over > 5);
}

#[test]
fn a_read_does_not_overtake_what_its_turn_wrote() {
    for plan in [FIVE_BY_NEAREST, FIVE_BY_QUORUM] {
        let mut world = world(&plan);
        for node in 0..5 {
            let mut client = Client::new(node);
            for value in 0..9 {
                let turn = format!("set own 0 0 1\r\n{value}\r\nget own\r\nmg own v\r\n");
                let expected =
                    format!("STORED\r\nVALUE own 0 1\r\n{value}\r\nEND\r\nVA 1\r\n{value}\r\n");
                assert_eq!(ask(&mut world, &mut client, &turn), expected);
            }
        }
    }
}

#[test]
fn only_the_primary_has_something_to_win() {
    for plan in [FIVE_BY_NEAREST, FIVE_BY_QUORUM] {
        let mut world = world(&plan);
        for number in 0..6 {
            let key = format!("key-{number}");
            ask(&mut world, &mut Client::new(0), &format!("ms {key} 1\r\nx\r\n"));
            ask(&mut world, &mut Client::new(0), &format!("md {key} I\r\n"));
            let read = format!("mg {key} v\r\n");
            let hedged = count(&world, |sums| sums.reads_hedged);
            let answers: Vec<String> = (0..10)
                .map(|client| ask(&mut world, &mut Client::new((number + client) % 5), &read))
                .collect();
            let won = answers.iter().filter(|&answer| answer == "VA 1 X W\r\nx\r\n").count();
            let lost = answers.iter().filter(|&answer| answer == "VA 1 Z X\r\nx\r\n").count();
            // Whose win comes late is answered by others who have lost.
            let was_late = count(&world, |sums| sums.reads_hedged) > hedged;
            assert!(won <= 1 && (was_late || (won, lost) == (1, 9)), "{answers:?}");
        }
    }
}

#[test]
fn reads_bring_copies_that_are_behind_up_to_date() {
    for newest in [Some("new"), None] {
        let mut world = world(&FIVE_BY_QUORUM);
        let owners = owners(&world, "torn");
        for &owner in &owners {
            keep(&world, owner, "torn", 40_000, Some("old"));
        }
        keep(&world, owners[1], "torn", 30_000, newest);
        pass(&mut world, 5000);
        assert!(!world.unequal_copies().is_empty(), "nobody has read it");
        let answers = read_everywhere(&mut world, "torn");
        assert_eq!(world.unequal_copies(), Vec::<String>::new());
        let last = newest.map_or_else(
            || "END\r\n".to_owned(),
            |new| format!("VALUE torn 0 3\r\n{new}\r\nEND\r\n"),
        );
        assert_eq!(answers[10..], vec![last; 5]);
        assert!(count(&world, |sums| sums.read_repairs) >= 2);
    }
}

/// The primary stands still, so the other two owners are asked.
#[test]
fn hedged_reads_bring_copies_that_are_behind_up_to_date() {
    let mut world = world(&FIVE);
    let owners = owners(&world, "torn");
    let stranger = (0..5).find(|node| !owners.contains(node)).unwrap();
    for &owner in &owners {
        keep(&world, owner, "torn", 40_000, Some("old"));
    }
    keep(&world, owners[1], "torn", 30_000, Some("new"));
    world.pause(owners[0], 500);
    let answer = ask(&mut world, &mut Client::new(stranger), "get torn\r\n");
    assert_eq!(answer, "VALUE torn 0 3\r\nnew\r\nEND\r\n");
    pass(&mut world, 3000);
    let has = |node: usize| {
        let shared = &world.nodes[node].up.as_ref().unwrap().shared;
        let hash = shared.view.reader().view().hash(b"torn");
        let key = Key::new(b"torn").unwrap();
        shared.store.version(hash, key, world.now())
    };
    assert_eq!(has(owners[2]), has(owners[1]));
    assert!(has(owners[0]) < has(owners[1]), "nobody has compared it");
    assert_eq!(count(&world, |sums| sums.read_repairs), 1);
    assert!(count(&world, |sums| sums.reads_hedged) > 0);
}

/// It counts for writes, and answers nothing for as long as it is sent what it lacks. The primary
/// stands still, so one owner is left.
#[test]
fn an_owner_that_catches_up_is_not_waited_for() {
    let mut world = world(&Plan { nodes: 3, copies: 3, ..Plan::USUAL });
    let key = (0..).map(|number| format!("key-{number}"));
    let key = key.into_iter().find(|key| owners(&world, key)[0] == 0).unwrap();
    ask(&mut world, &mut Client::new(0), &format!("set {key} 0 0 1\r\nx\r\n"));
    let sources = [0, 1].map(|node| Arc::clone(&world.nodes[node].up.as_ref().unwrap().shared));
    for source in &sources {
        source.moves().unwrap().pause();
    }
    world.kill(2);
    pass(&mut world, 3000);
    world.start(2, true);
    pass(&mut world, 2000);
    let phases = {
        let mut reader = sources[1].view.reader();
        let view = reader.view();
        let index = view.index_of(id(2)).unwrap();
        (view.is_live(index), view.executes(index))
    };
    assert_eq!(phases, (true, false), "it takes copies, and catches up");
    world.pause(0, 900);
    let mut client = Client::new(1);
    assert_eq!(client.begin(&mut world, &format!("get {key}\r\n")), None);
    let began = world.now_ms();
    let ended = loop {
        world.step();
        match client.poll(&world) {
            None if world.now_ms() < began + 200 => {}
            ended => break ended,
        }
    };
    assert_eq!(ended, Some(Ended::Answer(format!("VALUE {key} 0 1\r\nx\r\nEND\r\n"))));
    assert!(count(&world, |sums| sums.reads_hedged) > 0);
}

/// What one owner has evicted it is not sent again with each read.
#[test]
fn who_has_nothing_at_all_is_not_behind() {
    let mut world = world(&FIVE_BY_QUORUM);
    let owners = owners(&world, "evicted");
    for &owner in &owners[..2] {
        keep(&world, owner, "evicted", 30_000, Some("there"));
    }
    let answers = read_everywhere(&mut world, "evicted");
    assert!(answers.iter().all(|answer| answer == "VALUE evicted 0 5\r\nthere\r\nEND\r\n"));
    assert!(!world.unequal_copies().is_empty());
    assert_eq!(count(&world, |sums| sums.read_repairs), 0);
}

/// Of a write that is under way some owners have nothing yet.
#[test]
fn what_is_young_is_not_behind() {
    let mut world = world(&FIVE_BY_QUORUM);
    let owners = owners(&world, "young");
    for &owner in &owners {
        keep(&world, owner, "young", 30_000, Some("old"));
    }
    keep(&world, owners[1], "young", 0, Some("new"));
    read_everywhere(&mut world, "young");
    assert_eq!(count(&world, |sums| sums.read_repairs), 0);
    pass(&mut world, 10_000);
    read_everywhere(&mut world, "young");
    assert_eq!(world.unequal_copies(), Vec::<String>::new());
}

#[test]
fn only_owners_are_told_who_is_behind() {
    let mut world = world(&FIVE_BY_QUORUM);
    let owners = owners(&world, "key");
    let stranger = (0..5).find(|node| !owners.contains(node)).unwrap();
    let slot = {
        let mut reader = world.nodes[0].up.as_ref().unwrap().shared.view.reader();
        let view = reader.view();
        view.slot(view.hash(b"key"))
    };
    let mut tell = |to: usize, slot, node: u64| {
        let mut frame = Vec::new();
        Message::Behind(Behind { slot, node }).encode(&mut frame);
        let now = world.now();
        let up = world.nodes[to].up.as_mut().unwrap();
        let link = up.links.values().next().unwrap().link.clone();
        assert_eq!(up.hub.handle_frame(&link, &frame[4..], now), Ok(true));
        up.shared.sums().read_repairs
    };
    let (one, other) = (owners[0], id(owners[1]).0);
    assert_eq!(tell(stranger, slot, other), 0, "it does not own the slot");
    assert_eq!(tell(one, slot, id(stranger).0), 0, "who is behind does not own it");
    assert_eq!(tell(one, slot, id(one).0), 0, "nobody is behind itself");
    assert_eq!(tell(one, slot, 7), 0, "there is no such node");
    assert_eq!(tell(one, 256, other), 0, "there is no such slot");
    assert_eq!(tell(one, u32::MAX, other), 0, "there is no such slot");
    assert_eq!(tell(one, slot, other), 1);
}

/// Whatever another node asks of a copy, it changes nothing, and who owns none answers
/// nothing.
#[test]
fn a_copy_is_only_read_and_only_by_its_owner() {
    let mut world = world(&FIVE_BY_NEAREST);
    ask(&mut world, &mut Client::new(0), "set key 0 0 1\r\nx\r\n");
    let owners = owners(&world, "key");
    let stranger = (0..5).find(|node| !owners.contains(node)).unwrap();
    let mut answer = |to: usize, executor, bytes: &str| {
        let requests = vec![Request { protocol: Protocol::Text, bytes: bytes.as_bytes() }];
        let mut frame = Vec::new();
        Message::Ask(Ask { call: 1, executor, requests }).encode(&mut frame);
        let now = world.now();
        let up = world.nodes[to].up.as_mut().unwrap();
        let link = up.links.values().next().unwrap().link.clone();
        assert_eq!(up.hub.handle_frame(&link, &frame[4..], now), Ok(true));
        let told = link.take_outgoing();
        match Message::decode(&told[4..]) {
            Ok(Message::Told(told)) => match told.replies[..] {
                [Reply::Owned { bytes, .. }] => Some(bytes.escape_ascii().to_string()),
                [Reply::NotMine] => None,
                _ => panic!("{told:?}"),
            },
            other => panic!("{other:?}"),
        }
    };
    let value = Some(r"VALUE key 0 1\r\nx\r\nEND\r\n".to_owned());
    assert_eq!(answer(owners[2], Executor::Copy, "get key\r\n"), value);
    assert_eq!(answer(stranger, Executor::Copy, "get key\r\n"), None);
    for executor in [Executor::Copy, Executor::Owner] {
        for write in [
            "set key 0 0 1\r\ny\r\n",
            "gat 9 key\r\n",
            "delete key\r\n",
            "mg key T9\r\n",
            "mg new N9\r\n",
        ] {
            assert_eq!(answer(owners[2], executor, write), None, "{write}");
        }
    }
    assert_eq!(answer(owners[2], Executor::Copy, "get key\r\n"), value);
}

/// What this node has read of its own and cannot say yet is not to grow with the
/// pipeline.
#[test]
fn own_copies_that_wait_for_others_are_few() {
    let mut world = world(&FIVE_BY_QUORUM);
    let value = "x".repeat(60_000);
    ask(&mut world, &mut Client::new(0), &format!("set key 0 0 60000\r\n{value}\r\n"));
    rest(&mut world, 3, "once all owners have it");
    let mut session = world.session(owners(&world, "key")[1]);
    let turn = "get key\r\n".repeat(100);
    let progress = session.answer(turn.as_bytes(), &mut Output::default());
    let most = TURN_BYTES_HIGH.div_ceil(value.len()) * "get key\r\n".len();
    assert!(progress.used > 0 && progress.used <= most, "{} bytes", progress.used);
}
