//! What a client may not do, and that its neighbours do not notice.

use crate::echo::Value;
use crate::house::{Client, House, config};
use crate::{PATIENCE, wait_until};
use ringcached::limits::{INPUT_KEPT_BYTES_MAX, PARTING_BYTES_MAX};
use ringcached::net::{ClientsConfig, Listener, Patience, Surplus};
use std::io::{BufRead, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

#[test]
fn surplus_connection_is_told() {
    let house = House::with(&ClientsConfig { connections_max: 2, ..config() });
    let (mut one, mut two) = (house.connect(), house.connect());
    one.ask("echo a\n", "a\n");
    two.ask("echo a\n", "a\n");
    let mut three = house.connect();
    three.expect("ERROR Too many open connections\r\n");
    three.expect_end();
    assert_eq!((house.figures().rejected, house.figures().total), (1, 2));
    drop(one);
    wait_until("room again", || house.figures().current == 1);
    house.connect().ask("echo b\n", "b\n");
    two.ask("echo c\n", "c\n");
}

#[test]
fn surplus_connection_may_wait_instead() {
    let surplus = Surplus::Wait;
    let house = House::with(&ClientsConfig { connections_max: 1, surplus, ..config() });
    let mut one = house.connect();
    one.ask("echo a\n", "a\n");
    let mut two = house.connect();
    two.send("echo b\n");
    wait_until("the door is shut", || !house.figures().accepting);
    wait_until("that takes time", || house.figures().resting_us > 0);
    drop(one);
    two.expect("b\n");
    assert_eq!(house.figures().rejected, 0);
    drop(two);
    // It went on to wait for room behind the second one.
    wait_until("the door is open", || house.figures().accepting);
    let rested = house.figures().resting_us;
    assert!(rested > 0 && house.figures().resting_us == rested, "no time but that of rests");
}

#[test]
fn storm_of_connections_passes() {
    let house = House::new();
    let mut neighbour = house.connect();
    let clients: Vec<_> = (0..500).map(|_| house.connect()).collect();
    for mut client in clients {
        client.ask("echo a\n", "a\n");
    }
    for _ in 0..500 {
        drop(house.connect());
    }
    neighbour.ask("echo b\n", "b\n");
    // Who has gone may still stand before the door: a count of the present alone proves nothing.
    wait_until("all have come and gone", || {
        let figures = house.figures();
        (figures.total, figures.current) == (1001, 1)
    });
    assert_eq!(house.figures().rejected, 0);
}

#[test]
fn workers_share_connections_evenly() {
    let house = House::with(&ClientsConfig { workers: 4, ..config() });
    let mut clients: Vec<_> = (0..8).map(|_| house.connect()).collect();
    for client in &mut clients {
        client.ask("echo a\n", "a\n");
    }
    assert_eq!(house.lobby.census.spread(), [2, 2, 2, 2]);
}

#[test]
fn idle_connection_is_closed() {
    let patience = Patience { idle_s: 3, ..Patience::default() };
    let house = House::with(&ClientsConfig { patience, ..config() });
    let mut client = house.connect();
    client.ask("echo a\n", "a\n");
    client.expect_end();
    assert_eq!(house.figures().idle_kicks, 1);
}

#[test]
fn nobody_is_idle_while_the_worker_stands() {
    let patience = Patience { idle_s: 2, ..Patience::default() };
    let house = House::with(&ClientsConfig { workers: 1, patience, ..config() });
    let (mut client, mut neighbour) = (house.connect(), house.connect());
    client.ask("echo a\n", "a\n");
    neighbour.ask("echo a\n", "a\n");
    neighbour.send("hold\n");
    wait_until("the worker stands", || house.gate().is_held());
    client.send("echo b\n");
    let until_s = house.lobby.census.clock_s() + 4;
    wait_until("it stands for long", || house.lobby.census.clock_s() >= until_s);
    house.gate().open();
    client.expect("b\n");
    // Who says no more is cut all the same.
    client.expect_end();
    assert!(house.figures().idle_kicks >= 1);
}

#[test]
fn slow_loris_is_cut() {
    let patience = Patience { request_s: 1, ..Patience::default() };
    let house = House::with(&ClientsConfig { patience, ..config() });
    let mut neighbour = house.connect();
    let (mut line, mut body) = (house.connect(), house.connect());
    line.send("echo ");
    body.send("body 1000000\nabc");
    // It drips on, and that buys it no time. Were it too much, it would be cut for that.
    let stream = line.0.get_mut();
    let mut drops = 0..INPUT_KEPT_BYTES_MAX / 2;
    wait_until("it is cut", || {
        let _ = drops.next().map(|_| stream.write(b"a"));
        house.figures().slow_request_kicks == 2
    });
    body.expect_end();
    neighbour.ask("echo b\n", "b\n");
}

#[test]
fn deaf_client_is_cut() {
    let patience = Patience { send_s: 1, ..Patience::default() };
    // A Unix socket takes what it has room for at once. That of a TCP connection grows
    // as it likes, and what it takes later counts as if the client had taken it.
    let path = format!("{}/deaf-{}.sock", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    let listener = Listener::unix(path.as_ref(), 0o700, 128).unwrap();
    let house = House::open(&ClientsConfig { patience, ..config() }, None, vec![listener]);
    let mut deaf = Client::new(UnixStream::connect(&path).unwrap());
    let mut neighbour = house.connect();
    neighbour.ask("echo a\n", "a\n");
    deaf.send("fill 10000000\n".repeat(10));
    wait_until("it is cut", || house.figures().slow_reader_kicks == 1);
    neighbour.ask("echo b\n", "b\n");
    wait_until("it has gone", || house.figures().current == 1);
}

#[test]
fn who_does_not_listen_is_not_heard() {
    let house = House::with(&ClientsConfig { workers: 1, ..config() });
    let (mut deaf, mut neighbour) = (house.connect(), house.connect());
    // Each line asks for more than it is long: were it read, memory would grow.
    let lines = "fill 100000\n".repeat(1000);
    deaf.0.get_ref().set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut sent = 0;
    while let Ok(more) = deaf.0.get_mut().write(lines.as_bytes()) {
        sent += more as u64;
    }
    neighbour.ask("echo b\n", "b\n");
    assert!(house.figures().bytes_read < sent / 2, "{sent} {:?}", house.figures());
    assert_eq!(house.figures().current, 2);
}

#[test]
fn busy_client_lets_others_in() {
    let house = House::with(&ClientsConfig { workers: 1, ..config() });
    let (mut busy, mut neighbour) = (house.connect(), house.connect());
    let mut sender = busy.0.get_ref().try_clone().unwrap();
    let lines = "echo a\n".repeat(1_000_000);
    std::thread::scope(|scope| {
        scope.spawn(move || sender.write_all(lines.as_bytes()).unwrap());
        let reader = scope.spawn(move || busy.expect("a\n".repeat(1_000_000)));
        while !reader.is_finished() {
            neighbour.ask("echo b\n", "b\n");
        }
    });
    assert!(house.figures().yields > 0);
}

#[test]
fn claimed_lengths_take_no_memory() {
    let house = House::with(&ClientsConfig { buffers_bytes: 1 << 20, ..config() });
    let clients: Vec<_> = (0..50)
        .map(|_| {
            let mut client = house.connect();
            client.send("echo a\nbody 1000000000\n");
            client.expect("a\n");
            client
        })
        .collect();
    assert_eq!((clients.len(), house.figures().read_buf_oom), (50, 0));
}

#[test]
fn memory_for_requests_ends() {
    let house = House::with(&ClientsConfig { buffers_bytes: 1 << 20, ..config() });
    let (mut greedy, mut neighbour) = (house.connect(), house.connect());
    let mut sender = greedy.0.get_ref().try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // Cut in the middle of it.
            let _ = sender.write_all(b"body 50000000\n");
            let _ = sender.write_all(&vec![1; 50_000_000]);
        });
        greedy.expect("SERVER_ERROR out of memory reading request\r\n");
        greedy.expect_end();
    });
    assert_eq!(house.figures().read_buf_oom, 1);
    neighbour.ask("body 3\n\u{1}\u{1}\u{1}", "got 3 3\n");
    // What it held is free again.
    let len = 300_000;
    neighbour.send(format!("body {len}\n"));
    neighbour.send(vec![1; len]);
    neighbour.expect(format!("got {len} {len}\n"));
}

