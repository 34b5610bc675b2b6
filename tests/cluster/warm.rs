//! Nodes that are started again with the memory that they had.

use super::nodes::{all_serve, nodes};
use crate::node::{Node, lasting_port, path, wait_until};
use socket2::{Domain, Socket, Type};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

const KEYS: usize = 100;

fn warm_file(name: &str) -> PathBuf {
    path(&format!("cluster-{name}.warm"))
}

/// Nodes the last of which has a warm file, and how it is started again.
fn nodes_with_file(name: &str, count: usize, flags: &str) -> (Vec<Node>, String) {
    let file = warm_file(name);
    let _ = fs::remove_file(&file);
    let flags = format!("--profile local {flags}");
    let mut nodes = nodes(name, count - 1, &flags);
    let (last, first) = (count - 1, nodes[0].ready["peer"].as_str().unwrap());
    let again = format!(
        "-p {} -t 2 --peer-listen 127.0.0.1:0 --join {first} --node-id cluster-{name}-{last} \
         --warm-file {} {flags}",
        lasting_port(),
        file.display()
    );
    nodes.push(Node::start_as(&format!("cluster-{name}-{last}"), &again));
    all_serve(&nodes);
    (nodes, again)
}

fn fill(node: &Node) {
    let mut client = node.connect();
    for number in 0..KEYS {
        client.ask(&format!("set gone-{number} 0 0 3\r\nold\r\n"), "STORED\r\n");
        client.ask(&format!("set new-{number} 0 0 3\r\nold\r\n"), "STORED\r\n");
        client.ask(&format!("set kept-{number} 0 0 3\r\nold\r\n"), "STORED\r\n");
    }
}

/// What was deleted and replaced while it was away is so at all nodes.
#[test]
fn what_was_deleted_meanwhile_is_not_back() {
    let (mut nodes, again) = nodes_with_file("warm-gone", 3, "--write-ack all");
    fill(&nodes[0]);
    let said = nodes.pop().unwrap().stop_by("INT");
    assert!(said.contains(" written: "), "{said}");
    let mut client = nodes[0].connect();
    for number in 0..KEYS {
        client.ask(&format!("delete gone-{number}\r\n"), "DELETED\r\n");
        client.ask(&format!("set new-{number} 0 0 3\r\nnew\r\n"), "STORED\r\n");
    }
    let back = Node::start_as("cluster-warm-gone-again", &again);
    let said = back.hear(" read: ");
    assert!(!said.contains(" read: 0 items"), "{said}");
    nodes.push(back);
    all_serve(&nodes);
    for node in &nodes {
        let mut client = node.connect();
        for number in 0..KEYS {
            client.ask(&format!("get gone-{number}\r\n"), "END\r\n");
            for (key, value) in [("new", "new"), ("kept", "old")] {
                let there = format!("VALUE {key}-{number} 0 3\r\n{value}\r\nEND\r\n");
                client.ask(&format!("get {key}-{number}\r\n"), &there);
            }
        }
    }
}

const MANY: usize = 100_000;
const CHANGED: usize = 100;
const AT_ONCE: usize = 1000;

/// Items that a node has brought others.
fn moved(node: &Node) -> usize {
    let lines = node.connect().lines("stats cluster\r\n");
    let count = lines.iter().find_map(|line| line.strip_prefix("STAT moved_items "));
    count.unwrap().parse().unwrap()
}

fn write(node: &Node, keys: std::ops::Range<usize>, value: &str) {
    let mut client = node.connect();
    for from in keys.clone().step_by(AT_ONCE) {
        let to = keys.end.min(from + AT_ONCE);
        let sets = (from..to).map(|key| format!("set key-{key} 0 0 3\r\n{value}\r\n"));
        client.ask(&sets.collect::<String>(), &"STORED\r\n".repeat(to - from));
    }
}

/// What it has kept is not sent again.
#[test]
fn a_node_with_a_warm_file_is_brought_what_changed() {
    let (mut nodes, again) = nodes_with_file("warm-few", 3, "-m 128 --grace 120");
    write(&nodes[0], 0..MANY, "old");
    let said = nodes.pop().unwrap().stop_by("INT");
    assert!(said.contains(" written: "), "{said}");
    let before: usize = nodes.iter().map(moved).sum();
    write(&nodes[0], 0..CHANGED, "new");
    let back = Node::start_as("cluster-warm-few-again", &again);
    nodes.push(back);
    all_serve(&nodes);
    let brought = nodes[..2].iter().map(moved).sum::<usize>() - before;
    // Each with what else is in its slot.
    assert!((1..10 * CHANGED).contains(&brought), "{brought} of {MANY} items, not {CHANGED}");
    for (key, value) in [(0, "new"), (CHANGED - 1, "new"), (CHANGED, "old"), (MANY - 1, "old")] {
        let there = format!("VALUE key-{key} 0 3\r\n{value}\r\nEND\r\n");
        nodes[2].connect().ask(&format!("get key-{key}\r\n"), &there);
    }
}

