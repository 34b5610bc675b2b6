//! `ring bench`: the ring laboratory. Measures our ring beside others on
//! clusters of several sizes, and draws what it found.

use super::super::check::{self, Check};
use super::super::output::{self, Cell, Column, Format, Table};
use super::super::progress::Progress;
use super::super::units;
use super::super::{CliError, Exit};
use super::{keys_file, pictures, show};
use crate::lab::{
    Algorithm, Case, Conditions, Distribution, Figure, Keys, Row, Scenario, Unit, algorithms,
};
use crate::limits::{COPIES_MAX, KEYS_MAX, NODES_MAX};
use crate::ring::{Bound, Layout, ZoneId};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// Sizes of the cluster; ranges such as 3..64 may be among them
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = sizes)]
    #[arg(default_value = "3,10,100,1000")]
    nodes: Vec<Sizes>,
    /// Algorithms to compare, or `all`
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', default_value = "ring,vec-ring")]
    algo: Vec<String>,
    /// Virtual nodes per unit of weight
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "2048")]
    vnodes: Vec<u32>,
    /// How far above its fair share a node may be filled, or `none`
    #[arg(long, value_name = "PERCENT,...", value_delimiter = ',', value_parser = units::bound)]
    #[arg(default_value = "5%")]
    bound: Vec<Bound>,
    /// Slots of the ring: a power of two, or `auto` for what fits the size
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = slots)]
    #[arg(default_value = "auto")]
    slots: Vec<Slots>,
    /// Owners of each key
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=i64::from(COPIES_MAX)))]
    copies: u8,
    /// Weights of the nodes, over and over
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "1")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(crate::limits::WEIGHT_MAX)))]
    weights: Vec<u32>,
    /// Zones that the nodes are spread over, or their number for each node of a
    /// pattern, over and over
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "1")]
    zones: Vec<u64>,
    /// Keys to look up
    #[arg(long, value_name = "N", value_parser = keys, default_value = "1M")]
    keys: usize,
    /// Look up the lines of this file instead
    #[arg(long, value_name = "FILE", conflicts_with = "dist")]
    keys_file: Option<PathBuf>,
    /// Which keys: uniform, sequential or zipf:EXPONENT
    #[arg(long, value_name = "KIND", value_parser = units::distribution, default_value = "uniform")]
    dist: Distribution,
    /// What to watch beside the balance: add, remove, remove-zone, resize
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = scenario)]
    #[arg(default_value = "add,remove")]
    scenario: Vec<Watched>,
    /// Seed of the first cluster: equal seeds give equal figures
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Clusters of each size, each from the next seed
    #[arg(long, value_name = "N", default_value_t = 2)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1000))]
    repeat: u64,
    /// Rounds of timing; 0 leaves the timing out
    #[arg(long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u16).range(0..=1000))]
    rounds: u16,
    /// Draw what was found into this folder, as SVG
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    /// Fail unless every row meets this, such as `max_over_mean<=1.05`
    #[arg(long, value_name = "CHECK", value_delimiter = ',')]
    check: Vec<Check>,
}

/// Measures, prints, draws and checks.
pub(crate) fn run(args: &BenchArgs, format: Format) -> Result<Exit, CliError> {
    let names: Vec<&'static str> = Figure::ALL.map(Figure::name).to_vec();
    check::refuse_unknown(&args.check, &names)?;
    let cases = args.cases()?;
    let conditions = args.conditions()?;
    let rows = measure(&cases, &conditions);
    if rows.is_empty() {
        return Err(CliError::Usage("no algorithm could serve any of these clusters".into()));
    }
    output::print(|out| match format {
        Format::Json => output::write_json(out, &Report { rows: table(&rows) }),
        Format::Csv => table(&rows).write_csv(out),
        Format::Table | Format::Wide => {
            table(&rows).write_aligned(out, format)?;
            histogram(&rows, out)
        }
    })?;
    if let Some(folder) = &args.svg {
        draw(folder, &rows, args.skewed())?;
    }
    if format.is_for_people() {
        explain(&rows);
    }
    judge(&args.check, &rows)
}

