//! The program as a server: its flags, what it says, its signals and its files.

mod admin;
mod descriptors;
mod http;
mod log;
mod memory;
mod node;
mod rates;
mod reload;
mod warm;

use node::{Node, path, program, wait_until};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// What a command line that cannot work says, and its exit code.
fn refusal(line: &str) -> (i32, String) {
    let output = program(line).output().unwrap();
    assert!(output.stdout.is_empty());
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn clients_store_and_read() {
    let node = Node::start("store", "");
    let mut client = node.connect();
    client.ask("set k 5 0 2\r\nhi\r\nget k\r\n", "STORED\r\nVALUE k 5 2\r\nhi\r\nEND\r\n");
    let value = "v".repeat(900_000);
    client.ask(&format!("set large 0 0 900000\r\n{value}\r\n"), "STORED\r\n");
    let reply = format!("VALUE large 0 900000\r\n{value}\r\nEND\r\n");
    client.ask("get large\r\n", &reply);
    client.ask("quit\r\n", "");
    assert_eq!(client.rest(), "");
}

#[test]
fn banner_says_where_and_what_next() {
    let node = Node::start("banner", "--node-id 00000000000000ff");
    let (address, id) = (node.address(), node.ready["node_id"].clone());
    assert_eq!(id, "00000000000000ff");
    assert_eq!(node.ready["pid"], node.child.id());
    assert!(node.ready["peer"].is_null());
    assert!(address.ip().is_loopback());
    let ready_file = node.ready_file.clone();
    let admin = node.ready["admin"].as_str().unwrap().to_owned();
    let said = node.stop();
    assert!(said.contains(&format!("admin    http://{admin}")), "{said}");
    assert!(said.starts_with("ringcached "), "{said}");
    assert!(said.contains("00000000000000ff") && said.contains(&address.to_string()), "{said}");
    assert!(said.contains("1 member") && said.contains("| nc 127.0.0.1"), "{said}");
    assert!(!ready_file.exists(), "nobody is to look for it there any more");
}

#[test]
fn explicit_port_that_is_taken_is_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for line in [format!("-p {port}"), format!("-l 127.0.0.1:{port}")] {
        let (code, said) = refusal(&line);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(&format!("port {port} of 127.0.0.1 is taken")), "{said}");
        assert!(said.contains("-p 0"), "{said}");
    }
    let (code, said) = refusal(&format!("-p 0 --admin-listen 127.0.0.1:{port}"));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&format!("port {port} is taken: choose another one")), "{said}");
}

#[test]
fn default_port_moves_on_when_taken() {
    // Whoever has it, the second of two nodes cannot.
    let (one, two) = (Node::start_as("default-1", ""), Node::start_as("default-2", ""));
    assert_ne!(one.address(), two.address());
    two.connect().ask("get k\r\n", "END\r\n");
    assert!(two.stop().contains("(port 11211 is taken)"));
}

#[test]
fn term_answers_and_ends() {
    let node = Node::start("term", "");
    let mut client = node.connect();
    client.ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    let mut idle = node.connect();
    idle.ask("version\r\n", "VERSION ");
    client.0.get_mut().write_all(b"get k\r\n").unwrap();
    let said = node.stop();
    assert_eq!(client.rest(), "VALUE k 0 1\r\nv\r\nEND\r\n");
    assert!(said.contains("stopping"), "{said}");
}

#[test]
fn shutdown_needs_to_be_allowed() {
    let node = Node::start("no-shutdown", "");
    node.connect().ask("shutdown\r\n", "SERVER_ERROR: shutdown not enabled\r\n");
    for command in ["shutdown\r\n", "shutdown graceful\r\n"] {
        let node = Node::start("shutdown", "-A");
        node.connect().0.get_mut().write_all(command.as_bytes()).unwrap();
        assert_eq!(node.end().0.code(), Some(0));
    }
}

