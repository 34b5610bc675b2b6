//! What clients say next, drawn by the seed.

use crate::words::{Form, What, Word};
use ringcached::lab::Random;
use std::collections::{BTreeMap, BTreeSet};

/// Keys that everybody writes.
const KEYS: usize = 12;
const COUNTERS: usize = 4;

/// Requests that a client says at once, at most.
const AT_ONCE_MAX: usize = 5;

/// A value that grows is long enough then, and another key is begun.
const PIECES: u64 = 40;

/// Keys of a multiget, at most.
const MANY_MAX: usize = 5;

/// One of so many turns ends with a flush, where there are any.
const FLUSH_EVERY: usize = 400;

/// What is said in one run.
#[derive(Debug)]
pub(crate) struct Load {
    /// Everything may be thrown away, now and then.
    pub(crate) flushes: bool,
    /// And some time after that was asked for.
    pub(crate) flushes_later: bool,
    said: u64,
    adds: u64,
    /// For each client, pieces that it has put to its own keys.
    pieces: BTreeMap<usize, u64>,
    /// Who has just flushed looks whether anything is left.
    flushed: BTreeSet<usize>,
}

impl Load {
    pub(crate) fn new(flushes: bool, flushes_later: bool) -> Self {
        let (said, adds) = (0, 0);
        let pieces = BTreeMap::new();
        Self { flushes, flushes_later, said, adds, pieces, flushed: BTreeSet::new() }
    }

    /// One turn of a client, who knows these tokens.
    pub(crate) fn draw(
        &mut self,
        random: &mut Random,
        client: usize,
        tokens: &BTreeMap<String, u64>,
    ) -> Vec<Word> {
        if self.flushed.remove(&client) {
            let keys = (0..KEYS).map(|number| format!("key-{number}")).collect();
            return vec![self.read_all(keys)];
        }
        let count = match random.below(10) {
            0..6 => 1,
            _ => 2 + random.below(AT_ONCE_MAX - 1),
        };
        let favourite = random.below(KEYS);
        let mut words = Vec::new();
        for _ in 0..count {
            let number = if random.below(2) == 0 { favourite } else { random.below(KEYS) };
            words.push(self.word(random, client, &format!("key-{number}"), tokens));
        }
        if self.flushes && random.below(FLUSH_EVERY) == 0 {
            self.flushed.insert(client);
            let delay = if self.flushes_later && random.below(3) == 0 { 2 } else { 0 };
            words.push(self.of("*".into(), What::Flush { delay }, Form::Classic));
        }
        words
    }

    fn word(
        &mut self,
        random: &mut Random,
        client: usize,
        key: &str,
        tokens: &BTreeMap<String, u64>,
    ) -> Word {
        let value = self.said + 1;
        let form = if random.below(2) == 0 { Form::Classic } else { Form::Meta };
        let key = key.to_owned();
        match random.below(100) {
            0..16 => self.of(key, What::Set { value }, any_form(random)),
            16..18 => self.of(key, What::Replace { value }, form),
            18..30 => match tokens.get(&key) {
                Some(&token) => self.of(key, What::Compare { token, value }, form),
                None => self.of(key, What::Get { token: true }, form),
            },
            30..36 => self.of(key, What::Delete, any_form(random)),
            36..40 => self.of(key, What::Add { value }, form),
            40..45 => self.of(key, What::Get { token: false }, Form::Classic),
            45..61 => {
                let key = self.any_key(random, key);
                self.of(key, What::Get { token: true }, form)
            }
            61..69 => self.many(random, key),
            69..74 => {
                let (token, seconds) = (random.below(2) == 0, touched(random));
                self.of(key, What::GetAndTouch { token, seconds }, Form::Classic)
            }
            74..77 => {
                let seconds = touched(random);
                self.of(key, What::Touch { seconds }, Form::Classic)
            }
            77..87 => {
                let key = format!("count-{}", random.below(COUNTERS));
                self.of(key, What::Count, form)
            }
            87..95 => {
                let pieces = self.pieces.entry(client).or_default();
                *pieces += 1;
                let key = tail(client, *pieces);
                let front = random.below(2) == 0;
                self.of(key, What::Extend { front, piece: value }, form)
            }
            _ => {
                self.adds += random.below(2) as u64;
                self.of(format!("add-{}", self.adds), What::Add { value }, form)
            }
        }
    }

    /// Some keys at once.
    fn many(&mut self, random: &mut Random, key: String) -> Word {
        let mut keys = vec![key];
        for _ in 0..=random.below(MANY_MAX - 1) {
            let key = format!("key-{}", random.below(KEYS));
            let key = self.any_key(random, key);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let (what, form) = match random.below(4) {
            0 => (What::Get { token: false }, Form::Classic),
            1 => (What::Get { token: true }, Form::Classic),
            2 => (What::GetAndTouch { token: true, seconds: touched(random) }, Form::Classic),
            _ => (What::Get { token: true }, Form::Quiet),
        };
        self.read(keys, what, form)
    }

    /// This, or a key of another kind.
    fn any_key(&self, random: &mut Random, key: String) -> String {
        match random.below(6) {
            0 => format!("count-{}", random.below(COUNTERS)),
            1 if !self.pieces.is_empty() => {
                let client = random.below(self.pieces.len());
                self.pieces
                    .iter()
                    .nth(client)
                    .map_or(key, |(&client, &pieces)| tail(client, pieces))
            }
            2 => format!("add-{}", self.adds),
            _ => key,
        }
    }

    /// Reads all these keys.
    pub(crate) fn read_all(&mut self, keys: Vec<String>) -> Word {
        self.read(keys, What::Get { token: true }, Form::Quiet)
    }

    fn of(&mut self, key: String, what: What, form: Form) -> Word {
        self.read(vec![key], what, form)
    }

    fn read(&mut self, keys: Vec<String>, what: What, form: Form) -> Word {
        self.said += 1;
        Word { what, keys, form, number: self.said }
    }
}

fn any_form(random: &mut Random) -> Form {
    match random.below(8) {
        0 => Form::Noreply,
        1 => Form::Quiet,
        2..5 => Form::Classic,
        _ => Form::Meta,
    }
}

/// Never, or long after the run.
fn touched(random: &mut Random) -> u64 {
    20_000 * random.below(2) as u64
}

fn tail(client: usize, pieces: u64) -> String {
    format!("tail-{client}-{}", pieces / PIECES)
}
