//! Items as other nodes have them.

use super::{Caller, NOW, SEED};
use ringcached::item::{Copied, CopiedBody, Expiry, Key, Now, Standing, Version};
use ringcached::limits::DRIFT_MS_MAX;
use ringcached::ring::KeyHash;
use ringcached::store::Merged;

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
