//! Whether what was read of a value that grows can be: one client puts pieces to both its
//! ends, each of them once.

use crate::history::{Findings, Flush, Operation};
use crate::latest::Latest;
use crate::words::{Saw, What};
use std::collections::BTreeMap;

/// A piece that was put somewhere.
#[derive(Clone, Copy)]
struct Piece<'a> {
    number: u64,
    front: bool,
    by: &'a Operation,
}

fn piece(by: &Operation) -> Option<Piece<'_>> {
    match by.what {
        What::Extend { front, piece } => Some(Piece { number: piece, front, by }),
        _ => None,
    }
}

/// The pieces of a value, if it is made of pieces.
fn pieces_of(text: &str) -> Option<Vec<u64>> {
    let inner = text.strip_prefix('<')?.strip_suffix('>')?;
    inner.split("><").map(|piece| piece.parse().ok()).collect()
}

pub(crate) fn check(key: &str, all: &[Operation], flushes: &[Flush], _: bool) -> Findings {
    let mut found = Findings::default();
    let pieces: BTreeMap<u64, Piece<'_>> =
        all.iter().filter_map(piece).map(|piece| (piece.number, piece)).collect();
    let may_go: Latest<u64> = flushes.iter().map(|flush| (flush.began, flush.over)).collect();
    let sure = flushes.iter().filter(|flush| flush.is_sure);
    let gone: Latest<u64> = sure.map(|flush| (flush.over, flush.began)).collect();
    let mut versions: BTreeMap<u64, &str> = BTreeMap::new();
    for operation in all {
        let there = match operation.saw() {
            Some(Saw::Nothing) => Some(Vec::new()),
            Some(Saw::Value(text)) => pieces_of(text),
            _ => continue,
        };
        found.checked.reads += 1;
        let places = there.as_deref().and_then(|there| places(there, &pieces));
        let Some(places) = places else {
            found.impossible.push(format!("{key}: a piece twice, or nobody's: {operation}"));
            continue;
        };
        if let (Some(Saw::Value(text)), Some(version)) = (operation.saw(), operation.version()) {
            found.checked.versions += 1;
            if *versions.entry(version).or_insert(text) != text {
                found.impossible.push(format!("{key}: a version of two values: {operation}"));
            }
        }
        let (gone, may_go) = (gone.before(operation.began), may_go.before(operation.ended));
        check_one(key, operation, (&pieces, &places), (gone, may_go), &mut found);
    }
    found
}

/// Where in the value each piece is; none, if one is there twice or is nobody's.
fn places(there: &[u64], pieces: &BTreeMap<u64, Piece<'_>>) -> Option<BTreeMap<u64, usize>> {
    let places: BTreeMap<u64, usize> = there.iter().copied().zip(0..).collect();
    let are_known = places.keys().all(|piece| pieces.contains_key(piece));
    (places.len() == there.len() && are_known).then_some(places)
}

fn check_one(
    key: &str,
    operation: &Operation,
    (pieces, places): (&BTreeMap<u64, Piece<'_>>, &BTreeMap<u64, usize>),
    (gone, may_go): (Option<u64>, Option<u64>),
    found: &mut Findings,
) {
    // The piece before, at either end, that was known to be there when the next was put.
    let mut before: BTreeMap<bool, usize> = BTreeMap::new();
    for Piece { number, front, by } in pieces.values() {
        found.checked.pieces += 1;
        let is_known = by.has_written() && may_go.is_none_or(|over| over < by.began);
        let Some(&place) = places.get(number) else {
            let is_before = by.ended < operation.began || is_ahead(by, operation);
            if is_known && is_before {
                found.wrong.push(format!("{key}: a piece is lost: {operation}, {by}"));
            }
            continue;
        };
        if by.began > operation.ended || by.done.as_ref().is_some_and(|done| !done.wrote) {
            found.impossible.push(format!("{key}: not written: {operation}, {by}"));
        }
        if gone > Some(by.over()) {
            found.wrong.push(format!("{key}: a piece came back: {operation}, {by}"));
        }
        if !by.has_written() {
            continue;
        }
        let last = before.insert(*front, place);
        let is_out_of_order = last.is_some_and(|last| (place < last) != *front);
        if is_out_of_order {
            found.wrong.push(format!("{key}: out of order: {operation}, {by}"));
        }
    }
}

/// It was said before in the same turn.
fn is_ahead(one: &Operation, other: &Operation) -> bool {
    one.turn == other.turn && one.place < other.place
}
