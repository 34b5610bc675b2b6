//! What clients did and saw, and whether that can be.

use crate::client::Ended;
use crate::words::{Done, Fate, Form, Saw, What, Word, hear};
use crate::{counters, registers, tails};
use std::collections::BTreeMap;

/// What was asked of one key, and what came of it.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) client: usize,
    pub(crate) what: What,
    pub(crate) form: Form,
    /// Requests of one turn were said at once, in this order.
    pub(crate) turn: u64,
    pub(crate) place: usize,
    /// When it was said and when its answer was read, in what happened before.
    pub(crate) began: u64,
    pub(crate) ended: u64,
    pub(crate) at_ms: u64,
    /// None, where nobody knows.
    pub(crate) done: Option<Done>,
}

impl Operation {
    /// From then on it does nothing any more: never, where nobody knows whether it has
    /// been done yet.
    pub(crate) fn over(&self) -> u64 {
        if self.done.is_some() { self.ended } else { u64::MAX }
    }

    /// Its answer says that it has written.
    pub(crate) fn has_written(&self) -> bool {
        self.done.as_ref().is_some_and(|done| done.wrote)
    }

    /// It has written, or may yet.
    pub(crate) fn may_write(&self) -> bool {
        self.done.as_ref().is_none_or(|done| done.wrote)
    }

    pub(crate) fn saw(&self) -> Option<&Saw> {
        self.done.as_ref().map(|done| &done.saw)
    }

    pub(crate) fn version(&self) -> Option<u64> {
        self.done.as_ref()?.version
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { client, what, form, turn, place, at_ms, began, ended, done } = self;
        let ended = if done.is_some() { format!("{ended}") } else { "?".to_owned() };
        write!(
            f,
            "[{began}..{ended} until {at_ms} ms, client {client}, {turn}/{place}: {form:?} {what:?} -> "
        )?;
        match done {
            Some(Done { saw, wrote, version }) => write!(f, "{saw:?} {wrote} {version:?}]"),
            None => f.write_str("unknown]"),
        }
    }
}

/// All was thrown away at some time between these.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flush {
    pub(crate) began: u64,
    /// Never, where nobody knows.
    pub(crate) over: u64,
    /// It is known that it was done by then.
    pub(crate) is_sure: bool,
}

/// What was found out about one key.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// What nothing that goes wrong explains.
    pub(crate) impossible: Vec<String>,
    /// What only halves explain.
    pub(crate) wrong: Vec<String>,
    pub(crate) checked: Checked,
}

/// How much was compared with what else is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Checked {
    pub(crate) reads: u64,
    pub(crate) versions: u64,
    pub(crate) compares: u64,
    pub(crate) counts: u64,
    pub(crate) pieces: u64,
}

/// A turn of a client that is under way.
#[derive(Debug)]
pub(crate) struct Turn {
    client: usize,
    number: u64,
    began: u64,
    words: Vec<Word>,
}

/// What clients did and saw.
#[derive(Debug, Default)]
pub(crate) struct History {
    seed: u64,
    /// Something goes wrong in this run.
    trouble: bool,
    /// What happened so far.
    ticks: u64,
    log: BTreeMap<String, Vec<Operation>>,
    flushes: Vec<Flush>,
    /// Flushes that are done some time after they were asked for, and by when they are.
    coming: Vec<(u64, usize)>,
    /// The newest version that somebody saw of a key.
    pub(crate) tokens: BTreeMap<String, u64>,
    operations: u64,
    refused: u64,
    unknown: u64,
    impossible: Vec<String>,
    /// In which the nodes differ at the end.
    pub(crate) unequal: Vec<String>,
}

/// Of what is wrong, so much is shown.
const WRONG_SHOWN: usize = 12;

/// Nobody tries again after five seconds, and what was asked just before that is waited
/// for as long again. A clock is looked at now and then.
const WAIT_MS_MAX: u64 = 10_500;

/// A key of a multiget that nobody answers for so long reads as a miss.
const MISS_AFTER_MS: u64 = 4_900;

/// A flush that is asked for with a delay of two seconds is done by then, on all nodes.
const FLUSHED_MS: u64 = 3_500;

impl History {
    pub(crate) fn new(seed: u64, trouble: bool) -> Self {
        Self { seed, trouble, ..Self::default() }
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.log.keys().cloned().collect()
    }

    fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    pub(crate) fn begin(&mut self, client: usize, words: Vec<Word>) -> Turn {
        let began = self.tick();
        Turn { client, number: began, began, words }
    }

    /// A client's turn has ended, after it waited for so long.
    pub(crate) fn end(&mut self, turn: Turn, ended: &Ended, waited_ms: u64, at_ms: u64) {
        let Turn { client, number, began, words } = turn;
        let ended_at = self.tick();
        if waited_ms > WAIT_MS_MAX {
            self.impossible
                .push(format!("at {at_ms} ms client {client} had waited for {waited_ms} ms"));
        }
        let fates = match ended {
            Ended::Answer(answer) => hear(&words, answer),
            Ended::Unknown => {
                words.iter().map(|word| vec![Fate::Unknown; word.keys.len()]).collect()
            }
        };
        if fates.len() > words.len() {
            self.impossible.push(format!("at {at_ms} ms answers to nothing: {fates:?}"));
        }
        for (place, (word, fates)) in words.into_iter().zip(fates).enumerate() {
            let may_miss = self.is_no_miss(&word, waited_ms);
            for (key, fate) in word.keys.into_iter().zip(fates) {
                let (what, form) = (word.what.clone(), word.form);
                let done = match fate {
                    Fate::Done(Done { saw: Saw::Nothing, .. }) if may_miss => None,
                    Fate::Done(done) => Some(done),
                    Fate::Unknown => None,
                    Fate::Senseless(answer) => {
                        self.impossible.push(format!("at {at_ms} ms {what:?} read {answer:?}"));
                        None
                    }
                };
                if done.is_none() && form != Form::Noreply {
                    self.refused += u64::from(*ended != Ended::Unknown);
                    self.unknown += u64::from(*ended == Ended::Unknown);
                }
                let turn = number;
                let ended = ended_at;
                self.note(
                    key,
                    Operation { client, what, form, turn, place, began, ended, at_ms, done },
                );
            }
        }
    }

