//! What a table is measured under.

use super::keys::Keys;
use super::scenario::Scenario;

/// What all rows of a table have in common.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// The keys that are looked up.
    pub keys: Keys,
    /// Whether to count slots, where an algorithm has them, instead of sampling
    /// keys: right when all keys are asked for alike.
    pub count_slots: bool,
    /// The changes to watch.
    pub scenarios: Vec<Scenario>,
    /// Clusters of that size to build, each from another seed.
    pub seeds: u64,
    /// Rounds of timing; zero leaves the timing out.
    pub rounds: usize,
}
