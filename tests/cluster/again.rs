//! A node that is started again by its own command, whoever it was told of.

use super::nodes::{all_serve, listed, nodes};
use crate::node::{Node, wait_until};

const KEYS: usize = 100;

/// What starts the first of them again, which was not told of anybody, at the address that it had.
pub(crate) fn again(name: &str, first: &Node) -> impl Fn() -> Node + use<> {
    let (port, peer) = (first.address().port(), first.ready["peer"].as_str().unwrap());
    let name = format!("cluster-{name}-0");
    let flags = format!("--profile local -t 2 -p {port} --peer-listen {peer} --node-id {name}");
    move || Node::start_as(&format!("{name}-again"), &flags)
}

/// Counts at one node, kills the first, does this, starts the first again: all that was
/// acknowledged is there, at all nodes, from the moment it is ready.
fn nothing_is_lost(name: &str, meanwhile: impl Fn(&[Node])) {
    let mut nodes = nodes(name, 3, "--profile local");
    let mut client = nodes[1].connect();
    for key in 0..KEYS {
        client.ask(&format!("set count-{key} 0 0 1\r\n4\r\n"), "STORED\r\n");
        client.ask(&format!("incr count-{key} 1\r\n"), "5\r\n");
    }
    let mut first = nodes.remove(0);
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    meanwhile(&nodes);
    let again = again(name, &first)();
    let mut client = again.connect();
    for key in 0..KEYS {
        client.ask(&format!("add count-{key} 0 0 1\r\n0\r\n"), "NOT_STORED\r\n");
    }
    nodes.insert(0, again);
    for node in &nodes {
        let mut client = node.connect();
        for key in 0..KEYS {
            let there = format!("VALUE count-{key} 0 1\r\n5\r\nEND\r\n");
            client.ask(&format!("get count-{key}\r\n"), &there);
        }
    }
    all_serve(&nodes);
}

#[test]
fn the_first_node_restarted_at_once_writes_over_nothing() {
    nothing_is_lost("first-at-once", |_| {});
}

#[test]
fn the_first_node_restarted_after_its_death_was_noticed_writes_over_nothing() {
    nothing_is_lost("first-late", |others| {
        wait_until("it is held for dead", || others.iter().all(|node| listed(node) == 2));
    });
}

/// It is not ready, says for whom it waits, and what may be wrong; and goes on when the
/// seed is there.
#[test]
fn a_node_whose_seeds_do_not_answer_waits_for_them() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let seed = socket.local_addr().unwrap();
    drop(socket);
    let flags = "-p 0 -t 1 --profile local --node-id";
    let join = format!("{flags} waits --join {seed}");
    let mut waits = Node::begin_as("cluster-no-seed-waits", &join);
    let said = waits.hear(&format!("joining seeds={seed} cause=\"none of them answers"));
    assert!(said.contains("another secret or cluster name"), "{said}");
    assert!(!waits.ready_file.exists(), "{said}");
    let first = format!("{flags} seed --peer-listen {seed}");
    let first = Node::start_as("cluster-no-seed-first", &first);
    waits.become_ready();
    all_serve(&[first, waits]);
}
