//! Values: where they end, and how large they may be.

use crate::client::{Client, transcript};

#[test]
fn values_may_hold_anything() {
    let mut client = Client::new();
    client.ask("set k 0 0 8\r\nget a\r\n\n\r\n");
    assert_eq!(client.ask("get k\r\n"), "VALUE k 0 8\r\nget a\r\n\n\r\nEND\r\n");
}

#[test]
fn bad_chunks_are_told() {
    let bad = "CLIENT_ERROR bad data chunk\r\n";
    let rest = "CLIENT_ERROR bad command line format\r\n";
    transcript(
        &mut Client::new(),
        &[
            ("set k 0 0 1\r\nxyz\r\n", &format!("{bad}{rest}")),
            ("ms k 1 q\r\nxyz\r\n", &format!("{bad}{rest}")),
            ("set k 0 0 1 noreply\r\nxyzab\r\n", "ERROR\r\n"),
            ("get k\r\n", "END\r\n"),
        ],
    );
}

#[test]
fn large_values_come_apart() {
    for len in [65_534, 65_535, 65_536, 300_000] {
        let mut client = Client::new();
        let value = "v".repeat(len);
        let set = format!("set k 9 0 {len}\r\n{value}\r\nms m {len} c F3 E5\r\n{value}\r\nmn\r\n");
        let answer = client.send_split(set.as_bytes(), 10_007);
        assert_eq!(answer, b"STORED\r\nHD c5\r\nMN\r\n");
        let get = format!("VALUE k 9 {len}\r\n{value}\r\nVALUE m 3 {len}\r\n{value}\r\nEND\r\n");
        assert!(client.ask("get k m\r\n") == get, "{len}");
    }
}

#[test]
fn large_bad_chunks_are_told() {
    let mut client = Client::new();
    let set = format!("set k 0 0 70000\r\n{}\r\nmn\r\n", "v".repeat(70_002));
    let answer = "CLIENT_ERROR bad data chunk\r\nCLIENT_ERROR bad command line format\r\nMN\r\n";
    assert_eq!(client.ask(&set), answer);
}
