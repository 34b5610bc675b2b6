//! What `bench` can be asked, and the load that it means.

use super::super::check::Check;
use super::super::output::{self, Format};
use super::super::units::{self, UnitError};
use super::CliError;
use crate::lab::Distribution;
use crate::lab::load::{Address, Data, Extent, Load, Mix, Protocol, Route, Scrutiny, Wait};
use crate::limits::{
    KEY_BYTES_MAX, LOAD_CONNECTIONS_MAX, LOAD_MULTIGET_MAX, LOAD_PIPELINE_MAX, LOAD_VALUE_BYTES_MAX,
};
use std::ops::RangeInclusive;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// The server: an address with its port, or unix:PATH
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:11211")]
    server: Address,
    /// Ask the server for its ring, spread the connections over the nodes, and
    /// send each key to its primary; or to a node that is not; or to any
    #[arg(long, value_name = "WHERE", value_enum, num_args = 0..=1, require_equals = true,
          default_missing_value = "primary")]
    ring: Option<Where>,
    /// The words it is asked in
    #[arg(long, value_name = "NAME", value_enum, default_value_t = Words::Text)]
    protocol: Words,
    /// Connections that ask
    #[arg(long, value_name = "N", value_parser = connections, default_value = "16")]
    connections: usize,
    /// Connections that are opened beside them and only held
    #[arg(long, value_name = "N", value_parser = idle, default_value = "0")]
    idle: usize,
    /// Threads to spread them over [default: half of the processors]
    #[arg(long, value_name = "N", value_parser = connections)]
    threads: Option<usize>,
    /// Requests sent at once on a connection
    #[arg(long, value_name = "N", value_parser = pipeline, default_value = "1")]
    pipeline: usize,
    /// The part of requests that read
    #[arg(long, value_name = "PERCENT", value_parser = units::share, default_value = "90%")]
    reads: f64,
    /// Keys of one reading request
    #[arg(long, value_name = "N", value_parser = multiget, default_value = "1")]
    multiget: usize,
    /// Bytes of a value, or a range such as 50-150
    #[arg(long, value_name = "SIZE", value_parser = value_bytes, default_value = "100")]
    value_bytes: RangeInclusive<usize>,
    /// Bytes of a key
    #[arg(long, value_name = "N", value_parser = key_bytes, default_value = "16")]
    key_bytes: usize,
    /// What every key begins with
    #[arg(long, value_name = "TEXT", default_value = "key:")]
    key_prefix: String,
    /// Keys to choose from
    #[arg(long, value_name = "N", value_parser = units::count, default_value = "1M")]
    keys: u64,
    /// Which of them: uniform, sequential or zipf:EXPONENT
    #[arg(long, value_name = "KIND", value_parser = units::distribution, default_value = "uniform")]
    dist: Distribution,
    /// Write a key that was not found, as an application before a database does
    #[arg(long)]
    cache_aside: bool,
    /// The part of requests that read keys asked for only once
    #[arg(long, value_name = "PERCENT", value_parser = units::share, default_value = "0%")]
    scan: f64,
    /// How long values live; 0s is for ever
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "0s")]
    ttl: Duration,
    /// How long to ask
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "10s")]
    duration: Duration,
    /// How many requests to send instead
    #[arg(long, value_name = "N", value_parser = units::count, conflicts_with = "duration")]
    requests: Option<u64>,
    /// How long to ask before counting, or how many requests [default: 2s, with
    /// --requests none]
    #[arg(long, value_name = "TIME|N", value_parser = extent)]
    warm_up: Option<Extent>,
    /// Write every key once before all that
    #[arg(long)]
    preload: bool,
    /// Requests a second, sent when due however late answers are; latency counts
    /// from then
    #[arg(long, value_name = "N/s", value_parser = rate)]
    rate: Option<u64>,
    /// Compare every value with the one that belongs to its key
    #[arg(long)]
    verify: bool,
    /// Equal seeds ask for equal keys
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How long an answer may take before the run is given up
    #[arg(long, value_name = "TIME", value_parser = timeout, default_value = "5s")]
    timeout: Duration,
    /// Processes whose costs are told together [default: those that servers on
    /// this machine say they are]
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pid: Vec<u32>,
    /// Ask Redis after its writes to wait until a replica has them
    #[arg(long, value_name = "WHEN", value_enum)]
    wait: Option<When>,
    /// Fail unless the run meets this, such as `p99_us<=500`
    #[arg(long, value_name = "CHECK", value_delimiter = ',')]
    pub(super) check: Vec<Check>,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) output: Format,
}

/// The names of the protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Words {
    /// memcached's get and set
    Text,
    /// memcached's meta commands, mg and ms
    Meta,
    /// Redis, for comparison
    Redis,
}

/// Which node is asked for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Where {
    /// The key's primary
    Primary,
    /// One that has to ask another
    Other,
    /// Whichever
    Any,
}

/// When Redis is to wait for a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum When {
    /// After each write
    Each,
    /// Once after all writes that were sent at once
    Batch,
}

/// Asked for so long before counting, unless told otherwise.
const WARM_UP: Duration = Duration::from_secs(2);

