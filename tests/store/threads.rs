//! Many threads at once.

use crate::{Caller, Random, belongs, increment, value_of};
use ringcached::item::Outcome;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn key(number: u64) -> Vec<u8> {
    format!("key-{number}").into_bytes()
}

/// Readers never see half a value or another key's, while writers overwrite,
/// evict and copy under them.
#[test]
fn readers_see_whole_values() {
    let caller = Caller::new(12 << 20);
    let (stop, hits) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for seed in 0..2 {
            let (caller, stop, hits) = (&caller, &stop, &hits);
            scope.spawn(move || {
                let mut random = Random::new(seed);
                while !stop.load(Ordering::Relaxed) {
                    let number = random.below(20_000);
                    if let Some(value) = caller.get(&key(number)) {
                        assert!(belongs(number, &value), "{number}");
                        hits.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let writers: Vec<_> = (10..12)
            .map(|seed| {
                let caller = &caller;
                scope.spawn(move || {
                    let mut random = Random::new(seed);
                    for round in 0..50_000 {
                        let number = random.below(20_000);
                        let len = match random.below(100) {
                            0 => 80_000,
                            1..10 => random.within(2000..=20_000),
                            _ => random.within(8..=600),
                        };
                        caller.set(&key(number), &value_of(number, round, len as usize));
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(hits.into_inner() > 1000, "the readers read something");
    assert_eq!(caller.walk().len() as u64, caller.store.figures().items);
}

#[test]
fn every_increment_counts_once() {
    let caller = Caller::new(8 << 20);
    (0..10).for_each(|number| assert_eq!(caller.set(&key(number), b"0"), Outcome::Stored));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..10_000 {
                    let outcome = caller.apply(&key(n % 10), &increment(1));
                    assert!(matches!(outcome, Outcome::Counted { .. }));
                }
            });
        }
    });
    for number in 0..10 {
        assert_eq!(caller.get(&key(number)).unwrap(), b"4000");
    }
}

/// As above, where every value is written over the one before.
#[test]
fn readers_see_whole_values_that_are_overwritten() {
    let caller = Caller::new(8 << 20);
    let done = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for seed in 0..2 {
            let (caller, done) = (&caller, &done);
            scope.spawn(move || {
                let mut random = Random::new(seed);
                for round in 0..100_000 {
                    let number = random.below(4);
                    caller.set(&key(number), &value_of(number, round, 2000));
                }
                done.fetch_add(1, Ordering::Release);
            });
        }
        let mut random = Random::new(2);
        while done.load(Ordering::Acquire) < 2 {
            let number = random.below(4);
            if let Some(value) = caller.get(&key(number)) {
                assert!(belongs(number, &value), "{number}");
            }
        }
    });
    assert_eq!(caller.walk().len(), 4);
    assert!(caller.store.figures().segments <= 1, "nothing died");
}
