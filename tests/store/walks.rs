//! Walks over all items, while others write.

use crate::{Caller, KeyHash, SEED};
use ringcached::lab::Random;
use ringcached::store::FullWalk;
use std::collections::BTreeSet;

const ITEMS: u32 = 30_000;

fn stays(number: u32) -> Vec<u8> {
    format!("stays-{number}").into_bytes()
}

/// Overwrites some items by others of any size, so that those beside them are moved
/// together.
fn litter(caller: &Caller, random: &mut Random) {
    for _ in 0..50 {
        let number = random.below(ITEMS as usize);
        let value = vec![b'c'; 200 + random.below(400)];
        caller.set(format!("changes-{number}").as_bytes(), &value);
    }
}

/// The items that stay and were not seen, and how often others were.
fn look(number: u64, pieces: usize) -> (usize, usize) {
    let (caller, mut random) = (Caller::new(64 << 20), Random::new(number));
    for number in 0..ITEMS {
        caller.set(&stays(number), &[b's'; 80]);
        caller.set(format!("changes-{number}").as_bytes(), &[b'c'; 300]);
    }
    let (mut seen, mut twice) = (BTreeSet::new(), 0);
    let mut walk = FullWalk::default();
    let mut piece = 0;
    while caller.store.walk_all(&mut walk, caller.now, |key, _| {
        if key.bytes().starts_with(b"stays") {
            twice += usize::from(!seen.insert(key.bytes().to_vec()));
        }
        piece += 1;
        piece % pieces > 0
    }) {
        litter(&caller, &mut random);
    }
    assert_eq!(caller.store.figures().evicted, 0);
    let missed = (0..ITEMS).filter(|&number| !seen.contains(&stays(number)));
    (missed.count(), twice)
}

#[test]
fn a_full_walk_misses_nothing_that_moves() {
    for seed in 0..4 {
        let (missed, twice) = look(seed, 40);
        assert_eq!(missed, 0, "of {ITEMS}");
        assert!(twice > 100, "only {twice} moved, and tell nothing");
    }
}

#[test]
fn a_full_walk_of_what_stays_put_shows_each_item_once() {
    let caller = Caller::new(64 << 20);
    for number in 0..ITEMS {
        caller.set(&stays(number), &[b's'; 80]);
    }
    caller.apply(&stays(7), &crate::delete());
    let (mut shown, mut walk, mut calls) = (Vec::new(), FullWalk::default(), 0);
    while caller.store.walk_all(&mut walk, caller.now, |key, _| {
        shown.push(KeyHash::new(SEED, key.bytes()));
        shown.len() % 100 > 0
    }) {
        calls += 1;
    }
    assert!(calls >= ITEMS as usize / 100);
    let all = shown.len();
    shown.sort_unstable_by_key(|hash| hash.0);
    shown.dedup();
    assert_eq!((all, shown.len()), (ITEMS as usize - 1, ITEMS as usize - 1));
}
