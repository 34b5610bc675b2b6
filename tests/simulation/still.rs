//! What clients read while a node stands still, and once it goes on: nothing that was
//! replaced meanwhile, and nothing that they wrote themselves only later.

use crate::client::Client;
use crate::run::{Plan, ask, rest};
use crate::world::{Delivery, World, id};
use crate::{FIVE_BY_NEAREST, FIVE_BY_QUORUM, THREE};
use ringcached::cluster::{Phase, ReadFrom};
use ringcached::net::gossip::GossipConfig;
use ringcached::net::{Answer, Next, Output};
use std::task::Waker;

fn world(plan: &Plan, gossip: GossipConfig) -> World {
    let mut world = World::at_distance(5, plan, 0, gossip);
    rest(&mut world, 5, "at the start");
    world
}

/// The owners of a key, the primary first.
fn owners(world: &World, key: &str) -> Vec<usize> {
    let mut reader = world.nodes[0].up.as_ref().unwrap().shared.view.reader();
    let view = reader.view();
    let number = |owner| (0..world.nodes.len()).find(|&node| id(node) == view.node(owner));
    view.readers(view.hash(key.as_bytes())).iter().filter_map(number).collect()
}

fn said_of_all(keys: &[String], said: impl Fn(&String) -> String) -> String {
    keys.iter().map(said).collect::<Vec<_>>().concat()
}

/// Whether the first node holds another for live.
fn is_live(world: &World, node: usize) -> bool {
    let members = world.nodes[0].up.as_ref().unwrap().hub.members();
    members.find(id(node)).is_some_and(ringcached::cluster::Member::is_live)
}

/// All links of a node are at their end with the next step.
fn end_links(world: &mut World, at: usize) {
    let links = &world.nodes[at].up.as_ref().unwrap().links;
    let links: Vec<_> = links.iter().map(|(&from, wire)| (from, wire.number)).collect();
    for (from, number) in links {
        let when = world.now_ms() + 1;
        world.plan(when, Delivery::Unlink { at, from, number, if_cut: false });
    }
}

/// A millisecond in which a node hears no gossip.
fn step_unheard(world: &mut World, node: usize) {
    world.coming.retain(|_, it| !matches!(it, Delivery::Packet { to, .. } if *to == node));
    world.step();
}

/// A node was held for dead while it stood still, and does not know it: its clock has not
/// ticked yet when it is asked, and whoever it asks does not answer.
#[test]
fn who_stood_still_reads_nothing_of_its_own_to_its_clients() {
    for read_from in [ReadFrom::Primary, ReadFrom::Nearest, ReadFrom::Quorum] {
        let mut world = world(&Plan { read_from, ..THREE }, GossipConfig::local());
        let keys: Vec<String> = (0..60)
            .map(|number| format!("key-{number}"))
            .filter(|key| owners(&world, key)[1] == 1)
            .collect();
        assert!(keys.len() > 5, "{keys:?}");
        for key in &keys {
            let set = format!("set {key} 0 0 3\r\nold\r\n");
            assert_eq!(ask(&mut world, &mut Client::new(0), &set), "STORED\r\n");
        }
        // It goes on just after a moment at which its clock would have ticked.
        let ms = (2500..2600).find(|ms| (world.now_ms() + ms + 1) % 5 == 1).unwrap();
        world.pause(1, ms);
        // Nobody sends it anything of what is deleted from then on.
        while is_live(&world, 1) {
            world.step();
        }
        let takes_away = said_of_all(&keys, |key| format!("delete {key}\r\n"));
        let answer = ask(&mut world, &mut Client::new(0), &takes_away);
        assert_eq!(answer, "DELETED\r\n".repeat(keys.len()));
        assert!(!world.is_up(1), "it is held for dead too late");
        while !world.is_up(1) {
            step_unheard(&mut world, 1);
        }
        let reads = said_of_all(&keys, |key| format!("mg {key} v\r\n"));
        let mut client = Client::new(1);
        assert_eq!(client.begin(&mut world, &reads), None, "it asks nobody");
        assert_eq!(client.poll(&world), None, "it asks nobody");
        end_links(&mut world, 1);
        step_unheard(&mut world, 1);
        let mut answer = client.poll(&world);
        for _ in 0..20_000 {
            world.step();
            answer = answer.or_else(|| client.poll(&world));
        }
        let answer = format!("{:?}", answer.expect("an answer"));
        assert!(!answer.contains("old"), "{read_from}: {answer}");
        let missed = ask(&mut world, &mut client, &reads);
        assert_eq!(missed, "EN\r\n".repeat(keys.len()), "{read_from}");
    }
}

