//! `build`, `diff` and `plan`: what a change of the nodes costs before anything moves.

use crate::clusters::Size;
use crate::keys::{Runs, each, hash_only};
use criterion::{BenchmarkId, Criterion};
use ringcached::cluster::{Brings, Plan};
use ringcached::ring::{Diff, Ring};
use std::cell::LazyCell;
use std::hint::black_box;

fn sizes() -> [Size; 4] {
    [(10, 16), (100, 16), (1000, 16), (1000, 20)].map(|(nodes, bits)| Size::new(nodes, bits))
}

/// Bytes that say where a virtual node stands: an identity and a number.
const POINT_BYTES: usize = 12;

/// Building a ring, beside hashing its virtual nodes: the least that any build
/// from them has to do.
///
/// The bytes that are printed are exact: a ring is its nodes and its cells.
/// How much more it takes while it is built would need an allocator that
/// counts, which is unsafe code, and this package has none.
pub(crate) fn build(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("build");
    group.sample_size(10);
    for size in sizes() {
        let mut points = Runs::new(size.vnodes as usize, POINT_BYTES);
        group.bench_function(BenchmarkId::new("hash_only", size), |bencher| {
            let mut hash = hash_only();
            bencher.iter(|| (0..size.nodes).for_each(|_| each(points.next_run(), &mut hash)));
        });
        let (layout, nodes) = (size.layout(), size.nodes());
        group.bench_function(BenchmarkId::new("ring", size), |bencher| {
            bencher.iter(|| Ring::new(black_box(&layout), black_box(&nodes)));
        });
        println!("build/ring/{size}: {} bytes held", size.ring().bytes());
    }
}

/// What moves when one node joins. A diff hashes nothing.
pub(crate) fn diff(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("diff");
    group.sample_size(10);
    for size in sizes() {
        let rings = LazyCell::new(|| (size.ring(), size.grown()));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            let (old, new) = &*rings;
            bencher.iter(|| Diff::new(black_box(old), black_box(new)));
        });
    }
}

/// The same as a plan, and looking whether it is right: each node does both before it brings
/// anything.
pub(crate) fn plan(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan");
    group.sample_size(10);
    for size in sizes() {
        let rings = LazyCell::new(|| (size.ring(), size.grown()));
        group.bench_function(BenchmarkId::new("make", size), |bencher| {
            let (old, new) = &*rings;
            bencher.iter(|| Plan::new(black_box(old), black_box(new), |_| Brings::All));
        });
        group.bench_function(BenchmarkId::new("check", size), |bencher| {
            let (old, new) = &*rings;
            let plan = Plan::new(old, new, |_| Brings::All).unwrap();
            bencher.iter(|| plan.clone().check(black_box(old), black_box(new), |_| Brings::All));
        });
    }
}
