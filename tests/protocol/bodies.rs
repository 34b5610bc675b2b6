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
fn claims_take_no_memory() {
    let mut client = Client::new();
    assert_eq!(
        client.ask("set k 0 0 2147483645\r\n"),
        "SERVER_ERROR object too large for cache\r\n"
    );
    assert_eq!(client.send(&vec![b'x'; 1 << 20]), b"");
    assert!(!client.closed);
}
