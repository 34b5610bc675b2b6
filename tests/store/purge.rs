//! Letting go of slots that a node does not keep any more.

use super::{
    Caller, NOW, Random, SEED, belongs, config, delete, expiring, increment, store, value_of,
};
use ringcached::item::{Copied, CopiedBody, Expiry, Now, Outcome, StoreMode};
use ringcached::ring::KeyHash;
use ringcached::store::{Figures, FullWalk, Merged, Store, StoreConfig};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SLOT_BITS: u32 = 12;

const WAIT: Duration = Duration::from_secs(60);

fn slot_of(key: &[u8]) -> u32 {
    (KeyHash::new(SEED, key).0 >> (64 - SLOT_BITS)) as u32
}

/// Every fourth slot is kept.
fn is_kept(slot: u32) -> bool {
    slot.is_multiple_of(4)
}

fn key(number: u64) -> Vec<u8> {
    format!("key-{number}").into_bytes()
}

/// Keys whose slots are kept, or are not.
fn keys(kept: bool) -> impl Iterator<Item = Vec<u8>> {
    (0..).map(key).filter(move |key| is_kept(slot_of(key)) == kept)
}

/// A whole purge: how many items went.
fn purge(store: &Store, is_kept: impl Fn(u32) -> bool) -> usize {
    let (mut walk, mut items) = (FullWalk::default(), 0);
    loop {
        let purged = store.purge(&mut walk, &is_kept);
        items += purged.items;
        if !purged.more {
            return items;
        }
    }
}

fn digests(store: &Store) -> Vec<u64> {
    (0..1 << SLOT_BITS).map(|slot| store.digest(slot).unwrap()).collect()
}

fn dropped(digests: &[u64]) -> impl Iterator<Item = u64> {
    let dropped = digests.iter().enumerate().filter(|&(slot, _)| !is_kept(slot as u32));
    dropped.map(|(_, &digest)| digest)
}

/// Keys of all that is there, with whether it is a tombstone.
fn all(caller: &Caller) -> Vec<(Vec<u8>, bool)> {
    let (mut walk, mut all) = (FullWalk::default(), Vec::new());
    while caller.store.walk_all(&mut walk, caller.now, |key, found| {
        all.push((key.bytes().to_vec(), found.is_tombstone()));
        true
    }) {}
    all
}

/// Another store with the same items, whose digests are made anew from them.
fn copy_of(caller: &Caller) -> Store {
    let copy = Store::new(&config(64 << 20), NOW);
    let mut walk = FullWalk::default();
    while caller.store.walk_all(&mut walk, caller.now, |key, found| {
        let (meta, mut value) = (found.meta(), Vec::new());
        found.append_value(&mut value);
        let (version, standing) = (meta.version, meta.standing);
        let body = CopiedBody { flags: 0, cas: version.0, standing, value: &value };
        let copied = Copied { version, expiry: meta.expiry, body: Some(body) };
        let hash = KeyHash::new(SEED, key.bytes());
        assert_eq!(copy.merge(hash, key, NOW, &copied), Merged::Taken);
        true
    }) {}
    copy
}

/// Items of all kinds: small and large, read and not, over, amended and counted.
fn mixed(memory: u64, items: u64) -> Caller {
    let mut caller = Caller::new(memory);
    for number in 0..items {
        let len = if number % 200 == 0 { 70_000 } else { 10 + number as usize % 500 };
        caller.set(&key(number), &value_of(number, 0, len));
        match number % 7 {
            0 => drop(caller.get(&key(number))),
            1 => drop(caller.apply(&key(number), &expiring(b"over", Expiry::after(5, NOW)))),
            2 => drop(caller.apply(&key(number), &store(StoreMode::Append, b"more"))),
            3 => {
                caller.set(&key(number), b"7");
                caller.apply(&key(number), &increment(1));
            }
            _ => {}
        }
    }
    caller.now = Now::from_unix_ms(NOW.unix_ms() + 60_000);
    caller
}

