//! Datagrams that only nodes of the same cluster can read or write.
//!
//! A sealed datagram is, in the clear, a version, a mark of the cluster's name and
//! a nonce; then, encrypted and authenticated together with those, the time it
//! was sealed at and what it says. The cluster's name is bound as well.
//!
//! Replay: what is older than [`AGE_MAX_MS`], or was seen before, is dropped. More
//! is not needed, because what gossip says is ordered by itself: an old card or an
//! old suspicion changes nothing, and an old "I am here" belongs to a probe whose
//! number is long past. What could be replayed is what the receiver forgot to have
//! seen: one that was started within the minute hears an old word at most once.
//!
//! Nonces are drawn at random. Two of 2^40 datagrams share one with a chance of
//! 2^-17; a thousand nodes take three years to send as many.

use super::limits::{DATAGRAM_BYTES_MAX, REPLAYS_MAX};
use crate::wire::gossip::PARCEL_BYTES_MAX;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::HashSet;
use xxhash_rust::xxh3::xxh3_64;

/// How the bytes after the first are to be read.
const VERSION: u8 = 1;

/// A version, the mark of a cluster, a nonce.
const CLEAR_BYTES: usize = 1 + 4 + NONCE_LEN;
const TIME_BYTES: usize = 8;
const TAG_BYTES: usize = 16;

const _: () =
    assert!(CLEAR_BYTES + TIME_BYTES + PARCEL_BYTES_MAX + TAG_BYTES <= DATAGRAM_BYTES_MAX);

/// Milliseconds by which a datagram may be old, or its sender's clock ahead. Nodes
/// whose clocks differ by more do not hear each other: their stamps of writes
/// would not agree either.
const AGE_MAX_MS: u64 = 60_000;

/// Milliseconds after which what was seen is set aside, and after as many again
/// forgotten: a datagram from a clock that is ahead stays acceptable for twice the
/// greatest age.
const SEEN_MS: u64 = 2 * AGE_MAX_MS;

/// Why a datagram was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// It is shorter or longer than any datagram.
    Malformed,
    /// It is of a program that seals otherwise.
    OtherVersion,
    /// It is of a cluster with another name.
    OtherCluster,
    /// It is of a cluster of this name with another secret, or was damaged.
    OtherSecret,
    /// It is too old, or the sender's clock is behind.
    TooOld,
    /// The sender's clock is ahead.
    TooNew,
    /// It came before.
    Replayed,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "it is no gossip",
            Self::OtherVersion => "its version of gossip is another one",
            Self::OtherCluster => "its cluster has another name",
            Self::OtherSecret => "its cluster has another secret",
            Self::TooOld => "it is old, or its sender's clock is behind by over a minute",
            Self::TooNew => "its sender's clock is ahead by over a minute",
            Self::Replayed => "it came before",
        })
    }
}

/// Seals and opens the datagrams of one cluster.
pub struct Seal {
    key: LessSafeKey,
    cluster: Box<[u8]>,
    random: SystemRandom,
    seen: Seen,
}

