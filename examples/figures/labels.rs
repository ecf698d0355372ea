//! Placement of labels beside points without overlaps: each takes the nearest free position.

/// An upright rectangle in pixels, y downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Area {
    /// A square around a point.
    pub(crate) fn around((x, y): (f64, f64), radius: f64) -> Self {
        Self { left: x - radius, top: y - radius, width: 2.0 * radius, height: 2.0 * radius }
    }

    /// The area of the intersection with another.
    fn overlap(&self, other: &Self) -> f64 {
        let span = |a: f64, long: f64, b: f64, wide: f64| ((a + long).min(b + wide) - a.max(b)).max(0.0);
        span(self.left, self.width, other.left, other.width) * span(self.top, self.height, other.top, other.height)
    }
}

/// Distances between a point and its label, nearest first.
const GAPS: [f64; 4] = [10.0, 16.0, 26.0, 38.0];
/// Directions from the point to the label's center, best first: a falling curve is not to the upper right.
const DIRECTIONS: [(f64, f64); 8] =
    [(1.0, -1.0), (1.0, 0.0), (0.0, -1.0), (-1.0, 1.0), (-1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (-1.0, -1.0)];

/// The position of a label beside `point` that overlaps the least with `taken`.
pub(crate) fn place(point: (f64, f64), (width, height): (f64, f64), taken: &[Area]) -> Area {
    let candidates = GAPS.into_iter().flat_map(|gap| {
        DIRECTIONS.into_iter().map(move |(x, y)| Area {
            left: point.0 + x * (gap + width / 2.0) - width / 2.0,
            top: point.1 + y * (gap * if x == 0.0 { 1.0 } else { 0.5 } + height / 2.0) - height / 2.0,
            width,
            height,
        })
    });
    let covered = |area: &Area| taken.iter().map(|other| area.overlap(other)).sum::<f64>();
    let best = candidates.min_by(|a, b| covered(a).total_cmp(&covered(b)));
    best.expect("there are candidates")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (f64, f64) = (40.0, 12.0);

    #[test]
    fn a_single_label_is_to_the_upper_right_of_its_point() {
        let area = place((100.0, 100.0), SIZE, &[]);
        assert!(area.left > 100.0 && area.top + area.height < 100.0, "{area:?}");
    }

    #[test]
    fn labels_of_neighbouring_points_do_not_overlap() {
        let points = [(100.0, 100.0), (110.0, 104.0), (120.0, 108.0), (104.0, 96.0)];
        let mut taken: Vec<Area> = points.iter().map(|point| Area::around(*point, 5.0)).collect();
        for point in points {
            let area = place(point, SIZE, &taken);
            assert!(taken.iter().all(|other| area.overlap(other) <= 0.0), "{point:?} {area:?} {taken:?}");
            taken.push(area);
        }
    }
}
