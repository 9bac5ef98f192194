//! What one run of a server may spend: a model must not be able to empty an account.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use crate::{
    TOKEN_VARIABLE,
    mcp::{Outcome, context::Offers},
};

/// The bounds of one run, shared by all its requests.
#[derive(Debug, Default)]
pub(super) struct Limits {
    read_only: bool,
    videos: Option<Videos>,
}

#[derive(Debug)]
struct Videos {
    most: u32,
    count: Mutex<Count>,
}

#[derive(Debug)]
struct Count {
    left: u32,
    /// Submits without an answer so far: their places may come back.
    open: u32,
}

/// The place of one submit. Dropped, it counts as spent.
#[derive(Debug)]
pub(super) struct Place<'a>(Option<&'a Videos>);

/// Why a submit was refused before anything was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    ReadOnly,
    NoToken,
    VideosUsedUp {
        most: u32,
    },
    /// The last places are those of submits under way.
    VideosUnderWay {
        most: u32,
    },
}

/// Whether a submit certainly made no video. In doubt it counts as one.
pub(super) fn surely_not_submitted(outcome: &Outcome) -> bool {
    let result = |path: &str| outcome.structured_content.pointer(path);
    outcome.is_error
        && result("/result/task_id").is_none()
        && result("/result/error/code").is_some_and(|code| code != "unconfirmed")
}

impl Limits {
    pub(super) fn new(read_only: bool, max_videos: Option<u32>) -> Self {
        Self {
            read_only,
            videos: max_videos.map(|most| Videos {
                most,
                count: Mutex::new(Count {
                    left: most,
                    open: 0,
                }),
            }),
        }
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.read_only
    }

    pub(super) fn offers(&self) -> Offers {
        match self.read_only {
            true => Offers::Lookups,
            false => Offers::All,
        }
    }

    /// Takes the place of one submit. What is not given back counts as spent.
    pub(super) fn take(&self) -> Result<Place<'_>, Refusal> {
        if self.read_only {
            return Err(Refusal::ReadOnly);
        }
        let Some(videos) = &self.videos else {
            return Ok(Place(None));
        };
        let most = videos.most;
        let mut count = videos.count();
        match (count.left, count.open) {
            (0, 0) => Err(Refusal::VideosUsedUp { most }),
            (0, _) => Err(Refusal::VideosUnderWay { most }),
            _ => {
                count.left -= 1;
                count.open += 1;
                Ok(Place(Some(videos)))
            }
        }
    }
}

impl Videos {
    fn count(&self) -> MutexGuard<'_, Count> {
        // Nothing that can panic runs under the lock.
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// The submit certainly was not accepted.
    pub(super) fn give_back(self) {
        if let Some(videos) = self.0 {
            videos.count().left += 1;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(videos) = self.0 {
            videos.count().open -= 1;
        }
    }
}

impl Refusal {
    fn code(self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only",
            Self::NoToken => "no_token",
            Self::VideosUsedUp { .. } | Self::VideosUnderWay { .. } => "max_videos",
        }
    }

    pub(super) fn message(self) -> String {
        match self {
            Self::ReadOnly => "this server is read-only: it looks tasks up, but makes no videos; \
                               nothing was sent"
                .to_owned(),
            Self::NoToken => format!("the server has no API token; set {TOKEN_VARIABLE}"),
            Self::VideosUsedUp { most } => format!(
                "this run of the server may make {most} videos at most, and they are used up; \
                 nothing was sent"
            ),
            Self::VideosUnderWay { most } => format!(
                "this run of the server may make {most} videos at most, and the last of them are \
                 just being submitted; nothing was sent"
            ),
        }
    }

    fn next_step(self) -> &'static str {
        match self {
            Self::ReadOnly => {
                "Do not try again. Tell the user that the server was started with --read-only."
            }
            Self::NoToken => {
                "Ask the user to set the API token of Ace Data Cloud in the server's environment, \
                 and to restart the server; no call can succeed before."
            }
            Self::VideosUsedUp { .. } => {
                "Do not try again. Tell the user that the server was started with --max-videos, \
                 and has to be restarted before it makes more."
            }
            Self::VideosUnderWay { .. } => {
                "Wait for the answers of the submits under way. Only if one of them was refused, \
                 this call can be made once more."
            }
        }
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        let result = json!({
            "error": { "code": refusal.code(), "message": refusal.message() },
            "next_step": refusal.next_step(),
        });
        Self::new(&result, Vec::new()).into_error()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_and_given_back() {
        let limits = Limits::new(false, Some(2));
        let refusal = || limits.take().err();
        let first = limits.take().expect("a place");
        let second = limits.take().expect("a place");
        assert_eq!(refusal(), Some(Refusal::VideosUnderWay { most: 2 }));
        drop(first);
        assert_eq!(refusal(), Some(Refusal::VideosUnderWay { most: 2 }));
        second.give_back();
        let third = limits.take().expect("a place");
        assert_eq!(refusal(), Some(Refusal::VideosUnderWay { most: 2 }));
        drop(third);
        assert_eq!(refusal(), Some(Refusal::VideosUsedUp { most: 2 }));
    }

    #[test]
    fn only_what_is_certain_is_given_back() {
        for (result, is_error, expected) in [
            (json!({ "error": { "code": "forbidden" } }), true, true),
            (json!({ "error": { "code": "unconfirmed" } }), true, false),
            (
                json!({ "task_id": "a", "error": { "code": "x" } }),
                true,
                false,
            ),
            (json!({ "task_id": "a" }), false, false),
            (json!({}), true, false),
        ] {
            let outcome = Outcome::new(&result, Vec::new());
            let outcome = if is_error {
                outcome.into_error()
            } else {
                outcome
            };
            assert_eq!(surely_not_submitted(&outcome), expected, "{result}");
        }
    }

    #[test]
    fn the_edges() {
        assert_eq!(
            Limits::new(false, Some(0)).take().err(),
            Some(Refusal::VideosUsedUp { most: 0 })
        );
        assert_eq!(
            Limits::new(true, Some(9)).take().err(),
            Some(Refusal::ReadOnly)
        );
        let none = Limits::new(false, None);
        assert!((0..1000).all(|_| none.take().is_ok()));
    }
}
