//! Line charts as SVG: white ground, thin grid, the names beside the plot in the
//! order in which their lines end.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::element::DashedPathElement;
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

const SIZE: (u32, u32) = (1080, 560);
const NAMES_WIDTH: u32 = 210;
const NAME_HEIGHT: i32 = 21;
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
        let (plot, names) = area.split_horizontally(SIZE.0 - NAMES_WIDTH);
        let (x, y) = (self.range(|point| point.0, &self.x), self.range(|point| point.1, &self.y));
        match (self.x.scale, self.y.scale) {
            (Scale::Linear, Scale::Linear) => self.draw_on(&plot, x, y)?,
            (Scale::Linear, Scale::Logarithmic) => self.draw_on(&plot, x, y.log_scale())?,
            (Scale::Logarithmic, Scale::Linear) => self.draw_on(&plot, x.log_scale(), y)?,
            (Scale::Logarithmic, Scale::Logarithmic) => {
                self.draw_on(&plot, x.log_scale(), y.log_scale())?;
            }
        }
        self.draw_names(&names)?;
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
            .x_labels(7)
            .y_labels(8)
            .x_label_formatter(&|number| shown(*number))
            .y_label_formatter(&|number| shown(*number))
            .draw()?;
        if let Some((height, _)) = self.ideal {
            let ends = self.range(|point| point.0, &self.x);
            chart.draw_series(LineSeries::new([(ends.start, height), (ends.end, height)], INK))?;
        }
        for (number, series) in self.series.iter().enumerate() {
            let pen = Pen::of(number);
            let up = series.band.iter().map(|&(x, _, high)| (x, high));
            let down = series.band.iter().rev().map(|&(x, low, _)| (x, low));
            let band = up.chain(down).collect::<Vec<_>>();
            chart.draw_series([Polygon::new(band, pen.colour.mix(0.12))])?;
            let line = series.points.clone();
            match (series.mark, pen.dash) {
                (Mark::Dots, _) => {}
                (_, None) => {
                    chart.draw_series(LineSeries::new(line, pen.style()))?;
                }
                (_, Some((dash, gap))) => {
                    chart.draw_series(DashedLineSeries::new(line, dash, gap, pen.style()))?;
                }
            }
            if series.mark != Mark::Line {
                let dot = |&point: &(f64, f64)| Circle::new(point, 4, pen.colour.filled());
                chart.draw_series(series.points.iter().map(dot))?;
            }
        }
        Ok(())
    }

    /// Writes the names beside the plot, in the order in which the lines end.
    fn draw_names(&self, area: &DrawingArea<SVGBackend, Shift>) -> Result<(), Failure> {
        let end = |series: &Series| series.points.last().map_or(0.0, |point| point.1);
        let mut names: Vec<(f64, &str, Pen)> = self
            .series
            .iter()
            .enumerate()
            .map(|(number, series)| (end(series), series.name.as_str(), Pen::of(number)))
            .collect();
        names.extend(self.ideal.map(|(height, name)| (height, name, Pen::IDEAL)));
        names.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (row, (_, name, pen)) in (0..).zip(names) {
            let y = 52 + row * NAME_HEIGHT;
            let line = [(4, y), (30, y)];
            match pen.dash {
                None => area.draw(&PathElement::new(line, pen.style()))?,
                Some((dash, gap)) => {
                    let line = line.into_iter();
                    area.draw(&DashedPathElement::new(line, dash, gap, pen.style()))?;
                }
            }
            let font = ("sans-serif", 13).into_font().color(&INK);
            area.draw(&Text::new(name.to_owned(), (38, y - 7), font))?;
        }
        Ok(())
    }
}

/// How a line is drawn. Past the eighth the colours come round again, dashed
/// and then dotted.
#[derive(Clone, Copy)]
struct Pen {
    colour: RGBColor,
    width: u32,
    /// Lengths of a dash and of the gap after it; `None` for a whole line.
    dash: Option<(u32, u32)>,
}

impl Pen {
    const IDEAL: Self = Self { colour: INK, width: 1, dash: None };

    fn of(number: usize) -> Self {
        let dash = [None, Some((9, 5)), Some((2, 4))][number / COLOURS.len() % 3];
        Self { colour: COLOURS[number % COLOURS.len()], width: 2, dash }
    }

    fn style(self) -> ShapeStyle {
        self.colour.stroke_width(self.width)
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
