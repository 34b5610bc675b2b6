//! Packets are lost, and ways are cut, while clients go on.

use super::crowd::{Met, has_all, met_during};
use super::net::Net;
use crate::node::{Node, wait_until};
use crate::nodes::all_serve;
use crate::strange::all_is_written;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

/// Keys that each side writes.
const KEYS: usize = 60;

const SOME_WRITES: usize = 200;

fn addresses(nodes: &[Node]) -> Vec<SocketAddr> {
    nodes.iter().map(Node::address).collect()
}

#[track_caller]
fn write_all(node: &Node, name: &str, value: &str) {
    let mut client = node.connect();
    for number in 0..KEYS {
        let set = format!("set {name}-{number} 0 0 {}\r\n{value}\r\n", value.len());
        assert_eq!(client.lines(&(set + "get none\r\n")), ["STORED"], "{name}-{number}");
    }
}

#[track_caller]
fn read_all(node: &Node, name: &str, value: &str) {
    let mut client = node.connect();
    for number in 0..KEYS {
        let reply = format!("VALUE {name}-{number} 0 {}\r\n{value}\r\nEND\r\n", value.len());
        client.ask(&format!("get {name}-{number}\r\n"), &reply);
    }
}

/// Waits until these are read: for some tenths of a second after halves meet a node
/// may serve that has not got everything yet.
fn come_to_read(node: &Node, keys: &[String], lines: &[String]) {
    let (mut client, line) = (node.connect(), format!("get {}\r\n", keys.join(" ")));
    wait_until("the newer values are there", || client.lines(&line) == lines);
}

fn come_to_read_all(node: &Node, name: &str, value: &str) {
    let keys: Vec<String> = (0..KEYS).map(|number| format!("{name}-{number}")).collect();
    let lines =
        keys.iter().flat_map(|key| [format!("VALUE {key} 0 {}", value.len()), value.to_owned()]);
    come_to_read(node, &keys, &lines.collect::<Vec<_>>());
}

fn comes_to_have_all(node: &Node, met: &Met) {
    for keys in met.kept.chunks(100) {
        let lines =
            keys.iter().flat_map(|key| [format!("VALUE {key} 0 {}", key.len()), key.clone()]);
        let lines: Vec<String> = lines.collect();
        come_to_read(node, keys, &lines);
    }
}

fn hits(what: &str, met: &Met, percent_min: f64) {
    println!("{what}: {met}");
    met.failed_once().values().take(20).for_each(|failed| println!("  {failed}"));
    met.missed.iter().take(20).for_each(|missed| println!("  missed {missed}"));
    assert!(met.hit_percent() >= percent_min, "{met}");
}

fn heard_of_no_death(node: &Node) {
    let said = node.stderr();
    assert!(!said.contains("what=down"), "{said}");
}

#[test]
fn lost_packets_are_no_death() {
    let Some(net) = Net::start("loss", 3, "--profile lan") else { return };
    net.lose_percent(10);
    let met = met_during(&addresses(&net.nodes), |crowd| {
        crowd.goes_on(SOME_WRITES);
        // What is to be seen is that nothing happens.
        thread::sleep(Duration::from_secs(20));
        crowd.goes_on(SOME_WRITES);
    });
    hits("a tenth of all packets lost", &met, 99.9);
    net.nodes.iter().for_each(heard_of_no_death);
    net.heal();
    for node in &net.nodes {
        has_all(node, &met);
    }
}

#[test]
fn halves_go_on_and_meet_again() {
    // So that each side has an owner of every key.
    let flags = "--profile local --copies 3";
    let Some(net) = Net::start("halves", 3, flags) else { return };
    let [one, other, alone] = &net.nodes[..] else { unreachable!("three") };
    write_all(one, "early", "before the cut");
    write_all(one, "late", "before the cut");
    let mut healed = Instant::now();
    let met = met_during(&addresses(&net.nodes[..2]), |crowd| {
        crowd.goes_on(SOME_WRITES);
        for (from, to) in [(0, 2), (1, 2), (2, 0), (2, 1)] {
            net.cut(from, to);
        }
        net.wait_listed(&[0, 1], 2);
        net.wait_listed(&[2], 1);
        // Each side has its own, and of what both write the later one wins.
        write_all(alone, "minority", "of one");
        write_all(alone, "late", "of the minority");
        write_all(one, "late", "of the majority");
        write_all(one, "early", "of the majority");
        write_all(alone, "early", "of the minority");
        write_all(other, "majority", "of two");
        read_all(alone, "minority", "of one");
        read_all(one, "majority", "of two");
        crowd.goes_on(SOME_WRITES);
        healed = Instant::now();
        net.heal();
        net.wait_listed(&[0, 1, 2], 3);
        println!("halves agree {} ms after they meet", healed.elapsed().as_millis());
        crowd.goes_on(SOME_WRITES);
    });
    // For a moment after they meet all of them join again, and reads go to one that has
    // not got everything yet.
    hits("one of three cut off, seen from the others", &met, 99.0);
    for node in &net.nodes {
        come_to_read_all(node, "early", "of the minority");
        come_to_read_all(node, "late", "of the majority");
        come_to_read_all(node, "majority", "of two");
        come_to_read_all(node, "minority", "of one");
        comes_to_have_all(node, &met);
    }
}

