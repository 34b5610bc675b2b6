//! The admin ports of nodes that come, go and hand over.

use super::crowd::{has_all, met_during};
use super::http::{address, ask, get, reasons};
use super::node::{Node, PATIENCE, program, wait_until};
use super::nodes::{another, listed, nodes};
use ringcached::admin::Token;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

fn store_some(node: &Node) {
    let mut client = node.connect();
    for number in 0..100 {
        client.ask(&format!("set key-{number} 0 0 3\r\nabc\r\n"), "STORED\r\n");
    }
}

/// What a node knows of the one with this name.
fn member(node: &Node, name: &str) -> Option<Value> {
    let told = get(node, "/v1/cluster").body;
    told["members"].as_array()?.iter().find(|member| member["name"] == name).cloned()
}

#[test]
fn members_are_told_with_all_addresses() {
    let nodes = nodes("admin-members", 3, "--zone east");
    for node in &nodes {
        wait_until("owners do not change", || {
            get(node, "/v1/cluster").body["ring"]["step"] == "settled"
        });
        let told = get(node, "/v1/cluster").body;
        assert_eq!(
            (&told["cluster"], &told["node_id"]),
            (&"ringcached".into(), &node.ready["node_id"])
        );
        assert!(told["ring"]["number"].as_u64().unwrap() > 1, "{told}");
        assert_eq!(told["members"].as_array().unwrap().len(), 3);
        for (number, other) in nodes.iter().enumerate() {
            let seen = member(node, &format!("cluster-admin-members-{number}")).unwrap();
            for address in ["client", "peer", "admin"] {
                assert_eq!(seen[address], other.ready[address], "{seen}");
            }
            assert_eq!(seen["node_id"], other.ready["node_id"]);
            assert_eq!((&seen["standing"], &seen["zone"]), (&"alive".into(), &"east".into()));
            assert_eq!((&seen["phase"], &seen["weight"]), (&"serving".into(), &1.into()));
            assert!(seen["generation"].as_u64().unwrap() > 0);
        }
    }
}

#[test]
fn a_node_that_joins_is_not_ready_yet() {
    let nodes = nodes("admin-joins", 2, "");
    // It brings nobody anything, and is not held for dead at once.
    nodes[1].signal("STOP");
    let name = "cluster-admin-joins-2";
    let join = nodes[0].ready["peer"].as_str().unwrap();
    let flags = format!("-p 0 -t 2 --peer-listen 127.0.0.1:0 --join {join} --node-id {name}");
    let mut third = Node::begin_as(name, &flags);
    let mut admin = None;
    wait_until("others hear of it", || {
        let member = member(&nodes[0], name);
        admin = member.and_then(|member| member["admin"].as_str()?.parse::<SocketAddr>().ok());
        admin.is_some()
    });
    let told = ask(admin.unwrap(), "GET", "/readyz", "");
    assert_eq!((told.status, reasons(&told)), (503, vec!["joining"]), "{told:?}");
    assert!(told.body["reasons"][0]["waits_for"].is_array(), "{told:?}");
    assert_eq!(ask(admin.unwrap(), "GET", "/livez", "").status, 200);
    nodes[1].signal("CONT");
    third.become_ready();
    assert_eq!(get(&third, "/readyz").status, 200);
}

#[test]
fn a_node_that_leaves_is_ready_no_more() {
    let mut nodes = nodes("admin-leaves", 2, "");
    assert_eq!(get(&nodes[0], "/readyz").status, 200);
    // It acknowledges no step.
    nodes[1].signal("STOP");
    nodes[0].signal("TERM");
    nodes[0].hear("leaving: hands over what it owns");
    let told = get(&nodes[0], "/readyz");
    assert_eq!((told.status, reasons(&told)), (503, vec!["leaving"]), "{told:?}");
    assert_eq!(get(&nodes[0], "/v1/drain").body["state"], "leaving");
    nodes[1].signal("CONT");
    let (status, said) = nodes.remove(0).end();
    assert_eq!(status.code(), Some(0), "{said}");
}

