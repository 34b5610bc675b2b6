//! Debian's `memccapable`, libmemcached's own conformance test, against a node.
//!
//! It passes in full against memcached 1.6.18. What it asserts of later ones is
//! partly out of date: those tests are listed here with the reason, and must
//! still fail, so that the list stays true.

#[allow(dead_code, reason = "the tests of one node say more to it")]
#[path = "serve/node.rs"]
mod node;
#[allow(dead_code, reason = "other tests start other clusters")]
#[path = "cluster/nodes.rs"]
mod nodes;

use ringcached::net::Stop;
use ringcached::node::{Running, ServerConfig};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;

/// Tests that fail against memcached 1.6.45 too, and so must here.
const OUTDATED: [(&str, &str); 2] = [
    ("ascii delete noreply", "words behind the key of a delete are passed over since"),
    ("ascii delete", "words behind the key of a delete are passed over since"),
];

/// Characters that each name takes.
const NAME_COLUMN: usize = 40;

/// How many tests it has.
const TESTS: usize = 54;

#[test]
fn libmemcacheds_own_test_passes() {
    let config = ServerConfig::default();
    let running = Running::start(config).unwrap();
    let address = running.addresses()[0];
    passes("a node alone", address);
    running.stopper().stop(Stop::Now);
    running.wait().unwrap();
}

#[test]
fn libmemcacheds_own_test_passes_through_another_node() {
    let nodes = nodes::beside_owners("memccapable", "");
    passes("a node whose keys are elsewhere", nodes[2].address());
}

fn passes(what: &str, server: SocketAddr) {
    let port = server.port().to_string();
    let run =
        Command::new("memccapable").args(["-h", "127.0.0.1", "-p", &port, "-t", "20"]).output();
    let Ok(run) = run else { return println!("skipped: memccapable is not installed") };
    let said = String::from_utf8_lossy(&run.stdout);
    let tests: Vec<(&str, bool)> = said.lines().flat_map(results).collect();
    assert_eq!(tests.len(), TESTS, "{said}");
    let failed: BTreeSet<&str> =
        tests.iter().filter(|(_, passed)| !passed).map(|(name, _)| *name).collect();
    let outdated: BTreeSet<&str> = OUTDATED.iter().map(|(name, _)| *name).collect();
    assert_eq!(failed, outdated, "{said}");
    println!("{what}: {} of {TESTS} pass, {} are out of date", TESTS - failed.len(), failed.len());
}

/// Names of tests, and whether they passed. Each name fills a column; of one that
/// failed nothing more is said here, and the next name follows on the same line.
fn results(line: &str) -> Vec<(&str, bool)> {
    let (columns, last_passed) = match line.strip_suffix("[pass]") {
        Some(columns) => (columns, true),
        None => (line, false),
    };
    let chunks = columns.as_bytes().chunks(NAME_COLUMN);
    let names: Vec<&str> =
        chunks.map(|name| str::from_utf8(name).expect("plain text").trim()).collect();
    let last = names.len().saturating_sub(1);
    let results = names.into_iter().enumerate();
    results
        .filter(|(_, name)| !name.is_empty())
        .map(|(at, name)| (name, at == last && last_passed))
        .collect()
}
