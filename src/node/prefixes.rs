//! Counts by the prefixes of keys: what `stats detail` tells.

use crate::limits::PREFIXES_MAX;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts by prefix. Off, it costs each request one load.
#[derive(Debug)]
pub struct Prefixes {
    enabled: AtomicBool,
    delimiter: u8,
    counts: Mutex<BTreeMap<Box<[u8]>, Counts>>,
}

/// The counts of one prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Keys that were read.
    pub gets: u64,
    /// Reads that found an item.
    pub hits: u64,
    /// Values that were written.
    pub sets: u64,
    /// Deletes.
    pub deletes: u64,
}

impl Prefixes {
    /// Counts of prefixes that end before this byte.
    #[must_use]
    pub fn new(delimiter: u8, enabled: bool) -> Self {
        Self { enabled: AtomicBool::new(enabled), delimiter, counts: Mutex::default() }
    }

    /// Whether anything is counted.
    #[inline]
    #[must_use]
    pub fn are_counted(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    /// Starts counting, or stops.
    pub fn enable(&self, enabled: bool) {
        self.enabled.store(enabled, Ordering::Relaxed);
    }

    /// Forgets all.
    pub fn reset(&self) {
        self.lock().clear();
    }

    /// Counts what happened to a key that has a prefix, unless nothing is counted.
    /// Prefixes beyond the limit are not counted.
    pub fn count(&self, key: &[u8], count: impl FnOnce(&mut Counts)) {
        if !self.are_counted() {
            return;
        }
        let end = key.iter().position(|&byte| byte == self.delimiter);
        let Some(prefix) = end.map(|end| &key[..end]) else { return };
        let mut counts = self.lock();
        if let Some(counts) = counts.get_mut(prefix) {
            count(counts);
        } else if counts.len() < PREFIXES_MAX {
            count(counts.entry(prefix.into()).or_default());
        }
    }

    /// Shows each prefix with its counts.
    pub fn each(&self, mut show: impl FnMut(&[u8], &Counts)) {
        self.lock().iter().for_each(|(prefix, counts)| show(prefix, counts));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Box<[u8]>, Counts>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(prefixes: &Prefixes) -> Vec<(Vec<u8>, u64)> {
        let mut all = Vec::new();
        prefixes.each(|prefix, counts| all.push((prefix.to_vec(), counts.gets)));
        all
    }

    #[test]
    fn keys_are_counted_by_prefix() {
        let prefixes = Prefixes::new(b':', true);
        for key in [&b"a:1"[..], b"a:2", b"b", b":c"] {
            prefixes.count(key, |counts| counts.gets += 1);
        }
        assert_eq!(shown(&prefixes), [(b"".to_vec(), 1), (b"a".to_vec(), 2)]);
        prefixes.enable(false);
        prefixes.count(b"a:1", |counts| counts.gets += 1);
        assert_eq!(shown(&prefixes)[1], (b"a".to_vec(), 2));
        prefixes.reset();
        assert_eq!(shown(&prefixes), []);
    }

    #[test]
    fn prefixes_are_bounded() {
        let prefixes = Prefixes::new(b':', true);
        for key in 0..PREFIXES_MAX + 10 {
            prefixes.count(format!("{key}:").as_bytes(), |counts| counts.gets += 1);
        }
        assert_eq!(shown(&prefixes).len(), PREFIXES_MAX);
        prefixes.count(b"0:1", |counts| counts.gets += 1);
        assert_eq!(shown(&prefixes)[0], (b"0".to_vec(), 2), "known ones still count");
    }
}
