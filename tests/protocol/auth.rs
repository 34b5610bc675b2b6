//! Who a client is.

use crate::binary::{request, status_of};
use crate::client::{Client, transcript};

#[test]
fn strangers_may_only_say_who_they_are() {
    transcript(
        &mut Client::of_users("ann:secret\n"),
        &[
            ("get a\r\nversion\r\n", &"CLIENT_ERROR unauthenticated\r\n".repeat(2)),
            ("ms a 6\r\nquit\r\n\r\n", "CLIENT_ERROR unauthenticated\r\n"),
            ("set a 0 0 9\r\nann wrong\r\n", "CLIENT_ERROR authentication failure\r\n"),
            ("set a 0 0 3\r\nann\r\n", "CLIENT_ERROR bad authentication token format\r\n"),
            ("set a 0 0 3000\r\n", "CLIENT_ERROR bad authentication token format\r\n"),
            (&format!("{}\r\nget a\r\n", "x".repeat(3000)), "CLIENT_ERROR unauthenticated\r\n"),
            ("set _ _ _ 10\r\nann secret\r\n", "STORED\r\n"),
            ("set a 0 0 1\r\n1\r\nget a\r\n", "STORED\r\nVALUE a 0 1\r\n1\r\nEND\r\n"),
        ],
    );
}

#[test]
fn strangers_who_leave_are_let_go() {
    for line in ["mn\r\n", "quit\r\n"] {
        let mut client = Client::of_users("ann:secret\n");
        assert_eq!(client.ask(line), "");
        assert!(client.closed);
    }
}

#[test]
fn attempts_are_counted() {
    let mut client = Client::of_users("ann:secret\n");
    client.ask("set a 0 0 9\r\nann wrong\r\nset a 0 0 10\r\nann secret\r\n");
    let stats = client.ask("stats\r\n");
    assert!(stats.contains("STAT auth_cmds 2\r\nSTAT auth_errors 1\r\n"));
}

#[test]
fn sasl_says_it_in_binary() {
    let mut client = Client::of_users("ann:secret\n");
    let answer = client.send(&request(0x20, b"", b"", b""));
    assert!(answer.ends_with(b"PLAIN"));
    let answer = client.send(&request(0x21, b"", b"PLAIN", b"\0ann\0wrong"));
    assert_eq!(status_of(&answer), 0x20);
    let answer = client.send(&request(0x21, b"", b"PLAIN", b"\0ann\0secret"));
    assert_eq!((status_of(&answer), &answer[24..]), (0, &b"Authenticated"[..]));
    assert_eq!(status_of(&client.send(&request(0x0a, b"", b"", b""))), 0);
    let mut stranger = client.another();
    assert_eq!(status_of(&stranger.send(&request(0x0a, b"", b"", b""))), 0x20);
    assert!(stranger.closed);
}
