//! How long to wait between two lookups of a task: pure functions of the task's age.

use std::time::Duration;

/// How often a wait looks its task up.
///
/// A random part of up to 10 % is added to each interval, so that clients do not poll in step. Another
/// tenth, at most one second, may be added so that tasks share a request. Nothing is ever taken off, and
/// a `Retry-After` of the service comes on top.
///
/// ```
/// use std::time::Duration;
/// use luma_client::PollInterval;
///
/// // The default polls seldom at first, and most often when most videos are done.
/// let secs = Duration::from_secs;
/// assert!(PollInterval::default().interval(secs(0)) > PollInterval::default().interval(secs(120)));
/// assert_eq!(PollInterval::fixed(secs(5)).interval(secs(120)), secs(5));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PollInterval(Kind);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Adaptive,
    Fixed(Duration),
}

/// Failures in a row stretch an interval to this at most.
const MAX_BACKOFF: Duration = Duration::from_secs(60);
/// The shortest interval, so that an interval of zero is not a busy loop.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// Age of the task and time to the next lookup, both in seconds; linear between two points.
///
/// For a job whose time to completion has the hazard h, the product of requests and mean lag is least if
/// the interval is proportional to 1/sqrt(h). The points follow that curve for the log-normal times of
/// videos (median 110 s, sigma 0.45), flattened at both ends so that other medians do well too.
/// `benches/poll_interval.rs` measures it.
const ADAPTIVE: [(f64, f64); 9] = [
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

impl PollInterval {
    /// Returns the same interval for tasks of every age. The vendor recommends at least three to five
    /// seconds.
    pub fn fixed(interval: Duration) -> Self {
        Self(Kind::Fixed(interval))
    }

    /// Returns the time to the next lookup of a task that was submitted `age` ago, without jitter and
    /// backoff; at least 10 ms.
    pub fn interval(&self, age: Duration) -> Duration {
        match self.0 {
            Kind::Adaptive => adaptive(age),
            Kind::Fixed(interval) => interval.max(MIN_INTERVAL),
        }
    }

    /// The interval, stretched by this part of it and by so many failures in a row.
    pub(crate) fn stretched(&self, age: Duration, jitter: f64, failures: u32) -> Duration {
        let interval = self.interval(age);
        let extra = Duration::try_from_secs_f64(interval.as_secs_f64() * jitter);
        after_failures(interval.saturating_add(extra.unwrap_or_default()), failures)
    }
}

/// From the second failure in a row on, each doubles the interval.
fn after_failures(interval: Duration, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let stretched = interval.saturating_mul(1 << doublings);
    stretched.min(interval.max(MAX_BACKOFF))
}

fn adaptive(age: Duration) -> Duration {
    let age = age.as_secs_f64();
    let last = ADAPTIVE[ADAPTIVE.len() - 1];
    let seconds = ADAPTIVE.windows(2).find(|pair| age < pair[1].0).map_or(last.1, |pair| {
        let ((from, begin), (to, end)) = (pair[0], pair[1]);
        begin + (end - begin) * (age - from) / (to - from)
    });
    Duration::from_secs_f64(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_by_age_is_sparse_then_dense_then_sparse() {
        for (age, interval) in [
            (0.0, 22.0),
            (11.0, 17.0),
            (22.0, 12.0),
            (150.0, 4.0),
            (500.0, 8.0),
            (600.0, 10.0),
            (1e6, 10.0),
        ] {
            let got = PollInterval::default().interval(Duration::from_secs_f64(age));
            assert_eq!(got.as_secs_f64(), interval, "at {age} s");
        }
        assert_eq!(PollInterval::default().interval(Duration::MAX).as_secs(), 10);
    }

    #[test]
    fn fixed_of_zero_is_not_a_busy_loop() {
        let zero = PollInterval::fixed(Duration::ZERO);
        assert_eq!(zero.interval(Duration::MAX), MIN_INTERVAL);
    }

    #[test]
    fn stretched_by_jitter_never_overflows() {
        let second = Duration::from_secs(1);
        for (interval, jitter, expected) in [
            (second, 0.0, second),
            (second, 0.1, Duration::from_millis(1100)),
            (Duration::MAX, 0.0, Duration::MAX),
            (Duration::MAX, 0.1, Duration::MAX),
        ] {
            let got = PollInterval::fixed(interval).stretched(Duration::ZERO, jitter, 0);
            assert_eq!(got, expected, "{interval:?} {jitter}");
        }
    }

    #[test]
    fn stretched_by_failures_doubles_up_to_a_minute() {
        let seconds = |interval, failures| {
            let interval = PollInterval::fixed(Duration::from_secs(interval));
            interval.stretched(Duration::ZERO, 0.0, failures).as_secs()
        };
        let stretched: Vec<_> = (0..8).map(|failures| seconds(5, failures)).collect();
        assert_eq!(stretched, [5, 5, 10, 20, 40, 60, 60, 60]);
        assert_eq!((seconds(90, 1), seconds(90, u32::MAX)), (90, 90));
        assert_eq!(after_failures(Duration::MAX, 2), Duration::MAX);
    }
}
