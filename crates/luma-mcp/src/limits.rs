//! The spending limits: a model must not be able to empty an account.

use std::sync::{Mutex, MutexGuard, PoisonError};

use luma_client::mcp::Outcome;

use crate::daily::{DailyLimit, DailyLimitError, DailyPlace};

/// How many videos may still be submitted, by all clients together.
#[derive(Debug)]
pub(crate) struct VideoLimit {
    most: u32,
    count: Mutex<Count>,
    daily: Option<DailyLimit>,
}

#[derive(Debug)]
struct Count {
    left: u32,
    /// Submits without an answer so far. Their places may come back.
    open: u32,
}

/// The place of one submit. Dropped, it counts as spent.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    limit: &'a VideoLimit,
    daily: Option<DailyPlace>,
}

/// Why a submit gets no place.
#[derive(Debug)]
pub(crate) enum Full {
    UsedUp {
        most: u32,
    },
    /// The last places belong to submits in flight.
    InFlight {
        most: u32,
    },
    Daily(DailyLimitError),
}

impl VideoLimit {
    pub(crate) fn new(most: Option<u32>, daily: Option<DailyLimit>) -> Self {
        let most = most.unwrap_or(u32::MAX);
        Self { most, count: Mutex::new(Count { left: most, open: 0 }), daily }
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        // Nothing that can panic runs under the lock.
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the place of one submit.
    pub(crate) async fn take(&self) -> Result<Place<'_>, Full> {
        let most = self.most;
        let mut place = {
            let mut count = self.count();
            match (count.left, count.open) {
                (0, 0) => return Err(Full::UsedUp { most }),
                (0, _) => return Err(Full::InFlight { most }),
                _ => {
                    count.left -= 1;
                    count.open += 1;
                    Place { limit: self, daily: None }
                }
            }
        };
        if let Some(daily) = &self.daily {
            match daily.take().await {
                Ok(daily) => place.daily = Some(daily),
                Err(error) => {
                    place.give_back().await;
                    return Err(Full::Daily(error));
                }
            }
        }
        Ok(place)
    }
}

impl Place<'_> {
    /// The submit was refused, or never sent.
    pub(crate) async fn give_back(mut self) {
        self.limit.count().left += 1;
        if let Some(daily) = self.daily.take() {
            daily.give_back().await;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.limit.count().open -= 1;
    }
}

impl From<Full> for Outcome {
    fn from(full: Full) -> Self {
        let of_this_server = |most: u32, why: &str| {
            format!("the limit of this server, {most} videos, {why}; nothing was sent")
        };
        let (code, message, next_step) = match full {
            Full::UsedUp { most } => (
                "max_videos",
                of_this_server(most, "have been submitted"),
                "Do not repeat the call. Tell the user that the limit --max-videos of the server is \
                 used up until the server is restarted.",
            ),
            Full::InFlight { most } => (
                "max_videos",
                of_this_server(most, "have been submitted or are being submitted"),
                "Wait for the answers of the submits in flight. Repeat the call only if one of them \
                 was refused.",
            ),
            Full::Daily(error) => (
                "max_videos_per_day",
                format!("{error}; nothing was sent"),
                "Do not repeat the call. Tell the user what the error says: no video can be made \
                 before that.",
            ),
        };
        Self::failed(code, &message, next_step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn place_given_back_is_taken_again() {
        let limit = VideoLimit::new(Some(2), None);
        let is_in_flight = async || matches!(limit.take().await, Err(Full::InFlight { most: 2 }));
        let first = limit.take().await.expect("a place");
        let second = limit.take().await.expect("a place");
        assert!(is_in_flight().await);
        drop(first);
        assert!(is_in_flight().await);
        second.give_back().await;
        let third = limit.take().await.expect("a place");
        assert!(is_in_flight().await);
        drop(third);
        assert!(matches!(limit.take().await, Err(Full::UsedUp { most: 2 })));
    }

    #[tokio::test]
    async fn limit_of_nothing_or_none_is_exact() {
        let limit = VideoLimit::new(Some(0), None);
        let full = limit.take().await;
        assert!(matches!(full, Err(Full::UsedUp { most: 0 })));
        let none = VideoLimit::new(None, None);
        for _ in 0..1000 {
            assert!(none.take().await.is_ok());
        }
    }
}