/// The others answer meanwhile: whoever were let in would only wait.
#[test]
fn nobody_is_let_in_before_the_file_is_read() {
    let (mut nodes, again) = nodes_with_file("warm-door", 2, "-m 128");
    write(&nodes[0], 0..MANY, "old");
    let (last, file) = (nodes.pop().unwrap(), warm_file("warm-door"));
    let client = last.ready["client"].as_str().unwrap().to_owned();
    let said = last.stop_by("INT");
    assert!(said.contains(" written: "), "{said}");
    let mut back = Node::begin_as("cluster-warm-door-again", &again);
    let bytes = fs::metadata(&file).unwrap().len();
    wait_until("it lets somebody in", || TcpStream::connect(&client).is_ok());
    assert!(read_by(&back) >= bytes, "it is still to be read");
    back.become_ready();
    nodes.push(back);
    all_serve(&nodes);
}

/// Bytes that a node has read from files and pipes so far.
fn read_by(node: &Node) -> u64 {
    let counts = fs::read_to_string(format!("/proc/{}/io", node.child.id())).unwrap();
    let count = counts.lines().find_map(|line| line.strip_prefix("rchar: "));
    count.unwrap().parse().unwrap()
}

/// A port is had by whoever listens there first: two that read their files may both have it
/// until then.
#[test]
fn a_port_that_is_taken_meanwhile_leaves_the_file() {
    let (mut nodes, again) = nodes_with_file("warm-clash", 2, "-m 128");
    write(&nodes[0], 0..MANY, "old");
    let (last, file) = (nodes.pop().unwrap(), warm_file("warm-clash"));
    let mut stops = last;
    let thief = loop {
        let address = stops.address();
        let said = stops.stop_by("INT");
        assert!(said.contains(" written: "), "{said}");
        stops = Node::begin_as("cluster-warm-clash-again", &again);
        wait_until("it has begun to read", || file.with_extension("warm.new").exists());
        // Where it has read before this, once more.
        match listens(address) {
            Ok(thief) => break thief,
            Err(_) => stops.become_ready(),
        }
    };
    let (status, said) = stops.end();
    assert!(status.code() == Some(1) && said.contains("is taken"), "{said}");
    assert!(file.exists(), "{said}");
    drop(thief);
    let back = Node::start_as("cluster-warm-clash-again", &again);
    back.hear(" read: ");
    nodes.push(back);
    all_serve(&nodes);
}

/// Takes an address that another one has who does not listen there yet.
fn listens(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(1)?;
    Ok(socket)
}

/// Nobody else has what it had.
#[test]
fn the_only_copy_outlives_a_restart() {
    let (mut nodes, again) = nodes_with_file("warm-only", 2, "--copies 1");
    fill(&nodes[0]);
    nodes.pop().unwrap().stop_by("INT");
    let back = Node::start_as("cluster-warm-only-again", &again);
    nodes.push(back);
    all_serve(&nodes);
    for node in &nodes {
        let mut client = node.connect();
        for number in 0..KEYS {
            let there = format!("VALUE kept-{number} 0 3\r\nold\r\nEND\r\n");
            client.ask(&format!("get kept-{number}\r\n"), &there);
        }
    }
}

/// Its file would pass for as young as that of a node which has heard of all deletes.
#[test]
fn a_node_that_is_stopped_while_it_joins_writes_no_file() {
    let file = warm_file("warm-joins");
    let _ = fs::remove_file(&file);
    // Nobody ever answers there.
    let seed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let joins = format!(
        "-p 0 -t 1 --profile local --node-id joins --join {} --warm-file {}",
        seed.local_addr().unwrap(),
        file.display()
    );
    let mut node = Node::begin_as("cluster-warm-joins", &joins);
    node.hear("none of them answers");
    node.signal("TERM");
    wait_until("it has ended", || node.child.try_wait().unwrap().is_some());
    let said = node.stderr();
    assert!(said.contains("not written: the node was still joining"), "{said}");
    assert!(!file.exists());
}
