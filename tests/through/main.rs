//! What clients are told by a node alone, asked of real nodes in processes of their
//! own, through one that owns next to nothing: nearly every answer is another's.
//!
//! The tests are those of `tests/protocol`, with another client. Left to them alone
//! is what is about one node (statistics, dumps, users, shutting down), what needs a
//! clock that can be moved, and requests that do not end.

#[path = "../protocol/binary.rs"]
mod binary;
#[path = "../protocol/bodies.rs"]
mod bodies;
#[path = "../protocol/classic.rs"]
mod classic;
mod client;
#[path = "../protocol/golden.rs"]
mod golden;
#[path = "../protocol/large.rs"]
mod large;
#[path = "../protocol/leases.rs"]
mod leases;
#[path = "../protocol/meta.rs"]
mod meta;
#[allow(dead_code, reason = "the tests of one node say more to it")]
#[path = "../serve/node.rs"]
mod node;
#[allow(dead_code, reason = "other tests start other clusters")]
#[path = "../cluster/nodes.rs"]
mod nodes;
mod pieces;
#[path = "../cluster/will.rs"]
mod will;

use node::{program, wait_until};
use serde_json::Value;

#[test]
fn the_node_that_is_asked_owns_next_to_nothing() {
    let nodes = nodes::beside_owners("thin", "");
    let thin = &nodes[2];
    let mut client = thin.connect();
    for number in 0..400 {
        client.ask(&format!("set key-{number} 0 0 1\r\nx\r\n"), "STORED\r\n");
    }
    let line = format!("members --server {} -o json", thin.address());
    let members: Value = serde_json::from_slice(&program(&line).output().unwrap().stdout).unwrap();
    let me = |node: &&Value| node["node"].as_str().unwrap().ends_with('*');
    let owns = members["nodes"].as_array().unwrap().iter().find(me).unwrap()["owns"].as_f64();
    assert!(owns.is_some_and(|owns| owns < 0.05), "{owns:?} {members}");
    let items = |line: &String| line.strip_prefix("STAT curr_items ")?.parse::<u32>().ok();
    let kept = client.lines("stats\r\n").iter().find_map(items);
    assert!(kept.is_some_and(|kept| kept < 60), "{kept:?}");
}

#[test]
fn items_expire_for_all() {
    let nodes = nodes::beside_owners("expiry", "");
    let mut clients: Vec<_> = nodes.iter().map(node::Node::connect).collect();
    clients[2].ask("set short 0 1 1\r\nx\r\nset long 0 100 1\r\nx\r\n", "STORED\r\nSTORED\r\n");
    for client in &mut clients {
        wait_until("it expires", || client.lines("get short\r\n").is_empty());
        client.ask("get short long\r\n", "VALUE long 0 1\r\nx\r\nEND\r\n");
    }
}
