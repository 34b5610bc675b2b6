//! Turns: who shares a worker with a busy client, counted in turns of that client, and
//! what comes in a turn that reads nothing.

use crate::echo::Gate;
use crate::house::{House, config};
use crate::wait_until;
use ringcached::limits::INPUT_BYTES;
use ringcached::net::ClientsConfig;
use std::io::Write;
use std::net::Shutdown;
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

#[test]
fn values_one_after_another_are_not_one_turn() {
    // How much of them is with the worker at a time is the system's choice: it is asked
    // more than once.
    for _ in 0..10 {
        let between = turns_before_a_neighbour();
        assert!(between <= 3 * TURNS_MAX, "{between} turns");
    }
}

/// How often one that sends many values has its turn before its neighbour. The head of
/// each value counts as one.
fn turns_before_a_neighbour() -> u64 {
    let house = House::with(&ClientsConfig { workers: 1, ..config() });
    let (mut busy, mut neighbour, mut holds) = (house.connect(), house.connect(), house.connect());
    for client in [&mut busy, &mut neighbour, &mut holds] {
        client.ask("echo here\n", "here\n");
    }
    let (len, count) = (100_000, 30);
    let body = [format!("body {len}\n").as_bytes(), &vec![1; len]].concat();
    let flood = body.repeat(count);
    let answers = format!("got {len} {len}\n").repeat(count);
    // The system makes more and more room for what comes.
    for _ in 0..5 {
        busy.send(&flood);
        busy.expect(&answers);
    }
    holds.send("hold\n");
    wait_until("the worker stands", || house.gate().is_held());
    // As many of them as there is room for are there before the first is looked at.
    busy.0.get_ref().set_nonblocking(true).unwrap();
    let mut sent = 0;
    while let Ok(more) = busy.0.get_mut().write(&flood[sent..]) {
        sent += more;
        if sent == flood.len() {
            break;
        }
    }
    busy.0.get_ref().set_nonblocking(false).unwrap();
    let before = house.gate().turns();
    // Its turn comes behind that of the busy one.
    neighbour.send("turns\n");
    house.gate().open();
    let between = neighbour.number() - before;
    busy.send(&flood[sent..]);
    busy.expect(&answers);
    between
}

#[test]
fn what_comes_while_a_client_waits_is_read_later() {
    for ends in [false, true] {
        let house = House::with(&ClientsConfig { workers: 1, ..config() });
        let (mut waiting, mut neighbour) = (house.connect(), house.connect());
        waiting.send("later\n");
        wait_until("it waits", || house.gate().is_held());
        waiting.send("echo and more\n");
        if ends {
            waiting.0.get_ref().shutdown(Shutdown::Write).unwrap();
        }
        // The worker has heard of that before, and will not hear of it again.
        neighbour.ask("echo here\n", "here\n");
        house.gate().open();
        waiting.expect("later\nand more\n");
        match ends {
            true => waiting.expect_end(),
            false => waiting.ask("echo still here\n", "still here\n"),
        }
    }
}
