//! A submit whose answer was lost: looking for its task before anybody pays again.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, SystemTime},
};

use futures_core::Stream;
use serde_json::Value;
use tokio::time::Instant;

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
///         doubt => panic!("ask a person: {doubt:?}"),
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
    /// The same moment by a clock that nobody sets.
    sent: Instant,
    /// When the answer was given up.
    lost: Instant,
    /// What the service called the submit in its answer.
    trace_id: Option<String>,
    settle: Duration,
    /// What the search found, so that it finds the same again.
    found: Arc<OnceLock<TaskId>>,
}

/// When a submit is sent, by both clocks.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    wall: SystemTime,
    instant: Instant,
}

impl Sent {
    pub(crate) fn now() -> Self {
        Self {
            wall: SystemTime::now(),
            instant: Instant::now(),
        }
    }
}

impl fmt::Debug for PendingSubmission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingSubmission")
            .field("request", &self.request)
            .field("sent_at", &self.sent_at)
            .field("trace_id", &self.trace_id)
            .finish_non_exhaustive()
    }
}

/// The latest tasks that submits of one client and its clones were answered with, or that a search
/// found: none of them is the task of another submit, however equal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accepted(Arc<Mutex<Latest>>);

#[derive(Debug, Default)]
struct Latest {
    ids: BTreeSet<TaskId>,
    /// The same, oldest first.
    order: VecDeque<TaskId>,
}

impl Accepted {
    const KEPT: usize = 4_096;

    /// Takes a task in; false where it was there already.
    pub(crate) fn claim(&self, id: &TaskId) -> bool {
        let mut latest = self.latest();
        if !latest.ids.insert(id.clone()) {
            return false;
        }
        if latest.order.len() == Self::KEPT
            && let Some(oldest) = latest.order.pop_front()
        {
            latest.ids.remove(&oldest);
        }
        latest.order.push_back(id.clone());
        true
    }

