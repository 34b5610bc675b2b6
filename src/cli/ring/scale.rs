//! `ring scale`: what becomes of clusters of thousands of nodes to which much happens
//! at once. The gossip, the members and the rings are the server's, in virtual time.

use super::super::check::{self, Check};
use super::super::output::{self, Cell, Column, Format, Table, thousands};
use super::super::progress::Progress;
use super::super::units;
use super::super::{CliError, Exit};
use super::scale_pictures;
use crate::lab::scale::{Outcome, ToMove, Trial, Upheaval};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Nodes of a simulated cluster, at most: their addresses are of one private network,
/// and what they know of each other takes gigabytes long before.
const NODES_MAX: u64 = 20_000;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
start    all nodes start at once and know nobody
join     a tenth more start at once
deaths   a tenth of the nodes dies at once
zone     one of three zones is lost
restart  nodes leave and are back two seconds later, one in a hundred at a time

Each runs until all who live have one view. 5,000 nodes take 16 GB of memory.

Figures to check: one_view_s, false_deaths, moved (copies over the least possible).")]
pub(crate) struct ScaleArgs {
    /// Sizes of the cluster
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "100,300,1000")]
    #[arg(value_parser = clap::value_parser!(u64).range(10..=NODES_MAX))]
    nodes: Vec<u64>,
    /// What happens: start, join, deaths, zone, restart
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = upheaval)]
    #[arg(default_value = "start,join,deaths,zone,restart")]
    upheaval: Vec<Upheaval>,
    /// Nodes that are restarted, at most
    #[arg(long, value_name = "N", value_parser = units::count, default_value = "20k")]
    restarted: u64,
    /// How many of a hundred packets are lost
    #[arg(long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=90))]
    loss: u32,
    /// How long one view is waited for, in the clusters' time
    #[arg(long, value_name = "DURATION", value_parser = units::duration, default_value = "5m")]
    patience: Duration,
    /// Seed of the first cluster: equal seeds give equal figures
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Clusters of each size for each upheaval, each from the next seed
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1000))]
    repeat: u64,
    /// Draw what was found into this folder, as SVG
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    /// Exit with 1 unless every row meets this, such as 'moved<=1.05' (repeatable)
    #[arg(long, value_name = "CHECK", value_delimiter = ',')]
    check: Vec<Check>,
}

/// What can be checked.
const FIGURES: [&str; 3] = ["one_view_s", "false_deaths", "moved"];

/// What happened to clusters of one size, from several seeds.
pub(super) struct Row {
    pub(super) nodes: usize,
    pub(super) upheaval: Upheaval,
    pub(super) outcomes: Vec<Outcome>,
    /// What it took to work that out.
    took: Duration,
}

/// Lets it happen, prints, draws and checks.
pub(crate) fn run(args: &ScaleArgs, format: Format) -> Result<Exit, CliError> {
    check::refuse_unknown(&args.check, &FIGURES)?;
    let rows = simulate(args)?;
    output::print(|out| match format {
        Format::Json => output::write_json(out, &Report { rows: table(&rows) }),
        Format::Csv => table(&rows).write_csv(out),
        Format::Table | Format::Wide => table(&rows).write_aligned(out, format),
    })?;
    if let Some(folder) = &args.svg {
        draw(folder, &rows)?;
    }
    if format.is_for_people() {
        output::note(
            "\ntimes are in the clusters' own time, median and slowest seed; packets and bytes of one node",
        );
    }
    let judged = rows.iter().map(|row| check::judge(&args.check, &row.figures()));
    Ok(judged.fold(Exit::Ok, |all, one| if one == Exit::Ok { all } else { one }))
}

