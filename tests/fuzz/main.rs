//! Mutated requests through the parsers and through whole sessions: nothing
//! panics, nothing answers more than it may, and however the bytes are split the
//! answers are the same.
//!
//! The requests under `tests/corpus` are real ones, kept because each of them
//! goes a way of its own. `FUZZ_SECONDS` says how long to go on, `FUZZ_SEED`
//! where to start.

#[expect(dead_code, reason = "it does more than is needed here")]
#[path = "../protocol/client.rs"]
mod client;
mod mutate;
mod target;

use mutate::Mutator;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use target::{client, parse};

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

/// All requests of one protocol.
fn corpus(protocol: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(protocol);
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no requests of {protocol}");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Goes on until the time is over, and says from which seed what failed came.
fn fuzz(protocol: &str) {
    let corpus = corpus(protocol);
    for request in &corpus {
        check(request, 0);
    }
    let time = Duration::from_secs(number("FUZZ_SECONDS", 3));
    let (started, first) = (Instant::now(), number("FUZZ_SEED", 1));
    let mut seed = first;
    while started.elapsed() < time {
        let bytes = Mutator::new(seed).mutated(&corpus);
        let outcome = std::panic::catch_unwind(|| check(&bytes, seed));
        assert!(outcome.is_ok(), "FUZZ_SEED={seed}: {}", bytes.escape_ascii());
        seed += 1;
    }
    println!("{protocol}: {} inputs from {} requests", seed - first, corpus.len());
}

fn check(bytes: &[u8], seed: u64) {
    parse(bytes);
    let mut whole = client();
    let answer = whole.send(bytes);
    // Times and other counters differ from node to node.
    if [&b"stats"[..], b"\x80\x10", b"watch"]
        .iter()
        .any(|word| bytes.windows(word.len()).any(|window| window == *word))
    {
        return;
    }
    let mut split = client();
    let mut mutator = Mutator::new(seed);
    let pieces: Vec<u8> =
        mutator.pieces(bytes).into_iter().flat_map(|piece| split.send(piece)).collect();
    assert!(pieces == answer, "{} against {}", pieces.escape_ascii(), answer.escape_ascii());
    assert_eq!(split.closed, whole.closed);
}

#[test]
fn classic_commands_stand_anything() {
    fuzz("text");
}

#[test]
fn meta_commands_stand_anything() {
    fuzz("meta");
}

#[test]
fn binary_requests_stand_anything() {
    fuzz("binary");
}
