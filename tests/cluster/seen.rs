//! `members` and `status`, asked of real nodes.

use super::node::{Node, program, wait_until};
use super::nodes::{all_serve, another, listed, nodes};
use serde_json::Value;

/// The exit code, and what it says.
fn ask(command: &str, node: &Node, flags: &str) -> (i32, String) {
    let line = format!("{command} --server {} {flags}", node.address());
    let output = program(&line).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

fn json(command: &str, node: &Node) -> Value {
    let (_, text) = ask(command, node, "-o json");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn nodes_are_listed_with_what_is_known_of_them() {
    let nodes = nodes("members", 3, "--zone east --copies 2 --write-ack all");
    for node in &nodes {
        // The last one to join is linked a moment after it is listed.
        wait_until("all is well", || ask("status", node, "").0 == 0);
        let (code, text) = ask("members", node, "");
        assert_eq!((code, text.lines().count()), (0, 4), "{text}");
        assert!(text.starts_with("NODE  ") && text.contains("cluster-members-1"), "{text}");
        let members = json("members", node);
        assert_eq!(members["schema_version"], 1);
        let listed = members["nodes"].as_array().unwrap();
        assert_eq!(listed.len(), 3);
        let owned: f64 = listed.iter().map(|node| node["owns"].as_f64().unwrap()).sum();
        assert!((owned - 1.0).abs() < 1e-9, "{owned}");
        for member in listed {
            let is_me = member["node"].as_str().unwrap().ends_with('*');
            assert_eq!(
                (&member["standing"], &member["phase"]),
                (&"alive".into(), &"serving".into())
            );
            assert_eq!(member["zone"], "east");
            assert_eq!(member["linked"], if is_me { Value::Null } else { "yes".into() });
            assert_eq!(member["client_address"] == node.ready["client"], is_me);
            assert!(member["generation"].as_u64().unwrap() > 0);
        }
        let status = json("status", node);
        assert_eq!((&status["healthy"], &status["write_ack"]), (&true.into(), &"all".into()));
        assert_eq!((&status["copies"], &status["members"]), (&2.into(), &3.into()));
        assert_eq!(status["slots_with_too_few_copies"], 0);
    }
}

/// Nothing is wrong with so few; where one of them has died, that is told and no more.
#[test]
fn too_few_nodes_for_all_copies_are_told_of() {
    let mut nodes = vec![another(&[], "lack", 0, "--copies 3")];
    let hint = |nodes: &[Node]| json("status", &nodes[0])["hint"].clone();
    let join = nodes[0].ready["peer"].as_str().unwrap().to_owned();
    let says = |owners| {
        format!(
            "each key has {owners} of 3 copies, as there are no more nodes: start another one \
             with --join {join}"
        )
    };
    assert_eq!(hint(&nodes), says(1));
    for owners in [2, 3] {
        let (code, text) = ask("status", &nodes[0], "");
        assert_eq!(code, 0, "{text}");
        assert!(text.starts_with("HEALTHY") && text.contains(&says(owners - 1)), "{text}");
        nodes.push(another(&nodes, "lack", owners - 1, "--copies 3"));
        all_serve(&nodes);
        wait_until("all is well", || ask("status", &nodes[0], "").0 == 0);
    }
    assert_eq!(hint(&nodes), Value::Null);
    nodes.remove(2).stop();
    wait_until("it has left", || hint(&nodes) == says(2));
    drop(nodes.pop());
    wait_until("it is held for dead", || listed(&nodes[0]) == 1);
    let status = json("status", &nodes[0]);
    assert_eq!((&status["healthy"], &status["hint"]), (&false.into(), &Value::Null), "{status}");
}

#[test]
fn a_dead_node_makes_it_unhealthy() {
    let mut nodes = nodes("unhealthy", 3, "--profile local --copies 2");
    wait_until("all is well", || ask("status", &nodes[0], "").0 == 0);
    drop(nodes.pop());
    wait_until("it is held for dead", || listed(&nodes[0]) == 2);
    let (code, text) = ask("status", &nodes[0], "");
    assert_eq!(code, 1, "{text}");
    assert!(
        text.starts_with("UNHEALTHY") && text.contains("cluster-unhealthy-2 is down"),
        "{text}"
    );
    let status = json("status", &nodes[0]);
    assert!(status["slots_with_too_few_copies"].as_u64().unwrap() > 0, "{status}");
    assert_eq!(status["slots_without_any_copy"], 0, "{status}");
}

#[test]
fn who_takes_no_writes_is_unhealthy() {
    let node = another(&[], "unwritten", 0, "--min-nodes-for-writes 2");
    let (code, text) = ask("status", &node, "");
    assert_eq!(code, 1, "{text}");
    let trouble = "cluster-unwritten-0 takes no writes: it sees fewer than 2 nodes that serve";
    assert!(text.starts_with("UNHEALTHY") && text.contains(trouble), "{text}");
}

#[test]
fn who_is_paused_is_unhealthy_until_it_goes_on() {
    let node = another(&[], "halted", 0, "");
    wait_until("all is well", || ask("status", &node, "").0 == 0);
    let rebalance = |what: &str| {
        let admin = node.ready["admin"].as_str().unwrap();
        let output = program(&format!("rebalance {what} --admin {admin}")).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    };
    rebalance("pause");
    let status = json("status", &node);
    assert_eq!(status["healthy"], false);
    let trouble = status["troubles"][0].as_str().unwrap();
    assert!(trouble.starts_with("moves are paused at cluster-halted-0"), "{trouble}");
    assert_eq!(ask("status", &node, "").0, 1);
    rebalance("resume");
    assert_eq!(ask("status", &node, "").0, 0);
}

#[test]
fn who_is_not_there_or_alone_is_told_apart() {
    let alone = Node::start("seen-alone", "");
    let (code, _) = ask("status", &alone, "");
    assert_eq!(code, 1);
    assert_eq!(ask("members", &alone, "").0, 1);
    let address = alone.address();
    alone.stop();
    let output = program(&format!("members --server {address}")).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
}
