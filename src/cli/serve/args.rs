//! How a node is described on the command line: memcached's flags, each with a
//! long name too.

use crate::cli::units;
use crate::limits::RATE_PER_S_MAX;
use crate::net::gossip::Seed;
use crate::node::MoveLimit;
use clap::{ArgAction, Args, ValueEnum};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

/// What a node is told. Every flag of memcached is here: those that ask for
/// something that is not done are refused or named, see `config.rs`.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Running a node")]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch that memcached has")]
pub(crate) struct ServeArgs {
    /// Port to listen on; 0 picks a free one [default: 11211, or the next free one]
    #[arg(short, long)]
    pub(super) port: Option<u16>,

    /// Address to listen on, with a port or without; several with commas or by
    /// repeating it; `notls:ADDR` in front of one that is to stay without TLS
    /// [default: 127.0.0.1]
    #[arg(short, long, value_name = "ADDR[:PORT]", value_delimiter = ',')]
    pub(super) listen: Vec<String>,

    /// Unix socket to listen on, instead of addresses where none are named
    #[arg(short = 's', long, value_name = "PATH")]
    pub(super) unix_socket: Option<PathBuf>,

    /// Permissions of the Unix socket, in octal
    #[arg(short = 'a', long, value_name = "MODE", default_value = "700", value_parser = octal)]
    pub(super) unix_mask: u32,

    /// Memory for items: in megabytes, or with a unit as in 64m or 1GiB
    #[arg(short, long, alias = "memory-limit", value_name = "MB", default_value = "64",
          value_parser = megabytes)]
    pub(super) memory: u64,

    /// Worker threads
    #[arg(short, long, value_name = "COUNT", default_value_t = 4)]
    pub(super) threads: usize,

    /// Connections at a time, at most
    #[arg(short = 'c', long, alias = "conn-limit", value_name = "COUNT", default_value_t = 1024)]
    pub(super) connections: usize,

    /// Size of the largest item, from 1k to 1024m
    #[arg(short = 'I', long, value_name = "SIZE", default_value = "1m",
          value_parser = units::bytes)]
    pub(super) max_item_size: u64,

    /// Connections that may wait to be accepted
    #[arg(short = 'b', long, value_name = "COUNT", default_value_t = 1024)]
    pub(super) listen_backlog: u32,

    /// Say on stderr who is refused or cut and why, and when eviction begins; -vv
    /// also who comes and goes
    #[arg(short, long, action = ArgAction::Count)]
    pub(super) verbose: u8,

    /// Which protocols to speak
    #[arg(short = 'B', long, value_name = "NAME", default_value = "auto")]
    pub(super) protocol: ProtocolName,

    /// Refuse to store where memory is full, instead of evicting
    #[arg(short = 'M', long)]
    pub(super) disable_evictions: bool,

    /// Answer no CAS tokens
    #[arg(short = 'C', long)]
    pub(super) disable_cas: bool,

    /// Let clients stop the node by `shutdown`
    #[arg(short = 'A', long)]
    pub(super) enable_shutdown: bool,

    /// Refuse `flush_all`
    #[arg(short = 'F', long)]
    pub(super) disable_flush_all: bool,

    /// Refuse `lru_crawler metadump` and `stats cachedump`
    #[arg(short = 'X', long)]
    pub(super) disable_dumping: bool,

    /// Refuse `watch`
    #[arg(short = 'W', long)]
    pub(super) disable_watch: bool,

    /// Count by the prefixes of keys, which end with this character
    #[arg(short = 'D', value_name = "CHAR", value_parser = delimiter)]
    pub(super) prefix_delimiter: Option<u8>,

    /// Ask clients for a name and password of this file; lines of `name:password`
    #[arg(short = 'Y', long, value_name = "FILE")]
    pub(super) auth_file: Option<PathBuf>,

    /// Ask clients of the binary protocol for a name and password by SASL; needs
    /// --auth-file
    #[arg(short = 'S', long)]
    pub(super) enable_sasl: bool,

    /// Speak TLS
    #[arg(short = 'Z', long, alias = "enable-ssl")]
    pub(super) tls: bool,

    /// Certificates to show to clients, in PEM [or `-o ssl_chain_cert=FILE`]
    #[arg(long, value_name = "FILE")]
    pub(super) tls_cert: Option<PathBuf>,

    /// The key to them, if it is not in the same file [or `-o ssl_key=FILE`]
    #[arg(long, value_name = "FILE")]
    pub(super) tls_key: Option<PathBuf>,

    /// Ask clients for a certificate that one of these signed [or `-o ssl_ca_cert=FILE`]
    #[arg(long, value_name = "FILE")]
    pub(super) tls_ca: Option<PathBuf>,

    /// Seconds after which a silent connection is closed; 0 is never
    /// [or `-o idle_timeout=SECONDS`]
    #[arg(long, value_name = "SECONDS")]
    pub(super) idle_timeout: Option<u32>,

    /// Seconds that a request may take to arrive; 0 is forever
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(super) request_timeout: u32,

    /// Seconds that answers may wait for a client to take them; 0 is forever
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(super) send_timeout: u32,

    /// Requests a second of each client, at most, by its address; each key of a read
    /// is one [default: no limit]
    #[arg(long, value_name = "OPS", value_parser = rate)]
    pub(super) client_rate_limit: Option<NonZeroU32>,

    /// Requests a second of all clients together, at most [default: no limit]
    #[arg(long, value_name = "OPS", value_parser = rate)]
    pub(super) rate_limit: Option<NonZeroU32>,

    /// memcached's extended options, with commas between them
    #[arg(short = 'o', long, value_name = "OPTIONS", value_delimiter = ',')]
    pub(super) extended: Vec<String>,

    /// Identity of this node: 16 hexadecimal digits, or any name [default: a random one]
    #[arg(long, value_name = "ID")]
    pub(super) node_id: Option<String>,

    /// Zone this node stands in
    #[arg(long, value_name = "NAME")]
    pub(super) zone: Option<String>,

    /// How much this node carries beside others
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub(super) weight: u32,

    #[command(flatten)]
    pub(super) cluster: ClusterArgs,

    /// Write here, as JSON, where the node listens, once it serves
    #[arg(long, value_name = "PATH")]
    pub(super) ready_file: Option<PathBuf>,

    /// Write what is in the memory here when the node is stopped, and read it when it is
    /// started again
    #[arg(long, value_name = "PATH")]
    pub(super) warm_file: Option<PathBuf>,

    /// Write the process number here
    #[arg(short = 'P', long, value_name = "PATH")]
    pub(super) pidfile: Option<PathBuf>,

    /// Become this user; only root can
    #[arg(short, long, value_name = "NAME")]
    pub(super) user: Option<String>,

    /// Allow core dumps as large as the system lets
    #[arg(short = 'r', long)]
    pub(super) enable_coredumps: bool,

    #[command(flatten)]
    pub(super) inert: InertArgs,
}

