//! The poller under every wait. (Skeleton.)

use std::time::Duration;

use crate::api;

/// How often a wait polls. (Skeleton.)
#[derive(Clone, Debug, Default)]
pub struct PollInterval(Option<Duration>);

impl PollInterval {
    /// The same interval always.
    pub fn fixed(interval: Duration) -> Self {
        Self(Some(interval))
    }

    /// The time to the next poll of a task that was submitted `age` ago.
    pub fn interval(&self, age: Duration) -> Duration {
        let _ = age;
        self.0.unwrap_or(Duration::from_secs(5))
    }
}

#[derive(Clone)]
pub(crate) struct Poller(api::Client);

impl Poller {
    pub(crate) fn new(api: api::Client) -> Self {
        Self(api)
    }
}
