//! The store by itself: what one operation costs, without network or protocol.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ringcached::item::{Expiry, Key, Now, Op, Store as Write, StoreMode};
use ringcached::ring::KeyHash;
use ringcached::store::{Store, StoreConfig};
use std::hint::black_box;

const NOW: Now = Now::from_unix_ms(1_800_000_000_000);
const ITEMS: u64 = 1_000_000;

fn store(memory: u64) -> Store {
    let item_bytes_max = 1 << 20;
    let config =
        StoreConfig { memory, item_bytes_max, seed: 1, slot_bits: 16, node: 1, evicts: true };
    Store::new(&config, NOW)
}

fn key(number: u64) -> [u8; 16] {
    let mut key = *b"key-000000000000";
    let mut rest = number;
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

fn set(store: &Store, number: u64, value: &[u8]) {
    let key = key(number);
    let op = Op::Store(Write {
        mode: StoreMode::Set,
        flags: 0,
        expiry: Expiry::Never,
        value,
        compare: None,
        cas: None,
        invalidate: false,
        vivify: None,
    });
    let hash = KeyHash::new(1, &key);
    store.apply(hash, Key::new(&key).unwrap(), NOW, &op, |outcome, _| {
        black_box(outcome);
    });
}

fn get(store: &Store, number: u64, out: &mut Vec<u8>) -> bool {
    let key = key(number);
    out.clear();
    let hash = KeyHash::new(1, &key);
    store.get(hash, Key::new(&key).unwrap(), NOW, |found| found.append_value(out)).is_some()
}

/// A walk over all numbers below [`ITEMS`] in an order that no cache foresees.
fn scattered(at: &mut u64) -> u64 {
    *at = (*at + 618_033) % ITEMS;
    *at
}

fn operations(c: &mut Criterion) {
    let mut group = c.benchmark_group("store");
    group.throughput(Throughput::Elements(1));
    let full = store(1 << 30);
    (0..ITEMS).for_each(|number| set(&full, number, &[b'x'; 100]));
    let (mut at, mut out) = (0, Vec::new());
    group.bench_function("get, hit", |b| {
        b.iter(|| assert!(get(&full, scattered(&mut at), &mut out)));
    });
    for (foreseen, name) in [(false, "get 100"), (true, "get 100, foreseen")] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let keys: [[u8; 16]; 100] = std::array::from_fn(|_| key(scattered(&mut at)));
                let hashes = keys.map(|key| KeyHash::new(1, &key));
                if foreseen {
                    full.prefetch(&hashes);
                }
                for (key, hash) in keys.iter().zip(hashes) {
                    out.clear();
                    full.get(hash, Key::new(key).unwrap(), NOW, |found| {
                        found.append_value(&mut out);
                    });
                }
            });
        });
    }
    group.bench_function("get, miss", |b| {
        b.iter(|| assert!(!get(&full, ITEMS + scattered(&mut at), &mut out)));
    });
    group.bench_function("set, over", |b| {
        b.iter(|| set(&full, scattered(&mut at), &[b'y'; 100]));
    });
    let mut next = 0;
    let tight = store(64 << 20);
    group.bench_function("set, at the limit", |b| {
        b.iter(|| {
            next += 1;
            set(&tight, next, &[b'x'; 100]);
        });
    });
    group.bench_function("set, new", |b| {
        b.iter_batched_ref(
            || (store(1 << 30), 0),
            |(store, next)| {
                for _ in 0..1000 {
                    *next += 1;
                    set(store, *next, &[b'x'; 100]);
                }
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, operations);
criterion_main!(benches);
