//! The admin port of one node: what it tells, whom it refuses, and what it bears.

use crate::http::{address, ask, connect, get, raw, reasons, rest, told};
use crate::node::{Node, path, wait_until};
use ringcached::admin::Token;
use ringcached::limits::{ADMIN_CONNECTIONS_MAX, ADMIN_HEAD_BYTES_MAX};
use ringcached::net::Secret;
use std::fs::{self, Permissions};
use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;

fn bearer(token: &Token) -> String {
    format!("Authorization: Bearer {}\r\n", token.text())
}

#[test]
fn a_node_alone_says_how_it_is() {
    let node = Node::start("admin-alone", "");
    for path in ["/livez", "/readyz", "/safe-to-stop", "/v1/cluster", "/v1/drain"] {
        let told = get(&node, path);
        assert_eq!(told.status, 200, "{path}: {told:?}");
        assert_eq!(told.body["schema_version"], 1, "{path}");
        assert!(told.head.contains("content-type: application/json"), "{told:?}");
        assert!(told.head.contains("cache-control: no-store"), "{told:?}");
    }
    let told = get(&node, "/v1/cluster");
    assert_eq!(told.body["node_id"], node.ready["node_id"]);
    assert!(told.body["cluster"].is_null(), "{told:?}");
    assert_eq!(get(&node, "/no/such/thing").status, 404);
    let token = bearer(&Token::of_name(""));
    let told = ask(address(&node), "POST", "/livez", &token);
    assert_eq!((told.status, &told.body["schema_version"]), (405, &1.into()));
    assert!(told.head.contains("allow: get"), "{told:?}");
}

#[test]
fn what_only_one_node_has_is_not_safe() {
    let node = Node::start("admin-stake", "");
    assert_eq!(get(&node, "/safe-to-stop").body["safe"], true, "there is nothing to lose");
    node.connect().ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    let told = get(&node, "/safe-to-stop");
    assert_eq!((told.status, &told.body["items"]), (503, &1.into()));
    assert_eq!(reasons(&told), ["no_other_owner"]);
    assert_eq!(told.body["slots_without_another_owner"], told.body["slots"]);
}

#[test]
fn changing_needs_the_token() {
    let node = Node::start("admin-token", "");
    let post = |headers: &str| ask(address(&node), "POST", "/v1/drain", headers);
    let wrong = bearer(&Token::of_name("another"));
    for headers in ["", &wrong, "Authorization: Bearer \r\n", "Authorization: Basic eDp5\r\n"] {
        let told = post(headers);
        assert_eq!(told.status, 401, "{headers}: {told:?}");
        assert!(told.head.contains("www-authenticate: bearer"), "{told:?}");
    }
    let told = post(&bearer(&Token::of_name("")));
    assert_eq!(told.status, 409, "{told:?}");
    assert!(told.body["error"].as_str().unwrap().contains("belongs to no cluster"));
}

