//! Requests that do not end.

use crate::client::Client;

#[test]
fn endless_lines_close() {
    let mut client = Client::new();
    assert_eq!(client.send(&[b'x'; 2048]), b"");
    assert!(!client.closed);
    client.send(b"x");
    assert!(client.closed);
    let mut client = Client::new();
    client.send(b"get ");
    client.send(&vec![b'x'; 1 << 20]);
    assert!(client.closed);
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
