//! A submit whose answer was lost: looking for its task before anybody pays again.

mod claims;
mod evidence;

use std::{
    fmt,
    future::poll_fn,
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_core::Stream;
use tokio::time::Instant;

pub(crate) use self::claims::{Accepted, UnderWay};
use self::evidence::{Resemblance, Seen, id_of, resemblance, when};
use crate::{
    api::types::VideoRequest,
    client::Luma,
    error::{Error, Result},
    handle::{TaskHandle, Ticket},
    intent::Intent,
    task::TaskId,
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
    intent: Arc<Intent>,
    /// The moment of the intent by a clock that nobody sets, where this process made it.
    sent: Option<Instant>,
    /// When the answer was given up.
    lost: Instant,
    /// What the service called the submit in its answer.
    trace_id: Option<String>,
    settle: Duration,
}

impl fmt::Debug for PendingSubmission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingSubmission")
            .field("intent", &self.intent)
            .field("trace_id", &self.trace_id)
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
    const SETTLE: Duration = Duration::from_secs(10);
    const LOOK_EVERY: Duration = Duration::from_secs(3);
    const MAX_TASKS: usize = 1_000;
    /// How many tasks in a row must be far too old before the rest is taken to be older still.
    const OLD_ENOUGH: usize = 50;
    /// By how much the clock of the machine that submitted may be ahead of this one's.
    const CLOCKS: Duration = Duration::from_secs(60);

    /// To be made before the submit is sent.
    pub(crate) fn new(luma: Luma, intent: Intent) -> Self {
        Self {
            sent: Some(Instant::now()),
            ..Self::restored(luma, intent)
        }
    }

    /// When its sender went is not known: the settling begins now.
    pub(crate) fn restored(luma: Luma, intent: Intent) -> Self {
        Self {
            luma,
            intent: Arc::new(intent),
            sent: None,
            lost: Instant::now(),
            trace_id: None,
            settle: Self::SETTLE,
        }
    }

    /// The submit got no clear answer, but this error.
    pub(crate) fn lost(mut self, source: Error) -> Error {
        self.lost = Instant::now();
        self.trace_id = source.api().and_then(|error| error.trace_id.clone());
        Error::Unconfirmed {
            pending: Box::new(self),
            source: Box::new(source),
        }
    }

    /// What to store so that another process can look for it: see [`Luma::pending`].
    pub fn intent(&self) -> &Intent {
        &self.intent
    }

    /// What was submitted.
    pub fn request(&self) -> &VideoRequest {
        &self.intent.request
    }

    /// When it was submitted, by the clock of the machine that did.
    pub fn sent_at(&self) -> SystemTime {
        self.intent.sent_at
    }

    pub(crate) fn client(&self) -> &Luma {
        &self.luma
    }

    /// The submit is under way until the guard is dropped.
    pub(crate) fn begin(&self) -> UnderWay {
        self.luma.core.accepted.begin(&self.intent)
    }

    /// Takes the task that the service answered with for the one of this submit.
    pub(crate) fn answered(&self, id: &TaskId) {
        self.luma.core.accepted.answered(id, self.intent.key);
    }

    /// Takes a task for the one of this submit; false where it is that of another.
    fn claim(&self, id: &TaskId) -> bool {
        self.luma.core.accepted.claim(id, self.intent.key)
    }

    /// How long the service may take to show in the history what it has accepted, from the moment
    /// the answer was lost; ten seconds by default. Before it has passed, a search does not say
    /// that the task is not there.
    #[must_use = "it is set on what is returned"]
    pub fn settle(mut self, time: Duration) -> Self {
        self.settle = time;
        self
    }

    /// Looks for the task: created since the submit, with an equal request.
    ///
    /// Where none is there it looks again until the service had time to show it, see
    /// [`settle`](Self::settle). Tasks that other submits of this client (and its clones) were
    /// answered with are not it; while an equal one is under way it waits for its answer. A [`callback_url`](crate::Generate::callback_url) whose query is
    /// this submit's own decides. Beyond that, equal requests of the same moment cannot be told
    /// apart.
    ///
    /// # Errors
    ///
    /// Those of a lookup: the search itself failed and can be repeated.
    pub async fn find(&self) -> Result<Search> {
        loop {
            // Read before the look, so that the last look begins when the time has passed.
            let waited = self.lost.elapsed();
            match self.look().await? {
                Ok(Some(_)) if self.luma.core.accepted.has_equal_under_way(&self.intent) => {
                    tokio::time::sleep(Self::LOOK_EVERY).await;
                }
                Ok(Some(id)) => {
                    // Another search may have been faster.
                    if self.claim(&id) {
                        return Ok(Search::Found(self.handle(id)));
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

    fn handle(&self, id: TaskId) -> TaskHandle {
        self.luma.resume(Ticket {
            id,
            submitted_at: Some(self.intent.sent_at),
        })
    }

    /// When it was sent, by the clock as it stands now. Of two ways to tell, the earlier: one is
    /// wrong after the clock was set, the other after the machine was asleep. A clock elsewhere may
    /// have been ahead.
    fn sent_by_the_clock(&self) -> SystemTime {
        let sent_at = self.intent.sent_at;
        let earliest = match self.sent {
            Some(sent) => SystemTime::now().checked_sub(sent.elapsed()),
            None => sent_at.checked_sub(Self::CLOCKS),
        };
        earliest.map_or(sent_at, |earliest| earliest.min(sent_at))
    }

    async fn look(&self) -> Result<Result<Option<TaskId>, Doubt>> {
        let mut history = pin!(self.luma.history());
        let accepted = &self.luma.core.accepted;
        let mut seen = Seen::default();
        while seen.old_in_a_row < Self::OLD_ENOUGH {
            let task = match poll_fn(|cx| history.as_mut().poll_next(cx)).await {
                None if history.is_cut() => return Ok(Err(Doubt::TooLong)),
                None => break,
                Some(Ok(task)) => task,
                Some(Err(error)) if says_no_history(&error) => return Ok(Err(Doubt::NoHistory)),
                Some(Err(error)) => return Err(error),
            };
            let when = when(&task, self.sent_by_the_clock(), history.clock_ahead());
            let resemblance = match id_of(&task) {
                Some(id) if accepted.is_anothers(&id, self.intent.key) => Resemblance::Other,
                _ => resemblance(self.request(), task.request.as_ref()),
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

/// Whether the service does not list the account's tasks, or not like this.
fn says_no_history(error: &Error) -> bool {
    match error {
        Error::Api(error) => error.says_unsupported(),
        Error::Decode(error) => error.is_other(),
        _ => false,
    }
}
