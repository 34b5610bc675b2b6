//! `rebalance`: what nodes bring each other, and whether they are to go on with that.

use super::watch::watch;
use super::{AdminArgs, Operator};
use crate::cli::output::{self, Cell, Column, Format, Table};
use crate::cli::{CliError, Exit};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;
use std::thread;

/// What to do with what moves.
#[derive(Clone, Debug, Args)]
pub(crate) struct RebalanceArgs {
    #[command(subcommand)]
    command: RebalanceCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum RebalanceCommand {
    /// Show what nodes bring each other, and how far they are
    Status(StatusArgs),
    /// Have all nodes bring each other nothing more until they are to go on, or are started again
    Pause(ChangeArgs),
    /// Have all nodes go on
    Resume(ChangeArgs),
}

#[derive(Clone, Debug, Args)]
struct StatusArgs {
    #[command(flatten)]
    admin: AdminArgs,

    /// Look on until nothing moves any more
    #[arg(long, conflicts_with = "output")]
    watch: bool,

    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

#[derive(Clone, Debug, Args)]
struct ChangeArgs {
    #[command(flatten)]
    admin: AdminArgs,

    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

/// Nodes that are asked at a time: one that does not answer keeps the others waiting for
/// seconds, and a thread for each of a thousand is too many.
const ASKED_AT_ONCE: usize = 32;

#[derive(Serialize)]
struct Status {
    owners_change: bool,
    step: Option<String>,
    paused: Vec<String>,
    unreached: Vec<Unreached>,
    moves: Table,
}

#[derive(Serialize)]
struct Change {
    paused: bool,
    unreached: Vec<Unreached>,
    nodes: Table,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Unreached {
    node: String,
    why: String,
}

pub(crate) fn rebalance(args: &RebalanceArgs) -> Result<Exit, CliError> {
    match &args.command {
        RebalanceCommand::Status(args) if args.watch => watch(&Operator::new(&args.admin)?),
        RebalanceCommand::Status(args) => status(&Operator::new(&args.admin)?, args.output),
        RebalanceCommand::Pause(args) => change(args, "/v1/rebalance/pause"),
        RebalanceCommand::Resume(args) => change(args, "/v1/rebalance/resume"),
    }
}

/// What the members of a cluster answer.
pub(super) struct Round {
    /// The step in which a change of owners is.
    pub(super) step: Option<String>,
    /// The number of that step, or of the last one.
    pub(super) number: Option<u64>,
    pub(super) reached: Vec<(String, Value)>,
    pub(super) unreached: Vec<Unreached>,
}

impl Round {
    /// Asks all members that the node at the address named knows of.
    fn ask(
        operator: &Operator,
        what: impl Fn(&str) -> Result<Value, CliError> + Sync,
    ) -> Result<Self, CliError> {
        let told = operator.read(&operator.address, "/v1/cluster")?;
        if told["cluster"].is_null() {
            let address = &operator.address;
            return Err(CliError::Failed(format!("the node at {address} belongs to no cluster")));
        }
        let members = told["members"].as_array().map_or(&[][..], Vec::as_slice);
        let step = told["ring"]["step"].as_str().filter(|&step| step != "settled");
        let step = step.map(output::seen);
        let number = told["ring"]["number"].as_u64();
        let mut round = Self { step, number, reached: Vec::new(), unreached: Vec::new() };
        let members: Vec<&Value> = members.iter().filter(|member| !has_left(member)).collect();
        let ask =
            |member: &Value| (name(member), ask_member(member, &told, &operator.address, &what));
        for some in members.chunks(ASKED_AT_ONCE) {
            let answers: Vec<_> = thread::scope(|scope| {
                let asked: Vec<_> =
                    some.iter().map(|&member| scope.spawn(move || ask(member))).collect();
                asked.into_iter().filter_map(|answer| answer.join().ok()).collect()
            });
            for (node, answer) in answers {
                match answer {
                    Ok(answer) => round.reached.push((node, answer)),
                    Err(why) => round.unreached.push(Unreached { node, why }),
                }
            }
        }
        Ok(round)
    }

    pub(super) fn exit(&self) -> Exit {
        if self.unreached.is_empty() { Exit::Ok } else { Exit::Failed }
    }

    pub(super) fn paused(&self) -> Vec<String> {
        let paused = self.reached.iter().filter(|(_, told)| told["paused"] == true);
        paused.map(|(node, _)| node.clone()).collect()
    }

    pub(super) fn moves(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.reached.iter().flat_map(|(node, told)| {
            let moves = told["moves"].as_array().map_or(&[][..], Vec::as_slice);
            moves.iter().map(move |one| (node.as_str(), one))
        })
    }