    /// Whether a key of many that is missed may be there all the same: one that nobody
    /// answers reads as a miss. A read is asked for again as long as there is time.
    fn is_no_miss(&self, word: &Word, waited_ms: u64) -> bool {
        let is_sure = !self.trouble && matches!(word.what, What::GetAndTouch { .. });
        let reads = matches!(word.what, What::Get { .. });
        word.keys.len() > 1 && !is_sure && !(reads && waited_ms <= MISS_AFTER_MS)
    }

    fn note(&mut self, key: String, operation: Operation) {
        self.operations += 1;
        if let Some(version) = operation.version() {
            let known = self.tokens.entry(key.clone()).or_default();
            *known = version.max(*known);
        }
        match operation.what {
            What::Flush { delay } => self.flushed(&operation, delay),
            _ => self.log.entry(key).or_default().push(operation),
        }
    }

    fn flushed(&mut self, operation: &Operation, delay: u64) {
        let is_sure = operation.done.is_some() && delay == 0;
        if operation.done.is_some() && delay > 0 {
            self.coming.push((operation.at_ms + FLUSHED_MS, self.flushes.len()));
        }
        let over = if is_sure { operation.ended } else { u64::MAX };
        self.flushes.push(Flush { began: operation.began, over, is_sure });
    }

    /// So late is it.
    pub(crate) fn pass(&mut self, now_ms: u64) {
        let due = |&(by, _): &(u64, usize)| by <= now_ms;
        while let Some(place) = self.coming.iter().position(due) {
            let (_, flush) = self.coming.remove(place);
            self.flushes[flush].over = self.tick();
        }
    }

    /// What all that was said of the keys comes to.
    fn findings(&self, nothing_fails: bool) -> Findings {
        let mut all = Findings::default();
        for (key, operations) in &self.log {
            let check = match key.split('-').next() {
                Some("count") => counters::check,
                Some("tail") => tails::check,
                _ => registers::check,
            };
            let found = check(key, operations, &self.flushes, nothing_fails);
            all.impossible.extend(found.impossible);
            all.wrong.extend(found.wrong);
            all.checked.add(found.checked);
        }
        all
    }

    fn fail_if(&self, wrong: &[String], checked: Checked) {
        let Self { operations, refused, unknown, .. } = self;
        let wrong: Vec<&str> = wrong.iter().map(String::as_str).take(WRONG_SHOWN).collect();
        assert!(
            wrong.is_empty(),
            "seed {}: {refused} of {operations} operations refused, {unknown} unknown\n{}",
            self.seed,
            wrong.join("\n")
        );
        if std::env::var_os("SIMULATION_LOG").is_some() {
            println!(
                "seed {}: {operations} operations, {refused} refused, {unknown} unknown, {} flushes, {checked:?}",
                self.seed,
                self.flushes.len()
            );
        }
        checked.fail_if_few(self.seed);
    }

    /// All nodes have the same in the end, and nothing is there that nobody wrote, or
    /// twice; what was lost on the way is another matter.
    pub(crate) fn check_all_equal(self) {
        let found = self.findings(false);
        let wrong = [self.impossible.clone(), found.impossible, self.unequal.clone()].concat();
        self.fail_if(&wrong, found.checked);
    }

    /// Nothing that was acknowledged is lost, though one node has what nobody takes.
    pub(crate) fn check_nothing_lost_by_others(mut self) {
        self.unequal.clear();
        assert!(self.refused > 0, "seed {}: nothing was refused", self.seed);
        self.check_nothing_lost();
    }

    /// Nothing that was acknowledged is lost, and nothing deleted came back.
    pub(crate) fn check_nothing_lost(self) {
        self.check(false);
    }

    /// Nothing was refused, and each request was done exactly once.
    pub(crate) fn check_exactly(mut self) {
        if self.refused + self.unknown > 0 {
            self.impossible.push("something was refused".into());
        }
        self.check(true);
    }

    fn check(&self, nothing_fails: bool) {
        let found = self.findings(nothing_fails);
        let wrong =
            [self.impossible.clone(), found.impossible, found.wrong, self.unequal.clone()].concat();
        self.fail_if(&wrong, found.checked);
    }
}

impl Checked {
    fn add(&mut self, other: Self) {
        self.reads += other.reads;
        self.versions += other.versions;
        self.compares += other.compares;
        self.counts += other.counts;
        self.pieces += other.pieces;
    }

    /// Who has looked at little has found little.
    fn fail_if_few(self, seed: u64) {
        let Self { reads, versions, compares, counts, pieces } = self;
        let enough = reads > 500 && versions > 500 && compares > 10 && counts > 30 && pieces > 80;
        assert!(enough, "seed {seed}: too little was checked: {self:?}");
    }
}
