//! Waiting for a video. (Skeleton: signatures only.)

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use futures_core::Stream;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{
    client::Luma,
    http::RequestError,
    model::{Task, TaskFailure, TaskState, Video},
    poller::PollInterval,
    tasks,
    util::TaskId,
};

/// A task. (Skeleton.)
#[derive(Clone, Debug)]
pub struct TaskHandle {
    luma: Luma,
    task: TaskRef,
}

impl TaskHandle {
    pub(crate) fn submitted_now(luma: Luma, id: TaskId) -> Self {
        let submitted_at = Some(SystemTime::now());
        Self { luma, task: TaskRef { id, submitted_at } }
    }

    /// The id.
    pub fn id(&self) -> &TaskId {
        &self.task.id
    }

    /// What to store.
    pub fn to_ref(&self) -> TaskRef {
        self.task.clone()
    }

    /// Looks the task up once.
    pub async fn get(&self) -> Result<Task, RequestError> {
        tasks::retrieve(self.luma.api(), &self.task.id).await
    }

    /// Waits for the video.
    pub fn wait(&self) -> Wait<'static> {
        unimplemented!()
    }
}

/// A task as it is stored. (Skeleton.)
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TaskRef {
    /// The task.
    pub id: TaskId,
    /// When it was submitted.
    pub submitted_at: Option<SystemTime>,
}

impl From<TaskId> for TaskRef {
    fn from(id: TaskId) -> Self {
        Self { id, submitted_at: None }
    }
}

impl From<&TaskId> for TaskRef {
    fn from(id: &TaskId) -> Self {
        id.clone().into()
    }
}

impl From<&TaskRef> for TaskRef {
    fn from(task: &TaskRef) -> Self {
        task.clone()
    }
}

impl From<&TaskHandle> for TaskRef {
    fn from(task: &TaskHandle) -> Self {
        task.to_ref()
    }
}

impl From<TaskHandle> for TaskRef {
    fn from(task: TaskHandle) -> Self {
        task.task
    }
}

/// Why a wait ended without a video.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The task has failed.
    #[error("{task}: {failure}")]
    Failed {
        /// The task.
        task: TaskId,
        /// Why.
        failure: TaskFailure,
    },
    /// The deadline passed.
    #[error("{task} has not finished after {elapsed:.1?} and {polls} lookups")]
    Deadline {
        /// The task.
        task: TaskId,
        /// The last state.
        last_state: Option<TaskState>,
        /// How many lookups of it ended during this wait.
        polls: u32,
        /// How long this wait took.
        elapsed: Duration,
        /// Why the last lookup failed, if it did.
        source: Option<Arc<RequestError>>,
    },
    /// The service knows no task with this id.
    #[error("no task has the id {task}")]
    NotFound {
        /// The id.
        task: TaskId,
    },
    /// Looking the task up fails.
    #[error("{task} cannot be looked up")]
    Poll {
        /// The task.
        task: TaskId,
        /// The last error.
        source: Arc<RequestError>,
    },
    /// The wait was cancelled.
    #[error("the wait for {task} was cancelled")]
    Cancelled {
        /// The task.
        task: TaskId,
    },
}

impl WaitError {
    /// Whether another wait may give the video.
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

/// A wait. (Skeleton.)
pub struct Wait<'a>(std::marker::PhantomData<&'a ()>);

impl<'a> Wait<'a> {
    /// Sets the deadline.
    pub fn deadline(self, deadline: Duration) -> Self {
        let _ = deadline;
        self
    }

    /// Removes the deadline.
    pub fn no_deadline(self) -> Self {
        self
    }

    /// Sets the poll interval.
    pub fn interval(self, interval: PollInterval) -> Self {
        let _ = interval;
        self
    }

    /// Sets the limit of errors in a row.
    pub fn max_consecutive_errors(self, errors: u32) -> Self {
        let _ = errors;
        self
    }

    /// Cancels with a token.
    pub fn cancelled_by(self, token: CancellationToken) -> Self {
        let _ = token;
        self
    }

    /// Looks at once.
    pub fn immediately(self) -> Self {
        self
    }

    /// Calls back with each report.
    pub fn on_update<'b>(self, callback: impl FnMut(&Task) + Send + 'b) -> Wait<'b> {
        let _ = callback;
        unimplemented!()
    }

    /// The reports as a stream.
    pub fn updates(self) -> Updates {
        unimplemented!()
    }
}

impl Future for Wait<'_> {
    type Output = Result<Video, WaitError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        unimplemented!()
    }
}

/// The reports of a wait. (Skeleton.)
pub struct Updates(());

impl Stream for Updates {
    type Item = Result<Arc<Task>, WaitError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        unimplemented!()
    }
}

/// Many waits. (Skeleton.)
pub struct Watch(());

impl Watch {
    /// Sets the deadline.
    pub fn deadline(self, deadline: Duration) -> Self {
        let _ = deadline;
        self
    }

    /// Sets the poll interval.
    pub fn interval(self, interval: PollInterval) -> Self {
        let _ = interval;
        self
    }

    /// Cancels with a token.
    pub fn cancelled_by(self, token: CancellationToken) -> Self {
        let _ = token;
        self
    }
}

impl Stream for Watch {
    type Item = (TaskId, Result<Video, WaitError>);

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        unimplemented!()
    }
}

impl Luma {
    /// A handle. No I/O.
    pub fn task(&self, task: impl Into<TaskRef>) -> TaskHandle {
        TaskHandle { luma: self.clone(), task: task.into() }
    }

    /// Looks several tasks up.
    pub async fn tasks(
        &self,
        ids: &[TaskId],
    ) -> Result<Vec<(TaskId, Result<Task, RequestError>)>, RequestError> {
        let _ = ids;
        unimplemented!()
    }

    /// Waits for many tasks.
    pub fn watch<T: Into<TaskRef>>(&self, tasks: impl IntoIterator<Item = T>) -> Watch {
        let _ = tasks.into_iter();
        unimplemented!()
    }

    /// Hands in a report.
    pub fn notify(&self, task: Task) {
        let _ = (task, self.poller(), self.default_interval());
    }
}
