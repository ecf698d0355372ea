//! `latency-raw.svg`, `latency-quantiles.svg` and `rate.svg`, for those who expect them (reference §14.1).

use std::error::Error;
use std::io::{self, Write};
use std::ops::Range;

use plotters::chart::{ChartBuilder, ChartContext, SeriesLabelPosition};
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::faults::FaultSpan;
use super::operations::{OUTCOMES, Operations, QUANTILES, seconds};
use crate::workbench::history::Kind;

const SIZE: (u32, u32) = (960, 420);
const FONT: &str = "sans-serif";
const TEXT_PX: i32 = 13;

const GRID: RGBColor = RGBColor(232, 232, 232);
const FAULT: RGBColor = RGBColor(180, 72, 58);
const SERIES: [RGBColor; 6] = [
    RGBColor(36, 99, 197),
    RGBColor(200, 84, 28),
    RGBColor(28, 138, 90),
    RGBColor(138, 69, 194),
    RGBColor(181, 137, 0),
    RGBColor(192, 43, 111),
];

type Chart<'a, 'b, Y> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, Y>>;
type Drawn = Result<(), Box<dyn Error>>;

/// What a plot shows, and when something was wrong meanwhile.
struct Frame<'a> {
    title: &'static str,
    unit: &'static str,
    end_s: f64,
    faults: &'a [FaultSpan],
}

/// Every operation by its beginning and its latency, on a logarithmic axis; its colour tells its outcome.
pub(super) fn latency(operations: &Operations<'_>, faults: &[FaultSpan], file: impl Write) -> io::Result<()> {
    let points = operations.drawn();
    let took = |low: bool| {
        let all = points.iter().map(|point| point.took_us).filter(|took| *took > 0);
        milliseconds(if low { all.min() } else { all.max() }.unwrap_or(1_000))
    };
    let (low, high) = (took(true) / 1.5, took(false) * 1.5);
    let title = if points.len() < operations.points.len() { "Latency, one where many are alike" } else { "Latency" };
    let frame = Frame { title, unit: "ms", end_s: seconds(operations.end_us), faults };
    plot(&frame, (low..high).log_scale(), low..high, file, |chart| {
        for (place, outcome) in OUTCOMES.into_iter().enumerate() {
            let colour = colour_of(outcome);
            let marks = points.iter().filter(|point| point.outcome == place).map(|point| {
                let at = (seconds(point.start_us), milliseconds(point.took_us).max(low));
                Circle::new(at, 2, colour.filled())
            });
            let marks: Vec<_> = marks.collect();
            if !marks.is_empty() {
                let mark = move |(x, y)| Circle::new((x + 10, y), 3, colour.filled());
                chart.draw_series(marks)?.label(outcome.name()).legend(mark);
            }
        }
        Ok(())
    })
}

/// Quantiles of latency over time.
pub(super) fn quantiles(operations: &Operations<'_>, faults: &[FaultSpan], file: impl Write) -> io::Result<()> {
    let windows = operations.quantiles();
    let high = windows.values.iter().flatten().map(|row| row[QUANTILES.len() - 1]).max().unwrap_or_default();
    let frame = Frame { title: "Quantiles of latency", unit: "ms", end_s: seconds(operations.end_us), faults };
    let range = 0.0..milliseconds(high.max(10)) * 1.05;
    plot(&frame, range.clone(), range, file, |chart| {
        for (place, quantile) in QUANTILES.into_iter().enumerate() {
            let points = middles(windows.length_us).zip(&windows.values);
            let points: Vec<_> = points.map(|(at, row)| Some((at, milliseconds(row.as_ref()?[place])))).collect();
            line(chart, &points, &quantile.to_string(), place)?;
        }
        Ok(())
    })
}

