//! Waits as streams: the reports of one task, and the ends of many.

use std::{
    collections::HashMap,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::Stream;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio_util::sync::CancellationToken;

use crate::{
    client::Luma,
    pace::Pace,
    task::{Task, TaskId},
    video::Video,
    wait::{Event, Wait, WaitError, WaitFuture, WaitOptions, Waiting},
};

/// The reports of a task, from [`Wait::updates`].
///
/// The first comes at once. The last is the one with the video; a wait that ends otherwise ends
/// the stream with its error. Lookups begin with the first poll, and from then on go on at the
/// wait's pace, whether the stream is polled or not, until it is dropped: who polls seldom gets the
/// latest report, not every one.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma, id: luma_client::TaskId)
/// # -> Result<(), luma_client::WaitError> {
/// use futures::StreamExt;
///
/// let mut updates = luma.task(id).wait().updates();
/// while let Some(task) = updates.next().await {
///     let task = task?;
///     println!("{}", task.state());
///     if let Some(video) = task.video() {
///         println!("{}", video.url());
///     }
/// }
/// # Ok(()) }
/// ```
///
/// # Panics
///
/// When polled outside a tokio runtime that has its time driver enabled.
#[must_use = "streams do nothing unless polled"]
pub struct Updates(Option<Waiting>);

impl fmt::Debug for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updates")
            .field("task", &self.0.as_ref().and_then(Waiting::id))
            .finish_non_exhaustive()
    }
}

impl Updates {
    pub(crate) fn new(wait: Wait<'_>) -> Self {
        Self(Some(Waiting::New(wait.handle, wait.options)))
    }
}

impl Stream for Updates {
    type Item = Result<Arc<Task>, WaitError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(waiting) = &mut self.0 else {
            return Poll::Ready(None);
        };
        match ready!(waiting.poll(cx, true, true)) {
            Event::Update(task) => Poll::Ready(Some(Ok(task))),
            Event::End(end) => {
                self.0 = None;
                Poll::Ready((*end).err().map(Err))
            }
        }
    }
}

/// Waits for many tasks, from [`Luma::watch`]: a stream of the tasks as they end.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma, ids: Vec<luma_client::TaskId>) {
/// use futures::StreamExt;
///
/// let mut done = luma.watch(ids);
/// while let Some((id, end)) = done.next().await {
///     match end {
///         Ok(video) => println!("{id}: {}", video.url()),
///         Err(error) => println!("{error}"),
///     }
/// }
/// # }
/// ```
///
/// # Panics
///
/// When polled outside a tokio runtime that has its time driver enabled.
#[must_use = "streams do nothing unless polled"]
pub struct Watch {
    luma: Luma,
    options: WaitOptions,
    /// Not begun, so that options can still be set.
    ids: Vec<TaskId>,
    waits: FuturesUnordered<Named>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("tasks", &(self.ids.len() + self.waits.len()))
            .finish_non_exhaustive()
    }
}

impl Luma {
    /// Waits for many tasks and gives each as it ends. An id that is given twice is given back
    /// once.
    pub fn watch(&self, ids: impl IntoIterator<Item = TaskId>) -> Watch {
        let mut ids: Vec<TaskId> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        Watch {
            luma: self.clone(),
            options: WaitOptions::default(),
            ids,
            waits: FuturesUnordered::new(),
        }
    }

    /// Waits for many tasks and gives all ends, in the order of the ids. For other options than
    /// those of [`Wait`], collect [`watch`](Self::watch).
    ///
    /// ```no_run
    /// # async fn example(luma: luma_client::Luma, ids: Vec<luma_client::TaskId>) {
    /// for (id, end) in luma.wait_all(ids).await {
    ///     println!("{id}: {}", if end.is_ok() { "a video" } else { "none" });
    /// }
    /// # }
    /// ```
    pub async fn wait_all(
        &self,
        ids: impl IntoIterator<Item = TaskId>,
    ) -> Vec<(TaskId, Result<Video, WaitError>)> {
        let ids: Vec<TaskId> = ids.into_iter().collect();
        let ends: HashMap<_, _> = self.watch(ids.iter().cloned()).collect().await;
        ids.into_iter()
            .filter_map(|id| {
                let end = ends.get(&id)?.clone();
                Some((id, end))
            })
            .collect()
    }

    /// Hands in a task that was reported by another way than a lookup, like a
    /// [callback](crate::webhook). Waits on it end at once where it has ended; coming twice does no
    /// harm.
    ///
    /// An end that comes before the wait begins is kept for 15 minutes, without the fields that
    /// this version does not know. Because anybody may send callbacks, the last 1,024 are kept, and
    /// of them those of at most 8 KiB as JSON; a wait finds the others by a lookup.
    pub fn notify(&self, task: Task) {
        self.core.hub.notify(task);
    }
}

impl Watch {
    /// How long to wait for each task at most; 15 minutes by default.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = Some(deadline);
        self
    }

    /// Waits without a deadline.
    pub fn no_deadline(mut self) -> Self {
        self.options.deadline = None;
        self
    }

    /// How many lookups of a task may fail in a row, as in [`Wait::tolerance`]; 10 by default.
    pub fn tolerance(mut self, failures: u32) -> Self {
        self.options.tolerance = failures;
        self
    }

    /// How often to look; by default shaped for jobs of one to five minutes.
    pub fn pace(mut self, pace: Pace) -> Self {
        self.options.pace = pace;
        self
    }

    /// Ends all waits with [`WaitError::Cancelled`] when the token is cancelled.
    pub fn cancelled_by(mut self, token: CancellationToken) -> Self {
        self.options.cancel = Some(token);
        self
    }
}

impl Stream for Watch {
    type Item = (TaskId, Result<Video, WaitError>);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        for id in this.ids.drain(..) {
            let mut wait = this.luma.task(id.clone()).wait();
            wait.options = this.options.clone();
            this.waits.push(Named(id, wait.into_future()));
        }
        this.waits.poll_next_unpin(cx)
    }
}

/// A wait that gives its task's id with its end.
struct Named(TaskId, WaitFuture<'static>);

impl Future for Named {
    type Output = (TaskId, Result<Video, WaitError>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let end = ready!(Pin::new(&mut self.1).poll(cx));
        Poll::Ready((self.0.clone(), end))
    }
}
