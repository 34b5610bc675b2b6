//! The pictures of `ring bench`: which charts a set of rows can be drawn as.

use super::super::chart::{Axis, Chart, Mark, Scale, Series};
use crate::lab::{Figure, Row, Statistic};
use std::collections::BTreeMap;

/// Every picture that the rows have the figures for, with its file name.
pub(super) fn all(rows: &[Row], skewed: bool) -> Vec<(&'static str, Chart)> {
    let lookup = lookup(rows);
    let rows = &placements(rows);
    let mut pictures = vec![
        ("shares.svg", shares(rows)),
        ("cdf.svg", cdf(rows)),
        ("lookup.svg", lookup),
        ("moved.svg", moved(rows)),
        ("vnodes.svg", vnodes(rows)),
        ("growth.svg", growth(rows)),
    ];
    if skewed {
        pictures.push(("requests.svg", requests(rows)));
    }
    pictures.retain(|(_, chart)| !chart.is_empty());
    pictures
}

/// One row for each placement: the ring that is reached in other ways places
/// keys all the same.
fn placements(rows: &[Row]) -> Vec<Row> {
    let another_way = |row: &&Row| row.case.algorithm.bounded && row.case.algorithm.name != "ring";
    let alone = rows.iter().all(|row| another_way(&row));
    rows.iter().filter(|row| alone || !another_way(row)).cloned().collect()
}

/// Every node's load against its fair share, from the emptiest to the fullest.
fn shares(rows: &[Row]) -> Chart {
    let series = |row: &&Row| Series {
        name: label(row, rows),
        mark: Mark::Line,
        points: sorted(&row.spread.primaries)
            .into_iter()
            .enumerate()
            .map(|(rank, ratio)| (rank as f64 + 1.0, ratio))
            .collect(),
        band: Vec::new(),
    };
    let shown = most_telling(rows);
    Chart {
        title: format!("Primaries of each node over its fair share, {} nodes", nodes_of(&shown)),
        x: linear("nodes, from the emptiest to the fullest"),
        y: linear("held over fair"),
        series: shown.iter().map(series).collect(),
        ideal: Some((1.0, "ideal")),
    }
}

/// The part of the nodes that hold at most so much.
fn cdf(rows: &[Row]) -> Chart {
    let series = |row: &&Row| {
        let ratios = sorted(&row.spread.primaries);
        let count = ratios.len() as f64;
        let steps = ratios.into_iter().enumerate().flat_map(|(below, ratio)| {
            [(ratio, below as f64 / count), (ratio, (below + 1) as f64 / count)]
        });
        Series {
            name: label(row, rows),
            mark: Mark::Line,
            points: steps.collect(),
            band: Vec::new(),
        }
    };
    let shown = most_telling(rows);
    Chart {
        title: format!("Part of {} nodes that hold at most so much", nodes_of(&shown)),
        x: linear("primaries over the fair share"),
        y: linear("part of the nodes"),
        series: shown.iter().map(series).collect(),
        ideal: None,
    }
}

/// Time of a lookup against the size of the cluster, the bare hash below.
fn lookup(rows: &[Row]) -> Chart {
    let mut series = by_name(rows, |row| {
        let lookup = row.figures.get(&Figure::LookupNs)?;
        Some((row.case.nodes as f64, lookup.median, (lookup.min, lookup.max)))
    });
    let hash = rows
        .iter()
        .filter_map(|row| Some((row.case.nodes as f64, row.figures.get(&Figure::HashNs)?.median)));
    let floor: BTreeMap<u64, f64> = hash.map(|(nodes, time)| (nodes as u64, time)).collect();
    if !floor.is_empty() {
        series.push(Series {
            name: "xxh3 of the key alone".into(),
            mark: Mark::Line,
            points: floor.into_iter().map(|(nodes, time)| (nodes as f64, time)).collect(),
            band: Vec::new(),
        });
    }
    Chart {
        title: "Time of one lookup".into(),
        x: logarithmic("nodes"),
        y: logarithmic("nanoseconds"),
        series,
        ideal: None,
    }
}

/// Balance against movement: the nearer to the lower left corner, the better.
fn moved(rows: &[Row]) -> Chart {
    let mut series = by_name(rows, |row| {
        let moved = row.figures.get(&Figure::AddMoved)?.mean;
        Some((moved, row.figures.get(&Figure::MaxOverMean)?.max, (0.0, 0.0)))
    });
    for series in &mut series {
        series.mark = Mark::Dots;
        series.band.clear();
    }
    Chart {
        title: "Balance against movement when a node joins".into(),
        x: linear("primaries moved over the least possible"),
        y: linear("fullest node over its fair share, worst seed"),
        series,
        ideal: Some((1.0, "ideal")),
    }
}

