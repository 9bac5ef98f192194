//! How long a task takes.

use std::time::Duration;

use fastrand::Rng;

/// How long the tasks of a simulator take, from acceptance to the end.
///
/// A task is pending for the first tenth of that time, then it is processing. Random durations
/// depend only on the seed of the simulator and the order of the submits.
///
/// ```
/// use std::time::Duration;
/// use luma_simulator::JobDuration;
///
/// // Half of the videos are ready within two minutes, as with the real service.
/// let lifelike = JobDuration::LogNormal { median: Duration::from_secs(120), sigma: 0.4 };
/// # let _ = lifelike;
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum JobDuration {
    /// The same for every task. With `Duration::MAX`, a task ends only by
    /// [`Simulator::complete`](crate::Simulator::complete).
    Fixed(Duration),
    /// Spread evenly between two bounds.
    Uniform {
        /// The shortest duration.
        min: Duration,
        /// The longest duration.
        max: Duration,
    },
    /// Log-normal: most tasks near the median, a few much longer.
    LogNormal {
        /// Half of the tasks take less than this.
        median: Duration,
        /// Standard deviation of the natural logarithm of the duration. 0 means no spread.
        sigma: f64,
    },
}

impl Default for JobDuration {
    /// Two seconds for every task.
    fn default() -> Self {
        Self::Fixed(Duration::from_secs(2))
    }
}

impl JobDuration {
    pub(crate) fn draw(self, rng: &mut Rng) -> Duration {
        match self {
            Self::Fixed(duration) => duration,
            Self::Uniform { min, max } => {
                let spread = max.saturating_sub(min);
                scale(spread, rng.f64()).saturating_add(min)
            }
            Self::LogNormal { median, sigma } => {
                // Box-Muller; 1 - f64() keeps the logarithm off zero.
                let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
                let normal = radius * (std::f64::consts::TAU * rng.f64()).cos();
                scale(median, (sigma * normal).exp())
            }
        }
    }
}

/// `Duration::mul_f64` panics on overflow.
fn scale(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn draws(duration: JobDuration, seed: u64) -> Vec<Duration> {
        let mut rng = Rng::with_seed(seed);
        (0..2_000).map(|_| duration.draw(&mut rng)).collect()
    }

    #[test]
    fn fixed_duration_never_varies() {
        assert!(draws(JobDuration::Fixed(SECOND), 1).iter().all(|d| *d == SECOND));
    }

    #[test]
    fn uniform_draws_fill_bounds() {
        let (min, max) = (SECOND, 3 * SECOND);
        let draws = draws(JobDuration::Uniform { min, max }, 1);
        assert!(draws.iter().all(|d| (min..=max).contains(d)));
        assert!(draws.iter().any(|d| *d < SECOND.mul_f64(1.1)));
        assert!(draws.iter().any(|d| *d > SECOND.mul_f64(2.9)));
    }

    #[test]
    fn uniform_with_swapped_bounds_gives_min() {
        let upside_down = JobDuration::Uniform { min: 3 * SECOND, max: SECOND };
        assert!(draws(upside_down, 1).iter().all(|d| *d == 3 * SECOND));
    }

    #[test]
    fn log_normal_draws_have_median() {
        let median = 120 * SECOND;
        let mut draws = draws(JobDuration::LogNormal { median, sigma: 0.4 }, 1);
        draws.sort();
        let middle = draws[draws.len() / 2].as_secs_f64();
        assert!((110.0..130.0).contains(&middle), "{middle}");
        assert!(draws[draws.len() - 1] > 240 * SECOND);
    }

    #[test]
    fn draws_depend_on_seed() {
        let duration = JobDuration::LogNormal { median: SECOND, sigma: 1.0 };
        assert_eq!(draws(duration, 7), draws(duration, 7));
        assert_ne!(draws(duration, 7), draws(duration, 8));
    }

    #[test]
    fn overflowing_draw_saturates() {
        let endless = JobDuration::Uniform { min: Duration::MAX, max: Duration::MAX };
        assert_eq!(draws(endless, 1)[0], Duration::MAX);
        let wild = JobDuration::LogNormal { median: Duration::MAX, sigma: f64::NAN };
        assert_eq!(draws(wild, 1)[0], Duration::MAX);
    }
}
