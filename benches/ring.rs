//! What a lookup costs, beside the bare hash that no lookup can do without.
//!
//! Every group of lookups times `hash_only` on the same keys in the same run:
//! on a shared machine the two together say more than either. An iteration is
//! a block of 1000 keys, so its microseconds are the nanoseconds of one key; in
//! `lookup/cold`, `lookup/multiget`, `build`, `diff` and `plan` it is one of those.
//!
//! `cargo bench --bench ring -- lookup/view` runs one group, `-- --test` each
//! case once; `--features rivals` adds the published crates to `lookup/rivals`.
//! Instructions, which do not depend on who else uses the machine, are counted
//! by `instructions.sh`.

#[path = "ring/build.rs"]
mod build;
#[path = "ring/clusters.rs"]
mod clusters;
#[path = "ring/cold.rs"]
mod cold;
#[path = "ring/keys.rs"]
mod keys;
#[path = "ring/latency.rs"]
mod latency;
#[path = "ring/lookup.rs"]
mod lookup;
#[path = "ring/multiget.rs"]
mod multiget;
#[path = "ring/rivals.rs"]
mod rivals;
#[path = "ring/threads.rs"]
mod threads;
#[path = "ring/view.rs"]
mod view;

use criterion::Criterion;
use std::time::Duration;

fn main() {
    // Short, because there are many cases: what is left of the noise is seen
    // in `hash_only`, and a longer run is a flag away.
    let mut criterion = Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(50)
        .nresamples(10_000)
        .configure_from_args();
    lookup::primary(&mut criterion);
    lookup::owners3(&mut criterion);
    lookup::key_len(&mut criterion);
    latency::latency(&mut criterion);
    cold::cold(&mut criterion);
    view::view(&mut criterion);
    multiget::multiget(&mut criterion);
    threads::threads(&mut criterion);
    build::build(&mut criterion);
    build::diff(&mut criterion);
    build::plan(&mut criterion);
    rivals::rivals(&mut criterion);
    criterion.final_summary();
}
