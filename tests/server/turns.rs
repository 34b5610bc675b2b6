//! Who shares a worker with a busy client, counted in turns of that client.

use crate::echo::Gate;
use crate::house::{House, config};
use crate::wait_until;
use ringcached::limits::INPUT_BYTES;
use ringcached::net::ClientsConfig;
use std::io::Write;
use std::thread;

/// Turns of a busy client while another one waits for its own, at most.
const TURNS_MAX: u64 = 4;

#[test]
fn busy_client_has_few_turns_before_its_neighbour() {
    let house = House::with(&ClientsConfig { workers: 1, ..config() });
    let (mut busy, mut neighbour) = (house.connect(), house.connect());
    neighbour.ask("echo here\n", "here\n");
    let turns = 64;
    let lines = turns as usize * INPUT_BYTES / "echo a\n".len();
    let flood = "echo a\n".repeat(lines);
    let mut sender = busy.0.get_ref().try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            sender.write_all(flood.as_bytes()).unwrap();
            sender.write_all(b"hold\n").unwrap();
            sender.write_all(flood.as_bytes()).unwrap();
        });
        scope.spawn(|| busy.expect("a\n".repeat(2 * lines)));
        // The worker stands in the midst of the flood while the neighbour asks.
        let gate: &Gate = house.gate();
        wait_until("the worker stands", || gate.is_held());
        let before = gate.turns();
        neighbour.send("turns\n");
        gate.open();
        let between = neighbour.number() - before;
        assert!(between <= TURNS_MAX, "{between} turns");
    });
    assert!(house.gate().turns() >= 2 * turns, "it was busy before and after");
}
