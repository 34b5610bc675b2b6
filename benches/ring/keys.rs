//! The keys of every group, the loop that looks them up, and the floor.

use crate::clusters::SEED;
use criterion::measurement::WallTime;
use criterion::{Bencher, BenchmarkGroup, Criterion, Throughput};
use ringcached::lab::{Distribution, Keys};
use ringcached::ring::KeyHash;
use std::hint::black_box;
use std::iter::Cycle;
use std::slice::ChunksExact;
use std::sync::LazyLock;

/// Keys in one iteration: its microseconds are the nanoseconds of a key.
pub(crate) const BLOCK: usize = 1000;

/// Blocks before the first key comes again: 16 MB of keys, more than a branch
/// predictor can learn by heart.
pub(crate) const BLOCKS: usize = 1000;

/// Bytes of a key, where its length is not the question.
pub(crate) const KEY_BYTES: usize = 16;

pub(crate) type Group<'a> = BenchmarkGroup<'a, WallTime>;

static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let keys = Keys::draw(Distribution::Uniform, BLOCK * BLOCKS, 1);
    keys.iter().collect::<Vec<_>>().concat()
});

/// The keys of the usual length, end to end.
pub(crate) fn bytes() -> &'static [u8] {
    &BYTES
}

/// All keys, over and over, in runs of so many. Kept from one sample to the
/// next: a sample alone may be too short to see all of them.
pub(crate) struct Runs {
    runs: Cycle<ChunksExact<'static, u8>>,
    key_bytes: usize,
}

impl Runs {
    pub(crate) fn new(keys: usize, key_bytes: usize) -> Self {
        Self { runs: bytes().chunks_exact(keys * key_bytes).cycle(), key_bytes }
    }

    /// Of the usual length, and as many as an iteration looks up.
    pub(crate) fn blocks() -> Self {
        Self::new(BLOCK, KEY_BYTES)
    }

    #[inline]
    pub(crate) fn next_run(&mut self) -> ChunksExact<'static, u8> {
        let run = self.runs.next().expect("a cycle has no end");
        // Nobody knows the length of a request's key when the hash is compiled.
        run.chunks_exact(black_box(self.key_bytes))
    }
}

/// Looks up a run of keys one by one.
#[inline]
pub(crate) fn each<R>(run: ChunksExact<u8>, look_up: &mut impl FnMut(&[u8]) -> R) {
    for key in run {
        black_box(look_up(black_box(key)));
    }
}

/// Times lookups, a run in each iteration.
pub(crate) fn time<R>(bencher: &mut Bencher, keys: &mut Runs, mut look_up: impl FnMut(&[u8]) -> R) {
    // Once it may be known elsewhere, what the lookup holds is read from memory
    // again for every key, as a server reads it for every request.
    let look_up = black_box(&mut look_up);
    bencher.iter(|| each(keys.next_run(), look_up));
}

/// The floor: the hash of a key and nothing else.
pub(crate) fn hash_only() -> impl Fn(&[u8]) -> KeyHash + Copy {
    let seed = black_box(SEED);
    move |key: &[u8]| KeyHash::new(seed, key)
}

/// The same hash as a call, which is how a large program often has it.
#[inline(never)]
fn hash_called(seed: u64, key: &[u8]) -> KeyHash {
    KeyHash::new(seed, key)
}

/// Opens a group of block-wise lookups and times both floors in it.
pub(crate) fn group<'a>(criterion: &'a mut Criterion, name: &str) -> Group<'a> {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(BLOCK as u64));
    let mut keys = Runs::blocks();
    group.bench_function("hash_only", |bencher| time(bencher, &mut keys, hash_only()));
    group.bench_function("hash_called", |bencher| {
        let seed = black_box(SEED);
        time(bencher, &mut keys, |key| hash_called(seed, key));
    });
    group
}
