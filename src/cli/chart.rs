//! Line charts as SVG: white ground, thin grid, one colour a series, names at
//! the lines' side.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;
use std::path::Path;

/// A picture of lines over two axes.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
    /// A horizontal line to hold the series against, with its name.
    pub(super) ideal: Option<(f64, &'static str)>,
}

/// One axis: what it counts and how it is scaled.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) name: &'static str,
    pub(super) scale: Scale,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    Logarithmic,
}

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) mark: Mark,
    /// In the order of x, finite numbers only.
    pub(super) points: Vec<(f64, f64)>,
    /// How far up and down other seeds went at each point: (x, low, high).
    pub(super) band: Vec<(f64, f64, f64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Line,
    LineAndDots,
    Dots,
}

const SIZE: (u32, u32) = (920, 560);
const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);

/// Colours that stay apart for the colour-blind, the first for our own ring.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0x8c, 0x6d, 0x1f),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0x7a, 0x3d, 0xb8),
    RGBColor(0x66, 0x66, 0x66),
];

type Failure = Box<dyn std::error::Error>;

impl Chart {
    /// Whether there is anything to draw.
    pub(super) fn is_empty(&self) -> bool {
        self.series.iter().all(|series| series.points.is_empty())
    }

    /// Writes the picture.
    pub(super) fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut text = String::new();
        self.draw(&mut text).map_err(|error| std::io::Error::other(error.to_string()))?;
        std::fs::write(path, text)
    }

    fn draw(&self, text: &mut String) -> Result<(), Failure> {
        let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let (x, y) = (self.range(|point| point.0, &self.x), self.range(|point| point.1, &self.y));
        match (self.x.scale, self.y.scale) {
            (Scale::Linear, Scale::Linear) => self.draw_on(&area, x, y)?,
            (Scale::Linear, Scale::Logarithmic) => self.draw_on(&area, x, y.log_scale())?,
            (Scale::Logarithmic, Scale::Linear) => self.draw_on(&area, x.log_scale(), y)?,
            (Scale::Logarithmic, Scale::Logarithmic) => {
                self.draw_on(&area, x.log_scale(), y.log_scale())?;
            }
        }
        Ok(area.present()?)
    }

    /// The axis over all points, with a little air.
    fn range(&self, of: fn(&(f64, f64)) -> f64, axis: &Axis) -> std::ops::Range<f64> {
        let bands = self.series.iter().flat_map(|series| &series.band);
        let ends = bands.flat_map(|&(x, low, high)| [(x, low), (x, high)]);
        let points = self.series.iter().flat_map(|series| series.points.iter().copied());
        let ideal = self
            .ideal
            .iter()
            .filter_map(|&(y, _)| self.series.first()?.points.first().map(|&(x, _)| (x, y)));
        let numbers: Vec<f64> = points.chain(ends).chain(ideal).map(|point| of(&point)).collect();
        let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        match axis.scale {
            Scale::Logarithmic => low.max(1e-9) / 1.15..high.max(1e-9) * 1.15,
            Scale::Linear => {
                let air = ((high - low) * 0.06).max(1e-3);
                low - air..high + air
            }
        }
    }

    fn draw_on<X, Y>(
        &self,
        area: &DrawingArea<SVGBackend, Shift>,
        x: X,
        y: Y,
    ) -> Result<(), Failure>
    where
        X: AsRangedCoord<Value = f64>,
        Y: AsRangedCoord<Value = f64>,
        X::CoordDescType: ValueFormatter<f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, ("sans-serif", 19).into_font().color(&INK))
            .margin(14)
            .x_label_area_size(46)
            .y_label_area_size(64)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(INK)
            .label_style(("sans-serif", 13).into_font().color(&INK))
            .x_desc(self.x.name)
            .y_desc(self.y.name)
            .x_label_formatter(&|number| shown(*number))
            .y_label_formatter(&|number| shown(*number))
            .draw()?;
        if let Some((height, name)) = self.ideal {
            let ends = self.range(|point| point.0, &self.x);
            let line =
                LineSeries::new([(ends.start, height), (ends.end, height)], INK.stroke_width(1));
            chart
                .draw_series(line)?
                .label(name)
                .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], INK.stroke_width(1)));
        }
        for (number, series) in self.series.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let up = series.band.iter().map(|&(x, _, high)| (x, high));
            let down = series.band.iter().rev().map(|&(x, low, _)| (x, low));
            chart.draw_series([Polygon::new(
                up.chain(down).collect::<Vec<_>>(),
                colour.mix(0.14),
            )])?;
            // Past the eighth series the colours come round again, as thin lines.
            let width = if number < COLOURS.len() { 2 } else { 1 };
            if series.mark != Mark::Dots {
                chart.draw_series(LineSeries::new(
                    series.points.clone(),
                    colour.stroke_width(width),
                ))?;
            }
            let radius = if series.mark == Mark::Line { 0 } else { 4 };
            let dots =
                series.points.iter().map(|&point| Circle::new(point, radius, colour.filled()));
            chart.draw_series(dots)?.label(&series.name).legend(move |(x, y)| {
                PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(width + 1))
            });
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.85))
            .border_style(GRID)
            .label_font(("sans-serif", 13).into_font().color(&INK))
            .draw()?;
        Ok(())
    }
}

/// A number as an axis shows it.
fn shown(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        size if size >= 10.0 => format!("{number:.0}"),
        size if size >= 2.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}