/// What makes a node one of many. Any of these does.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Being one of many")]
pub(crate) struct ClusterArgs {
    /// Where other nodes reach this one, over UDP at this port and, for calls, at those
    /// behind it, two more than there are threads, or at any that are free; port 0 picks
    /// free ones [default: 127.0.0.1:0]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(super) peer_listen: Option<SocketAddr>,

    /// Where operators reach this node by HTTP, for health and to ask it to leave; port 0 picks
    /// a free one, `off` does without [default: 127.0.0.1:12211, or the next free one]
    #[arg(long, value_name = "ADDR:PORT", value_parser = admin_listen)]
    pub(super) admin_listen: Option<AdminListen>,

    /// A node to join, at its --peer-listen address; `dns://NAME:PORT` is looked up
    /// again and again; repeatable. Where none answers for 30 s, this node is the first
    #[arg(long, value_name = "ADDR:PORT", value_parser = seed)]
    pub(super) join: Vec<Seed>,

    /// Name of the cluster; nodes of another one are refused [default: ringcached]
    #[arg(long, value_name = "NAME")]
    pub(super) cluster: Option<String>,

    /// File with the secret that all nodes of the cluster have, and nobody else;
    /// or set `RINGCACHED_SECRET`
    #[arg(long, value_name = "PATH")]
    pub(super) secret_file: Option<PathBuf>,

    /// Certificates of the authority that signs those of all nodes, in PEM, instead of
    /// one that is made of the secret; with --peer-cert and --peer-key
    #[arg(long, value_name = "FILE")]
    pub(super) peer_ca: Option<PathBuf>,

    /// Certificates to show to other nodes, this node's own first
    #[arg(long, value_name = "FILE")]
    pub(super) peer_cert: Option<PathBuf>,

    /// The key to them
    #[arg(long, value_name = "FILE")]
    pub(super) peer_key: Option<PathBuf>,

    /// Nodes that keep each key; the same on all nodes
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    pub(super) copies: u8,

    /// How many of them have to have a write before it is acknowledged
    #[arg(long, value_name = "HOW", default_value = "quorum")]
    pub(super) write_ack: WriteAckName,

    /// Refuse writes while fewer nodes that serve are seen, this one counted, as in the lesser
    /// half of a network that parts; reads go on. 0 and 1 refuse none; or set
    /// `RINGCACHED_MIN_NODES_FOR_WRITES` [default: 0]
    #[arg(long, value_name = "COUNT")]
    pub(super) min_nodes_for_writes: Option<usize>,

    /// Who answers reads: the nearest may answer with what is older than the last write
    #[arg(long, value_name = "WHO", default_value = "primary")]
    pub(super) read_from: ReadFromName,

