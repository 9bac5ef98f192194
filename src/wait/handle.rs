//! The handle of a submitted task.

use std::{fmt, time::SystemTime};

use super::{future::Wait, task_ref::TaskRef};
use crate::{client::Luma, http::RequestError, model::Task, tasks::retrieve, util::TaskId};

/// A task, and the client that looks it up.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma) -> Result<(), Box<dyn std::error::Error>> {
/// use luma_client::TaskId;
///
/// let id: TaskId = "b8976e18-32dc-4718-9ed8-1ea090fcb6ea".parse()?;
/// let task = luma.task(id);
/// println!("{} is {}", task.id(), task.get().await?.state());
/// let video = task.wait().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TaskHandle {
    luma: Luma,
    task: TaskRef,
}

impl fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle").field("id", &self.task.id).finish_non_exhaustive()
    }
}

impl TaskHandle {
    /// A task that the service has just accepted.
    pub(crate) fn submitted_now(luma: Luma, id: TaskId) -> Self {
        let submitted_at = Some(SystemTime::now());
        let task = TaskRef { id, submitted_at };
        Self { luma, task }
    }

    /// Returns the id. To resume the wait after a restart, store [`to_ref`](Self::to_ref).
    pub fn id(&self) -> &TaskId {
        &self.task.id
    }

    /// Returns what to store to resume the wait later: the id and the time of the submit.
    pub fn to_ref(&self) -> TaskRef {
        self.task.clone()
    }

    /// Looks the task up once. [`Task::video`](crate::Task::video) is its video, if it is finished.
    ///
    /// # Errors
    ///
    /// [`RequestError::NotFound`] if no task has the id. [`Api`](RequestError::Api),
    /// [`Transport`](RequestError::Transport) and [`Decode`](RequestError::Decode) after the retries that
    /// the client's policy allows.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O and time enabled.
    pub async fn get(&self) -> Result<Task, RequestError> {
        retrieve(self.luma.api(), &self.task.id).await
    }

    /// Waits for the video. Nothing is sent before the wait is awaited.
    pub fn wait(&self) -> Wait<'static> {
        Wait::new(self.luma.clone(), self.task.clone())
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

impl Luma {
    /// Returns a handle for a task that was submitted earlier, also by another process. Does no I/O.
    pub fn task(&self, task: impl Into<TaskRef>) -> TaskHandle {
        TaskHandle { luma: self.clone(), task: task.into() }
    }

    /// Applies a report of a task that did not come from a lookup, such as a [callback](crate::webhook).
    /// If the task has ended, its waits end at once. The same report may come twice.
    ///
    /// An end that comes before the wait begins is kept for 15 minutes, without the fields that this
    /// version does not know. Because anybody may send callbacks, the last 1,024 are kept, and of them
    /// those of at most 8 KiB as JSON. A wait finds the others by a lookup.
    ///
    /// The example [`webhook`](crate::guide::examples::webhook) receives callbacks with axum.
    pub fn notify(&self, task: Task) {
        self.poller().notify(task);
    }
}