fn simulate(args: &ScaleArgs) -> Result<Vec<Row>, CliError> {
    let cases = args.nodes.iter().flat_map(|&nodes| args.upheaval.iter().map(move |&u| (nodes, u)));
    let cases: Vec<(u64, Upheaval)> = cases.collect();
    let mut progress = Progress::new(cases.len() as u64 * args.repeat);
    let mut rows = Vec::new();
    for (nodes, upheaval) in cases {
        let (began, mut outcomes) = (Instant::now(), Vec::new());
        for seed in args.seed..args.seed + args.repeat {
            progress.starts(format!(
                "{}, {} nodes, seed {seed}",
                upheaval.name(),
                thousands(nodes)
            ));
            let trial = Trial {
                upheaval,
                nodes: nodes as usize,
                seed,
                loss_percent: args.loss,
                restarted: args.restarted as usize,
                patience: args.patience,
            };
            let outcome = trial.run().map_err(|error| CliError::Failed(error.to_string()))?;
            outcomes.push(outcome);
            progress.done();
        }
        rows.push(Row { nodes: nodes as usize, upheaval, outcomes, took: began.elapsed() });
    }
    Ok(rows)
}

impl Row {
    /// Seconds until one view, ascending. Infinite where there was none in time.
    pub(super) fn one_view_s(&self) -> Vec<f64> {
        self.seconds(|outcome| outcome.one_view)
    }

    fn nearly_all_known_s(&self) -> Vec<f64> {
        self.seconds(|outcome| outcome.nearly_all_known)
    }

    fn seconds(&self, of: impl Fn(&Outcome) -> Option<Duration>) -> Vec<f64> {
        let seconds = |time: Option<Duration>| time.map_or(f64::INFINITY, |d| d.as_secs_f64());
        let all = self.outcomes.iter().map(|outcome| seconds(of(outcome)));
        let mut all: Vec<f64> = all.collect();
        all.sort_unstable_by(f64::total_cmp);
        all
    }

    fn mean(&self, of: impl Fn(&Outcome) -> f64) -> f64 {
        self.outcomes.iter().map(of).sum::<f64>() / self.outcomes.len() as f64
    }

    fn sum(&self, of: impl Fn(&Outcome) -> u64) -> u64 {
        self.outcomes.iter().map(of).sum()
    }

    /// The mean of what has to move, where anything can.
    fn to_move(&self, of: impl Fn(&ToMove) -> f64) -> Option<f64> {
        let all: Option<Vec<f64>> =
            self.outcomes.iter().map(|outcome| outcome.to_move.as_ref().map(&of)).collect();
        all.map(|all| all.iter().sum::<f64>() / all.len() as f64)
    }

    fn figures(&self) -> Vec<(&'static str, f64)> {
        let slowest = self.one_view_s().pop().unwrap_or(f64::INFINITY);
        let false_deaths = self.sum(|outcome| outcome.false_deaths) as f64;
        // Where nothing can move, nothing moved too much.
        let moved = self.to_move(|to_move| to_move.copies.ratio()).unwrap_or(1.0);
        vec![("one_view_s", slowest), ("false_deaths", false_deaths), ("moved", moved)]
    }
}

#[derive(serde::Serialize)]
struct Report {
    rows: Table,
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new([
        Column::numbers("nodes"),
        Column::words("upheaval"),
        Column::numbers("seeds").only_wide(),
        Column::numbers("lasted_s").only_wide(),
        Column::numbers("fastest_one_view_s").only_wide(),
        Column::numbers("nearly_all_known_s").headed("99.9% KNOWN S"),
        Column::numbers("one_view_s"),
        Column::numbers("slowest_one_view_s").headed("SLOWEST"),
        Column::numbers("false_deaths"),
        Column::numbers("falsely_dead").only_wide(),
        Column::numbers("rest_packets_per_s").headed("REST PACKETS/S"),
        Column::numbers("rest_bytes_per_s").headed("BYTES/S"),
        Column::numbers("packets_per_s").headed("THEN PACKETS/S"),
        Column::numbers("bytes_per_s").headed("BYTES/S"),
        Column::numbers("sent_packets").only_wide(),
        Column::numbers("sent_bytes").only_wide(),
        Column::numbers("slots").only_wide(),
        Column::numbers("moved_share").headed("MOVED"),
        Column::numbers("least_share").headed("LEAST"),
        Column::numbers("moved").headed("OVER LEAST"),
        Column::numbers("primaries_moved").only_wide(),
        Column::numbers("misplaced_share").only_wide(),
        Column::numbers("runs").only_wide(),
        Column::numbers("got_most_over_mean").only_wide(),
        Column::numbers("sent_most_over_mean").only_wide(),
        Column::numbers("took_s").only_wide(),
    ]);
    for row in rows {
        table.push(cells(row));
    }
    table
}

