//! Whether what was read of a key can be, where each write wrote a value of its own.

use crate::history::{Findings, Flush, Operation};
use crate::latest::Latest;
use crate::words::{Form, Saw, What};
use std::collections::BTreeMap;

/// The value that an operation writes.
fn value(operation: &Operation) -> Option<String> {
    match operation.what {
        What::Set { value }
        | What::Add { value }
        | What::Replace { value }
        | What::Compare { value, .. } => Some(value.to_string()),
        _ => None,
    }
}

fn is_delete(operation: &Operation) -> bool {
    matches!(operation.what, What::Delete)
}

/// All that is known of one key.
struct Register<'a> {
    key: &'a str,
    all: &'a [Operation],
    /// By the value.
    writes: BTreeMap<String, &'a Operation>,
    /// The version of a value, as it was told.
    versions: BTreeMap<String, u64>,
    /// And whose each version is.
    values: BTreeMap<u64, String>,
    /// When the last of those began that were done before: a value was written, or all
    /// that was there went.
    stored: Latest<u64>,
    gone: Latest<u64>,
    /// Until when those that began before may have been done.
    may_store: Latest<u64>,
    may_go: Latest<u64>,
    /// The greatest version that was written before, and acknowledged.
    newest: Latest<u64>,
    /// The same by version.
    written: BTreeMap<u64, &'a Operation>,
    /// What was written just before in the same turn.
    ahead: BTreeMap<(u64, usize), &'a Operation>,
    found: Findings,
}

pub(crate) fn check(
    key: &str,
    all: &[Operation],
    flushes: &[Flush],
    nothing_fails: bool,
) -> Findings {
    let mut register = Register::new(key, all, flushes, nothing_fails);
    for operation in all {
        register.check_value(operation, flushes);
        register.check_version(operation);
        register.check_compare(operation, flushes);
    }
    register.found
}

impl<'a> Register<'a> {
    fn new(key: &'a str, all: &'a [Operation], flushes: &[Flush], nothing_fails: bool) -> Self {
        let writes = || all.iter().filter(|operation| value(operation).is_some());
        let deletes = || all.iter().filter(|operation| is_delete(operation));
        let sure = |operation: &&Operation| operation.has_written();
        let unsure = |operation: &&Operation| operation.may_write();
        let span = |operation: &Operation| (operation.ended, operation.began);
        let may_be = |operation: &Operation| (operation.began, operation.over());
        let known_flushes = flushes.iter().filter(|flush| flush.is_sure);
        let mut register = Self {
            key,
            all,
            writes: writes().map(|write| (value(write).unwrap_or_default(), write)).collect(),
            versions: BTreeMap::new(),
            values: BTreeMap::new(),
            stored: writes().filter(sure).map(span).collect(),
            gone: deletes()
                .filter(sure)
                .map(span)
                .chain(known_flushes.map(|flush| (flush.over, flush.began)))
                .collect(),
            may_store: writes().filter(unsure).map(may_be).collect(),
            may_go: deletes()
                .filter(unsure)
                .map(may_be)
                .chain(flushes.iter().map(|flush| (flush.began, flush.over)))
                .collect(),
            newest: Latest::from_iter([]),
            written: BTreeMap::new(),
            ahead: BTreeMap::new(),
            found: Findings::default(),
        };
        register.learn_versions();
        let version = |write: &&'a Operation| register.versions.get(&value(write)?).copied();
        let known = || writes().filter(sure).filter_map(|write| Some((version(&write)?, write)));
        register.newest = known().map(|(version, write)| (write.ended, version)).collect();
        register.written = known().collect();
        register.learn_order(nothing_fails);
        register
    }

    /// A version has one value, and a value one version.
    fn learn_versions(&mut self) {
        for operation in self.all {
            let Some(version) = operation.version() else { continue };
            let text = match (operation.saw(), value(operation)) {
                (_, Some(written)) if operation.has_written() => written,
                (Some(Saw::Value(text)), _) => text.clone(),
                _ => continue,
            };
            let known = self.versions.entry(text.clone()).or_insert(version);
            let whose = self.values.entry(version).or_insert_with(|| text.clone());
            if *known != version || *whose != text {
                let whose = format!("{text} is {known}, {version} is {whose}");
                self.found.impossible.push(format!("{}: {whose}: {operation}", self.key));
            }
        }
    }

    /// What is said at once is done in its order, heard of or not.
    fn learn_order(&mut self, nothing_fails: bool) {
        let mut last: Option<&Operation> = None;
        for operation in self.all {
            if let Some(before) = last.filter(|before| before.turn == operation.turn) {
                self.ahead.insert((operation.turn, operation.place), before);
            }
            let is_done =
                operation.has_written() || nothing_fails && operation.form == Form::Noreply;
            if is_done && (is_delete(operation) || value(operation).is_some()) {
                last = Some(operation);
            }
        }
    }

    fn wrong(&mut self, what: &str, operation: &Operation, other: Option<&Operation>) {
        let other = other.map(|other| format!(", and {other}")).unwrap_or_default();
        self.found.wrong.push(format!("{}: {what}: {operation}{other}", self.key));
    }

    /// When the last began that was done before this: a write in the same turn is.
    fn began_last(
        &self,
        operation: &Operation,
        done: &Latest<u64>,
        is_it: impl Fn(&Operation) -> bool,
    ) -> Option<u64> {
        let ahead = self.ahead.get(&(operation.turn, operation.place)).filter(|ahead| is_it(ahead));
        done.before(operation.began).max(ahead.map(|_| operation.began))
    }

