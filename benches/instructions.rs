//! Lookups, or requests, and nothing else, for `instructions.sh` to count.
//!
//! The environment says what: `CASE` and `LOOKUPS`. What is prepared is the
//! same whatever their number, so that of two runs only the lookups differ.
//! Without the two, as `cargo bench` runs it, it does nothing.

use ringcached::cluster::View;
use ringcached::item::Now;
use ringcached::lab::{Distribution, Keys};
use ringcached::net::{Answer, Next, Output};
use ringcached::node::{Session, Settings, Shared, SharedView};
use ringcached::ring::{Batch, Layout, Node, NodeId, Ring};
use ringcached::store::{Store, StoreConfig};
use std::hint::black_box;
use std::sync::Arc;
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
        "get16" => requests(keys, 16, |key, ask| ask.extend([b"get ", key, b"\r\n"].concat())),
        "mg16" => requests(keys, 16, |key, ask| ask.extend([b"mg ", key, b" v\r\n"].concat())),
        "set16" => requests(keys, 16, |key, ask| ask.extend(set(key))),
        "get100" => requests(keys, 1, |keys, ask| ask.extend([b"get", keys, b"\r\n"].concat())),
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

fn set(key: &[u8]) -> Vec<u8> {
    [b"set ", key, b" 0 0 100\r\n", &[b'x'; 100][..], b"\r\n"].concat()
}

/// Items there are; as many as fit into a near cache, for what is counted here
/// is not the time they take to come from a far one.
const ITEMS: usize = 1000;

/// Requests as they come in from a client, `depth` of them at once; their
/// answers are thrown away. Text and multigets alike are made beforehand.
fn requests(keys: &[&[u8]], depth: usize, write: impl Fn(&[u8], &mut Vec<u8>)) {
    let names: Vec<Vec<u8>> =
        (0..ITEMS).map(|item| format!("key-{item:012}").into_bytes()).collect();
    let mut session = Session::new(&Arc::new(alone()), 0, 0);
    let mut out = Output::default();
    for name in &names {
        answer(&mut session, &set(name), &mut out);
    }
    let many: Vec<u8> = names[..BATCH].iter().flat_map(|name| [b" ", &name[..]].concat()).collect();
    let texts: Vec<Vec<u8>> = names
        .chunks_exact(depth.max(ITEMS / 50))
        .map(|names| {
            let mut text = Vec::new();
            match depth {
                1 => write(&many, &mut text),
                _ => names[..depth].iter().for_each(|name| write(name, &mut text)),
            }
            text
        })
        .collect();
    let per_text = if depth == 1 { BATCH } else { depth };
    for text in texts.iter().cycle().take(keys.len() / per_text) {
        answer(&mut session, black_box(text), &mut out);
    }
}

#[inline(never)]
fn answer(session: &mut Session, text: &[u8], out: &mut Output) {
    let progress = session.answer(text, out);
    assert!(progress.used == text.len() && progress.next == Next::Read);
    black_box(&*out);
    out.clear();
}

/// A node alone, whose clock stands still.
fn alone() -> Shared {
    const NOW: Now = Now::from_unix_ms(1_800_000_000_000);
    let layout = Layout::default();
    let ring = Ring::new(&layout, &[Node::new(NodeId(1))]).expect("within the limits");
    let config = StoreConfig {
        memory: 64 << 20,
        item_bytes_max: 1 << 20,
        seed: layout.seed,
        slot_bits: layout.slot_bits,
        node: 1,
        evicts: true,
    };
    let view = SharedView::new(View::settled(&ring));
    Shared::new(Store::new(&config, NOW), view, Settings::default(), Box::new(|| NOW))
}

#[inline(never)]
fn batches(keys: &[&[u8]], ring: &Ring) {
    let mut batch = Batch::default();
    for keys in keys.chunks(BATCH) {
        black_box(batch.look_up(black_box(ring.table()), black_box(keys)));
    }
}
