//! Expiry, flushing, and what is cleared away when.

use crate::{Caller, NOW, expiring, increment, store};
use ringcached::item::{Expiry, Get, Key, Lease, Now, Op, Outcome, StoreMode, Version};
use ringcached::ring::KeyHash;
use ringcached::store::WalkFrom;

fn later(seconds: u64) -> Now {
    Now::from_unix_ms(NOW.unix_ms() + seconds * 1000)
}

fn key(number: u32) -> Vec<u8> {
    format!("key-{number}").into_bytes()
}

#[test]
fn items_go_when_they_are_over() {
    let mut caller = Caller::new(8 << 20);
    caller.apply(b"k", &expiring(b"v", Expiry::after(10, NOW)));
    caller.now = later(9);
    assert!(caller.get(b"k").is_some());
    caller.now = later(10);
    assert!(caller.get(b"k").is_none());
    assert_eq!(caller.store.figures().expired, 1);
    assert_eq!(caller.store.figures().items, 0);
}

#[test]
fn touch_gives_another_expiry() {
    let mut caller = Caller::new(8 << 20);
    caller.set(b"k", b"value");
    let version = caller.version(b"k");
    let touched = |outcome| matches!(outcome, Outcome::Found { won: false, lost: false });
    // From never to a second needs room that the record does not have.
    for seconds in [5, 20] {
        assert!(touched(caller.apply(b"k", &Op::Touch(Expiry::after(seconds, NOW)))));
        assert_eq!(caller.get(b"k").unwrap(), b"value");
        assert_eq!(caller.version(b"k"), version, "a touch is no write");
    }
    caller.now = later(19);
    assert!(touched(caller.apply(b"k", &Op::Touch(Expiry::Never))));
    caller.now = later(100);
    assert_eq!(caller.get(b"k").unwrap(), b"value");
    assert_eq!(caller.apply(b"none", &Op::Touch(Expiry::Never)), Outcome::NotFound);
    assert_eq!(caller.walk().len(), 1);
}

#[test]
fn the_crawler_clears_away_and_gives_back() {
    let mut caller = Caller::new(64 << 20);
    for number in 0..100_000 {
        let op = expiring(&[b'x'; 200], Expiry::after(10, NOW));
        caller.apply(&key(number), &op);
    }
    caller.set(b"stays", b"v");
    caller.crawl_all();
    let before = caller.store.figures();
    assert_eq!(before.items, 100_001, "nothing is over yet");
    caller.now = later(11);
    caller.crawl_all();
    let after = caller.store.figures();
    assert_eq!((after.items, after.crawled), (1, 100_000));
    assert!(caller.get(b"stays").is_some());
    caller.crawl_all();
    let memory = caller.store.figures().memory;
    assert!(memory < before.memory / 2, "{memory} of {}", before.memory);
}

#[test]
fn a_step_of_the_crawler_is_bounded() {
    let mut caller = Caller::new(64 << 20);
    for number in 0..50_000 {
        caller.apply(&key(number), &expiring(b"x", Expiry::after(1, NOW)));
    }
    caller.now = later(2);
    let done = caller.store.crawl(caller.now, 100);
    assert!((1..=200).contains(&done.looked_at) && !done.finished, "{done:?}");
}

#[test]
fn a_flush_takes_what_was_before_it() {
    let mut caller = Caller::new(8 << 20);
    caller.set(b"before", b"v");
    caller.store.flush(caller.now, caller.now);
    assert!(caller.get(b"before").is_none());
    // In the same millisecond.
    caller.set(b"after", b"v");
    assert!(caller.get(b"after").is_some());
    let add = store(StoreMode::Add, b"w");
    assert_eq!(caller.apply(b"before", &add), Outcome::Stored);

    caller.store.flush(later(10), caller.now);
    caller.now = later(9);
    assert!(caller.get(b"after").is_some());
    caller.now = later(10);
    assert!(caller.get(b"after").is_none());
    caller.crawl_all();
    assert_eq!(caller.store.figures().items, 0, "what was flushed is cleared away");
}

