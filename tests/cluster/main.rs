//! Real nodes in processes of their own, and clients of them.

#![allow(clippy::format_push_string, reason = "the pieces of a request are short")]

#[allow(dead_code, reason = "the tests of one node say more to it")]
#[path = "../serve/node.rs"]
mod node;

#[allow(dead_code, reason = "the tests of one node look at more of it")]
#[path = "../serve/http.rs"]
mod http;

mod access;
mod admin;
mod again;
mod breaker;
mod bulk;
mod certificates;
mod crowd;
mod cuts;
mod demo;
mod elastic;
mod few;
mod net;
#[allow(dead_code, reason = "other tests start nodes with it too")]
mod nodes;
mod rates;
mod reads;
mod seen;
mod strange;
mod trouble;
mod warm;
mod will;
mod writes;

use node::{Node, path, wait_until};
use nodes::{another, listed, nodes, nodes_at_once};
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_node_is_ready_once_it_serves() {
    let nodes = nodes_at_once("ready", 3, "");
    for (number, node) in nodes.iter().enumerate() {
        // Whoever is ready is listed, at itself and at all that were ready before.
        assert!(listed(node) > number, "{}", node.stderr());
        let said = node.hear("peers");
        let ring = match number {
            0 => "1 member".to_owned(),
            _ => format!("{} serving", number + 1),
        };
        assert!(said.contains(&ring), "{said}");
        assert!(said.contains(&format!("peers    {number} linked")), "{said}");
    }
}

#[test]
fn every_key_is_at_every_node() {
    let nodes = nodes("every", 3, "");
    let mut clients: Vec<_> = nodes.iter().map(Node::connect).collect();
    for number in 0..200 {
        let key = format!("key-{number}");
        let value = format!("value of {number}");
        let writer = &mut clients[number % 3];
        writer.ask(&format!("set {key} 7 0 {}\r\n{value}\r\n", value.len()), "STORED\r\n");
        for client in &mut clients {
            let expected = format!("VALUE {key} 7 {}\r\n{value}\r\nEND\r\n", value.len());
            client.ask(&format!("get {key}\r\n"), &expected);
        }
    }
}

/// However many workers each has, and with one that has more than the others.
#[test]
fn each_worker_has_a_lane_to_each_node() {
    let mut nodes = nodes("lanes", 2, "");
    nodes.push(another(&nodes, "lanes", 2, "-t 3"));
    for (node, workers) in nodes.iter().zip(["2", "2", "3"]) {
        let lanes = || {
            let lines = node.connect().lines("stats cluster\r\n");
            lines.iter().filter(|line| line.ends_with(&format!(":lanes {workers}"))).count()
        };
        wait_until("all lanes are linked", || lanes() == 2);
    }
    // One connection for each worker and one more, so that each serves some.
    let mut clients: Vec<_> =
        nodes.iter().flat_map(|node| [node.connect(), node.connect()]).collect();
    for (number, key) in (0..60).map(|number| (number, format!("key-{number}"))) {
        let writer = number % clients.len();
        clients[writer].ask(&format!("set {key} 0 0 1\r\na\r\n"), "STORED\r\n");
        for client in &mut clients {
            client.ask(&format!("append {key} 0 0 1\r\nb\r\n"), "STORED\r\n");
        }
        let expected = format!("VALUE {key} 0 7\r\nabbbbbb\r\nEND\r\n");
        clients[writer].ask(&format!("get {key}\r\n"), &expected);
    }
}

#[test]
fn pipelines_are_answered_in_order() {
    let nodes = nodes("order", 3, "");
    let mut client = nodes[1].connect();
    let (mut request, mut reply) = (String::new(), String::new());
    for number in 0..500 {
        request += &format!("set k{number} 0 0 4\r\n{number:04}\r\nget k{number}\r\n");
        reply += &format!("STORED\r\nVALUE k{number} 0 4\r\n{number:04}\r\nEND\r\n");
        request += &format!("mg k{number} v O{number} k\r\nincr k{number} 1\r\n");
        reply += &format!("VA 4 O{number} kk{number}\r\n{number:04}\r\n{}\r\n", number + 1);
    }
    client.ask(&request, &reply);
}

#[test]
fn multigets_are_answered_in_the_order_asked() {
    let nodes = nodes("multiget", 3, "");
    let mut writer = nodes[0].connect();
    let (mut line, mut reply) = ("get".to_owned(), String::new());
    for number in 0..100 {
        if number % 3 > 0 {
            writer.ask(&format!("set m{number} 0 0 1\r\nx\r\n"), "STORED\r\n");
            reply += &format!("VALUE m{number} 0 1\r\nx\r\n");
        }
        line += &format!(" m{number}");
    }
    nodes[2].connect().ask(&format!("{line}\r\n"), &format!("{reply}END\r\n"));
}

