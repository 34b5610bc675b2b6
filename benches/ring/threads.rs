//! `lookup/threads`: workers that share a view, left alone and while views are
//! published. What is reported is the time of the slowest of them.

use crate::clusters::Size;
use crate::keys::{BLOCK, Group, Runs, each, hash_only};
use criterion::{BenchmarkId, Criterion, Throughput};
use ringcached::cluster::View;
use ringcached::node::SharedView;
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Between two views: far more often than any cluster changes.
const PERIOD: Duration = Duration::from_millis(10);

pub(crate) fn threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lookup/threads");
    group.throughput(Throughput::Elements(BLOCK as u64));
    let size = Size::new(100, 16);
    let views = &[size.ring(), size.grown()].map(|ring| View::settled(&ring));
    let shared = &SharedView::new(views[0].clone());
    for threads in [1, 2] {
        time(&mut group, BenchmarkId::new("hash_only", threads), threads, hash_only);
        readers(&mut group, BenchmarkId::new("idle", threads), threads, shared);
        let (stop, stopped) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || publish(shared, views, &stopped));
            readers(&mut group, BenchmarkId::new("publishing", threads), threads, shared);
            drop(stop);
        });
    }
}

/// Publishes one view after the other until the other end hangs up.
fn publish(shared: &SharedView, views: &[View], stopped: &Receiver<()>) {
    for view in views.iter().cycle() {
        shared.publish(view.clone());
        if stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

fn readers(group: &mut Group, id: BenchmarkId, threads: usize, shared: &SharedView) {
    time(group, id, threads, || {
        let mut reader = shared.reader();
        move |key: &[u8]| {
            let view = reader.view();
            view.readers(view.hash(key))
        }
    });
}

fn time<L, R>(
    group: &mut Group,
    id: BenchmarkId,
    threads: usize,
    worker: impl Fn() -> L + Copy + Send,
) where
    L: FnMut(&[u8]) -> R,
{
    group.bench_function(id, |bencher| {
        bencher.iter_custom(|blocks| slowest(threads, blocks, worker));
    });
}

/// Has every thread look up as many blocks.
fn slowest<L, R>(threads: usize, blocks: u64, worker: impl Fn() -> L + Copy + Send) -> Duration
where
    L: FnMut(&[u8]) -> R,
{
    let together = &Barrier::new(threads);
    let work = move || {
        let (mut look_up, mut keys) = (worker(), Runs::blocks());
        let look_up = black_box(&mut look_up);
        together.wait();
        let start = Instant::now();
        (0..blocks).for_each(|_| each(keys.next_run(), look_up));
        start.elapsed()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let times = workers.into_iter().map(|worker| worker.join().expect("a lookup never fails"));
        times.max().unwrap_or_default()
    })
}
