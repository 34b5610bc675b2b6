//! The admin port of one node: what it tells, whom it refuses, and what it bears.

use crate::http::{address, ask, connect, get, raw, reasons, rest, told};
use crate::node::{Node, path, program};
use ringcached::admin::Token;
use ringcached::limits::{ADMIN_HEAD_BYTES_MAX, ADMIN_REQUEST_MS, ADMIN_WAIT_MS};
use ringcached::net::Secret;
use serde_json::Value;
use std::env;
use std::fs::{self, Permissions};
use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

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

/// A probe gives up after a second, where nobody told it otherwise.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

const HEAD: &[u8] = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[track_caller]
fn is_probed_in_time(admin: SocketAddr) {
    let started = Instant::now();
    let answer = raw(admin, HEAD);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
    assert!(started.elapsed() < PROBE_PATIENCE, "{:?}", started.elapsed());
}

/// A node of a cluster has requests that wait.
fn start_with_waits(name: &str) -> Node {
    Node::start(name, "--peer-listen 127.0.0.1:0")
}

/// Asks what is answered after this time, and not before.
fn wait_for(admin: SocketAddr, wait_ms: u64) -> TcpStream {
    let mut stream = connect(admin);
    let head = format!("GET /v1/drain?wait_ms={wait_ms} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
fn the_silent_keep_no_probe_out() {
    let node = start_with_waits("admin-silent");
    let admin = address(&node);
    let mut asks = wait_for(admin, 500);
    let mut silent: Vec<TcpStream> = (0..64).map(|_| connect(admin)).collect();
    is_probed_in_time(admin);
    // Those who came first and asked nothing are gone, others than them are not.
    assert_eq!(rest(&mut silent[0]), "");
    silent.last_mut().unwrap().write_all(HEAD).unwrap();
    assert!(rest(silent.last_mut().unwrap()).starts_with("HTTP/1.1 200 "));
    assert_eq!(told(&rest(&mut asks)).body["state"], "stays");
}

/// A node that stood still finds many before its door at once.
#[test]
fn who_has_asked_is_answered_before_many_come_in() {
    let node = Node::start("admin-many", "");
    let admin = address(&node);
    node.signal("STOP");
    let mut asks = connect(admin);
    asks.write_all(HEAD).unwrap();
    let _silent: Vec<TcpStream> = (0..64).map(|_| connect(admin)).collect();
    node.signal("CONT");
    let answer = rest(&mut asks);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
}

/// They come back as soon as they are closed, too.
#[test]
fn those_who_say_a_byte_at_a_time_keep_no_probe_out() {
    let node = Node::start("admin-slow", "");
    let admin = address(&node);
    let mut slow: Vec<TcpStream> = (0..64).map(|_| connect(admin)).collect();
    for byte in &HEAD[..HEAD.len() - 2] {
        for stream in &mut slow {
            if stream.write_all(&[*byte]).is_err() {
                *stream = connect(admin);
            }
        }
        is_probed_in_time(admin);
    }
    let mut client = node.connect();
    client.ask("set k 0 0 1\r\nv\r\nget k\r\n", "STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n");
}

#[test]
fn those_who_wait_for_an_answer_keep_no_probe_out() {
    let node = start_with_waits("admin-waits");
    let admin = address(&node);
    let mut waits: Vec<TcpStream> = (0..64).map(|_| wait_for(admin, ADMIN_WAIT_MS)).collect();
    is_probed_in_time(admin);
    let _silent: Vec<TcpStream> = (0..64).map(|_| connect(admin)).collect();
    is_probed_in_time(admin);
    assert_eq!(rest(&mut waits[0]), "");
    assert_eq!(told(&rest(waits.last_mut().unwrap())).body["state"], "stays");
}

#[test]
fn who_says_nothing_is_closed_though_there_is_room() {
    let node = Node::start("admin-alone-silent", "");
    let started = Instant::now();
    assert_eq!(rest(&mut connect(address(&node))), "");
    assert!(
        started.elapsed() >= Duration::from_millis(ADMIN_REQUEST_MS),
        "{:?}",
        started.elapsed()
    );
}

/// A file with a cluster's secret.
fn secret_file(name: &str) -> PathBuf {
    let file = path(name);
    fs::write(&file, "correct horse\n").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    file
}

/// The exit code, and what is said on both streams.
fn run(line: &str) -> (i32, String, String) {
    let output = program(line).env_remove("RINGCACHED_SECRET").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_token_is_printed_alone() {
    let file = secret_file("admin-printed").display().to_string();
    let of_secret = Token::of_secret(&Secret::new("correct horse").unwrap());
    let of_name = Token::of_name("name");
    for (flags, token) in [
        (format!("--secret-file {file}"), &of_secret),
        (format!("--secret-file {file} --cluster name"), &of_secret),
        ("--cluster name".to_owned(), &of_name),
    ] {
        let (code, token_line, said) = run(&format!("admin-token {flags}"));
        assert_eq!((code, token_line, said.as_str()), (0, format!("{}\n", token.text()), ""));
    }
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    for flags in ["", "--secret-file /no/such/file", &format!("--secret-file {file}")] {
        let (code, token_line, said) = run(&format!("admin-token {flags}"));
        assert_eq!((code, token_line.as_str()), (2, ""), "{flags}: {said}");
        assert!(said.starts_with("error: "), "{flags}: {said}");
    }
}

/// The line of the docs, with this machine's program, file and port.
#[test]
fn a_node_is_drained_as_the_docs_say_with_curl() {
    if Command::new("curl").arg("--version").output().is_err() {
        return println!("skipped: there is no curl");
    }
    let file = secret_file("admin-curl");
    let node = Node::start("admin-curl", &format!("--secret-file {}", file.display()));
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md");
    let page = fs::read_to_string(page).unwrap();
    let mut lines =
        page.lines().filter(|line| line.contains("admin-token") && line.contains(" | curl "));
    let line = lines.next().expect("the docs show it");
    for there in ["/etc/ringcached/secret", "127.0.0.1:12211"] {
        assert!(line.contains(there), "{line}");
    }
    let line = line.replace("/etc/ringcached/secret", file.to_str().unwrap());
    let line = line.replace("127.0.0.1:12211", &address(&node).to_string());
    let programs = Path::new(env!("CARGO_BIN_EXE_ringcached")).parent().unwrap();
    let paths = format!("{}:{}", programs.display(), env::var("PATH").unwrap());
    let output = Command::new("sh").arg("-c").arg(&line).env("PATH", paths).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (answer, said) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{line}: {said}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["node_id"], node.ready["node_id"]);
    let (status, said) = node.end();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("leaving: hands over what it owns"), "{said}");
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
    let file = secret_file("admin-secret");
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