#[test]
fn all_of_dropped_slots_goes_and_nothing_else() {
    const ITEMS: u64 = 20_000;
    let (caller, twin) = (mixed(64 << 20, ITEMS), mixed(64 << 20, ITEMS));
    let before = digests(&caller.store);
    let gone = purge(&caller.store, is_kept);
    let due = (0..ITEMS).filter(|&number| !is_kept(slot_of(&key(number)))).count();
    assert_eq!(gone, due);
    let after = digests(&caller.store);
    for slot in 0..1 << SLOT_BITS {
        let left = if is_kept(slot) { before[slot as usize] } else { 0 };
        assert_eq!(after[slot as usize], left, "slot {slot}");
    }
    // Before a read clears away what is over.
    let (ours, others) = (caller.store.figures(), twin.store.figures());
    assert_eq!(ours.items, ITEMS - due as u64);
    assert!(ours.bytes < others.bytes / 3, "{} of {}", ours.bytes, others.bytes);
    assert_eq!(Figures { expired: 0, ..others }, others, "what is over was still there");
    let Figures { items, bytes, memory, .. } = ours;
    assert_eq!(ours, Figures { items, bytes, memory, ..others }, "nothing else was counted");
    for key in (0..ITEMS).map(key) {
        match is_kept(slot_of(&key)) {
            true => {
                assert_eq!(caller.get(&key), twin.get(&key));
                assert_eq!(caller.version(&key), twin.version(&key));
            }
            false => assert_eq!(caller.get(&key), None),
        }
    }
    // The clocks stand where they stood.
    for key in keys(false).take(300) {
        caller.set(&key, b"again");
        twin.set(&key, b"again");
        assert_eq!(caller.version(&key), twin.version(&key));
    }
}

#[test]
fn a_purge_evicts_nothing_and_tells_nobody() {
    let caller = mixed(64 << 20, 2000);
    let _ = caller.store.evicted(true);
    assert_eq!(purge(&caller.store, |_| false), 2000);
    assert_eq!(caller.store.evicted(false).count(), 0);
    assert_eq!(all(&caller), []);
}

#[test]
fn tombstones_of_dropped_slots_go_too() {
    let caller = Caller::new(64 << 20);
    caller.store.keep_tombstones();
    for key in keys(true).take(100).chain(keys(false).take(100)) {
        caller.set(&key, b"value");
        caller.apply(&key, &delete());
    }
    for key in keys(false).skip(100).take(10) {
        caller.set(&key, b"value");
    }
    assert_eq!(purge(&caller.store, is_kept), 110);
    let mut left = all(&caller);
    let mut kept: Vec<_> = keys(true).take(100).map(|key| (key, true)).collect();
    left.sort_unstable();
    kept.sort_unstable();
    assert_eq!(left, kept, "no tombstones came");
    assert_eq!(caller.store.figures().items, 0);
}

#[test]
fn a_step_is_short() {
    let caller = Caller::new(64 << 20);
    for number in 0..40_000 {
        caller.set(&key(number), b"small");
    }
    for number in 40_000..40_030 {
        caller.set(&key(number), &vec![7; 1_000_000]);
    }
    let (mut walk, mut steps) = (FullWalk::default(), 0);
    loop {
        let before = caller.store.figures();
        let purged = caller.store.purge(&mut walk, |_| false);
        assert!(purged.items <= 500, "{} items", purged.items);
        let bytes = before.bytes - caller.store.figures().bytes;
        assert!(bytes < 6_000_000, "{bytes} bytes");
        if !purged.more {
            break;
        }
        steps += 1;
    }
    assert!(steps > 10);
    assert_eq!(caller.store.figures().bytes, 0);
}

/// Nothing may be evicted, so what is written again has the memory of what went.
#[test]
fn memory_of_dropped_slots_is_used_again() {
    let caller = Caller::with(&StoreConfig { evicts: false, ..config(16 << 20) });
    let value = vec![b'v'; 300];
    let full = (0..).take_while(|&number| caller.set(&key(number), &value) == Outcome::Stored);
    let fitted = full.count();
    let gone = purge(&caller.store, is_kept);
    assert!(gone > fitted / 2, "{gone} of {fitted}");
    // A part stays free: up to an eighth may be dead.
    for key in keys(true).skip(fitted).take(gone * 3 / 4) {
        assert_eq!(caller.set(&key, &value), Outcome::Stored);
    }
    let taken = caller.store.figures().memory;
    let left = caller.store.figures().items;
    assert_eq!(purge(&caller.store, |_| false) as u64, left);
    caller.crawl_all();
    let figures = caller.store.figures();
    assert_eq!((figures.items, figures.bytes), (0, 0));
    assert!(figures.memory < taken / 3, "{} of {taken}", figures.memory);
}

/// Dropped items that are moved together by writes beside them do not escape.
#[test]
fn a_purge_misses_nothing_that_moves() {
    for seed in 0..4 {
        let (caller, mut random) = (Caller::new(64 << 20), Random::new(seed));
        let (stay, go): (Vec<_>, Vec<_>) =
            (keys(true).take(30_000).collect(), keys(false).take(60_000).collect());
        for (at, go) in go.iter().enumerate() {
            caller.set(&stay[at / 2], &[b's'; 300]);
            caller.set(go, &[b'g'; 80]);
        }
        let mut walk = FullWalk::default();
        while caller.store.purge(&mut walk, is_kept).more {
            for _ in 0..500 {
                let value = vec![b's'; 200 + random.below(400) as usize];
                caller.set(&stay[random.below(30_000) as usize], &value);
            }
        }
        assert_eq!(caller.store.figures().evicted, 0);
        let missed = go.iter().filter(|key| caller.get(key).is_some()).count();
        assert_eq!(missed, 0, "of {}", go.len());
        assert!(stay.iter().all(|key| caller.get(key).is_some()));
        assert!(dropped(&digests(&caller.store)).all(|digest| digest == 0));
    }
}

