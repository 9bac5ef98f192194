//! The account's history and deletions: observed at the service, but not published.

use std::{
    collections::{HashSet, VecDeque},
    num::NonZeroU32,
    pin::Pin,
    task::{Context, Poll},
    time::SystemTime,
};

use futures_core::Stream;

use crate::{
    api::types::{TaskAction, TaskQuery},
    client::Luma,
    http::RequestError,
    model::Task,
    tasks::{self, Page},
    util::{TaskId, time::unix_seconds},
};

impl Luma {
    /// The tasks of the account, newest first, fetched page by page as they are consumed.
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
        History {
            luma: self.clone(),
            query: TaskQuery {
                limit: NonZeroU32::new(History::PAGE),
                ..TaskQuery::new(TaskAction::RetrieveBatch)
            },
            ready: VecDeque::new(),
            request: None,
            clock_ahead: None,
            last_page: HashSet::new(),
            at_end: false,
            repeats: 0,
        }
    }

    /// Deletes a task from the account's history; returns whether the service did so.
    ///
    /// **Observed, not published**: the service may refuse it, ignore it or change it at any time.
    ///
    /// # Errors
    ///
    /// As [`TaskHandle::get`](crate::TaskHandle::get). [`NotFound`](RequestError::NotFound) may also mean
    /// that an earlier attempt deleted it and its response was lost.
    pub async fn delete(&self, id: &TaskId) -> Result<bool, RequestError> {
        tasks::delete(self.api(), id).await
    }
}

type PageRequest = Pin<Box<dyn Future<Output = Result<Page, RequestError>> + Send>>;

/// The tasks of an account, a [`Stream`]. Ends after the last task, or after the first error.
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
    luma: Luma,
    query: TaskQuery,
    ready: VecDeque<Task>,
    request: Option<PageRequest>,
    clock_ahead: Option<f64>,
    /// The ids of the last page with new tasks: submits in the meantime shift some of them into the
    /// next page.
    last_page: HashSet<String>,
    at_end: bool,
    /// How many pages in a row were that page again. After some, the service is taken not to turn
    /// pages, and there may be more tasks.
    repeats: u8,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History").field("query", &self.query).finish_non_exhaustive()
    }
}

impl History {
    const PAGE: u32 = 50;
    const MAX_REPEATS: u8 = 5;

    /// Only tasks created at or after this time.
    pub fn since(mut self, time: SystemTime) -> Self {
        self.query.created_at_min = unix_seconds(time);
        self
    }

    /// Only tasks created at or before this time.
    pub fn until(mut self, time: SystemTime) -> Self {
        self.query.created_at_max = unix_seconds(time);
        self
    }

    /// How many tasks a request fetches; 50 by default, and 0 counts as 1.
    pub fn page_size(mut self, tasks: u32) -> Self {
        self.query.limit = NonZeroU32::new(tasks.max(1));
        self
    }

    /// How many seconds the service's clock is ahead of this machine's, after the first page.
    pub(crate) fn clock_ahead(&self) -> Option<f64> {
        self.clock_ahead
    }

    /// Whether it ended although there may be more tasks.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.repeats == Self::MAX_REPEATS
    }

    fn page(&self) -> PageRequest {
        let (luma, query) = (self.luma.clone(), self.query.clone());
        Box::pin(async move { tasks::list(luma.api(), &query).await })
    }

    /// Takes a page in. The next one begins behind it. Only an empty page is the end: the service may
    /// give fewer tasks than it was asked for.
    fn take_page(&mut self, page: Page) {
        self.clock_ahead = self.clock_ahead.or(page.clock_ahead);
        let got = page.tasks.len();
        self.query.offset = Some(self.query.offset.unwrap_or(0) + got as u64);
        let ids = page.tasks.iter().filter_map(|task| task.id.clone());
        let ids: HashSet<String> = ids.collect();
        let last = &self.last_page;
        let is_new = |task: &Task| task.id.as_ref().is_none_or(|id| !last.contains(id));
        self.ready.extend(page.tasks.into_iter().filter(is_new));
        if got == 0 {
            self.at_end = true;
        } else if self.ready.is_empty() {
            // A part of it was shifted; the whole, perhaps.
            self.repeats += u8::from(ids.len() == self.last_page.len());
            self.at_end = self.is_incomplete();
        } else {
            self.last_page = ids;
            self.repeats = 0;
        }
    }
}

impl Stream for History {
    type Item = Result<Task, RequestError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(task) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(task)));
            }
            if this.at_end {
                return Poll::Ready(None);
            }
            let mut request = this.request.take().unwrap_or_else(|| this.page());
            match request.as_mut().poll(cx) {
                Poll::Pending => {
                    this.request = Some(request);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(page)) => this.take_page(page),
                // Tasks with long requests: fewer of them fit.
                Poll::Ready(Err(RequestError::Decode(error)))
                    if error.is_too_large() && this.query.limit > NonZeroU32::new(1) =>
                {
                    this.query.limit = this.query.limit.and_then(|n| NonZeroU32::new(n.get() / 2));
                }
                Poll::Ready(Err(error)) => {
                    this.at_end = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}
