//! When a request is sent again: pure decisions over values.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use super::api_error::ApiError;

/// How often and how fast requests are retried.
///
/// Which requests are retried is fixed: a lookup after any transient failure; a submit only if it
/// certainly was not accepted, which is after a failure to connect and after 429.
///
/// ```
/// use std::time::Duration;
/// use luma_client::RetryPolicy;
///
/// let patient = RetryPolicy::default()
///     .max_attempts(6)
///     .max_elapsed(Duration::from_secs(120));
/// # let _ = patient;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a policy has no effect until a client is built with it"]
pub struct RetryPolicy {
    max_attempts: u32,
    min_delay: Duration,
    max_delay: Duration,
    max_elapsed: Duration,
}

impl Default for RetryPolicy {
    /// Four attempts; 0.5, 1 and 2 seconds between them, each plus up to the same again at random;
    /// no attempt begins later than 30 seconds after the first.
    fn default() -> Self {
        Self {
            max_attempts: 4,
            min_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(8),
            max_elapsed: Duration::from_secs(30),
        }
    }
}

impl RetryPolicy {
    /// Returns a policy that never retries.
    pub fn none() -> Self {
        Self::default().max_attempts(1)
    }

    /// Sets how many requests are sent at most, the first included. 0 counts as 1.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// Sets the delay before the second attempt. It doubles with each attempt.
    pub fn min_delay(mut self, delay: Duration) -> Self {
        self.min_delay = delay;
        self
    }

    /// Sets the longest delay between attempts, before jitter.
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Sets the time after the first attempt within which others may begin. A longer `Retry-After` ends the
    /// retries.
    pub fn max_elapsed(mut self, elapsed: Duration) -> Self {
        self.max_elapsed = elapsed;
        self
    }

    /// The delays before the second, third, ... attempt.
    pub(crate) fn delays(&self) -> impl Iterator<Item = Duration> + use<> {
        ExponentialBuilder::new()
            .with_min_delay(self.min_delay)
            .with_max_delay(self.max_delay)
            .with_max_times(self.max_attempts as usize - 1)
            .with_jitter()
            .build()
    }

    /// How long to wait before the next attempt; `None` if the time is up.
    pub(crate) fn delay(
        &self,
        backoff: Duration,
        retry_after: Option<Duration>,
        elapsed: Duration,
    ) -> Option<Duration> {
        let delay = backoff.max(retry_after.unwrap_or_default());
        (elapsed.saturating_add(delay) <= self.max_elapsed).then_some(delay)
    }
}

/// What a request does, as far as retries are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Costs money each time.
    Submit,
    /// Free and idempotent.
    Lookup,
}

impl Operation {
    /// An operation that is not known to be free is treated as if it cost money.
    pub(crate) fn of(operation_id: &str) -> Self {
        match operation_id {
            "query_tasks" => Self::Lookup,
            _ => Self::Submit,
        }
    }

    /// Whether the request may be sent again after an attempt that ended like this.
    pub(crate) fn repeats_after(self, end: &AttemptEnd) -> bool {
        match (self, end) {
            (_, AttemptEnd::NoConnection) => true,
            // One that names a task was accepted all the same.
            (Self::Submit, AttemptEnd::Error(error)) => error.is_rate_limit() && !error.names_task,
            (Self::Submit, AttemptEnd::Lost) => false,
            (Self::Lookup, AttemptEnd::Error(error)) => error.is_transient(),
            (Self::Lookup, AttemptEnd::Lost) => true,
        }
    }
}

/// How an attempt ended that did not succeed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AttemptEnd {
    /// The connection could not be made: nothing was sent.
    NoConnection,
    /// The connection broke, time ran out, or a success has a body that is not one whole JSON object:
    /// the request may have arrived.
    Lost,
    /// An error.
    Error(ApiError),
}

impl AttemptEnd {
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Error(error) => error.retry_after,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::http::token::Token;

    fn token() -> Token {
        Token::new("a-token".into(), 5).expect("a token")
    }

    fn answered(status: u16, body: &str) -> AttemptEnd {
        let status = StatusCode::from_u16(status).expect("a status");
        AttemptEnd::Error(ApiError::read(status, &HeaderMap::new(), body.as_bytes(), &token()))
    }

