//! The rules tried on small sources: each fault is found, with its rule and its
//! line, and honest code passes.

use crate::{
    crates,
    rules::{self, Rule},
};

/// What is wrong with a source, as (line, rule).
fn faults(file: &str, source: &str) -> Vec<(usize, Rule)> {
    rules::broken(file, source).iter().map(|found| (found.line, found.rule)).collect()
}

fn upward(from: &'static str, to: &'static str) -> Rule {
    Rule::Upward { from, to }
}

/// Every source, put into a file of a pure room, breaks this one rule once.
fn all_break(rule: Rule, sources: &[&str]) {
    for source in sources {
        assert_eq!(faults("ring/walk.rs", source), [(1, rule)], "{source}");
    }
}

fn all_pass(file: &str, sources: &[&str]) {
    for source in sources {
        assert_eq!(faults(file, source), [], "{source}");
    }
}

#[test]
fn imports_cannot_climb() {
    let sources = [
        "use crate::node::Node;",
        "use crate::node;",
        "use crate::node::*;",
        "use crate::node::Node as Other;",
        "use crate::{limits::COPIES_MAX, node::Node};",
        "use crate::{limits::{A, B}, node::{self as n}};",
        "use {crate::{node::Node}};",
        "use ::ringcached::node::Node;",
        "pub(crate) use super::super::node::Node;",
        "use self::super::super::node::Node;",
        "fn f() { use crate::node::Node; }",
        "#[cfg(test)] mod tests { use crate::node::Node; }",
    ];
    all_break(upward("ring", "node"), &sources);
}

#[test]
fn inline_paths_cannot_climb() {
    let sources = [
        "fn f() { crate::node::start(); }",
        "fn f() -> crate::node::Node { todo!() }",
        "fn f(node: &Vec<crate::node::Node>) {}",
        "fn f(x: X) { if let crate::node::Node::Up(_) = x {} }",
        "impl crate::node::Trait for X {}",
        "fn f() { <X as crate::node::Trait>::call(); }",
        "fn f() { crate::node::start::<u8>(); }",
        "fn f() { super::super::node::start(); }",
        "#[crate::node::attribute] fn f() {}",
        "pub(in crate::node) fn f() {}",
    ];
    all_break(upward("ring", "node"), &sources);
}

#[test]
fn macros_hide_no_path() {
    let sources = [
        "fn f() { assert!(crate::node::is_up()); }",
        "fn f() { vec![1, crate::node::count()] }",
        "fn f() { format!(\"{}\", ringcached::node::NAME) }",
        "fn f() { crate::node::shout!() }",
        "macro_rules! m { () => { $crate::node::start() } }",
        "proptest! { fn f(x in crate::node::any()) {} }",
        "m! { use crate::{limits::A, node::B}; }",
    ];
    all_break(upward("ring", "node"), &sources);
}

#[test]
fn super_counts_inline_modules() {
    let climbs = "mod tests { fn f() { super::super::super::node::start() } }";
    let follows = "mod tests { use super::*; } use super::super::node;";
    let stays = "mod tests { use super::*; fn f() { super::super::owners::find() } }";
    all_break(upward("ring", "node"), &[climbs, follows]);
    all_pass("ring/walk.rs", &[stays]);
}

#[test]
fn super_counts_nested_files() {
    let source = "use super::super::node;";
    all_pass("ring/walk/step.rs", &[source, "use super::super::super::limits;"]);
    all_pass("ring/walk/step/mod.rs", &[source]);
    assert_eq!(faults("ring/walk/mod.rs", source), [(1, upward("ring", "node"))]);
    assert_eq!(faults("ring/mod.rs", "use super::node;"), [(1, upward("ring", "node"))]);
    assert_eq!(faults("limits.rs", "use super::ring;"), [(1, upward("limits", "ring"))]);
}

#[test]
fn worldly_rooms_cannot_climb() {
    assert_eq!(faults("store/mod.rs", "use crate::cli;"), [(1, upward("store", "cli"))]);
    assert_eq!(faults("lab/keys.rs", "use crate::cli::Words;"), [(1, upward("lab", "cli"))]);
    all_pass("cli/mod.rs", &["use crate::{lab, ring};", "use std::{env, fs};"]);
    all_pass("store/mod.rs", &["use std::time::Instant; async fn f() { g().await }"]);
}

#[test]
fn crate_root_names_no_room() {
    let sources = [
        "use crate::*;",
        "use crate as house;",
        "use crate::{self as house};",
        "use super::super as house;",
        "use crate::Ring;",
        "fn f() { crate::Ring::new(); }",
        "fn f() { super::super::Ring::new(); }",
    ];
    all_break(Rule::NoRoomNamed, &sources);
    assert_eq!(faults("ring/mod.rs", "use super::*;"), [(1, Rule::NoRoomNamed)]);
}

