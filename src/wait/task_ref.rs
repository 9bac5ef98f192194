//! What to store to find a task again.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::util::TaskId;

/// A task as it can be stored: its id and the time of its submit.
///
/// The poll interval of a resumed wait follows the age of the task, as if the process had never stopped. A
/// [`TaskId`] can be awaited, too, but it does not have the age, so its wait begins with a lookup.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma, task: luma_client::TaskHandle)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// use luma_client::TaskRef;
///
/// let stored = serde_json::to_string(&task.to_ref())?;
/// // After a restart:
/// let task: TaskRef = serde_json::from_str(&stored)?;
/// let video = luma.task(task).wait().await?;
/// # Ok(()) }
/// ```
///
/// The example [`resume`](crate::guide::examples::resume) kills a process and waits in the next one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskRef {
    /// The task.
    pub id: TaskId,
    /// When it was submitted, by this machine's clock; `None` if that is not known.
    #[serde(default)]
    pub submitted_at: Option<SystemTime>,
}

impl TaskRef {
    /// How long ago the task was submitted. A time in the future, by another clock, is now.
    pub(super) fn age(&self) -> Option<Duration> {
        let past = SystemTime::now().duration_since(self.submitted_at?);
        Some(past.unwrap_or_default())
    }
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
