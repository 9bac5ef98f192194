//! Waiting for a video: a future, with a deadline, a pace and a typed end.

use std::{
    fmt,
    future::IntoFuture,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use tokio::{
    runtime::{self, Handle},
    time::{Instant, Sleep, sleep_until},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tracing::{Span, field::Empty};

use crate::{
    client::Luma,
    error::Error,
    handle::{Submitted, TaskHandle},
    pace::{Pace, after},
    task::{Failure, Task, TaskId, TaskState},
    updates::Updates,
    video::Video,
    watch::{
        Membership,
        state::{End, Joining, Report},
    },
};

/// Why a wait ended without a video. Every case names the task, which can be awaited again.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The task has failed: there will be no video.
    #[error("{task}: {reason}")]
    Failed {
        /// The task.
        task: TaskId,
        /// The service's own words.
        reason: Failure,
    },
    /// The deadline passed. The task goes on: await it again, with more time.
    #[error(
        "{task} has not ended after {elapsed:.1?} and {polls} lookups; last seen {}{}",
        last.as_ref().map_or("never".to_owned(), TaskState::to_string),
        if source.is_some() { ", and the last lookup failed" } else { "" }
    )]
    Deadline {
        /// The task.
        task: TaskId,
        /// The last state, where there was a report.
        last: Option<TaskState>,
        /// How many lookups of it ended during this wait, failed ones too.
        polls: u32,
        /// How long this wait took.
        elapsed: Duration,
        /// Why the last lookup failed, if it did.
        source: Option<Arc<Error>>,
    },
    /// The service knows no task with this id.
    #[error("no task has the id {task}")]
    NotFound {
        /// The id.
        task: TaskId,
    },
    /// Looking the task up fails: for good, like after 401, or more often in a row than the wait
    /// tolerates. It says nothing about the task, which may well be completed.
    #[error("{task} cannot be looked up")]
    Poll {
        /// The task.
        task: TaskId,
        /// What the last lookup came to; [`Error::is_retryable`] tells whether a later wait may
        /// have more luck.
        source: Arc<Error>,
    },
    /// The wait was cancelled by its [`CancellationToken`]. The task goes on.
    #[error("the wait for {task} was cancelled")]
    Cancelled {
        /// The task.
        task: TaskId,
    },
}

impl WaitError {
    /// Whether another wait on the same task may give its video.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Deadline { .. } | Self::Cancelled { .. } => true,
            Self::Poll { source, .. } => source.is_retryable(),
            Self::Failed { .. } | Self::NotFound { .. } => false,
        }
    }

    /// The task.
    pub fn task(&self) -> &TaskId {
        match self {
            Self::Failed { task, .. }
            | Self::Deadline { task, .. }
            | Self::NotFound { task }
            | Self::Poll { task, .. }
            | Self::Cancelled { task } => task,
        }
    }
}

/// A wait for a video. Await it; before that nothing is sent, and it can be moved anywhere.
/// Where a [`Future`] is wanted, as by `tokio::spawn` or `join_all`, give it
/// [`wait.into_future()`](IntoFuture::into_future).
///
/// All waits of one client and its clones share their lookups, at most 50 tasks a request. A wait
/// can be dropped at any time, and another one begun: nothing is lost by it. Where they are polled
/// on several runtimes, one of these carries the lookups of all: a wait that was begun on a runtime
/// which nobody runs any more has to be dropped or polled elsewhere, or it may hold the others up.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma, id: luma_client::TaskId) {
/// use std::time::Duration;
/// use luma_client::{Pace, WaitError};
///
/// let end = luma
///     .task(id)
///     .wait()
///     .deadline(Duration::from_secs(600))
///     .pace(Pace::fixed(Duration::from_secs(3)))
///     .on_update(|task| println!("{}", task.state()))
///     .await;
/// match end {
///     Ok(video) => println!("{}", video.url()),
///     Err(WaitError::Failed { reason, .. }) => println!("no video: {reason}"),
///     Err(WaitError::Deadline { task, .. }) => println!("still not there, try later: {task}"),
///     Err(other) => println!("{other}"),
/// }
/// # }
/// ```
#[must_use = "a wait does nothing before it is awaited"]
pub struct Wait<'a> {
    pub(crate) handle: TaskHandle,
    pub(crate) options: WaitOptions,
    on_update: Option<OnUpdate<'a>>,
}

type OnUpdate<'a> = Box<dyn FnMut(&Task) + Send + 'a>;

/// What a wait can be told, but for its callback.
#[derive(Clone, Debug)]
pub(crate) struct WaitOptions {
    pub(crate) deadline: Option<Duration>,
    pub(crate) pace: Pace,
    pub(crate) tolerance: u32,
    pub(crate) cancel: Option<CancellationToken>,
}

