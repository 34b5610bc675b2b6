//! How a node stops.

use crate::house::{Client, House, config};
use crate::{PATIENCE, wait_until};
use ringcached::limits::INPUT_KEPT_BYTES_MAX;
use ringcached::net::{ClientsConfig, Phase, Stop};
use socket2::{Domain, Socket, Type};
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
fn stop_waits_for_what_the_system_has_yet_to_send() {
    let house = House::with(&ClientsConfig { grace: Duration::from_secs(3600), ..config() });
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(32 << 10).unwrap();
    socket.connect(&house.address.into()).unwrap();
    let mut slow = Client::new(TcpStream::from(socket));
    slow.0.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
    let len = 1_000_000;
    slow.send(format!("fill {len}\n"));
    // All of it is the system's by now, and little of it is with the client.
    wait_until("it is written", || house.figures().bytes_written == len as u64);
    house.lobby.stopper.stop(Stop::Graceful);
    wait_until("the worker has heard of it", || {
        let mut phase = None;
        house.lobby.census.each(|member| phase = Some(member.phase()));
        phase != Some(Phase::Idle)
    });
    slow.send("echo late\n");
    slow.expect("x".repeat(len));
    slow.expect("late\n");
    slow.expect_end();
    house.wait();
}

#[test]
fn refused_client_is_heard_in_spite_of_a_stop() {
    let grace = Duration::from_secs(3600);
    let house = House::with(&ClientsConfig { workers: 1, grace, ..config() });
    let (mut refused, mut idle) = (house.connect(), house.connect());
    refused.ask("echo a\n", "a\n");
    idle.ask("echo a\n", "a\n");
    refused.send(vec![b'a'; INPUT_KEPT_BYTES_MAX + 1]);
    refused.expect("CLIENT_ERROR line too long\r\n");
    house.lobby.stopper.stop(Stop::Graceful);
    // Its turn came after that of the other one.
    idle.expect_end();
    let before = house.figures().bytes_read;
    refused.send("and so on\n");
    wait_until("it is heard", || house.figures().bytes_read > before);
    // But only for a while, though it does not go.
    house.wait();
    refused.expect_end();
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