/// As above, but that only one of the halves is to write.
#[test]
fn the_lesser_half_takes_no_writes() {
    let flags = "--profile local --copies 3 --min-nodes-for-writes 2";
    let Some(net) = Net::start("lesser", 3, flags) else { return };
    let [one, other, alone] = &net.nodes[..] else { unreachable!("three") };
    write_all(one, "early", "before the cut");
    for (from, to) in [(0, 2), (1, 2), (2, 0), (2, 1)] {
        net.cut(from, to);
    }
    let cut = Instant::now();
    let refused = "SERVER_ERROR too few nodes are seen to take writes";
    wait_until("the lesser half takes no writes", || {
        let set = "set early-0 0 0 1\r\nx\r\nget none\r\n";
        let answer = alone.connect().lines(set);
        assert_ne!(answer, ["STORED"], "the others may not have it");
        answer == [refused]
    });
    println!("refused {} ms after the cut", cut.elapsed().as_millis());
    net.wait_listed(&[0, 1], 2);
    net.wait_listed(&[2], 1);
    read_all(alone, "early", "before the cut");
    write_all(one, "early", "of the majority");
    write_all(other, "late", "of the majority");
    assert_eq!(alone.connect().lines("set late-1 0 0 1\r\nx\r\nget none\r\n"), [refused]);
    net.heal();
    net.wait_listed(&[0, 1, 2], 3);
    for node in &net.nodes {
        come_to_read_all(node, "early", "of the majority");
        come_to_read_all(node, "late", "of the majority");
        all_is_written(node, || true);
    }
}

#[test]
fn who_hears_nothing_harms_nobody() {
    let Some(net) = Net::start("deaf", 3, "--profile local") else { return };
    let met = met_during(&addresses(&net.nodes[..2]), |crowd| {
        crowd.goes_on(SOME_WRITES);
        // It goes on to say that the others are dead.
        net.cut(0, 2);
        net.cut(1, 2);
        net.wait_listed(&[0, 1], 2);
        net.wait_listed(&[2], 1);
        crowd.goes_on(2 * SOME_WRITES);
        net.heal();
        net.wait_listed(&[0, 1, 2], 3);
        crowd.goes_on(SOME_WRITES);
    });
    hits("one of three hears nothing, seen from the others", &met, 99.0);
    for node in &net.nodes {
        comes_to_have_all(node, &met);
    }
}

#[test]
fn one_way_that_is_cut_is_gone_around() {
    let Some(net) = Net::start("way", 3, "--profile local") else { return };
    let met = met_during(&addresses(&net.nodes), |crowd| {
        crowd.goes_on(SOME_WRITES);
        net.cut(2, 0);
        // Nothing is waited for: this is how long it is.
        thread::sleep(Duration::from_secs(4));
        net.heal();
        net.wait_listed(&[0, 1, 2], 3);
        crowd.goes_on(SOME_WRITES);
    });
    // Writes that need both ends of that way fail as long as it is cut.
    hits("one way of six cut for 4 s", &met, 99.9);
    for node in &net.nodes {
        has_all(node, &met);
    }
}

/// A firewall that lets gossip through and no calls.
#[test]
fn a_node_that_nobody_can_call_steps_back() {
    let Some(net) = Net::start("uncalled", 3, "--profile local") else { return };
    write_all(&net.nodes[0], "before", "the cut");
    let cut = Instant::now();
    net.cut_calls(2);
    let said = net.nodes[2].hear("WARNING: this node serves no more");
    println!("it stepped back {} ms after the cut", cut.elapsed().as_millis());
    assert!(!said.contains("what=down"), "{said}");
    for node in &net.nodes[..2] {
        node.hear("what=unlinked");
        wait_until("its keys are the others'", || {
            let lines = node.connect().lines("stats ring\r\n");
            lines.iter().any(|line| line.ends_with(":able nothing"))
        });
        println!("known {} ms after the cut", cut.elapsed().as_millis());
        all_is_written(node, || true);
        read_all(node, "before", "the cut");
    }
    let error = "SERVER_ERROR no link to the node that keeps this key\r\n";
    net.nodes[2].connect().ask("set before-1 0 0 1\r\nx\r\n", error);
    net.heal();
    let healed = Instant::now();
    all_serve(&net.nodes);
    println!("it serves {} ms after it can be called again", healed.elapsed().as_millis());
    for node in &net.nodes {
        all_is_written(node, || true);
        come_to_read_all(node, "before", "the cut");
        assert!(!node.stderr().contains("what=down"));
    }
}