    fn coded(status: u16, code: &str) -> AttemptEnd {
        answered(status, &format!(r#"{{"error":{{"code":"{code}"}}}}"#))
    }

    #[test]
    fn repeat_is_decided_by_operation_and_end() {
        use AttemptEnd::*;
        // (how the attempt ended, a submit repeats, a lookup repeats)
        for (end, submit, lookup) in [
            (NoConnection, true, true),
            (Lost, false, true),
            (answered(408, ""), false, true),
            (answered(429, ""), true, true),
            (answered(429, "<html>slow down</html>"), true, true),
            (answered(500, ""), false, true),
            (answered(502, "<html>"), false, true),
            (answered(503, ""), false, true),
            (answered(504, ""), false, true),
            (answered(301, ""), false, false),
            (answered(400, ""), false, false),
            (answered(401, ""), false, false),
            (answered(402, ""), false, false),
            (answered(403, ""), false, false),
            (answered(404, ""), false, false),
            (answered(409, ""), false, false),
            // The code counts before the status.
            (coded(500, "invalid_token"), false, false),
            (coded(500, "too_many_requests"), true, true),
            (coded(429, "used_up"), false, false),
            (coded(400, "api_error"), false, true),
            (coded(504, "timeout"), false, true),
            (coded(500, "brand_new"), false, true),
            (coded(429, "brand_new"), true, true),
            // A response that names a task in any way may follow an accepted submit.
            (answered(429, r#"{"task_id":"a"}"#), false, true),
            (answered(429, r#"{"task_id":7}"#), false, true),
            (answered(429, r#"{"data":[{"task_id":"a"}]}"#), false, true),
            (answered(429, r#"{"task_id":null}"#), true, true),
            (coded(400, "brand_new"), false, false),
        ] {
            assert_eq!(Operation::Submit.repeats_after(&end), submit, "{end:?}");
            assert_eq!(Operation::Lookup.repeats_after(&end), lookup, "{end:?}");
        }
    }

    #[test]
    fn unknown_operation_counts_as_submit() {
        assert_eq!(Operation::of("query_tasks"), Operation::Lookup);
        assert_eq!(Operation::of("create_video"), Operation::Submit);
        assert_eq!(Operation::of("brand_new"), Operation::Submit);
    }

    #[test]
    fn delay_respects_retry_after_and_max_elapsed() {
        let secs = Duration::from_secs;
        let policy = RetryPolicy::default().max_elapsed(secs(30));
        for (backoff, retry_after, elapsed, expected) in [
            (1, None, 0, Some(1)),
            (1, Some(5), 0, Some(5)),
            (8, Some(5), 0, Some(8)),
            (1, Some(30), 0, Some(30)),
            (1, Some(31), 0, None),
            (1, None, 29, Some(1)),
            (1, None, 30, None),
        ] {
            let delay = policy.delay(secs(backoff), retry_after.map(secs), secs(elapsed));
            assert_eq!(delay, expected.map(secs), "{backoff} {retry_after:?} {elapsed}");
        }
        assert_eq!(RetryPolicy::none().delays().count(), 0);
        assert_eq!(RetryPolicy::default().max_attempts(0).delays().count(), 0);
        assert_eq!(RetryPolicy::default().delays().count(), 3);
    }

    proptest::proptest! {
        #[test]
        fn delays_are_bounded(
            attempts in 0_u32..20, min in 0_u64..1_000_000, max in 0_u64..1_000_000,
        ) {
            let max = Duration::from_millis(max.max(min));
            let policy = RetryPolicy::default()
                .max_attempts(attempts)
                .min_delay(Duration::from_millis(min))
                .max_delay(max);
            let delays: Vec<_> = policy.delays().collect();
            proptest::prop_assert_eq!(delays.len(), attempts.saturating_sub(1) as usize);
            proptest::prop_assert!(delays.iter().all(|delay| *delay <= 2 * max));
        }
    }

    #[test]
    fn extreme_policy_does_not_panic() {
        let policy = RetryPolicy::default()
            .max_attempts(u32::MAX)
            .min_delay(Duration::MAX)
            .max_delay(Duration::MAX)
            .max_elapsed(Duration::MAX);
        for delay in policy.delays().take(1_000) {
            assert_eq!(policy.delay(delay, None, Duration::MAX), Some(delay));
        }
    }
}