fn cells(row: &Row) -> Vec<Cell> {
    let (views, known) = (row.one_view_s(), row.nearly_all_known_s());
    let seconds = |seconds: f64| match seconds.is_finite() {
        true => Cell::decimals(seconds, 1),
        false => Cell::missing(),
    };
    let amount = |of: fn(&Outcome) -> f64| Cell::amount(row.mean(of));
    let rate = |of: fn(&Outcome) -> f64| Cell::decimals(row.mean(of), 1);
    let moving = |of: fn(&ToMove) -> f64, cell: fn(f64) -> Cell| Cell::known(row.to_move(of), cell);
    let mean = |most: u64, moved: u64, nodes: usize| match moved {
        0 => 0.0,
        moved => most as f64 / (moved as f64 / nodes as f64),
    };
    let nodes = row.nodes;
    let busiest = |of: fn(&ToMove) -> u64| {
        Cell::known(row.to_move(|one| mean(of(one), one.copies.moved, nodes)), Cell::ratio)
    };
    vec![
        Cell::count(nodes as u64),
        Cell::words(row.upheaval.name()),
        Cell::count(row.outcomes.len() as u64),
        rate(|outcome| outcome.happened.as_secs_f64()),
        seconds(views[0]),
        seconds(known[known.len() / 2]),
        seconds(views[views.len() / 2]),
        seconds(views[views.len() - 1]),
        Cell::count(row.sum(|outcome| outcome.false_deaths)),
        Cell::count(row.sum(|outcome| outcome.falsely_dead as u64)),
        rate(|outcome| outcome.at_rest.packets),
        amount(|outcome| outcome.at_rest.bytes),
        rate(|outcome| outcome.meanwhile.packets),
        amount(|outcome| outcome.meanwhile.bytes),
        rate(|outcome| outcome.sent.packets),
        amount(|outcome| outcome.sent.bytes),
        moving(|one| f64::from(one.slots), |slots| Cell::count(slots as u64)),
        moving(|one| one.copies.moved as f64 / one.all_copies as f64, Cell::share),
        moving(|one| one.copies.least / one.all_copies as f64, Cell::share),
        moving(|one| one.copies.ratio(), Cell::ratio),
        moving(|one| one.primaries.ratio(), Cell::ratio),
        moving(|one| one.copies.misplaced as f64 / one.all_copies as f64, Cell::share),
        moving(|one| one.runs as f64, Cell::amount),
        busiest(|one| one.got_most),
        busiest(|one| one.sent_most),
        Cell::decimals(row.took.as_secs_f64(), 1),
    ]
}

fn draw(folder: &Path, rows: &[Row]) -> Result<(), CliError> {
    let failed = |error: std::io::Error| {
        CliError::Failed(format!("cannot draw into {}: {error}", folder.display()))
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    for (name, chart) in scale_pictures::all(rows) {
        let path = folder.join(name);
        chart.write(&path).map_err(failed)?;
        output::note(format_args!("drawn: {}", path.display()));
    }
    Ok(())
}

fn upheaval(text: &str) -> Result<Upheaval, String> {
    let found = Upheaval::ALL.into_iter().find(|upheaval| upheaval.name() == text);
    found.ok_or_else(|| format!("there are: {}", Upheaval::ALL.map(Upheaval::name).join(", ")))
}