    /// How long a node which is down keeps its keys: 30s, 5m; seconds without a unit
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::time)]
    pub(super) grace: Duration,

    /// At SIGTERM a node of a cluster hands over all that it owns, and stops when others own it
    /// or after this; 0 stops without, as SIGINT does
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = units::time)]
    pub(super) drain_timeout: Duration,

    /// How many bytes a second a node brings others of what they lack: 64m; auto is as fast as
    /// clients do not notice, none is as fast as it can
    #[arg(long, value_name = "BYTES", default_value = "auto", value_parser = move_limit)]
    pub(super) move_limit: MoveLimit,

    /// How fast nodes are held for dead: for a network like this
    #[arg(long, value_name = "NAME", default_value = "lan")]
    pub(super) profile: ProfileName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WriteAckName {
    /// The primary
    One,
    /// More than half of those that are live
    Quorum,
    /// All that are live
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReadFromName {
    /// The primary; other owners where it does not
    Primary,
    /// This node's own copy, an owner in its zone, or the one that answers soonest
    Nearest,
    /// More than half of the owners that are live: the newest of what they have
    Quorum,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProfileName {
    /// All nodes on one machine
    Local,
    /// All nodes in one place
    Lan,
    /// Nodes far apart
    Wan,
}

/// Where to listen for operators, if anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdminListen {
    /// There.
    At(SocketAddr),
    /// Nowhere.
    Off,
}

fn admin_listen(text: &str) -> Result<AdminListen, String> {
    match text {
        "off" => Ok(AdminListen::Off),
        _ => text.parse().map(AdminListen::At).map_err(|_| "an address with a port, or off".into()),
    }
}

fn seed(text: &str) -> Result<Seed, String> {
    Seed::parse(text).ok_or_else(|| "an address with a port, or dns://NAME:PORT".to_owned())
}

/// What memcached takes and this does not do.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Taken for memcached's sake")]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch that memcached has")]
pub(crate) struct InertArgs {
    /// UDP is not spoken: only 0 is taken
    #[arg(short = 'U', long, value_name = "PORT", default_value_t = 0)]
    pub(super) udp_port: u16,

    /// Refused: leave it to the service manager, or a shell's `&`
    #[arg(short, long)]
    pub(super) daemon: bool,

    /// Refused: items live in memory only
    #[arg(short = 'e', long, value_name = "FILE")]
    pub(super) memory_file: Option<PathBuf>,

    /// Memory is not locked; said so on stderr
    #[arg(short = 'k', long)]
    pub(super) lock_memory: bool,

    /// Large pages are left to the system; said so on stderr
    #[arg(short = 'L', long)]
    pub(super) enable_largepages: bool,

    /// Of no effect: there are no slabs
    #[arg(short = 'f', long, value_name = "FACTOR")]
    pub(super) slab_growth_factor: Option<f64>,

    /// Of no effect: there are no slabs
    #[arg(short = 'n', long, value_name = "BYTES")]
    pub(super) slab_min_size: Option<u32>,

    /// Of no effect: a connection's turn ends with its buffer
    #[arg(short = 'R', long, value_name = "COUNT", default_value_t = 20)]
    pub(super) max_reqs_per_event: u32,

    /// Of no effect
    #[arg(short = 'N', long, value_name = "COUNT")]
    pub(super) napi_ids: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProtocolName {
    /// Whichever a connection begins with
    Auto,
    /// Text and meta
    Ascii,
    /// Binary
    Binary,
}

/// Memory as memcached has it: a plain number is megabytes.
fn megabytes(text: &str) -> Result<u64, String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let bytes = if is_plain { units::bytes(&format!("{text}m")) } else { units::bytes(text) };
    bytes.map_err(|why| why.to_string())
}

fn rate(text: &str) -> Result<NonZeroU32, String> {
    let wrong = || format!("a number of requests from 1 to {RATE_PER_S_MAX}");
    let requests = units::count(text).map_err(|_| wrong())?;
    let requests = u32::try_from(requests).ok().filter(|&requests| requests <= RATE_PER_S_MAX);
    requests.and_then(NonZeroU32::new).ok_or_else(wrong)
}

fn move_limit(text: &str) -> Result<MoveLimit, String> {
    match text {
        "auto" => Ok(MoveLimit::Auto),
        "none" => Ok(MoveLimit::None),
        _ => match units::bytes(text) {
            Ok(0) => Err("nothing would ever be brought".to_owned()),
            Ok(bytes) => Ok(MoveLimit::BytesPerS(bytes)),
            Err(why) => Err(format!("neither auto, none nor bytes a second: {why}")),
        },
    }
}

fn octal(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode @ 0..=0o777) => Ok(mode),
        _ => Err("not a file mode from 0 to 777".to_owned()),
    }
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] => Ok(*byte),
        _ => Err("not one character".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_memory_is_megabytes() {
        assert_eq!(["64", "64m", "1GiB"].map(megabytes), [64 << 20, 64 << 20, 1 << 30].map(Ok));
        assert!(megabytes("").is_err() && megabytes("many").is_err());
    }

    #[test]
    fn a_limit_of_moves_is_a_word_or_bytes() {
        let limits = ["auto", "none", "64m"].map(|text| move_limit(text).unwrap());
        assert_eq!(limits, [MoveLimit::Auto, MoveLimit::None, MoveLimit::BytesPerS(64 << 20)]);
        assert!(move_limit("0").is_err() && move_limit("fast").is_err());
    }

    #[test]
    fn modes_are_octal() {
        assert_eq!(["700", "0777"].map(octal), [Ok(0o700), Ok(0o777)]);
        assert!(octal("8").is_err() && octal("1000").is_err());
    }
}
