//! `lookup/primary`, `lookup/owners3` and `lookup/key_len`: many lookups that
//! do not wait for each other.

use crate::clusters::Size;
use crate::keys::{self, BLOCK, Runs, hash_only, time};
use criterion::{BenchmarkId, Criterion, Throughput};
use ringcached::ring::{Owners, Ring};
use std::cell::LazyCell;

/// From a few nodes to as many as one ring is likely to have.
fn sizes() -> impl Iterator<Item = Size> {
    let nodes = [3, 10, 100, 1000].into_iter();
    nodes.flat_map(|nodes| [128, 1024].map(|vnodes| Size { nodes, vnodes, slot_bits: 16 }))
}

/// The node that owns a key first.
pub(crate) fn primary(criterion: &mut Criterion) {
    let mut group = keys::group(criterion, "lookup/primary");
    let mut keys = Runs::blocks();
    for size in sizes() {
        let ring = LazyCell::new(|| size.ring());
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            let ring: &Ring = &ring;
            time(bencher, &mut keys, |key| ring.owners_of(key).primary());
        });
    }
}

/// All three owners, each taken out of the word they come in; also at the slot counts that larger clusters get.
pub(crate) fn owners3(criterion: &mut Criterion) {
    let mut group = keys::group(criterion, "lookup/owners3");
    let mut keys = Runs::blocks();
    for size in sizes().chain([Size::new(300, 18), Size::new(1000, 20)]) {
        let ring = LazyCell::new(|| size.ring());
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            let ring: &Ring = &ring;
            time(bencher, &mut keys, |key| sum(ring.owners_of(key)));
        });
    }
}

fn sum(owners: Owners) -> u32 {
    owners.iter().map(u32::from).sum()
}

/// Short keys to the longest that the protocol allows.
pub(crate) fn key_len(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lookup/key_len");
    group.throughput(Throughput::Elements(BLOCK as u64));
    let ring = Size::new(100, 16).ring();
    for key_bytes in [8, 16, 32, 64, 128, 250] {
        let mut keys = Runs::new(BLOCK, key_bytes);
        group.bench_function(BenchmarkId::new("hash_only", key_bytes), |bencher| {
            time(bencher, &mut keys, hash_only());
        });
        group.bench_function(BenchmarkId::new("primary", key_bytes), |bencher| {
            time(bencher, &mut keys, |key| ring.owners_of(key).primary());
        });
    }
}
