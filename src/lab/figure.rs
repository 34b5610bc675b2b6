//! The figures of a row: their names, units and how they are summed up.

/// One thing that is measured. The table, the JSON, the CSV and `--check` all
/// take their names from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// The emptiest node's primaries over its fair share.
    MinOverMean,
    /// The fullest node's primaries over its fair share.
    MaxOverMean,
    /// Standard deviation of the primaries over the fair share.
    Stddev,
    /// The emptiest node's copies over its fair share.
    CopiesMinOverMean,
    /// The fullest node's copies over its fair share.
    CopiesMaxOverMean,
    /// Standard deviation of the copies over the fair share.
    CopiesStddev,
    /// The most that one survivor's primaries grow when a node dies.
    SurvivorGain,
    /// A node joins: primaries moved over the least possible.
    AddMoved,
    /// A node joins: copies moved over the least possible.
    AddCopiesMoved,
    /// A node joins: part of all keys whose primary moved between two others.
    AddMisplaced,
    /// A node leaves: primaries moved over the least possible.
    RemoveMoved,
    /// A node leaves: copies moved over the least possible.
    RemoveCopiesMoved,
    /// A node leaves: part of all keys whose primary moved between two others.
    RemoveMisplaced,
    /// A zone is lost: primaries moved over the least possible.
    RemoveZoneMoved,
    /// A zone is lost: copies moved over the least possible.
    RemoveZoneCopiesMoved,
    /// A node's weight doubles: primaries moved over the least possible.
    ResizeMoved,
    /// A node's weight doubles: copies moved over the least possible.
    ResizeCopiesMoved,
    /// The key's hash alone.
    HashNs,
    /// Hash and primary of one key.
    LookupNs,
    /// Hash and all owners of one key.
    OwnersNs,
    /// Hash and primary of one key when the next key waits for the answer.
    LatencyNs,
    /// `owners_ns` over `hash_ns`, pair by pair.
    OwnersOverHash,
    /// Building it.
    BuildMs,
    /// Memory it holds.
    Bytes,
    /// Keys that were looked up for the figures above, where keys were counted.
    Keys,
}

/// What a figure's number means, and so how it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A ratio of two like things.
    Ratio,
    /// A part of a whole: 0.01 is one per cent.
    Part,
    /// Nanoseconds.
    Nanoseconds,
    /// Milliseconds.
    Milliseconds,
    /// Bytes or keys.
    Count,
}

/// Which number of a [`Summary`] speaks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// The least.
    Min,
    /// The sum over the count.
    Mean,
    /// The middle one.
    Median,
    /// The greatest.
    Max,
}

impl Figure {
    /// All of them, in the order they are shown.
    pub const ALL: [Self; 25] = [
        Self::MinOverMean,
        Self::MaxOverMean,
        Self::Stddev,
        Self::CopiesMinOverMean,
        Self::CopiesMaxOverMean,
        Self::CopiesStddev,
        Self::SurvivorGain,
        Self::AddMoved,
        Self::AddCopiesMoved,
        Self::AddMisplaced,
        Self::RemoveMoved,
        Self::RemoveCopiesMoved,
        Self::RemoveMisplaced,
        Self::RemoveZoneMoved,
        Self::RemoveZoneCopiesMoved,
        Self::ResizeMoved,
        Self::ResizeCopiesMoved,
        Self::HashNs,
        Self::LookupNs,
        Self::OwnersNs,
        Self::LatencyNs,
        Self::OwnersOverHash,
        Self::BuildMs,
        Self::Bytes,
        Self::Keys,
    ];

    /// Its name in JSON, CSV and `--check`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.words().0
    }

    /// What its number means.
    #[must_use]
    pub fn unit(self) -> Unit {
        self.words().1
    }

    /// Which of several seeds or rounds speaks for it: the worst for what is
    /// promised of every ring, the mean for what is promised on average, the
    /// median for what a noisy machine blurs.
    #[must_use]
    pub fn statistic(self) -> Statistic {
        self.words().2
    }

    fn words(self) -> (&'static str, Unit, Statistic) {
        use Statistic::{Max, Mean, Median, Min};
        use Unit::{Count, Milliseconds, Nanoseconds, Part, Ratio};
        match self {
            Self::MinOverMean => ("min_over_mean", Ratio, Min),
            Self::MaxOverMean => ("max_over_mean", Ratio, Max),
            Self::Stddev => ("stddev", Part, Mean),
            Self::CopiesMinOverMean => ("copies_min_over_mean", Ratio, Min),
            Self::CopiesMaxOverMean => ("copies_max_over_mean", Ratio, Max),
            Self::CopiesStddev => ("copies_stddev", Part, Mean),
            Self::SurvivorGain => ("survivor_gain", Part, Max),
            Self::AddMoved => ("add_moved", Ratio, Mean),
            Self::AddCopiesMoved => ("add_copies_moved", Ratio, Mean),
            Self::AddMisplaced => ("add_misplaced", Part, Mean),
            Self::RemoveMoved => ("remove_moved", Ratio, Mean),
            Self::RemoveCopiesMoved => ("remove_copies_moved", Ratio, Mean),
            Self::RemoveMisplaced => ("remove_misplaced", Part, Mean),
            Self::RemoveZoneMoved => ("remove_zone_moved", Ratio, Mean),
            Self::RemoveZoneCopiesMoved => ("remove_zone_copies_moved", Ratio, Mean),
            Self::ResizeMoved => ("resize_moved", Ratio, Mean),
            Self::ResizeCopiesMoved => ("resize_copies_moved", Ratio, Mean),
            Self::HashNs => ("hash_ns", Nanoseconds, Median),
            Self::LookupNs => ("lookup_ns", Nanoseconds, Median),
            Self::OwnersNs => ("owners_ns", Nanoseconds, Median),
            Self::LatencyNs => ("latency_ns", Nanoseconds, Median),
            Self::OwnersOverHash => ("owners_over_hash", Ratio, Median),
            Self::BuildMs => ("build_ms", Milliseconds, Median),
            Self::Bytes => ("bytes", Count, Median),
            Self::Keys => ("keys", Count, Min),
        }
    }
}

/// A figure over several seeds or rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The least.
    pub min: f64,
    /// The sum over the count.
    pub mean: f64,
    /// The middle one, the lower of two.
    pub median: f64,
    /// The greatest.
    pub max: f64,
}

impl Summary {
    /// Sums up at least one number.
    pub(super) fn of(mut numbers: Vec<f64>) -> Self {
        numbers.sort_unstable_by(f64::total_cmp);
        Self {
            min: numbers[0],
            mean: numbers.iter().sum::<f64>() / numbers.len() as f64,
            median: numbers[(numbers.len() - 1) / 2],
            max: numbers[numbers.len() - 1],
        }
    }

    /// One of its numbers.
    #[must_use]
    pub fn take(&self, statistic: Statistic) -> f64 {
        match statistic {
            Statistic::Min => self.min,
            Statistic::Mean => self.mean,
            Statistic::Median => self.median,
            Statistic::Max => self.max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_is_listed_once() {
        let mut names = Figure::ALL.map(Figure::name);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(Figure::ALL.is_sorted());
    }

    #[test]
    fn summaries_hold_the_extremes() {
        let summary = Summary::of(vec![3.0, 1.0, 2.0, 10.0]);
        assert_eq!(summary, Summary { min: 1.0, mean: 4.0, median: 2.0, max: 10.0 });
        assert!(summary.take(Statistic::Max) >= summary.take(Statistic::Mean));
    }
}
