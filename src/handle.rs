//! A submitted task in the user's hands.

use std::{
    fmt,
    future::{Future, IntoFuture},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    client::Luma,
    error::Result,
    task::{Task, TaskId},
    wait::{Wait, WaitFuture},
};

/// A task, and the client to look it up with. Await it, and it waits for the video.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma) -> Result<(), Box<dyn std::error::Error>> {
/// let task = luma.task("b8976e18-32dc-4718-9ed8-1ea090fcb6ea".parse()?);
/// println!("{} is {}", task.id(), task.get().await?.state());
/// let video = task.await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TaskHandle {
    pub(crate) luma: Luma,
    id: TaskId,
    pub(crate) submitted: Submitted,
}

/// When the task was submitted, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Submitted {
    /// In this process.
    Here(Instant, SystemTime),
    /// In another process, and the time was kept.
    Elsewhere(SystemTime),
    Unknown,
}

impl fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl TaskHandle {
    pub(crate) fn submitted_now(luma: Luma, id: TaskId) -> Self {
        Self {
            luma,
            id,
            submitted: Submitted::Here(Instant::now(), SystemTime::now()),
        }
    }

    pub(crate) fn resumed(luma: Luma, id: TaskId) -> Self {
        Self {
            luma,
            id,
            submitted: Submitted::Unknown,
        }
    }

    /// The id. Keep it, and the task can be awaited after a restart.
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// Looks the task up once.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::Error::NotFound) where no task has the id;
    /// [`Api`](crate::Error::Api), [`Transport`](crate::Error::Transport) and
    /// [`Decode`](crate::Error::Decode) after the retries that the client's policy allows.
    pub async fn get(&self) -> Result<Task> {
        self.luma.retrieve(&self.id).await
    }

    /// Waits for the video. Nothing is sent before the wait is awaited.
    pub fn wait(&self) -> Wait<'static> {
        Wait::new(self.clone())
    }

    /// What to store to resume the wait later: id and time of the submit.
    pub fn ticket(&self) -> Ticket {
        Ticket {
            id: self.id.clone(),
            submitted_at: match self.submitted {
                Submitted::Here(_, time) | Submitted::Elsewhere(time) => Some(time),
                Submitted::Unknown => None,
            },
        }
    }
}

impl IntoFuture for TaskHandle {
    type Output = <WaitFuture<'static> as Future>::Output;
    type IntoFuture = WaitFuture<'static>;

    /// Waits for the video, as [`wait`](TaskHandle::wait) does.
    fn into_future(self) -> WaitFuture<'static> {
        self.wait().into_future()
    }
}

/// A task as it can be stored: a wait resumed from it keeps its pace from the first moment.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma, task: luma_client::TaskHandle)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// let stored = serde_json::to_string(&task.ticket())?;
/// // After a restart:
/// let video = luma.resume(serde_json::from_str(&stored)?).wait().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ticket {
    /// The task.
    pub id: TaskId,
    /// When it was submitted, by this machine's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted_at: Option<SystemTime>,
}

impl From<&TaskHandle> for Ticket {
    fn from(task: &TaskHandle) -> Self {
        task.ticket()
    }
}

impl From<TaskHandle> for Ticket {
    fn from(task: TaskHandle) -> Self {
        task.ticket()
    }
}

impl From<TaskId> for Ticket {
    fn from(id: TaskId) -> Self {
        Self {
            id,
            submitted_at: None,
        }
    }
}

impl Luma {
    /// A handle from a stored [`Ticket`]. No I/O.
    pub fn resume(&self, ticket: Ticket) -> TaskHandle {
        TaskHandle {
            submitted: ticket
                .submitted_at
                .map_or(Submitted::Unknown, Submitted::Elsewhere),
            ..TaskHandle::resumed(self.clone(), ticket.id)
        }
    }
}
