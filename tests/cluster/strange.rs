//! Nodes that know the secret and cannot take part.

use super::nodes::{listed, nodes};
use crate::node::Node;

/// Writes until this holds, and some times more: all of it is acknowledged.
pub(crate) fn all_is_written(node: &Node, mut until: impl FnMut() -> bool) {
    let mut client = node.connect();
    let mut left = 200;
    for number in 0.. {
        client.ask(&format!("set key-{} 0 0 1\r\nx\r\n", number % 100), "STORED\r\n");
        left -= i32::from(until());
        if left == 0 {
            break;
        }
        assert!(number < 100_000, "waited in vain");
    }
}

/// Its ring is another one, so it is left out, and does not serve beside them either.
#[test]
fn a_node_with_other_copies_breaks_no_write() {
    let nodes = nodes("strange", 2, "--profile local");
    let join = nodes[0].ready["peer"].as_str().unwrap();
    let flags = format!("-p 0 -t 1 --profile local --copies 3 --node-id strange --join {join}");
    let strange = Node::begin_as("cluster-strange-one", &flags);
    let line = "what=left-out cause=\"its ring layout differs";
    all_is_written(&nodes[0], || nodes.iter().all(|node| node.stderr().contains(line)));
    let said = strange.hear(line);
    // Longer than it would look for others.
    std::thread::sleep(std::time::Duration::from_secs(2));
    all_is_written(&nodes[1], || true);
    assert!(!strange.ready_file.exists(), "{said}");
    for node in &nodes {
        assert_eq!((listed(node), node.stderr().matches(line).count()), (2, 1));
        let lines = node.connect().lines("stats cluster\r\n");
        assert!(lines.contains(&"STAT slots_with_too_few_copies 0".to_owned()), "{lines:?}");
    }
}
