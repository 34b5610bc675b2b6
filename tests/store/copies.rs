//! Items as other nodes have them.

use super::{Caller, NOW, SEED, delete, expiring};
use ringcached::item::{Copied, CopiedBody, Expiry, Key, Now, Op, Outcome, Standing, Version};
use ringcached::limits::DRIFT_MS_MAX;
use ringcached::ring::KeyHash;
use ringcached::store::{FullWalk, Merged};
use std::collections::BTreeSet;

/// Sends a copy that was written so many milliseconds from now.
fn merge(caller: &Caller, key: &[u8], ahead_ms: u64) -> Merged {
    merge_as(caller, key, ahead_ms, Standing::default())
}

fn merge_as(caller: &Caller, key: &[u8], ahead_ms: u64, standing: Standing) -> Merged {
    let at = Now::from_unix_ms(NOW.unix_ms() + ahead_ms);
    let version = Version::end_of(at);
    let body = CopiedBody { flags: 0, cas: version.0, standing, value: b"value" };
    let copied = Copied { version, expiry: Expiry::from_word(0), body: Some(body) };
    let hash = KeyHash::new(SEED, key);
    caller.store.merge(hash, Key::new(key).unwrap(), NOW, &copied)
}

#[test]
fn a_stamp_that_is_far_ahead_is_refused() {
    let caller = Caller::new(64 << 20);
    assert_eq!(merge(&caller, b"key", 3_600_000), Merged::Ahead);
    assert_eq!(merge(&caller, b"key", DRIFT_MS_MAX + 1), Merged::Ahead);
    assert_eq!(merge(&caller, b"key", DRIFT_MS_MAX), Merged::Taken);
    assert_eq!(merge(&caller, b"key", 0), Merged::Older);
}

/// The copy that tells of a winner may overtake one that was sent before it.
#[test]
fn a_winner_is_not_forgotten_before_the_next_write() {
    let caller = Caller::new(64 << 20);
    let (won, before) = (Standing { stale: true, won: true }, Standing { stale: true, won: false });
    let has_won = || {
        let (hash, key) = (KeyHash::new(SEED, b"key"), Key::new(b"key").unwrap());
        caller.store.peek(hash, key, NOW, |found| found.meta().standing.won)
    };
    merge_as(&caller, b"key", 0, won);
    assert_eq!(merge_as(&caller, b"key", 0, before), Merged::Taken);
    assert_eq!(has_won(), Some(true));
    assert_eq!(merge_as(&caller, b"key", 1, before), Merged::Taken);
    assert_eq!(has_won(), Some(false));
}

/// Whoever hears of both keeps the same one, whichever comes first.
#[test]
fn of_two_writes_with_one_stamp_all_keep_the_same() {
    let values: [&[u8]; 3] = [b"aa", b"b", b"ba"];
    for first in values {
        for second in values {
            let caller = Caller::new(64 << 20);
            for (value, expiry) in [(first, 0), (second, 0)] {
                let version = Version::end_of(NOW);
                let standing = Standing::default();
                let body = CopiedBody { flags: 0, cas: version.0, standing, value };
                let copied =
                    Copied { version, expiry: Expiry::from_word(expiry), body: Some(body) };
                let hash = KeyHash::new(SEED, b"key");
                caller.store.merge(hash, Key::new(b"key").unwrap(), NOW, &copied);
            }
            assert_eq!(caller.get(b"key").unwrap(), first.max(second));
            assert_eq!(caller.store.figures().items, 1);
        }
    }
}

/// It was touched elsewhere, and is over here without anybody having looked.
#[test]
fn a_copy_with_more_time_is_taken_though_what_is_here_is_over() {
    let caller = Caller::new(64 << 20);
    let (hash, key) = (KeyHash::new(SEED, b"key"), Key::new(b"key").unwrap());
    let merge = |seconds, at| {
        let (version, standing) = (Version::end_of(NOW), Standing::default());
        let body = CopiedBody { flags: 0, cas: version.0, standing, value: b"value" };
        let copied = Copied { version, expiry: Expiry::after(seconds, NOW), body: Some(body) };
        caller.store.merge(hash, key, at, &copied)
    };
    assert_eq!(merge(10, NOW), Merged::Taken);
    let later = Now::from_unix_ms(NOW.unix_ms() + 20_000);
    assert_eq!(merge(3600, later), Merged::Taken);
    let left = caller.store.peek(hash, key, later, |found| found.meta().expiry);
    assert_eq!(left, Some(Expiry::after(3600, NOW)));
}

/// An expiry changes without a version: two copies may keep another one for ever, and would be
/// compared, and listed, for nothing.
#[test]
fn digests_are_alike_whatever_the_expiry() {
    let (hash, key) = (KeyHash::new(SEED, b"key"), Key::new(b"key").unwrap());
    let digest = |caller: &Caller| caller.store.digest((hash.0 >> 52) as usize).unwrap();
    let copies = [Expiry::Never, Expiry::after(10, NOW), Expiry::after(3600, NOW)].map(|expiry| {
        let caller = Caller::new(64 << 20);
        let (version, standing) = (Version::end_of(NOW), Standing::default());
        let body = CopiedBody { flags: 0, cas: version.0, standing, value: b"value" };
        let copied = Copied { version, expiry, body: Some(body) };
        assert_eq!(caller.store.merge(hash, key, NOW, &copied), Merged::Taken);
        caller
    });
    let first = digest(&copies[0]);
    assert_ne!(first, 0);
    assert!(copies.iter().all(|copy| digest(copy) == first));
    for copy in &copies {
        // In its place, and with more room.
        for expiry in [Expiry::after(20, NOW), Expiry::after(30, NOW), Expiry::Never] {
            copy.apply(b"key", &Op::Touch(expiry));
            assert_eq!(digest(copy), first, "{expiry:?}");
        }
    }
}

