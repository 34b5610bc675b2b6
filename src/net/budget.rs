//! The memory that the connections of a node may hold together: unfinished
//! requests, large values on their way in, and answers that were not taken, with the
//! large values in them.

use crate::limits::BUDGET_STEP_BYTES;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};

/// What is left for all connections. Less than nothing while one that is to make
/// room for others has not yet done so.
#[derive(Debug)]
pub(super) struct Budget {
    left: AtomicIsize,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicIsize::new(isize::try_from(bytes).unwrap_or(isize::MAX)) })
    }

    /// A claim on nothing yet.
    pub(super) fn claim(self: &Arc<Self>) -> Claim {
        Claim { budget: Arc::clone(self), bytes: 0 }
    }

    fn take(&self, bytes: usize) -> Result<(), OverBudget> {
        let less = |left: isize| (left >= bytes as isize).then(|| left - bytes as isize);
        // Only the number itself is shared, so no order is needed.
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.map(drop).map_err(|_| OverBudget)
    }

    fn give_back(&self, bytes: usize) {
        self.left.fetch_add(bytes as isize, Ordering::Relaxed);
    }
}

/// The connections hold all the memory they may. The claim stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OverBudget;

/// The part that one connection holds; given back when it goes.
#[derive(Debug)]
pub(super) struct Claim {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Claim {
    /// Makes it as large as what the connection holds, in whole steps: what is
    /// below the first costs nothing.
    pub(super) fn resize(&mut self, bytes: usize) -> Result<(), OverBudget> {
        let bytes = in_steps(bytes);
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.budget.take(more)?,
            None => self.budget.give_back(self.bytes - bytes),
        }
        self.bytes = bytes;
        Ok(())
    }

    /// The same, whatever is left: somebody makes room for it.
    pub(super) fn overdraw(&mut self, bytes: usize) {
        let bytes = in_steps(bytes);
        self.budget.left.fetch_sub(bytes as isize - self.bytes as isize, Ordering::Relaxed);
        self.bytes = bytes;
    }

    /// Whether it is already as large as that.
    #[inline]
    pub(super) fn is_for(&self, bytes: usize) -> bool {
        self.bytes == in_steps(bytes)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

fn in_steps(bytes: usize) -> usize {
    bytes - bytes % BUDGET_STEP_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_share_what_there_is() {
        let budget = Budget::new(64 << 10);
        let (mut one, mut two) = (budget.claim(), budget.claim());
        assert_eq!(one.resize(48 << 10), Ok(()));
        assert_eq!(two.resize(20 << 10), Err(OverBudget));
        assert_eq!(two.resize(16 << 10), Ok(()));
        assert_eq!(one.resize(0), Ok(()));
        assert_eq!(two.resize(64 << 10), Ok(()));
    }

    #[test]
    fn claims_come_back() {
        let budget = Budget::new(8 << 10);
        let mut claim = budget.claim();
        claim.resize(8 << 10).unwrap();
        drop(claim);
        assert_eq!(budget.claim().resize(8 << 10), Ok(()));
    }

    #[test]
    fn what_is_overdrawn_comes_back_first() {
        let budget = Budget::new(8 << 10);
        let (mut hog, mut other) = (budget.claim(), budget.claim());
        hog.resize(8 << 10).unwrap();
        other.overdraw(4 << 10);
        assert_eq!(budget.claim().resize(4 << 10), Err(OverBudget));
        drop(hog);
        assert_eq!(budget.claim().resize(8 << 10), Err(OverBudget));
        assert_eq!(budget.claim().resize(4 << 10), Ok(()));
    }

    #[test]
    fn small_change_is_free() {
        let budget = Budget::new(0);
        assert_eq!(budget.claim().resize(BUDGET_STEP_BYTES - 1), Ok(()));
        assert_eq!(budget.claim().resize(BUDGET_STEP_BYTES), Err(OverBudget));
    }
}