#[test]
fn scripts_for_memcached_start_it() {
    let flags = "-U 0 -l 127.0.0.1 -m 128 -t 2 -c 200 -I 2m -b 64 -B auto -C -vv -f 1.1 -n 64 \
                 -R 40 -D : -F -X -W -A -r -k -L -o modern,idle_timeout=30,hashpower=20 -P";
    let pid_file = path("script.pid");
    let node = Node::start("script", &format!("{flags} {}", pid_file.display()));
    let pid: u32 = fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
    assert_eq!(pid, node.child.id());
    let settings = node.connect().lines("stats settings\r\n");
    for line in [
        "STAT maxbytes 134217728",
        "STAT maxconns 200",
        "STAT item_size_max 2097152",
        "STAT num_threads 2",
        "STAT idle_timeout 30",
    ] {
        assert!(settings.iter().any(|setting| setting == line), "{line}: {settings:?}");
    }
    node.connect().ask("flush_all\r\n", "CLIENT_ERROR flush_all not allowed\r\n");
    let said = node.stop();
    assert!(said.contains("of no effect here: -f, -n, -R, -o modern, -o hashpower"), "{said}");
    assert!(said.contains("-k: memory is not locked"), "{said}");
    assert!(!pid_file.exists());
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    let cases = [
        ("-U 11211", "UDP"),
        ("-d", "systemd"),
        ("-e /dev/shm/x", "memory only"),
        ("-I 2k -m 0", "-m"),
        ("-I 40m -m 64", "half of the memory"),
        ("-I 512", "from 1k to 1024m"),
        ("-t 0", "threads"),
        ("-c 0", "connection"),
        ("-S", "-Y"),
        ("-Z", "--tls-cert"),
        ("-Z --tls-cert /no/such/file", "/no/such/file"),
        ("-Y /no/such/file", "/no/such/file"),
        ("-o nonsense", "illegal suboption `nonsense`"),
        ("-l no.such.host.invalid", "no.such.host.invalid"),
        ("-u no-such-user-here", ""),
        ("-B udp", "ascii"),
        ("--warm-file x --peer-listen 127.0.0.1:0", "--node-id"),
        ("--copies 9", "--copies: from 1 to 4"),
        ("--peer-listen 192.0.2.1:0", "secret"),
        ("--admin-listen 192.0.2.1:0", "secret"),
        ("--peer-ca ca.pem --peer-key key.pem", "all three or none"),
        ("--peer-ca /no/such/ca --peer-cert x --peer-key y", "/no/such/ca: "),
        ("--rate-limit 0", "from 1 to 10000000"),
        ("--client-rate-limit 20M", "from 1 to 10000000"),
        ("-m 64MB", "MB"),
    ];
    for (line, reason) in cases {
        if line.starts_with("-u") && !is_root() {
            continue;
        }
        let (code, said) = refusal(line);
        assert_eq!(code, 2, "{line}: {said}");
        assert!(said.starts_with("error: ") && said.contains(reason), "{line}: {said}");
    }
}

/// The user who owns nothing, on most systems.
const NOBODY: u32 = 65534;

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}

