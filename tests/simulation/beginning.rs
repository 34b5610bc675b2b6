//! When a node that was started begins to serve.

use crate::run::{Plan, rest};
use crate::world::{World, id};
use ringcached::cluster::{Cause, Event, Notice, Phase};

/// One who is there and of whom nothing is known but that.
const STRANGER: usize = 3;

fn tell(world: &mut World, event: &Event) {
    let now = world.now_at(1);
    world.nodes[1].up.as_mut().unwrap().hub.handle_event(event, now).unwrap();
}

fn phase(world: &World) -> Phase {
    world.nodes[1].up.as_ref().unwrap().hub.card().phase
}

#[test]
fn who_does_not_know_yet_what_another_is_does_not_begin() {
    let mut world = World::new(1, &Plan::USUAL);
    rest(&mut world, 1, "at the start");
    world.kill(1);
    world.start(1, true);
    let stranger =
        Notice { node: id(STRANGER), generation: 1, incarnation: 0, cause: Cause::Itself };
    tell(&mut world, &Event::Alive(stranger));

    let from = world.now_ms();
    while world.now_ms() < from + 20_000 {
        world.step();
        assert_eq!(phase(&world), Phase::Joining);
    }
    tell(&mut world, &Event::Down(stranger));
    rest(&mut world, 1, "once it is alone with those it knows");
    assert_eq!(phase(&world), Phase::Serving);
}
