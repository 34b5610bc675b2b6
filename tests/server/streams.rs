//! Bytes in, bytes out, however they are cut.

use crate::echo::Value;
use crate::house::{Client, House, config};
use crate::{PATIENCE, wait_until};
use ringcached::net::{ClientsConfig, Listener, Phase, Transport};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use socket2::SockRef;
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::{fs, thread};

#[test]
fn pipeline_is_answered_in_order() {
    let house = House::new();
    let mut client = house.connect();
    let lines = |word: &str| -> Vec<String> {
        (0..20_000).map(|index| format!("{word}{index}\n")).collect()
    };
    let (requests, replies) = (lines("echo ").concat(), lines("").concat());
    let mut sender = client.0.get_ref().try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || sender.write_all(requests.as_bytes()).unwrap());
        client.expect(replies);
    });
}

#[test]
fn batch_is_one_write() {
    let house = House::new();
    let mut client = house.connect();
    client.ask("echo warm\n", "warm\n");
    // One segment in, one segment out: one read finds all of the answers.
    client.send("echo a\n".repeat(100));
    let mut replies = [0; 1000];
    let stream = client.0.get_mut();
    assert_eq!(stream.read(&mut replies).unwrap(), 200);
    assert_eq!(&replies[..200], "a\n".repeat(100).as_bytes());
}

#[test]
fn requests_split_at_every_byte() {
    let house = House::new();
    let mut client = house.connect();
    let request = "echo one\nbody 5\nabcdewait 3\nabcecho two\n";
    for split in 1..request.len() {
        client.send(&request[..split]);
        // Sees that the first part has been looked at, or else nothing is split.
        let read_before = split as u64 + (split as u64 - 1) * request.len() as u64;
        wait_until("first part", || house.figures().bytes_read >= read_before);
        client.send(&request[split..]);
        client.expect("one\ngot 5 495\ngot 3 294\ntwo\n");
    }
}

#[test]
fn byte_by_byte_is_as_good() {
    let house = House::new();
    let mut client = house.connect();
    for byte in "echo one\nbody 5\nabcdewait 3\nabcecho two\n".bytes() {
        client.send([byte]);
    }
    client.expect("one\ngot 5 495\ngot 3 294\ntwo\n");
}

#[test]
fn bodies_follow_each_other_in_one_batch() {
    let house = House::new();
    let mut client = house.connect();
    let bodies = "body 2\n\u{1}\u{1}body 0\nbody 3\n\u{1}\u{1}\u{1}echo end\n";
    client.send(bodies.repeat(500));
    client.expect("got 2 2\ngot 0 0\ngot 3 3\nend\n".repeat(500));
}

#[test]
fn large_bodies_arrive_whole() {
    let house = House::new();
    let mut client = house.connect();
    for len in [65_535, 65_536, 100_000, 1 << 20, 10_000_000] {
        for word in ["body", "wait"] {
            if word == "wait" && len > 1 << 20 {
                continue;
            }
            client.send(format!("{word} {len}\n"));
            client.send(vec![2; len]);
            client.ask("echo next\n", &format!("got {len} {}\nnext\n", 2 * len));
        }
    }
    wait_until("nothing is held", || house.figures().current == 1);
}

#[test]
fn large_values_go_out_whole() {
    let house = House::new();
    let mut client = house.connect();
    client.send("echo a\nvalue\necho b\nvalue\nvalue\necho c\n");
    let value = Value::bytes();
    client.expect([b"a\n", &value[..], b"b\n", &value, &value, b"c\n"].concat());
}

#[test]
fn values_go_out_whole_to_a_slow_reader() {
    let house = House::new();
    let mut client = house.connect();
    client.send("value\necho next\n".repeat(20));
    let mut member_phase = Phase::Idle;
    wait_until("answers wait", || {
        house.lobby.census.each(|member| member_phase = member.phase());
        member_phase == Phase::Sending
    });
    let value = Value::bytes();
    for _ in 0..20 {
        client.expect([&value[..], b"next\n"].concat());
    }
}

/// What comes behind a place where a read ends is read too.
fn hides_nothing<S: Read + Write>(
    house: &House,
    mut client: Client<S>,
    (mark, more): (impl FnOnce(&S), &str),
) {
    let mut neighbour = house.connect();
    client.ask("echo a\n", "a\n");
    neighbour.ask("echo a\n", "a\n");
    neighbour.send("hold\n");
    wait_until("the worker stands", || house.gate().is_held());
    // Half a request has no answer, whose taking would lead to another turn.
    client.send("echo a");
    mark(client.0.get_ref());
    client.send("c\n");
    house.gate().open();
    client.expect(format!("a{more}c\n"));
}

#[test]
fn urgent_bytes_hide_nothing() {
    let house = House::with(&ClientsConfig { workers: 1, ..config() });
    let mark = |stream: &TcpStream| {
        assert_eq!(SockRef::from(stream).send_out_of_band(b"!").unwrap(), 1);
    };
    hides_nothing(&house, house.connect(), (mark, ""));
}

#[test]
fn descriptors_hide_nothing() {
    let path = format!("{}/passed-{}.sock", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    let listener = Listener::unix(path.as_ref(), 0o700, 128).unwrap();
    let house = House::open(&ClientsConfig { workers: 1, ..config() }, None, vec![listener]);
    let stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mark = |stream: &UnixStream| {
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let (mut sent, own) = (SendAncillaryBuffer::new(&mut room), [stream.as_fd()]);
        assert!(sent.push(SendAncillaryMessage::ScmRights(&own)));
        let line = [IoSlice::new(b"b")];
        sendmsg(stream, &line, &mut sent, SendFlags::empty()).unwrap();
    };
    hides_nothing(&house, Client::new(stream), (mark, "b"));
}

#[test]
fn half_closed_client_reads_its_answers() {
    let house = House::new();
    let mut client = house.connect();
    client.send("fill 5000000\necho end\n");
    client.0.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    client.expect("x".repeat(5_000_000));
    client.expect("end\n");
    client.expect_end();
}

#[test]
fn quit_ends_it_after_the_answers() {
    let house = House::new();
    let mut client = house.connect();
    client.ask("echo a\nquit\necho b\n", "a\n");
    client.expect_end();
    wait_until("it has gone", || house.figures().current == 0);
}

#[test]
fn unix_sockets_serve_too() {
    let path = format!("{}/server-{}.sock", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    let listener = Listener::unix(path.as_ref(), 0o700, 128).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let taken = Listener::unix(path.as_ref(), 0o700, 128).unwrap_err();
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);

    let house = House::open(&config(), None, vec![listener]);
    let mut client = Client::new(UnixStream::connect(&path).unwrap());
    client.ask("echo a\nbody 1\nb", "a\ngot 1 98\n");
    house.lobby.census.each(|member| {
        assert_eq!(member.transport, Transport::Unix);
        assert_eq!(*member.listener, format!("unix:{path}"));
    });
    drop(house);
    assert!(!fs::exists(&path).unwrap(), "it goes with the server");
}

#[test]
fn dead_sockets_are_replaced() {
    let path = format!("{}/dead-{}.sock", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    // Another run may have had this number, and what it left is no socket.
    let _ = fs::remove_file(&path);
    // Its file stays when the standard library's listener goes.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    Listener::unix(path.as_ref(), 0o700, 128).unwrap();
    fs::write(&path, "precious").unwrap();
    Listener::unix(path.as_ref(), 0o700, 128).unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}
