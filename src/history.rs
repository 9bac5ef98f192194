//! The account's history and deletions: observed at the service, but not published.

use std::{
    collections::HashSet,
    fmt,
    num::NonZeroU32,
    pin::Pin,
    task::{Context, Poll},
    time::SystemTime,
};

use futures_core::Stream;
use futures_util::stream::{self, BoxStream, StreamExt};

use crate::{
    api::types::{TaskAction, TaskQuery},
    client::Luma,
    http::RequestError,
    model::Task,
    tasks,
    util::{TaskId, time::unix_seconds},
};

impl Luma {
    /// Returns the tasks of the account, newest first, fetched page by page as they are consumed.
    ///
    /// **Observed, not published**: the service may refuse it, ignore it or change it at any time.
    ///
    /// ```no_run
    /// # async fn example(luma: luma_client::Luma) -> Result<(), luma_client::Error> {
    /// use futures::TryStreamExt;
    ///
    /// let mut history = luma.history();
    /// while let Some(task) = history.try_next().await? {
    ///     println!("{} {}", task.id.as_deref().unwrap_or("?"), task.state());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn history(&self) -> History {
        let limit = NonZeroU32::new(History::PAGE);
        let pages = Pages {
            luma: self.clone(),
            query: TaskQuery { limit, ..TaskQuery::new(TaskAction::RetrieveBatch) },
            size: limit,
            clock_ahead: None,
            last_page: HashSet::new(),
            repeats: 0,
        };
        History { pages, tasks: None }
    }

    /// Deletes a task from the account's history. Returns whether the service did so.
    ///
    /// **Observed, not published**: the service may refuse it, ignore it or change it at any time.
    ///
    /// # Errors
    ///
    /// As [`TaskHandle::get`](crate::TaskHandle::get). [`NotFound`](RequestError::NotFound) may also mean
    /// that an earlier attempt deleted it and its response was lost.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O and time enabled.
    pub async fn delete(&self, id: &TaskId) -> Result<bool, RequestError> {
        tasks::delete(self.api(), id).await
    }
}

/// A [`Stream`] of the tasks of an account, from [`Luma::history`].
///
/// A task that cannot be read is an item with its error, for which
/// [`DecodeError::is_item`](crate::DecodeError::is_item) is true, and the stream continues with the next one.
/// It ends after the last task, or after any other error.
///
/// # Panics
///
/// Panics outside a tokio runtime with I/O and time enabled.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma) -> Result<(), luma_client::Error> {
/// use std::time::{Duration, SystemTime};
/// use futures::TryStreamExt;
///
/// let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
/// let tasks: Vec<_> = luma.history().since(an_hour_ago).try_collect().await?;
/// println!("{} in the last hour", tasks.len());
/// # Ok(()) }
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct History {
    pages: Pages,
    /// The stream over them, once it has begun.
    tasks: Option<BoxStream<'static, Result<Task, RequestError>>>,
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").field("query", &self.pages.query).finish_non_exhaustive()
    }
}

impl History {
    const PAGE: u32 = 50;

    /// Lists only tasks that were created at or after this time.
    pub fn since(mut self, time: SystemTime) -> Self {
        self.pages.query.created_at_min = unix_seconds(time);
        self
    }

    /// Lists only tasks that were created at or before this time.
    pub fn until(mut self, time: SystemTime) -> Self {
        self.pages.query.created_at_max = unix_seconds(time);
        self
    }

    /// Sets how many tasks a request fetches; 50 by default. 0 counts as 1.
    pub fn page_size(mut self, tasks: u32) -> Self {
        self.pages.size = NonZeroU32::new(tasks.max(1));
        self.pages.query.limit = self.pages.size;
        self
    }

    /// The pages themselves, with what they say about the service.
    pub(crate) fn into_pages(self) -> Pages {
        self.pages
    }
}

impl Stream for History {
    type Item = Result<Task, RequestError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { pages, tasks } = &mut *self;
        let begin = || {
            let next = async |mut pages: Pages| {
                let items = match pages.next().await.transpose()? {
                    Ok(tasks) => {
                        tasks.into_iter().map(|task| tasks::item(pages.luma.api(), task)).collect()
                    }
                    Err(error) => vec![Err(error)],
                };
                Some((stream::iter(items), pages))
            };
            stream::unfold(pages.clone(), next).flatten().boxed()
        };
        tasks.get_or_insert_with(begin).poll_next_unpin(cx)
    }
}

/// The history, page by page.
#[derive(Clone)]
pub(crate) struct Pages {
    luma: Luma,
    query: TaskQuery,
    /// How many tasks a page has, unless fewer of them fit.
    size: Option<NonZeroU32>,
    /// By how many seconds the service's clock is ahead of this machine's, after the first page.
    pub(crate) clock_ahead: Option<f64>,
    /// The ids of the last page with new tasks: submits in the meantime shift some of them into the
    /// next page.
    last_page: HashSet<String>,
    /// How many pages in a row were that page again, or one task that is too large. After some, the
    /// service is taken not to turn pages, and there may be more tasks.
    repeats: u8,
}

impl Pages {
    const MAX_REPEATS: u8 = 5;

    /// Whether it ended although there may be more tasks.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.repeats == Self::MAX_REPEATS
    }

    /// The new tasks of the next page that has some; `None` at the end.
    ///
    /// # Errors
    ///
    /// The error of a request for a page: the history then ends. Or a single task is larger than the limit of
    /// a response: the history then continues behind that task.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Task>>, RequestError> {
        while !self.is_incomplete() {
            let (tasks, clock_ahead) = match tasks::list(self.luma.api(), &self.query).await {
                // Tasks with long requests: fewer of them fit.
                Err(error) if error.is_too_large() && self.query.limit > NonZeroU32::new(1) => {
                    self.query.limit = self.query.limit.and_then(|n| NonZeroU32::new(n.get() / 2));
                    continue;
                }
                Err(error) => {
                    self.query.limit = self.size;
                    self.query.offset = Some(self.query.offset.unwrap_or(0) + 1);
                    if !error.is_too_large() {
                        self.repeats = Self::MAX_REPEATS;
                        return Err(error);
                    }
                    self.repeats += 1;
                    return Err(RequestError::item(self.luma.token(), &error.to_string(), &()));
                }
                Ok(page) => page,
            };
            self.clock_ahead = self.clock_ahead.or(clock_ahead);
            // Only an empty page is the end: the service may give fewer tasks than it was asked for.
            if tasks.is_empty() {
                break;
            }
            self.query.offset = Some(self.query.offset.unwrap_or(0) + tasks.len() as u64);
            let ids: HashSet<String> = tasks.iter().filter_map(|task| task.id.clone()).collect();
            let is_new =
                |task: &Task| task.id.as_ref().is_none_or(|id| !self.last_page.contains(id));
            let new: Vec<Task> = tasks.into_iter().filter(is_new).collect();
            if !new.is_empty() {
                (self.last_page, self.repeats) = (ids, 0);
                return Ok(Some(new));
            }
            // A part of it was shifted; the whole, perhaps.
            self.repeats += u8::from(ids.len() == self.last_page.len());
        }
        Ok(None)
    }
}