impl Default for WaitOptions {
    fn default() -> Self {
        Self {
            deadline: Some(Wait::DEADLINE),
            pace: Pace::default(),
            tolerance: Wait::TOLERANCE,
            cancel: None,
        }
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("task", self.handle.id())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Wait<'_> {
    /// The default deadline: 15 minutes, three times what the slowest videos take.
    pub const DEADLINE: Duration = Duration::from_secs(15 * 60);
    /// How many lookups in a row may fail by default.
    pub const TOLERANCE: u32 = 10;
}

impl<'a> Wait<'a> {
    pub(crate) fn new(handle: TaskHandle) -> Self {
        Self {
            handle,
            options: WaitOptions::default(),
            on_update: None,
        }
    }

    /// How long to wait at most, from the moment the wait is first polled; 15 minutes by default.
    /// It bounds the lookup under way, too; the last one goes out shortly before, unless the
    /// service asked not to be asked yet.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = Some(deadline);
        self
    }

    /// Waits without a deadline.
    pub fn no_deadline(mut self) -> Self {
        self.options.deadline = None;
        self
    }

    /// How often to look; by default shaped for jobs of one to five minutes.
    pub fn pace(mut self, pace: Pace) -> Self {
        self.options.pace = pace;
        self
    }

    /// How many lookups in a row may fail before the wait ends with [`WaitError::Poll`]; 10 by
    /// default. A good one resets the count; what fails for good, like after 401, ends it at once.
    ///
    /// From the second failure in a row on, each doubles the interval, up to a minute. What a batch
    /// fails for may be another task's fault: the wait ends only after a lookup of its task alone,
    /// or where the service itself is the reason, as after 429 or 502. A task that is missing in
    /// its first ten seconds is asked again without counting.
    pub fn tolerance(mut self, failures: u32) -> Self {
        self.options.tolerance = failures;
        self
    }

    /// Ends the wait with [`WaitError::Cancelled`] when the token is cancelled.
    ///
    /// ```no_run
    /// # async fn example(task: luma_client::TaskHandle) {
    /// use luma_client::{CancellationToken, WaitError};
    ///
    /// let shutdown = CancellationToken::new();
    /// // shutdown.cancel() ends all waits that were given a clone.
    /// match task.wait().cancelled_by(shutdown.clone()).await {
    ///     Err(WaitError::Cancelled { task }) => println!("later: {task}"),
    ///     end => println!("{end:?}"),
    /// }
    /// # }
    /// ```
    pub fn cancelled_by(mut self, token: CancellationToken) -> Self {
        self.options.cancel = Some(token);
        self
    }

    /// Calls `callback` with each report. It should be quick: it runs inside the wait. The stream
    /// of [`updates`](Self::updates) gives the reports itself and does not call it.
    pub fn on_update<'b>(self, callback: impl FnMut(&Task) + Send + 'b) -> Wait<'b> {
        Wait {
            handle: self.handle,
            options: self.options,
            on_update: Some(Box::new(callback)),
        }
    }

    /// The reports as a stream: the first at once, the others as they come.
    pub fn updates(self) -> Updates {
        Updates::new(self)
    }
}

impl<'a> IntoFuture for Wait<'a> {
    type Output = Result<Video, WaitError>;
    type IntoFuture = WaitFuture<'a>;

    fn into_future(self) -> WaitFuture<'a> {
        WaitFuture {
            on_update: self.on_update,
            waiting: Waiting::New(self.handle, self.options),
        }
    }
}

/// The future of a [`Wait`]. After its end it stays pending, so that a `select!` loop may go on.
///
/// # Panics
///
/// When polled outside a tokio runtime that has its time driver enabled.
#[must_use = "futures do nothing unless polled"]
pub struct WaitFuture<'a> {
    waiting: Waiting,
    on_update: Option<OnUpdate<'a>>,
}

impl fmt::Debug for WaitFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitFuture")
            .field("task", &self.waiting.id())
            .finish_non_exhaustive()
    }
}

impl Future for WaitFuture<'_> {
    type Output = Result<Video, WaitError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            match std::task::ready!(this.waiting.poll(cx, this.on_update.is_some(), false)) {
                Event::Update(task) => {
                    if let Some(callback) = &mut this.on_update {
                        callback(&task);
                    }
                }
                Event::End(end) => return Poll::Ready(*end),
            }
        }
    }
}

/// What a wait goes through.
pub(crate) enum Event {
    Update(Arc<Task>),
    End(Box<Result<Video, WaitError>>),
}

/// The wait itself, under the future and under the stream.
pub(crate) enum Waiting {
    New(TaskHandle, WaitOptions),
    Begun(Begun),
    Ended,
}

/// A wait that was polled.
pub(crate) struct Begun {
    luma: Luma,
    membership: Membership,
    at: Instant,
    deadline: Option<Deadline>,
    cancelled: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// `None` where nobody listens: a span is as large as all the rest of a wait.
    span: Option<Box<Span>>,
}

/// A timer that outlives the runtime it was first polled on.
struct Deadline {
    runtime: runtime::Id,
    sleep: Pin<Box<Sleep>>,
}