/// Completions a second, for each name and outcome.
pub(super) fn rate(operations: &Operations<'_>, faults: &[FaultSpan], file: impl Write) -> io::Result<()> {
    let windows = operations.rates();
    let high = windows.values.iter().flatten().flatten().copied().fold(0.0, f64::max);
    let frame = Frame { title: "Operations a second", unit: "1/s", end_s: seconds(operations.end_us), faults };
    let range = 0.0..high.max(1.0) * 1.05;
    // The last window is cut short by the end, and would seem slow.
    let whole = windows.values.len().saturating_sub(1).max(1);
    plot(&frame, range.clone(), range, file, |chart| {
        let mut place = 0;
        for (index, name) in operations.names.iter().enumerate() {
            for (outcome, kind) in OUTCOMES.into_iter().enumerate() {
                let rates = windows.values.iter().map(|row| row[index][outcome]);
                if rates.clone().all(|rate| rate <= 0.0) {
                    continue;
                }
                let points: Vec<_> = middles(windows.length_us).zip(rates.take(whole)).map(Some).collect();
                line(chart, &points, &format!("{name} {}", kind.name()), place)?;
                place += 1;
            }
        }
        Ok(())
    })
}

fn plot<Y>(
    frame: &Frame<'_>,
    axis: Y,
    range: Range<f64>,
    mut file: impl Write,
    draw: impl FnOnce(&mut Chart<'_, '_, Y::CoordDescType>) -> Drawn,
) -> io::Result<()>
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let mut text = String::new();
    picture(&mut text, frame, axis, range, draw).map_err(|error| io::Error::other(error.to_string()))?;
    file.write_all(text.as_bytes())
}

fn picture<Y>(
    text: &mut String,
    frame: &Frame<'_>,
    axis: Y,
    range: Range<f64>,
    draw: impl FnOnce(&mut Chart<'_, '_, Y::CoordDescType>) -> Drawn,
) -> Drawn
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(frame.title, (FONT, 17))
        .margin(14)
        .x_label_area_size(42)
        .y_label_area_size(62)
        .build_cartesian_2d(0.0..frame.end_s.max(0.001), axis)?;
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .x_desc("s")
        .y_desc(frame.unit)
        .label_style((FONT, TEXT_PX))
        .x_label_formatter(&|x| short(*x))
        .y_label_formatter(&|y| short(*y))
        .draw()?;
    chart.draw_series(frame.faults.iter().map(|fault| {
        let corners = [(seconds(fault.from_us), range.start), (seconds(fault.to_us), range.end)];
        Rectangle::new(corners, FAULT.mix(0.13).filled())
    }))?;
    draw(&mut chart)?;
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .label_font((FONT, TEXT_PX))
        .draw()?;
    drop(chart);
    area.present()?;
    Ok(())
}

/// Draws lines through points, broken where there is none.
fn line<Y: Ranged<ValueType = f64>>(
    chart: &mut Chart<'_, '_, Y>,
    points: &[Option<(f64, f64)>],
    name: &str,
    place: usize,
) -> Drawn {
    let style = SERIES[place % SERIES.len()].stroke_width(2);
    let mark = move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style);
    let pieces = points.split(Option::is_none).filter(|piece| !piece.is_empty());
    let pieces = pieces.map(|piece| PathElement::new(piece.iter().copied().flatten().collect::<Vec<_>>(), style));
    chart.draw_series(pieces)?.label(name).legend(mark);
    Ok(())
}

const fn colour_of(outcome: Kind) -> RGBColor {
    match outcome {
        Kind::Ok | Kind::Invoke => RGBColor(47, 118, 210),
        Kind::Info => RGBColor(217, 130, 0),
        Kind::Fail => RGBColor(204, 42, 120),
    }
}

/// The middle of each window, in seconds.
fn middles(length_us: i64) -> impl Iterator<Item = f64> {
    (0..).map(move |window| seconds(length_us * window + length_us / 2))
}

fn milliseconds(us: i64) -> f64 {
    seconds(us) * 1e3
}

/// A number without the noise of its last digits.
fn short(number: f64) -> String {
    ((number * 1e6).round() / 1e6).to_string()
}
