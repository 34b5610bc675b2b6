//! Lookups and nothing else, for `instructions.sh` to count.
//!
//! The environment says what: `CASE` and `LOOKUPS`. What is prepared is the
//! same whatever their number, so that of two runs only the lookups differ.
//! Without the two, as `cargo bench` runs it, it does nothing.

use ringcached::cluster::View;
use ringcached::lab::{Distribution, Keys};
use ringcached::node::SharedView;
use ringcached::ring::{Batch, Layout, Node, NodeId, Ring};
use std::hint::black_box;
use std::{env, process};

/// Lookups that can be asked for, at most.
const LOOKUPS_MAX: usize = 100_000;

/// Keys of one multiget.
const BATCH: usize = 100;

fn main() {
    let (Ok(case), Ok(lookups)) = (env::var("CASE"), env::var("LOOKUPS")) else { return };
    let lookups: usize = lookups.parse().unwrap_or_else(|_| refuse("not a number", &lookups));
    if lookups > LOOKUPS_MAX {
        refuse("too many lookups", &lookups.to_string());
    }
    let drawn = Keys::draw(Distribution::Uniform, LOOKUPS_MAX, 1);
    let keys: Vec<&[u8]> = drawn.iter().collect();
    look_up(&case, &ring(), &keys[..lookups]);
}

fn refuse(why: &str, what: &str) -> ! {
    eprintln!("{why}: {what}");
    process::exit(2)
}

fn ring() -> Ring {
    let nodes: Vec<Node> = (0..100).map(|id| Node::new(NodeId(id))).collect();
    let layout = Layout { seed: 7, copies: 3, ..Layout::default() };
    Ring::new(&layout, &nodes).expect("within the limits")
}

fn look_up(case: &str, ring: &Ring, keys: &[&[u8]]) {
    match case {
        "hash_only" => each(keys, |key| ring.hash(key)),
        "primary" => each(keys, |key| ring.owners_of(key).primary()),
        "owners3" => each(keys, |key| ring.owners_of(key).iter().map(u32::from).sum::<u32>()),
        "view" => {
            let mut reader = SharedView::new(View::settled(ring)).reader();
            each(keys, |key| {
                let view = reader.view();
                view.readers(view.hash(key)).primary()
            });
        }
        "batch100" => batches(keys, ring),
        _ => refuse("no such case", case),
    }
}

/// Looks up the keys one by one. Kept out of `look_up`, so that the loop of one
/// case does not depend on the registers of another.
#[inline(never)]
fn each<R>(keys: &[&[u8]], mut look_up: impl FnMut(&[u8]) -> R) {
    // Once it may be known elsewhere, what the lookup holds is read from memory
    // again for every key, as a server reads it for every request.
    let look_up = black_box(&mut look_up);
    for key in keys {
        black_box(look_up(black_box(*key)));
    }
}

#[inline(never)]
fn batches(keys: &[&[u8]], ring: &Ring) {
    let mut batch = Batch::default();
    for keys in keys.chunks(BATCH) {
        black_box(batch.look_up(black_box(ring.table()), black_box(keys)));
    }
}
