//! The subcommands' words: what is asked on the command line, and how it is
//! answered. Data goes to stdout, everything else to stderr.
//!
//! Nothing is decided here that another room could decide.

mod bench;
mod chart;
mod check;
mod demo;
mod members;
mod numbers;
mod operator;
mod output;
mod progress;
mod reach;
mod ring;
mod serve;
mod units;

use crate::lab::load::LoadError;
use clap::{CommandFactory, Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;
use std::{fmt, io};

/// What the exit code says. Scripts rely on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Not done, unhealthy, or a check is not met.
    Failed = 1,
    /// What was asked for cannot be: an option, a file or a name is wrong.
    Usage = 2,
    /// Nobody answers at an address.
    CannotConnect = 3,
    /// What was waited for did not come in time.
    TimedOut = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a subcommand gave no answer.
#[derive(Debug)]
pub(crate) enum CliError {
    /// An argument that no parser could have judged alone. Says what to do.
    Usage(String),
    /// A cluster that is not described well.
    Cluster(ring::ClusterError),
    /// A condition that cannot be checked.
    Check(check::CheckError),
    /// A server that could not be asked.
    Load(LoadError),
    /// The answer was there, and could not be written.
    Output(io::Error),
    /// Nobody answers at an address.
    CannotConnect(String),
    /// What was waited for did not come in time.
    TimedOut(String),
    /// Something else could not be done. Says what, and why.
    Failed(String),
}

impl CliError {
    fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Cluster(_) | Self::Check(_) => Exit::Usage,
            Self::CannotConnect(_) => Exit::CannotConnect,
            Self::TimedOut(_) => Exit::TimedOut,
            Self::Output(_) | Self::Failed(_) => Exit::Failed,
            Self::Load(error) => load_exit(error),
        }
    }
}

fn load_exit(error: &LoadError) -> Exit {
    match error {
        LoadError::Senseless(_) => Exit::Usage,
        LoadError::Connect { .. } => Exit::CannotConnect,
        LoadError::Silent { .. } => Exit::TimedOut,
        LoadError::Of { error, .. } => load_exit(error),
        LoadError::Closed { .. } | LoadError::Unreadable(_) | LoadError::Refused(_) => Exit::Failed,
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message)
            | Self::Failed(message)
            | Self::CannotConnect(message)
            | Self::TimedOut(message) => f.write_str(message),
            Self::Cluster(error) => error.fmt(f),
            Self::Check(error) => error.fmt(f),
            Self::Load(error) => error.fmt(f),
            Self::Output(error) => write!(f, "cannot write the answer: {error}"),
        }
    }
}

impl std::error::Error for CliError {}

impl From<check::CheckError> for CliError {
    fn from(error: check::CheckError) -> Self {
        Self::Check(error)
    }
}

impl From<LoadError> for CliError {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed or a check is not met, 2 the command line or a file is wrong, \
3 cannot connect, 4 timed out waiting.";

/// A memcached you scale by starting another node. Without a command it runs one.
#[derive(Debug, Parser)]
#[command(name = "ringcached", version, after_help = EXIT_CODES)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    node: serve::ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look at the hash ring of a cluster that you describe
    Ring(Box<ring::RingArgs>),
    /// Ask a running server as many clients would, and measure it
    Bench(Box<bench::BenchArgs>),
    /// Start a whole cluster on this machine, to try it out
    Demo(demo::DemoArgs),
    /// Say whether a cluster is as it should be, and list its nodes
    Status(members::MembersArgs),
    /// List the nodes of a cluster, as one of them sees it
    Members(members::MembersArgs),
    /// Have a node hand over all that it owns, and stop
    Drain(operator::DrainArgs),
    /// Show what nodes bring each other, have them pause, or go on
    Rebalance(operator::RebalanceArgs),
    /// Print the token that the admin port wants, for requests by curl
    AdminToken(operator::TokenArgs),
    /// Print a shell's completions
    Completions {
        /// The shell to print them for
        shell: clap_complete::Shell,
    },
    /// Print a manual page, in roff
    Man {
        /// The subcommand whose page to print, such as `ring plan`
        command: Vec<String>,
    },
}

/// Answers one command line, whose first word is the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments.run().unwrap_or_else(|error| {
            output::note(format_args!("error: {error}"));
            error.exit()
        }),
        Err(error) => {
            // Who closed the stream does not want to be told.
            let _ = error.print();
            if error.use_stderr() { Exit::Usage } else { Exit::Ok }
        }
    }
}

impl Arguments {
    fn run(&self) -> Result<Exit, CliError> {
        match &self.command {
            Some(command) => command.run(),
            None => serve::run(&self.node),
        }
    }
}

impl Command {
    fn run(&self) -> Result<Exit, CliError> {
        match self {
            Self::Ring(args) => ring::run(args),
            Self::Bench(args) => bench::run(args),
            Self::Demo(args) => demo::run(args),
            Self::Status(args) => members::status(args),
            Self::Members(args) => members::members(args),
            Self::Drain(args) => operator::drain(args),
            Self::Rebalance(args) => operator::rebalance(args),
            Self::AdminToken(args) => operator::admin_token(args),
            Self::Completions { shell } => completions(*shell),
            Self::Man { command } => man(command),
        }
    }
}

fn completions(shell: clap_complete::Shell) -> Result<Exit, CliError> {
    // Into memory first: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "ringcached", &mut script);
    output::print(|out| out.write_all(&script))?;
    Ok(Exit::Ok)
}

fn man(path: &[String]) -> Result<Exit, CliError> {
    let mut root = Arguments::command();
    root.build();
    let mut command = &root;
    for word in path {
        command = command.find_subcommand(word).ok_or_else(|| no_command(command, word))?;
    }
    let page = clap_mangen::Man::new(command.clone());
    output::print(|out| page.render(out))?;
    Ok(Exit::Ok)
}

fn no_command(parent: &clap::Command, word: &str) -> CliError {
    let known: Vec<&str> = parent.get_subcommands().map(clap::Command::get_name).collect();
    CliError::Usage(match known[..] {
        [] => format!("`{}` has no subcommands, so no `{word}`", parent.get_name()),
        _ => format!("no subcommand `{word}`; there are: {}", known.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_finds_no_fault() {
        Arguments::command().debug_assert();
    }
}
