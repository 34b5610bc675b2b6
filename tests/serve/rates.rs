//! Limits on requests, by where clients come from.

use crate::node::{Client, Node, PATIENCE};
use socket2::{Domain, Socket, Type};
use std::io::BufReader;
use std::net::SocketAddr;

/// A client that comes from this address.
fn client(node: &Node, from: &str) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let from: SocketAddr = format!("{from}:0").parse().unwrap();
    socket.bind(&from.into()).unwrap();
    socket.connect(&node.address().into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    Client(BufReader::new(socket.into()))
}

#[test]
fn each_address_has_its_own_limit() {
    let node = Node::start("client-rates", "--client-rate-limit 2");
    let refused = "END\r\nSERVER_ERROR too many requests a second\r\nMN\r\n";
    for from in ["127.0.0.1", "127.0.0.2", "127.0.0.3"] {
        client(&node, from).ask("get a b\r\nset c 0 0 1\r\nx\r\nmn\r\n", refused);
    }
    let lines = client(&node, "127.0.0.4").lines("stats\r\n");
    assert!(lines.iter().any(|line| line == "STAT rate_limited 3"), "{lines:?}");
}
