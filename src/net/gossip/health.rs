//! How much this node trusts its own ears.
//!
//! A node that is itself slow hears all answers late and would accuse everyone.
//! So it counts the probes it had no answer to, gives everyone more time the more
//! there are, and trusts itself again as answers come (Lifeguard, DSN 2018). One
//! miss changes nothing: it is the other's fault more often than not, and a death
//! is to be seen without delay.

/// Misses that are counted, at most: nobody is given more than so many times the
/// usual.
const MISSES_MAX: u32 = 8;

/// Answers in a row that make up for one miss. A node that hears every second
/// answer is not well.
const ANSWERS_FOR_ONE: u32 = 3;

/// How much this node trusts its own ears.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Health {
    misses: u32,
    answers: u32,
}

impl Health {
    /// An answer did not come, though there was no reason to expect that.
    pub(super) fn missed(&mut self) {
        self.misses = (self.misses + 1).min(MISSES_MAX);
        self.answers = 0;
    }

    /// An answer came.
    pub(super) fn answered(&mut self) {
        self.answers += 1;
        if self.answers == ANSWERS_FOR_ONE {
            self.answers = 0;
            self.misses = self.misses.saturating_sub(1);
        }
    }

    /// How many times the usual everyone is given.
    pub(super) fn stretch(self) -> u32 {
        self.misses.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_miss_changes_nothing() {
        let mut health = Health::default();
        health.missed();
        assert_eq!(health.stretch(), 1);
    }

    #[test]
    fn many_misses_give_time_up_to_a_bound() {
        let mut health = Health::default();
        let stretches: Vec<u32> = (0..10)
            .map(|_| {
                health.missed();
                health.stretch()
            })
            .collect();
        assert_eq!(stretches, [1, 2, 3, 4, 5, 6, 7, 8, 8, 8]);
    }

    #[test]
    fn answers_in_a_row_make_up_for_misses() {
        let mut health = Health { misses: 3, answers: 0 };
        for _ in 0..2 {
            health.answered();
        }
        health.missed();
        assert_eq!(health.stretch(), 4, "the row was broken");
        for _ in 0..12 {
            health.answered();
        }
        assert_eq!(health.stretch(), 1);
    }
}
