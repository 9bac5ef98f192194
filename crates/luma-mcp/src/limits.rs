//! The spending limit of one run of the server: a model must not be able to empty an account.

use std::sync::{Mutex, MutexGuard, PoisonError};

use luma_client::mcp::Outcome;

/// How many videos may still be submitted, by all clients together.
#[derive(Debug)]
pub(crate) struct VideoLimit {
    most: Option<u32>,
    count: Mutex<Count>,
}

#[derive(Debug)]
struct Count {
    left: u32,
    /// Submits without an answer so far. Their places may come back.
    open: u32,
}

/// The place of one submit. Dropped, it counts as spent.
#[derive(Debug)]
pub(crate) struct Place<'a>(&'a VideoLimit);

/// Why a submit gets no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    UsedUp {
        most: u32,
    },
    /// The last places belong to submits in flight.
    InFlight {
        most: u32,
    },
}

impl VideoLimit {
    pub(crate) fn new(most: Option<u32>) -> Self {
        let left = most.unwrap_or(0);
        Self { most, count: Mutex::new(Count { left, open: 0 }) }
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        // Nothing that can panic runs under the lock.
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the place of one submit; none if there is no limit.
    pub(crate) fn take(&self) -> Result<Option<Place<'_>>, Full> {
        let Some(most) = self.most else {
            return Ok(None);
        };
        let mut count = self.count();
        match (count.left, count.open) {
            (0, 0) => Err(Full::UsedUp { most }),
            (0, _) => Err(Full::InFlight { most }),
            _ => {
                count.left -= 1;
                count.open += 1;
                Ok(Some(Place(self)))
            }
        }
    }
}

impl Place<'_> {
    /// The submit was refused, or never sent.
    pub(crate) fn give_back(self) {
        self.0.count().left += 1;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.count().open -= 1;
    }
}

impl From<Full> for Outcome {
    fn from(full: Full) -> Self {
        let (most, why, next_step) = match full {
            Full::UsedUp { most } => (
                most,
                "have been submitted",
                "Do not repeat the call. Tell the user that the limit --max-videos of the server is \
                 used up until the server is restarted.",
            ),
            Full::InFlight { most } => (
                most,
                "have been submitted or are being submitted",
                "Wait for the answers of the submits in flight. Repeat the call only if one of them \
                 was refused.",
            ),
        };
        let message = format!("the limit of this server, {most} videos, {why}; nothing was sent");
        Self::failed("max_videos", &message, next_step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_given_back_is_taken_again() {
        let limit = VideoLimit::new(Some(2));
        let full = || limit.take().err();
        let first = limit.take().expect("a place");
        let second = limit.take().expect("a place").expect("a limit");
        assert_eq!(full(), Some(Full::InFlight { most: 2 }));
        drop(first);
        assert_eq!(full(), Some(Full::InFlight { most: 2 }));
        second.give_back();
        let third = limit.take().expect("a place");
        assert_eq!(full(), Some(Full::InFlight { most: 2 }));
        drop(third);
        assert_eq!(full(), Some(Full::UsedUp { most: 2 }));
    }

    #[test]
    fn limit_of_nothing_or_none_is_exact() {
        let full = VideoLimit::new(Some(0)).take().err();
        assert_eq!(full, Some(Full::UsedUp { most: 0 }));
        let none = VideoLimit::new(None);
        assert!((0..1000).all(|_| none.take().is_ok()));
    }
}
