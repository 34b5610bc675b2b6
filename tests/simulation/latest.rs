//! The greatest of all that was there before some moment.

/// What was there from when, by the moment; each with the greatest so far.
#[derive(Debug)]
pub(crate) struct Latest<T>(Vec<(u64, T)>);

impl<T: Copy + Ord> FromIterator<(u64, T)> for Latest<T> {
    fn from_iter<I: IntoIterator<Item = (u64, T)>>(all: I) -> Self {
        let mut all: Vec<(u64, T)> = all.into_iter().collect();
        all.sort_unstable();
        for place in 1..all.len() {
            all[place].1 = all[place].1.max(all[place - 1].1);
        }
        Self(all)
    }
}

impl<T: Copy> Latest<T> {
    /// The greatest of those before this moment.
    pub(crate) fn before(&self, moment: u64) -> Option<T> {
        let before = self.0.partition_point(|&(at, _)| at < moment);
        Some(self.0[before.checked_sub(1)?].1)
    }
}
