//! The load generator: asks a running server as many clients would, and
//! measures what it answers.
//!
//! ```text
//! Load -> threads -> connections: Traffic -> batch -> answers -> Tally -> Report
//! ```
//!
//! Any server that speaks memcached's text or meta protocol can be asked, and
//! Redis for comparison. The generator shall not be what is measured: a batch
//! is one write, nothing is allocated per operation, and answers are read where
//! they lie. It draws no table and starts no server.

mod address;
mod codec;
mod fleet;
mod items;
mod link;
mod pace;
mod process;
mod question;
mod report;
mod ring;
mod run;
mod session;
mod slots;
mod tally;
mod traffic;
mod worker;
mod zipf;

pub use address::{Address, AddressError};
pub use codec::Protocol;
pub use report::{Report, Servers};
pub use run::{Stage, run};
pub use tally::Tally;

use super::Distribution;
use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::time::Duration;

/// What to ask, of whom, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// The server, or the one that is asked for the ring.
    pub server: Address,
    /// How keys go to the nodes of its ring; none asks the server for all of them.
    pub ring: Option<Route>,
    /// The words it is asked in.
    pub protocol: Protocol,
    /// Connections that ask.
    pub connections: usize,
    /// Connections that are opened beside them and only held.
    pub idle: usize,
    /// Threads that the connections are spread over.
    pub threads: usize,
    /// Requests sent at once on a connection.
    pub pipeline: usize,
    /// Requests a second, of all connections together, sent when they are due
    /// whether or not earlier ones were answered in time. None: as many as are
    /// answered.
    pub rate: Option<u64>,
    /// What is asked for.
    pub mix: Mix,
    /// The keys and their values.
    pub data: Data,
    /// When it ends.
    pub extent: Extent,
    /// Asked like this before anything is counted, at least for so long.
    pub warm_up: Extent,
    /// Whether every key is written once before all that.
    pub preload: bool,
    /// Whether values are compared, or only the shape of answers.
    pub scrutiny: Scrutiny,
    /// Draws repeat with it.
    pub seed: u64,
    /// No answer may take longer.
    pub timeout: Duration,
    /// The servers' processes, if their statistics shall not be asked for them.
    pub pids: Vec<u32>,
    /// Whether Redis waits for a replica.
    pub wait: Option<Wait>,
}

/// Which node of a ring is asked for a key. The connections are spread evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The key's primary, as a client asks that knows the ring.
    Primary,
    /// One that has to ask another, to see what that costs.
    Other,
    /// Whichever, as a client asks that knows nothing.
    Any,
}

/// When Redis is asked to wait until a replica has what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// After each write.
    Each,
    /// Once, after all writes of a batch.
    Batch,
}

/// What is asked for, and how often.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// The part of requests that read.
    pub reads: f64,
    /// Keys of one reading request.
    pub multiget: usize,
    /// Which keys.
    pub distribution: Distribution,
    /// Whether a key that was not found is written next, as an application does
    /// that has a cache before its database.
    pub cache_aside: bool,
    /// The part of requests that are for keys asked for only once, as of a scan.
    pub scan: f64,
}

/// The keys and their values.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    /// How many keys.
    pub keys: u64,
    /// What each begins with; decimal digits follow.
    pub prefix: String,
    /// How long each is.
    pub key_bytes: usize,
    /// How long values are: each key's has its own length, evenly from these.
    pub value_bytes: RangeInclusive<usize>,
    /// Seconds that values live, or zero for ever.
    pub ttl_s: u32,
}

/// When a run ends, or its warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// After this long.
    Duration(Duration),
    /// After so many requests.
    Requests(u64),
}

impl Extent {
    fn is_nothing(self) -> bool {
        matches!(self, Self::Duration(Duration::ZERO) | Self::Requests(0))
    }

    /// The part that is done after such a time with so many answers.
    fn part(self, elapsed: Duration, answered: u64) -> f64 {
        match self {
            Self::Duration(whole) => elapsed.as_secs_f64() / whole.as_secs_f64(),
            Self::Requests(all) => answered as f64 / all as f64,
        }
    }
}

/// How closely answers are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scrutiny {
    /// Each answer must be one to its request, for its keys.
    Shape,
    /// Each value must also be the one that belongs to its key.
    Values,
}

