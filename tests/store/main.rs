//! The store against a plain map, at its limit, and under many threads.

mod copies;
mod limit;
mod model;
mod purge;
mod threads;
mod time;
mod walks;

use ringcached::item::{Count, CountKind, Delete, Expiry, Key, Now, Op, Outcome, StoreMode};
use ringcached::lab;
use ringcached::ring::KeyHash;
use ringcached::store::{Store, StoreConfig, WalkFrom};

/// A moment for tests that do not ask for one.
pub(crate) const NOW: Now = Now::from_unix_ms(1_800_000_000_000);

pub(crate) const SEED: u64 = 11;

pub(crate) fn config(memory: u64) -> StoreConfig {
    let item_bytes_max = 1 << 20;
    StoreConfig { memory, item_bytes_max, seed: SEED, slot_bits: 12, node: 1, evicts: true }
}

/// A store as a caller uses it: the hash taken once, the value copied out.
pub(crate) struct Caller {
    pub(crate) store: Store,
    pub(crate) now: Now,
}

impl Caller {
    pub(crate) fn new(memory: u64) -> Self {
        Self::with(&config(memory))
    }

    pub(crate) fn with(config: &StoreConfig) -> Self {
        Self { store: Store::new(config, NOW), now: NOW }
    }

    pub(crate) fn apply(&self, key: &[u8], op: &Op<'_>) -> Outcome {
        let hash = KeyHash::new(SEED, key);
        self.store.apply(hash, Key::new(key).unwrap(), self.now, op, |outcome, _| outcome)
    }

    pub(crate) fn set(&self, key: &[u8], value: &[u8]) -> Outcome {
        self.apply(key, &store(StoreMode::Set, value))
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let hash = KeyHash::new(SEED, key);
        self.store.get(hash, Key::new(key).unwrap(), self.now, |found| {
            let mut value = Vec::new();
            found.append_value(&mut value);
            assert_eq!(value.len(), found.value_len());
            value
        })
    }

    pub(crate) fn version(&self, key: &[u8]) -> Option<u64> {
        let hash = KeyHash::new(SEED, key);
        self.store.get(hash, Key::new(key).unwrap(), self.now, |found| found.meta().version.0)
    }

    /// All items, by walking.
    pub(crate) fn walk(&self) -> std::collections::BTreeMap<Vec<u8>, Vec<u8>> {
        let mut items = std::collections::BTreeMap::new();
        let mut from = Some(WalkFrom::default());
        while let Some(at) = from {
            from = self.store.walk(at, self.now, |key, found| {
                let mut value = Vec::new();
                found.append_value(&mut value);
                assert!(items.insert(key.bytes().to_vec(), value).is_none(), "shown twice");
            });
        }
        items
    }

    pub(crate) fn crawl_all(&self) {
        while !self.store.crawl(self.now, 1000).finished {}
    }
}

pub(crate) fn store(mode: StoreMode, value: &[u8]) -> Op<'_> {
    Op::Store(ringcached::item::Store {
        mode,
        flags: 0,
        expiry: Expiry::Never,
        value,
        compare: None,
        cas: None,
        invalidate: false,
        vivify: None,
    })
}

pub(crate) fn expiring(value: &[u8], expiry: Expiry) -> Op<'_> {
    match store(StoreMode::Set, value) {
        Op::Store(store) => Op::Store(ringcached::item::Store { expiry, ..store }),
        other => other,
    }
}

pub(crate) fn increment(delta: u64) -> Op<'static> {
    let kind = CountKind::Increment;
    Op::Count(Count { kind, delta, compare: None, cas: None, vivify: None, touch: None })
}

pub(crate) fn delete() -> Op<'static> {
    Op::Delete(Delete::default())
}

/// Numbers that look random and are the same in every run.
pub(crate) struct Random(lab::Random);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(lab::Random::new(seed))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.word()
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn within(&mut self, range: std::ops::RangeInclusive<u64>) -> u64 {
        range.start() + self.below(range.end() - range.start() + 1)
    }
}

/// A value that tells which key it belongs to, and whether it is whole.
pub(crate) fn value_of(key: u64, salt: u64, len: usize) -> Vec<u8> {
    let mut random = Random::new(key.wrapping_mul(31).wrapping_add(salt));
    let mut value = Vec::with_capacity(len + 8);
    value.extend_from_slice(&salt.to_le_bytes());
    while value.len() < len {
        value.extend_from_slice(&random.next().to_le_bytes());
    }
    value.truncate(len.max(8));
    value
}

/// Whether `value` is one that [`value_of`] made for this key.
pub(crate) fn belongs(key: u64, value: &[u8]) -> bool {
    let Some((salt, _)) = value.split_first_chunk::<8>() else { return false };
    value_of(key, u64::from_le_bytes(*salt), value.len()) == value
}
