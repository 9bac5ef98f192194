//! Waiting for a video: a future, with a deadline, an interval and a typed end.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::{BoxFuture, Fuse, FutureExt};
use tokio_util::sync::CancellationToken;

use super::{
    error::WaitError,
    task_ref::TaskRef,
    updates::Updates,
    waiting::{DEFAULT_DEADLINE, Event, MAX_CONSECUTIVE_ERRORS, Settings, Waiting},
};
use crate::{
    client::Luma,
    model::{Task, Video},
    poller::{LookupFailure, PollInterval},
};

/// A wait for the [`Video`] of a task, from [`TaskHandle::wait`](crate::TaskHandle::wait). Await it.
/// Nothing is sent before it is awaited.
///
/// All waits of one client and its clones share one poller, which looks up at most 50 tasks a request. A
/// wait can be dropped at any time and begun again: the task continues.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma, id: luma_client::TaskId) {
/// use std::time::Duration;
/// use luma_client::{PollInterval, WaitError};
///
/// let end = luma
///     .task(id)
///     .wait()
///     .deadline(Duration::from_secs(600))
///     .interval(PollInterval::fixed(Duration::from_secs(3)))
///     .on_update(|task| println!("{}", task.state()))
///     .await;
/// match end {
///     Ok(video) => println!("{}", video.url()),
///     Err(WaitError::Failed { failure, .. }) => println!("no video: {failure}"),
///     Err(WaitError::Deadline { task, .. }) => println!("not finished yet, try later: {task}"),
///     Err(other) => println!("{other}"),
/// }
/// # }
/// ```
///
/// # Panics
///
/// Panics outside a tokio runtime with I/O and time enabled.
#[must_use = "a wait does nothing before it is awaited"]
pub struct Wait<'a> {
    /// Until the first poll. Boxed, because waits that have begun are kept in large numbers.
    setup: Option<Box<Setup<'a>>>,
    /// Fused: a `select!` loop may poll it after its end.
    running: Fuse<BoxFuture<'a, Result<Video, WaitError>>>,
}

struct Setup<'a> {
    luma: Luma,
    task: TaskRef,
    settings: Settings,
    on_update: Option<Callback<'a, Task>>,
    on_error: Option<Callback<'a, LookupFailure>>,
}

type Callback<'a, T> = Box<dyn FnMut(&T) + Send + 'a>;

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut wait = f.debug_struct("Wait");
        if let Some(setup) = &self.setup {
            wait.field("task", &setup.task).field("settings", &setup.settings);
        }
        wait.finish_non_exhaustive()
    }
}

impl Wait<'_> {
    /// The default deadline: 15 minutes, three times what the slowest videos take.
    pub const DEFAULT_DEADLINE: Duration = DEFAULT_DEADLINE;
    /// How many lookups in a row may fail by default: 10.
    pub const MAX_CONSECUTIVE_ERRORS: u32 = MAX_CONSECUTIVE_ERRORS;
}

impl<'a> Wait<'a> {
    pub(super) fn new(luma: Luma, task: TaskRef) -> Self {
        Self::with_settings(luma, task, Settings::default())
    }

    pub(super) fn with_settings(luma: Luma, task: TaskRef, settings: Settings) -> Self {
        let setup = Setup { luma, task, settings, on_update: None, on_error: None };
        Self { setup: Some(Box::new(setup)), running: Fuse::terminated() }
    }

