//! Sequences of requests to both servers, and the shortest of one that is
//! answered differently.

use crate::differences::{After, Case, DIFFERENCES, Difference};
use crate::link::{Answer, End, LONG_PATIENCE, Link, PATIENCE};
use crate::normal::Normal;
use crate::random::Random;
use crate::step::{Speech, Step};
use crate::{binary, meta, text};
use std::net::SocketAddr;
use std::time::Duration;

/// Requests of one sequence.
const STEPS: usize = 60;

/// Whose keys they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Of the node that is asked.
    Here,
    /// Of other nodes.
    Elsewhere,
}

/// Both servers, and what has been asked of them.
pub(crate) struct Hunt {
    theirs: SocketAddr,
    ours: SocketAddr,
    keys: Keys,
    /// Sequences sent, for keys that no other sequence has.
    runs: usize,
    /// Requests sent.
    pub(crate) steps: usize,
    /// How often each known difference was met.
    pub(crate) met: Vec<usize>,
}

/// A request that was answered differently.
struct Found {
    at: usize,
    text: String,
    /// Whether one of them only took too long, perhaps.
    is_silent: bool,
}

/// One server in one sequence.
struct Side {
    link: Link,
    tokens: Vec<u64>,
}

impl Side {
    fn ask(&mut self, step: &Step, run: &str) -> (Vec<u8>, Answer, Normal) {
        let request = step.bytes(run, &self.tokens);
        let answer = self.link.ask(step.speech, &request, step.ends);
        let normal = Normal::new(&answer, step.speech, &mut self.tokens);
        (request, answer, normal)
    }
}

impl Hunt {
    pub(crate) fn new(theirs: SocketAddr, ours: SocketAddr, keys: Keys) -> Self {
        Self { theirs, ours, keys, runs: 0, steps: 0, met: vec![0; DIFFERENCES.len()] }
    }

    /// Sends the sequence of a seed; what is wrong with it, if anything is.
    pub(crate) fn seed(&mut self, seed: u64) -> Result<(), String> {
        let steps = sequence(seed);
        let Some(found) = self.run(&steps) else { return Ok(()) };
        let mut steps = steps[..=found.at].to_vec();
        let mut text = found.text;
        // From the end: what came first is needed most often.
        for at in (0..steps.len().saturating_sub(1)).rev() {
            let mut fewer = steps.clone();
            fewer.remove(at);
            if let Some(found) = self.run(&fewer).filter(|found| found.at + 1 == fewer.len()) {
                (steps, text) = (fewer, found.text);
            }
        }
        Err(format!("seed {seed}, as short as it gets:\n{text}"))
    }

    fn run(&mut self, steps: &[Step]) -> Option<Found> {
        let found = self.run_once(steps, PATIENCE)?;
        if found.is_silent { self.run_once(steps, LONG_PATIENCE) } else { Some(found) }
    }

    fn run_once(&mut self, steps: &[Step], patience: Duration) -> Option<Found> {
        self.runs += 1;
        let run = format!("r{:05}", self.runs % 100_000);
        let mut theirs = Side { link: Link::new(self.theirs, patience), tokens: Vec::new() };
        let mut ours = Side { link: Link::new(self.ours, patience), tokens: Vec::new() };
        let mut neighbour = Link::new(self.ours, LONG_PATIENCE);
        let mut story = String::new();
        for (at, step) in steps.iter().enumerate() {
            self.steps += 1;
            let (_, their_answer, their_normal) = theirs.ask(step, &run);
            let (request, our_answer, our_normal) = ours.ask(step, &run);
            neighbour_serves(&mut neighbour, &request);
            story.extend(["  ", speech_name(step.speech), " ", &shortened(&request), "\n"]);
            if our_normal.agrees(&their_normal) {
                // What is refused by another node than the owner leaves the old value.
                if self.keys == Keys::Elsewhere && is_too_large(&our_answer.bytes) {
                    return None;
                }
                continue;
            }
            let case =
                Case { request: &request, theirs: &their_answer.bytes, ours: &our_answer.bytes };
            let Some(known) = Difference::of(&case) else {
                let text = format!(
                    "{story}memcached: {:?} {}\nhere:      {:?} {}\n",
                    their_answer.end,
                    shortened(&their_answer.bytes),
                    our_answer.end,
                    shortened(&our_answer.bytes)
                );
                let is_silent = [their_answer.end, our_answer.end].contains(&End::Silent);
                return Some(Found { at, text, is_silent });
            };
            self.met[known] += 1;
            if DIFFERENCES[known].after == After::Apart {
                return None;
            }
        }
        None
    }
}

fn is_too_large(answer: &[u8]) -> bool {
    let text = b"SERVER_ERROR object too large for cache\r\n";
    answer.ends_with(text) || answer.ends_with(b"Too large.")
}

fn speech_name(speech: Speech) -> &'static str {
    match speech {
        Speech::Text => "text",
        Speech::Binary => "binary",
    }
}

fn sequence(seed: u64) -> Vec<Step> {
    let mut random = Random::new(seed);
    let mut steps = Vec::new();
    while steps.len() < STEPS {
        match random.below(100) {
            0..=39 => steps.push(text::step(&mut random)),
            40..=77 => steps.push(meta::step(&mut random)),
            78..=79 => steps.extend(meta::growing(&mut random)),
            _ => steps.push(binary::step(&mut random)),
        }
    }
    steps
}

/// Whoever else is connected does not notice.
fn neighbour_serves(neighbour: &mut Link, request: &[u8]) {
    let answer = neighbour.ask(Speech::Text, b"mg neighbour v\r\n", false);
    assert_eq!(answer.bytes, b"EN\r\n", "a neighbour of {}", shortened(request));
}

fn shortened(bytes: &[u8]) -> String {
    const SHOWN: usize = 300;
    match bytes.len() {
        ..=SHOWN => bytes.escape_ascii().to_string(),
        len => format!("{}... ({len} bytes)", bytes[..SHOWN].escape_ascii()),
    }
}
