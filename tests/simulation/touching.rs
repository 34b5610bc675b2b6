//! Reads that change something: they are kept as writes are.

use crate::breaker::key_of;
use crate::client::{Client, Ended};
use crate::run::{Plan, ask, rest};
use crate::world::World;

/// Three nodes, and keys of the second one whose other owner is the third, or the first.
fn three() -> (World, String, String) {
    let mut world = World::new(5, &Plan::USUAL);
    rest(&mut world, 5, "at the start");
    let (far, near) = (key_of(&world, 1, 2), key_of(&world, 1, 0));
    for key in [&far, &near] {
        ask(&mut world, &mut Client::new(0), &format!("set {key} 0 0 1\r\nx\r\n"));
    }
    (world, far, near)
}

fn part(world: &mut World) {
    world.cut(1, 2);
    world.cut(2, 1);
}

const UNKEPT: &str = "SERVER_ERROR write not acknowledged\r\n";

#[test]
fn one_that_too_few_copies_have_reads_an_error_and_nothing_else() {
    for node in [1, 0] {
        let (mut world, far, _) = three();
        let mut client = Client::new(node);
        part(&mut world);
        let turn = format!("gat 100 {far}\r\nmn\r\n");
        assert_eq!(ask(&mut world, &mut client, &turn), format!("{UNKEPT}MN\r\n"), "{node}");
        assert_eq!(ask(&mut world, &mut client, "mn\r\n"), "MN\r\n");
    }
}

#[test]
fn of_many_only_those_are_read_that_enough_copies_have() {
    for node in [1, 0] {
        let (mut world, far, near) = three();
        let mut client = Client::new(node);
        part(&mut world);
        let turn = format!("gat 100 {far} {near}\r\nmn\r\n");
        let expected = format!("VALUE {near} 0 1\r\nx\r\nEND\r\nMN\r\n");
        assert_eq!(ask(&mut world, &mut client, &turn), expected, "{node}");
        assert_eq!(ask(&mut world, &mut client, "mn\r\n"), "MN\r\n");
    }
}

#[test]
fn nobody_is_answered_before_the_copies_have_it() {
    for node in 0..3 {
        let (mut world, far, near) = three();
        world.cut(1, 2);
        let mut client = Client::new(node);
        assert_eq!(client.begin(&mut world, &format!("gat 100 {far}\r\n")), None);
        for _ in 0..500 {
            world.step();
            assert_eq!(client.poll(&world), None, "{node}");
        }
        world.heal();
        let answer = loop {
            world.step();
            if let Some(answer) = client.poll(&world) {
                break answer;
            }
        };
        assert_eq!(answer, Ended::Answer(format!("VALUE {far} 0 1\r\nx\r\nEND\r\n")));
        let answer = ask(&mut world, &mut client, &format!("get {near}\r\n"));
        assert_eq!(answer, format!("VALUE {near} 0 1\r\nx\r\nEND\r\n"));
    }
}
