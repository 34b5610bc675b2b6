//! What clients did and saw, and whether that can be.

use std::collections::BTreeMap;

/// What is known of one key, whose values only one client writes: numbers that
/// rise.
#[derive(Clone, Debug, Default)]
pub(crate) struct Register {
    /// The last write that was acknowledged; none is a delete.
    pub(crate) acknowledged: Option<u64>,
    /// The number of that write, deletes counted too.
    pub(crate) acknowledged_write: u64,
    /// What each write wrote, deletes too.
    pub(crate) writes: Vec<Option<u64>>,
    /// What was being written as the client's node died: it may still be on its way to
    /// the primary, and arrive behind later writes.
    pub(crate) under_way: Vec<Option<u64>>,
}

/// What is known of one counter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter {
    pub(crate) attempted: u64,
    pub(crate) acknowledged: u64,
    /// Answers that were seen: each increment has its own.
    pub(crate) seen: Vec<u64>,
}

/// What clients did and saw.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) seed: u64,
    pub(crate) registers: BTreeMap<String, Register>,
    pub(crate) counters: BTreeMap<String, Counter>,
    /// Who won the right to add a key.
    pub(crate) added: BTreeMap<String, u64>,
    pub(crate) operations: u64,
    pub(crate) refused: u64,
    pub(crate) unknown: u64,
    pub(crate) wrong: Vec<String>,
    /// In which the nodes differ at the end.
    pub(crate) unequal: Vec<String>,
    /// What the counters said at the end.
    pub(crate) finals: BTreeMap<String, u64>,
}

/// Of what is wrong, so much is shown.
const WRONG_SHOWN: usize = 12;

/// Nobody tries again after five seconds, and what was asked just before that is waited
/// for as long again. A clock is looked at now and then.
const WAIT_MS_MAX: u64 = 10_500;

impl History {
    /// A client's request has ended.
    pub(crate) fn waited(&mut self, client: usize, ms: u64, at: u64) {
        if ms > WAIT_MS_MAX {
            self.wrong.push(format!("at {at} ms client {client} had waited for {ms} ms"));
        }
    }

    /// A read that began when `since` writes of the key had been acknowledged
    /// saw this.
    pub(crate) fn saw(&mut self, key: &str, since: u64, value: Option<u64>, at: u64) {
        let register = &self.registers[key];
        let possible = &register.writes[since.saturating_sub(1) as usize..];
        let is_possible = possible.contains(&value)
            || register.under_way.contains(&value)
            || since == 0 && value.is_none();
        if !is_possible {
            self.wrong.push(format!(
                "at {at} ms {key} was read as {value:?}, and could be any of {possible:?}"
            ));
        }
    }

    fn fail_if_wrong(&self) {
        let Self { operations, refused, unknown, .. } = self;
        let wrong: Vec<&str> =
            self.wrong.iter().chain(&self.unequal).map(String::as_str).take(WRONG_SHOWN).collect();
        assert!(
            wrong.is_empty(),
            "seed {}: {refused} of {operations} operations refused, {unknown} unknown\n{}",
            self.seed,
            wrong.join("\n")
        );
        assert!(*operations > 500, "seed {}: only {operations} operations", self.seed);
    }

    /// All nodes have the same in the end, whatever was lost on the way.
    pub(crate) fn check_all_equal(mut self) {
        self.wrong.clear();
        self.fail_if_wrong();
    }

    /// Nothing that was acknowledged is lost, though one node has what nobody takes.
    pub(crate) fn check_nothing_lost_by_others(mut self) {
        self.unequal.clear();
        assert!(self.refused > 0, "seed {}: nothing was refused", self.seed);
        self.check_nothing_lost();
    }

    /// Nothing that was acknowledged is lost, and nothing deleted came back.
    pub(crate) fn check_nothing_lost(mut self) {
        for (key, counter) in &self.counters {
            let value = self.finals[key];
            if value < counter.acknowledged || value > counter.attempted {
                self.wrong.push(format!(
                    "{key} is {value}: acknowledged {}, attempted {}",
                    counter.acknowledged, counter.attempted
                ));
            }
        }
        self.fail_if_wrong();
    }

    /// Nothing was refused, and each increment counted exactly once.
    pub(crate) fn check_exactly(mut self) {
        for (key, counter) in &mut self.counters {
            let value = self.finals[key];
            counter.seen.sort_unstable();
            let expected: Vec<u64> = (1..=counter.acknowledged).collect();
            if value != counter.acknowledged || counter.seen != expected {
                self.wrong.push(format!(
                    "{key} is {value}: acknowledged {}, attempted {}, seen {:?}",
                    counter.acknowledged, counter.attempted, counter.seen
                ));
            }
        }
        for (key, winners) in &self.added {
            if *winners != 1 {
                self.wrong.push(format!("{key} was added by {winners}"));
            }
        }
        if self.refused + self.unknown > 0 {
            self.wrong.push("something was refused".into());
        }
        self.check_nothing_lost();
    }
}
