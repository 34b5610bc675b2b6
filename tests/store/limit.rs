//! At the limit of its memory.

use crate::{Caller, Random, belongs, config, store, value_of};
use ringcached::item::{Key, Outcome, StoreMode};
use ringcached::store::StoreConfig;

const MEMORY: u64 = 16 << 20;

/// Sizes of values, phase after phase: what one leaves, the next has to use.
const PHASES: [std::ops::RangeInclusive<u64>; 8] = [
    50..=150,
    800..=1200,
    100..=4000,
    10_000..=60_000,
    20..=60,
    60_000..=400_000,
    20..=60,
    50..=150,
];

fn key(number: u64) -> [u8; 16] {
    let mut key = *b"key-000000000000";
    key[4..].copy_from_slice(format!("{number:012}").as_bytes());
    key
}

#[test]
fn changing_sizes_stay_within_the_limit() {
    let caller = Caller::new(MEMORY);
    let mut random = Random::new(3);
    let mut next = 0;
    for sizes in PHASES {
        let mut written = 0;
        while written < 2 * MEMORY {
            let len = random.within(sizes.clone());
            let outcome = caller.set(&key(next), &value_of(next, 0, len as usize));
            assert_eq!(outcome, Outcome::Stored, "{sizes:?}");
            // The newest item is always there.
            assert!(caller.get(&key(next)).is_some());
            written += len + 16;
            next += 1;
            if next % 128 == 0 {
                // As a node does ten times a second.
                caller.store.crawl(caller.now, 100);
            }
            if next % 1024 == 0 {
                let memory = caller.store.figures().memory;
                assert!(memory <= MEMORY * 102 / 100, "{memory} in {sizes:?}");
            }
        }
        let items = caller.walk();
        assert_eq!(items.len() as u64, caller.store.figures().items);
        let mut bytes = 0;
        for (key, value) in &items {
            let number = std::str::from_utf8(&key[4..]).unwrap().parse().unwrap();
            assert!(belongs(number, value), "{number}");
            bytes += key.len() + value.len();
        }
        let part = bytes as f64 / MEMORY as f64;
        let least = if *sizes.start() <= 50 { 0.4 } else { 0.6 };
        assert!(part > least, "{part:.2} of the memory is items of {sizes:?}");
    }
}

#[test]
fn what_is_overwritten_costs_nothing() {
    let caller = Caller::new(MEMORY);
    let mut random = Random::new(5);
    // Two thirds of the memory, written ten times over.
    let keys = MEMORY * 2 / 3 / 150;
    for _ in 0..10 * keys {
        let number = random.below(keys);
        caller.set(&key(number), &value_of(number, 1, 100));
    }
    let figures = caller.store.figures();
    assert_eq!(figures.evicted, 0);
    assert!(figures.memory <= MEMORY);
    assert_eq!(figures.items as usize, caller.walk().len());
}

#[test]
fn a_small_set_stays_small() {
    let caller = Caller::new(64 << 20);
    for round in 0..2000 {
        for number in 0..1000 {
            caller.set(&key(number), &value_of(number, round, 100));
        }
    }
    let figures = caller.store.figures();
    assert_eq!(figures.items, 1000);
    assert!(figures.memory < 2 << 20, "{} bytes for 1000 small items", figures.memory);
}

#[test]
fn without_eviction_it_refuses() {
    let caller = Caller::with(&StoreConfig { evicts: false, ..config(8 << 20) });
    let mut number = 0;
    while caller.set(&key(number), &value_of(number, 0, 500)) == Outcome::Stored {
        number += 1;
        assert!(number < 20_000, "it never refuses");
    }
    assert!(number > 8_000, "it refuses after {number}");
    assert_eq!(caller.set(&key(number), &value_of(number, 0, 500)), Outcome::NoRoom);
    assert!((0..number).all(|number| caller.get(&key(number)).is_some()), "nothing was lost");
    for number in 0..number {
        caller.apply(&key(number), &crate::delete());
    }
    assert_eq!(caller.set(&key(0), &value_of(0, 0, 500)), Outcome::Stored);
}

#[test]
fn too_large_is_refused_and_the_old_stays() {
    let caller = Caller::new(MEMORY);
    caller.set(b"k", &vec![b'x'; 1_000_000]);
    assert_eq!(caller.set(b"k", &vec![b'x'; 1 << 20]), Outcome::TooLarge);
    let part = vec![b'y'; 60_000];
    let append = store(StoreMode::Append, &part);
    assert_eq!(caller.apply(b"k", &append), Outcome::TooLarge);
    assert_eq!(caller.get(b"k").unwrap().len(), 1_000_000);
}

#[test]
fn a_lower_limit_is_kept_to() {
    let caller = Caller::new(MEMORY);
    for number in 0..200_000 {
        caller.set(&key(number), &value_of(number, 0, 200));
    }
    caller.store.limit_memory(MEMORY / 2);
    for number in 200_000..400_000 {
        caller.set(&key(number), &value_of(number, 0, 200));
    }
    caller.crawl_all();
    let memory = caller.store.figures().memory;
    assert!(memory <= MEMORY / 2, "{memory}");
}

