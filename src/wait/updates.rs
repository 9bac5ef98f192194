//! A wait as a stream of the task's updates.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::{Stream, stream::BoxStream};
use futures_util::stream::{self, StreamExt};

use super::{
    error::WaitError,
    task_ref::TaskRef,
    waiting::{Event, Settings, Waiting},
};
use crate::{client::Luma, model::Task, poller::LookupFailure, util::TaskId};

/// The updates of a task, from [`Wait::updates`](crate::Wait::updates).
///
/// The first lookup is sent at once. The last update is the one with the video. A wait that ends otherwise
/// ends the stream with its error. Lookups begin when the stream is first awaited. They continue at the
/// wait's interval until it is dropped, whether it is awaited or not. Slow consumers see only the latest
/// update.
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
/// Panics outside a tokio runtime with I/O and time enabled.
#[must_use = "streams do nothing unless polled"]
pub struct Updates {
    id: TaskId,
    stream: BoxStream<'static, Event>,
    failure: Option<LookupFailure>,
}

impl fmt::Debug for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updates").field("task", &self.id).finish_non_exhaustive()
    }
}

impl Updates {
    pub(super) fn new(luma: Luma, task: TaskRef, mut settings: Settings) -> Self {
        settings.immediately = true;
        let id = task.id.clone();
        let begin = async move { Waiting::begin(&luma, &task, &settings, true) };
        let events = |waiting: Waiting| {
            stream::unfold(waiting, async |mut waiting| Some((waiting.next().await, waiting)))
        };
        let stream = Box::pin(stream::once(begin).flat_map(events));
        Self { id, stream, failure: None }
    }

    /// Returns why lookups fail at the moment, and since when; `None` after an update, and before the
    /// first lookup.
    ///
    /// ```no_run
    /// # async fn example(luma: luma_client::Luma, id: luma_client::TaskId) {
    /// use std::time::Duration;
    /// use futures::StreamExt;
    /// use tokio::time::timeout;
    ///
    /// let mut updates = luma.task(id).wait().updates();
    /// // Once a second, also while there is no update.
    /// while let Ok(Some(_)) | Err(_) = timeout(Duration::from_secs(1), updates.next()).await {
    ///     if let Some(failure) = updates.failure() {
    ///         let seconds = failure.since.elapsed().as_secs();
    ///         println!("no response for {seconds} s: {}", failure.error);
    ///     }
    /// }
    /// # }
    /// ```
    pub fn failure(&self) -> Option<&LookupFailure> {
        self.failure.as_ref()
    }
}

impl Stream for Updates {
    type Item = Result<Arc<Task>, WaitError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(self.stream.poll_next_unpin(cx)) {
                Some(Event::Failure(failure)) => self.failure = Some(failure),
                Some(Event::Update(task)) => {
                    self.failure = None;
                    return Poll::Ready(Some(Ok(task)));
                }
                Some(Event::End(end)) => {
                    self.stream = stream::empty().boxed();
                    return Poll::Ready(end.err().map(Err));
                }
                None => return Poll::Ready(None),
            }
        }
    }
}