    fn contains(&self, id: &TaskId) -> bool {
        self.latest().ids.contains(id)
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    const SETTLE: Duration = Duration::from_secs(10);
    const LOOK_EVERY: Duration = Duration::from_secs(3);
    const MAX_TASKS: usize = 1_000;
    /// How many tasks in a row must be far too old before the rest is taken to be older still.
    const OLD_ENOUGH: usize = 50;

    /// A submit that got no clear answer, but this error.
    pub(crate) fn lost(luma: Luma, request: VideoRequest, sent: Sent, source: Error) -> Error {
        let pending = Self {
            luma,
            request,
            sent_at: sent.wall,
            sent: sent.instant,
            lost: Instant::now(),
            trace_id: source.api().and_then(|error| error.trace_id.clone()),
            settle: Self::SETTLE,
            found: Arc::default(),
        };
        Error::Unconfirmed {
            pending: Box::new(pending),
            source: Box::new(source),
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

    /// How long the service may take to show in the history what it has accepted, from the moment
    /// the answer was lost; ten seconds by default. Before it has passed, a search does not say
    /// that the task is not there.
    pub fn settle(mut self, time: Duration) -> Self {
        self.settle = time;
        self
    }

    /// Looks for the task: created since the submit, with an equal request.
    ///
    /// Where none is there it looks again until the service had time to show it, see
    /// [`settle`](Self::settle). Tasks that other submits of this client (and its clones) were
    /// answered with are not it. Beyond that, equal requests of the same moment cannot be told
    /// apart.
    ///
    /// # Errors
    ///
    /// Those of a lookup: the search itself failed and can be repeated.
    pub async fn find(&self) -> Result<Search> {
        loop {
            if let Some(id) = self.found.get() {
                return Ok(Search::Found(self.handle(id)));
            }
            // Read before the look, so that the last look begins when the time has passed.
            let waited = self.lost.elapsed();
            match self.look().await? {
                Ok(Some(id)) => {
                    // Another search may have been faster.
                    if self.luma.core.accepted.claim(&id) {
                        self.found.get_or_init(|| id);
                    }
                }
                Ok(None) | Err(Doubt::NoHistory) if waited < self.settle => {
                    let left = self.settle - waited;
                    tokio::time::sleep(left.min(Self::LOOK_EVERY)).await;
                }
                Ok(None) => return Ok(Search::NotThere),
                Err(doubt) => return Ok(Search::CannotTell(doubt)),
            }
        }
    }

    fn handle(&self, id: &TaskId) -> TaskHandle {
        TaskHandle::resumed(self.luma.clone(), id.clone())
    }

    /// When it was sent, by the clock as it stands now. Of two ways to tell, the earlier: one is
    /// wrong after the clock was set, the other after the machine was asleep.
    fn sent_by_the_clock(&self) -> SystemTime {
        let counted = SystemTime::now().checked_sub(self.sent.elapsed());
        counted.map_or(self.sent_at, |counted| counted.min(self.sent_at))
    }

    async fn look(&self) -> Result<Result<Option<TaskId>, Doubt>> {
        let mut history = pin!(self.luma.history());
        let mut seen = Seen::default();
        while seen.old_in_a_row < Self::OLD_ENOUGH {
            let task = match poll_fn(|cx| history.as_mut().poll_next(cx)).await {
                None if history.is_cut() => return Ok(Err(Doubt::TooLong)),
                None => break,
                Some(Ok(task)) => task,
                Some(Err(Error::Api(error))) if error.says_unsupported() => {
                    return Ok(Err(Doubt::NoHistory));
                }
                Some(Err(error)) => return Err(error),
            };
            let when = when(&task, self.sent_by_the_clock(), history.clock_ahead());
            let resemblance = match id_of(&task) {
                Some(id) if self.luma.core.accepted.contains(&id) => Resemblance::Other,
                _ => resemblance(&self.request, &task),
            };
            let is_named = self.trace_id.is_some() && self.trace_id == task.trace_id;
            if is_named && resemblance != Resemblance::Other && id_of(&task).is_some() {
                return Ok(Ok(id_of(&task)));
            }
            seen.take(&task, when, resemblance);
            if seen.tasks >= Self::MAX_TASKS {
                return Ok(Err(Doubt::TooLong));
            }
        }
        Ok(seen.verdict())
    }
}

fn id_of(task: &Task) -> Option<TaskId> {
    task.id.as_deref()?.parse().ok()
}

/// What the history showed.
#[derive(Default)]
struct Seen {
    tasks: usize,
    /// Tasks from long before the submit, each no younger than the one before: as long as they
    /// come newest first, nothing new is behind them.
    old_in_a_row: usize,
    last_created: Option<f64>,
    /// Made since the submit, by an equal request.
    equal: Vec<TaskId>,
    /// Perhaps so.
    unclear: Vec<TaskId>,
    /// One of either that has no id.
    is_nameless: bool,
}

impl Seen {
    fn take(&mut self, task: &Task, when: When, resemblance: Resemblance) {
        self.tasks += 1;
        let created = task.created_at.as_ref().and_then(Timestamp::unix_seconds);
        let is_sorted = self.last_created.is_none_or(|last| created <= Some(last));
        self.last_created = created;
        self.old_in_a_row = match when {
            When::LongBefore if is_sorted => self.old_in_a_row + 1,
            When::LongBefore => 1,
            _ => 0,
        };
        let candidates = match (when, resemblance) {
            (When::LongBefore | When::Before, _) | (_, Resemblance::Other) => return,
            (When::Since, Resemblance::Equal) => &mut self.equal,
            (When::Unclear, Resemblance::Equal) | (_, Resemblance::Unclear) => &mut self.unclear,
        };
        match id_of(task) {
            Some(id) => candidates.push(id),
            None => self.is_nameless = true,
        }
    }

    fn verdict(mut self) -> Result<Option<TaskId>, Doubt> {
        match (self.equal.len(), self.unclear.len(), self.tasks) {
            _ if self.is_nameless => {
                self.equal.append(&mut self.unclear);
                Err(Doubt::Ambiguous(self.equal))
            }
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

#[derive(Clone, Copy, Debug, PartialEq)]
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
    const SKEW: f64 = 86_400.0;
    /// Seconds before which no task can be ours, where the clocks can be compared.
    const LONG: f64 = 120.0;
    /// `Date` headers and some clocks count whole seconds.
    const ROUNDING: f64 = 2.0;
    let created = task.created_at.as_ref().and_then(Timestamp::unix_seconds);
    let (Some(created), Some(sent)) = (created, unix_seconds(sent_at)) else {
        return When::Unclear;
    };
    match (created - sent, clock_ahead) {
        (later, None) if later < -SKEW => When::LongBefore,
        (_, None) => When::Unclear,
        (later, Some(ahead)) if later - ahead < -LONG => When::LongBefore,
        (later, Some(ahead)) if later - ahead < -ROUNDING => When::Before,
        _ => When::Since,
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Resemblance {
    Equal,
    Other,
    /// The task does not show its request.
    Unclear,
}

/// Whether a task was made by this request. What the service adds does not count, nor how the
/// answer was asked for, nor white space around the prompt.
fn resemblance(request: &VideoRequest, task: &Task) -> Resemblance {
    // What makes a video, with the default that the service may fill in.
    let content = [
        ("action", Value::from("generate")),
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
    // No submit goes out without a prompt: what has none is shown in part.
    let Some(prompt) = theirs.get("prompt").and_then(Value::as_str) else {
        return Resemblance::Unclear;
    };
    let our_prompt = request.prompt.as_deref().unwrap_or_default();
    let alike = prompt.trim() == our_prompt.trim()
        && content.iter().all(|(field, default)| {
            let ours = ours.get(field).filter(|value| !value.is_null());
            let theirs = theirs.get(*field).filter(|value| !value.is_null());
            ours.unwrap_or(default) == theirs.unwrap_or(default)
        });
    match alike {
        true => Resemblance::Equal,
        false => Resemblance::Other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: f64 = 1_785_585_600.0;

    fn sent() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs_f64(NOW)
    }

    fn task(id: &str, created_at: f64, request: Value) -> Task {
        let value = json!({ "id": id, "created_at": created_at, "request": request });
        serde_json::from_value(value).expect("a task")
    }

    #[test]
    fn when_a_task_was_created() {
        use When::*;
        const DAY: f64 = 86_400.0;
        for (later, clock_ahead, expected) in [
            (0.0, Some(0.0), Since),
            (600.0, Some(0.0), Since),
            (-1.5, Some(0.0), Since),
            (-3.0, Some(0.0), Before),
            (-119.0, Some(0.0), Before),
            (-121.0, Some(0.0), LongBefore),
            // The service's clock is an hour behind, then an hour ahead.
            (-3_600.0, Some(-3_600.0), Since),
            (-3_605.0, Some(-3_600.0), Before),
            (0.0, Some(3_600.0), LongBefore),
            (3_595.0, Some(3_600.0), Before),
            (3_600.0, Some(3_600.0), Since),
            // Nothing is known of its clock.
            (0.0, None, Unclear),
            (-3_600.0, None, Unclear),
            (DAY, None, Unclear),
            (-DAY - 1.0, None, LongBefore),
        ] {
            let task = task("a", NOW + later, json!({}));
            assert_eq!(
                when(&task, sent(), clock_ahead),
                expected,
                "{later} {clock_ahead:?}"
            );
        }
        assert_eq!(when(&Task::default(), sent(), Some(0.0)), Unclear);
    }

    #[test]
    fn which_requests_are_equal() {
        use Resemblance::*;
        let request: VideoRequest = serde_json::from_value(json!({
            "action": "generate", "prompt": "a lighthouse", "async": true,
            "callback_url": "https://example.com/1",
        }))
        .expect("a request");
        for (theirs, expected) in [
            (
                json!({ "action": "generate", "prompt": "a lighthouse", "async": true }),
                Equal,
            ),
            (json!({ "prompt": "a lighthouse" }), Equal),
            (json!({ "prompt": " a lighthouse\n" }), Equal),
            (
                json!({ "prompt": "a lighthouse", "aspect_ratio": "16:9", "loop": false,
                    "enhancement": true, "video_id": null, "brand_new": 1 }),
                Equal,
            ),
            (
                json!({ "prompt": "a lighthouse", "timeout": 5, "callback_url": "x" }),
                Equal,
            ),
            (json!({ "prompt": "A lighthouse" }), Other),
            (
                json!({ "prompt": "a lighthouse", "aspect_ratio": "9:16" }),
                Other,
            ),
            (json!({ "prompt": "a lighthouse", "loop": true }), Other),
            (
                json!({ "prompt": "a lighthouse", "enhancement": false }),
                Other,
            ),
            (
                json!({ "prompt": "a lighthouse", "start_image_url": "https://h/a" }),
                Other,
            ),
            (
                json!({ "prompt": "a lighthouse", "action": "extend", "video_id": "v" }),
                Other,
            ),
            (json!({}), Unclear),
            (json!({ "action": "generate" }), Unclear),
            (json!("a lighthouse"), Unclear),
            (json!(null), Unclear),
        ] {
            let task = task("a", NOW, theirs.clone());
            assert_eq!(resemblance(&request, &task), expected, "{theirs}");
        }
    }

    #[test]
    fn verdicts() {
        use {
            Resemblance::{Equal, Other},
            When::{Before, LongBefore, Since},
        };
        let id = |id: &str| id.parse::<TaskId>().expect("an id");
        for (tasks, expected) in [
            (vec![], Err(Doubt::NoHistory)),
            (vec![(Since, Other)], Ok(None)),
            (
                vec![
                    (Before, Equal),
                    (LongBefore, Equal),
                    (LongBefore, Resemblance::Unclear),
                ],
                Ok(None),
            ),
            (
                vec![(Since, Other), (Since, Equal), (Before, Equal)],
                Ok(Some(id("1"))),
            ),
            (
                vec![(Since, Equal), (Since, Equal)],
                Err(Doubt::Ambiguous(vec![id("0"), id("1")])),
            ),
            (
                vec![(When::Unclear, Equal)],
                Err(Doubt::Ambiguous(vec![id("0")])),
            ),
            (
                vec![(Since, Resemblance::Unclear)],
                Err(Doubt::Ambiguous(vec![id("0")])),
            ),
            (vec![(When::Unclear, Other)], Ok(None)),
        ] {
            let mut seen = Seen::default();
            for (number, (when, resemblance)) in tasks.iter().enumerate() {
                let task = task(&number.to_string(), NOW, json!({}));
                seen.take(&task, *when, *resemblance);
            }
            assert_eq!(seen.verdict(), expected, "{tasks:?}");
        }
    }

    #[test]
    fn a_younger_task_among_the_old_ones_counts_anew() {
        let mut seen = Seen::default();
        let task = task("a", NOW, json!({}));
        for (when, in_a_row) in [
            (When::LongBefore, 1),
            (When::LongBefore, 2),
            (When::Before, 0),
            (When::LongBefore, 1),
            (When::Since, 0),
        ] {
            seen.take(&task, when, Resemblance::Other);
            assert_eq!(seen.old_in_a_row, in_a_row);
        }
    }

    #[test]
    fn a_task_is_claimed_once() {
        let accepted = Accepted::default();
        let id = |number: usize| number.to_string().parse::<TaskId>().expect("an id");
        assert!(accepted.claim(&id(0)));
        assert!(!accepted.clone().claim(&id(0)));
        for number in 1..=Accepted::KEPT {
            assert!(accepted.claim(&id(number)));
        }
        assert!(!accepted.contains(&id(0)));
        assert!(accepted.contains(&id(1)));
    }
}