#[test]
fn large_values_cross_nodes() {
    let nodes = nodes("large", 3, "");
    let value = "x".repeat(900_000);
    for number in 0..6 {
        let set = format!("set large{number} 0 0 900000\r\n{value}\r\n");
        nodes[number % 3].connect().ask(&set, "STORED\r\n");
        let reply = format!("VALUE large{number} 0 900000\r\n{value}\r\nEND\r\n");
        nodes[(number + 1) % 3].connect().ask(&format!("get large{number}\r\n"), &reply);
    }
}

#[test]
fn more_than_a_frame_is_told_piece_by_piece() {
    let nodes = nodes("pieces", 3, "");
    let value = "y".repeat(500_000);
    let (mut line, mut reply) = ("get".to_owned(), String::new());
    let mut client = nodes[0].connect();
    for number in 0..40 {
        client.ask(&format!("set p{number} 0 0 500000\r\n{value}\r\n"), "STORED\r\n");
        line += &format!(" p{number}");
        reply += &format!("VALUE p{number} 0 500000\r\n{value}\r\n");
    }
    client.ask(&format!("{line}\r\n"), &format!("{reply}END\r\n"));
}

#[test]
fn increments_count_exactly_once() {
    let nodes = nodes("count", 3, "");
    nodes[0].connect().ask("set n 0 0 1\r\n0\r\n", "STORED\r\n");
    std::thread::scope(|scope| {
        for node in &nodes {
            scope.spawn(|| {
                let mut client = node.connect();
                for _ in 0..200 {
                    let lines = client.lines("incr n 1\r\nget none\r\n");
                    assert!(lines[0].parse::<u64>().is_ok(), "{lines:?}");
                }
            });
        }
    });
    nodes[1].connect().ask("get n\r\n", "VALUE n 0 3\r\n600\r\nEND\r\n");
}

#[test]
fn leases_have_one_winner_in_the_cluster() {
    let nodes = nodes("lease", 3, "");
    for number in 0..20 {
        let request = format!("mg lease{number} v N30\r\nget none\r\n");
        let wins = |node: &&Node| node.connect().lines(&request)[0].ends_with('W');
        let winners = nodes.iter().filter(wins);
        assert_eq!(winners.count(), 1, "lease{number}");
    }
}

#[test]
fn a_killed_node_takes_nothing_with_it() {
    let mut nodes = nodes("kill", 3, "--profile local");
    let mut client = nodes[0].connect();
    for number in 0..300 {
        client.ask(&format!("set key-{number} 0 0 3\r\nabc\r\n"), "STORED\r\n");
    }
    drop(nodes.pop());
    wait_until("it is held for dead", || listed(&nodes[0]) == 2 && listed(&nodes[1]) == 2);
    // Told without being asked, with the cause.
    let said = nodes[0].hear("what=down");
    let told =
        |line: &str| line.contains(" member node=cluster-kill-2 id=") && line.contains(" cause=\"");
    for what in ["phase=joining", "phase=serving", "what=down"] {
        assert!(said.lines().any(|line| told(line) && line.contains(what)), "{what}: {said}");
    }
    for node in &nodes {
        let mut client = node.connect();
        for number in 0..300 {
            let reply = format!("VALUE key-{number} 0 3\r\nabc\r\nEND\r\n");
            client.ask(&format!("get key-{number}\r\n"), &reply);
        }
    }
    let mut client = nodes[1].connect();
    for number in 0..300 {
        client.ask(&format!("set key-{number} 0 0 3\r\ndef\r\n"), "STORED\r\n");
    }
}

#[test]
fn copies_are_made_again_when_slots_are_given_away() {
    let mut nodes = nodes("again", 3, "--profile local --grace 1 --copies 2");
    let mut client = nodes[0].connect();
    for number in 0..300 {
        client.ask(&format!("set key-{number} 0 0 3\r\nabc\r\n"), "STORED\r\n");
    }
    drop(nodes.pop());
    let holds_all = |node: &Node| {
        node.connect().lines("stats\r\n").iter().any(|line| line == "STAT curr_items 300")
    };
    let owns_all = |node: &Node| {
        let told = node.connect().lines("stats cluster\r\n");
        let is = |line: &str| told.iter().any(|told| told == line);
        is("STAT step settled") && is("STAT slots_with_too_few_copies 0")
    };
    for node in &nodes {
        node.hear("what=forgotten");
        wait_until("it has a copy of each", || holds_all(node));
        wait_until("it owns each", || owns_all(node));
    }
    drop(nodes.pop());
    let mut client = nodes[0].connect();
    wait_until("it is alone", || listed(&nodes[0]) == 1);
    for number in 0..300 {
        let reply = format!("VALUE key-{number} 0 3\r\nabc\r\nEND\r\n");
        client.ask(&format!("get key-{number}\r\n"), &reply);
    }
}

