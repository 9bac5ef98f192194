//! How long to wait between two lookups of a task. Pure functions of the task's age.

use std::{fmt, sync::Arc, time::Duration};

/// A pace of one's own: the time from one lookup to the next.
///
/// ```
/// use std::time::Duration;
/// use luma_client::{Pace, Schedule};
///
/// /// Nothing is done in the first minute.
/// struct Patient;
///
/// impl Schedule for Patient {
///     fn interval(&self, age: Duration) -> Duration {
///         Duration::from_secs(60).saturating_sub(age).max(Duration::from_secs(5))
///     }
/// }
///
/// let pace = Pace::custom(Patient);
/// ```
pub trait Schedule: Send + Sync + 'static {
    /// The time to the next lookup of a task that was submitted `age` ago.
    fn interval(&self, age: Duration) -> Duration;
}

/// How often a wait looks its task up.
///
/// Whatever the pace: up to 10 % are added at random, so that clients do not fall into step, and
/// nothing is ever taken off; and a `Retry-After` of the service stretches it.
#[derive(Clone, Default)]
pub struct Pace(Kind);

#[derive(Clone, Default)]
enum Kind {
    #[default]
    Shaped,
    Fixed(Duration),
    Custom(Arc<dyn Schedule>),
}

/// No pace is faster than this, so that an interval of zero is no busy loop.
const FLOOR: Duration = Duration::from_millis(10);

/// Age of the task and time to the next lookup, both in seconds; between two points on the line.
///
/// For a job whose time to completion has the hazard h, requests x mean lag is least where the
/// interval is proportional to 1/sqrt(h). The points follow that curve for the log-normal times of
/// videos (median 110 s, sigma 0.45), flattened at both ends so that other medians do well too.
const SHAPE: [(f64, f64); 9] = [
    (0.0, 22.0),
    (22.0, 12.0),
    (45.0, 8.0),
    (70.0, 5.5),
    (100.0, 4.2),
    (150.0, 4.0),
    (240.0, 4.5),
    (400.0, 6.0),
    (600.0, 10.0),
];

impl Pace {
    /// The same interval always. The vendor asks for no less than three to five seconds.
    pub fn fixed(interval: Duration) -> Self {
        Self(Kind::Fixed(interval))
    }

    /// A pace of one's own.
    pub fn custom(schedule: impl Schedule) -> Self {
        Self(Kind::Custom(Arc::new(schedule)))
    }

    /// The time to the next lookup of a task that was submitted `age` ago, before jitter; at
    /// least 10 ms.
    pub fn interval(&self, age: Duration) -> Duration {
        match &self.0 {
            Kind::Shaped => shaped(age),
            Kind::Fixed(interval) => *interval,
            Kind::Custom(schedule) => schedule.interval(age),
        }
        .max(FLOOR)
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Shaped => f.write_str("Pace::default()"),
            Kind::Fixed(interval) => write!(f, "Pace::fixed({interval:?})"),
            Kind::Custom(_) => f.write_str("Pace::custom(..)"),
        }
    }
}

fn shaped(age: Duration) -> Duration {
    let age = age.as_secs_f64();
    let last = SHAPE[SHAPE.len() - 1];
    let seconds = SHAPE
        .windows(2)
        .find(|pair| age < pair[1].0)
        .map_or(last.1, |pair| {
            let ((from, begin), (to, end)) = (pair[0], pair[1]);
            begin + (end - begin) * (age - from) / (to - from)
        });
    Duration::from_secs_f64(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_sparse_then_dense_then_sparse() {
        for (age, interval) in [
            (0.0, 22.0),
            (11.0, 17.0),
            (22.0, 12.0),
            (150.0, 4.0),
            (500.0, 8.0),
            (600.0, 10.0),
            (1e6, 10.0),
        ] {
            let got = Pace::default().interval(Duration::from_secs_f64(age));
            assert_eq!(got.as_secs_f64(), interval, "at {age} s");
        }
    }

    #[test]
    fn an_interval_of_zero_is_no_busy_loop() {
        assert_eq!(Pace::fixed(Duration::ZERO).interval(Duration::MAX), FLOOR);
        assert_eq!(Pace::default().interval(Duration::MAX).as_secs(), 10);
    }
}