#[test]
fn rooms_without_floor_fail() {
    assert_eq!(faults("attic/mod.rs", ""), [(1, Rule::UnknownRoom)]);
    assert_eq!(faults("utils.rs", "fn f() {}"), [(1, Rule::UnknownRoom)]);
    let named = rules::broken("attic/box.rs", "").remove(0).to_string();
    assert!(named.contains("src/attic/box.rs:1") && named.contains("`attic`"), "{named}");
}

#[test]
fn root_is_a_map() {
    let map = "//! Docs.\n#![allow(x)]\npub mod ring;\nmod cli;\npub use ring::{Ring, node::Id};";
    all_pass("lib.rs", &["", map]);
    for source in ["fn f() {}", "pub struct S;", "mod m { fn f() {} }", "impl X {}"] {
        assert_eq!(faults("lib.rs", &format!("mod ring;\n{source}")), [(2, Rule::NotAMap)]);
    }
}

#[test]
fn async_is_never_pure() {
    let sources = [
        "async fn f() {}",
        "fn f() { async {} }",
        "fn f() { async move |x| x }",
        "fn f() { g().await }",
        "trait T { async fn f(); }",
        "impl T { pub async fn f() {} }",
        "fn f() { m!(g().await) }",
    ];
    all_break(Rule::Impure("async"), &sources);
}

#[test]
fn clocks_are_never_pure() {
    let sources = [
        "use std::time::SystemTime;",
        "use std::time::{Duration, Instant};",
        "use std::time;",
        "use std::time::{self as t, Duration};",
        "use std::time::*;",
        "use std;",
        "use std::*;",
        "extern crate std;",
        "fn f() { std::time::Instant::now(); }",
        "fn f(now: core::time::Instant) {}",
        "fn f() { assert!(start < ::std::time::Instant::now()) }",
    ];
    all_break(Rule::Impure("clock"), &sources);
}

#[test]
fn imported_clock_is_found_once() {
    let source = "use std::time::Instant;\n\nfn f() -> Instant {\n    Instant::now()\n}";
    assert_eq!(faults("item/mod.rs", source), [(1, Rule::Impure("clock"))]);
}

#[test]
fn random_order_is_impure() {
    let sources = [
        "use std::collections::{BTreeMap, HashMap};",
        "use std::collections::HashSet as Set;",
        "use std::collections::hash_map::Entry;",
        "use std::collections;",
        "use std::collections::{self, BTreeMap};",
        "use std::collections::*;",
        "fn f() { std::collections::HashMap::<u8, u8>::new(); }",
    ];
    all_break(Rule::Impure("random order"), &sources);
}

#[test]
fn randomness_is_never_pure() {
    let sources =
        ["fn f(state: std::hash::RandomState) {}", "fn f() { ::std::hash::RandomState::new() }"];
    all_break(Rule::Impure("randomness"), &sources);
}

#[test]
fn locks_are_never_pure() {
    let sources = [
        "use std::sync::Mutex;",
        "use std::sync::{Arc, RwLock};",
        "use std::sync::{Arc, atomic::AtomicU64};",
        "use core::sync::atomic::*;",
        "use std::sync::mpsc::channel;",
        "use std::sync::{self, Arc};",
        "static X: std::sync::OnceLock<u8> = std_once();",
        "fn f(lock: Box<std::sync::Condvar>) {}",
    ];
    all_break(Rule::Impure("locks"), &sources);
}

#[test]
fn world_is_never_pure() {
    let sources = [
        ("use std::net::TcpStream;", "sockets"),
        ("use std::net::ToSocketAddrs;", "sockets"),
        ("fn f() { std::net::UdpSocket::bind(a) }", "sockets"),
        ("use std::io::stdin;", "I/O"),
        ("use std::io::{self, Write};", "I/O"),
        ("fn f() { std::fs::read(p) }", "files"),
        ("fn f() { r#std::fs::read(p) }", "files"),
        ("fn f() { std::env::var(n) }", "environment"),
        ("use std::thread;", "threads"),
        ("thread_local! { static X: u8 = 1; }", "threads"),
        ("fn f() { std::process::exit(1) }", "processes"),
        ("use std::os::fd::RawFd;", "operating system"),
        ("static mut COUNT: u8 = 0;", "mutable globals"),
    ];
    for (source, world) in sources {
        all_break(Rule::Impure(world), &[source]);
    }
}

