//! A wait as a stream of the task's reports.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::{Stream, stream::BoxStream};
use futures_util::stream::{self, StreamExt};

use super::{
    error::WaitError,
    task_ref::TaskRef,
    waiting::{Event, Settings, Waiting},
};
use crate::{client::Luma, model::Task, util::TaskId};

/// The reports of a task, from [`Wait::updates`](crate::Wait::updates).
///
/// The first lookup is sent at once. The last report is the one with the video. A wait that ends otherwise
/// ends the stream with its error. Lookups begin with the first poll and continue at the wait's interval,
/// whether the stream is polled or not, until it is dropped. Slow consumers see only the latest report.
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
pub struct Updates {
    id: TaskId,
    stream: BoxStream<'static, Result<Arc<Task>, WaitError>>,
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
        let reports = |waiting| stream::unfold(Some(waiting), next);
        let stream = Box::pin(stream::once(begin).flat_map(reports));
        Self { id, stream }
    }
}

async fn next(waiting: Option<Waiting>) -> Option<(Result<Arc<Task>, WaitError>, Option<Waiting>)> {
    let mut waiting = waiting?;
    loop {
        match waiting.next().await {
            Event::Update(task) => return Some((Ok(task), Some(waiting))),
            Event::Failure(_) => {}
            Event::End(end) => return Some((Err(end.err()?), None)),
        }
    }
}

impl Stream for Updates {
    type Item = Result<Arc<Task>, WaitError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.as_mut().poll_next(cx)
    }
}
