//! `ring show`: how evenly a ring loads its nodes.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are sorted into buckets to be read"
)]

use super::cluster::{Cluster, ClusterArgs, Constants, Member};
use crate::cli::output::{self, Cell, Column, Format, Table, counted, thousands};
use crate::cli::{CliError, Exit};
use crate::ring::{Balance, Load, Ring};
use clap::Args;
use serde::Serialize;
use std::io::{self, Write};

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Show every node, however many there are
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Nodes in a table, at most, unless all are asked for: one screen.
const ROWS_MAX: usize = 40;
/// Rows for the fullest nodes, and as many for the emptiest.
const EXTREMES: usize = 5;
const BUCKETS: u16 = 20;
const BAR_WIDTH: u16 = 20;

const NEXT: &str = "
next: `ring plan` with the same options and `--add zone=ZONE` works out what one more node would
move; `ring owner KEY` tells who has a key";

pub(crate) fn run(args: &ShowArgs, format: Format) -> Result<Exit, CliError> {
    let cluster = args.cluster.cluster()?;
    let ring = cluster.ring()?;
    let picture = Picture { loads: cluster.loads(&ring), cluster: &cluster, ring: &ring };
    output::print(|out| match format {
        Format::Json => output::write_json(out, &picture.report()),
        Format::Csv => picture.table(&picture.loads).write_csv(out),
        Format::Table | Format::Wide if args.all || picture.loads.len() <= ROWS_MAX => {
            writeln!(out, "{}\n", picture.verdict())?;
            picture.table(&picture.loads).write_aligned(out, format)
        }
        Format::Table | Format::Wide => picture.write_summary(out, format),
    })?;
    if format.is_for_people() {
        output::note(NEXT);
    }
    Ok(Exit::Ok)
}

/// A ring with what each of its nodes holds.
struct Picture<'a> {
    cluster: &'a Cluster,
    ring: &'a Ring,
    loads: Vec<(&'a Member, Load)>,
}

impl Picture<'_> {
    fn primaries(&self) -> Balance {
        Balance::of(self.loads.iter().map(|(_, load)| load.primaries_ratio()))
    }

    fn copies(&self) -> Balance {
        Balance::of(self.loads.iter().map(|(_, load)| load.copies_ratio()))
    }

    /// The ring in one line.
    fn verdict(&self) -> String {
        let layout = self.ring.layout();
        format!(
            "ring {:016x}  {}  {}  {}  slots {}  vnodes {} per weight  bound {}  \
             primaries {:.3} x fair at most, copies {:.3} x",
            self.ring.fingerprint(),
            counted(self.loads.len(), "node"),
            zones_text(self.cluster.zones()),
            copies_text(self.ring),
            thousands(layout.slots().into()),
            thousands(layout.vnodes.into()),
            layout.bound,
            self.primaries().max,
            self.copies().max,
        )
    }

    fn table(&self, loads: &[(&Member, Load)]) -> Table {
        let mut table = Table::new(columns());
        let slots = f64::from(self.ring.layout().slots());
        let most = self.loads.iter().map(|(_, load)| load.primaries).max().unwrap_or(1);
        for (member, load) in loads {
            let filled = f64::from(load.primaries) / f64::from(most);
            table.push(row(member, load, slots, output::bar(filled, BAR_WIDTH)));
        }
        table
    }

    fn report(&self) -> Report {
        Report {
            fingerprint: format!("{:016x}", self.ring.fingerprint()),
            layout: self.ring.layout().into(),
            copies: self.ring.copies(),
            zones: self.cluster.zones(),
            primaries: self.primaries().into(),
            all_copies: self.copies().into(),
            nodes: self.table(&self.loads),
        }
    }

    /// What stands for a table that nobody would read.
    fn write_summary(&self, out: &mut dyn Write, format: Format) -> io::Result<()> {
        writeln!(out, "{}\n", self.verdict())?;
        let ratios: Vec<f64> = self.loads.iter().map(|(_, load)| load.primaries_ratio()).collect();
        histogram(&ratios).write_aligned(out, format)?;
        let mut loads = self.loads.clone();
        loads.sort_by(|(_, a), (_, b)| b.primaries_ratio().total_cmp(&a.primaries_ratio()));
        writeln!(out, "\nthe {EXTREMES} fullest")?;
        self.table(&loads[..EXTREMES]).write_aligned(out, format)?;
        writeln!(out, "\nthe {EXTREMES} emptiest (--all shows every node)")?;
        self.table(&loads[loads.len() - EXTREMES..]).write_aligned(out, format)
    }
}