impl BenchArgs {
    /// Every combination that was asked for, the sizes outermost.
    fn cases(&self) -> Result<Vec<Case>, CliError> {
        let (algorithms, zones) = (self.algorithms()?, self.zones()?);
        let mut cases = Vec::new();
        for nodes in self.nodes.iter().flat_map(|sizes| sizes.0.clone()) {
            for algorithm in &algorithms {
                for layout in self.layouts(nodes, algorithm) {
                    layout.check().map_err(|error| CliError::Usage(error.to_string()))?;
                    let (weights, zones) = (self.weights.clone(), zones.clone());
                    cases.push(Case { algorithm: **algorithm, nodes, weights, zones, layout });
                }
            }
        }
        Ok(cases)
    }

    fn algorithms(&self) -> Result<Vec<&'static Algorithm>, CliError> {
        if self.algo.iter().any(|name| name == "all") {
            return Ok(algorithms().collect());
        }
        let find = |name: &String| {
            algorithms().find(|algorithm| algorithm.name == name).ok_or_else(|| unknown(name))
        };
        self.algo.iter().map(find).collect()
    }

    /// The layouts to try: an algorithm that knows neither slots nor bounds is
    /// not measured once for each of them.
    fn layouts(&self, nodes: usize, algorithm: &Algorithm) -> Vec<Layout> {
        let bounded = algorithm.bounded;
        let (bounds, slots) = if bounded {
            (&*self.bound, &*self.slots)
        } else {
            (&self.bound[..1], &self.slots[..1])
        };
        let vnodes = if algorithm.has_vnodes() { &*self.vnodes } else { &self.vnodes[..1] };
        let mut layouts = Vec::new();
        for &vnodes in vnodes {
            for &bound in bounds {
                for slots in slots {
                    let slot_bits = match slots {
                        Slots::Auto => Layout::slot_bits_for(nodes),
                        Slots::Bits(bits) => *bits,
                    };
                    let (seed, copies) = (self.seed, self.copies);
                    layouts.push(Layout { seed, slot_bits, vnodes, bound, copies });
                }
            }
        }
        layouts
    }

    fn zones(&self) -> Result<Vec<ZoneId>, CliError> {
        match *self.zones {
            [count] if (1..=NODES_MAX as u64).contains(&count) => {
                Ok((0..count).map(ZoneId).collect())
            }
            [_] => Err(CliError::Usage(format!("there must be 1 to {NODES_MAX} zones"))),
            ref pattern => Ok(pattern.iter().map(|&zone| ZoneId(zone)).collect()),
        }
    }

    fn conditions(&self) -> Result<Conditions, CliError> {
        let keys = match &self.keys_file {
            Some(path) => keys_file::read(path, self.keys)?,
            None => Keys::draw(self.dist, self.keys, self.seed),
        };
        Ok(Conditions {
            keys,
            count_slots: self.keys_file.is_none() && self.dist == Distribution::Uniform,
            scenarios: self.scenario.iter().filter_map(|watched| watched.0).collect(),
            seeds: self.repeat,
            rounds: usize::from(self.rounds),
        })
    }

    fn skewed(&self) -> bool {
        matches!(self.dist, Distribution::Zipf(_))
    }
}

fn unknown(name: &str) -> CliError {
    let known: Vec<&str> = algorithms().map(|algorithm| algorithm.name).collect();
    let more = match cfg!(feature = "rivals") {
        true => "",
        false => "; more with a build that has the feature `rivals`",
    };
    CliError::Usage(format!("no algorithm `{name}`; there are: {}{more}", known.join(", ")))
}

/// Measures case by case; those that cannot be are said and left out.
fn measure(cases: &[Case], conditions: &Conditions) -> Vec<Row> {
    let mut progress = Progress::new(cases.len() as u64);
    let mut rows = Vec::new();
    for case in cases {
        let name = case.algorithm.name;
        progress.starts(format!("{name}, {} nodes", output::thousands(case.nodes as u64)));
        match case.measure(conditions) {
            Ok(row) => rows.push(row),
            Err(why) => progress.says(format!("{name} left out at {} nodes: {why}", case.nodes)),
        }
        progress.done();
    }
    rows
}

#[derive(serde::Serialize)]
struct Report {
    rows: Table,
}

