//! A submit whose answer was lost: looking for its task before anybody pays again.

use std::{fmt, future::poll_fn, pin::pin, time::Duration, time::SystemTime};

use futures_core::Stream;
use serde_json::Value;

use crate::{
    api::types::VideoRequest,
    client::Luma,
    error::{Error, Result},
    handle::TaskHandle,
    history::unix_seconds,
    task::{Task, TaskId},
    wire::Timestamp,
};

/// A submit that may have been accepted and billed.
///
/// It never submits again; it looks for the task in the account's history. That history is
/// [observed, not published](Luma::history), so the search may end in
/// [`CannotTell`](Search::CannotTell).
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma) -> Result<(), luma_client::Error> {
/// use luma_client::{Error, Search};
///
/// let task = match luma.generate("A lighthouse at dusk").submit().await {
///     Err(Error::Unconfirmed { pending, .. }) => match pending.find().await? {
///         Search::Found(task) => task,
///         Search::NotThere => luma.generate("A lighthouse at dusk").submit().await?,
///         Search::CannotTell(why) => panic!("ask a person: {why}"),
///         _ => unimplemented!("a search result that this program does not know"),
///     },
///     other => other?,
/// };
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PendingSubmission {
    luma: Luma,
    request: VideoRequest,
    sent_at: SystemTime,
}

impl fmt::Debug for PendingSubmission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingSubmission")
            .field("request", &self.request)
            .field("sent_at", &self.sent_at)
            .finish_non_exhaustive()
    }
}

/// What a search for a lost submit came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Search {
    /// The one task with the same request: it was accepted and billed.
    Found(TaskHandle),
    /// The history is there and has no such task: it was not accepted, submitting again is safe.
    NotThere,
    /// Nothing can be said; submitting again may be billed a second time.
    CannotTell(Doubt),
}

/// Why nothing can be said of a lost submit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// The service does not list the account's history, or shows none at all.
    NoHistory,
    /// Several tasks, or one that cannot be told from an earlier one, may be it.
    Ambiguous(Vec<TaskId>),
    /// The history is so long that the search gave up.
    TooLong,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHistory => f.write_str("the service shows no history of the account"),
            Self::Ambiguous(ids) => {
                f.write_str("it may be any of these tasks:")?;
                ids.iter().try_for_each(|id| write!(f, " {id}"))
            }
            Self::TooLong => f.write_str("the history is too long to search"),
        }
    }
}

impl PendingSubmission {
    /// How long the service may take to show in the history what it has accepted.
    const SETTLE: Duration = Duration::from_secs(10);
    const LOOK_EVERY: Duration = Duration::from_secs(3);
    const MAX_TASKS: usize = 1_000;

    pub(crate) fn new(luma: Luma, request: VideoRequest, sent_at: SystemTime) -> Self {
        Self {
            luma,
            request,
            sent_at,
        }
    }

    /// What was submitted.
    pub fn request(&self) -> &VideoRequest {
        &self.request
    }

    /// When it was submitted, by this machine's clock.
    pub fn sent_at(&self) -> SystemTime {
        self.sent_at
    }

    /// Looks for the task: created since the submit, with an equal request.
    ///
    /// Where none is there it looks again until ten seconds have passed since the submit, because
    /// a task may take a moment to show. Equal requests that were submitted at the same moment
    /// cannot be told apart.
    ///
    /// # Errors
    ///
    /// Those of a lookup: the search itself failed and can be repeated.
    pub async fn find(&self) -> Result<Search> {
        loop {
            let found = self.look().await?;
            let age = self.sent_at.elapsed().unwrap_or_default();
            match found {
                Search::NotThere if age < Self::SETTLE => {
                    let left = Self::SETTLE - age;
                    tokio::time::sleep(left.min(Self::LOOK_EVERY)).await;
                }
                found => return Ok(found),
            }
        }
    }

