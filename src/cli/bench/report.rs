//! A run's figures, as a table, JSON or CSV.

use super::super::output::{self, Cell, Column, Format, Table};
use crate::lab::load::{Load, Report, Route, Servers, Wait};
use std::io::{self, Write};

/// A figure: its name, how the plain table heads it if it has it, its cell.
struct Figure {
    name: &'static str,
    heading: Option<&'static str>,
    value: fn(&Report) -> Option<f64>,
    cell: fn(f64) -> Cell,
}

const fn plain(
    name: &'static str,
    heading: &'static str,
    value: fn(&Report) -> Option<f64>,
    cell: fn(f64) -> Cell,
) -> Figure {
    Figure { name, heading: Some(heading), value, cell }
}

const fn wide(
    name: &'static str,
    value: fn(&Report) -> Option<f64>,
    cell: fn(f64) -> Cell,
) -> Figure {
    Figure { name, heading: None, value, cell }
}

/// Everything that is told of a run, in order.
const FIGURES: [Figure; 27] = [
    plain("operations", "OPERATIONS", |run| Some(run.tally.operations() as f64), count),
    wide("seconds", |run| Some(run.seconds), |value| Cell::decimals(value, 3)),
    plain("ops_per_s", "OPS/S", |run| Some(run.rate()), Cell::amount),
    wide("gets", |run| Some(run.tally.gets as f64), count),
    wide("sets", |run| Some(run.tally.sets as f64), count),
    wide("keys_read", |run| Some(run.tally.keys as f64), count),
    wide("hits", |run| Some(run.tally.hits as f64), count),
    plain("hit_ratio", "HIT RATIO", |run| run.tally.hit_ratio(), Cell::ratio),
    wide("hit_ratio_without_scan", |run| run.tally.warm_hit_ratio(), Cell::ratio),
    plain("errors", "ERRORS", |run| Some(run.tally.errors as f64), count),
    wide("sent_bytes_per_s", |run| Some(run.tally.sent_bytes as f64 / run.seconds), bytes),
    wide("received_bytes_per_s", |run| Some(run.tally.received_bytes as f64 / run.seconds), bytes),
    plain("mean_us", "MEAN US", mean_us, micros),
    plain("p50_us", "P50", |run| quantile_us(run, 0.5), micros),
    plain("p90_us", "P90", |run| quantile_us(run, 0.9), micros),
    plain("p99_us", "P99", |run| quantile_us(run, 0.99), micros),
    plain("p999_us", "P99.9", |run| quantile_us(run, 0.999), micros),
    plain("max_us", "MAX", |run| quantile_us(run, 1.0), micros),
    plain(
        "server_cpu_us_per_op",
        "SERVER CPU US/OP",
        |run| Some(run.each(run.servers.as_ref()?.cpu_us?)),
        |value| Cell::decimals(value, 3),
    ),
    wide("server_cpu_share", cpu_share, Cell::share),
    wide(
        "client_cpu_us_per_op",
        |run| Some(run.each(run.client_cpu_us)),
        |value| Cell::decimals(value, 3),
    ),
    wide("client_cpu_share", |run| Some(client_share(run)), Cell::share),
    plain("server_rss_bytes", "SERVER RSS", |run| server(run, |it| it.rss_bytes), bytes),
    wide("server_rss_anon_bytes", |run| server(run, |it| it.rss_anon_bytes), bytes),
    wide(
        "server_pid",
        // Of several, none stands for all.
        |run| server(run, |it| <[u32; 1]>::try_from(&it.pids[..]).ok().map(|[pid]| pid.into())),
        |pid| Cell::count(pid as u64),
    ),
    wide("server_processes", |run| server(run, |it| Some(it.pids.len() as u64)), count),
    wide("servers", |run| Some(run.server_count as f64), count),
];

fn count(value: f64) -> Cell {
    Cell::count(value as u64)
}

fn bytes(value: f64) -> Cell {
    Cell::bytes(value as u64)
}

fn micros(value: f64) -> Cell {
    Cell::decimals(value, 1)
}

