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

    /// Takes so many bytes where, with those that come back, so many are left.
    fn take(&self, bytes: usize, coming: usize) -> Result<(), OverBudget> {
        let (bytes, coming) = (bytes as isize, coming as isize);
        let less = |left: isize| (left + coming >= bytes).then(|| left - bytes);
        // Only the number itself is shared, so no order is needed.
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.map(drop).map_err(|left| OverBudget { short: (bytes - left) as usize })
    }

    fn give_back(&self, bytes: usize) {
        self.left.fetch_add(bytes as isize, Ordering::Relaxed);
    }
}

/// The connections hold all the memory they may. The claim stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OverBudget {
    /// By so many bytes.
    pub(super) short: usize,
}

/// The part that one connection holds; given back when it goes.
#[derive(Debug)]
pub(super) struct Claim {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Claim {
    /// Makes it as large as what the connection holds, in whole steps: what is
    /// below the first costs nothing. So many bytes come back from others that make
    /// room, and count as if they were there.
    pub(super) fn resize(&mut self, bytes: usize, coming: usize) -> Result<(), OverBudget> {
        let bytes = in_steps(bytes);
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.budget.take(more, coming)?,
            None => self.budget.give_back(self.bytes - bytes),
        }
        self.bytes = bytes;
        Ok(())
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

    fn over_by(short: usize) -> Result<(), OverBudget> {
        Err(OverBudget { short })
    }

    #[test]
    fn claims_share_what_there_is() {
        let budget = Budget::new(64 << 10);
        let (mut one, mut two) = (budget.claim(), budget.claim());
        assert_eq!(one.resize(48 << 10, 0), Ok(()));
        assert_eq!(two.resize(20 << 10, 0), over_by(4 << 10));
        assert_eq!(two.resize(16 << 10, 0), Ok(()));
        assert_eq!(one.resize(0, 0), Ok(()));
        assert_eq!(two.resize(64 << 10, 0), Ok(()));
    }

    #[test]
    fn claims_come_back() {
        let budget = Budget::new(8 << 10);
        let mut claim = budget.claim();
        claim.resize(8 << 10, 0).unwrap();
        drop(claim);
        assert_eq!(budget.claim().resize(8 << 10, 0), Ok(()));
    }

    #[test]
    fn what_comes_back_is_given_once() {
        let budget = Budget::new(8 << 10);
        let (mut hog, mut other) = (budget.claim(), budget.claim());
        hog.resize(8 << 10, 0).unwrap();
        assert_eq!(other.resize(4 << 10, 0), over_by(4 << 10));
        assert_eq!(other.resize(4 << 10, hog.bytes()), Ok(()));
        assert_eq!(other.resize(8 << 10, hog.bytes()), Ok(()));
        assert_eq!(budget.claim().resize(4 << 10, hog.bytes()), over_by(12 << 10));
        drop(hog);
        assert_eq!(budget.claim().resize(4 << 10, 0), over_by(4 << 10));
        drop(other);
        assert_eq!(budget.claim().resize(8 << 10, 0), Ok(()));
    }

    #[test]
    fn small_change_is_free() {
        let budget = Budget::new(0);
        assert_eq!(budget.claim().resize(BUDGET_STEP_BYTES - 1, 0), Ok(()));
        assert_eq!(budget.claim().resize(BUDGET_STEP_BYTES, 0), over_by(BUDGET_STEP_BYTES));
    }
}
