//! The wait itself, under the future and under the stream.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::future::OptionFuture;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, field::Empty};

use super::{error::WaitError, task_ref::TaskRef};
use crate::{
    client::Luma,
    http::RequestError,
    model::{FailureKind, Task, Video},
    poller::{End, LookupFailure, Membership, Options, PollInterval, Poller, SILENT_AFTER, Status},
    util::time::after,
};

/// The default deadline of a wait.
pub(super) const DEFAULT_DEADLINE: Duration = Duration::from_secs(15 * 60);
/// How many lookups in a row may fail by default.
pub(super) const MAX_CONSECUTIVE_ERRORS: u32 = 10;
/// A deadline that is noticed so late was slept through, as on a suspended machine.
const OVERSLEPT: Duration = Duration::from_secs(5);
/// How long one more lookup may take then.
const LAST_CHANCE: Duration = Duration::from_secs(10);

/// What a wait can be told, except for its callbacks.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) deadline: Option<Duration>,
    /// `None` is the client's.
    pub(super) interval: Option<PollInterval>,
    pub(super) max_errors: u32,
    pub(super) immediately: bool,
    pub(super) cancel: Option<CancellationToken>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            deadline: Some(DEFAULT_DEADLINE),
            interval: None,
            max_errors: MAX_CONSECUTIVE_ERRORS,
            immediately: false,
            cancel: None,
        }
    }
}

/// What a wait goes through.
pub(super) enum Event {
    Update(Arc<Task>),
    Failure(LookupFailure),
    End(Box<Result<Video, WaitError>>),
}

/// A wait that has begun.
pub(super) struct Waiting {
    poller: Poller,
    task: TaskRef,
    options: Options,
    membership: Membership,
    begin: Instant,
    deadline: Option<Instant>,
    overslept: bool,
    cancel: Option<CancellationToken>,
    span: Span,
}

