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

    /// A connection that holds so many bytes is to hold so many others, both in whole
    /// steps. So many come back from others that make room, and count as if they were
    /// there.
    pub(super) fn resize(&self, from: usize, to: usize, coming: usize) -> Result<(), OverBudget> {
        match to.checked_sub(from) {
            Some(more) => self.take(more, coming),
            None => {
                self.give_back(from - to);
                Ok(())
            }
        }
    }

    /// Takes so many bytes where, with those that come back, so many are left.
    fn take(&self, bytes: usize, coming: usize) -> Result<(), OverBudget> {
        let (bytes, coming) = (bytes as isize, coming as isize);
        let less = |left: isize| (left + coming >= bytes).then(|| left - bytes);
        // Only the number itself is shared, so no order is needed.
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.map(drop).map_err(|left| OverBudget { short: (bytes - left) as usize })
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.left.fetch_add(bytes as isize, Ordering::Relaxed);
    }
}

/// The connections hold all the memory they may. The claim stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OverBudget {
    /// By so many bytes.
    pub(super) short: usize,
}

/// What is counted of so many bytes that a connection holds: what is below the first
/// step costs nothing.
pub(super) fn in_steps(bytes: usize) -> usize {
    bytes - bytes % BUDGET_STEP_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over_by(short: usize) -> Result<(), OverBudget> {
        Err(OverBudget { short })
    }

    #[test]
    fn all_share_what_there_is() {
        let budget = Budget::new(64 << 10);
        assert_eq!(budget.resize(0, 48 << 10, 0), Ok(()));
        assert_eq!(budget.resize(0, 20 << 10, 0), over_by(4 << 10));
        assert_eq!(budget.resize(0, 16 << 10, 0), Ok(()));
        assert_eq!(budget.resize(48 << 10, 0, 0), Ok(()));
        assert_eq!(budget.resize(16 << 10, 64 << 10, 0), Ok(()));
        budget.give_back(64 << 10);
        assert_eq!(budget.resize(0, 64 << 10, 0), Ok(()));
    }

    #[test]
    fn what_comes_back_is_given_once() {
        let budget = Budget::new(8 << 10);
        let hog = 8 << 10;
        budget.resize(0, hog, 0).unwrap();
        assert_eq!(budget.resize(0, 4 << 10, 0), over_by(4 << 10));
        assert_eq!(budget.resize(0, 4 << 10, hog), Ok(()));
        assert_eq!(budget.resize(4 << 10, 8 << 10, hog), Ok(()));
        assert_eq!(budget.resize(0, 4 << 10, hog), over_by(12 << 10));
        budget.give_back(hog);
        assert_eq!(budget.resize(0, 4 << 10, 0), over_by(4 << 10));
        budget.give_back(8 << 10);
        assert_eq!(budget.resize(0, 8 << 10, 0), Ok(()));
    }

    #[test]
    fn small_change_is_free() {
        assert_eq!(in_steps(BUDGET_STEP_BYTES - 1), 0);
        assert_eq!(in_steps(2 * BUDGET_STEP_BYTES + 1), 2 * BUDGET_STEP_BYTES);
    }
}