/// Whoever asks for a version may be the first to find that a flush is due.
#[test]
fn a_flush_that_is_due_waits_for_nobody() {
    let mut caller = Caller::new(8 << 20);
    caller.set(b"k", b"v");
    let floor = caller.store.flush_floor(caller.now);
    caller.store.flush(later(10), caller.now);
    caller.now = later(10);
    let (hash, key) = (KeyHash(1), Key::new(b"k").unwrap());
    assert!(caller.store.version(hash, key, caller.now) > floor);
    assert!(caller.get(b"k").is_none());
}

/// Each flush takes what another node wrote after the one before it, however soon it
/// follows, and though the clock of the node that flushes is behind.
#[test]
fn a_flush_takes_what_another_node_wrote_since_the_last() {
    for behind_ms in [0, 5] {
        let [one, other] = [0, 1].map(|_| Caller::new(8 << 20));
        let now = Now::from_unix_ms(one.now.unix_ms() - behind_ms);
        one.store.keep_tombstones();
        other.store.keep_tombstones();
        let flush = |now| other.store.raise_floor(one.store.flush(now, now).unwrap());
        flush(other.now);
        for number in 0..100 {
            other.set(&key(number), b"v");
        }
        flush(now);
        assert!((0..100).all(|number| other.get(&key(number)).is_none()), "{behind_ms}");
        // Whoever does nothing else does not drive the clocks on.
        (0..5000).for_each(|_| flush(now));
        other.set(b"k", b"v");
        assert!(
            other
                .version(b"k")
                .is_some_and(|version| { Version(version).unix_ms() < now.unix_ms() + 3000 })
        );
    }
}

#[test]
fn a_lease_is_won_once() {
    let mut caller = Caller::new(8 << 20);
    let lease = Lease { vivify: Some(Expiry::after(30, NOW)), ..Lease::default() };
    let get = Op::Get(Get { touch: None, lease: Some(lease) });
    let outcomes = [(); 3].map(|()| caller.apply(b"k", &get));
    let lost = Outcome::Found { won: false, lost: true };
    assert_eq!(outcomes, [Outcome::Found { won: true, lost: false }, lost, lost]);
    caller.now = later(30);
    assert_eq!(caller.apply(b"k", &get), Outcome::Found { won: true, lost: false });
}

#[test]
fn a_walk_knows_a_segment_that_is_used_anew() {
    let mut caller = Caller::new(8 << 20);
    for number in 0..30_000 {
        caller.set(&key(number), &[b'a'; 100]);
    }
    let mut at = caller.store.walk(WalkFrom::default(), caller.now, |_, _| ());
    let segments = caller.store.figures().segments;
    caller.now = later(1);
    caller.store.flush(caller.now, caller.now);
    caller.crawl_all();
    assert!(caller.store.figures().segments < segments / 2, "most are given back");
    caller.now = later(2);
    for number in 0..30_000 {
        caller.set(&key(number), &[b'b'; 37]);
    }
    let mut shown = Vec::new();
    while let Some(from) = at {
        at = caller.store.walk(from, caller.now, |key, found| {
            let mut value = Vec::new();
            found.append_value(&mut value);
            shown.push((key.bytes().to_vec(), value));
        });
    }
    for (key, value) in shown {
        assert_eq!(caller.get(&key), Some(value.clone()), "{}", key.escape_ascii());
        assert_eq!(value, [b'b'; 37]);
    }
}

#[test]
fn a_counter_that_was_read_stays_one_that_was_read() {
    let caller = Caller::new(8 << 20);
    let fetched = |key: &[u8]| {
        let hash = KeyHash::new(crate::SEED, key);
        caller.store.peek(hash, Key::new(key).unwrap(), caller.now, |found| found.meta().fetched)
    };
    caller.set(b"n", b"1");
    caller.get(b"n");
    caller.apply(b"n", &increment(1));
    assert_eq!(fetched(b"n"), Some(true));
    caller.set(b"n", b"5");
    assert_eq!(fetched(b"n"), Some(false), "that is another item");
}
