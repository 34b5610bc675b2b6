//! Whether what counters said can be: each increment counts once, if it is known to
//! count.

use crate::history::{Findings, Flush, Operation};
use crate::latest::Latest;
use crate::words::{Saw, What};
use std::collections::BTreeMap;

/// What a counter said.
fn number(operation: &Operation) -> Option<u64> {
    match operation.saw() {
        Some(Saw::Nothing) => Some(0),
        // It never shrinks, and is filled up with spaces.
        Some(Saw::Value(text)) => text.trim_end().parse().ok(),
        _ => None,
    }
}

fn is_count(operation: &Operation) -> bool {
    matches!(operation.what, What::Count)
}

pub(crate) fn check(
    key: &str,
    all: &[Operation],
    flushes: &[Flush],
    nothing_fails: bool,
) -> Findings {
    let mut found = Findings::default();
    check_bounds(key, all, flushes, &mut found);
    check_versions(key, all, flushes, &mut found);
    check_distinct(key, all, flushes, &mut found);
    if nothing_fails && flushes.is_empty() {
        check_exact(key, all, &mut found);
    }
    found
}

/// At least what was acknowledged since the last flush counts, and at most what was asked
/// for.
fn check_bounds(key: &str, all: &[Operation], flushes: &[Flush], found: &mut Findings) {
    let counts = || all.iter().filter(|operation| is_count(operation));
    let asked: Vec<u64> =
        sorted(counts().filter(|count| count.may_write()).map(|count| count.began));
    let ended: Vec<u64> =
        sorted(counts().filter(|count| count.has_written()).map(|count| count.ended));
    let began: Vec<(u64, u64)> = sorted(
        counts().filter(|count| count.has_written()).map(|count| (count.began, count.ended)),
    );
    let may_go: Latest<u64> = flushes.iter().map(|flush| (flush.began, flush.over)).collect();
    for operation in all {
        let Some(number) = number(operation) else { continue };
        found.checked.reads += 1;
        let own = u64::from(operation.has_written());
        let most = asked.partition_point(|&began| began < operation.ended) as u64;
        let least = match may_go.before(operation.ended) {
            None => ended.partition_point(|&ended| ended < operation.began),
            Some(gone) => {
                let from = began.partition_point(|&(began, _)| began <= gone);
                began[from..].iter().filter(|&&(_, ended)| ended < operation.began).count()
            }
        };
        let least = least as u64 + own;
        if number < least {
            found.wrong.push(format!("{key}: {least} were counted: {operation}"));
        }
        if number > most {
            found.impossible.push(format!("{key}: only {most} were to be counted: {operation}"));
        }
    }
}

fn sorted<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut all: Vec<T> = all.collect();
    all.sort_unstable();
    all
}

fn is_flushed_between(one: &Operation, other: &Operation, flushes: &[Flush]) -> bool {
    let (began, ended) = (one.began.min(other.began), one.ended.max(other.ended));
    flushes.iter().any(|flush| flush.began < ended && flush.over > began)
}

/// A version has one number, and greater ones have greater numbers.
fn check_versions(key: &str, all: &[Operation], flushes: &[Flush], found: &mut Findings) {
    let mut numbers: BTreeMap<u64, &Operation> = BTreeMap::new();
    for operation in all {
        let Some(version) = operation.version() else { continue };
        found.checked.versions += 1;
        let known = *numbers.entry(version).or_insert(operation);
        if number(known) != number(operation) {
            found.impossible.push(format!("{key}: one version: {known}, {operation}"));
        }
        if known.has_written() && operation.has_written() && !std::ptr::eq(known, operation) {
            found.impossible.push(format!("{key}: two counts, one version: {known}, {operation}"));
        }
        if operation.has_written() {
            numbers.insert(version, operation);
        }
    }
    let counts: Vec<&Operation> =
        numbers.into_values().filter(|count| count.has_written()).collect();
    for pair in counts.windows(2) {
        if number(pair[0]) >= number(pair[1]) && !is_flushed_between(pair[0], pair[1], flushes) {
            found.wrong.push(format!("{key}: it does not rise: {}, {}", pair[0], pair[1]));
        }
    }
}

/// No two acknowledged increments have the same number.
fn check_distinct(key: &str, all: &[Operation], flushes: &[Flush], found: &mut Findings) {
    let mut seen: BTreeMap<u64, &Operation> = BTreeMap::new();
    for count in all.iter().filter(|operation| operation.has_written()) {
        found.checked.counts += 1;
        let Some(other) = number(count).and_then(|number| seen.insert(number, count)) else {
            continue;
        };
        if !is_flushed_between(other, count, flushes) {
            found.wrong.push(format!("{key}: counted twice: {other}, {count}"));
        }
    }
}

/// Where nothing fails the numbers are one, two, three and so on.
fn check_exact(key: &str, all: &[Operation], found: &mut Findings) {
    let numbers = sorted(all.iter().filter(|operation| operation.has_written()).filter_map(number));
    if !numbers.iter().copied().eq(1..=numbers.len() as u64) {
        found.wrong.push(format!("{key}: {numbers:?}"));
    }
}
