//! `ring`: questions about the hash ring of a described cluster. All of it is
//! worked out here and now; no cluster has to run.

mod bench;
mod change;
mod cluster;
mod cluster_file;
mod export;
mod keys_file;
mod owner;
mod pictures;
mod plan;
mod scale;
mod scale_pictures;
mod show;

pub(crate) use cluster::ClusterError;

use super::output::Format;
use super::{CliError, Exit};
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct RingArgs {
    /// How the answer is written
    #[arg(short, long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    #[command(subcommand)]
    command: RingCommand,
}

#[derive(Debug, Subcommand)]
enum RingCommand {
    /// Show how evenly a ring loads its nodes
    Show(show::ShowArgs),
    /// Tell which nodes own a key
    Owner(owner::OwnerArgs),
    /// Work out what a change of the cluster would move; nothing moves
    Plan(plan::PlanArgs),
    /// Write the owners of every slot
    Export(export::ExportArgs),
    /// Measure the ring, beside other ways to place keys
    Bench(bench::BenchArgs),
    /// Simulate clusters of thousands of nodes to which much happens at once
    Scale(scale::ScaleArgs),
}

pub(crate) fn run(args: &RingArgs) -> Result<Exit, CliError> {
    let output = args.output;
    match &args.command {
        RingCommand::Show(args) => show::run(args, output),
        RingCommand::Owner(args) => owner::run(args, output),
        RingCommand::Plan(args) => plan::run(args, output),
        RingCommand::Export(args) => export::run(args, output),
        RingCommand::Bench(args) => bench::run(args, output),
        RingCommand::Scale(args) => scale::run(args, output),
    }
}