impl Seal {
    /// For the cluster of that name and gossip key.
    ///
    /// # Panics
    /// Never: a key of 32 bytes is a key.
    #[must_use]
    pub fn new(key: &[u8; 32], cluster: &str) -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key).expect("32 bytes are a key");
        Self {
            key: LessSafeKey::new(key),
            cluster: cluster.as_bytes().into(),
            random: SystemRandom::new(),
            seen: Seen::default(),
        }
    }

    /// Seals what is said at this millisecond since 1970. None if it is too long,
    /// or the machine has no random numbers to give.
    #[must_use]
    pub fn seal(&self, plain: &[u8], now_ms: u64) -> Option<Vec<u8>> {
        if plain.len() > PARCEL_BYTES_MAX {
            return None;
        }
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        self.seal_with(nonce, plain, now_ms).ok()
    }

    fn seal_with(
        &self,
        nonce: [u8; NONCE_LEN],
        plain: &[u8],
        now_ms: u64,
    ) -> Result<Vec<u8>, Unspecified> {
        let mut sealed = Vec::with_capacity(CLEAR_BYTES + TIME_BYTES + plain.len() + TAG_BYTES);
        sealed.push(VERSION);
        sealed.extend(self.mark());
        sealed.extend(nonce);
        let aad = self.bound(&sealed);
        sealed.extend(now_ms.to_le_bytes());
        sealed.extend(plain);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.key.seal_in_place_separate_tag(nonce, aad, &mut sealed[CLEAR_BYTES..])?;
        sealed.extend(tag.as_ref());
        Ok(sealed)
    }

    /// Opens a datagram in place, at this millisecond since 1970.
    ///
    /// # Errors
    /// Says why it is to be dropped.
    pub fn open<'a>(&mut self, sealed: &'a mut [u8], now_ms: u64) -> Result<&'a [u8], Refused> {
        let least = CLEAR_BYTES + TIME_BYTES + TAG_BYTES;
        if !(least..=DATAGRAM_BYTES_MAX).contains(&sealed.len()) {
            return Err(Refused::Malformed);
        }
        let (clear, secret) = sealed.split_at_mut(CLEAR_BYTES);
        if clear[0] != VERSION {
            return Err(Refused::OtherVersion);
        }
        if clear[1..5] != self.mark() {
            return Err(Refused::OtherCluster);
        }
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&clear[5..]);
        let aad = self.bound(clear);
        let opened = self
            .key
            .open_in_place(Nonce::assume_unique_for_key(nonce), aad, secret)
            .map_err(|_| Refused::OtherSecret)?;
        let (time, plain) = opened.split_first_chunk::<TIME_BYTES>().ok_or(Refused::Malformed)?;
        self.is_fresh(nonce, u64::from_le_bytes(*time), now_ms)?;
        Ok(plain)
    }

    fn is_fresh(
        &mut self,
        nonce: [u8; NONCE_LEN],
        sealed_ms: u64,
        now_ms: u64,
    ) -> Result<(), Refused> {
        if sealed_ms.saturating_add(AGE_MAX_MS) < now_ms {
            return Err(Refused::TooOld);
        }
        if sealed_ms > now_ms.saturating_add(AGE_MAX_MS) {
            return Err(Refused::TooNew);
        }
        if self.seen.is_first(nonce, now_ms) { Ok(()) } else { Err(Refused::Replayed) }
    }

    /// A few bits of the cluster's name, so that a stranger is told from one who
    /// has the wrong secret.
    fn mark(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = xxh3_64(&self.cluster).to_le_bytes();
        [a, b, c, d]
    }

    /// What is authenticated and not sent, or not encrypted.
    fn bound(&self, clear: &[u8]) -> Aad<Vec<u8>> {
        Aad::from([clear, &self.cluster].concat())
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seal").finish_non_exhaustive()
    }
}

/// The nonces of late, in two halves: the older one is dropped whole.
#[derive(Debug, Default)]
struct Seen {
    newer: HashSet<[u8; NONCE_LEN]>,
    older: HashSet<[u8; NONCE_LEN]>,
    since_ms: u64,
}