fn copies_text(ring: &Ring) -> String {
    match (ring.copies(), ring.layout().copies) {
        (copies, asked) if copies == asked => format!("copies {copies}"),
        (copies, asked) => format!("copies {copies} ({asked} asked for, too few nodes)"),
    }
}

fn zones_text(zones: usize) -> String {
    if zones == 0 { "no zones".to_owned() } else { counted(zones, "zone") }
}

fn columns() -> [Column; 13] {
    [
        Column::words("node"),
        Column::words("zone"),
        Column::numbers("weight"),
        Column::numbers("primaries_share").headed("PRIMARIES"),
        Column::numbers("primaries_fair").headed("FAIR"),
        Column::numbers("primaries_ratio").headed("X"),
        Column::numbers("copies_share").headed("COPIES"),
        Column::numbers("copies_fair").headed("FAIR"),
        Column::numbers("copies_ratio").headed("X"),
        Column::numbers("primaries_slots").only_wide(),
        Column::numbers("copies_slots").only_wide(),
        Column::words("id").only_wide(),
        Column::words("bar").headed("").only_drawn(),
    ]
}

fn row(member: &Member, load: &Load, slots: f64, bar: String) -> [Cell; 13] {
    [
        Cell::words(&member.name),
        Cell::known(member.zone.as_deref(), Cell::words),
        Cell::count(member.weight.into()),
        Cell::share(f64::from(load.primaries) / slots),
        Cell::share(load.primaries_fair / slots),
        Cell::ratio(load.primaries_ratio()),
        Cell::share(f64::from(load.copies) / slots),
        Cell::share(load.copies_fair / slots),
        Cell::ratio(load.copies_ratio()),
        Cell::count(load.primaries.into()),
        Cell::count(load.copies.into()),
        Cell::words(member.id().to_string()),
        Cell::drawing(bar),
    ]
}

/// How many of the values lie where, from the least to the greatest.
pub(super) fn histogram(values: &[f64]) -> Table {
    let mut table = Table::new([
        Column::numbers("from"),
        Column::numbers("to"),
        Column::numbers("nodes"),
        Column::words("bar").headed("").only_drawn(),
    ]);
    let Balance { min, max, .. } = Balance::of(values.iter().copied());
    let step = (max - min) / f64::from(BUCKETS);
    let edge = |bucket: u16| min + step * f64::from(bucket);
    let mut counts = [0_u32; BUCKETS as usize];
    for value in values {
        // The greatest value is in the last bucket, not behind it; values that
        // are all alike are in the first.
        let bucket = ((value - min) / step) as usize;
        counts[bucket.min(counts.len() - 1)] += 1;
    }
    let most = counts.into_iter().max().unwrap_or(0).max(1);
    for (bucket, count) in (0..BUCKETS).zip(counts) {
        table.push([
            Cell::ratio(edge(bucket)),
            Cell::ratio(edge(bucket + 1)),
            Cell::count(count.into()),
            Cell::drawing(output::bar(f64::from(count) / f64::from(most), 2 * BAR_WIDTH)),
        ]);
    }
    table
}

#[derive(Serialize)]
struct Report {
    fingerprint: String,
    layout: Constants,
    /// Owners of each slot: fewer than the layout's where nodes are too few.
    copies: u8,
    zones: usize,
    primaries: Spread,
    all_copies: Spread,
    nodes: Table,
}

/// Ratios of held to fair.
#[derive(Serialize)]
struct Spread {
    min: f64,
    max: f64,
    stddev: f64,
}

impl From<Balance> for Spread {
    fn from(Balance { min, max, stddev }: Balance) -> Self {
        Self { min, max, stddev }
    }
}
