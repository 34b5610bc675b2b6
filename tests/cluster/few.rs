//! A node that sees too few others takes no writes, and goes on to answer reads.

use crate::node::{Client, Node, program, wait_until};
use crate::nodes::{all_serve, another};
use std::io::{Read, Write};

const REFUSED: &str = "SERVER_ERROR too few nodes are seen to take writes\r\n";

fn stat(node: &Node, name: &str) -> String {
    let lines = node.connect().lines("stats cluster\r\n");
    let start = format!("STAT {name} ");
    lines.iter().find_map(|line| line.strip_prefix(&start)).unwrap().to_owned()
}

/// The status that a request of the binary protocol reads.
fn status(node: &Node, opcode: u8, extras: &[u8], key: &str, value: &str) -> u8 {
    let body = extras.len() + key.len() + value.len();
    let mut packet = vec![0x80, opcode, 0, key.len() as u8, extras.len() as u8, 0, 0, 0];
    packet.extend((body as u32).to_be_bytes());
    packet.extend([0; 12]);
    packet.extend(extras.iter().copied().chain(key.bytes()).chain(value.bytes()));
    let mut client = node.connect();
    client.0.get_mut().write_all(&packet).unwrap();
    let mut head = [0; 24];
    client.0.read_exact(&mut head).unwrap();
    assert_eq!((head[1], head[6]), (opcode, 0));
    head[7]
}

/// Whatever writes, by each protocol; what reads is answered.
fn check_refuses(node: &Node) {
    let mut client = node.connect();
    for request in [
        "set k 0 0 1\r\nx\r\n",
        "add other 0 0 1\r\nx\r\n",
        "append k 0 0 1\r\nx\r\n",
        "cas k 0 0 1 1\r\nx\r\n",
        "delete k\r\n",
        "incr k 1\r\n",
        "touch k 100\r\n",
        "gat 100 k\r\n",
        "flush_all\r\n",
        "ms k 1\r\nx\r\n",
        "ms k 1 q\r\nx\r\n",
        "md k\r\n",
        "ma k\r\n",
        "mg k v T60\r\n",
        "mg other v N60\r\n",
    ] {
        client.ask(request, REFUSED);
    }
    let large = "v".repeat(300_000);
    client.ask(&format!("set k 0 0 300000\r\n{large}\r\n"), REFUSED);
    client.ask(&format!("ms k 300000\r\n{large}\r\n"), REFUSED);
    // Nor is what a value that is too large was to replace taken away.
    let too_large = "v".repeat(2 << 20);
    let set = format!("set k 0 0 {}\r\n{too_large}\r\n", too_large.len());
    client.ask(&set, "SERVER_ERROR object too large for cache\r\n");
    client.ask("set k 0 0 1 noreply\r\ny\r\nget k\r\n", "VALUE k 0 1\r\n7\r\nEND\r\n");
    client.ask("mg k v\r\n", "VA 1\r\n7\r\n");
    client.ask("get k none\r\n", "VALUE k 0 1\r\n7\r\nEND\r\n");
    let temporary = 0x86;
    for opcode in [0x01, 0x11] {
        assert_eq!(status(node, opcode, &[0; 8], "k", "x"), temporary);
        assert_eq!(status(node, opcode, &[0; 8], "k", &large), temporary);
    }
    assert_eq!(status(node, 0x04, &[], "k", ""), temporary, "delete");
    assert_eq!(status(node, 0x05, &[0; 20], "k", ""), temporary, "incr");
    assert_eq!(status(node, 0x1c, &[0; 4], "k", ""), temporary, "touch");
    assert_eq!(status(node, 0x08, &[], "", ""), temporary, "flush");
    assert_eq!(status(node, 0x00, &[], "k", ""), 0, "get");
    client.ask("get k\r\n", "VALUE k 0 1\r\n7\r\nEND\r\n");
}

fn say(client: &mut Client, number: usize) -> bool {
    let set = format!("set key-{number} 0 0 1\r\nx\r\nget none\r\n");
    client.lines(&set) == ["STORED"]
}

#[test]
fn a_node_that_sees_too_few_takes_no_writes() {
    let flags = "--profile local --copies 2 --grace 1s --min-nodes-for-writes 2";
    let mut nodes = vec![another(&[], "few", 0, flags)];
    let before = stat(&nodes[0], "writes_refused");
    nodes[0].connect().ask("set k 0 0 1\r\n7\r\n", REFUSED);
    assert_ne!(stat(&nodes[0], "writes_refused"), before);
    nodes.push(another(&nodes, "few", 1, flags));
    all_serve(&nodes);
    for node in &nodes {
        node.hear("writes what=taken nodes=2");
        assert_eq!(stat(node, "takes_writes"), "yes");
        wait_until("writes are taken", || (0..50).all(|number| say(&mut node.connect(), number)));
    }
    nodes[0].connect().ask("set k 0 0 1\r\n7\r\n", "STORED\r\n");
    let gone = nodes.pop().unwrap();
    gone.signal("KILL");
    wait_until("it sees too few", || stat(&nodes[0], "takes_writes") == "no");
    // What happens is told a moment after it has.
    wait_until("it says so", || nodes[0].stderr().matches("writes what=refused").count() == 2);
    assert_eq!(stat(&nodes[0], "min_nodes_for_writes"), "2");
    let get = "get k\r\n";
    wait_until("its keys are read", || nodes[0].connect().lines(get).len() == 2);
    check_refuses(&nodes[0]);
    // Also when it has forgotten that there was another one.
    wait_until("the dead one has no slots", || {
        let lines = nodes[0].connect().lines("stats ring\r\n");
        lines.iter().any(|line| line == "STAT nodes 1")
    });
    check_refuses(&nodes[0]);
    nodes.push(another(&nodes, "few", 2, flags));
    all_serve(&nodes);
    for node in &nodes {
        wait_until("writes are taken", || (0..50).all(|number| say(&mut node.connect(), number)));
        node.connect().ask(get, "VALUE k 0 1\r\n7\r\nEND\r\n");
    }
}

/// Whoever is asked sees enough; the primary does not.
#[test]
fn a_primary_that_sees_too_few_refuses_what_others_send() {
    let mut nodes = vec![another(&[], "sent", 0, "--min-nodes-for-writes 3")];
    nodes.push(another(&nodes, "sent", 1, ""));
    all_serve(&nodes);
    let mut client = nodes[1].connect();
    let mut answers: Vec<String> = Vec::new();
    for number in 0..40 {
        answers
            .push(client.lines(&format!("set key-{number} 0 0 1\r\nx\r\nget none\r\n")).concat());
    }
    let refused = answers.iter().filter(|answer| **answer == REFUSED.trim_end()).count();
    let stored = answers.iter().filter(|answer| *answer == "STORED").count();
    assert!(refused > 0 && stored > 0 && refused + stored == 40, "{answers:?}");
    assert_eq!(stat(&nodes[0], "writes_refused"), refused.to_string());
}

#[test]
fn the_least_number_of_nodes_is_a_number() {
    let wrong = |line: &str, variable: &str| {
        let mut program = program(line);
        if !variable.is_empty() {
            program.env("RINGCACHED_MIN_NODES_FOR_WRITES", variable);
        }
        let output = program.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(wrong("-p 0 --min-nodes-for-writes 2", "").contains("has no others"));
    assert!(wrong("-p 0 --cluster a --min-nodes-for-writes 70000", "").contains("at most"));
    assert!(wrong("-p 0 --cluster a", "two").contains("`two` is no number of nodes"));
    assert!(wrong("-p 0", "2").contains("has no others"));
}
