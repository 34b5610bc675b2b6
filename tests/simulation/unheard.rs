//! A node that is back, of which others have heard before it has heard of them.

use crate::breaker::key_of;
use crate::client::Client;
use crate::run::{Plan, ask, rest};
use crate::world::{World, id};
use ringcached::cluster::Event;

/// Whether a node counts another one among those that take copies.
fn counts(world: &World, node: usize, other: usize) -> bool {
    let mut reader = world.nodes[node].up.as_ref().unwrap().shared.view.reader();
    let view = reader.view();
    view.index_of(id(other)).is_some_and(|index| view.is_live(index))
}

#[test]
fn what_is_sent_to_one_that_has_heard_of_nobody_is_kept_there() {
    for seed in 0..5 {
        let mut world = World::new(seed, &Plan::USUAL);
        rest(&mut world, seed, "at the start");
        let key = key_of(&world, 0, 1);
        world.stop(1);
        while world.nodes[1].up.is_some() || counts(&world, 0, 1) {
            world.step();
        }
        // Its links are closed by then.
        (0..10).for_each(|_| world.step());
        world.start(1, true);
        world.unheard.insert(1);
        let card = world.nodes[1].up.as_ref().unwrap().hub.card().clone();
        let now = world.now_at(0);
        let hub = &mut world.nodes[0].up.as_mut().unwrap().hub;
        hub.handle_event(&Event::Heard(card), now).unwrap();
        while !counts(&world, 0, 1) {
            world.step();
        }
        let mut client = Client::new(0);
        let turn = format!("set {key} 0 0 1\r\nx\r\ngat 100 {key} none\r\n");
        let found = format!("VALUE {key} 0 1\r\nx\r\nEND\r\n");
        assert_eq!(ask(&mut world, &mut client, &turn), format!("STORED\r\n{found}"), "{seed}");
        let back = world.nodes[1].up.as_ref().unwrap();
        assert!(back.hub.members().find(id(0)).is_none(), "seed {seed}: it has heard of it");

        world.unheard.clear();
        rest(&mut world, seed, "once it has heard of the others");
        world.kill(0);
        let get = format!("get {key}\r\n");
        assert_eq!(ask(&mut world, &mut Client::new(1), &get), found, "{seed}");
    }
}
