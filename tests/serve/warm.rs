//! Memory that is kept over a restart.

use crate::node::{Node, path, wait_until};
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;

/// The name of a warm file that is not there yet.
fn warm_file(name: &str) -> PathBuf {
    let file = path(&format!("{name}.warm"));
    for name in [file.clone(), file.with_extension("warm.refused")] {
        let _ = fs::remove_file(name);
    }
    file
}

fn start(name: &str, flags: &str) -> Node {
    Node::start(name, &format!("--warm-file {} {flags}", path(&format!("{name}.warm")).display()))
}

/// The figure before a word in the line that says so.
#[track_caller]
fn figure(said: &str, line: &str, word: &str) -> u64 {
    let line = said.lines().find(|found| found.contains(line)).unwrap_or_else(|| panic!("{said}"));
    let words: Vec<&str> = line.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let at = words.iter().position(|found| *found == word).unwrap_or_else(|| panic!("{line}"));
    words[at - 1].parse().unwrap()
}

#[test]
fn items_outlive_a_restart() {
    let file = warm_file("kept");
    let node = start("kept", "");
    let mut client = node.connect();
    client.ask("set plain 7 0 5\r\nvalue\r\nset mortal 0 1000 1\r\nm\r\n", "STORED\r\nSTORED\r\n");
    client.ask("ms own 1 E42\r\nx\r\nmd own I T500\r\n", "HD\r\nHD\r\n");
    client.ask("set gone 0 0 1\r\nx\r\ndelete gone\r\n", "STORED\r\nDELETED\r\n");
    client.ask("set dead 0 -1 1\r\nx\r\n", "STORED\r\n");
    let value = "v".repeat(900_000);
    client.ask(&format!("set large 0 0 900000\r\n{value}\r\n"), "STORED\r\n");
    let tokens = client.lines("gets plain mortal large\r\n");
    let said = node.stop();
    assert_eq!(figure(&said, "written", "items"), 4, "{said}");
    assert_eq!(figure(&said, "written", "bytes"), fs::metadata(&file).unwrap().len());
    let node = start("kept", "");
    assert!(!file.exists(), "it is not read twice");
    let said = node.hear("clients");
    assert_eq!((figure(&said, "read", "items"), figure(&said, "read", "expired")), (4, 0));
    let mut client = node.connect();
    assert_eq!(client.lines("gets plain mortal large\r\n"), tokens, "flags, values and tokens");
    client.ask("get gone dead\r\n", "END\r\n");
    // Whoever reads it first is to make it anew, as before.
    client.ask("mg own v s\r\n", "VA 1 s1 X W\r\nx\r\n");
    let left = client.lines("mg mortal t\r\nmn\r\nget no\r\n");
    let left: u64 = left[0].strip_prefix("HD t").unwrap().parse().unwrap();
    assert!((900..=1000).contains(&left), "{left}");
    let token = tokens[0].split(' ').nth(4).unwrap();
    client.ask(&format!("cas plain 0 0 1 {token}\r\nx\r\n"), "STORED\r\n");
    client.ask(&format!("cas plain 0 0 1 {token}\r\ny\r\n"), "EXISTS\r\n");
    // What it has now is what the next one gets.
    drop(node.stop());
    let node = start("kept", "");
    node.connect().ask("get plain\r\n", "VALUE plain 0 1\r\nx\r\nEND\r\n");
}

#[test]
fn what_was_deleted_after_the_file_was_read_stays_gone() {
    let file = warm_file("twice");
    let node = start("twice", "");
    node.connect().ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    node.stop();
    let mut node = start("twice", "");
    node.connect().ask("delete k\r\n", "DELETED\r\n");
    node.child.kill().unwrap();
    node.child.wait().unwrap();
    assert!(!file.exists());
    let node = start("twice", "");
    node.connect().ask("get k\r\n", "END\r\n");
    node.hear("there is none, the node starts empty");
}

