//! Latency of messages between servers (protocol §6.3).

use chacha20::ChaCha8Rng;
use rand::RngExt as _;

use crate::time::Duration;

/// The shape of the distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Always the mean.
    Constant,
    /// A whole number of milliseconds from zero up to, not including, twice the mean.
    Uniform,
    /// Exponential, rounded down to whole milliseconds.
    Exponential,
}

/// A distribution of one-way latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// The distribution's shape.
    pub shape: Shape,
    /// The mean in milliseconds; [`Shape::Constant`] alone may have a mean of zero.
    pub mean_ms: u64,
}

impl Latency {
    /// Draws a latency, in whole milliseconds.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "milliseconds of a test, rounded down on purpose"
    )]
    pub(super) fn draw(self, rng: &mut ChaCha8Rng) -> Duration {
        Duration::from_millis(match self.shape {
            _ if self.mean_ms == 0 => 0,
            Shape::Constant => self.mean_ms,
            Shape::Uniform => rng.random_range(0..2 * self.mean_ms),
            Shape::Exponential => {
                let uniform: f64 = rng.random();
                (-(1.0 - uniform).ln() * self.mean_ms as f64) as u64
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn mean(shape: Shape) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let latency = Latency { shape, mean_ms: 100 };
        let total: Duration = (0..20_000).map(|_| latency.draw(&mut rng)).sum();
        total.as_secs_f64() * 1e3 / 20_000.0
    }

    #[test]
    fn means_are_the_mean_less_half_a_millisecond_where_rounded() {
        assert!((mean(Shape::Constant) - 100.0).abs() < 1e-6);
        assert!((mean(Shape::Uniform) - 99.5).abs() < 1.5);
        assert!((mean(Shape::Exponential) - 99.5).abs() < 2.5);
    }
}