#[test]
fn macros_bring_no_world() {
    let macros = [
        ("print", "I/O"),
        ("println", "I/O"),
        ("eprint", "I/O"),
        ("eprintln", "I/O"),
        ("dbg", "I/O"),
        ("include", "files"),
        ("include_str", "files"),
        ("include_bytes", "files"),
        ("env", "environment"),
        ("option_env", "environment"),
        ("thread_local", "threads"),
    ];
    for (name, world) in macros {
        let sources = [
            format!("fn f() {{ {name}!(x) }}"),
            format!("fn f() {{ {name} ! [x] }}"),
            format!("fn f() {{ r#{name}!(x) }}"),
            format!("fn f() {{ std::{name}!(x) }}"),
            format!("fn f() {{ ::core::{name}!(x) }}"),
            format!("use std::{name};"),
            format!("use std::{{fmt, {name} as say}};"),
            format!("fn f() {{ vec![{name}!{{x}}] }}"),
            format!("#[doc = {name}!(x)] fn f() {{}}"),
            format!("macro_rules! m {{ () => {{ {name}!(x) }} }}"),
        ];
        all_break(Rule::Impure(world), &sources.each_ref().map(String::as_str));
    }
    all_pass("ring/walk.rs", &["fn f(env: u8, dbg: u8) { env != dbg; print(); x.include(); }"]);
    all_pass("cli/mod.rs", &["fn f() { println!(); env!(x); }"]);
}

#[test]
fn outside_crates_need_leave() {
    let sources = [
        "use indicatif::ProgressBar;",
        "use serde_json;",
        "use serde_json as json;",
        "use ::toml::Table;",
        "use {clap::Parser, std::fmt};",
        "extern crate plotters;",
        "use r#base64::Engine;",
        "fn f() { serde_json::to_string(x) }",
        "fn f() { ::serde_json::json!(x) }",
        "#[derive(serde::Serialize)] struct S;",
        "fn f() { vec![hrw_hash::new()] }",
        "mod tests { use proptest::prelude::*; }",
        "#[cfg(test)] mod tests { use criterion::*; }",
    ];
    all_break(Rule::Outside, &sources);
    all_pass("cli/mod.rs", &sources);
}

#[test]
fn leave_is_given_by_room() {
    let hash = "use xxhash_rust::xxh3::Xxh3; fn f() { ::xxhash_rust::xxh3::xxh3_64(x) }";
    let (bytes, bincode) = ("use bytes::Bytes;", "use bincode::Encode;");
    for room in ["limits.rs", "ring/mod.rs", "item/mod.rs", "memcache/mod.rs", "cluster/mod.rs"] {
        all_pass(room, &[hash]);
        assert_eq!(faults(room, bincode), [(1, Rule::Outside)], "{room}");
    }
    for room in ["limits.rs", "ring/mod.rs", "cluster/mod.rs"] {
        assert_eq!(faults(room, bytes), [(1, Rule::Outside)], "{room}");
    }
    all_pass("item/mod.rs", &[bytes]);
    all_pass("memcache/mod.rs", &[bytes]);
    all_pass("wire/mod.rs", &[hash, bytes, bincode]);
}

#[test]
fn every_dependency_is_known() {
    let manifest = "
        [dependencies]
        a-b = '1'
        alias = { package = 'c', version = '1' }
        [dev-dependencies.d-e]
        version = '1'
        [build-dependencies]
        f = '1'
        [target.'cfg(unix)'.dependencies]
        g-h = '1'
    ";
    let known: Vec<String> = crates::dependencies(manifest).into_iter().collect();
    assert_eq!(known, ["a_b", "alias", "d_e", "f", "g_h"]);
}

#[test]
fn every_fault_is_listed() {
    let source = "use crate::{\n    node::Node,\n    store::Store,\n};\n\nasync fn f() {}\n";
    let expected =
        [(2, upward("wire", "node")), (3, upward("wire", "store")), (6, Rule::Impure("async"))];
    assert_eq!(faults("wire/mod.rs", source), expected);
}

#[test]
fn honest_pure_code_passes() {
    let sources = [
        "use crate::limits::{COPIES_MAX, NODES_MAX};",
        "use crate::{limits, ring::{self, walk}};",
        "use super::{RingError, owners::*};",
        "use std::{collections::BTreeMap, fmt, hash::Hash, sync::Arc, time::Duration};",
        "use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};",
        "fn f(t: core::time::Duration) { std::hint::black_box(t); }",
        "fn f() -> std::io::Result<()> { Ok(()) }",
        "pub(crate) mod m { pub(super) fn f() {} pub(in super::super) fn g() {} }",
        "/// See [`crate::node::Node`] and `async`.\nfn f() { \"crate::node::x\"; }",
        "fn f(x: &'static mut u8) -> impl Sized + use<'_> { x }",
        "fn f(rand: u8, metrics: &[u8]) { metrics.len(); rand + 1; }",
        "use self::toml::Toml; use serde_jsonish::Era; fn f(clap: u8) { clap.min(1); }",
        "fn f() { let r#async = Self::new(); x::<u8>(crate::ring::Y { a: ::xxhash::z }) }",
    ];
    all_pass("ring/walk.rs", &sources);
}