    async fn look(&self) -> Result<Search> {
        let mut history = pin!(self.luma.history());
        let mut seen = Seen::default();
        loop {
            let task = match poll_fn(|cx| history.as_mut().poll_next(cx)).await {
                None => break,
                Some(Ok(task)) => task,
                Some(Err(Error::Api(error))) if error.is_refusal() && !error.is_account() => {
                    return Ok(Search::CannotTell(Doubt::NoHistory));
                }
                Some(Err(error)) => return Err(error),
            };
            let clock = history.clock_ahead();
            let age = when(&task, self.sent_at, clock);
            seen.tasks += 1;
            match (age, resemblance(&self.request, &task)) {
                (When::LongBefore, _) => break,
                (When::Before, _) | (_, Resemblance::Other) => {}
                (When::Since, Resemblance::Equal) => seen.equal.extend(id_of(&task)),
                (When::Unclear, Resemblance::Equal) | (_, Resemblance::Unclear) => {
                    seen.unclear.extend(id_of(&task));
                }
            }
            if seen.tasks >= Self::MAX_TASKS {
                return Ok(Search::CannotTell(Doubt::TooLong));
            }
        }
        Ok(match seen.verdict() {
            Ok(Some(id)) => Search::Found(TaskHandle::resumed(self.luma.clone(), id)),
            Ok(None) => Search::NotThere,
            Err(doubt) => Search::CannotTell(doubt),
        })
    }
}

fn id_of(task: &Task) -> Option<TaskId> {
    task.id.as_deref()?.parse().ok()
}

/// What the history showed.
#[derive(Default)]
struct Seen {
    tasks: usize,
    /// Made since the submit, by an equal request.
    equal: Vec<TaskId>,
    /// Perhaps so.
    unclear: Vec<TaskId>,
}

impl Seen {
    fn verdict(mut self) -> Result<Option<TaskId>, Doubt> {
        match (self.equal.len(), self.unclear.len(), self.tasks) {
            // An account without any task looks like a service without any history.
            (0, 0, 0) => Err(Doubt::NoHistory),
            (0, 0, _) => Ok(None),
            (1, 0, _) => Ok(self.equal.pop()),
            _ => {
                self.equal.append(&mut self.unclear);
                Err(Doubt::Ambiguous(self.equal))
            }
        }
    }
}

#[derive(Debug, PartialEq)]
enum When {
    LongBefore,
    Before,
    Unclear,
    Since,
}

/// When a task was created, seen from the submit. `clock_ahead` is how many seconds the service's
/// clock is ahead of ours, as far as it is known.
fn when(task: &Task, sent_at: SystemTime, clock_ahead: Option<f64>) -> When {
    /// Seconds by which clocks may differ that nothing is known of.
    const SKEW: f64 = 120.0;
    /// `Date` headers and some clocks count whole seconds.
    const ROUNDING: f64 = 2.0;
    let created = task.created_at.as_ref().and_then(Timestamp::unix_seconds);
    let (Some(created), Some(sent)) = (created, unix_seconds(sent_at)) else {
        return When::Unclear;
    };
    match created - sent - clock_ahead.unwrap_or(0.0) {
        later if later < -SKEW => When::LongBefore,
        later if clock_ahead.is_none() && later.abs() < SKEW => When::Unclear,
        later if later < -ROUNDING => When::Before,
        _ => When::Since,
    }
}

#[derive(Debug, PartialEq)]
enum Resemblance {
    Equal,
    Other,
    /// The task does not show its request.
    Unclear,
}

/// Whether a task was made by this request. What the service adds does not count, nor how the
/// answer was asked for.
fn resemblance(request: &VideoRequest, task: &Task) -> Resemblance {
    // What makes a video, with the default that the service may fill in.
    let content = [
        ("action", Value::from("generate")),
        ("prompt", Value::Null),
        ("aspect_ratio", Value::from("16:9")),
        ("loop", Value::from(false)),
        ("enhancement", Value::from(true)),
        ("start_image_url", Value::Null),
        ("end_image_url", Value::Null),
        ("video_id", Value::Null),
        ("video_url", Value::Null),
    ];
    let (Ok(ours), Some(Value::Object(theirs))) = (serde_json::to_value(request), &task.request)
    else {
        return Resemblance::Unclear;
    };
    let alike = content.iter().all(|(field, default)| {
        let ours = ours.get(field).filter(|value| !value.is_null());
        let theirs = theirs.get(*field).filter(|value| !value.is_null());
        ours.unwrap_or(default) == theirs.unwrap_or(default)
    });
    match alike {
        true => Resemblance::Equal,
        false => Resemblance::Other,
    }
}