#[test]
fn whoever_has_full_copies_beside_it_may_stop() {
    // The dead are to own nothing soon.
    let flags = "--profile local --copies 2 --grace 1s";
    let mut nodes = nodes("admin-safe", 2, flags);
    store_some(&nodes[0]);
    for node in &nodes {
        wait_until("all have all", || get(node, "/safe-to-stop").status == 200);
        assert_eq!(get(node, "/safe-to-stop").body["safe"], true);
    }
    drop(nodes.pop());
    // From when it is only suspected on.
    wait_until("it is missed", || get(&nodes[0], "/safe-to-stop").status == 503);
    wait_until("it is held for dead", || listed(&nodes[0]) == 1);
    let told = get(&nodes[0], "/safe-to-stop");
    assert_eq!(told.status, 503, "{told:?}");
    assert_eq!(told.body["slots_without_another_owner"], told.body["slots"]);
    nodes.push(another(&nodes, "admin-safe", 2, flags));
    for node in &nodes {
        wait_until("it has all", || get(node, "/safe-to-stop").status == 200);
    }
}

#[test]
fn slots_with_one_copy_are_never_safe() {
    let nodes = nodes("admin-one", 2, "--copies 1");
    store_some(&nodes[0]);
    for node in &nodes {
        wait_until("owners do not change", || {
            reasons(&get(node, "/safe-to-stop")) == ["no_other_owner"]
        });
    }
}

#[test]
fn a_node_leaves_when_it_is_asked_to() {
    let mut nodes = nodes("admin-drain", 2, "");
    store_some(&nodes[0]);
    let admin = address(&nodes[0]);
    let token = Token::of_name("ringcached");
    let token = format!("Authorization: Bearer {}\r\n", token.text());
    assert_eq!(ask(admin, "POST", "/v1/drain", "").status, 401);
    assert_eq!(get(&nodes[0], "/v1/drain").body["state"], "stays");
    let told = ask(admin, "POST", "/v1/drain", &token);
    assert_eq!((told.status, &told.body["state"]), (202, &"leaving".into()));
    // Answered when it has, before the node is gone.
    assert_eq!(ask(admin, "GET", "/v1/drain?wait_ms=5000", "").body["state"], "handed_over");
    let (status, said) = nodes.remove(0).end();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("left: others own what it did"), "{said}");
    let mut client = nodes[0].connect();
    for number in 0..100 {
        let reply = format!("VALUE key-{number} 0 3\r\nabc\r\nEND\r\n");
        client.ask(&format!("get key-{number}\r\n"), &reply);
    }
}

#[test]
fn a_node_that_hands_nothing_over_says_so() {
    let nodes = nodes("admin-no-drain", 1, "--drain-timeout 0");
    let token = Token::of_name("ringcached");
    let token = format!("Authorization: Bearer {}\r\n", token.text());
    let told = ask(address(&nodes[0]), "POST", "/v1/drain", &token);
    assert_eq!(told.status, 409, "{told:?}");
}

/// The exit code, and what is said on both streams.
fn run(command: &str, node: &Node) -> (i32, String, String) {
    let output = program(&format!("{command} --admin {}", address(node))).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The same, begun and not waited for.
fn begin(command: &str, at: SocketAddr) -> Child {
    program(&format!("{command} --admin {at}")).stderr(Stdio::piped()).spawn().unwrap()
}

/// Its exit code, and what it says on stderr.
fn end(command: Child) -> (i32, String) {
    let output = command.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_node_is_drained_under_load_and_nobody_notices() {
    let mut nodes = nodes("admin-load", 4, "--profile local");
    let all: Vec<SocketAddr> = nodes[..3].iter().map(Node::address).collect();
    let met = met_during(&all, |crowd| {
        crowd.goes_on(300);
        let (code, _, said) = run("drain --wait", &nodes[3]);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("has left"), "{said}");
        let (status, said) = nodes.pop().unwrap().end();
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(said.contains("left: others own what it did"), "{said}");
        crowd.goes_on(300);
    });
    assert!(met.missed.is_empty() && met.failed.is_empty(), "{met}");
    for node in &nodes {
        has_all(node, &met);
    }
}

#[test]
fn whoever_waits_for_too_long_or_in_vain_is_told_by_the_exit_code() {
    let mut nodes = nodes("admin-exits", 2, "");
    // It acknowledges no step.
    nodes[1].signal("STOP");
    let (code, _, said) = run("drain --wait --timeout 300ms", &nodes[0]);
    assert_eq!(code, 4, "{said}");
    nodes[1].signal("CONT");
    let left = nodes.remove(0);
    let admin = address(&left);
    assert_eq!(left.end().0.code(), Some(0));
    let output = program(&format!("drain --wait --admin {admin}")).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let alone = Node::start("admin-drain-alone", "");
    let (code, _, said) = run("drain", &alone);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("belongs to no cluster"), "{said}");
    assert_eq!(run("rebalance status", &alone).0, 1);
    assert_eq!(run("drain --timeout", &alone).0, 2);
}

