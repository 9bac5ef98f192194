//! Many waits as one stream.

use std::{
    collections::HashMap,
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_core::Stream;
use futures_util::{
    future::BoxFuture,
    stream::{FuturesUnordered, StreamExt},
};
use tokio_util::sync::CancellationToken;

use super::{error::WaitError, future::Wait, task_ref::TaskRef, waiting::Settings};
use crate::{client::Luma, model::Video, poller::PollInterval, util::TaskId};

/// A stream of tasks as they end, from [`Luma::watch`].
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
/// Panics outside a tokio runtime with I/O and time enabled.
#[must_use = "streams do nothing unless polled"]
pub struct Watch {
    luma: Luma,
    settings: Settings,
    /// Not begun, so that settings can still be changed.
    tasks: Vec<TaskRef>,
    waits: FuturesUnordered<BoxFuture<'static, End>>,
}

type End = (TaskId, Result<Video, WaitError>);

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("tasks", &(self.tasks.len() + self.waits.len()))
            .finish_non_exhaustive()
    }
}

impl Luma {
    /// Waits for many tasks, and yields each one as it ends. Duplicates are yielded once.
    ///
    /// It takes ids, [`TaskRef`]s and handles. For tasks that were submitted just now, use handles or
    /// `TaskRef`s: a bare id is looked up at once, and is not found if the service does not show it yet.
    ///
    /// The example [`many`](crate::guide::examples::many) submits and watches several.
    pub fn watch<T: Into<TaskRef>>(&self, tasks: impl IntoIterator<Item = T>) -> Watch {
        let mut unique: Vec<TaskRef> = Vec::new();
        let mut places: HashMap<TaskId, usize> = HashMap::new();
        for task in tasks.into_iter().map(Into::into) {
            let place = *places.entry(task.id.clone()).or_insert(unique.len());
            match unique.get_mut(place) {
                // Of two for one task, the one that knows its age counts.
                Some(known) => known.submitted_at = known.submitted_at.or(task.submitted_at),
                None => unique.push(task),
            }
        }
        Watch {
            luma: self.clone(),
            settings: Settings::default(),
            tasks: unique,
            waits: FuturesUnordered::new(),
        }
    }
}

impl Watch {
    /// Sets the longest time to wait for each task; 15 minutes by default.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = Some(deadline);
        self
    }

    /// Waits without a deadline.
    pub fn no_deadline(mut self) -> Self {
        self.settings.deadline = None;
        self
    }

    /// Sets how often the tasks are looked up, as in [`Wait::interval`].
    pub fn interval(mut self, interval: PollInterval) -> Self {
        self.settings.interval = Some(interval);
        self
    }

    /// Sets how many lookups of a task may fail in a row, as in [`Wait::max_consecutive_errors`]; 10 by
    /// default.
    pub fn max_consecutive_errors(mut self, errors: u32) -> Self {
        self.settings.max_errors = errors;
        self
    }

    /// Ends all waits with [`WaitError::Cancelled`] when the token is cancelled.
    pub fn cancelled_by(mut self, token: CancellationToken) -> Self {
        self.settings.cancel = Some(token);
        self
    }
}

impl Stream for Watch {
    type Item = End;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        for task in std::mem::take(&mut this.tasks) {
            let id = task.id.clone();
            let wait = Wait::with_settings(this.luma.clone(), task, this.settings.clone());
            this.waits.push(Box::pin(async move { (id, wait.await) }));
        }
        this.waits.poll_next_unpin(cx)
    }
}