    fn check_value(&mut self, operation: &Operation, flushes: &[Flush]) {
        let text = match operation.saw() {
            None | Some(Saw::Unlooked) => return,
            Some(Saw::Nothing) => return self.check_miss(operation, flushes),
            Some(Saw::Something) => return self.check_hit(operation),
            Some(Saw::Value(text)) => text.clone(),
            Some(Saw::Version(version)) => match self.values.get(version) {
                Some(text) => text.clone(),
                None => return,
            },
        };
        self.found.checked.reads += 1;
        let Some(&write) = self.writes.get(&text) else {
            self.found.impossible.push(format!("{}: nobody wrote it: {operation}", self.key));
            return;
        };
        let was_refused = write.done.as_ref().is_some_and(|done| !done.wrote);
        if was_refused || write.began > operation.ended {
            self.found
                .impossible
                .push(format!("{}: not written yet: {operation}, {write}", self.key));
        }
        let stored = self.began_last(operation, &self.stored, |_| true);
        let gone = self.began_last(operation, &self.gone, is_delete);
        if gone > Some(write.over()) {
            self.wrong("it came back", operation, Some(write));
        } else if stored > Some(write.over()) {
            self.wrong("it is old", operation, Some(write));
        }
        let ahead = self.ahead.get(&(operation.turn, operation.place)).copied();
        if let Some(ahead) =
            ahead.filter(|ahead| write.turn == ahead.turn && write.place < ahead.place)
        {
            self.wrong("a turn reads what it has written over", operation, Some(ahead));
        }
    }

    /// Nothing was there: then it was never written, or was deleted.
    fn check_miss(&mut self, operation: &Operation, flushes: &[Flush]) {
        self.found.checked.reads += 1;
        // What it was said behind, to the same node, failed: no other owner answers for
        // that, and one key of many is a miss then.
        let failed = |other: &&Operation| {
            other.turn == operation.turn
                && other.place < operation.place
                && other.may_write()
                && !other.has_written()
        };
        if self.all.iter().any(|other| failed(&other)) {
            return;
        }
        if self.stored.before(operation.began) > self.may_go.before(operation.ended) {
            self.wrong("it is lost", operation, None);
        }
        let ahead = self.ahead.get(&(operation.turn, operation.place)).copied();
        if let Some(ahead) = ahead.filter(|ahead| !is_delete(ahead)) {
            let deletes = self.all.iter().filter(|other| {
                is_delete(other)
                    && (other.turn != operation.turn || other.place > ahead.place)
                    && other.may_write()
            });
            let spans = deletes.map(|delete| (delete.began, delete.over()));
            let mut spans = spans.chain(flushes.iter().map(|flush| (flush.began, flush.over)));
            if !spans.any(|(began, over)| began < operation.ended && over > operation.began) {
                self.wrong("a turn misses what it has written", operation, Some(ahead));
            }
        }
    }

    /// Something was there: then it was not deleted, or written again.
    fn check_hit(&mut self, operation: &Operation) {
        self.found.checked.reads += 1;
        if self.began_last(operation, &self.gone, is_delete)
            > self.may_store.before(operation.ended)
        {
            self.wrong("it is gone", operation, None);
        }
    }

    /// Who begins after an acknowledged write has ended sees its version, or a greater one.
    fn check_version(&mut self, operation: &Operation) {
        let written = value(operation).filter(|_| operation.has_written());
        let version = match (&written, operation.saw()) {
            (Some(text), _) | (None, Some(Saw::Value(text))) => self.versions.get(text).copied(),
            _ => None,
        };
        let Some(version) = version else { return };
        self.found.checked.versions += 1;
        let least =
            self.newest.before(operation.began).map(|newest| newest + u64::from(written.is_some()));
        if least > Some(version) {
            let newer = least
                .and_then(|least| self.written.range(..=least).next_back())
                .map(|(_, &newer)| newer);
            self.wrong("its version is old", operation, newer);
        }
        let ahead = self.ahead.get(&(operation.turn, operation.place)).copied();
        let before = ahead.and_then(|ahead| self.versions.get(&value(ahead)?).copied());
        if before > Some(version) {
            self.wrong("its version is older than one before it in its turn", operation, ahead);
        }
    }

    /// Whoever compared has written over what he named, and whoever added over nothing.
    fn check_compare(&mut self, operation: &Operation, flushes: &[Flush]) {
        // Of one that nobody knows of somebody may have read the value.
        let version = value(operation).and_then(|text| self.versions.get(&text).copied());
        let Some(version) = version else { return };
        let before =
            self.written.range(..version).next_back().map(|(&before, &other)| (before, other));
        match operation.what {
            What::Compare { token, .. } => {
                self.found.checked.compares += 1;
                if let Some((_, other)) = before.filter(|&(before, _)| before > token) {
                    self.wrong(
                        "something was written since what it compared",
                        operation,
                        Some(other),
                    );
                }
                if version <= token {
                    self.wrong("it is older than what it compared", operation, None);
                }
            }
            What::Add { .. } => {
                let Some((_, other)) = before else { return };
                let deletes =
                    self.all.iter().filter(|delete| is_delete(delete) && delete.may_write());
                let spans = deletes.map(|delete| (delete.began, delete.over()));
                let mut spans = spans.chain(flushes.iter().map(|flush| (flush.began, flush.over)));
                if !spans.any(|(began, over)| began < operation.ended && over > other.began) {
                    self.wrong("both wrote, and one added", operation, Some(other));
                }
            }
            _ => {}
        }
    }
}