/// One of three stands still, and is not held for dead yet.
#[test]
fn a_flush_is_done_once_all_that_are_live_have_heard_of_it() {
    for still in 0..3 {
        for node in (0..3).filter(|&node| node != still) {
            let mut world = world(&THREE, GossipConfig::wan());
            world.pause(still, 20_000);
            let answer = ask(&mut world, &mut Client::new(node), "flush_all\r\n");
            let expected = "SERVER_ERROR write not acknowledged\r\n";
            assert_eq!(answer, expected, "at {node}, while {still} stands still");
        }
    }
}

/// Whoever hears that it joins takes its place, and takes none of those copies any more.
#[test]
fn who_stood_still_joins_again_when_all_that_it_had_begun_has_ended() {
    let mut world = world(&THREE, GossipConfig::wan());
    let mut keys = (0..100).map(|number| format!("key-{number}"));
    let key = keys.find(|key| owners(&world, key)[0] == 1).unwrap();
    let set = format!("set {key} 0 0 1\r\nx\r\n");
    assert_eq!(Client::new(1).begin(&mut world, &set), None, "it waits for its copy");
    let from = world.now_ms();
    let others = owners(&world, &key).into_iter().filter(|&owner| owner != 1);
    others.for_each(|owner| world.pause(owner, 2500));
    world.pause(1, 1500);
    let (mut serves_until, mut joins_from) = (from, None);
    while joins_from.is_none() || !serves(&world, 1) {
        world.step();
        if world.is_up(1) && joins_from.is_none() {
            match serves(&world, 1) {
                true => serves_until = world.now_ms(),
                false => joins_from = Some(world.now_ms()),
            }
        }
    }
    assert!(serves_until >= from + 2500, "after {} ms", serves_until - from);
    assert!(joins_from.is_some_and(|ms| ms < from + 2600), "{joins_from:?}, from {from}");
    let get = format!("get {key}\r\n");
    let value = format!("VALUE {key} 0 1\r\nx\r\nEND\r\n");
    assert_eq!(ask(&mut world, &mut Client::new(0), &get), value);
}

fn serves(world: &World, node: usize) -> bool {
    world.nodes[node].up.as_ref().is_some_and(|up| up.hub.card().phase == Phase::Serving)
}

/// All that a node answers to this.
fn say(world: &mut World, node: usize, said: &[u8]) -> Vec<u8> {
    let (mut session, mut out) = (world.session(node), Output::default());
    let (mut said, mut answer) = (said.to_vec(), Vec::new());
    for _ in 0..20_000 {
        let progress = session.answer(&said, &mut out);
        said.drain(..progress.used);
        answer.extend(out.take());
        match progress.next {
            Next::Read if said.is_empty() => return answer,
            Next::Wait => {
                while !session.has_news(Waker::noop()) {
                    world.step();
                }
            }
            Next::Write => {}
            next => panic!("{next:?} before {}", said.escape_ascii()),
        }
    }
    panic!("no end after {}", answer.escape_ascii());
}

/// A request of the binary protocol.
fn binary(opcode: u8, extras: &[u8], key: &str, value: &str) -> Vec<u8> {
    let body = extras.len() + key.len() + value.len();
    let mut packet = vec![0x80, opcode, 0, key.len() as u8, extras.len() as u8, 0, 0, 0];
    packet.extend((body as u32).to_be_bytes());
    packet.extend([0; 12]);
    packet.extend([extras, key.as_bytes(), value.as_bytes()].concat());
    packet
}

