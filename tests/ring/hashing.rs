//! Keys fall on slots evenly, however alike they look.

use crate::clusters::{plain, ring};
use ringcached::ring::{KeyHash, Layout};

const KEYS: u64 = 2_000_000;

/// How many standard deviations the slot counts are away from even.
fn deviations(key: impl Fn(u64) -> Vec<u8>) -> f64 {
    let ring = ring(&Layout { slot_bits: 12, ..Layout::default() }, &plain(0..1));
    let mut counts = vec![0_u32; 1 << 12];
    (0..KEYS).for_each(|n| counts[ring.slot(ring.hash(&key(n))) as usize] += 1);
    let expected = KEYS as f64 / counts.len() as f64;
    let chi2: f64 = counts.iter().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
    let freedom = (counts.len() - 1) as f64;
    (chi2 - freedom) / (2.0 * freedom).sqrt()
}

#[test]
fn sequential_keys_fall_evenly() {
    let binary = deviations(|n| n.to_le_bytes().to_vec());
    let decimal = deviations(|n| format!("user:{n}").into_bytes());
    let hexadecimal = deviations(|n| format!("session:{n:016x}").into_bytes());
    for found in [binary, decimal, hexadecimal] {
        assert!(found.abs() < 4.0, "{found} standard deviations from even");
    }
}

/// The vectors come from the reference implementation of XXH3: a wrong or
/// byte-swapped hash would split a cluster.
#[test]
fn hash_is_xxh3() {
    assert_eq!(KeyHash::new(0, b"").0, 0x2d06_8005_38d3_94c2);
    assert_eq!(KeyHash::new(0, b"abc").0, 0x78af_5f94_892f_3950);
}

#[test]
fn seeds_give_other_rings() {
    let of = |seed| ring(&Layout { seed, ..Layout::default() }, &plain(0..5));
    let (one, other) = (of(1), of(2));
    let same = (0..1000_u32).filter(|n| {
        let key = n.to_le_bytes();
        one.slot(one.hash(&key)) == other.slot(other.hash(&key))
    });
    assert!(same.count() < 5);
    assert!(one.slots().ne(other.slots()));
}
