//! The plot of messages against staleness as an SVG, with published results and the limits of the challenges.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::labels::{Area, place};
use crate::measure::Error;
use crate::staleness::{Point, label};

const SIZE: (u32, u32) = (960, 640);
const FONT: &str = "sans-serif";
const LABEL_PX: i32 = 17;
/// Upper bound on the width of a letter, since fonts differ.
const LETTER_PX: f64 = 7.6;
/// The minimum range of the axes: median in ms, messages per operation.
const FROM: (f64, f64) = (60.0, 0.2);
const TO: (f64, f64) = (2000.0, 40.0);

/// Published results: median in ms, messages per operation, name.
const PUBLISHED: [(f64, f64, &str); 3] = [
    (84.0, 11.79, "lowest latency published"),
    (333.0, 7.75, "best published for 3d"),
    (764.0, 1.92, "best published for 3e"),
];
/// The limits of the challenges.
const LIMITS: [(f64, f64, &str); 2] =
    [(400.0, 30.0, "limit of 3d: 30, 400 ms"), (1000.0, 20.0, "limit of 3e: 20, 1000 ms")];

const OURS: RGBColor = RGBColor(0, 92, 175);
const DEFAULT: RGBColor = RGBColor(214, 69, 0);
const OTHERS: RGBColor = RGBColor(90, 90, 90);
const LIMIT: RGBColor = RGBColor(140, 110, 60);
const GRID: RGBColor = RGBColor(232, 232, 232);

/// Draws the points into a file.
pub(crate) fn draw(points: &[Point], path: &Path) -> Result<(), Error> {
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    picture(points, &area)?;
    area.present()?;
    Ok(())
}

fn picture(points: &[Point], area: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), Error> {
    let medians = || points.iter().map(|point| point.median_ms.max(1.0));
    let messages = || points.iter().map(|point| point.messages_per_op.max(0.01));
    let from = (medians().fold(FROM.0, f64::min), messages().fold(FROM.1, |low, y| low.min(y * 0.9)));
    let to = (medians().fold(TO.0, |high, x| high.max(x * 1.35)), messages().fold(TO.1, f64::max));
    let mut chart = ChartBuilder::on(area)
        .caption("Messages for freshness: broadcast, 25 nodes, 100 ms, 100 operations a second", (FONT, 19))
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(62)
        .build_cartesian_2d(
            (from.0..to.0).log_scale().with_key_points(round_numbers(from.0, to.0)),
            (from.1..to.1).log_scale().with_key_points(round_numbers(from.1, to.1)),
        )?;
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .x_desc("median stable latency, ms")
        .y_desc("servers' messages per operation")
        .axis_desc_style((FONT, 16))
        .label_style((FONT, LABEL_PX))
        .x_label_formatter(&|x| format!("{x}"))
        .y_label_formatter(&|y| format!("{y}"))
        .draw()?;

    for (x, y, _) in LIMITS {
        chart.draw_series([PathElement::new(vec![(from.0, y), (x, y), (x, from.1)], LIMIT)])?;
    }
    let (curve, default): (Vec<&Point>, Vec<&Point>) =
        points.iter().partition(|point| point.max_staleness_ms.is_some());
    let at = |point: &&Point| (point.median_ms, point.messages_per_op);
    chart.draw_series([PathElement::new(curve.iter().map(at).collect::<Vec<_>>(), OURS.stroke_width(2))])?;
    chart.draw_series(curve.iter().map(|point| Circle::new(at(point), 4, OURS.filled())))?;
    chart.draw_series(default.iter().map(|point| Circle::new(at(point), 7, DEFAULT.filled())))?;
    chart.draw_series(PUBLISHED.map(|(x, y, _)| Cross::new((x, y), 6, OTHERS.stroke_width(2))))?;

    let pixel = |x: f64, y: f64| {
        let (x, y) = chart.backend_coord(&(x, y));
        (f64::from(x), f64::from(y))
    };
    let mut written = Vec::new();
    for (x, y, name) in LIMITS {
        let ((right, top), size) = (pixel(x, y), extent(name));
        let place = Area { left: right - size.0 - 6.0, top: top + 4.0, width: size.0, height: size.1 };
        written.push((place, HPos::Right, name.to_owned(), LIMIT));
    }
    let names = default
        .iter()
        .map(|point| (at(point), "default".to_owned(), DEFAULT))
        .chain(PUBLISHED.map(|(x, y, name)| ((x, y), name.to_owned(), OTHERS)))
        .chain(curve.iter().map(|point| (at(point), point.max_staleness_ms.map_or(String::new(), label), OURS)));
    let names: Vec<_> = names.collect();
    let mut taken = lines(&curve.iter().map(|point| pixel(point.median_ms, point.messages_per_op)).collect::<Vec<_>>());
    taken.extend(names.iter().map(|((x, y), _, _)| Area::around(pixel(*x, *y), 7.0)));
    for (x, y, _) in LIMITS {
        taken.extend(lines(&[pixel(from.0, y), pixel(x, y), pixel(x, from.1)]));
    }
    taken.extend(written.iter().map(|(area, ..)| *area));
    for ((x, y), name, colour) in names {
        let point = pixel(x, y);
        let place = place(point, extent(&name), &taken);
        taken.push(place);
        // Anchored at the side that faces the point, so that the distance does not depend on the font.
        let side = match (place.left >= point.0, place.left + place.width <= point.0) {
            (true, _) => HPos::Left,
            (_, true) => HPos::Right,
            _ => HPos::Center,
        };
        written.push((place, side, name, colour));
    }
    for (place, side, name, colour) in written {
        let style = (FONT, LABEL_PX).into_font().color(&colour).pos(Pos::new(side, VPos::Center));
        let x = match side {
            HPos::Left => place.left,
            HPos::Center => place.left + place.width / 2.0,
            HPos::Right => place.left + place.width,
        };
        area.draw_text(&name, &style, (whole(x), whole(place.top + place.height / 2.0)))?;
    }
    Ok(())
}