/// A read, and what may come behind it in one packet that changes what it reads.
fn pairs(key: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let large = "x".repeat(1 << 20);
    let text = [
        format!("set {key} 0 0 3\r\nnew\r\n"),
        format!("set {key} 0 0 3 noreply\r\nnew\r\n"),
        format!("append {key} 0 0 1\r\n0\r\n"),
        format!("incr {key} 1\r\n"),
        format!("decr {key} 1 noreply\r\n"),
        format!("delete {key}\r\n"),
        format!("delete {key} noreply\r\n"),
        format!("touch {key} 100\r\n"),
        format!("gat 100 {key}\r\n"),
        format!("gats 100 other {key}\r\n"),
        format!("ms {key} 3\r\nnew\r\n"),
        format!("ms {key} 3 q\r\nnew\r\n"),
        format!("ma {key}\r\n"),
        format!("md {key} q\r\n"),
        format!("mg {key} T100\r\n"),
        format!("set {key} 0 0 {}\r\n{large}\r\n", large.len()),
    ];
    let read = format!("mg {key} t v\r\n").into_bytes();
    let packets = [
        binary(0x01, &[0; 8], key, "new"),
        binary(0x11, &[0; 8], key, "new"),
        binary(0x04, &[], key, ""),
        binary(0x14, &[], key, ""),
        binary(0x0e, &[], key, "new"),
    ];
    let pairs = text.into_iter().map(|write| (read.clone(), write.into_bytes()));
    let get = binary(0x00, &[], key, "");
    pairs.chain(packets.into_iter().map(|write| (get.clone(), write))).collect()
}

/// A key, and a node that owns nothing of it and stands where a copy is, but not where the
/// primary is.
fn near_a_copy(world: &World) -> (String, usize) {
    let keys = (0..100).map(|number| format!("key-{number}"));
    let mut pairs = keys.flat_map(|key| (0..5).map(move |node| (key.clone(), node)));
    let fits = |(key, node): &(String, usize)| {
        let owners = owners(world, key);
        let is_near = |owner: &usize| owner % 2 == node % 2;
        !owners.contains(node) && !is_near(&owners[0]) && owners.iter().any(is_near)
    };
    pairs.find(fits).unwrap()
}

/// Whoever was asked stands still, so that the primary is asked for the read after all.
#[test]
fn a_read_sees_nothing_of_what_its_turn_writes_later() {
    for plan in [FIVE_BY_NEAREST, FIVE_BY_QUORUM] {
        let mut world = world(&Plan { zones: 2, ..plan }, GossipConfig::lan());
        let (key, asker) = near_a_copy(&world);
        let owners = owners(&world, &key);
        let set = format!("set {key} 0 0 1\r\n5\r\n");
        for (read, write) in pairs(&key) {
            for &still in &owners[1..] {
                ask(&mut world, &mut Client::new(asker), &set);
                (0..100).for_each(|_| world.step());
                let alone = say(&mut world, asker, &read);
                let both = say(&mut world, asker, &[&read[..], &write].concat());
                assert!(both.starts_with(&alone), "while all are well");
                ask(&mut world, &mut Client::new(asker), &set);
                (0..100).for_each(|_| world.step());
                let alone = say(&mut world, asker, &read);
                world.pause(still, 250);
                let both = say(&mut world, asker, &[&read[..], &write].concat());
                let write = write[..write.len().min(40)].escape_ascii();
                let (both, alone) = (both.escape_ascii(), alone.escape_ascii());
                let is_first = both.to_string().starts_with(&alone.to_string());
                assert!(is_first, "{:?}, {write}: {both}, not {alone}", plan.read_from);
                (0..300).for_each(|_| world.step());
            }
        }
    }
}