#[test]
fn web_pages_are_refused_whatever_their_name_means() {
    let node = Node::start("admin-rebinding", "");
    let port = address(&node).port();
    let status = |head: String| told(&raw(address(&node), head.as_bytes())).status;
    for host in ["evil.example", &format!("evil.example:{port}"), "localhost.evil.example", ""] {
        let asked = status(format!("GET /v1/cluster HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(asked, 403, "{host}");
    }
    for version in ["1.0", "1.1"] {
        let asked = status(format!("GET /livez HTTP/{version}\r\n\r\n"));
        assert_eq!(asked, 200, "checks of load balancers name none, and browsers always do");
    }
    let two = "GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n";
    assert!(matches!(status(two.to_owned()), 400 | 403));
    for host in [format!("localhost:{port}"), "127.0.0.1".to_owned(), "[::1]:80".to_owned()] {
        let asked = status(format!("GET /v1/cluster HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(asked, 200, "{host}");
    }
    let asked = status(format!(
        "OPTIONS /v1/drain HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: http://evil.example\r\n\
         Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n\r\n"
    ));
    assert_eq!(asked, 401, "a browser then sends no token either");
}

#[test]
fn what_is_too_large_is_refused() {
    let node = Node::start("admin-large", "");
    let long = format!("X-Long: {}\r\n", "x".repeat(2 * ADMIN_HEAD_BYTES_MAX));
    assert_eq!(ask(address(&node), "GET", "/livez", &long).status, 431);
    let many = "X: 1\r\n".repeat(200);
    assert_eq!(ask(address(&node), "GET", "/livez", &many).status, 431);
    let near = format!("X-Long: {}\r\n", "x".repeat(ADMIN_HEAD_BYTES_MAX / 2));
    assert_eq!(ask(address(&node), "GET", "/livez", &near).status, 200);
    for body in ["Content-Length: 1000000000000\r\n", "Transfer-Encoding: chunked\r\n"] {
        assert_eq!(ask(address(&node), "GET", "/livez", body).status, 413, "{body}");
    }
    assert_eq!(told(&raw(address(&node), b"\x16\x03\x01 no HTTP \r\n\r\n")).status, 400);
    assert_eq!(get(&node, "/livez").status, 200);
}

/// All places are taken by those who say nothing, or not all, or take no answer: others are
/// told so, and are let in when the time of those is up. Clients notice nothing.
#[test]
fn the_slow_and_the_many_keep_nobody_out_for_long() {
    let node = Node::start("admin-slow", "");
    let admin = address(&node);
    let mut slow: Vec<TcpStream> = (0..ADMIN_CONNECTIONS_MAX).map(|_| connect(admin)).collect();
    for stream in slow.iter_mut().step_by(2) {
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: local").unwrap();
    }
    // They are let in one after another.
    wait_until("there is no place left", || {
        let answer = raw(admin, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
        // It may be cut off before it has read why.
        let is_told = answer.starts_with("HTTP/1.1 503 ");
        if is_told {
            let why = told(&answer).body["error"].as_str().unwrap().to_owned();
            assert!(why.contains("connections"), "{answer}");
        }
        answer.is_empty() || is_told
    });
    let mut client = node.connect();
    client.ask("set k 0 0 1\r\nv\r\nget k\r\n", "STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n");
    for stream in &mut slow {
        let answer = rest(stream);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    wait_until("there is room again", || {
        raw(admin, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").starts_with("HTTP/1.1 200 ")
    });
    client.ask("get k\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n");
}

/// The address by which this machine would reach others, if it has one.
fn own_address() -> Option<SocketAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().filter(|address| !address.ip().is_loopback())
}

#[test]
fn from_elsewhere_all_needs_the_token() {
    let Some(own) = own_address() else { return println!("skipped: there is only loopback") };
    let file = path("admin-secret");
    fs::write(&file, "correct horse\n").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let flags = format!("--admin-listen 0.0.0.0:0 --secret-file {}", file.display());
    let node = Node::start("admin-elsewhere", &flags);
    let port = address(&node).port();
    let token = bearer(&Token::of_secret(&Secret::new("correct horse").unwrap()));
    let outside = SocketAddr::new(own.ip(), port);
    for path in ["/livez", "/readyz", "/v1/cluster", "/no/such/thing"] {
        assert_eq!(ask(outside, "GET", path, "").status, 401, "{path}");
        let by_name = bearer(&Token::of_name("ringcached"));
        assert_eq!(ask(outside, "GET", path, &by_name).status, 401, "{path}");
    }
    let told = ask(outside, "GET", "/v1/cluster", &token);
    assert_eq!((told.status, &told.body["cluster"]), (200, &"ringcached".into()));
    // Others are told an address that leads here: that at which it is a peer.
    assert_eq!(told.body["members"][0]["admin"], format!("127.0.0.1:{port}"));
    assert_eq!(ask(SocketAddr::from(([127, 0, 0, 1], port)), "GET", "/livez", "").status, 200);
}

#[test]
fn it_can_be_left_out() {
    let node = Node::start("admin-off", "--admin-listen off");
    assert!(node.ready["admin"].is_null());
    assert!(!node.stop().contains("admin "));
}
