//! A client of the admin port, which says what it is told to, byte by byte.

use crate::node::{Node, PATIENCE};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// What a node answers.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
}

pub(crate) fn address(node: &Node) -> SocketAddr {
    node.ready["admin"].as_str().unwrap().parse().unwrap()
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// All that is answered to these bytes, until the node ends the connection.
pub(crate) fn raw(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = connect(address);
    // It may be told off before it has said all.
    let _ = stream.write_all(request);
    rest(&mut stream)
}

pub(crate) fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // What came before it was cut counts.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

/// What is answered to one request with these headers besides that of the host.
#[track_caller]
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str, headers: &str) -> Told {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
    told(&raw(address, request.as_bytes()))
}

#[track_caller]
pub(crate) fn told(answer: &str) -> Told {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() };
    Told { status, head: head.to_lowercase(), body }
}

/// What is read without a token.
#[track_caller]
pub(crate) fn get(node: &Node, path: &str) -> Told {
    ask(address(node), "GET", path, "")
}

/// The reasons that a node gives.
#[allow(dead_code, reason = "only where there are several nodes")]
pub(crate) fn reasons(told: &Told) -> Vec<&str> {
    let reasons = told.body["reasons"].as_array().unwrap().iter();
    reasons.map(|reason| reason["reason"].as_str().or(reason.as_str()).unwrap()).collect()
}
