//! The way from a key to its item: hash, owners, primary, store.

use crate::item::{Key, Now, Op, Outcome, Store};
use crate::node::{Counters, Shared, ViewReader};
use crate::ring::KeyHash;
use crate::store::{Found, PREFETCH_MAX, SharedValue};
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

/// The way from a key to its item, for all sessions of one worker. Every
/// request for an item goes it, so this is the one place where it may turn to
/// another node.
pub(in crate::node) struct Road {
    shared: Arc<Shared>,
    view: RefCell<ViewReader>,
    worker: usize,
}

/// Where the primary of a key is.
enum Primary {
    /// In this node.
    Here,
}

impl Road {
    pub(in crate::node) fn new(shared: &Arc<Shared>, worker: usize) -> Self {
        let view = RefCell::new(shared.view.reader());
        Self { shared: Arc::clone(shared), view, worker }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn counters(&self) -> &Counters {
        self.shared.counters(self.worker)
    }

    /// Reads an item that nothing else is to happen to.
    #[inline]
    pub(super) fn get<R>(
        &self,
        key: Key<'_>,
        now: Now,
        visit: impl FnOnce(&Found<'_>) -> R,
    ) -> Option<R> {
        let (hash, primary) = self.primary(key);
        match primary {
            Primary::Here => self.shared.store.get(hash, key, now, visit),
        }
    }

    /// Reads an item so that nobody will know.
    pub(super) fn peek<R>(
        &self,
        key: Key<'_>,
        now: Now,
        visit: impl FnOnce(&Found<'_>) -> R,
    ) -> Option<R> {
        let (hash, primary) = self.primary(key);
        match primary {
            Primary::Here => self.shared.store.peek(hash, key, now, visit),
        }
    }

    /// Does what `op` asks.
    #[inline]
    pub(super) fn apply<R>(
        &self,
        key: Key<'_>,
        now: Now,
        op: &Op<'_>,
        visit: impl FnOnce(Outcome, Option<&Found<'_>>) -> R,
    ) -> R {
        let (hash, primary) = self.primary(key);
        match primary {
            Primary::Here => self.shared.store.apply(hash, key, now, op, visit),
        }
    }

    /// Gets ready for requests for these keys, as many as are worth it at once.
    pub(super) fn prefetch<'k>(&self, keys: impl Iterator<Item = Key<'k>>) {
        let mut view = self.view.borrow_mut();
        let mut hashes = [KeyHash(0); PREFETCH_MAX];
        let mut count = 0;
        for (hash, key) in hashes.iter_mut().zip(keys) {
            *hash = view.view().hash(key.bytes());
            count += 1;
        }
        self.shared.store.prefetch(&hashes[..count]);
    }

    /// Writes a value, which is kept as it is where it came apart from the input.
    #[inline]
    pub(super) fn store<R>(
        &self,
        key: Key<'_>,
        now: Now,
        store: Store<'_>,
        whole: Option<&SharedValue>,
        visit: impl FnOnce(Outcome, Option<&Found<'_>>) -> R,
    ) -> R {
        let (hash, primary) = self.primary(key);
        let op = Op::Store(store);
        match primary {
            Primary::Here => self.shared.store.apply_shared(hash, key, now, &op, whole, visit),
        }
    }

    /// The key's hash, and who acts for it. A node alone is the primary of every
    /// key.
    #[inline]
    fn primary(&self, key: Key<'_>) -> (KeyHash, Primary) {
        let mut view = self.view.borrow_mut();
        let view = view.view();
        let hash = view.hash(key.bytes());
        debug_assert_eq!(view.nodes().len(), 1, "a node alone");
        debug_assert_eq!(view.readers(hash).primary(), 0);
        (hash, Primary::Here)
    }
}

impl fmt::Debug for Road {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Road").finish_non_exhaustive()
    }
}