/// The figures that the plain table shows, with their headings.
const PLAIN: [(Figure, &str); 12] = [
    (Figure::MinOverMean, "MIN/MEAN"),
    (Figure::MaxOverMean, "MAX/MEAN"),
    (Figure::Stddev, "STDDEV"),
    (Figure::CopiesMaxOverMean, "COPIES MAX/MEAN"),
    (Figure::AddMoved, "ADD MOVED"),
    (Figure::AddCopiesMoved, "COPIES"),
    (Figure::AddMisplaced, "MISPLACED"),
    (Figure::RemoveMoved, "REMOVE MOVED"),
    (Figure::LookupNs, "LOOKUP NS"),
    (Figure::OwnersNs, "OWNERS NS"),
    (Figure::BuildMs, "BUILD MS"),
    (Figure::Bytes, "BYTES"),
];

fn table(rows: &[Row]) -> Table {
    let mut columns = vec![
        Column::words("algorithm"),
        Column::words("origin").only_wide(),
        Column::words("hash").only_wide(),
        Column::numbers("nodes"),
        Column::words("weights").only_wide(),
        Column::numbers("zones").only_wide(),
        Column::numbers("copies").only_wide(),
        Column::numbers("vnodes"),
        Column::numbers("slots"),
        Column::words("bound"),
        Column::words("counted").only_wide(),
    ];
    columns.extend(Figure::ALL.map(|figure| {
        let column = Column::numbers(figure.name());
        match PLAIN.iter().find(|(plain, _)| *plain == figure) {
            Some((_, heading)) => column.headed(heading),
            None => column.only_wide(),
        }
    }));
    let mut table = Table::new(columns);
    for row in rows {
        table.push(cells(row));
    }
    table
}

fn cells(row: &Row) -> Vec<Cell> {
    let Case { algorithm, nodes, weights, zones, layout } = &row.case;
    let weights: Vec<String> = weights.iter().map(u32::to_string).collect();
    let vnodes = algorithm.has_vnodes().then_some(u64::from(layout.vnodes));
    let slots = algorithm.bounded.then_some(u64::from(layout.slots()));
    let bound = algorithm.bounded.then(|| layout.bound.to_string());
    let mut cells = vec![
        Cell::words(algorithm.name),
        Cell::words(algorithm.origin),
        Cell::words(algorithm.hash),
        Cell::count(*nodes as u64),
        Cell::words(weights.join(",")),
        Cell::count(zones.iter().collect::<std::collections::BTreeSet<_>>().len() as u64),
        Cell::count(u64::from(layout.copies)),
        Cell::known(vnodes, Cell::count),
        Cell::known(slots, Cell::count),
        Cell::known(bound, Cell::words),
        Cell::words(row.counted),
    ];
    cells.extend(Figure::ALL.map(|figure| Cell::known(number(row, figure), |n| cell(figure, n))));
    cells
}

/// The number that speaks for a figure.
fn number(row: &Row, figure: Figure) -> Option<f64> {
    row.figures.get(&figure).map(|summary| summary.take(figure.statistic()))
}

fn cell(figure: Figure, number: f64) -> Cell {
    match figure.unit() {
        Unit::Ratio => Cell::ratio(number),
        Unit::Part => Cell::share(number),
        Unit::Nanoseconds => Cell::decimals(number, 2),
        Unit::Milliseconds => Cell::decimals(number, 1),
        Unit::Count => Cell::count(number as u64),
    }
}

/// How the loads of the largest ring are spread, drawn in text.
fn histogram(rows: &[Row], out: &mut dyn std::io::Write) -> std::io::Result<()> {
    let ring = rows.iter().filter(|row| row.case.algorithm.bounded);
    let Some(row) = ring.max_by_key(|row| row.case.nodes) else { return Ok(()) };
    if row.case.nodes < 10 {
        return Ok(());
    }
    writeln!(out)?;
    let nodes = output::thousands(row.case.nodes as u64);
    writeln!(out, "{nodes} nodes of `{}` by primaries held over fair", row.case.algorithm.name)?;
    show::histogram(&row.spread.primaries).write_aligned(out, Format::Table)
}

