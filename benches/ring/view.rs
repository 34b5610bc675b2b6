//! `lookup/view`: lookups as a worker of the server makes them, who has to ask
//! for the current view each time.

use crate::clusters::Size;
use crate::keys::{self, Runs, time};
use criterion::Criterion;
use ringcached::cluster::View;
use ringcached::node::SharedView;

/// Who answers a read and who takes a write, beside the ring without a view.
pub(crate) fn view(criterion: &mut Criterion) {
    let mut group = keys::group(criterion, "lookup/view");
    let mut keys = Runs::blocks();
    let size = Size::new(100, 16);
    let ring = size.ring();
    let moving = View::moving(&ring, &size.grown()).expect("slots of one layout");
    let (settled, moving) = (SharedView::new(View::settled(&ring)), SharedView::new(moving));
    group.bench_function("ring", |bencher| time(bencher, &mut keys, |key| ring.owners_of(key)));
    for (name, shared) in [("settled", &settled), ("moving", &moving)] {
        group.bench_function(format!("readers/{name}"), |bencher| {
            let mut reader = shared.reader();
            time(bencher, &mut keys, |key| {
                let view = reader.view();
                view.readers(view.hash(key))
            });
        });
        group.bench_function(format!("writers/{name}"), |bencher| {
            let mut reader = shared.reader();
            time(bencher, &mut keys, |key| {
                let view = reader.view();
                view.writers(view.hash(key))
            });
        });
    }
}
