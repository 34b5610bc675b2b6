//! The pictures of `ring scale`.

use super::super::chart::{Axis, Chart, Mark, Scale, Series};
use super::scale::Row;
use crate::cli::output::thousands;
use crate::lab::scale::{Moment, Upheaval};
use std::collections::BTreeSet;

/// Points of a line, at most: more cannot be seen, and make the file large.
const POINTS_MAX: usize = 120;

/// Every picture that the rows have the figures for, with its file name.
pub(super) fn all(rows: &[Row]) -> Vec<(String, Chart)> {
    let sizes: BTreeSet<usize> = rows.iter().map(|row| row.nodes).collect();
    let mut pictures = Vec::new();
    for &nodes in &sizes {
        let of_size: Vec<&Row> = rows.iter().filter(|row| row.nodes == nodes).collect();
        pictures.push((format!("scale-news-{nodes}.svg"), news(&of_size, nodes)));
        pictures.push((format!("scale-traffic-{nodes}.svg"), traffic(&of_size, nodes)));
    }
    if sizes.len() > 1 {
        pictures.push(("scale-one-view.svg".to_owned(), one_view(rows)));
    }
    pictures.retain(|(_, chart)| !chart.is_empty());
    pictures
}

/// How much of what happened is still unknown, at what time.
fn news(rows: &[&Row], nodes: usize) -> Chart {
    let series = |course: &[Moment]| {
        let most = course.iter().map(|moment| moment.mistaken).max().unwrap_or(0).max(1) as f64;
        let known = |moment: &Moment| 1.0 - moment.mistaken as f64 / most;
        course.iter().map(|moment| (moment.after.as_secs_f64(), known(moment))).collect()
    };
    Chart {
        title: format!("News that has come everywhere, {} nodes", thousands(nodes as u64)),
        x: Axis { name: "seconds since it happened", scale: Scale::Linear },
        y: Axis { name: "part of it known", scale: Scale::Linear },
        series: lines(rows, series),
        ideal: Some((1.0, "all have one view")),
    }
}

/// What a node sends meanwhile.
fn traffic(rows: &[&Row], nodes: usize) -> Chart {
    let series = |course: &[Moment]| {
        let point = |moment: &Moment| (moment.after.as_secs_f64(), moment.rate.bytes / 1000.0);
        course.iter().filter(|moment| moment.rate.bytes > 0.0).map(point).collect()
    };
    Chart {
        title: format!("What each of {} nodes sends meanwhile", thousands(nodes as u64)),
        x: Axis { name: "seconds since it happened", scale: Scale::Linear },
        y: Axis { name: "kilobytes a second", scale: Scale::Logarithmic },
        series: lines(rows, series),
        ideal: None,
    }
}

/// A line for each upheaval at one moment, of the first seed. What goes on for minutes
/// would leave the others no room.
fn lines(rows: &[&Row], points: impl Fn(&[Moment]) -> Vec<(f64, f64)>) -> Vec<Series> {
    let sudden = rows.iter().filter(|row| row.upheaval != Upheaval::Restart);
    let line = |row: &&Row| Series {
        name: row.upheaval.name().to_owned(),
        mark: Mark::Line,
        points: thinned(points(&row.outcomes[0].course)),
        band: Vec::new(),
    };
    sudden.map(line).collect()
}

/// Time until one view against the size of the cluster.
fn one_view(rows: &[Row]) -> Chart {
    let line = |upheaval: Upheaval| {
        let (mut points, mut band) = (Vec::new(), Vec::new());
        for row in rows.iter().filter(|row| row.upheaval == upheaval) {
            let views = row.one_view_s();
            let last = views[views.len() - 1];
            if last.is_finite() {
                points.push((row.nodes as f64, views[views.len() / 2]));
                band.push((row.nodes as f64, views[0], last));
            }
        }
        Series { name: upheaval.name().to_owned(), mark: Mark::LineAndDots, points, band }
    };
    Chart {
        title: "Time until all have one view, fastest to slowest seed".into(),
        x: Axis { name: "nodes", scale: Scale::Logarithmic },
        y: Axis { name: "seconds", scale: Scale::Logarithmic },
        series: Upheaval::ALL
            .into_iter()
            .map(line)
            .filter(|line| !line.points.is_empty())
            .collect(),
        ideal: None,
    }
}

/// Some of the points, the first and the last among them.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let step = points.len().div_ceil(POINTS_MAX).max(1);
    let last = points.len().saturating_sub(1);
    let kept = points.into_iter().enumerate();
    kept.filter(|(place, _)| place % step == 0 || *place == last).map(|(_, point)| point).collect()
}
