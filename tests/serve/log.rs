//! What the program says while it runs, and to whom.

use crate::node::{Node, path, program, wait_until};
use std::fs::File;
use std::io::BufRead;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::thread;

#[test]
fn kicks_are_said_at_v() {
    let node = Node::start("kicks", "-v -c 2 --idle-timeout 1");
    let mut one = node.connect();
    one.ask("version\r\n", "VERSION ");
    let mut two = node.connect();
    two.ask("version\r\n", "VERSION ");
    let peer = two.0.get_ref().local_addr().unwrap();
    let three = node.connect();
    let refused = three.0.get_ref().local_addr().unwrap();
    assert_eq!(three.rest(), "ERROR Too many open connections\r\n");
    node.hear(&format!("refused tcp:{refused}: 2 connections are open"));
    let said = node.hear(&format!("from tcp:{peer} closed: idle_timeout"));
    assert!(!said.contains("connected from"), "{said}");
}

#[test]
fn connections_are_said_at_vv() {
    let node = Node::start("comings", "-vv");
    let mut client = node.connect();
    let peer = client.0.get_ref().local_addr().unwrap();
    client.ask("quit\r\n", "");
    node.hear(&format!("connected from tcp:{peer}"));
    node.hear(&format!("from tcp:{peer} closed: normal"));
    let mut client = node.connect();
    let peer = client.0.get_ref().local_addr().unwrap();
    client.ask("verbosity 1\r\n", "OK\r\n");
    drop(client);
    let mut wrong = node.connect();
    let last = wrong.0.get_ref().local_addr().unwrap();
    wrong.ask(&"x".repeat(3000), "");
    drop(wrong);
    let said = node.hear(&format!("from tcp:{last} closed: refused"));
    assert!(said.contains(&format!("connected from tcp:{peer}")), "{said}");
    assert!(!said.contains(&format!("connected from tcp:{last}")), "{said}");
}

/// As nodes write it, of now.
fn now() -> String {
    let output = Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%S.%3NZ"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn lines_have_their_time_and_the_banner_has_none() {
    let before = now();
    let node = Node::start("times", "-vv");
    drop(node.connect());
    node.hear("closed: ");
    let said = node.stop();
    let after = now();
    assert!(said.starts_with("ringcached ") && said.contains("\nclients  "), "{said}");
    for what in ["connected from tcp:", "stopping: answers what has arrived"] {
        let line = said.lines().find(|line| line.contains(what)).unwrap();
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(rest.contains(what), "{line}");
        // They sort as texts.
        assert_eq!(time.len(), before.len(), "{line}");
        assert!(*before <= *time && *time <= *after, "{before} {line} {after}");
    }
}

/// A node whose lines go to what this says of the file they go to, where the journal is.
fn said_with_journal(name: &str, journal: impl Fn(&File) -> String) -> String {
    let stderr_file = path(&format!("{name}.stderr"));
    let stderr = File::create(&stderr_file).unwrap();
    let mut command = program("-p 0");
    command.env("JOURNAL_STREAM", journal(&stderr)).stderr(stderr);
    Node::spawn(command, path(&format!("{name}.ready")), stderr_file).stop()
}

#[test]
fn the_journal_has_times_of_its_own() {
    let here = |file: &File| {
        let file = file.metadata().unwrap();
        format!("{}:{}", file.dev(), file.ino())
    };
    let said = said_with_journal("journal", here);
    assert!(said.contains("\nstopping: "), "{said}");
    // Of a service that has started this one, whose lines go elsewhere.
    let said = said_with_journal("no-journal", |file| format!("{}0", here(file)));
    assert!(said.contains("Z stopping: "), "{said}");
}

#[test]
fn eviction_is_said_once() {
    let node = Node::start("evicts", "-v -m 8");
    let mut client = node.connect();
    let value = "v".repeat(100_000);
    for number in 0..200 {
        client.ask(&format!("set {number} 0 0 100000\r\n{value}\r\n"), "STORED\r\n");
    }
    node.hear("memory is full: items are evicted from now on");
    let said = node.stop();
    assert_eq!(said.matches("memory is full").count(), 1, "{said}");
}

#[test]
fn watchers_see_how_long_evicted_items_had_left() {
    let node = Node::start("evicted", "-m 8");
    let mut watcher = node.connect();
    watcher.ask("watch evictions\r\n", "OK\r\n");
    let (mut client, value) = (node.connect(), "v".repeat(100_000));
    let mut line = String::new();
    thread::scope(|scope| {
        let reader = scope.spawn(|| watcher.0.read_line(&mut line).unwrap());
        // Evicted items are kept from the moment it is noticed that somebody watches.
        for number in 0.. {
            client.ask(&format!("set {number} 0 100000 100000\r\n{value}\r\n"), "STORED\r\n");
            if reader.is_finished() {
                break;
            }
        }
    });
    let left = line.split_once(" ttl=").unwrap().1.split_once(' ').unwrap().0;
    assert!((99_000..=100_000).contains(&left.parse().unwrap()), "{line}");
}

#[test]
fn watchers_see_who_comes_and_goes() {
    let node = Node::start("connevents", "-t 2");
    let mut watcher = node.connect();
    watcher.ask("watch connevents\r\n", "OK\r\n");
    let mut client = node.connect();
    let port = client.0.get_ref().local_addr().unwrap().port();
    client.ask("mn\r\nquit\r\n", "MN\r\n");
    let mut next = || {
        let mut line = String::new();
        watcher.0.read_line(&mut line).unwrap();
        line
    };
    let (came, went) = (next(), next());
    let who = format!("rip=127.0.0.1 rport={port} transport=tcp");
    assert!(came.contains(&format!("type=conn_new {who} cfd=")), "{came}");
    assert!(went.contains(&format!("type=conn_close {who} reason=normal cfd=")), "{went}");
}

#[test]
fn settings_tell_what_was_set() {
    let flags = "-o no_maxconns_fast,read_buf_mem_limit=9,ssl_chain_cert=unused.pem";
    let node = Node::start("told", flags);
    let settings = node.connect().lines("stats settings\r\n");
    for line in ["maxconns_fast no", "read_buf_mem_limit 9437184", "ssl_enabled no"] {
        assert!(settings.contains(&format!("STAT {line}")), "{line}: {settings:?}");
    }
}

#[test]
fn node_alone_is_a_cluster_of_one() {
    let node = Node::start("cluster", "");
    let (ip, port) = (node.address().ip(), node.address().port());
    let mut client = node.connect();
    let lines = client.lines("config get cluster\r\n");
    let version: u32 = lines[1].parse().unwrap();
    assert!((1..1 << 31).contains(&version));
    let nodes = format!("{version}\n{ip}|{ip}|{port}\n");
    let head = format!("CONFIG cluster 0 {}", nodes.len());
    assert_eq!(lines, [head, version.to_string(), format!("{ip}|{ip}|{port}"), String::new()]);
    client.ask("config set cluster 0 3\r\n", "ERROR\r\n");
}

#[test]
fn nobody_who_reads_is_needed_to_stop() {
    let mut node = Node::start_unread("unread", "-p 0 -vv");
    // More lines than the pipe holds, and those that may wait for it.
    for _ in 0..3000 {
        drop(node.connect());
    }
    let mut client = node.connect();
    client.ask("mn\r\n", "MN\r\n");
    node.signal("HUP");
    node.signal("TERM");
    wait_until("it has stopped", || node.child.try_wait().unwrap().is_some());
    assert_eq!(node.child.wait().unwrap().code(), Some(0));
}
