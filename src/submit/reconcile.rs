//! The search for the task of a submission whose response was lost.

use std::{
    pin::Pin,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{
    matching::{Comparison, Findings, InconclusiveReason, age, compare, id_of},
    registry::Registry,
    submission::Submission,
};
use crate::{
    client::Luma,
    http::RequestError,
    util::TaskId,
    wait::{TaskHandle, TaskRef},
};

/// What a search for the task of a submission found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Reconciliation {
    /// The one task with the same request: it was accepted, and is billed if its video is made.
    Found(TaskHandle),
    /// The history shows no matching task within `searched`. It is evidence, not proof: a gateway may
    /// deliver a request even later.
    NotFound {
        /// How long the search looked.
        searched: Duration,
    },
    /// Neither can be said. A repeated submit may be billed a second time.
    Inconclusive(InconclusiveReason),
}

/// A search for the task of a submission, from [`Luma::reconcile`]. Await it.
///
/// # Panics
///
/// Panics outside a tokio runtime with I/O and time enabled.
#[must_use = "nothing is searched before it is awaited"]
#[derive(Clone, Debug)]
pub struct Reconcile {
    luma: Luma,
    submission: Submission,
    settle: Duration,
}

impl Luma {
    /// Looks for the task of a submission in the account's history. It never submits.
    ///
    /// It finds a task that was created since the submission, by an equal request. If there is none, it
    /// looks again until [`settle`](Reconcile::settle) has passed. Tasks of other submissions of this
    /// client (and its clones) are left out; while an equal one is in flight, it waits for its response. A
    /// [`callback_url`](crate::Generate::callback_url) that is unique decides; other equal requests of the
    /// same moment cannot be told apart.
    ///
    /// The history is [observed, not published](Luma::history), so the search may be
    /// [`Inconclusive`](Reconciliation::Inconclusive). The process that made the submission must have
    /// finished sending it.
    ///
    /// # Errors
    ///
    /// Those of a lookup: the search itself failed and can be repeated.
    ///
    /// ```no_run
    /// # async fn example(luma: luma_client::Luma) -> Result<(), luma_client::Error> {
    /// use luma_client::{Reconciliation, SubmitError};
    ///
    /// let task = match luma.generate("A lighthouse at dusk").submit().await {
    ///     Err(SubmitError::Unconfirmed { submission, .. }) => {
    ///         match luma.reconcile(&submission).await? {
    ///             Reconciliation::Found(task) => task,
    ///             // Evidence, not proof: a second bill is possible.
    ///             Reconciliation::NotFound { .. } => luma.submit(&submission).await?,
    ///             other => panic!("a person has to decide: {other:?}"),
    ///         }
    ///     }
    ///     other => other?,
    /// };
    /// # Ok(()) }
    /// ```
    pub fn reconcile(&self, submission: &Submission) -> Reconcile {
        Reconcile {
            luma: self.clone(),
            submission: submission.clone(),
            settle: self.api().inner.timeout.saturating_add(Reconcile::MARGIN),
        }
    }
}

impl IntoFuture for Reconcile {
    type Output = Result<Reconciliation, RequestError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.search())
    }
}

impl Reconcile {
    const MARGIN: Duration = Duration::from_secs(10);
    const INTERVAL: Duration = Duration::from_secs(3);
    const MAX_TASKS: usize = 1_000;
    /// How many tasks in a row must be far too old before the rest is taken to be older still.
    const OLD_ENOUGH: usize = 50;

    /// Sets how long the service may take to show what it has accepted; by default ten seconds more than
    /// the client's timeout for a request. Before it has passed, the search does not end in `NotFound`.
    pub fn settle(mut self, time: Duration) -> Self {
        self.settle = time;
        self
    }

    async fn search(self) -> Result<Reconciliation, RequestError> {
        let registry = self.luma.shared::<Registry>();
        let begin = Instant::now();
        loop {
            // Read before the look, so that the last look begins when the time has passed.
            let searched = begin.elapsed();
            let wait = match self.look(&registry).await? {
                Ok(Some(_)) if registry.has_equal_in_flight(&self.submission) => Self::INTERVAL,
                Ok(Some(id)) if registry.assign(&id, self.submission.key) => {
                    let submitted_at = Some(self.submission.created_at);
                    let task = self.luma.task(TaskRef { id, submitted_at });
                    return Ok(Reconciliation::Found(task));
                }
                // Another search was faster: its task is left out from now on.
                Ok(Some(_)) => continue,
                Ok(None)
                | Err(InconclusiveReason::NoHistory | InconclusiveReason::Unexplained(_))
                    if searched < self.settle =>
                {
                    Self::INTERVAL.min(self.settle - searched)
                }
                Ok(None) => return Ok(Reconciliation::NotFound { searched }),
                Err(reason) => return Ok(Reconciliation::Inconclusive(reason)),
            };
            tokio::time::sleep(wait).await;
        }
    }

    async fn look(
        &self,
        registry: &Registry,
    ) -> Result<Result<Option<TaskId>, InconclusiveReason>, RequestError> {
        let Submission { request, created_at, key, trace_id } = &self.submission;
        let mut history = self.luma.history().into_pages();
        let mut findings = Findings::default();
        loop {
            let page = match history.next().await {
                Err(error) if error.is_unsupported() => {
                    return Ok(Err(InconclusiveReason::NoHistory));
                }
                // It may be the task.
                Err(RequestError::Decode(error)) if error.is_item() => {
                    findings.add_unreadable();
                    continue;
                }
                Ok(None) if history.is_incomplete() => return Ok(Err(InconclusiveReason::TooLong)),
                page => page?,
            };
            let Some(tasks) = page else {
                return Ok(findings.conclusion());
            };
            for task in tasks {
                // A clock that was set back since must not hide the task.
                let sent_at = (*created_at).min(SystemTime::now());
                let id = id_of(&task);
                let comparison = match &id {
                    Some(id) if registry.is_of_another(id, *key) => Comparison::OtherSubmission,
                    _ => compare(request, task.request.as_ref()),
                };
                let is_traced = trace_id.is_some() && *trace_id == task.trace_id;
                if is_traced && comparison != Comparison::OtherSubmission && id.is_some() {
                    return Ok(Ok(id));
                }
                findings.take(&task, age(&task, sent_at, history.clock_ahead), comparison);
                if findings.tasks >= Self::MAX_TASKS {
                    return Ok(Err(InconclusiveReason::TooLong));
                }
                if findings.old_in_a_row >= Self::OLD_ENOUGH {
                    return Ok(findings.conclusion());
                }
            }
        }
    }
}
