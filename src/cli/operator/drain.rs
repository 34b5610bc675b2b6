//! `drain`: a node hands over all that it owns, and stops.

use super::rebalance::paused_nodes;
use super::{AdminArgs, Operator};
use crate::cli::progress::Progress;
use crate::cli::{CliError, Exit, output, units};
use clap::Args;
use serde_json::Value;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Which node, and how long to look on.
#[derive(Clone, Debug, Args)]
pub(crate) struct DrainArgs {
    #[command(flatten)]
    admin: AdminArgs,

    /// Wait until the node has handed over all, and ended
    #[arg(long)]
    wait: bool,

    /// How long to wait, at most: 90s, 10m; seconds without a unit. The node goes on; its own
    /// --drain-timeout (60 s) says for how long, and less than that tells nothing of how it ends
    #[arg(long, value_name = "TIME", default_value = "90s", requires = "wait",
          value_parser = units::time)]
    timeout: Duration,
}

/// How often to look how far it has come.
const LOOK_MS: u64 = 500;

/// How often to look whether it can come any further.
const PAUSED_LOOK: Duration = Duration::from_secs(5);

/// How often to look whether it has ended.
const END_LOOK: Duration = Duration::from_millis(20);

/// How long a node that was killed may take until nobody listens there any more.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// Has the node leave, and waits for it if that is wanted.
pub(crate) fn drain(args: &DrainArgs) -> Result<Exit, CliError> {
    let until = Instant::now() + args.timeout;
    let operator = Operator::new(&args.admin)?.known()?;
    let told = operator.change(&operator.address, "/v1/drain")?;
    let address = &operator.address;
    if !args.wait {
        output::note(format_args!("{address} hands over what it owns, and stops then"));
        return Ok(Exit::Ok);
    }
    let late = || CliError::TimedOut(format!("{address} has not left within {:?}", args.timeout));
    match has_left(&operator, told, until)?.as_deref() {
        Some("handed_over") => {}
        Some("alone") => output::note("there was nobody who could have what it owned"),
        Some(_) => {
            return Err(CliError::Failed(format!("{address} stopped before all was handed over")));
        }
        None => return Err(late()),
    }
    if !has_ended(address, until) {
        return Err(late());
    }
    output::note(format_args!("{address} has left"));
    Ok(Exit::Ok)
}

/// How it has left; none where it has not in time.
fn has_left(
    operator: &Operator,
    mut told: Value,
    until: Instant,
) -> Result<Option<String>, CliError> {
    let mut progress = Progress::of_percent();
    progress.starts("of what it owns is handed over".to_owned());
    let paused = look_for_paused(operator);
    loop {
        if let Some(nodes) = paused.try_iter().last() {
            progress.says(format_args!(
                "moves are paused at {}: this waits until `ringcached rebalance resume`",
                nodes.join(", ")
            ));
        }
        let state = told["state"].as_str().unwrap_or_default();
        if state != "leaving" {
            return Ok(Some(state.to_owned()));
        }
        if let Some(share) = told["share_done"].as_f64() {
            progress.reaches((share * 100.0) as u64);
        }
        let left_ms = until.saturating_duration_since(Instant::now()).as_millis() as u64;
        if left_ms == 0 {
            return Ok(None);
        }
        let path = format!("/v1/drain?wait_ms={}", LOOK_MS.min(left_ms));
        let look = || operator.read(&operator.address, &path);
        // An answer may be cut on its way, and hardly the next one too.
        let answer = look().or_else(|why| match why {
            CliError::TimedOut(_) => Err(why),
            _ => look(),
        });
        told = answer.map_err(|why| match why {
            CliError::TimedOut(_) => why,
            // It was there.
            _ if has_ended(&operator.address, Instant::now() + END_PATIENCE) => {
                CliError::Failed(format!(
                    "the node at {} ended and did not say that it was through: nobody knows \
                     whether all was handed over",
                    operator.address
                ))
            }
            _ => CliError::Failed(format!("{why}: nobody knows whether all was handed over")),
        })?;
    }
}

/// Tells of the nodes that are paused, again where they change. Nobody waits for that: one
/// that does not answer takes seconds.
fn look_for_paused(operator: &Operator) -> Receiver<Vec<String>> {
    let (found, paused) = channel();
    let operator = operator.clone();
    thread::spawn(move || {
        let mut known = Vec::new();
        loop {
            let nodes = paused_nodes(&operator);
            if nodes != known && !nodes.is_empty() && found.send(nodes.clone()).is_err() {
                return;
            }
            known = nodes;
            thread::sleep(PAUSED_LOOK);
        }
    });
    paused
}

/// Waits until nobody listens there any more: that is given up last.
fn has_ended(address: &str, until: Instant) -> bool {
    let listens = || {
        let at = address.to_socket_addrs().ok().and_then(|mut all| all.next());
        at.is_some_and(|at| TcpStream::connect_timeout(&at, END_LOOK).is_ok())
    };
    while listens() {
        if Instant::now() >= until {
            return false;
        }
        thread::sleep(END_LOOK);
    }
    true
}
