//! What a node lacks is brought to it by a link for that alone.

use super::net::{Net, PEER_PORT};
use super::nodes::{another, nodes};
use crate::node::{Node, wait_until};
use std::fmt::Write;

const KEYS: usize = 400;

/// Enough for many messages.
const VALUE_BYTES: usize = 8 << 10;

fn value(number: usize) -> String {
    let mut value = format!("value of {number} ");
    while value.len() < VALUE_BYTES {
        write!(value, "{:x}", value.len()).unwrap();
    }
    value
}

fn write_all(node: &Node) {
    let mut client = node.connect();
    for number in 0..KEYS {
        let value = value(number);
        let set = format!("set key-{number} {number} 0 {}\r\n{value}\r\n", value.len());
        client.ask(&set, "STORED\r\n");
    }
}

fn read_all(node: &Node) {
    let mut client = node.connect();
    for number in 0..KEYS {
        let value = value(number);
        let there = format!("VALUE key-{number} {number} {}\r\n{value}\r\nEND\r\n", value.len());
        client.ask(&format!("get key-{number}\r\n"), &there);
    }
}

/// What a node says of the node with this name.
fn said_of(node: &Node, name: &str, what: &str) -> Option<String> {
    let lines = node.connect().lines("stats cluster\r\n");
    let line = lines.iter().find(|line| line.ends_with(&format!(":name {name}")))?;
    let id = line.strip_prefix("STAT ")?.split(':').next()?;
    let start = format!("STAT {id}:{what} ");
    lines.iter().find_map(|line| line.strip_prefix(&start)).map(ToOwned::to_owned)
}

fn count(node: &Node, group: &str, what: &str) -> usize {
    let start = format!("STAT {what} ");
    let lines = node.connect().lines(&format!("{group}\r\n"));
    lines.iter().find_map(|line| line.strip_prefix(&start)).unwrap().parse().unwrap()
}

#[test]
fn what_a_newcomer_lacks_comes_by_a_link_for_that() {
    let mut nodes = nodes("bulk", 2, "-m 128");
    write_all(&nodes[0]);
    assert_eq!(said_of(&nodes[0], "cluster-bulk-1", "bulk").unwrap(), "no", "nothing is moved");
    nodes.push(another(&nodes, "bulk", 2, "-m 128"));
    for node in &nodes[..2] {
        // It is kept for some seconds after it was of use.
        assert_eq!(said_of(node, "cluster-bulk-2", "bulk").unwrap(), "yes");
        let (items, bytes) = (
            count(node, "stats cluster", "moved_items"),
            count(node, "stats cluster", "moved_bytes"),
        );
        assert!((1..=2 * KEYS).contains(&items) && bytes >= items * VALUE_BYTES, "{items} {bytes}");
    }
    read_all(&nodes[2]);
}

/// A firewall may let all else through.
#[test]
fn a_port_for_bulk_that_is_closed_is_gone_around() {
    let Some(mut net) = Net::start("bulk", 2, "--profile local -m 128") else { return };
    write_all(&net.nodes[0]);
    // Behind those of gossip, of the first link and of two workers.
    net.close_port(1, PEER_PORT + 4);
    net.nodes[1].child.kill().unwrap();
    net.nodes[1].child.wait().unwrap();
    net.nodes[1] = net.start_node("bulk", 1, "--profile local -m 128");
    let (first, again) = (&net.nodes[0], &net.nodes[1]);
    assert_eq!(count(again, "stats", "curr_items"), KEYS);
    assert_eq!(said_of(first, "net-bulk-1", "bulk").unwrap(), "no");
    wait_until("both serve", || super::nodes::listed(first) == 2);
    read_all(again);
}
