//! `rebalance status --watch`: how far it has come, again and again until nothing moves.

use super::Operator;
use super::rebalance::{Round, look, state};
use crate::cli::output;
use crate::cli::progress::Progress;
use crate::cli::{CliError, Exit};
use serde_json::Value;
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

/// How often to look on.
const LOOK: Duration = Duration::from_millis(500);

/// Looks on until nothing moves and no owners change.
pub(super) fn watch(operator: &Operator) -> Result<Exit, CliError> {
    let (mut progress, mut share) = (Progress::of_percent(), Share::default());
    loop {
        let round = look(operator)?;
        let moves = round.moves().count();
        if moves == 0 && round.step.is_none() {
            drop(progress);
            round.tell_unreached();
            output::note(state(&round));
            return Ok(round.exit());
        }
        progress.starts(said(&round, moves));
        progress.reaches(share.of(&round));
        thread::sleep(LOOK);
    }
}

/// What moves, in a line.
fn said(round: &Round, moves: usize) -> String {
    let sum = |name: &str| round.moves().filter_map(|(_, told)| told[name].as_u64()).sum::<u64>();
    let left = round.moves().filter_map(|(_, told)| told["left_s"].as_f64()).reduce(f64::max);
    let left = left.map_or(String::new(), |left| format!(", {} left", output::seconds(left)));
    let (sent, rate) =
        (output::binary_bytes(sum("bytes")), output::binary_bytes(sum("bytes_per_s")));
    let paused = match round.paused().len() {
        0 => String::new(),
        nodes => format!(", {} paused", output::counted(nodes, "node")),
    };
    match moves {
        0 => format!("{}{paused}", state(round)),
        _ => format!("{}, {sent} sent, {rate}/s{left}{paused}", output::counted(moves, "move")),
    }
}

/// How much of all that moves in a step of a change has come, each move by the slots it brings.
/// What has come is told no more: it is kept here, lest the share run backwards.
#[derive(Debug, Default)]
struct Share {
    number: Option<u64>,
    /// By source and target.
    moves: BTreeMap<(String, String), Move>,
    /// The greatest that was told: moves that begin late make it less.
    percent: u64,
}

#[derive(Clone, Copy, Debug)]
struct Move {
    slots: f64,
    share_done: f64,
}

impl Share {
    fn of(&mut self, round: &Round) -> u64 {
        // A step that brings nothing begins nothing anew: all has come.
        if round.number != self.number && round.moves().next().is_some() {
            *self = Self { number: round.number, ..Self::default() };
        }
        // Who does not answer may still be about it.
        let answers = |source: &str| round.reached.iter().any(|(node, _)| node == source);
        for ((source, _), known) in &mut self.moves {
            known.share_done = if answers(source) { 1.0 } else { known.share_done };
        }
        for (source, told) in round.moves() {
            let to = told["to"].as_str().unwrap_or_default().to_owned();
            self.moves.insert((source.to_owned(), to), Move::of(told));
        }
        let all: f64 = self.moves.values().map(|known| known.slots).sum();
        let done: f64 = self.moves.values().map(|known| known.slots * known.share_done).sum();
        let percent = if all > 0.0 { (100.0 * done / all) as u64 } else { 0 };
        self.percent = self.percent.max(percent);
        self.percent
    }
}

impl Move {
    fn of(told: &Value) -> Self {
        let number = |name: &str| told[name].as_f64().unwrap_or(0.0);
        Self { slots: number("slots"), share_done: number("share_done") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// One node's moves, each to whom, of how many slots and how far.
    fn round(number: u64, moves: &[(&str, u64, f64)]) -> Round {
        let moves = moves.iter().map(|&(to, slots, share_done)| {
            json!({ "to": to, "slots": slots, "share_done": share_done, "bytes": 1 << 20,
                    "bytes_per_s": 1 << 19, "left_s": 3.0 })
        });
        let moves: Vec<Value> = moves.collect();
        Round {
            step: Some("fill".to_owned()),
            number: Some(number),
            reached: vec![("a".to_owned(), json!({ "paused": false, "moves": moves }))],
            unreached: Vec::new(),
        }
    }

    #[test]
    fn a_share_goes_up_only_within_a_step() {
        let mut share = Share::default();
        assert_eq!(share.of(&round(1, &[])), 0);
        assert_eq!(share.of(&round(2, &[("b", 100, 0.9), ("c", 100, 0.1)])), 50);
        // One has come, and is told no more.
        assert_eq!(share.of(&round(2, &[("c", 100, 0.2)])), 60);
        // One begins late.
        assert_eq!(share.of(&round(2, &[("c", 100, 0.4), ("d", 200, 0.0)])), 60);
        assert_eq!(share.of(&round(2, &[("d", 200, 0.9)])), 95);
        assert_eq!(share.of(&round(3, &[])), 100);
        assert_eq!(share.of(&round(4, &[("b", 10, 0.25)])), 25);
    }

    #[test]
    fn a_line_says_what_moves_or_for_what_owners_wait() {
        let line = said(&round(1, &[("b", 9, 0.5), ("c", 9, 0.5)]), 2);
        assert_eq!(line, "2 moves, 2.0 MiB sent, 1.0 MiB/s, 3s left");
        assert_eq!(said(&round(1, &[]), 0), "owners change: fill");
    }
}
