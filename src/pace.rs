//! How long to wait between two lookups of a task. Pure functions of the task's age.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

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
    /// The time to the next lookup of a task that was submitted `age` ago. Where that is not known
    /// yet, a minute is assumed.
    ///
    /// All waits stand still meanwhile: it should be quick, and must not use the client.
    fn interval(&self, age: Duration) -> Duration;
}

/// How often a wait looks its task up.
///
/// Whatever the pace: up to 10 % are added at random, so that clients do not fall into step, and
/// nothing is ever taken off; and a `Retry-After` of the service stretches it.
///
/// ```
/// use std::time::Duration;
/// use luma_client::Pace;
///
/// // By default seldom at first, and most often when most videos are done.
/// let secs = Duration::from_secs;
/// assert!(Pace::default().interval(secs(0)) > Pace::default().interval(secs(120)));
/// assert_eq!(Pace::fixed(secs(5)).interval(secs(120)), secs(5));
/// ```
#[derive(Clone, Default)]
pub struct Pace(Kind);

#[derive(Clone, Default)]
enum Kind {
    #[default]
    Shaped,
    Fixed(Duration),
    Custom(Arc<dyn Schedule>),
}

/// Nothing further away than this is ever reached: a century, which every clock can count.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The instant so long after another; `None` where it never comes.
pub(crate) fn after(time: Instant, interval: Duration) -> Option<Instant> {
    time.checked_add(interval).filter(|_| interval < NEVER)
}

/// Failures in a row stretch an interval to this at most.
const LONGEST_STRETCH: Duration = Duration::from_secs(60);

/// The interval after so many failures in a row: from the second on, each doubles it.
pub(crate) fn after_failures(interval: Duration, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let stretched = interval.saturating_mul(1 << doublings);
    stretched.min(interval.max(LONGEST_STRETCH))
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

    /// The interval, stretched by this part of it. A schedule that panics must not take the waits
    /// of others with it: the default stands in.
    pub(crate) fn next(&self, age: Duration, jitter: f64) -> Duration {
        let interval = catch_unwind(AssertUnwindSafe(|| self.interval(age)))
            .unwrap_or_else(|_| Self::default().interval(age));
        let stretch = Duration::try_from_secs_f64(interval.as_secs_f64() * jitter);
        interval.saturating_add(stretch.unwrap_or_default())
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
    fn jitter_stretches_and_never_overflows() {
        let second = Duration::from_secs(1);
        for (interval, jitter, expected) in [
            (second, 0.0, second),
            (second, 0.1, Duration::from_millis(1100)),
            (Duration::MAX, 0.0, Duration::MAX),
            (Duration::MAX, 0.1, Duration::MAX),
        ] {
            let got = Pace::fixed(interval).next(Duration::ZERO, jitter);
            assert_eq!(got, expected, "{interval:?} {jitter}");
        }
    }

    #[test]
    fn failures_in_a_row_stretch_the_interval() {
        let seconds =
            |interval, failures| after_failures(Duration::from_secs(interval), failures).as_secs();
        let stretched: Vec<_> = (0..8).map(|failures| seconds(5, failures)).collect();
        assert_eq!(stretched, [5, 5, 10, 20, 40, 60, 60, 60]);
        assert_eq!((seconds(90, 1), seconds(90, u32::MAX)), (90, 90));
        assert_eq!(after_failures(Duration::MAX, 2), Duration::MAX);
    }

    #[test]
    fn what_is_beyond_the_clock_never_comes() {
        let now = Instant::now();
        assert_eq!(after(now, FLOOR), Some(now + FLOOR));
        assert_eq!(after(now, NEVER), None);
        assert_eq!(after(now, Duration::MAX), None);
    }

    #[test]
    fn a_schedule_that_panics_is_replaced() {
        struct Broken;
        impl Schedule for Broken {
            fn interval(&self, _: Duration) -> Duration {
                panic!("a broken schedule")
            }
        }
        let next = Pace::custom(Broken).next(Duration::ZERO, 0.0);
        assert_eq!(next, Pace::default().interval(Duration::ZERO));
    }

    #[test]
    fn an_interval_of_zero_is_no_busy_loop() {
        assert_eq!(Pace::fixed(Duration::ZERO).interval(Duration::MAX), FLOOR);
        assert_eq!(Pace::default().interval(Duration::MAX).as_secs(), 10);
    }
}
