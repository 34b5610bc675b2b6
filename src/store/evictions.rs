//! What was evicted, for those who want to be told.

use crate::item::{Expiry, Meta};
use crate::limits::EVICTIONS_KEPT_MAX;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An item that went to make room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evicted {
    /// Its key.
    pub key: Box<[u8]>,
    /// What was known of it.
    pub meta: Meta,
    /// Bytes that it took.
    pub memory: usize,
}

impl Evicted {
    /// Its expiry in seconds since 1970, or -1.
    #[must_use]
    pub fn expiry_s(&self) -> i64 {
        match self.meta.expiry {
            Expiry::Never => -1,
            Expiry::At(second) => i64::from(second),
        }
    }
}

/// The last items that were evicted, while somebody asks for them.
#[derive(Debug, Default)]
pub(super) struct Evictions {
    wanted: AtomicBool,
    last: Mutex<VecDeque<Evicted>>,
}

impl Evictions {
    #[inline]
    pub(super) fn are_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Keeps one for who asks next. Of too many the oldest are forgotten.
    pub(super) fn keep(&self, evicted: Evicted) {
        let mut last = self.last();
        if last.len() == EVICTIONS_KEPT_MAX {
            last.pop_front();
        }
        last.push_back(evicted);
    }

    pub(super) fn want(&self, wanted: bool) {
        self.wanted.store(wanted, Ordering::Relaxed);
    }

    pub(super) fn take(&self) -> VecDeque<Evicted> {
        std::mem::take(&mut *self.last())
    }

    fn last(&self) -> MutexGuard<'_, VecDeque<Evicted>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