fn moves(node: &Node) -> Value {
    let (_, text, said) = run("rebalance status -o json", node);
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{said}"))
}

#[test]
fn moves_are_paused_shown_and_resumed() {
    let nodes = nodes("admin-pause", 2, "");
    store_some(&nodes[0]);
    let (code, text, said) = run("rebalance pause", &nodes[1]);
    assert_eq!((code, text.lines().count()), (0, 3), "{said}");
    assert!(text.lines().skip(1).all(|line| line.ends_with("yes")), "{text}");
    assert_eq!(moves(&nodes[0])["paused"].as_array().unwrap().len(), 2);
    let name = "cluster-admin-pause-2";
    let join = nodes[0].ready["peer"].as_str().unwrap();
    let flags = format!("-p 0 -t 2 --peer-listen 127.0.0.1:0 --join {join} --node-id {name}");
    let mut third = Node::begin_as(name, &flags);
    let mut rows = Vec::new();
    wait_until("something is to be moved to it", || {
        rows = moves(&nodes[0])["moves"].as_array().unwrap().clone();
        rows.iter().any(|row| row["target"] == name)
    });
    let row = rows.iter().find(|row| row["target"] == name).unwrap();
    assert!(row["source"].as_str().unwrap().starts_with("cluster-admin-pause-"), "{row}");
    assert!(row["slots"].as_u64().unwrap() > 0, "{row}");
    assert!((0.0..=1.0).contains(&row["share_done"].as_f64().unwrap()), "{row}");
    let told = member(&nodes[0], name).unwrap();
    assert_eq!(told["phase"], "joining");
    let (code, text, said) = run("rebalance resume -o json", &nodes[0]);
    assert_eq!(code, 0, "{said}");
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&told["paused"], told["nodes"].as_array().unwrap().len()), (&false.into(), 3));
    let (code, text, said) = run("rebalance status --watch", &nodes[1]);
    assert_eq!((code, text.as_str()), (0, ""), "{said}");
    assert!(said.contains("nothing moves"), "{said}");
    third.become_ready();
    assert_eq!(moves(&third)["moves"].as_array().unwrap().len(), 0);
}

#[test]
fn a_pause_and_a_resume_are_logged() {
    let nodes = nodes("admin-logged", 1, "");
    for _ in 0..2 {
        assert_eq!(run("rebalance pause", &nodes[0]).0, 0);
    }
    nodes[0].hear("moves paused by an operator");
    assert_eq!(run("rebalance resume", &nodes[0]).0, 0);
    let said = nodes[0].hear("moves resumed by an operator");
    assert_eq!(said.matches("by an operator").count(), 2, "what changes nothing is not told");
}

/// Two nodes without copies, paused at both: whoever leaves cannot hand over.
fn paused(name: &str, flags: &str) -> Vec<Node> {
    let nodes = nodes(name, 2, &format!("--copies 1 {flags}"));
    store_some(&nodes[0]);
    wait_until("owners do not change", || {
        get(&nodes[0], "/v1/cluster").body["ring"]["step"] == "settled"
    });
    let (code, _, said) = run("rebalance pause", &nodes[0]);
    assert_eq!(code, 0, "{said}");
    nodes
}

#[test]
fn a_drain_says_that_it_is_paused_and_gives_up_in_plain_seconds() {
    let mut nodes = paused("admin-halted", "");
    let (code, _, said) = run("drain --wait --timeout 3", &nodes[0]);
    assert_eq!(code, 4, "{said}");
    let names = "cluster-admin-halted-0, cluster-admin-halted-1";
    assert!(said.contains(&format!("moves are paused at {names}")), "{said}");
    assert_eq!(run("rebalance resume", &nodes[1]).0, 0);
    let (status, said) = nodes.remove(0).end();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("left: others own what it did"), "{said}");
}

#[test]
fn a_drain_outlasts_the_node_that_gives_up() {
    let mut nodes = paused("admin-gives-up", "--drain-timeout 1s");
    let (code, _, said) = run("drain --wait", &nodes[0]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("stopped before all was handed over"), "{said}");
    assert!(nodes.remove(0).end().1.contains("not all is handed over"));
    let help = String::from_utf8(program("drain --help").output().unwrap().stdout).unwrap();
    assert!(help.contains("[default: 90s]"), "longer than --drain-timeout: {help}");
}