    /// Has no effect on a wait that has begun.
    fn set(mut self, change: impl FnOnce(&mut Setup<'a>)) -> Self {
        if let Some(setup) = &mut self.setup {
            change(setup);
        }
        self
    }

    /// Sets the longest time to wait, from the first await on; 15 minutes by default.
    ///
    /// It bounds the lookup in flight, too. The last lookup goes out shortly before, unless a
    /// `Retry-After` forbids it. If the program slept through its deadline, as on a suspended machine,
    /// one more lookup has 10 seconds.
    pub fn deadline(self, deadline: Duration) -> Self {
        self.set(|setup| setup.settings.deadline = Some(deadline))
    }

    /// Waits without a deadline.
    pub fn no_deadline(self) -> Self {
        self.set(|setup| setup.settings.deadline = None)
    }

    /// Sets how often the task is looked up; by default as often as the client is
    /// [configured](crate::LumaBuilder::poll_interval).
    pub fn interval(self, interval: PollInterval) -> Self {
        self.set(|setup| setup.settings.interval = Some(interval))
    }

    /// Sends the first lookup at once, without waiting for the first interval. A wait that is begun again
    /// within the interval of the last lookup still waits for the rest of it.
    pub fn immediately(self) -> Self {
        self.set(|setup| setup.settings.immediately = true)
    }

    /// Sets how many lookups in a row may fail before the wait ends with [`WaitError::Poll`]; 10 by
    /// default. A success resets the count. A permanent error, such as status 401, ends the wait at once.
    ///
    /// From the second failure in a row on, each doubles the interval, up to one minute. A batch error is
    /// not counted if another task of the batch may be the reason.
    pub fn max_consecutive_errors(self, errors: u32) -> Self {
        self.set(|setup| setup.settings.max_errors = errors)
    }

    /// Ends the wait with [`WaitError::Cancelled`] when the token is cancelled.
    pub fn cancelled_by(self, token: CancellationToken) -> Self {
        self.set(|setup| setup.settings.cancel = Some(token))
    }

    /// Calls back with each update of the task, the last one too. It runs inside the wait, so it should
    /// be quick.
    pub fn on_update(self, callback: impl FnMut(&Task) + Send + 'a) -> Self {
        self.set(|setup| setup.on_update = Some(Box::new(callback)))
    }

    /// Calls back with each lookup that failed while the wait continues, and when one has had no response
    /// for five seconds. So a program can show since when the service cannot be reached, and why. The next
    /// [update](Self::on_update) tells that it can be reached again.
    ///
    /// ```no_run
    /// # async fn example(luma: luma_client::Luma, id: luma_client::TaskId)
    /// # -> Result<(), luma_client::WaitError> {
    /// let wait = luma.task(id).wait().on_error(|failure| {
    ///     let seconds = failure.since.elapsed().as_secs();
    ///     println!("no response for {seconds} s: {}", failure.error);
    /// });
    /// let video = wait.await?;
    /// # Ok(()) }
    /// ```
    pub fn on_error(self, callback: impl FnMut(&LookupFailure) + Send + 'a) -> Self {
        self.set(|setup| setup.on_error = Some(Box::new(callback)))
    }

    /// Returns a stream of the task's updates instead. Callbacks that were set are dropped:
    /// [`Updates::failure`] tells of lookups that fail.
    ///
    /// # Panics
    ///
    /// If the wait has begun.
    pub fn updates(self) -> Updates {
        let setup = self.setup.expect("the wait has begun");
        Updates::new(setup.luma, setup.task, setup.settings)
    }
}

impl<'a> Setup<'a> {
    /// Begins the wait here and now.
    fn begin(&mut self) -> BoxFuture<'a, Result<Video, WaitError>> {
        let (mut on_update, mut on_error) = (self.on_update.take(), self.on_error.take());
        let wants_updates = on_update.is_some() || on_error.is_some();
        let mut waiting = Waiting::begin(&self.luma, &self.task, &self.settings, wants_updates);
        Box::pin(async move {
            loop {
                match waiting.next().await {
                    Event::Update(task) => {
                        on_update.iter_mut().for_each(|callback| callback(&task));
                    }
                    Event::Failure(failure) => {
                        on_error.iter_mut().for_each(|callback| callback(&failure));
                    }
                    Event::End(end) => return *end,
                }
            }
        })
    }
}

impl Future for Wait<'_> {
    type Output = Result<Video, WaitError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { setup, running } = self.get_mut();
        if let Some(new) = setup {
            *running = new.begin().fuse();
            *setup = None;
        }
        running.poll_unpin(cx)
    }
}
