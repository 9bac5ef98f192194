//! The cost of the default interval for jobs of a given length, by numerical integration.

use std::fmt;

use luma_client::PollInterval;

/// The mean of the jitter.
const STRETCH: f64 = 1.05;
const STEP: f64 = 0.05;

/// How long jobs take: a mixture of log-normal times, as (weight, median in seconds, sigma).
pub struct Duration {
    name: &'static str,
    parts: Vec<(f64, f64, f64)>,
}

impl Duration {
    pub fn log_normal(median: f64, sigma: f64) -> Self {
        Self { name: "", parts: vec![(1.0, median, sigma)] }
    }

    /// Half of the jobs are short, half are long.
    pub fn mixture() -> Self {
        Self { name: "half short, half long: ", parts: vec![(0.5, 60.0, 0.3), (0.5, 180.0, 0.3)] }
    }

    /// What the interval was made for comes first; the others are there to keep it honest.
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::log_normal(110.0, 0.45), Self::mixture()];
        for median in [45.0, 60.0, 80.0, 110.0, 150.0, 200.0, 240.0] {
            for sigma in [0.25, 0.45, 0.7] {
                all.push(Self::log_normal(median, sigma));
            }
        }
        all
    }

    /// The probability that a job takes longer.
    fn survival(&self, time: f64) -> f64 {
        let part = |&(weight, median, sigma): &(f64, f64, f64)| {
            weight * upper_tail((time / median).ln() / sigma)
        };
        self.parts.iter().map(part).sum()
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        for (number, (_, median, sigma)) in self.parts.iter().enumerate() {
            let glue = if number > 0 { "; " } else { "" };
            write!(f, "{glue}median {median} s, sigma {sigma}")?;
        }
        Ok(())
    }
}

/// The upper tail of the normal distribution, by its series near the middle and by its continued
/// fraction outside.
fn upper_tail(x: f64) -> f64 {
    if x < 0.0 {
        return 1.0 - upper_tail(-x);
    }
    let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if x < 3.0 {
        let (mut term, mut sum) = (x, x);
        for n in 1..60 {
            term *= x * x / f64::from(2 * n + 1);
            sum += term;
        }
        return 0.5 - density * sum;
    }
    let fraction = (1..60).rev().fold(x, |tail, n| x + f64::from(n) / tail);
    density / fraction
}

/// What the default interval costs for one task.
pub struct Cost {
    pub requests: f64,
    /// In seconds, as all that follows from it.
    pub lag: f64,
    pub optimum: f64,
    fixed: f64,
}

impl Cost {
    pub fn product(&self) -> f64 {
        self.requests * self.lag
    }

    pub fn of_optimum(&self) -> f64 {
        self.product() / self.optimum
    }

    pub fn of_fixed(&self) -> f64 {
        self.product() / self.fixed
    }
}

pub fn evaluate(job: &Duration) -> Cost {
    let (mut mean, mut root, mut time) = (0.0, 0.0, 0.0);
    let mut survival = 1.0;
    while survival > 1e-10 {
        let next = job.survival(time + STEP);
        let middle = job.survival(time + STEP / 2.0);
        mean += middle * STEP;
        root += ((survival - next) / STEP * middle).max(0.0).sqrt() * STEP;
        (time, survival) = (time + STEP, next);
    }
    let (mut requests, mut noticed, mut time, mut survival) = (0.0, 0.0, 0.0, 1.0);
    while survival > 1e-10 {
        let age = std::time::Duration::from_secs_f64(time);
        time += PollInterval::default().interval(age).as_secs_f64() * STRETCH;
        let next = job.survival(time);
        // The poll goes out if the job ran at the last one, and notices what has ended since.
        requests += survival;
        noticed += time * (survival - next);
        survival = next;
    }
    Cost { requests, lag: noticed - mean, optimum: root * root / 2.0, fixed: mean / 2.0 }
}
