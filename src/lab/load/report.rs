//! What a run gives.

use super::Tally;

/// What a run gives.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was asked, answered and timed.
    pub tally: Tally,
    /// How long that took.
    pub seconds: f64,
    /// What the generator itself spent, in microseconds on a processor.
    pub client_cpu_us: f64,
    /// How many servers were asked.
    pub server_count: usize,
    /// Their processes, if they are known.
    pub servers: Option<Servers>,
}

/// What a run cost the servers' processes.
#[derive(Clone, Debug)]
pub struct Servers {
    /// Their numbers.
    pub pids: Vec<u32>,
    /// Microseconds on a processor, of all its threads, during the run.
    pub cpu_us: Option<f64>,
    /// Bytes of memory after the run.
    pub rss_bytes: Option<u64>,
    /// Those that no file backs.
    pub rss_anon_bytes: Option<u64>,
}

impl Report {
    /// Operations in a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.tally.operations() as f64 / self.seconds
    }

    /// The part of an operation in an amount of the whole run.
    #[must_use]
    pub fn each(&self, amount: f64) -> f64 {
        amount / self.tally.operations() as f64
    }
}
