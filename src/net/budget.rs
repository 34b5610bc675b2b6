//! The memory that the connections of a node may hold together: unfinished
//! requests, large values on their way in, and answers that were not taken.

use crate::limits::BUDGET_STEP_BYTES;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is left for all connections.
#[derive(Debug)]
pub(super) struct Budget {
    left: AtomicUsize,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(bytes) })
    }

    /// A claim on nothing yet.
    pub(super) fn claim(self: &Arc<Self>) -> Claim {
        Claim { budget: Arc::clone(self), bytes: 0 }
    }

    fn take(&self, bytes: usize) -> Result<(), OverBudget> {
        let less = |left: usize| left.checked_sub(bytes);
        // Only the number itself is shared, so no order is needed.
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.map(drop).map_err(|_| OverBudget)
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
    #[inline]
    pub(super) fn resize(&mut self, bytes: usize) -> Result<(), OverBudget> {
        let bytes = bytes - bytes % BUDGET_STEP_BYTES;
        if bytes == self.bytes {
            return Ok(());
        }
        self.resize_to(bytes)
    }

    fn resize_to(&mut self, bytes: usize) -> Result<(), OverBudget> {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.budget.take(more)?,
            None => drop(self.budget.left.fetch_add(self.bytes - bytes, Ordering::Relaxed)),
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
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
    fn small_change_is_free() {
        let budget = Budget::new(0);
        assert_eq!(budget.claim().resize(BUDGET_STEP_BYTES - 1), Ok(()));
        assert_eq!(budget.claim().resize(BUDGET_STEP_BYTES), Err(OverBudget));
    }
}