#[test]
fn open_addresses_are_warned_of() {
    let said = Node::start("open", "-l 0.0.0.0").stop();
    assert!(said.contains("warning: whoever reaches 0.0.0.0"), "{said}");
    let said = Node::start("closed", "-l 127.0.0.1").stop();
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn passwords_are_asked_for() {
    let users = path("users");
    fs::write(&users, "ann:secret\n").unwrap();
    let node = Node::start("users", &format!("-Y {}", users.display()));
    let mut client = node.connect();
    client.ask("get k\r\n", "CLIENT_ERROR unauthenticated\r\n");
    client.ask("set a 0 0 10\r\nann secret\r\nget k\r\n", "STORED\r\nEND\r\n");
}

#[test]
fn connections_are_counted_and_listed() {
    let node = Node::start("conns", "-c 3");
    let (mut one, mut two) = (node.connect(), node.connect());
    two.ask("version\r\n", "VERSION ");
    let lines = one.lines("stats conns\r\n");
    let peer = two.0.get_ref().local_addr().unwrap();
    assert!(lines.iter().any(|line| line.ends_with(&format!("addr tcp:{peer}"))), "{lines:?}");
    let mut three = node.connect();
    three.ask("version\r\n", "VERSION ");
    assert_eq!(node.connect().rest(), "ERROR Too many open connections\r\n");
    let lines = one.lines("stats\r\n");
    for line in [
        "STAT curr_connections 3",
        "STAT total_connections 3",
        "STAT rejected_connections 1",
        // Who is one too many is let in to be told.
        "STAT accepting_conns 1",
        "STAT time_in_listen_disabled_us 0",
    ] {
        assert!(lines.iter().any(|found| found == line), "{line}: {lines:?}");
    }
}

#[test]
fn rests_are_told() {
    let node = Node::start("rests", "-c 1 -o no_maxconns_fast");
    let mut one = node.connect();
    one.ask("version\r\n", "VERSION ");
    let _waits = node.connect();
    wait_until("it accepts nobody", || {
        let lines = one.lines("stats\r\n");
        let has = |line: &str| lines.iter().any(|found| found == line);
        has("STAT accepting_conns 0") && !has("STAT time_in_listen_disabled_us 0")
    });
}

#[test]
fn watchers_hear_without_asking() {
    let node = Node::start("watch", "-t 2");
    let mut watcher = node.connect();
    watcher.ask("watch fetchers\r\n", "OK\r\n");
    let mut client = node.connect();
    for _ in 0..3 {
        client.ask("get missing\r\n", "END\r\n");
        let mut line = String::new();
        watcher.0.read_line(&mut line).unwrap();
        assert!(line.contains("type=item_get key=missing status=not_found"), "{line}");
    }
}

#[test]
fn unix_socket_is_instead_of_addresses() {
    let socket = path("only.sock");
    let node = Node::start_as("unix", &format!("-s {} -a 600", socket.display()));
    assert!(node.ready["client"].is_null());
    let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    stream.write_all(b"get k\r\nquit\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert_eq!(reply, "END\r\n");
}

#[test]
fn root_becomes_another_user() {
    // The root of a container may be the only user that there is in it.
    if !is_root() || Command::new("true").uid(NOBODY).status().is_err() {
        return println!("skipped: there is no other user to become");
    }
    // The program must be where that user may start it.
    let place = std::env::temp_dir().join(format!("ringcached-{}", std::process::id()));
    // By another process: a file that this one writes may still be open for it in a
    // child that another test starts, and a program that is written cannot be started.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_ringcached")).arg(&place).status();
    assert!(copied.unwrap().success());
    let mut child = Command::new(&place)
        .args(["-p", "0", "-u", "nobody"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.starts_with("clients")));
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_file(&place).unwrap();
    let uid = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
    assert!(!uid.split_whitespace().skip(1).any(|id| id == "0"), "{uid}");
}

/// A node that was killed leaves its ready file: whoever waits for the next one is not to take it
/// for the news. One that lives keeps its own.
#[test]
fn what_a_killed_node_left_says_nothing_of_the_next() {
    let dead = Node::start("stale-dead", "");
    let (left, pid) = (path("stale-left"), dead.child.id());
    std::fs::copy(&dead.ready_file, &left).unwrap();
    let start = |name| {
        let mut command =
            program("-p 0 --listen 127.0.0.1 --peer-listen 127.0.0.1:0 --join 127.0.0.1:1");
        command.arg("--ready-file").arg(&left);
        Node::begin_as_told(name, command)
    };
    let joins = start("stale-beside");
    joins.hear("127.0.0.1:1");
    assert!(left.exists(), "that of process {pid} stays while it lives");
    drop(joins);
    drop(dead);
    let joins = start("stale-after");
    joins.hear("127.0.0.1:1");
    assert!(!left.exists());
}
