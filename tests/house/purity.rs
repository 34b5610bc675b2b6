//! What a pure room may not name, and which part of the world that would be.

use crate::mentions::{Kind, Mention};

/// A part of the standard library that a pure room stays out of.
struct Forbidden {
    /// `core` and `alloc` are read as `std`.
    path: &'static [&'static str],
    world: &'static str,
    /// What is a plain value in there, and may be used.
    values: &'static [&'static str],
}

const fn all_of(path: &'static [&'static str], world: &'static str) -> Forbidden {
    Forbidden { path, world, values: &[] }
}

const STD: [Forbidden; 14] = [
    Forbidden { path: &["std", "time"], world: "clock", values: &["Duration"] },
    Forbidden { path: &["std", "net"], world: "sockets", values: ADDRESSES },
    Forbidden { path: &["std", "io"], world: "I/O", values: IN_MEMORY },
    Forbidden { path: &["std", "sync"], world: "locks", values: &["Arc", "Weak"] },
    all_of(&["std", "fs"], "files"),
    all_of(&["std", "os"], "operating system"),
    all_of(&["std", "env"], "environment"),
    all_of(&["std", "thread"], "threads"),
    all_of(&["std", "process"], "processes"),
    // Their hasher is seeded at random, and with it the order they iterate in.
    all_of(&["std", "collections", "HashMap"], "random order"),
    all_of(&["std", "collections", "HashSet"], "random order"),
    all_of(&["std", "collections", "hash_map"], "random order"),
    all_of(&["std", "collections", "hash_set"], "random order"),
    all_of(&["std", "hash", "RandomState"], "randomness"),
];

const ADDRESSES: &[&str] = &[
    "AddrParseError",
    "IpAddr",
    "Ipv4Addr",
    "Ipv6Addr",
    "SocketAddr",
    "SocketAddrV4",
    "SocketAddrV6",
];

/// Traits that slices and vectors have, and the words for what went wrong.
const IN_MEMORY: &[&str] =
    &["BufRead", "Cursor", "Error", "ErrorKind", "Read", "Result", "Seek", "SeekFrom", "Write"];

/// Macros of the standard library, which need no path.
const MACROS: [(&str, &str); 11] = [
    ("dbg", "I/O"),
    ("eprint", "I/O"),
    ("eprintln", "I/O"),
    ("print", "I/O"),
    ("println", "I/O"),
    ("include", "files"),
    ("include_bytes", "files"),
    ("include_str", "files"),
    ("env", "environment"),
    ("option_env", "environment"),
    ("thread_local", "threads"),
];

/// The part of the world a mention touches, if it does.
pub(crate) fn touched(mention: &Mention) -> Option<&'static str> {
    match mention.kind {
        Kind::Keyword => Some(keyword(&mention.path[0])),
        Kind::Macro => macro_part(&mention.path[0]),
        Kind::Path | Kind::Import => std_part(mention),
    }
}

fn keyword(word: &str) -> &'static str {
    match word {
        "async" | "await" => "async",
        _ => "mutable globals",
    }
}

fn macro_part(name: &str) -> Option<&'static str> {
    MACROS.iter().find(|(forbidden, _)| *forbidden == name).map(|&(_, world)| world)
}

fn std_part(mention: &Mention) -> Option<&'static str> {
    let path: Vec<&str> = mention.path.iter().map(String::as_str).collect();
    let Some((&("std" | "core" | "alloc"), rest)) = path.split_first() else { return None };
    let forbids = |part: &&Forbidden| match rest.strip_prefix(&part.path[1..]) {
        Some(inner) => !inner.first().is_some_and(|item| part.values.contains(item)),
        // `use std::collections;` lets `collections::HashMap` in unseen.
        None => opens(rest, &part.path[1..]),
    };
    let part = STD.iter().find(forbids).map(|part| part.world);
    // `std::println!` and `use std::println;`.
    part.or_else(|| macro_part(rest.first()?))
}

/// Whether `path` names a whole module that holds `part`.
fn opens(path: &[&str], part: &[&str]) -> bool {
    part.starts_with(path.strip_suffix(&["*"]).unwrap_or(path))
}