#[test]
fn a_damaged_file_is_refused_with_a_reason() {
    let file = warm_file("damaged");
    let node = start("damaged", "");
    node.connect().ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    node.stop();
    let whole = fs::read(&file).unwrap();
    let mut changed = whole.clone();
    changed[whole.len() / 2 + 20] ^= 4;
    for (bytes, reason) in [(&changed[..], "it is damaged"), (&whole[..70], "it ends too early")] {
        fs::write(&file, bytes).unwrap();
        let node = start("damaged", "");
        let said = node.hear(&format!("warm file {} refused: {reason}", file.display()));
        assert!(said.contains("the node starts empty"), "{said}");
        node.connect().ask("get k\r\n", "END\r\n");
        assert!(!file.exists() && file.with_extension("warm.refused").exists());
        drop(node);
    }
    fs::write(&file, "notes").unwrap();
    let node = start("damaged", "");
    node.hear("refused: it is no warm file");
    node.connect().ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    node.stop();
    assert_eq!(fs::read(&file).unwrap(), b"notes");
}

#[test]
fn a_file_of_another_node_is_refused() {
    let file = warm_file("foreign");
    let refused = |flags: &str, reason: &str| {
        let node = start("foreign", flags);
        node.hear(reason);
        node.connect().ask("get k\r\nset k 0 0 1\r\nv\r\n", "END\r\nSTORED\r\n");
        node.stop();
        assert!(file.exists());
    };
    let cluster = "--peer-listen 127.0.0.1:0";
    refused("--node-id a", "there is none");
    refused("--node-id b", "it is of a node with another --node-id");
    refused(&format!("--node-id b {cluster}"), "it is of another cluster");
    refused(&format!("--node-id b {cluster} --cluster x"), "it is of another cluster");
    refused(&format!("--node-id b {cluster} --cluster x --grace 0"), "it was written ");
    let node = start("foreign", &format!("--node-id b {cluster} --cluster x"));
    node.connect().ask("get k\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n");
}

#[test]
fn two_nodes_do_not_share_a_file() {
    let file = warm_file("shared");
    let _node = start("shared", "");
    let (code, said) = crate::refusal(&format!("-p 0 --warm-file {}", file.display()));
    assert!(code == 1 && said.contains("another node that runs has it"), "{code}: {said}");
    let (code, said) = crate::refusal("-p 0 --warm-file /no/such/folder/file");
    assert!(code == 1 && said.contains("cannot open /no/such/folder: "), "{code}: {said}");
}

/// As a node whose earlier process is not gone yet. It is told of each, and its memory is
/// there when that is mended.
#[test]
fn a_start_that_is_refused_leaves_the_file() {
    let file = warm_file("no-start");
    let alone = format!("--node-id a --warm-file {}", file.display());
    let cluster = format!("{alone} --peer-listen 127.0.0.1:0");
    let taken_tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (tcp, udp) = (taken_tcp.local_addr().unwrap(), taken_udp.local_addr().unwrap());
    let refused = |flags: &str| {
        let client = (format!("{flags} -l 127.0.0.1 -p {}", tcp.port()), "is taken");
        let admin = (format!("{flags} -p 0 --admin-listen {tcp}"), "is taken");
        let nowhere = |flag| (format!("{flags} -p 0 {flag} /no/such/folder/file"), "cannot write");
        vec![client, admin, nowhere("-P"), nowhere("--ready-file")]
    };
    let peer = format!("{alone} -p 0 --peer-listen {udp}");
    let peer = (peer, "at which other nodes would reach this one, is taken");
    let mut of_cluster = refused(&cluster);
    of_cluster.push(peer);
    for (flags, refusals) in [(&alone, refused(&alone)), (&cluster, of_cluster)] {
        let node = Node::start("no-start", flags);
        node.connect().ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
        node.stop_by("INT");
        let bytes = fs::read(&file).unwrap();
        for (flags, why) in refusals {
            let (code, said) = crate::refusal(&flags);
            assert!(code == 1 && said.contains(why), "{flags}: {code}: {said}");
            assert_eq!(fs::read(&file).ok().as_ref(), Some(&bytes), "{flags}");
        }
        let node = Node::start("no-start", flags);
        node.hear("read: 1 items");
        node.connect().ask("get k\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n");
        drop(node);
        assert!(!file.exists());
    }
}

#[test]
fn who_stops_it_at_once_does_not_wait_for_the_file() {
    let file = warm_file("at-once");
    let node = start("at-once", "-A");
    let mut client = node.connect();
    client.ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    std::io::Write::write_all(client.0.get_mut(), b"shutdown\r\n").unwrap();
    let (status, said) = node.end();
    assert_eq!(status.code(), Some(0));
    assert!(said.contains("not written: the node is to stop at once"), "{said}");
    wait_until("its draft is gone", || !file.with_extension("warm.new").exists());
    assert!(!file.exists());
}