#[test]
fn a_node_that_is_told_to_stop_leaves() {
    let mut nodes = nodes("leave", 3, "");
    let said = nodes.pop().unwrap().stop();
    assert!(!said.contains("panicked"), "{said}");
    for node in &nodes {
        wait_until("it has left", || listed(node) == 2);
    }
}

#[test]
fn who_has_another_secret_stays_outside() {
    let start = |name: &str, flags: &str| {
        let file = path(&format!("cluster-secret-{name}"));
        fs::write(&file, name).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let secret = format!("--secret-file {}", file.display());
        let flags = format!("-p 0 --peer-listen 127.0.0.1:0 {secret} {flags}");
        Node::begin_as(&format!("cluster-{name}"), &flags)
    };
    let mut inside = start("one-and-not-the-other", "");
    inside.become_ready();
    let join = inside.ready["peer"].as_str().unwrap();
    let outside = start("the-other-and-not-the-one", &format!("--join {join}"));
    inside.hear("refused what=gossip from=127.0.0.1 why=");
    // It cannot know why nobody answers, but it can say what may be the matter.
    let said = outside.hear("another secret or cluster name");
    assert!(said.contains(join) && !outside.ready_file.exists(), "{said}");
    assert_eq!(listed(&inside), 1);
    // However often it tries.
    let said = inside.stop();
    assert_eq!(said.matches("refused what=gossip").count(), 1, "{said}");
}

#[test]
fn a_flush_empties_all_nodes() {
    let nodes = nodes("flush", 3, "");
    for (number, node) in nodes.iter().enumerate() {
        let mut clients: Vec<_> = nodes.iter().map(Node::connect).collect();
        for key in 0..50 {
            clients[key % 3].ask(&format!("set key-{key} 0 0 3\r\nold\r\n"), "STORED\r\n");
        }
        // What is said before it in one piece is flushed, what is said after it stays.
        let (mut request, mut reply) = (String::new(), String::new());
        for key in 0..20 {
            request += &format!("set before-{key} 0 0 1\r\nx\r\n");
            reply += "STORED\r\n";
        }
        (request, reply) = (request + "flush_all\r\n", reply + "OK\r\n");
        for key in 0..20 {
            request += &format!("get before-{key}\r\nset after-{key} 0 0 1\r\nx\r\n");
            reply += "END\r\nSTORED\r\n";
        }
        node.connect().ask(&request, &reply);
        for client in &mut clients {
            for key in 0..50 {
                client.ask(&format!("get key-{key}\r\n"), "END\r\n");
            }
            for key in 0..20 {
                let there = format!("VALUE after-{key} 0 1\r\nx\r\nEND\r\n");
                client.ask(&format!("get after-{key}\r\n"), &there);
            }
        }
        // Whoever writes at once after it is not flushed, through whichever node.
        let other = &mut clients[(number + 1) % 3];
        other.ask("set at-once 0 0 1\r\nx\r\n", "STORED\r\n");
        for client in &mut clients {
            client.ask("get at-once\r\n", "VALUE at-once 0 1\r\nx\r\nEND\r\n");
        }
    }
}

#[test]
fn a_flush_that_is_due_empties_all_nodes() {
    let nodes = nodes("flush-later", 3, "");
    for key in 0..20 {
        let set = format!("set key-{key} 0 0 1\r\nx\r\n");
        nodes[key % 3].connect().ask(&set, "STORED\r\n");
    }
    nodes[0].connect().ask("flush_all 2\r\n", "OK\r\n");
    for node in &nodes {
        let mut client = node.connect();
        for key in 0..20 {
            wait_until("it is flushed", || client.lines(&format!("get key-{key}\r\n")).is_empty());
        }
    }
}

#[test]
fn a_node_that_was_away_brings_nothing_back_from_before_a_flush() {
    let nodes = nodes("flush-away", 3, "--profile local");
    for key in 0..100 {
        let set = format!("set key-{key} 0 0 1\r\nx\r\n");
        nodes[key % 3].connect().ask(&set, "STORED\r\n");
    }
    nodes[2].signal("STOP");
    nodes[0].connect().ask("flush_all\r\n", "OK\r\n");
    nodes[2].signal("CONT");
    for key in 0..100 {
        for node in &nodes {
            let mut client = node.connect();
            assert!(client.lines(&format!("get key-{key}\r\n")).is_empty(), "key-{key}");
        }
    }
    for node in &nodes {
        wait_until("it is back", || listed(node) == 3);
    }
    for key in 0..100 {
        for node in &nodes {
            node.connect().ask(&format!("get key-{key}\r\n"), "END\r\n");
        }
    }
}