fn extent(text: &str) -> (f64, f64) {
    let letters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    (f64::from(letters) * LETTER_PX + 6.0, f64::from(LABEL_PX))
}

/// Small areas along a polyline.
fn lines(corners: &[(f64, f64)]) -> Vec<Area> {
    const STEPS: u32 = 100;
    let steps = (0..STEPS).map(|step| f64::from(step) / f64::from(STEPS));
    let along = |pair: &[(f64, f64)]| {
        let [(x, y), (u, v)] = [pair[0], pair[1]];
        steps.clone().map(move |part| Area::around((x + (u - x) * part, y + (v - y) * part), 1.0)).collect::<Vec<_>>()
    };
    corners.windows(2).flat_map(along).collect()
}

/// 1, 2 and 5 times powers of ten, within bounds.
fn round_numbers(from: f64, to: f64) -> Vec<f64> {
    let all = (-3..6).flat_map(|power| ["1", "2", "5"].map(|digit| format!("{digit}e{power}")));
    all.filter_map(|text| text.parse().ok()).filter(|number| (from..=to).contains(number)).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "pixels of a small picture")]
fn whole(pixel: f64) -> i32 {
    pixel.round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_marked_at_round_numbers() {
        assert_eq!(round_numbers(0.2, 40.0), [0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0]);
    }

    #[test]
    fn the_picture_names_every_point() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("plot.svg");
        let point =
            |max_staleness_ms, median_ms, messages_per_op| Point { max_staleness_ms, median_ms, messages_per_op };
        draw(&[point(Some(0), 80.0, 12.0), point(Some(1700), 800.0, 0.3), point(None, 300.0, 1.0)], &path)
            .expect("it is drawn");
        let svg = std::fs::read_to_string(path).expect("it is there");
        for name in ["1700 ms", "default", "best published for 3d", "limit of 3e: 20, 1000 ms"] {
            assert!(svg.contains(name), "{name}");
        }
    }
}
