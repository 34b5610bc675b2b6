//! Keys that were evicted soon after they came. One that comes again has shown
//! that it is wanted, and is not put to the test a second time.

use crate::ring::KeyHash;

/// Fingerprints in one bucket; a new one pushes the oldest out.
const WAYS: usize = 4;

/// Bytes that a remembered key takes.
pub(super) const BYTES_PER_KEY: usize = 2;

/// Remembers about as many keys as it is made for.
#[derive(Debug, Default)]
pub(super) struct Ghost {
    buckets: Box<[[u16; WAYS]]>,
}

impl Ghost {
    /// Makes room for so many keys, if there is much less. What was remembered
    /// is forgotten then.
    pub(super) fn reach(&mut self, keys: usize) {
        let buckets = (keys / WAYS).next_power_of_two();
        if buckets > self.buckets.len() {
            self.buckets = vec![[0; WAYS]; buckets].into_boxed_slice();
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.buckets.len() * WAYS * BYTES_PER_KEY
    }

    pub(super) fn remember(&mut self, hash: KeyHash) {
        let fingerprint = fingerprint(hash);
        if let Some(bucket) = self.bucket(hash) {
            bucket.rotate_right(1);
            bucket[0] = fingerprint;
        }
    }

    /// Whether it was remembered; it is not any more.
    pub(super) fn recall(&mut self, hash: KeyHash) -> bool {
        let fingerprint = fingerprint(hash);
        let Some(bucket) = self.bucket(hash) else { return false };
        match bucket.iter().position(|&other| other == fingerprint) {
            Some(at) => {
                bucket[at] = 0;
                true
            }
            None => false,
        }
    }

    fn bucket(&mut self, hash: KeyHash) -> Option<&mut [u16; WAYS]> {
        let mask = self.buckets.len().wrapping_sub(1);
        self.buckets.get_mut(hash.0 as usize & mask)
    }
}

/// Never zero: that is an empty place.
fn fingerprint(hash: KeyHash) -> u16 {
    ((hash.0 >> 28) as u16).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u32) -> KeyHash {
        KeyHash::new(0, &n.to_le_bytes())
    }

    #[test]
    fn remembers_about_as_many_as_asked() {
        let mut ghost = Ghost::default();
        ghost.remember(hash(0));
        assert!(!ghost.recall(hash(0)), "there is no room yet");
        ghost.reach(4096);
        (0..4096).for_each(|n| ghost.remember(hash(n)));
        let recalled = (2048..4096).filter(|&n| ghost.recall(hash(n))).count();
        assert!(recalled > 1700, "{recalled} of the last 2048");
        let strangers = (10_000..14_096).filter(|&n| ghost.recall(hash(n))).count();
        assert!(strangers < 8, "{strangers} of 4096 strangers");
    }

    #[test]
    fn recalls_once() {
        let mut ghost = Ghost::default();
        ghost.reach(64);
        ghost.remember(hash(1));
        assert!(ghost.recall(hash(1)));
        assert!(!ghost.recall(hash(1)));
    }
}