#[test]
fn hog_makes_room_for_its_neighbour() {
    let house = House::with(&ClientsConfig { buffers_bytes: 1 << 20, ..config() });
    let (mut hog, mut neighbour) = (house.connect(), house.connect());
    hog.send("body 900000\n");
    hog.send(vec![1; 800_000]);
    wait_until("it holds most", || house.figures().bytes_read >= 800_000);
    let len = 300_000;
    neighbour.send(format!("body {len}\n"));
    neighbour.send(vec![1; len]);
    neighbour.expect(format!("got {len} {len}\n"));
    hog.expect("SERVER_ERROR out of memory reading request\r\n");
    hog.expect_end();
    assert_eq!(house.figures().read_buf_oom, 1);
    drop(hog);
    wait_until("it has gone", || house.figures().current == 1);
    // All is given back, once.
    let len = 1_000_000;
    neighbour.send(format!("body {len}\n"));
    neighbour.send(vec![1; len]);
    neighbour.expect(format!("got {len} {len}\n"));
}

#[test]
fn large_values_that_nobody_takes_are_paid_for() {
    // What a Unix socket takes by itself is little.
    let path = format!("{}/pins-{}.sock", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    let listener = Listener::unix(path.as_ref(), 0o700, 128).unwrap();
    let config = ClientsConfig { buffers_bytes: 4 << 20, ..config() };
    let house = House::open(&config, None, vec![listener]);
    let deaf = || {
        let mut client = Client::new(UnixStream::connect(&path).unwrap());
        client.0.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
        client.send("value\n");
        client
    };
    let value = Value::bytes();
    let (paid, unpaid): (Vec<_>, Vec<_>) = ((0..4).map(|_| deaf()).collect(), vec![deaf(), deaf()]);
    wait_until("two are cut", || house.figures().read_buf_oom == 2);
    wait_until("and gone", || house.figures().current == 4);
    house.connect().ask("echo a\n", "a\n");
    let mut whole = 0;
    for mut client in paid.into_iter().chain(unpaid) {
        let mut read = vec![0; value.len()];
        whole += u32::from(client.0.read_exact(&mut read).is_ok_and(|()| read == value));
    }
    assert_eq!(whole, 4, "who was paid for reads all");
    deaf().expect(value);
}

#[test]
fn deaf_clients_make_room_for_who_writes() {
    let path = format!("{}/room-{}.sock", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    let listener = Listener::unix(path.as_ref(), 0o700, 128).unwrap();
    let config = ClientsConfig { buffers_bytes: 4 << 20, ..config() };
    let house = House::open(&config, None, vec![listener]);
    // Each of four deaf ones holds a third of it.
    let len = 3 * Value::bytes().len();
    let write = || {
        let mut writer = house.connect();
        let stream = writer.0.get_mut();
        // Cut in the middle of it where there is no room.
        let _ = stream.write_all(format!("body {len}\n").as_bytes());
        let _ = stream.write_all(&vec![1; len]);
        let mut line = String::new();
        writer.0.read_line(&mut line).is_ok_and(|_| line.starts_with("got"))
    };
    let deaf = || {
        let mut client = Client::new(UnixStream::connect(&path).unwrap());
        client.send("value\n");
        client
    };
    let deaf: Vec<_> = (0..4).map(|_| deaf()).collect();
    let mut refused = 0;
    // None has had time to take what it holds, and none holds more than the writer would.
    wait_until("there is no room", || !write());
    // But they take nothing.
    wait_until("there is room", || {
        refused += 1;
        write()
    });
    wait_until("as many have gone as must", || house.figures().current == 1);
    assert_eq!(house.figures().read_buf_oom, refused + 3, "and no other");
    drop(deaf);
}

#[test]
fn who_made_room_by_itself_stays() {
    let house = House::with(&ClientsConfig { buffers_bytes: 1 << 20, ..config() });
    let (mut hog, mut neighbour) = (house.connect(), house.connect());
    hog.ask("echo a\n", "a\n");
    neighbour.ask("echo a\n", "a\n");
    // Its value is whole, and its worker stands before it is answered.
    hog.send("stand\nbody 800000\n");
    hog.send(vec![1; 800_000]);
    wait_until("it holds most", || house.gate().is_held());
    // Room is made once for all that the neighbour sends, in whatever pieces.
    let (len, piece) = (300_000, 33_000);
    neighbour.send(format!("body {len}\n"));
    neighbour.send(vec![1; piece]);
    wait_until("the piece is there", || house.figures().bytes_read > 800_000 + piece as u64);
    neighbour.send(vec![1; len - piece]);
    neighbour.expect(format!("got {len} {len}\n"));
    house.gate().open();
    hog.expect("got 800000 800000\n");
    // What it was told is over: it holds something again.
    hog.send(format!("body {len}\n"));
    hog.send(vec![1; len]);
    hog.expect(format!("got {len} {len}\n"));
    assert_eq!(house.figures().read_buf_oom, 0);
}

#[test]
fn endless_request_is_refused() {
    let house = House::new();
    let (mut endless, mut neighbour) = (house.connect(), house.connect());
    let mut sender = endless.0.get_ref().try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let _ = sender.write_all(&vec![b'a'; 4 * INPUT_KEPT_BYTES_MAX]);
        });
        endless.expect("CLIENT_ERROR line too long\r\n");
        endless.expect_end();
    });
    neighbour.ask("echo b\n", "b\n");
}

