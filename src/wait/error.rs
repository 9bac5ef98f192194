//! Why a wait ended without a video.

use std::{sync::Arc, time::Duration};

use crate::{
    http::RequestError,
    model::{TaskFailure, TaskState},
    util::TaskId,
};

/// Why a wait ended without a video. Each variant names the task, which can be awaited again.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The task has failed: there will be no video.
    #[error("{task}: {failure}")]
    Failed {
        /// The task.
        task: TaskId,
        /// The service's own words.
        failure: TaskFailure,
    },
    /// The deadline passed. The task continues: await it again, with a longer deadline.
    #[error(
        "{task} has not ended after {elapsed:.1?} and {polls} lookups; last seen {}{}",
        last_state.as_ref().map_or("never".to_owned(), TaskState::to_string),
        if source.is_some() { ", and the last lookup failed" } else { "" }
    )]
    Deadline {
        /// The task.
        task: TaskId,
        /// The last state, if there was a report.
        last_state: Option<TaskState>,
        /// How many lookups of it ended during this wait, failed ones too.
        polls: u32,
        /// How long this wait took.
        elapsed: Duration,
        /// Why the last lookup failed, or that its response had not come yet.
        source: Option<Arc<RequestError>>,
    },
    /// The service knows no task with this id.
    #[error("no task has the id {task}")]
    NotFound {
        /// The id.
        task: TaskId,
    },
    /// The task cannot be looked up: a lookup failed for good, as after status 401, or more lookups in a
    /// row failed than [`Wait::max_consecutive_errors`](crate::Wait::max_consecutive_errors) allows. It
    /// says nothing about the task, which may well be completed.
    #[error("{task} cannot be looked up")]
    Poll {
        /// The task.
        task: TaskId,
        /// What the last lookup failed with. [`RequestError::is_retryable`] tells whether a later wait
        /// may succeed.
        source: Arc<RequestError>,
    },
    /// The wait was cancelled by its [`CancellationToken`](crate::CancellationToken). The task
    /// continues.
    #[error("the wait for {task} was cancelled")]
    Cancelled {
        /// The task.
        task: TaskId,
    },
}

impl WaitError {
    /// Returns whether another wait for the same task may give its video.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Deadline { .. } | Self::Cancelled { .. } => true,
            Self::Poll { source, .. } => source.is_retryable(),
            Self::Failed { .. } | Self::NotFound { .. } => false,
        }
    }

    /// Returns the task.
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
