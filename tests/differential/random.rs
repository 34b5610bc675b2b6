//! Draws from numbers that look random and are the same in every run of one seed.

use ringcached::lab;

pub(crate) struct Random(lab::Random);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(lab::Random::new(seed))
    }

    /// Less than `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.below(end)
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.0.word() as u8).collect()
    }
}