fn cpu_share(run: &Report) -> Option<f64> {
    Some(run.servers.as_ref()?.cpu_us? / 1e6 / run.seconds)
}

/// Processors that the generator kept busy.
fn client_share(run: &Report) -> f64 {
    run.client_cpu_us / 1e6 / run.seconds
}

fn server(run: &Report, value: fn(&Servers) -> Option<u64>) -> Option<f64> {
    run.servers.as_ref().and_then(value).map(|value| value as f64)
}

fn mean_us(run: &Report) -> Option<f64> {
    let latency = &run.tally.latency_ns;
    (!latency.is_empty()).then(|| latency.mean() / 1000.0)
}

fn quantile_us(run: &Report, quantile: f64) -> Option<f64> {
    let latency = &run.tally.latency_ns;
    (!latency.is_empty()).then(|| latency.value_at_quantile(quantile) as f64 / 1000.0)
}

/// The figures that can be checked.
pub(super) fn names() -> Vec<&'static str> {
    FIGURES.iter().map(|figure| figure.name).collect()
}

/// Those that this run has.
pub(super) fn figures(report: &Report) -> Vec<(&'static str, f64)> {
    let known = |figure: &Figure| Some((figure.name, (figure.value)(report)?));
    FIGURES.iter().filter_map(known).filter(|(_, value)| value.is_finite()).collect()
}

#[derive(serde::Serialize)]
struct Runs {
    runs: Table,
}

pub(super) fn write(
    out: &mut dyn Write,
    load: &Load,
    report: &Report,
    format: Format,
) -> io::Result<()> {
    let runs = table(load, report);
    match format {
        Format::Json => output::write_json(out, &Runs { runs }),
        Format::Csv => runs.write_csv(out),
        Format::Table | Format::Wide => runs.write_aligned(out, format),
    }
}

fn table(load: &Load, report: &Report) -> Table {
    let mut columns = vec![
        Column::words("server").only_wide(),
        Column::words("protocol").only_wide(),
        Column::numbers("connections").only_wide(),
        Column::numbers("pipeline").only_wide(),
    ];
    columns.extend(FIGURES.iter().map(|figure| match figure.heading {
        Some(heading) => Column::numbers(figure.name).headed(heading),
        None => Column::numbers(figure.name).only_wide(),
    }));
    let words = ["ring", "wait", "first_error"];
    columns.extend(words.map(|name| Column::words(name).only_wide()));
    let mut cells = vec![
        Cell::words(load.server.to_string()),
        Cell::words(format!("{:?}", load.protocol).to_lowercase()),
        Cell::count(load.connections as u64),
        Cell::count(load.pipeline as u64),
    ];
    let known = |figure: &Figure| {
        let value = (figure.value)(report).filter(|value| value.is_finite());
        Cell::known(value, figure.cell)
    };
    cells.extend(FIGURES.iter().map(known));
    cells.push(Cell::known(load.ring.map(route), Cell::words));
    cells.push(Cell::known(load.wait.map(wait), Cell::words));
    cells.push(Cell::known(report.tally.first_error.clone(), Cell::words));
    let mut table = Table::new(columns);
    table.push(cells);
    table
}

fn route(route: Route) -> &'static str {
    match route {
        Route::Primary => "primary",
        Route::Other => "other",
        Route::Any => "any",
    }
}

fn wait(wait: Wait) -> &'static str {
    match wait {
        Wait::Each => "each",
        Wait::Batch => "batch",
    }
}

/// What a reader has to know of the numbers.
pub(super) fn explain(report: &Report) {
    output::note("\nlatencies in microseconds, from when a request was sent or, with --rate, due");
    if report.servers.is_none() {
        output::note("the server's costs are not known; name its process with --pid");
    }
    if client_share(report) > NEAR_FULL {
        output::note("a whole processor was spent on asking; --threads takes more of them");
    }
}

/// Processors that the generator spends before it may be what limits a run.
const NEAR_FULL: f64 = 0.97;
