//! What to store to resume a wait.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::util::TaskId;

/// By how much the clocks of two machines may differ.
const MAX_SKEW: Duration = Duration::from_secs(600);

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
    /// When it was submitted, by this machine's clock; `None` if that is not known. A time more than ten
    /// minutes in the future counts as unknown.
    #[serde(default)]
    pub submitted_at: Option<SystemTime>,
}

impl TaskRef {
    /// How long ago the task was submitted, if that is known. A time in the future, by another clock, is
    /// now; one that no clock is off by tells nothing.
    pub(super) fn age(&self) -> Option<Duration> {
        match SystemTime::now().duration_since(self.submitted_at?) {
            Ok(age) => Some(age),
            Err(ahead) => (ahead.duration() <= MAX_SKEW).then_some(Duration::ZERO),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_of_a_time_that_no_clock_shows_is_unknown() {
        let now = SystemTime::now();
        let seconds = Duration::from_secs;
        for (submitted_at, expected) in [
            (None, None),
            (Some(now - seconds(100)), Some(100)),
            (Some(SystemTime::UNIX_EPOCH), Some(1_000_000_000)),
            (Some(now + seconds(60)), Some(0)),
            (Some(now + seconds(590)), Some(0)),
            (Some(now + seconds(86_400)), None),
            (Some(now + seconds(1 << 40)), None),
        ] {
            let task =
                TaskRef { submitted_at, ..TaskRef::from("a".parse::<TaskId>().expect("an id")) };
            let age = task.age().map(|age| age.as_secs());
            assert!(age >= expected, "{submitted_at:?}: {age:?}");
            assert_eq!(age.is_some(), expected.is_some(), "{submitted_at:?}");
        }
    }
}
