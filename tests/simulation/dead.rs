//! Keys all of whose owners are held for dead.

use crate::client::{Client, Ended};
use crate::run::{Plan, ask, rest};
use crate::world::{World, id};
use ringcached::cluster::{Phase, Standing};

/// Of a key whose owners are down: a read, a read of many keys, and a write.
const READ: &str = "SERVER_ERROR node does not answer\r\n";
const WRITE: &str = "SERVER_ERROR all nodes that keep this key are down\r\n";

fn world() -> World {
    let mut world = World::new(4, &Plan::USUAL);
    rest(&mut world, 4, "at the start");
    world
}

/// A key that only nodes 1 and 2 keep.
fn key(world: &World) -> String {
    let mut reader = world.nodes[0].up.as_ref().unwrap().shared.view.reader();
    let view = reader.view();
    let is_theirs = |key: &String| {
        let owners = view.readers(view.hash(key.as_bytes()));
        owners.iter().all(|owner| view.node(owner) != id(0))
    };
    (0..10_000).map(|number| format!("key-{number}")).find(is_theirs).unwrap()
}

/// The standings of the others, as the first node sees them.
fn all_are(world: &World, what: impl Fn(Standing) -> bool) -> bool {
    let members = world.nodes[0].up.as_ref().unwrap().hub.members();
    [1, 2].into_iter().all(|node| members.find(id(node)).is_none_or(|there| what(there.standing)))
}

fn until(world: &mut World, what: &str, is_so: impl Fn(&World) -> bool) {
    let from = world.now_ms();
    while !is_so(world) {
        world.step();
        assert!(world.now_ms() < from + 60_000, "{what} does not come");
    }
}

fn count(world: &World) -> u64 {
    world.nodes[0].up.as_ref().unwrap().shared.sums().requests_without_owner
}

#[test]
fn nobody_waits_for_owners_that_are_down() {
    let mut world = world();
    let key = key(&world);
    ask(&mut world, &mut Client::new(0), &format!("set {key} 0 0 1\r\nx\r\n"));
    world.kill(1);
    world.kill(2);
    until(&mut world, "a suspicion", |world| all_are(world, |it| it != Standing::Alive));
    assert!(all_are(&world, |it| it == Standing::Suspect), "they died at one moment");
    // It may yet be that they live.
    let (mut reader, mut writer) = (Client::new(0), Client::new(0));
    assert_eq!(reader.begin(&mut world, &format!("get {key}\r\n")), None);
    assert_eq!(writer.begin(&mut world, &format!("set {key} 0 0 1\r\ny\r\n")), None);
    (0..100).for_each(|_| world.step());
    assert_eq!((reader.poll(&world), writer.poll(&world), count(&world)), (None, None, 0));

    until(&mut world, "their death", |world| {
        all_are(world, |it| matches!(it, Standing::Down { .. }))
    });
    // Who has waited waits no longer.
    let (mut read, mut written) = (None, None);
    for _ in 0..50 {
        world.step();
        read = read.or_else(|| reader.poll(&world));
        written = written.or_else(|| writer.poll(&world));
    }
    assert_eq!(read, Some(Ended::Answer(READ.to_owned())));
    assert!(matches!(written, Some(Ended::Answer(text)) if text.starts_with("SERVER_ERROR")));
    let before = count(&world);
    let cases = [
        (format!("get {key}\r\n"), READ),
        (format!("get {key} {key}\r\n"), "END\r\n"),
        (format!("gat 9 {key}\r\n"), WRITE),
        (format!("mg {key} v\r\n"), READ),
        (format!("set {key} 0 0 1\r\nz\r\n"), WRITE),
        (format!("set {key} 0 0 1 noreply\r\nz\r\nincr {key} 1\r\n"), WRITE),
        (format!("ms {key} 1\r\nz\r\n"), WRITE),
        (format!("delete {key}\r\nmn\r\n"), "MN\r\n"),
    ];
    for (request, expected) in cases {
        let answer = Client::new(0).begin(&mut world, &request);
        let Some(Ended::Answer(answer)) = answer else { panic!("{request:?} waits") };
        assert!(answer.ends_with(expected) && answer.len() < 80, "{request:?}: {answer:?}");
    }
    assert_eq!(count(&world), before + 10);

    until(&mut world, "the end of grace", |world| {
        world.nodes[0].up.as_ref().unwrap().hub.members().is_empty()
    });
    let stored = ask(&mut world, &mut Client::new(0), &format!("set {key} 0 0 1\r\ny\r\n"));
    assert_eq!(stored, "STORED\r\n");
}

/// Who joins knows too little: he may have been told of a death, and not of who is back.
#[test]
fn who_joins_says_of_nobody_that_it_is_dead() {
    let mut world = world();
    let key = key(&world);
    world.kill(1);
    world.kill(2);
    until(&mut world, "their death", |world| {
        all_are(world, |it| matches!(it, Standing::Down { .. }))
    });
    let now = world.now_at(0);
    let renewed = ringcached::cluster::Event::Renewed {
        generation: now.unix_ms(),
        cause: ringcached::cluster::Cause::Itself,
    };
    let hub = &mut world.nodes[0].up.as_mut().unwrap().hub;
    hub.handle_event(&renewed, now).unwrap();
    assert_eq!(hub.card().phase, Phase::Joining);
    assert_eq!(Client::new(0).begin(&mut world, &format!("get {key}\r\n")), None);
    assert_eq!(count(&world), 0);
}
