//! `members` and `status`: the cluster, as one of its nodes sees it.

mod access;
mod seen;

use super::output::{self, Cell, Column, Format, Table};
use super::{CliError, Exit};
use access::Access;
use clap::Args;
use seen::{Node, Seen};
use serde::Serialize;
use std::io::{self, Write};

/// Whom to ask, and how to answer.
#[derive(Clone, Debug, Args)]
pub(crate) struct MembersArgs {
    /// A node's address for clients
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:11211")]
    server: String,

    #[command(flatten)]
    access: Access,

    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

#[derive(Serialize)]
struct Status {
    healthy: bool,
    cluster: String,
    asked: String,
    write_ack: String,
    copies: Option<u64>,
    members: usize,
    slots: Option<u64>,
    slots_with_too_few_copies: Option<u64>,
    slots_without_any_copy: Option<u64>,
    troubles: Vec<String>,
    hint: Option<String>,
    nodes: Table,
}

#[derive(Serialize)]
struct Members {
    asked: String,
    nodes: Table,
}

/// Lists the nodes.
pub(crate) fn members(args: &MembersArgs) -> Result<Exit, CliError> {
    let seen = Seen::ask(&args.server, &args.access)?;
    if !seen.is_in_cluster() {
        return Err(alone(&args.server));
    }
    let nodes = table(&seen);
    output::print(|out| match args.output {
        Format::Json => {
            output::write_json(out, &Members { asked: seen.word("name").to_owned(), nodes })
        }
        Format::Csv => nodes.write_csv(out),
        format => nodes.write_aligned(out, format),
    })?;
    Ok(Exit::Ok)
}

/// Judges the cluster, and lists the nodes.
pub(crate) fn status(args: &MembersArgs) -> Result<Exit, CliError> {
    let seen = Seen::ask(&args.server, &args.access)?;
    if !seen.is_in_cluster() {
        return Err(alone(&args.server));
    }
    let status = judge(&seen);
    output::print(|out| match args.output {
        Format::Json => output::write_json(out, &status),
        Format::Csv => status.nodes.write_csv(out),
        format => write(out, &status, format),
    })?;
    Ok(if status.healthy { Exit::Ok } else { Exit::Failed })
}

fn alone(server: &str) -> CliError {
    CliError::Failed(format!(
        "the node at {server} belongs to no cluster: --peer-listen and --join make it one of many"
    ))
}

fn judge(seen: &Seen) -> Status {
    let mut troubles: Vec<String> = seen.nodes().filter_map(Node::trouble).collect();
    troubles.extend(seen.own_troubles());
    let behind = seen.number("slots_with_too_few_copies");
    if let Some(slots @ 1..) = behind {
        let slots = output::thousands(slots);
        troubles.push(format!("{slots} slots have too few live copies"));
    }
    // One that is to come, or back, is no reason to start another one.
    let hint = seen.lack_of_nodes().filter(|_| troubles.is_empty());
    Status {
        healthy: troubles.is_empty(),
        cluster: seen.word("cluster_name").to_owned(),
        asked: seen.word("name").to_owned(),
        write_ack: seen.word("write_ack").to_owned(),
        copies: seen.number("copies"),
        members: seen.nodes().count(),
        slots: seen.number("slots"),
        slots_with_too_few_copies: behind,
        slots_without_any_copy: seen.number("slots_without_any_copy"),
        troubles,
        hint,
        nodes: table(seen),
    }
}

fn write(out: &mut dyn Write, status: &Status, format: Format) -> io::Result<()> {
    let Status { cluster, members, write_ack, .. } = status;
    let verdict = if status.healthy { "HEALTHY" } else { "UNHEALTHY" };
    let copies = status.copies.unwrap_or(0);
    let cluster = output::seen(cluster);
    writeln!(
        out,
        "{verdict}  cluster {cluster}  {members} members  copies {copies}  write-ack {write_ack}"
    )?;
    for trouble in &status.troubles {
        writeln!(out, "  {}", output::seen(trouble))?;
    }
    if let Some(hint) = &status.hint {
        writeln!(out, "  {}", output::seen(hint))?;
    }
    status.nodes.write_aligned(out, format)
}

fn table(seen: &Seen) -> Table {
    let mut table = Table::new([
        Column::words("node"),
        Column::words("node_id").only_wide(),
        Column::words("standing"),
        Column::words("phase"),
        Column::words("zone"),
        Column::words("client_address"),
        Column::words("peer_address"),
        Column::numbers("owns"),
        Column::numbers("with_copies"),
        Column::words("linked"),
        Column::numbers("calls"),
        Column::numbers("dirty_slots"),
        Column::numbers("generation").only_wide(),
        Column::words("build").only_wide(),
    ]);
    let slots = seen.number("slots").filter(|&slots| slots > 0);
    for node in seen.nodes() {
        // Names come from other nodes.
        let word = |name| Cell::known(node.word(name), |word| Cell::words(output::seen(word)));
        let count = |name| Cell::known(node.number(name), Cell::count);
        let share = |name| {
            let share = node.number(name).zip(slots);
            Cell::known(share, |(part, all)| Cell::share(part as f64 / all as f64))
        };
        let star = if node.is_me { "*" } else { "" };
        table.push([
            Cell::words(output::seen(&format!("{}{star}", node.name()))),
            Cell::words(node.id),
            word("standing"),
            word("phase"),
            word("zone"),
            word("client"),
            word("peer"),
            share("slots_first"),
            share("slots"),
            word("linked"),
            count("calls"),
            count("dirty_slots"),
            count("generation"),
            word("build"),
        ]);
    }
    table
}
