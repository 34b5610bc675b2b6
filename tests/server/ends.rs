//! How a node stops.

use crate::house::{House, config};
use crate::{PATIENCE, wait_until};
use ringcached::net::{ClientsConfig, Stop};
use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn graceful_stop_answers_what_has_arrived() {
    let house = House::with(&ClientsConfig { workers: 1, ..config() });
    let mut clients: Vec<_> = (0..20).map(|_| house.connect()).collect();
    for client in &mut clients {
        client.ask("echo a\n", "a\n");
    }
    // The worker hears of the end before it hears of what came meanwhile: it stands where
    // the next it looks for is whether to stop.
    house.gate().shut();
    let mut last = house.connect();
    wait_until("the worker stands", || house.gate().is_held());
    for client in &mut clients {
        client.send("echo b\n".repeat(50));
    }
    house.lobby.stopper.stop(Stop::Graceful);
    house.gate().open();
    for client in &mut clients {
        client.expect("b\n".repeat(50));
        client.expect_end();
    }
    last.expect_end();
    house.wait();
}

#[test]
fn graceful_stop_sends_what_waits() {
    let house = House::new();
    let mut client = house.connect();
    client.send("fill 8000000\n");
    wait_until("answers are on their way", || house.figures().bytes_written > 0);
    house.lobby.stopper.stop(Stop::Graceful);
    client.expect("x".repeat(8_000_000));
    client.expect_end();
    house.wait();
}

#[test]
fn idle_clients_do_not_delay_a_stop() {
    let house = House::with(&ClientsConfig { grace: Duration::from_secs(3600), ..config() });
    let (mut idle, mut midway) = (house.connect(), house.connect());
    idle.ask("echo a\n", "a\n");
    midway.ask("echo a\nbody 10\nabc", "a\n");
    house.lobby.stopper.stop(Stop::Graceful);
    idle.expect_end();
    midway.expect_end();
    house.wait();
}

#[test]
fn grace_ends() {
    let house = House::with(&ClientsConfig { grace: Duration::from_millis(300), ..config() });
    let mut deaf = house.connect();
    deaf.send("fill 30000000\n");
    wait_until("answers are on their way", || house.figures().bytes_written > 0);
    let started = Instant::now();
    house.lobby.stopper.stop(Stop::Graceful);
    house.wait();
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[test]
fn second_call_stops_at_once() {
    let house = House::with(&ClientsConfig { grace: Duration::from_secs(3600), ..config() });
    let mut deaf = house.connect();
    deaf.send("fill 30000000\n");
    wait_until("answers are on their way", || house.figures().bytes_written > 0);
    house.lobby.stopper.stop(Stop::Graceful);
    house.lobby.stopper.stop(Stop::Now);
    house.wait();
}

#[test]
fn nobody_is_let_in_after_a_stop() {
    let house = House::new();
    let address = house.address;
    house.lobby.stopper.stop(Stop::Graceful);
    house.wait();
    match TcpStream::connect(address) {
        Err(_) => {}
        // The port may be another server's by now, which waits to be asked.
        Ok(mut stream) => {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
        }
    }
}
