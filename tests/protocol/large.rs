//! Answers that are long, and values that are too large.

use crate::binary::{request, status_of};
use crate::client::Client;

#[test]
fn long_answers_leave_in_parts() {
    let mut client = Client::new();
    let value = "v".repeat(10_000);
    client.ask(&format!("set k 0 0 10000\r\n{value}\r\n"));
    let line = format!("gets{}\r\nmn\r\n", " k".repeat(500));
    let one = client.ask("gets k\r\n");
    let one = one.strip_suffix("END\r\n").unwrap();
    assert_eq!(client.ask(&line), format!("{}END\r\nMN\r\n", one.repeat(500)));
}

#[test]
fn too_large_values_take_the_old_one_with_them() {
    let large = "v".repeat(2 << 20);
    let error = "SERVER_ERROR object too large for cache\r\n";
    for command in ["set k 0 0", "ms k", "set k 0 4294967295"] {
        let mut client = Client::new();
        client.ask("set k 0 0 1\r\n1\r\n");
        let request = format!("{command} {}\r\n{large}\r\nget k\r\n", large.len());
        let answer = client.send_split(request.as_bytes(), 100_003);
        assert_eq!(String::from_utf8(answer).unwrap(), format!("{error}END\r\n"), "{command}");
    }
    let mut client = Client::new();
    let request = format!("set k 0 0 {} noreply\r\n{large}\r\nmn\r\n", large.len());
    assert_eq!(client.ask(&request), "MN\r\n");
}

#[test]
fn only_sets_drop_what_they_cannot_replace() {
    let mut client = Client::new();
    let large = "x".repeat(1 << 20);
    for (verb, left) in [("append", "VALUE k 0 1\r\n1\r\nEND\r\n"), ("set", "END\r\n")] {
        client.ask("set k 0 0 1\r\n1\r\n");
        let reply = client.ask(&format!("{verb} k 0 0 {}\r\n{large}\r\n", large.len()));
        assert_eq!(reply, "SERVER_ERROR object too large for cache\r\n", "{verb}");
        assert_eq!(client.ask("get k\r\n"), left, "{verb}");
    }
}

#[test]
fn too_large_binary_values_take_the_old_one_with_them() {
    let mut client = Client::new();
    let set = |value: &[u8]| request(0x01, &[0; 8], b"big", value);
    assert_eq!(status_of(&client.send(&set(b"1"))), 0);
    let answer = client.send(&set(&vec![b'v'; 1 << 20]));
    assert_eq!((status_of(&answer), &answer[24..]), (3, &b"Too large."[..]));
    assert_eq!(status_of(&client.send(&request(0x00, b"", b"big", b""))), 1);
}