#[test]
fn refused_client_reads_why() {
    let house = House::new();
    let mut deaf = house.connect();
    // It listens when it has sent everything, long after it was refused.
    deaf.send(vec![b'a'; 4 * INPUT_KEPT_BYTES_MAX]);
    deaf.expect("CLIENT_ERROR line too long\r\n");
    let mut rest = Vec::new();
    assert_eq!(deaf.0.read_to_end(&mut rest).unwrap(), 0, "the end, and no reset");
}

#[test]
fn refused_client_is_heard_so_long_and_no_longer() {
    let house = House::new();
    let (mut drips, mut floods) = (house.connect(), house.connect());
    floods.send(vec![b'a'; INPUT_KEPT_BYTES_MAX + 1]);
    floods.expect("CLIENT_ERROR line too long\r\n");
    let more = vec![b'a'; 1 << 16];
    while floods.0.get_mut().write(&more).is_ok() {}
    let read = house.figures().bytes_read as usize;
    assert!(read <= PARTING_BYTES_MAX + 2 * INPUT_KEPT_BYTES_MAX, "{read}");
    drips.send(vec![b'a'; INPUT_KEPT_BYTES_MAX + 1]);
    drips.expect("CLIENT_ERROR line too long\r\n");
    wait_until("it is cut", || {
        let _ = drips.0.get_mut().write(b"a");
        house.figures().current == 0
    });
}

#[test]
fn panic_ends_one_connection() {
    let house = House::with(&ClientsConfig { workers: 1, ..config() });
    let (mut one, mut neighbour) = (house.connect(), house.connect());
    one.send("echo lost\npanic\n");
    one.expect_end();
    neighbour.ask("echo b\n", "b\n");
    wait_until("its place is free", || house.figures().current == 1);
}