impl Seen {
    /// Whether this nonce is seen for the first time. Where there are too many the
    /// older half goes early; only nodes of the cluster can make it so.
    fn is_first(&mut self, nonce: [u8; NONCE_LEN], now_ms: u64) -> bool {
        if now_ms.abs_diff(self.since_ms) >= SEEN_MS || self.newer.len() >= REPLAYS_MAX {
            self.older = std::mem::take(&mut self.newer);
            self.since_ms = now_ms;
        }
        !self.older.contains(&nonce) && self.newer.insert(nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn seal() -> Seal {
        Seal::new(&[7; 32], "cluster")
    }

    #[test]
    fn what_is_sealed_is_opened() {
        let mut sealed = seal().seal(b"word", NOW).unwrap();
        assert!(!sealed.windows(4).any(|part| part == b"word"));
        assert_eq!(seal().open(&mut sealed, NOW + 5), Ok(&b"word"[..]));
    }

    #[test]
    fn bytes_stay_as_they_are() {
        let sealed = seal().seal_with([9; NONCE_LEN], b"word", NOW).unwrap();
        let golden = [
            &[1][..],                                                      // version
            &[0x2a, 0x72, 0x54, 0x29],                                     // mark of the cluster
            &[9; NONCE_LEN],                                               // nonce
            &[0xfc, 0x29, 0xa7, 0xcf, 0x47, 0x0f, 0x85, 0xa5],             // time
            &[0xaa, 0x07, 0x7c, 0x5c],                                     // word
            &0x96b4_66b7_e9fb_c29a_7fa6_18b4_6d38_ea37_u128.to_be_bytes(), // tag
        ];
        assert_eq!(sealed, golden.concat());
    }

    #[test]
    fn the_longest_word_fits_and_no_longer_one() {
        let sealed = seal().seal(&[1; PARCEL_BYTES_MAX], NOW).unwrap();
        assert!(sealed.len() <= DATAGRAM_BYTES_MAX);
        assert_eq!(seal().seal(&[1; PARCEL_BYTES_MAX + 1], NOW), None);
    }

    #[test]
    fn strangers_are_told_apart() {
        let mut sealed = seal().seal(b"word", NOW).unwrap();
        let mut other = Seal::new(&[8; 32], "cluster");
        assert_eq!(other.open(&mut sealed.clone(), NOW), Err(Refused::OtherSecret));
        let mut other = Seal::new(&[7; 32], "another");
        assert_eq!(other.open(&mut sealed.clone(), NOW), Err(Refused::OtherCluster));
        sealed[0] = 2;
        assert_eq!(seal().open(&mut sealed, NOW), Err(Refused::OtherVersion));
    }

    #[test]
    fn the_name_is_bound_and_not_only_marked() {
        let mut sealed = seal().seal(b"word", NOW).unwrap();
        let mut other = Seal::new(&[7; 32], "another");
        sealed[1..5].copy_from_slice(&other.mark());
        assert_eq!(other.open(&mut sealed, NOW), Err(Refused::OtherSecret));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let sealed = seal().seal(b"word", NOW).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(seal().open(&mut damaged, NOW).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_shorter_datagram_is_refused() {
        let sealed = seal().seal(b"word", NOW).unwrap();
        for length in 0..sealed.len() {
            assert!(seal().open(&mut sealed[..length].to_vec(), NOW).is_err());
        }
        assert_eq!(seal().open(&mut vec![1; 1401], NOW), Err(Refused::Malformed));
    }

    #[test]
    fn a_datagram_is_heard_once() {
        let sealed = seal().seal(b"word", NOW).unwrap();
        let mut receiver = seal();
        assert!(receiver.open(&mut sealed.clone(), NOW).is_ok());
        // As long as its time is acceptable, others come and go.
        for ms in (0..=AGE_MAX_MS).step_by(10_000) {
            let mut other = seal().seal(b"other", NOW + ms).unwrap();
            assert!(receiver.open(&mut other, NOW + ms).is_ok());
            let again = receiver.open(&mut sealed.clone(), NOW + ms).unwrap_err();
            assert_eq!(again, Refused::Replayed, "after {ms} ms");
        }
        let later = receiver.open(&mut sealed.clone(), NOW + AGE_MAX_MS + 1).unwrap_err();
        assert_eq!(later, Refused::TooOld);
    }

    #[test]
    fn a_datagram_from_a_clock_ahead_is_heard_once() {
        let sealed = seal().seal(b"word", NOW + AGE_MAX_MS).unwrap();
        let mut receiver = seal();
        assert_eq!(receiver.open(&mut sealed.clone(), NOW - 1), Err(Refused::TooNew));
        assert!(receiver.open(&mut sealed.clone(), NOW).is_ok());
        for ms in (0..=2 * AGE_MAX_MS).step_by(10_000) {
            let again = receiver.open(&mut sealed.clone(), NOW + ms).unwrap_err();
            assert_eq!(again, Refused::Replayed, "after {ms} ms");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut seen = Seen::default();
        for count in 0..3 * REPLAYS_MAX as u64 {
            let mut nonce = [0; NONCE_LEN];
            nonce[..8].copy_from_slice(&count.to_le_bytes());
            assert!(seen.is_first(nonce, NOW));
        }
        assert!(seen.newer.len() + seen.older.len() <= 2 * REPLAYS_MAX);
    }
}
