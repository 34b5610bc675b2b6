//! Nodes come and go for good while clients go on.

use super::again::again;
use super::crowd::{Met, has_all, met_during};
use super::nodes::{all_serve, another, listed, nodes};
use crate::node::{Node, wait_until};
use std::net::SocketAddr;
use std::thread;

/// Long enough for all clients to have met it.
const SOME_WRITES: usize = 300;

fn is_settled(node: &Node) -> bool {
    let told = node.connect().lines("stats cluster\r\n");
    let is = |line: &str| told.iter().any(|told| told == line);
    is("STAT step settled") && is("STAT slots_with_too_few_copies 0")
}

fn all_settle(nodes: &[Node]) {
    all_serve(nodes);
    wait_until("owners do not change", || nodes.iter().all(is_settled));
}

/// No read missed, and no write failed.
fn nothing_was_noticed(what: &str, met: &Met) {
    println!("{what}: {met}");
    met.failed_once().values().take(20).for_each(|failed| println!("  {failed}"));
    met.missed.iter().take(20).for_each(|missed| println!("  missed {missed}"));
    assert!(met.missed.is_empty() && met.failed.is_empty(), "{met}");
    assert!(met.reads > 2 * SOME_WRITES, "{met}");
}

#[test]
fn nodes_join_under_load_and_nobody_notices() {
    let mut nodes = nodes("elastic-join", 3, "--profile local");
    let all: Vec<SocketAddr> = nodes.iter().map(Node::address).collect();
    let met = met_during(&all, |crowd| {
        crowd.goes_on(SOME_WRITES);
        for number in [3, 4] {
            nodes.push(another(&nodes, "elastic-join", number, "--profile local"));
            all_settle(&nodes);
            crowd.goes_on(SOME_WRITES);
        }
    });
    nothing_was_noticed("two join three", &met);
    for node in &nodes {
        has_all(node, &met);
    }
    // Those that came own some of it, and have it: another one may die.
    drop(nodes.remove(0));
    wait_until("it is held for dead", || nodes.iter().all(|node| listed(node) == 4));
    for node in &nodes {
        has_all(node, &met);
    }
}

#[test]
fn nodes_leave_under_load_and_nobody_notices() {
    let mut nodes = nodes("elastic-leave", 5, "--profile local");
    let all: Vec<SocketAddr> = nodes[..3].iter().map(Node::address).collect();
    let met = met_during(&all, |crowd| {
        crowd.goes_on(SOME_WRITES);
        for _ in 0..2 {
            let said = nodes.pop().unwrap().stop();
            assert!(said.contains("left: others own what it did"), "{said}");
            all_settle(&nodes);
            crowd.goes_on(SOME_WRITES);
        }
    });
    nothing_was_noticed("two of five leave", &met);
    for node in &nodes {
        has_all(node, &met);
        assert!(!node.stderr().contains("what=forgotten"), "they were waited for");
    }
}

#[test]
fn counts_are_exact_while_nodes_come_and_go() {
    let mut nodes = nodes("elastic-count", 3, "--profile local");
    let all: Vec<SocketAddr> = nodes.iter().map(Node::address).collect();
    for number in 0..8 {
        nodes[0].connect().ask(&format!("set n{number} 0 0 1\r\n0\r\n"), "STORED\r\n");
    }
    let goes_on = std::sync::atomic::AtomicBool::new(true);
    let counted: Vec<u64> = thread::scope(|scope| {
        let counts: Vec<_> = (0..8)
            .map(|number| {
                let mut client = nodes[number % 3].connect();
                let goes_on = &goes_on;
                scope.spawn(move || {
                    let mut count = 0;
                    while goes_on.load(std::sync::atomic::Ordering::Relaxed) {
                        count += 1;
                        client.ask(&format!("incr n{number} 1\r\n"), &format!("{count}\r\n"));
                    }
                    count
                })
            })
            .collect();
        nodes.push(another(&nodes, "elastic-count", 3, "--profile local"));
        all_settle(&nodes);
        let said = nodes.pop().unwrap().stop();
        assert!(said.contains("left: others own what it did"), "{said}");
        all_settle(&nodes);
        goes_on.store(false, std::sync::atomic::Ordering::Relaxed);
        counts.into_iter().map(|count| count.join().unwrap()).collect()
    });
    assert_eq!(all.len(), nodes.len());
    for (number, count) in counted.into_iter().enumerate() {
        for node in &nodes {
            let lines = node.connect().lines(&format!("get n{number}\r\n"));
            assert_eq!(lines[1].trim_end(), count.to_string(), "n{number}");
        }
    }
}

/// Nobody is left to hand anything to.
#[test]
fn all_nodes_may_leave_at_once() {
    let nodes = nodes("elastic-all", 3, "--profile local");
    for node in &nodes {
        node.signal("TERM");
    }
    for node in nodes {
        let (status, said) = node.end();
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(!said.contains("not all is handed over"), "{said}");
    }
}

#[test]
fn a_second_signal_ends_what_is_handed_over() {
    let nodes = nodes("elastic-twice", 2, "--profile local");
    // It never acknowledges a step.
    nodes[1].signal("STOP");
    nodes[0].signal("TERM");
    nodes[0].hear("leaving: hands over what it owns");
    nodes[0].signal("TERM");
    nodes[0].hear("stopping: answers what has arrived");
}

/// With this profile what a dead node was promised lasts for longer than a write is tried. Not
/// all of the others hear of its end by itself: gossip tells some, who tell the others.
#[test]
fn nobody_waits_for_a_node_that_was_stopped() {
    let mut nodes = nodes("elastic-stopped", 5, "--profile wan");
    nodes.pop().unwrap().stop_by("INT");
    let mut client = nodes[0].connect();
    for number in 0..300 {
        client.ask(&format!("set key-{number} 0 0 1\r\nv\r\n"), "STORED\r\n");
    }
}

/// Neither what it is asked for, nor what it is to keep for others: as long as it is there, and from
/// when it is back.
#[test]
fn no_write_fails_while_a_node_is_stopped_and_started_again() {
    let mut nodes = nodes("elastic-stop", 3, "--profile local");
    let all: Vec<SocketAddr> = nodes[1..].iter().map(Node::address).collect();
    let start = again("elastic-stop", &nodes[0]);
    let met = met_during(&all, |crowd| {
        for _ in 0..3 {
            crowd.goes_on(SOME_WRITES);
            nodes.remove(0).stop_by("INT");
            crowd.goes_on(SOME_WRITES);
            nodes.insert(0, start());
            all_settle(&nodes);
        }
        crowd.goes_on(SOME_WRITES);
    });
    nothing_was_noticed("one is stopped and started again", &met);
    assert_eq!(met.retried, 0, "somebody had to say it again: {met}");
}
