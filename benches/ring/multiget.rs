//! `lookup/multiget`: the keys of one request, one by one and together.

use crate::clusters::Size;
use crate::keys::{Group, KEY_BYTES, bytes, hash_only};
use criterion::{Bencher, BenchmarkId, Criterion, Throughput};
use ringcached::ring::{Batch, Ring};
use std::hint::black_box;

/// With a table that fits the L2 cache of a core and with one that does not.
pub(crate) fn multiget(criterion: &mut Criterion) {
    for size in [Size::new(100, 16), Size::new(1000, 20)] {
        let ring = size.ring();
        let mut group = criterion.benchmark_group(format!("lookup/multiget/{}bit", size.slot_bits));
        for keys in [1, 16, 64, 100] {
            group.throughput(Throughput::Elements(keys as u64));
            one_size(&mut group, &ring, keys);
        }
    }
}

fn one_size(group: &mut Group, ring: &Ring, count: usize) {
    // The list of its keys is what the parser makes of a request.
    let keys: Vec<&[u8]> = bytes().chunks_exact(KEY_BYTES).collect();
    let mut requests = keys.chunks_exact(count).cycle();
    let mut next = || requests.next().expect("a cycle has no end");
    group.bench_function(BenchmarkId::new("hash_only", count), |bencher| {
        singly(bencher, &mut next, hash_only());
    });
    group.bench_function(BenchmarkId::new("singly", count), |bencher| {
        singly(bencher, &mut next, |key| ring.owners_of(key));
    });
    group.bench_function(BenchmarkId::new("batch", count), |bencher| {
        together(bencher, &mut next, ring, |_| ());
    });
    group.bench_function(BenchmarkId::new("by_primary", count), |bencher| {
        together(bencher, &mut next, ring, |batch| {
            for (primary, places) in batch.by_primary() {
                black_box(primary);
                places.map(black_box).for_each(drop);
            }
        });
    });
}

type Request = [&'static [u8]];

fn singly<'a, R>(
    bencher: &mut Bencher,
    next: &mut impl FnMut() -> &'a Request,
    mut look_up: impl FnMut(&[u8]) -> R,
) {
    let look_up = black_box(&mut look_up);
    bencher.iter(|| {
        for key in next() {
            black_box(look_up(black_box(key)));
        }
    });
}

fn together<'a>(
    bencher: &mut Bencher,
    next: &mut impl FnMut() -> &'a Request,
    ring: &Ring,
    group: impl Fn(&mut Batch),
) {
    let mut batch = Batch::default();
    bencher.iter(|| {
        black_box(batch.look_up(black_box(ring.table()), black_box(next())));
        group(&mut batch);
    });
}