impl Waiting {
    /// Begins a wait.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    pub(super) fn begin(
        luma: &Luma,
        task: &TaskRef,
        settings: &Settings,
        wants_updates: bool,
    ) -> Self {
        let begin = Instant::now();
        // A deadline that is later than the clock can count never comes.
        let deadline = settings.deadline.and_then(|time| after(begin, time));
        let last_look = deadline.zip(settings.deadline);
        let options = Options {
            interval: settings.interval.unwrap_or(*luma.poll_interval()),
            last_look: last_look
                .map(|(deadline, whole)| deadline - before_deadline(whole))
                .filter(|look| *look > begin),
            max_errors: settings.max_errors,
            wants_updates,
            immediately: settings.immediately,
            age: task.age(),
        };
        let id = &task.id;
        Self {
            poller: luma.poller().clone(),
            task: task.clone(),
            options,
            membership: luma.poller().join(id, options),
            begin,
            deadline,
            overslept: false,
            cancel: settings.cancel.clone(),
            span: tracing::debug_span!("wait", task = %id, end = Empty, polls = Empty, elapsed_ms = Empty),
        }
    }

    /// What comes next. Nothing comes after the end.
    pub(super) async fn next(&mut self) -> Event {
        let span = self.span.clone();
        let event = self.next_event().instrument(span).await;
        if let Event::End(end) = &event {
            self.span.record("end", name(end));
        }
        event
    }

    async fn next_event(&mut self) -> Event {
        loop {
            let end_of_task = self.membership.status.read(|status| status.end.clone());
            if let Some(end) = end_of_task {
                return self.conclude(end);
            }
            // News may come as fast as they are read: they must not keep the wait from ending.
            if self.cancel.as_ref().is_some_and(CancellationToken::is_cancelled) {
                let task = self.task.id.clone();
                return end(Err(WaitError::Cancelled { task }));
            }
            if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                match self.at_deadline().await {
                    Some(event) => return event,
                    None => continue,
                }
            }
            let cancelled = self.cancel.as_ref().map(CancellationToken::cancelled);
            let deadline = self.deadline.map(sleep_until);
            tokio::select! {
                biased;
                () = self.membership.status.changed() => {
                    let status = self.membership.status.read(Status::clone);
                    match (status.end, status.failure, status.task) {
                        (Some(_), _, _) => {}
                        // The runtime of the poller's task has gone.
                        (None, _, _) if status.is_gone => self.join_again().await,
                        (None, Some(failure), _) => return Event::Failure(failure),
                        (None, None, Some(task)) => return Event::Update(task),
                        (None, None, None) => {}
                    }
                }
                Some(()) = OptionFuture::from(cancelled) => {}
                Some(()) = OptionFuture::from(deadline) => {}
            }
        }
    }

    async fn join_again(&mut self) {
        self.options.age = self.task.age();
        self.membership = self.poller.join(&self.task.id, self.options);
        // A runtime that shuts down has no place for it, and ends this wait here.
        tokio::task::yield_now().await;
    }

    /// The deadline has passed. A report that has arrived by now counts.
    async fn at_deadline(&mut self) -> Option<Event> {
        tokio::task::yield_now().await;
        let late = self.deadline.map(|deadline| deadline.elapsed());
        if late > Some(OVERSLEPT) && !self.overslept {
            self.overslept = true;
            self.deadline = after(Instant::now(), LAST_CHANCE);
            self.options.last_look = Some(Instant::now());
            self.join_again().await;
            return None;
        }
        let status = self.membership.status.read(Status::clone);
        if status.end.is_some() {
            return None;
        }
        let failure = status.failure.map(|failure| failure.error);
        let silence = status.asked.map(|asked| asked.elapsed());
        let silence = silence.filter(|time| failure.is_none() || *time >= SILENT_AFTER);
        let silence = silence.map(|time| Arc::new(RequestError::no_response(time)));
        Some(end(Err(WaitError::Deadline {
            task: self.task.id.clone(),
            last_state: status.state,
            polls: status.polls,
            elapsed: self.begin.elapsed(),
            source: silence.or(failure),
        })))
    }

    fn conclude(&mut self, reason: End) -> Event {
        let task = self.task.id.clone();
        match reason {
            End::Task(report) if std::mem::take(&mut self.options.wants_updates) => {
                Event::Update(report)
            }
            End::Task(report) => end(match report.video() {
                Some(video) => Ok(video.seen_at(SystemTime::now())),
                None => {
                    // A report that says no more than that it was no success has no failure.
                    let otherwise = || report.failure_of(FailureKind::Reported);
                    let failure = report.failure().unwrap_or_else(otherwise);
                    Err(WaitError::Failed { task, failure })
                }
            }),
            End::NotFound => end(Err(WaitError::NotFound { task })),
            End::Lookup(source) => end(Err(WaitError::Poll { task, source })),
        }
    }
}

/// However it ends. A wait without an `end` in its span was dropped before.
impl Drop for Waiting {
    fn drop(&mut self) {
        let polls = self.membership.status.read(|status| status.polls);
        self.span.record("polls", polls);
        self.span.record("elapsed_ms", self.begin.elapsed().as_millis() as u64);
        tracing::debug!(parent: &self.span, "over");
    }
}

fn end(end: Result<Video, WaitError>) -> Event {
    Event::End(Box::new(end))
}

/// An end, in the log.
fn name(end: &Result<Video, WaitError>) -> &'static str {
    match end {
        Ok(_) => "completed",
        Err(WaitError::Failed { .. }) => "failed",
        Err(WaitError::Deadline { .. }) => "deadline",
        Err(WaitError::NotFound { .. }) => "not found",
        Err(WaitError::Poll { .. }) => "lookups fail",
        Err(WaitError::Cancelled { .. }) => "cancelled",
    }
}

/// How long before the deadline the last lookup goes out, so that its response can still come: a tenth of
/// the whole, but two seconds at most.
fn before_deadline(whole: Duration) -> Duration {
    (whole / 10).min(Duration::from_secs(2))
}