#[test]
fn a_node_that_dies_while_it_is_drained_is_told_of() {
    let nodes = paused("admin-dies", "");
    let drain = begin("drain --wait", address(&nodes[0]));
    nodes[0].hear("leaving: hands over what it owns");
    nodes[0].signal("KILL");
    let (code, said) = end(drain);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("ended and did not say that it was through"), "{said}");
    assert!(!said.contains("something else"), "{said}");
}

/// Where a node is reached by operators through somebody who cuts the answers to its first
/// questions of how far it is, so many, and tells of each; gone when the node is.
fn cutting(node: &Node, mut answers: usize) -> (SocketAddr, Receiver<()>) {
    let (cut, cuts) = channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (at, node) = (listener.local_addr().unwrap(), address(node));
    thread::spawn(move || {
        loop {
            let (operator, _) = listener.accept().unwrap();
            let Ok(mut node) = TcpStream::connect(node) else { return };
            let (mut question, mut lines) = (String::new(), BufReader::new(&operator));
            while lines.read_line(&mut question).is_ok_and(|bytes| bytes > 2) {}
            if question.is_empty() {
                continue;
            }
            let mut answer = Vec::new();
            if node
                .write_all(question.as_bytes())
                .and_then(|()| node.read_to_end(&mut answer))
                .is_err()
            {
                continue;
            }
            if answers > 0 && question.starts_with("GET /v1/drain") {
                answers -= 1;
                answer.truncate(answer.len() / 2);
                cut.send(()).unwrap();
            }
            let _ = (&operator).write_all(&answer);
        }
    });
    (at, cuts)
}

#[test]
fn an_answer_that_is_cut_is_asked_for_again() {
    let cut = |node: &Node, answers| {
        let (at, cuts) = cutting(node, answers);
        let drain = begin("drain --wait", at);
        // It goes on while they are paused, so there is more to ask.
        (0..answers).for_each(|_| cuts.recv_timeout(PATIENCE).expect("it asks again"));
        drain
    };
    let mut nodes = paused("admin-cut", "");
    let (code, said) = end(cut(&nodes[0], 2));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("something else") && said.contains("nobody knows"), "{said}");
    assert_eq!(run("rebalance resume", &nodes[1]).0, 0);
    nodes.remove(0).end();
    let mut nodes = paused("admin-cut-once", "");
    let drain = cut(&nodes[0], 1);
    assert_eq!(run("rebalance resume", &nodes[1]).0, 0);
    let (code, said) = end(drain);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("has left"), "{said}");
    nodes.remove(0).end();
}

#[test]
fn watching_says_a_plain_line_at_once() {
    let nodes = paused("admin-watch", "");
    let join = nodes[0].ready["peer"].as_str().unwrap();
    let name = "cluster-admin-watch-2";
    let flags =
        format!("-p 0 -t 2 --copies 1 --peer-listen 127.0.0.1:0 --join {join} --node-id {name}");
    let mut third = Node::begin_as(name, &flags);
    wait_until("something is to be moved to it", || {
        moves(&nodes[0])["moves"].as_array().is_some_and(|moves| !moves.is_empty())
    });
    let mut watch = begin("rebalance status --watch", address(&nodes[0]));
    let mut said = BufReader::new(watch.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let (share, rest) = line.split_once("%  ").unwrap_or_else(|| panic!("{line}"));
    assert!(share.parse::<u8>().is_ok() && rest.contains(" sent, "), "{line}");
    assert!(line.contains(" paused") && !line.contains("percent"), "{line}");
    assert_eq!(run("rebalance resume", &nodes[0]).0, 0);
    third.become_ready();
    assert_eq!(watch.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("nothing moves\n"), "{rest}");
}

#[test]
fn whoever_was_not_reached_is_named() {
    let mut nodes = nodes("admin-unreached", 3, "--profile local");
    nodes.push(another(&nodes, "admin-unreached", 3, "--profile local --admin-listen off"));
    drop(nodes.remove(1));
    wait_until("it is held for dead", || listed(&nodes[0]) == 3);
    for command in ["rebalance pause", "rebalance status", "rebalance resume"] {
        let (code, _, said) = run(command, &nodes[0]);
        assert_eq!(code, 1, "{command}: {said}");
        assert!(said.contains("cluster-admin-unreached-1: it is down"), "{command}: {said}");
        assert!(
            said.contains("cluster-admin-unreached-3: it has no admin port"),
            "{command}: {said}"
        );
    }
}