fn draw(folder: &Path, rows: &[Row], skewed: bool) -> Result<(), CliError> {
    let failed = |error: std::io::Error| {
        CliError::Failed(format!("cannot draw into {}: {error}", folder.display()))
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    for (name, chart) in pictures::all(rows, skewed) {
        let path = folder.join(name);
        chart.write(&path).map_err(failed)?;
        output::note(format_args!("drawn: {}", path.display()));
    }
    Ok(())
}

/// What a reader has to know of the numbers.
fn explain(rows: &[Row]) {
    output::note(
        "\nbalance is of the worst seed, moved is over the least possible, the mean of all seeds",
    );
    if rows.iter().any(|row| row.counted == "keys") {
        output::note("rows counted by keys are samples, whose own noise adds to max/mean");
    }
    let hash = rows.iter().filter_map(|row| row.figures.get(&Figure::HashNs));
    if let Some(hash) = hash.min_by(|a, b| a.median.total_cmp(&b.median)) {
        let (median, min, max) = (hash.median, hash.min, hash.max);
        output::note(format_args!(
            "times are of the median round; the hash alone took {median:.2} ns ({min:.2} to {max:.2})"
        ));
    }
}

/// Holds every row against the checks. An algorithm may lack a figure, such as
/// copies, but a check of a figure that none has says nothing of any.
fn judge(checks: &[Check], rows: &[Row]) -> Result<Exit, CliError> {
    let figures: Vec<Vec<(&str, f64)>> = rows.iter().map(figures).collect();
    let has =
        |row: &[(&str, f64)], check: &Check| row.iter().any(|(name, _)| *name == check.name());
    let (mut exit, mut unmeasured) = (Exit::Ok, Vec::new());
    for check in checks {
        let judged: Vec<usize> = (0..rows.len()).filter(|&row| has(&figures[row], check)).collect();
        if judged.is_empty() && !unmeasured.contains(&check.name()) {
            unmeasured.push(check.name());
        }
        for row in judged {
            if check::judge(std::slice::from_ref(check), &figures[row]) == Exit::Failed {
                let Case { algorithm, nodes, .. } = &rows[row].case;
                output::note(format_args!("  by {} at {nodes} nodes", algorithm.name));
                exit = Exit::Failed;
            }
        }
    }
    match unmeasured[..] {
        [] => Ok(exit),
        _ => Err(CliError::Usage(format!(
            "not measured here: {} (add --rounds or --scenario)",
            unmeasured.join(", ")
        ))),
    }
}

fn figures(row: &Row) -> Vec<(&'static str, f64)> {
    let figures = Figure::ALL.into_iter();
    let figures = figures.filter_map(|figure| Some((figure.name(), number(row, figure)?)));
    figures.filter(|(_, number)| !number.is_nan()).collect()
}

/// One size or a range of them.
#[derive(Clone, Debug)]
struct Sizes(std::ops::RangeInclusive<usize>);

fn sizes(text: &str) -> Result<Sizes, String> {
    let size = |text: &str| match text.trim().parse::<usize>() {
        Ok(size) if (1..=NODES_MAX).contains(&size) => Ok(size),
        _ => Err(format!("`{text}` is not a number of nodes from 1 to {NODES_MAX}")),
    };
    match text.split_once("..") {
        Some((first, last)) if size(first)? <= size(last)? => Ok(Sizes(size(first)?..=size(last)?)),
        Some(_) => Err(format!("`{text}` ends before it begins")),
        None => Ok(Sizes(size(text)?..=size(text)?)),
    }
}

#[derive(Clone, Copy, Debug)]
enum Slots {
    Auto,
    Bits(u8),
}

fn slots(text: &str) -> Result<Slots, units::UnitError> {
    match text {
        "auto" => Ok(Slots::Auto),
        number => units::slot_bits(number).map(Slots::Bits),
    }
}

fn keys(text: &str) -> Result<usize, String> {
    match units::count(text).map_err(|error| error.to_string())? {
        keys @ 1..=KEYS_MAX => Ok(keys as usize),
        _ => Err(format!("it must be 1 to {}", output::thousands(KEYS_MAX))),
    }
}

/// A scenario; the balance is watched always and is none.
#[derive(Clone, Copy, Debug)]
struct Watched(Option<Scenario>);

fn scenario(text: &str) -> Result<Watched, String> {
    if text == "balance" {
        return Ok(Watched(None));
    }
    let found = Scenario::ALL.into_iter().find(|scenario| scenario.name() == text);
    let known = || format!("balance, {}", Scenario::ALL.map(Scenario::name).join(", "));
    found.map(|found| Watched(Some(found))).ok_or_else(|| format!("there are: {}", known()))
}
