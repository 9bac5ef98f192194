//! What the poller tells a wait.

use std::{sync::Arc, time::Instant};

use crate::{
    http::RequestError,
    model::{Task, TaskState},
};

/// The latest that is known of a task, for one wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    /// The last state.
    pub(crate) state: Option<TaskState>,
    /// The last report, if the wait wants updates.
    pub(crate) task: Option<Arc<Task>>,
    /// Lookups of the task that ended during this wait, failed ones too.
    pub(crate) polls: u32,
    /// Set while lookups fail.
    pub(crate) failure: Option<LookupFailure>,
    /// Set once. Nothing changes afterwards.
    pub(crate) end: Option<End>,
}

/// How a wait ends, unless by its deadline or its token.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// The task is completed or has failed.
    Task(Arc<Task>),
    NotFound,
    /// Lookups fail for good, or failed too often in a row.
    Lookup(Arc<RequestError>),
}

/// Why a task cannot be looked up at the moment, for [`Wait::on_error`](crate::Wait::on_error).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LookupFailure {
    /// What the last lookup failed with.
    pub error: Arc<RequestError>,
    /// When the first of the failures in a row was seen.
    pub since: Instant,
}
