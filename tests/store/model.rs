//! Random operations, against a map that does the same in the plainest way.

use crate::{Caller, Random, delete, increment, store};
use ringcached::item::{Outcome, StoreMode};
use ringcached::ring::KeyHash;
use std::collections::BTreeMap;

/// Sizes around every border of the layout: words, the longest value in a
/// segment, and values kept apart.
const LENGTHS: [usize; 14] =
    [0, 1, 3, 4, 5, 31, 32, 100, 1000, 4097, 65_535, 65_536, 65_537, 300_000];

#[derive(Default)]
struct Model(BTreeMap<Vec<u8>, Vec<u8>>);

impl Model {
    fn store(&mut self, mode: StoreMode, key: &[u8], value: &[u8]) -> Outcome {
        let old = self.0.get(key);
        let new = match (mode, old) {
            (StoreMode::Set, _) | (StoreMode::Add, None) | (StoreMode::Replace, Some(_)) => {
                value.to_vec()
            }
            (StoreMode::Append, Some(old)) => [old, value].concat(),
            (StoreMode::Prepend, Some(old)) => [value, old].concat(),
            _ => return Outcome::NotStored,
        };
        if new.len() + key.len() + 59 > 1 << 20 {
            return Outcome::TooLarge;
        }
        self.0.insert(key.to_vec(), new);
        Outcome::Stored
    }

    fn increment(&mut self, key: &[u8], delta: u64) -> Outcome {
        let Some(value) = self.0.get_mut(key) else { return Outcome::NotFound };
        let text = String::from_utf8_lossy(value);
        let Ok(number) = text.trim_end_matches(' ').parse::<u64>() else {
            return Outcome::NotNumeric;
        };
        let number = number.wrapping_add(delta);
        let width = value.len();
        *value = format!("{number:<width$}").into_bytes();
        Outcome::Counted { number, made: false }
    }
}

fn key(random: &mut Random) -> Vec<u8> {
    let number = random.below(200);
    let len = 1 + (number as usize * 7) % 250;
    let mut key = format!("{number}-").into_bytes();
    key.resize(len.max(key.len()), b'k');
    key
}

#[test]
fn behaves_like_a_map() {
    for seed in 0..4 {
        let caller = Caller::new(256 << 20);
        let (mut model, mut random) = (Model::default(), Random::new(seed));
        for step in 0..4000 {
            let key = key(&mut random);
            let length = LENGTHS[random.below(LENGTHS.len() as u64) as usize];
            let value = vec![b'a' + (step % 26) as u8; length];
            let (ours, theirs) = match random.below(12) {
                0..=3 => both(&caller, &mut model, StoreMode::Set, &key, &value),
                4 => both(&caller, &mut model, StoreMode::Add, &key, &value),
                5 => both(&caller, &mut model, StoreMode::Replace, &key, &value),
                6 => both(&caller, &mut model, StoreMode::Append, &key, &value),
                7 => both(&caller, &mut model, StoreMode::Prepend, &key, &value),
                8 => both(&caller, &mut model, StoreMode::Set, &key, b"97"),
                9 => (caller.apply(&key, &increment(5)), model.increment(&key, 5)),
                10 => {
                    let gone = model.0.remove(&key).is_some();
                    let said = if gone { Outcome::Deleted } else { Outcome::NotFound };
                    (caller.apply(&key, &delete()), said)
                }
                _ => {
                    assert_eq!(caller.get(&key), model.0.get(&key).cloned());
                    continue;
                }
            };
            assert_eq!(ours, theirs, "seed {seed}, step {step}");
            assert_eq!(caller.get(&key), model.0.get(&key).cloned(), "seed {seed}, step {step}");
        }
        assert_eq!(caller.walk(), model.0);
        assert_eq!(caller.store.figures().items, model.0.len() as u64);
        digests_tell_what_is_there(&caller, &model);
    }
}

fn both(
    caller: &Caller,
    model: &mut Model,
    mode: StoreMode,
    key: &[u8],
    value: &[u8],
) -> (Outcome, Outcome) {
    (caller.apply(key, &store(mode, value)), model.store(mode, key, value))
}

/// Taking every item away leaves every digest as it was at the start.
fn digests_tell_what_is_there(caller: &Caller, model: &Model) {
    let mut slots: Vec<usize> =
        model.0.keys().map(|key| (KeyHash::new(crate::SEED, key).0 >> 52) as usize).collect();
    slots.sort_unstable();
    slots.dedup();
    let other = (0..1 << 12).filter(|slot| slots.binary_search(slot).is_err());
    assert!(other.into_iter().all(|slot| caller.store.digest(slot) == Some(0)));
    assert!(slots.iter().all(|&slot| caller.store.digest(slot) != Some(0)));
    for key in model.0.keys() {
        assert_eq!(caller.apply(key, &delete()), Outcome::Deleted);
    }
    assert!((0..1 << 12).all(|slot| caller.store.digest(slot) == Some(0)));
    assert_eq!(caller.store.figures().items, 0);
    assert_eq!(caller.store.figures().bytes, 0);
}

#[test]
fn versions_of_a_key_rise() {
    let caller = Caller::new(8 << 20);
    let mut last = 0;
    for n in 0..1000_u32 {
        caller.set(b"k", &n.to_le_bytes());
        let version = caller.version(b"k").unwrap();
        assert!(version > last);
        last = version;
        if n % 100 == 0 {
            caller.apply(b"k", &delete());
        }
    }
}
