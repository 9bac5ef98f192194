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
    handle::Ticket,
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
    tickets: Vec<Ticket>,
    waits: FuturesUnordered<Named>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("tasks", &(self.tickets.len() + self.waits.len()))
            .finish_non_exhaustive()
    }
}

impl Luma {
    /// Waits for many tasks and gives each as it ends. One that is given twice is given back once.
    ///
    /// Give it ids, [tickets](Ticket) or handles. An id alone says nothing of the task's age: it is
    /// looked up at once, and taken for unknown where the service does not show it yet. So for
    /// tasks that were submitted just now give their handles or tickets.
    pub fn watch<T: Into<Ticket>>(&self, tasks: impl IntoIterator<Item = T>) -> Watch {
        let mut tickets: Vec<Ticket> = tasks.into_iter().map(Into::into).collect();
        // Of two for one task the one that knows its age comes first, and stays.
        tickets.sort_by(|a, b| {
            let key = |ticket: &Ticket| ticket.submitted_at.is_none();
            a.id.cmp(&b.id).then(key(a).cmp(&key(b)))
        });
        tickets.dedup_by(|later, first| later.id == first.id);
        Watch {
            luma: self.clone(),
            options: WaitOptions::default(),
            tickets,
            waits: FuturesUnordered::new(),
        }
    }

    /// Waits for many tasks and gives all ends, in the order of the tasks. What they can be, and
    /// for other options than the defaults, see [`watch`](Self::watch).
    ///
    /// ```no_run
    /// # async fn example(luma: luma_client::Luma, ids: Vec<luma_client::TaskId>) {
    /// for (id, end) in luma.wait_all(ids).await {
    ///     println!("{id}: {}", if end.is_ok() { "a video" } else { "none" });
    /// }
    /// # }
    /// ```
    pub async fn wait_all<T: Into<Ticket>>(
        &self,
        tasks: impl IntoIterator<Item = T>,
    ) -> Vec<(TaskId, Result<Video, WaitError>)> {
        let tickets: Vec<Ticket> = tasks.into_iter().map(Into::into).collect();
        let ids: Vec<TaskId> = tickets.iter().map(|ticket| ticket.id.clone()).collect();
        let ends: HashMap<_, _> = self.watch(tickets).collect().await;
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
        for ticket in std::mem::take(&mut this.tickets) {
            let id = ticket.id.clone();
            let mut wait = this.luma.resume(ticket).wait();
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
