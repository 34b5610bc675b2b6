//! Several nodes that are one cluster.

use crate::node::{Node, lasting_port, wait_until};

/// So many nodes that have found each other. The name is no other test's.
pub(crate) fn nodes(name: &str, count: usize, flags: &str) -> Vec<Node> {
    let nodes = nodes_at_once(name, count, flags);
    all_serve(&nodes);
    nodes
}

/// The same as soon as each of them is ready.
pub(crate) fn nodes_at_once(name: &str, count: usize, flags: &str) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for number in 0..count {
        nodes.push(another(&nodes, name, number, flags));
    }
    nodes
}

/// Three nodes, the last of which owns next to nothing: whatever it is asked,
/// others answer.
pub(crate) fn beside_owners(name: &str, flags: &str) -> Vec<Node> {
    let mut nodes = nodes_at_once(name, 2, &format!("--weight 20 {flags}"));
    nodes.push(another(&nodes, name, 2, &format!("--weight 1 {flags}")));
    all_serve(&nodes);
    nodes
}

/// The node of this number, started now, beside these.
pub(crate) fn another(nodes: &[Node], name: &str, number: usize, flags: &str) -> Node {
    let join = nodes
        .first()
        .map_or(String::new(), |first| format!("--join {}", first.ready["peer"].as_str().unwrap()));
    let name = format!("cluster-{name}-{number}");
    let port = match flags.contains("-p ") {
        true => String::new(),
        false => format!("-p {}", lasting_port()),
    };
    let threads = if flags.contains("-t ") { "" } else { "-t 2" };
    let flags =
        format!("{port} {threads} --peer-listen 127.0.0.1:0 {join} --node-id {name} {flags}");
    Node::start_as(&name, &flags)
}

pub(crate) fn all_serve(nodes: &[Node]) {
    for node in nodes {
        wait_until("all serve", || listed(node) == nodes.len());
    }
}

/// How many nodes this one tells its clients of.
pub(crate) fn listed(node: &Node) -> usize {
    let lines = node.connect().lines("config get cluster\r\n");
    lines.get(2).map_or(0, |line| line.split_whitespace().count())
}
