//! `lookup/latency`: lookups of which each has to wait for the one before.

use crate::clusters::Size;
use crate::keys::{BLOCK, KEY_BYTES, bytes, hash_only};
use criterion::{Bencher, BenchmarkId, Criterion, Throughput};
use ringcached::ring::Ring;
use std::cell::LazyCell;
use std::hint::black_box;

/// The time from a key to its primary.
pub(crate) fn latency(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lookup/latency");
    group.throughput(Throughput::Elements(BLOCK as u64));
    let hash = hash_only();
    group.bench_function("hash_only", |bencher| chain(bencher, |key| hash(key).0));
    let larger = [Size::new(300, 18), Size::new(1000, 20)];
    for size in [10, 100, 1000].map(|nodes| Size::new(nodes, 16)).into_iter().chain(larger) {
        let ring = LazyCell::new(|| size.ring());
        group.bench_function(BenchmarkId::new("primary", size), |bencher| {
            let ring: &Ring = &ring;
            chain(bencher, |key| u64::from(ring.owners_of(key).primary()));
        });
    }
}

/// Times lookups in which the place of the next key depends on the last answer.
fn chain(bencher: &mut Bencher, look_up: impl Fn(&[u8]) -> u64) {
    let (bytes, key_bytes) = (bytes(), black_box(KEY_BYTES));
    // Nothing of an answer is left under this mask, but neither the compiler
    // nor the processor knows that before the answer is there.
    let nothing = black_box(0);
    let mut place = 0;
    bencher.iter(|| {
        for _ in 0..BLOCK {
            let key = &bytes[place..][..key_bytes];
            place += key_bytes + (look_up(key) & nothing) as usize;
        }
        place %= bytes.len();
    });
    black_box(place);
}
