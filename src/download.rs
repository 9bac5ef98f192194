//! A video to disk.

use std::time::Duration;

/// How long a download may stand still.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Follows redirects, but never from https to plain http.
pub(crate) fn redirects() -> reqwest::redirect::Policy {
    reqwest::redirect::Policy::custom(|attempt| {
        let was_https = attempt.previous().iter().any(|url| url.scheme() == "https");
        if was_https && attempt.url().scheme() != "https" {
            attempt.error("it redirects from https to plain http")
        } else if attempt.previous().len() > 5 {
            attempt.error("it redirects more than five times")
        } else {
            attempt.follow()
        }
    })
}
