//! The account's history and deletions: observed at the service, but not published.

use std::{
    collections::{HashSet, VecDeque},
    pin::Pin,
    task::{Context, Poll},
    time::SystemTime,
};

use futures_core::Stream;
use http::{HeaderMap, header::DATE};

use crate::{
    api::types::{TaskAction, TaskBatch, TaskQuery},
    client::{Luma, api_error, ask, ask_with_headers, batch_of, query},
    error::{DecodeError, Error, Result},
    task::{Task, TaskId, Verdict},
    wire::TaskAnswer,
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
                limit: std::num::NonZeroU32::new(History::PAGE),
                ..query(TaskAction::RetrieveBatch)
            },
            ready: VecDeque::new(),
            request: None,
            clock_ahead: None,
            last_page: HashSet::new(),
            at_end: false,
            repeats: 0,
        }
    }

    /// Deletes a task from the account's history and tells whether the service did so.
    ///
    /// **Observed, not published**: the service may refuse it, ignore it or change it at any time.
    ///
    /// # Errors
    ///
    /// As [`TaskHandle::get`](crate::TaskHandle::get). [`Error::NotFound`] may also mean that it
    /// was deleted just now and the first answer was lost.
    pub async fn delete(&self, id: &TaskId) -> Result<bool> {
        let query = TaskQuery {
            id: Some(id.to_string()),
            ..query(TaskAction::Delete)
        };
        let not_found = || Error::NotFound { task: id.clone() };
        match ask(&self.core.api, &query).await {
            Ok(TaskAnswer::Deleted(deleted)) if deleted.id == id.as_str() => Ok(deleted.deleted),
            Ok(TaskAnswer::Task(task)) if task.verdict() == Verdict::Refused => {
                Err(api_error(&task).into())
            }
            Ok(TaskAnswer::Task(task)) if is_nothing(&task) => Err(not_found()),
            Ok(answer) => said(&answer, id).ok_or_else(|| {
                DecodeError::other("it does not say whether the task was deleted", &answer).into()
            }),
            Err(error) => Err(error),
        }
        .map_err(|error| match error.api() {
            Some(api) if api.says_not_found() => not_found(),
            _ => error,
        })
    }
}

/// Whether a deletion was said in another form than the documented one.
fn said(answer: &TaskAnswer, id: &TaskId) -> Option<bool> {
    let TaskAnswer::Task(task) = answer else {
        return None;
    };
    let is_ours = task.id.as_deref().is_none_or(|got| got == id.as_str());
    let deleted = task.extra.get("deleted").filter(|_| is_ours)?;
    deleted.as_bool().or_else(|| deleted.as_str()?.parse().ok())
}

/// `{}` and `null`: there is no such task.
fn is_nothing(task: &Task) -> bool {
    serde_json::to_value(task).is_ok_and(|task| task == serde_json::json!({}))
}

type Page = Pin<Box<dyn Future<Output = Result<(TaskBatch, Option<f64>)>> + Send>>;

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
#[must_use = "nothing is fetched before it is polled"]
pub struct History {
    luma: Luma,
    query: TaskQuery,
    ready: VecDeque<Task>,
    request: Option<Page>,
    clock_ahead: Option<f64>,
    /// The ids of the last page that brought something new: what is submitted meanwhile shifts some
    /// of them into the next ones.
    last_page: HashSet<String>,
    at_end: bool,
    /// How many pages in a row were that page again. After some the service does not turn pages,
    /// and there may be more.
    repeats: u8,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History")
            .field("query", &self.query)
            .finish_non_exhaustive()
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
        self.query.limit = std::num::NonZeroU32::new(tasks.max(1));
        self
    }

    /// How many seconds the service's clock is ahead of this machine's, after the first page.
    pub(crate) fn clock_ahead(&self) -> Option<f64> {
        self.clock_ahead
    }

    /// Whether it ended although there may be more tasks.
    pub(crate) fn is_cut(&self) -> bool {
        self.repeats == Self::MAX_REPEATS
    }

    fn page(&self) -> Page {
        let (luma, query) = (self.luma.clone(), self.query.clone());
        Box::pin(async move {
            let (answer, headers) = ask_with_headers(&luma.core.api, &query).await?;
            Ok((batch_of(answer)?, clock_ahead(&headers, SystemTime::now())))
        })
    }

    /// Takes a page in. The next one begins behind it. Only an empty page is the end: the service
    /// may give fewer tasks than it was asked for.
    fn take_page(&mut self, (batch, clock_ahead): (TaskBatch, Option<f64>)) {
        self.clock_ahead = self.clock_ahead.or(clock_ahead);
        let got = batch.items.len();
        self.query.offset = Some(self.query.offset.unwrap_or(0) + got as u64);
        let page: HashSet<String> = ids(&batch.items).map(str::to_owned).collect();
        let last = &self.last_page;
        let is_new = |task: &Task| task.id.as_ref().is_none_or(|id| !last.contains(id));
        self.ready.extend(batch.items.into_iter().filter(is_new));
        if got == 0 {
            self.at_end = true;
        } else if self.ready.is_empty() {
            // A part of it was shifted; the whole, perhaps.
            self.repeats += u8::from(page.len() == self.last_page.len());
            self.at_end = self.is_cut();
        } else {
            self.last_page = page;
            self.repeats = 0;
        }
    }
}

fn ids(tasks: &[Task]) -> impl Iterator<Item = &str> {
    tasks.iter().filter_map(|task| task.id.as_deref())
}

fn clock_ahead(headers: &HeaderMap, now: SystemTime) -> Option<f64> {
    let date = headers.get(DATE)?.to_str().ok()?;
    Some(unix_seconds(httpdate::parse_http_date(date).ok()?)? - unix_seconds(now)?)
}

pub(crate) fn unix_seconds(time: SystemTime) -> Option<f64> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since.as_secs_f64())
}

impl Stream for History {
    type Item = Result<Task>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Task>>> {
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
                Poll::Ready(Err(error)) => {
                    this.at_end = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}
