//! The spending limits: a model must not be able to empty an account.

use std::sync::{Mutex, MutexGuard, PoisonError};

use luma_client::mcp::Outcome;

use crate::daily::{DailyLimit, DailyPlace};

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
    ///
    /// # Errors
    ///
    /// What to answer if there is none.
    pub(crate) async fn take(&self) -> Result<Place<'_>, Outcome> {
        let mut place = self.take_of_run()?;
        let Some(daily) = &self.daily else {
            return Ok(place);
        };
        match daily.take().await {
            Ok(daily) => place.daily = Some(daily),
            Err(error) => {
                place.give_back().await;
                let message = format!("{error}; nothing was sent");
                let next_step = "Do not repeat the call. Tell the user what the error says: no video \
                    can be made before that.";
                return Err(Outcome::failed("max_videos_per_day", &message, next_step));
            }
        }
        Ok(place)
    }

    fn take_of_run(&self) -> Result<Place<'_>, Outcome> {
        let mut count = self.count();
        let (why, next_step) = match (count.left, count.open) {
            (0, 0) => (
                "have been submitted",
                "Do not repeat the call. Tell the user that the limit --max-videos of the server is \
                 used up until the server is restarted.",
            ),
            (0, _) => (
                "have been submitted or are being submitted",
                "Wait for the answers of the submits in flight. Repeat the call only if one of them \
                 was refused.",
            ),
            _ => {
                count.left -= 1;
                count.open += 1;
                return Ok(Place { limit: self, daily: None });
            }
        };
        let most = self.most;
        let message = format!("the limit of this server, {most} videos, {why}; nothing was sent");
        Err(Outcome::failed("max_videos", &message, next_step))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The next step of a submit without a place; none if there is one.
    async fn step(limit: &VideoLimit) -> Option<String> {
        let refused = limit.take().await.err()?;
        assert_eq!(refused.structured_content["result"]["error"]["code"], "max_videos");
        Some(refused.structured_content["result"]["next_step"].to_string())
    }

    #[tokio::test]
    async fn place_given_back_is_taken_again() {
        let limit = VideoLimit::new(Some(2), None);
        let is_in_flight =
            async || step(&limit).await.is_some_and(|step| step.contains("in flight"));
        let first = limit.take().await.expect("a place");
        let second = limit.take().await.expect("a place");
        assert!(is_in_flight().await);
        drop(first);
        assert!(is_in_flight().await);
        second.give_back().await;
        let third = limit.take().await.expect("a place");
        assert!(is_in_flight().await);
        drop(third);
        assert!(step(&limit).await.is_some_and(|step| step.contains("used up")));
    }

    #[tokio::test]
    async fn limit_of_nothing_or_none_is_exact() {
        let nothing = VideoLimit::new(Some(0), None);
        assert!(step(&nothing).await.is_some_and(|step| step.contains("used up")));
        let none = VideoLimit::new(None, None);
        for _ in 0..1000 {
            assert!(none.take().await.is_ok());
        }
    }
}
