//! Meta commands, right and wrong.

use crate::random::Random;
use crate::step::{PLACEHOLDER, Part, Speech, Step};
use crate::text::{key, value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Flags of each command that every memcached with meta commands knows.
const GET: [&str; 20] = [
    "c", "f", "h", "k", "l", "O123", "q", "s", "t", "v", "v", "v", "u", "N0", "N1000", "R30",
    "R5000", "T1000", "T-1", "T0",
];
const SET: [&str; 19] = [
    "c",
    "k",
    "O1",
    "q",
    "F5",
    "F4294967295",
    "T1000",
    "T0",
    "T-1",
    "I",
    "MS",
    "ME",
    "MA",
    "MP",
    "MR",
    "Ma",
    "Mr",
    "N0",
    "N1000",
];
const DELETE: [&str; 6] = ["k", "O7", "q", "I", "T1000", "T0"];
/// Without `T`, which memcached forgets where the number takes more digits.
const COUNT: [&str; 16] = [
    "k",
    "O9",
    "q",
    "t",
    "c",
    "v",
    "v",
    "N0",
    "N1000",
    "J13",
    "D7",
    "D18446744073709551615",
    "MI",
    "MD",
    "M+",
    "M-",
];
/// Flags that are wrong, or not of every version.
const ODD: [&str; 25] = [
    "!", "b", "v", "s", "x", "E5", "J", "D", "Dx", "D-1", "Tx", "T", "Nabc", "R", "C", "Cx", "MX",
    "M", "MSS", "F-1", "Fx", "S5", "q", "z", "0",
];

/// A stale number that grows, and who is told of it.
pub(crate) fn growing(random: &mut Random) -> Vec<Step> {
    let key = key(random);
    let grow = match random.below(4) {
        0 => format!("incr {key} 90"),
        1 => format!("incr {key} 1000000"),
        2 => format!("ma {key} D90 v"),
        _ => format!("ma {key} D1000000"),
    };
    let read = format!("mg {key} v");
    let set = format!("set {key} 0 0 2\r\n{}", 10 + random.below(90));
    let lines = [set, format!("md {key} I T1000"), grow, read.clone(), read];
    lines.iter().map(|line| Step::text(format!("{line}\r\n"))).collect()
}

/// One request.
pub(crate) fn step(random: &mut Random) -> Step {
    match random.below(12) {
        0..=3 => plain(random, "mg", &GET),
        4..=6 => set(random),
        7 | 8 => plain(random, "md", &DELETE),
        9 | 10 => plain(random, "ma", &COUNT),
        _ => odd(random),
    }
}

fn plain(random: &mut Random, verb: &str, from: &[&'static str]) -> Step {
    let (key, base64) = written_key(random);
    let mut parts = vec![Part::Bytes(format!("{verb} {key}").into_bytes())];
    parts.extend(flags(random, verb, from, base64));
    parts.push(Part::Bytes(b"\r\n".to_vec()));
    Step::of(Speech::Text, parts)
}

fn set(random: &mut Random) -> Step {
    let (key, base64) = written_key(random);
    let value = value(random);
    let (len, tail, ends) = match random.below(40) {
        0 => (value.len() + 1 + random.below(9), "\r\n", true),
        1 => (value.len().saturating_sub(1 + random.below(3)), "\r\n", false),
        2 => (value.len(), "", true),
        _ => (value.len(), "\r\n", false),
    };
    let mut parts = vec![Part::Bytes(format!("ms {key} {len}").into_bytes())];
    parts.extend(flags(random, "ms", &SET, base64));
    parts.push(Part::Bytes([b"\r\n", &value[..], tail.as_bytes()].concat()));
    let step = Step::of(Speech::Text, parts);
    if ends { step.ending() } else { step }
}

/// A key, and whether it is written as base64.
fn written_key(random: &mut Random) -> (String, bool) {
    match random.below(8) {
        0 => (STANDARD.encode(format!("{PLACEHOLDER}{}", random.pick(&["a", "b", " s"]))), true),
        _ => (key(random), false),
    }
}

/// Different ones most of the time.
fn flags(random: &mut Random, verb: &str, from: &[&'static str], base64: bool) -> Vec<Part> {
    let mut chosen: Vec<&str> = Vec::new();
    for _ in 0..random.below(6) {
        let flag = random.pick(from);
        if random.once_in(40) || chosen.iter().all(|other| other[..1] != flag[..1]) {
            chosen.push(flag);
        }
    }
    if base64 {
        chosen.push("b");
    }
    if random.once_in(12) {
        chosen.push(random.pick(&ODD));
    }
    let mut parts = vec![Part::Bytes(
        chosen.iter().flat_map(|flag| [b" ", flag.as_bytes()].concat()).collect(),
    )];
    let compares = matches!(verb, "ms" | "md" | "ma") && random.once_in(4);
    if compares && !chosen.iter().any(|flag| flag.starts_with('C')) {
        parts.push(Part::Bytes(b" C".to_vec()));
        parts.push(match random.below(6) {
            0 => Part::Bytes(b"18446744073709551615".to_vec()),
            _ => Part::Decimal(random.below(4)),
        });
    }
    parts
}

fn odd(random: &mut Random) -> Step {
    let name = key(random);
    let many = " O1".repeat(30);
    let texts = [
        "mg\r\n".to_owned(),
        "ms\r\n".to_owned(),
        format!("ms {name}\r\n"),
        format!("ms {name} S1\r\n"),
        format!("ms {name} abc\r\n"),
        format!("ms {name} -1\r\n"),
        "md\r\n".to_owned(),
        "ma\r\n".to_owned(),
        "me\r\n".to_owned(),
        format!("me {name}\r\n"),
        format!("mg {name} v{many}\r\n"),
        "mg Z!9v v b\r\n".to_owned(),
        "ms Zm9 2 b\r\nxx\r\n".to_owned(),
        "mx a\r\n".to_owned(),
        format!("mg {name} v O{}\r\n", "a".repeat(40)),
        format!("MG {name} v\r\n"),
        format!("mg {name} v v\r\n"),
        format!("md {name} q q\r\n"),
    ];
    Step::text(&texts[random.below(texts.len())])
}