impl BenchArgs {
    pub(super) fn load(&self) -> Result<Load, CliError> {
        let extent = self.requests.map_or(Extent::Duration(self.duration), Extent::Requests);
        let warm_up = match extent {
            Extent::Duration(_) => Extent::Duration(WARM_UP),
            Extent::Requests(_) => Extent::Requests(0),
        };
        Ok(Load {
            server: self.server.clone(),
            ring: self.ring.map(|place| match place {
                Where::Primary => Route::Primary,
                Where::Other => Route::Other,
                Where::Any => Route::Any,
            }),
            protocol: match self.protocol {
                Words::Text => Protocol::Text,
                Words::Meta => Protocol::Meta,
                Words::Redis => Protocol::Redis,
            },
            connections: self.connections,
            idle: self.idle,
            threads: self.threads.unwrap_or_else(half_of_the_processors),
            pipeline: self.pipeline,
            rate: self.rate,
            mix: Mix {
                reads: self.reads,
                multiget: self.multiget,
                distribution: self.dist,
                cache_aside: self.cache_aside,
                scan: self.scan,
            },
            data: Data {
                keys: self.keys,
                prefix: self.key_prefix.clone(),
                key_bytes: self.key_bytes,
                value_bytes: self.value_bytes.clone(),
                ttl_s: self.ttl_s()?,
            },
            extent,
            warm_up: self.warm_up.unwrap_or(warm_up),
            preload: self.preload,
            scrutiny: if self.verify { Scrutiny::Values } else { Scrutiny::Shape },
            seed: self.seed,
            timeout: self.timeout,
            pids: self.pid.clone(),
            wait: self.wait.map(|when| match when {
                When::Each => Wait::Each,
                When::Batch => Wait::Batch,
            }),
        })
    }

    /// Whole seconds, as protocols have them, and no more than memcached takes
    /// for a span: beyond 30 days it is a date.
    fn ttl_s(&self) -> Result<u32, CliError> {
        const SPAN_S_MAX: u64 = 60 * 60 * 24 * 30;
        let seconds = self.ttl.as_secs();
        match self.ttl.subsec_nanos() {
            0 if seconds <= SPAN_S_MAX => Ok(seconds as u32),
            _ => Err(CliError::Usage("a --ttl is of whole seconds, 30 days at most".into())),
        }
    }
}

/// The other half is left to a server on the same machine.
fn half_of_the_processors() -> usize {
    std::thread::available_parallelism().map_or(1, |count| (count.get() / 2).max(1))
}

fn extent(text: &str) -> Result<Extent, String> {
    let count = units::count(text).map(Extent::Requests);
    // `5m` is a time here: five million are written `5M`.
    let extent = units::duration(text).map(Extent::Duration).or(count);
    extent.map_err(|_| format!("`{text}` is neither a time such as 2s nor a count such as 5M"))
}

fn connections(text: &str) -> Result<usize, String> {
    within(text, 1, LOAD_CONNECTIONS_MAX)
}

fn idle(text: &str) -> Result<usize, String> {
    within(text, 0, LOAD_CONNECTIONS_MAX)
}

fn pipeline(text: &str) -> Result<usize, String> {
    within(text, 1, LOAD_PIPELINE_MAX)
}

fn multiget(text: &str) -> Result<usize, String> {
    within(text, 1, LOAD_MULTIGET_MAX)
}

fn key_bytes(text: &str) -> Result<usize, String> {
    within(text, 1, KEY_BYTES_MAX)
}

fn within(text: &str, min: usize, max: usize) -> Result<usize, String> {
    let count = units::count(text).map_err(|error| error.to_string())?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    match (min..=max).contains(&count) {
        true => Ok(count),
        false => Err(format!("it must be {min} to {}", output::thousands(max as u64))),
    }
}

fn value_bytes(text: &str) -> Result<RangeInclusive<usize>, String> {
    let size = |text: &str| match units::bytes(text).map_err(|error| error.to_string())? {
        size @ 0..=LOAD_VALUE_BYTES_MAX => Ok(size as usize),
        _ => Err(format!("a value has at most {} bytes", output::thousands(LOAD_VALUE_BYTES_MAX))),
    };
    let (min, max) = text.split_once('-').unwrap_or((text, text));
    let range = size(min)?..=size(max)?;
    if range.is_empty() { Err(format!("`{text}` ends before it begins")) } else { Ok(range) }
}

fn rate(text: &str) -> Result<u64, String> {
    let count = units::count(text.strip_suffix("/s").unwrap_or(text));
    match count.map_err(|error: UnitError| error.to_string())? {
        0 => Err("at a rate of 0 nothing is asked".to_owned()),
        rate => Ok(rate),
    }
}

fn timeout(text: &str) -> Result<Duration, String> {
    match units::duration(text).map_err(|error| error.to_string())? {
        Duration::ZERO => Err("no answer comes in no time".to_owned()),
        timeout => Ok(timeout),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_or_ranges() {
        assert_eq!(value_bytes("100"), Ok(100..=100));
        assert_eq!(value_bytes("50-150"), Ok(50..=150));
        assert_eq!(value_bytes("1k-1MiB"), Ok(1024..=1 << 20));
        for text in ["", "-", "5-", "150-50", "65m", "1-65m", "a-b"] {
            assert!(value_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates_may_name_the_second() {
        assert_eq!(["500", "20k", "20k/s"].map(|text| rate(text).unwrap()), [500, 20_000, 20_000]);
        for text in ["0", "0/s", "1/m", ""] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn extents_are_times_or_counts() {
        assert_eq!(extent("2s"), Ok(Extent::Duration(WARM_UP)));
        assert_eq!(extent("2m"), Ok(Extent::Duration(60 * WARM_UP)));
        assert_eq!(extent("2M"), Ok(Extent::Requests(2_000_000)));
        assert!(extent("2x").is_err() && extent("").is_err());
    }

    #[test]
    fn counts_have_limits() {
        assert_eq!(pipeline("10k"), Ok(LOAD_PIPELINE_MAX));
        for refused in [pipeline("10001"), connections("0"), key_bytes("251"), multiget("x")] {
            assert!(refused.is_err(), "{refused:?}");
        }
        assert_eq!(idle("0"), Ok(0));
    }
}