/// As of two writes: whichever comes first, all have the same.
#[test]
fn of_a_write_and_a_delete_with_one_stamp_the_delete_stays() {
    for delete_first in [false, true] {
        let caller = Caller::new(64 << 20);
        let (hash, key, version) =
            (KeyHash::new(SEED, b"key"), Key::new(b"key").unwrap(), Version::end_of(NOW));
        let expiry = Expiry::from_word(0);
        let standing = Standing::default();
        let body = CopiedBody { flags: 0, cas: version.0, standing, value: b"value" };
        let mut copies =
            [Copied { version, expiry, body: Some(body) }, Copied { version, expiry, body: None }];
        if delete_first {
            copies.reverse();
        }
        for copied in &copies {
            caller.store.merge(hash, key, NOW, copied);
        }
        assert_eq!(caller.get(b"key"), None, "{delete_first}");
    }
}

fn tombstones(caller: &Caller) -> Vec<Vec<u8>> {
    let (mut walk, mut keys) = (FullWalk::default(), Vec::new());
    while caller.store.walk_all(&mut walk, NOW, |key, found| {
        if found.is_tombstone() {
            keys.push(key.bytes().to_vec());
        }
        true
    }) {}
    keys
}

/// Another node may have what this one evicted: it is to learn of the delete.
#[test]
fn a_delete_of_what_was_evicted_is_told() {
    let caller = Caller::new(8 << 20);
    caller.store.keep_tombstones();
    assert_eq!(caller.apply(b"never", &delete()), Outcome::NotFound);
    assert_eq!(tombstones(&caller), Vec::<Vec<u8>>::new(), "nobody has it");
    for number in 0..40_000 {
        caller.set(format!("key-{number}").as_bytes(), &[b'x'; 400]);
    }
    assert!(caller.store.figures().evicted > 10_000);
    let is_gone = |key: &String| caller.get(key.as_bytes()).is_none();
    let gone: Vec<String> =
        (0..40_000).map(|number| format!("key-{number}")).filter(is_gone).take(3).collect();
    for key in &gone {
        let (hash, key) = (KeyHash::new(SEED, key.as_bytes()), Key::new(key.as_bytes()).unwrap());
        let told = caller.store.apply(hash, key, NOW, &delete(), |outcome, found| {
            assert_eq!(outcome, Outcome::NotFound);
            found.is_some_and(ringcached::store::Found::is_tombstone)
        });
        assert!(told);
        // Once is enough.
        let again = caller.store.apply(hash, key, NOW, &delete(), |_, found| found.is_some());
        assert!(!again);
    }
    let told = tombstones(&caller);
    assert!(gone.iter().all(|key| told.contains(&key.as_bytes().to_vec())), "{told:?}");
}

fn list(caller: &Caller, now: Now, is_wanted: impl Fn(u32) -> bool) -> BTreeSet<KeyHash> {
    let (mut walk, mut hashes) = (FullWalk::default(), BTreeSet::new());
    while caller.store.list(&mut walk, now, &is_wanted, |hash, _| {
        hashes.insert(hash);
    }) {}
    hashes
}

/// It would be in the digests of some copies and not of others for as long as nobody looks.
#[test]
fn what_is_over_or_flushed_goes_from_slots_that_are_listed() {
    let (mut caller, now) = (Caller::new(64 << 20), NOW);
    let slot = |hash: KeyHash| (hash.0 >> 52) as u32;
    let hashes = |name: &str| -> Vec<KeyHash> {
        let keys = (0..100).map(|number| format!("{name}-{number}"));
        keys.map(|key| KeyHash::new(SEED, key.as_bytes())).collect()
    };
    for number in 0..100 {
        caller.set(format!("flushed-{number}").as_bytes(), b"value");
    }
    caller.store.flush(now, now);
    caller.now = Now::from_unix_ms(now.unix_ms() + 3000);
    for number in 0..100 {
        let over = expiring(b"value", Expiry::after(10, caller.now));
        caller.apply(format!("over-{number}").as_bytes(), &over);
        caller.set(format!("stays-{number}").as_bytes(), b"value");
    }
    let later = Now::from_unix_ms(caller.now.unix_ms() + 20_000);
    let is_wanted = |slot: u32| slot.is_multiple_of(2);
    let wanted = |name: &str| -> BTreeSet<KeyHash> {
        hashes(name).into_iter().filter(|&hash| is_wanted(slot(hash))).collect()
    };
    let all = caller.store.figures().items;
    assert_eq!(list(&caller, later, is_wanted), wanted("stays"));
    let gone = wanted("over").len() + wanted("flushed").len();
    assert_eq!(caller.store.figures().items, all - gone as u64);
    let stays: BTreeSet<u32> = hashes("stays").into_iter().map(slot).collect();
    let digest = |&slot: &u32| caller.store.digest(slot as usize).unwrap();
    let emptied = (0..1 << 12).filter(|slot| is_wanted(*slot) && !stays.contains(slot));
    assert!(emptied.collect::<Vec<_>>().iter().all(|slot| digest(slot) == 0));
}