/// Balance against virtual nodes, one line for each size of the cluster.
fn vnodes(rows: &[Row]) -> Chart {
    let mut lines: BTreeMap<(usize, &str), Series> = BTreeMap::new();
    for row in rows {
        let Some(peak) = row.figures.get(&Figure::MaxOverMean) else { continue };
        let name = row.case.algorithm.name;
        let line = lines.entry((row.case.nodes, name)).or_insert_with(|| Series {
            name: format!("{name}, {} nodes", row.case.nodes),
            mark: Mark::LineAndDots,
            points: Vec::new(),
            band: Vec::new(),
        });
        let vnodes = f64::from(row.case.layout.vnodes);
        line.points.push((vnodes, peak.median));
        line.band.push((vnodes, peak.median, peak.max));
    }
    Chart {
        title: "Balance against virtual nodes, median to worst seed".into(),
        x: logarithmic("virtual nodes per unit of weight"),
        y: linear("fullest node over its fair share"),
        series: lines.into_values().filter(has_two_places).collect(),
        ideal: Some((1.0, "ideal")),
    }
}

/// Peak and movement of our ring while the cluster grows.
fn growth(rows: &[Row]) -> Chart {
    let line = |name: &str, figure, statistic: Statistic| {
        let ring = rows.iter().filter(|row| row.case.algorithm.name == "ring");
        let points = ring.filter_map(|row| {
            Some((row.case.nodes as f64, row.figures.get(&figure)?.take(statistic)))
        });
        Series {
            name: name.into(),
            mark: Mark::LineAndDots,
            points: points.collect(),
            band: Vec::new(),
        }
    };
    let lines = [
        line("fullest node, primaries, worst seed", Figure::MaxOverMean, Statistic::Max),
        line("fullest node, copies, worst seed", Figure::CopiesMaxOverMean, Statistic::Max),
        line("primaries moved by one join, mean", Figure::AddMoved, Statistic::Mean),
        line("copies moved by one join, mean", Figure::AddCopiesMoved, Statistic::Mean),
    ];
    Chart {
        title: "The ring while it grows".into(),
        x: linear("nodes"),
        y: linear("over the fair share, over the least possible"),
        series: lines.into_iter().filter(|line| places(line) >= GROWTH_PLACES).collect(),
        ideal: Some((1.0, "ideal")),
    }
}

/// Fewer sizes than this show no growth.
const GROWTH_PLACES: usize = 5;

/// The fullest node's requests when some keys are asked for far more often.
fn requests(rows: &[Row]) -> Chart {
    let line = |name: &'static str, figure| {
        let series = by_name(rows, |row| {
            let peak = row.figures.get(&figure)?;
            Some((row.case.nodes as f64, peak.median, (peak.min, peak.max)))
        });
        series.into_iter().take(1).map(move |series| Series { name: name.to_owned(), ..series })
    };
    let primaries = line("asked of the primary", Figure::MaxOverMean);
    let copies = line("spread over all owners", Figure::CopiesMaxOverMean);
    Chart {
        title: "Requests to the busiest node over its fair share, skewed keys".into(),
        x: logarithmic("nodes"),
        y: logarithmic("busiest over fair"),
        series: primaries.chain(copies).collect(),
        ideal: Some((1.0, "ideal")),
    }
}

/// One line for each algorithm, over the rows it has in their order.
fn by_name(rows: &[Row], point: impl Fn(&Row) -> Option<(f64, f64, (f64, f64))>) -> Vec<Series> {
    let mut series: Vec<Series> = Vec::new();
    for row in rows {
        let Some((x, y, (low, high))) = point(row) else { continue };
        let name = row.case.algorithm.name;
        let known = series.iter().position(|series| series.name == name);
        let place = known.unwrap_or_else(|| {
            series.push(Series {
                name: name.into(),
                mark: Mark::LineAndDots,
                points: Vec::new(),
                band: Vec::new(),
            });
            series.len() - 1
        });
        series[place].points.push((x, y));
        series[place].band.push((x, low, high));
    }
    series
}

/// The rows of the size that tells most: as many nodes as still make a picture.
fn most_telling(rows: &[Row]) -> Vec<&Row> {
    let sizes = rows.iter().map(|row| row.case.nodes);
    let size = sizes.clone().filter(|&nodes| nodes <= 100).max().or(sizes.min());
    rows.iter().filter(|row| Some(row.case.nodes) == size).collect()
}

fn nodes_of(rows: &[&Row]) -> usize {
    rows.first().map_or(0, |row| row.case.nodes)
}

/// The algorithm, and what tells this row from others of its kind.
fn label(row: &Row, rows: &[Row]) -> String {
    let case = &row.case;
    let alike = |other: &&Row| {
        (other.case.algorithm.name, other.case.nodes) == (case.algorithm.name, case.nodes)
    };
    match rows.iter().filter(alike).count() {
        1 => case.algorithm.name.to_owned(),
        _ => {
            format!(
                "{}, {} vnodes, bound {}",
                case.algorithm.name, case.layout.vnodes, case.layout.bound
            )
        }
    }
}

fn sorted(ratios: &[f64]) -> Vec<f64> {
    let mut ratios = ratios.to_vec();
    ratios.sort_unstable_by(f64::total_cmp);
    ratios
}

fn places(series: &Series) -> usize {
    let mut places: Vec<f64> = series.points.iter().map(|point| point.0).collect();
    places.sort_unstable_by(f64::total_cmp);
    places.dedup();
    places.len()
}

fn has_two_places(series: &Series) -> bool {
    places(series) >= 2
}

fn linear(name: &'static str) -> Axis {
    Axis { name, scale: Scale::Linear }
}

fn logarithmic(name: &'static str) -> Axis {
    Axis { name, scale: Scale::Logarithmic }
}