/// Why a run gave no figures.
#[derive(Debug)]
pub enum LoadError {
    /// What is asked for makes no sense. Says why.
    Senseless(String),
    /// No connection.
    Connect {
        /// To whom.
        server: Address,
        /// Why.
        error: io::Error,
    },
    /// The server did not answer in time.
    Silent {
        /// How long that is.
        timeout: Duration,
        /// Requests answered before, by all connections.
        answered: u64,
    },
    /// The server ended a connection.
    Closed {
        /// Requests answered before, by all connections.
        answered: u64,
        /// Why, if it is known.
        error: Option<io::Error>,
    },
    /// An answer that has no end that could be found. Says what it is.
    Unreadable(String),
    /// It cannot be done here, or not now. Says why.
    Refused(String),
    /// Something of this with one of several servers.
    Of {
        /// Which.
        server: Address,
        /// What.
        error: Box<LoadError>,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Senseless(why) | Self::Refused(why) => f.write_str(why),
            Self::Connect { server, error } => write!(f, "cannot connect to {server}: {error}"),
            Self::Silent { timeout, answered } => {
                write!(f, "no answer within {timeout:?}, after {answered} answered requests")
            }
            Self::Closed { answered, error: None } => {
                write!(f, "the server closed a connection, after {answered} answered requests")
            }
            Self::Closed { answered, error: Some(error) } => {
                write!(f, "a connection broke, after {answered} answered requests: {error}")
            }
            Self::Of { server, error } => write!(f, "{server}: {error}"),
            Self::Unreadable(what) => write!(f, "cannot make sense of an answer: {what}"),
        }
    }
}

impl std::error::Error for LoadError {}

impl Load {
    /// Refuses what could not be asked.
    pub(super) fn check(&self) -> Result<(), LoadError> {
        let senseless = |why: &str| Err(LoadError::Senseless(why.to_owned()));
        let counts = [self.connections, self.threads, self.pipeline, self.mix.multiget];
        if counts.contains(&0) || self.data.keys == 0 {
            return senseless("connections, threads, pipeline, multiget and keys begin at 1");
        }
        if ![self.mix.reads, self.mix.scan].iter().all(|part| (0.0..=1.0).contains(part)) {
            return senseless("reads and scan are parts of the requests, 0% to 100%");
        }
        if self.data.value_bytes.is_empty() {
            return senseless("the value sizes end before they begin");
        }
        if self.mix.multiget > 1 && self.mix.scan > 0.0 {
            return senseless("a scan asks for one key at a time; leave out multiget");
        }
        fleet::check(self)?;
        self.data.check()
    }
}

impl Data {
    fn check(&self) -> Result<(), LoadError> {
        let digits = self.key_bytes.saturating_sub(self.prefix.len());
        let needed = (self.keys - 1).checked_ilog10().map_or(1, |log| log as usize + 1);
        if digits < needed {
            return Err(LoadError::Senseless(format!(
                "{} keys that begin with `{}` need at least {} bytes each",
                self.keys,
                self.prefix,
                self.prefix.len() + needed
            )));
        }
        if self.prefix.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(LoadError::Senseless("a key has no spaces in it".to_owned()));
        }
        Ok(())
    }
}

/// A small load for tests.
#[cfg(test)]
fn sample() -> Load {
    Load {
        server: "127.0.0.1:11211".parse().expect("an address"),
        ring: None,
        protocol: Protocol::Text,
        connections: 2,
        idle: 0,
        threads: 1,
        pipeline: 1,
        rate: None,
        mix: Mix {
            reads: 0.9,
            multiget: 1,
            distribution: Distribution::Uniform,
            cache_aside: false,
            scan: 0.0,
        },
        data: Data {
            keys: 1000,
            prefix: "key:".to_owned(),
            key_bytes: 16,
            value_bytes: 100..=100,
            ttl_s: 0,
        },
        extent: Extent::Requests(1000),
        warm_up: Extent::Requests(0),
        preload: false,
        scrutiny: Scrutiny::Values,
        seed: 0,
        timeout: Duration::from_secs(5),
        pids: Vec::new(),
        wait: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senseless_loads_are_refused() {
        let spoilt: [fn(&mut Load); 11] = [
            |load| load.connections = 0,
            |load| load.data.keys = 0,
            |load| load.mix.reads = 1.5,
            |load| load.data.value_bytes = std::ops::RangeInclusive::new(2, 1),
            |load| load.data.key_bytes = 6,
            |load| load.data.prefix = "a key".to_owned(),
            |load| (load.mix.multiget, load.mix.scan) = (2, 0.1),
            |load| (load.ring, load.mix.scan) = (Some(Route::Primary), 0.1),
            |load| (load.ring, load.protocol) = (Some(Route::Any), Protocol::Redis),
            |load| (load.ring, load.data.prefix) = (Some(Route::Any), "{a}".to_owned()),
            |load| load.wait = Some(Wait::Each),
        ];
        for (number, spoil) in spoilt.into_iter().enumerate() {
            let mut load = sample();
            assert!(load.check().is_ok());
            spoil(&mut load);
            assert!(matches!(load.check(), Err(LoadError::Senseless(_))), "{number}");
        }
    }
}