impl Deadline {
    fn new(time: Instant) -> Self {
        Self {
            runtime: Handle::current().id(),
            sleep: Box::pin(sleep_until(time)),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.runtime != Handle::current().id() {
            *self = Self::new(self.sleep.deadline());
        }
        self.sleep.as_mut().poll(cx)
    }
}

impl Waiting {
    /// The task, until the end was told.
    pub(crate) fn id(&self) -> Option<&TaskId> {
        match self {
            Self::New(handle, _) => Some(handle.id()),
            Self::Begun(begun) => Some(begun.membership.id()),
            Self::Ended => None,
        }
    }

    /// What comes next; after the end, nothing. `eager` wants a first report at once.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        wants_updates: bool,
        eager: bool,
    ) -> Poll<Event> {
        if let Self::New(handle, options) = self {
            *self = Self::Begun(Begun::new(handle, options, wants_updates, eager));
        }
        let Self::Begun(begun) = self else {
            return Poll::Pending;
        };
        let event = begun.poll(cx);
        if let Poll::Ready(Event::End(_)) = event {
            // It leaves the set now, however long the future is kept.
            *self = Self::Ended;
        }
        event
    }
}

impl Begun {
    fn new(handle: &TaskHandle, options: &WaitOptions, wants_updates: bool, eager: bool) -> Self {
        let at = Instant::now();
        let age = age(handle.submitted, at);
        // A deadline beyond what the clock can count is none.
        let deadline = options.deadline.and_then(|time| after(at, time));
        let joining = Joining {
            id: handle.id().clone(),
            pace: options.pace.clone(),
            age,
            edge: deadline
                .zip(options.deadline)
                .map(|(end, whole)| end - edge(whole)),
            budget: options.tolerance,
            wants_updates,
            eager,
        };
        Self {
            luma: handle.luma.clone(),
            membership: handle.luma.core.hub.join(joining),
            at,
            deadline: deadline.map(Deadline::new),
            cancelled: options
                .cancel
                .clone()
                .map(|token| Box::pin(token.cancelled_owned())),
            span: span(handle.id()),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let span = self.span.as_deref().cloned();
        let _entered = span.map(Span::entered);
        let report = self.membership.poll(cx);
        if let Poll::Ready(Report::End(end)) = report {
            return self.end(self.conclude(end));
        }
        // News may come as fast as they are read: they must not keep the wait from ending.
        if let Some(cancelled) = &mut self.cancelled
            && cancelled.as_mut().poll(cx).is_ready()
        {
            let task = self.membership.id().clone();
            return self.end(Err(WaitError::Cancelled { task }));
        }
        if let Some(deadline) = &mut self.deadline
            && deadline.poll(cx).is_ready()
        {
            let known = self.membership.known();
            return self.end(Err(WaitError::Deadline {
                task: self.membership.id().clone(),
                last: known.state,
                polls: known.polls,
                elapsed: self.at.elapsed(),
                source: known.error,
            }));
        }
        match report {
            Poll::Ready(Report::Update(task)) => Poll::Ready(Event::Update(task)),
            _ => Poll::Pending,
        }
    }

    fn end(&self, end: Result<Video, WaitError>) -> Poll<Event> {
        if let Some(span) = &self.span {
            span.record("end", name(&end));
        }
        Poll::Ready(Event::End(Box::new(end)))
    }

    fn conclude(&self, end: End) -> Result<Video, WaitError> {
        let task = self.membership.id().clone();
        match end {
            End::Task(report) => match (report.video(), report.failure()) {
                (Some(video), _) => Ok(video.with_client(self.luma.core.media.clone())),
                (None, Some(reason)) => Err(WaitError::Failed { task, reason }),
                (None, None) => Err(WaitError::NotFound { task }),
            },
            End::NotFound => Err(WaitError::NotFound { task }),
            End::Lookup(source) => Err(WaitError::Poll { task, source }),
        }
    }
}

/// However it ends: one without an `end` was dropped before.
impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(span) = self.span.as_deref() {
            span.record("polls", self.membership.known().polls);
            span.record("elapsed_ms", self.at.elapsed().as_millis() as u64);
            tracing::debug!(parent: span, "over");
        }
    }
}

fn span(task: &TaskId) -> Option<Box<Span>> {
    let span = tracing::debug_span!("wait", %task, end = Empty, polls = Empty, elapsed_ms = Empty);
    (!span.is_disabled()).then(|| Box::new(span))
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

/// How long before the deadline the last lookup goes out, so that its answer can still come: a
/// tenth of the whole, but two seconds at most.
fn edge(deadline: Duration) -> Duration {
    (deadline / 10).min(Duration::from_secs(2))
}

fn age(submitted: Submitted, now: Instant) -> Option<Duration> {
    match submitted {
        Submitted::Here(at, _) => Some(now.saturating_duration_since(at)),
        Submitted::Elsewhere(at) => SystemTime::now().duration_since(at).ok(),
        Submitted::Unknown => None,
    }
}