    pub(super) fn tell_unreached(&self) {
        for Unreached { node, why } in &self.unreached {
            output::note(format_args!("not reached: {node}: {why}"));
        }
    }
}

/// The nodes that bring nothing because somebody wants that, as far as they answer; by name.
pub(super) fn paused_nodes(operator: &Operator) -> Vec<String> {
    look(operator).map_or_else(|_| Vec::new(), |round| round.paused())
}

/// Whether it has handed over all, and ended; or died in the midst of it, and owners change for
/// that.
fn has_left(member: &Value) -> bool {
    member["standing"] == "down" && member["phase"] == "leaving"
}

/// Asks one member, at the address that it tells; the one that was asked first at that.
fn ask_member(
    member: &Value,
    told: &Value,
    first: &str,
    what: impl Fn(&str) -> Result<Value, CliError>,
) -> Result<Value, String> {
    if member["standing"] == "down" {
        return Err("it is down".to_owned());
    }
    let address = match member["admin"].as_str() {
        _ if member["node_id"] == told["node_id"] => first,
        Some(address) => address,
        None => return Err("it has no admin port that others can reach".to_owned()),
    };
    let answer = what(address).map_err(|why| why.to_string())?;
    // Another machine's loopback address is this one's too.
    match answer["node_id"] == member["node_id"] {
        true => Ok(answer),
        false => Err(format!("another node answers at {address}")),
    }
}

/// What people call it.
fn name(member: &Value) -> String {
    let name = member["name"].as_str().or(member["node_id"].as_str());
    output::seen(name.unwrap_or("unknown"))
}

pub(super) fn look(operator: &Operator) -> Result<Round, CliError> {
    Round::ask(operator, |address| operator.read(address, "/v1/rebalance"))
}

fn status(operator: &Operator, format: Format) -> Result<Exit, CliError> {
    let round = look(operator)?;
    let paused = round.paused();
    let status = Status {
        owners_change: round.step.is_some(),
        step: round.step.clone(),
        unreached: round.unreached.clone(),
        moves: table(&round),
        paused,
    };
    output::print(|out| match format {
        Format::Json => output::write_json(out, &status),
        Format::Csv => status.moves.write_csv(out),
        format => status.moves.write_aligned(out, format),
    })?;
    if format.is_for_people() {
        output::note(state(&round));
    }
    if !status.paused.is_empty() {
        output::note(format_args!("paused: {}", status.paused.join(", ")));
    }
    round.tell_unreached();
    Ok(round.exit())
}

/// How things stand, in a line.
pub(super) fn state(round: &Round) -> String {
    match (&round.step, round.moves().next()) {
        (Some(step), _) => format!("owners change: {step}"),
        (None, Some(_)) => "copies are brought up to date".to_owned(),
        (None, None) => "nothing moves".to_owned(),
    }
}

fn table(round: &Round) -> Table {
    let mut table = Table::new([
        Column::words("source"),
        Column::words("target"),
        Column::numbers("slots"),
        Column::numbers("share_done").headed("DONE"),
        Column::numbers("items"),
        Column::numbers("bytes"),
        Column::numbers("bytes_per_s").headed("BYTES/S"),
        Column::numbers("left_s").headed("TIME LEFT"),
    ]);
    for (source, told) in round.moves() {
        let count = |name: &str| Cell::known(told[name].as_u64(), Cell::count);
        let bytes = |name: &str| Cell::known(told[name].as_u64(), Cell::bytes);
        table.push([
            Cell::words(source),
            Cell::words(target(told)),
            count("slots"),
            Cell::known(told["share_done"].as_f64(), Cell::share),
            count("items"),
            bytes("bytes"),
            bytes("bytes_per_s"),
            Cell::known(told["left_s"].as_f64(), Cell::seconds),
        ]);
    }
    table
}

fn target(told: &Value) -> String {
    let name = told["to_name"].as_str().or(told["to"].as_str());
    output::seen(name.unwrap_or("unknown"))
}

fn change(args: &ChangeArgs, path: &str) -> Result<Exit, CliError> {
    let operator = Operator::new(&args.admin)?.known()?;
    let round = Round::ask(&operator, |address| operator.change(address, path))?;
    let mut nodes = Table::new([Column::words("node"), Column::words("paused")]);
    for (node, told) in &round.reached {
        let paused = if told["paused"] == true { "yes" } else { "no" };
        nodes.push([Cell::words(node), Cell::words(paused)]);
    }
    let paused = path.ends_with("pause");
    let change = Change { paused, unreached: round.unreached.clone(), nodes };
    output::print(|out| match args.output {
        Format::Json => output::write_json(out, &change),
        Format::Csv => change.nodes.write_csv(out),
        format => change.nodes.write_aligned(out, format),
    })?;
    round.tell_unreached();
    Ok(round.exit())
}