#[test]
fn what_is_read_survives_a_scan() {
    let caller = Caller::new(16 << 20);
    let hot = 10_000;
    let warm = |caller: &Caller| {
        for number in 0..hot {
            if caller.get(&key(number)).is_none() {
                caller.set(&key(number), &value_of(number, 0, 200));
            }
        }
    };
    (0..4).for_each(|_| warm(&caller));
    // Four times the memory of keys that nobody wants again.
    for number in 1_000_000..1_320_000 {
        caller.set(&key(number), &value_of(number, 0, 200));
        if number % 8 == 0 {
            caller.get(&key(number % hot));
        }
    }
    let kept = (0..hot).filter(|&number| caller.get(&key(number)).is_some()).count();
    assert!(kept as u64 > hot * 9 / 10, "{kept} of {hot} survived");
}

#[test]
fn the_evicted_are_told_to_who_asks() {
    let caller = Caller::new(8 << 20);
    assert_eq!(caller.store.evicted(true).count(), 0);
    let mut number = 0;
    while caller.store.figures().evicted == 0 {
        caller.set(&key(number), &value_of(number, 0, 500));
        number += 1;
    }
    let evicted: Vec<_> = caller.store.evicted(false).collect();
    assert_eq!(evicted.len() as u64, caller.store.figures().evicted);
    assert!(evicted.iter().all(|one| caller.get(&one.key).is_none() && !one.meta.fetched));
    assert_eq!(evicted[0].expiry_s(), -1);
    (0..10_000).for_each(|other| {
        assert_eq!(caller.set(&key(number + other), &[b'x'; 500]), Outcome::Stored);
    });
    assert_eq!(caller.store.evicted(false).count(), 0, "nobody asked any more");
}

#[test]
fn a_peek_leaves_no_trace() {
    let caller = Caller::new(8 << 20);
    caller.set(b"k", b"v");
    let (hash, key) = (ringcached::ring::KeyHash::new(crate::SEED, b"k"), Key::new(b"k").unwrap());
    let fetched = |found: &ringcached::store::Found<'_>| found.meta().fetched;
    let peek = || caller.store.peek(hash, key, caller.now, fetched);
    assert_eq!((peek(), peek()), (Some(false), Some(false)));
    caller.get(b"k");
    assert_eq!(peek(), Some(true));
}

/// A node goes on answering while its limit is lowered: no write evicts more
/// than four segments hold, whatever there is too much.
#[test]
fn a_lower_limit_stalls_no_write() {
    let caller = Caller::new(64 << 20);
    for number in 0..300_000 {
        caller.set(&key(number), &value_of(number, 0, 200));
    }
    let full = caller.store.figures();
    assert!(full.evicted > 0, "it is full");
    caller.store.limit_memory(16 << 20);
    let (mut evicted, mut most) = (full.evicted, 0);
    for number in 300_000..316_000 {
        caller.set(&key(number), &value_of(number, 0, 200));
        let now = caller.store.figures().evicted;
        most = most.max(now - evicted);
        evicted = now;
    }
    let in_a_segment = (256 << 10) / 230;
    assert!(most <= 4 * in_a_segment, "{most} items went with one write");
    assert!(evicted - full.evicted > 150_000, "{} went with all", evicted - full.evicted);
}

/// Without any write the crawler does it, in steps as short as it is asked for.
#[test]
fn a_lower_limit_is_kept_to_without_writes() {
    let caller = Caller::new(64 << 20);
    for number in 0..250_000 {
        caller.set(&key(number), &value_of(number, 0, 200));
    }
    (0..250_000).for_each(|number| drop(caller.get(&key(number))));
    caller.store.limit_memory(16 << 20);
    let mut evicted = caller.store.figures().evicted;
    for step in 0.. {
        assert!(step < 1000, "it never ends");
        let done = caller.store.crawl(caller.now, 2000);
        let now = caller.store.figures().evicted;
        assert!(now - evicted <= 2000 && done.looked_at <= 2000, "{} at once", now - evicted);
        evicted = now;
        if done.finished && caller.store.figures().memory <= 16 << 20 {
            break;
        }
    }
    let figures = caller.store.figures();
    assert!(figures.items > 40_000, "{} items are left", figures.items);
}

#[test]
fn a_lower_limit_lets_large_values_go() {
    let caller = Caller::new(64 << 20);
    for number in 0..100 {
        caller.set(&key(number), &value_of(number, 0, 500_000));
    }
    let full = caller.store.figures();
    caller.store.limit_memory(32 << 20);
    caller.set(&key(100), &value_of(100, 0, 500_000));
    let now = caller.store.figures();
    assert!(now.evicted - full.evicted <= 3, "{} with one", now.evicted - full.evicted);
    while !caller.store.crawl(caller.now, 2000).finished {}
    let figures = caller.store.figures();
    assert!(figures.memory <= 32 << 20, "{}", figures.memory);
    assert!(figures.items > 30, "{} items are left", figures.items);
}

/// With other sizes each time nothing is overwritten, and what died is cleared
/// away before it takes many times what lives.
#[test]
fn a_small_set_of_changing_sizes_stays_small() {
    let caller = Caller::new(256 << 20);
    let mut random = Random::new(9);
    for _ in 0..300_000 {
        let number = random.below(10_000);
        let len = random.within(50..=150);
        caller.set(&key(number), &value_of(number, 0, len as usize));
    }
    let figures = caller.store.figures();
    assert_eq!(figures.items, 10_000);
    let memory = figures.memory - figures.index_bytes;
    assert!(memory < 4 << 20, "{memory} bytes for {} bytes of items", figures.bytes);
}