/// Two writers, each with its own kept keys, which are overwritten with other sizes so
/// that segments are emptied by copying; nothing is evicted.
#[test]
fn writers_beside_a_purge_lose_nothing() {
    const EACH: usize = 2000;
    let caller = Caller::new(32 << 20);
    for key in keys(false).take(20_000) {
        caller.set(&key, &[b'g'; 200]);
    }
    std::thread::scope(|scope| {
        let writers = [0, 1].map(|writer| {
            let caller = &caller;
            scope.spawn(move || {
                let mine: Vec<_> = keys(true).skip(writer * EACH).take(EACH).collect();
                let mut random = Random::new(writer as u64);
                let mut last = vec![None; EACH];
                for _ in 0..60_000 {
                    let at = random.below(EACH as u64) as usize;
                    assert_eq!(caller.get(&mine[at]), last[at]);
                    let value = vec![b's'; random.within(8..=600) as usize];
                    caller.set(&mine[at], &value);
                    last[at] = Some(value);
                }
                for (key, value) in mine.iter().zip(last) {
                    assert_eq!(caller.get(key), value);
                }
            })
        });
        let mut gone = 0;
        while writers.iter().any(|writer| !writer.is_finished()) {
            gone += purge(&caller.store, is_kept);
        }
        assert_eq!(gone, 20_000);
    });
    assert_eq!(caller.store.figures().evicted, 0);
    assert_eq!(digests(&caller.store), digests(&copy_of(&caller)));
}

/// As above in a store that is always full, where writes go to dropped slots too.
#[test]
fn a_purge_beside_eviction_leaves_all_in_order() {
    let caller = Caller::new(8 << 20);
    std::thread::scope(|scope| {
        let writers = [0, 1].map(|seed| {
            let caller = &caller;
            scope.spawn(move || {
                let mut random = Random::new(seed);
                for round in 0..60_000 {
                    let number = random.below(30_000);
                    if let Some(value) = caller.get(&key(number)) {
                        assert!(belongs(number, &value), "{number}");
                    }
                    let number = random.below(30_000);
                    let len = if round % 200 == 0 { 70_000 } else { random.within(8..=2000) };
                    caller.set(&key(number), &value_of(number, round, len as usize));
                }
            })
        });
        while writers.iter().any(|writer| !writer.is_finished()) {
            purge(&caller.store, is_kept);
        }
    });
    purge(&caller.store, is_kept);
    assert!(caller.store.figures().evicted > 1000);
    let left = digests(&caller.store);
    assert!(dropped(&left).all(|digest| digest == 0));
    assert!(all(&caller).iter().all(|(key, _)| is_kept(slot_of(key))));
    assert_eq!(caller.walk().len() as u64, caller.store.figures().items);
    assert_eq!(left, digests(&copy_of(&caller)));
}

/// Whether a slot is kept is asked when its item would go, and not before.
#[test]
fn a_slot_kept_again_loses_no_write() {
    let caller = Caller::new(16 << 20);
    let (kept, asked, purges) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let wait_for_more = |count: &AtomicU64, before: u64| {
        let deadline = Instant::now() + WAIT;
        while count.load(Ordering::SeqCst) == before {
            assert!(Instant::now() < deadline, "no purge goes on");
            std::thread::yield_now();
        }
    };
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..100 {
                kept.store(false, Ordering::SeqCst);
                // They may be gone, and nothing left to ask of, before all are written.
                let before = asked.load(Ordering::SeqCst);
                for number in 0..4 {
                    caller.set(&key(number), &value_of(number, round, 100));
                }
                wait_for_more(&asked, before);
                kept.store(true, Ordering::SeqCst);
                let value = |number| value_of(number, round + 1, 100);
                (0..4).for_each(|number| _ = caller.set(&key(number), &value(number)));
                // What was under way when they were written has ended then.
                wait_for_more(&purges, purges.load(Ordering::SeqCst));
                for number in 0..4 {
                    assert_eq!(caller.get(&key(number)), Some(value(number)), "round {round}");
                }
            }
        });
        while !writer.is_finished() {
            purge(&caller.store, |_| {
                asked.fetch_add(1, Ordering::SeqCst);
                kept.load(Ordering::SeqCst)
            });
            purges.fetch_add(1, Ordering::SeqCst);
        }
    });
}
