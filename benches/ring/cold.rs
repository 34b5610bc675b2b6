//! `lookup/cold`: one lookup at a time, after the server has done much else.
//!
//! Before each lookup 8 MiB of other memory are read, which drives the table
//! out of the caches of one core and out of the address translation. The same
//! key is then looked up on a twin of the ring: a request has just been parsed
//! and the code has run for others, only the cell is far away.
//!
//! An iteration stands for the median of one lookup. It includes reading the
//! clock, and so does that of `hash_only`.

use crate::clusters::Size;
use crate::keys::{KEY_BYTES, Runs, hash_only};
use criterion::{Bencher, BenchmarkId, Criterion};
use ringcached::ring::Ring;
use std::cell::LazyCell;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Four times the L2 cache of common servers.
const EVICTING_BYTES: usize = 8 << 20;

/// A cache line: reading one byte brings all of it.
const LINE_BYTES: usize = 64;

pub(crate) fn cold(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lookup/cold");
    let mut keys = Runs::new(1, KEY_BYTES);
    for size in [Size::new(10, 16), Size::new(100, 16), Size::new(300, 18), Size::new(1000, 20)] {
        let rings = LazyCell::new(|| {
            let ring = size.ring();
            [ring.clone(), ring]
        });
        let hash = hash_only();
        group.bench_function(BenchmarkId::new("hash_only", size), |bencher| {
            time(bencher, &mut keys, &rings, |_, key| hash(key));
        });
        group.bench_function(BenchmarkId::new("owners", size), |bencher| {
            time(bencher, &mut keys, &rings, Ring::owners_of);
        });
    }
}

fn time<R>(
    bencher: &mut Bencher,
    keys: &mut Runs,
    rings: &[Ring; 2],
    look_up: impl Fn(&Ring, &[u8]) -> R,
) {
    let [ring, twin] = rings;
    let evicting = vec![1_u8; EVICTING_BYTES];
    let mut look_up_cold = || {
        let key = keys.next_run().next().expect("a run of one key");
        black_box(evicting.iter().step_by(LINE_BYTES).copied().fold(0, u8::wrapping_add));
        black_box(look_up(twin, black_box(key)));
        let start = Instant::now();
        black_box(look_up(ring, black_box(key)));
        start.elapsed()
    };
    bencher.iter_custom(|lookups| {
        let mut times: Vec<Duration> = (0..lookups).map(|_| look_up_cold()).collect();
        times.sort_unstable();
        times[times.len() / 2].mul_f64(lookups as f64)
    });
}
