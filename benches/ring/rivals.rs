//! `lookup/rivals`: every algorithm of the laboratory on the same keys. It says
//! only how long a lookup takes; what the algorithms are worth otherwise, `ring
//! bench` tells.

use crate::clusters::Size;
use crate::keys::{BLOCK, BLOCKS, Runs, hash_only};
use criterion::{Bencher, BenchmarkId, Criterion, Throughput};
use ringcached::lab::{Keys, Setup, algorithms};
use std::hint::black_box;

/// What the slowest of them to build can still be given.
const VNODES: u32 = 128;

pub(crate) fn rivals(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lookup/rivals");
    group.throughput(Throughput::Elements(BLOCK as u64));
    let blocks = blocks();
    let mut next = blocks.iter().cycle();
    let hash = hash_only();
    group.bench_function("hash_only", |bencher| {
        time(bencher, &mut next, |keys| {
            keys.iter().fold(0, |sum: u64, key| sum.wrapping_add(hash(black_box(key)).0))
        });
    });
    for nodes in [10, 100, 1000] {
        let size = Size { vnodes: VNODES, ..Size::new(nodes, 16) };
        let setup = Setup { nodes: size.nodes(), layout: size.layout() };
        for algorithm in algorithms() {
            let id = BenchmarkId::new(algorithm.name, nodes);
            match (algorithm.build)(&setup) {
                Ok(placement) => {
                    group.bench_function(id, |bencher| {
                        time(bencher, &mut next, |keys| placement.look_up_all(keys));
                    });
                }
                Err(refusal) => println!("lookup/rivals/{}: skipped: {refusal}", algorithm.name),
            }
        }
    }
}

/// The keys of the other groups, in the form the laboratory takes.
fn blocks() -> Vec<Keys> {
    let mut runs = Runs::blocks();
    let block = |_| {
        let mut keys = Keys::default();
        runs.next_run().for_each(|key| keys.push(key));
        keys
    };
    (0..BLOCKS).map(block).collect()
}

fn time<'a>(
    bencher: &mut Bencher,
    blocks: &mut impl Iterator<Item = &'a Keys>,
    look_up_all: impl Fn(&Keys) -> u64,
) {
    bencher.iter(|| look_up_all(black_box(blocks.next().expect("a cycle has no end"))));
}
