//! Unix times of the service, and instants beyond the range of the clock.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header::DATE};
use tokio::time::Instant;

/// A century: longer than any timer, and short enough for every clock to count.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The instant so long after another; `None` if that is beyond what a timer can count.
pub(crate) fn after(time: Instant, interval: Duration) -> Option<Instant> {
    time.checked_add(interval).filter(|_| interval < NEVER)
}

/// When a response was sent, by its own `Date`.
pub(crate) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

/// Seconds since the Unix epoch; `None` for a time before it.
pub(crate) fn unix_seconds(time: SystemTime) -> Option<f64> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_beyond_the_clock_never_comes() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        assert_eq!(after(now, second), Some(now + second));
        assert_eq!(after(now, NEVER), None);
        assert_eq!(after(now, Duration::MAX), None);
    }
}
