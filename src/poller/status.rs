//! What a wait sees of the poller: the latest report, failures and the end.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time,
};

use tokio::{sync::Notify, time::Instant};

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
    /// When the lookup was sent that has no response yet.
    pub(crate) asked: Option<Instant>,
    /// Set once. Nothing changes afterwards.
    pub(crate) end: Option<End>,
    /// The poller's task has gone with its runtime: without an end, join again.
    pub(crate) is_gone: bool,
}

/// A quarter of the memory of `tokio::sync::watch`, which is for many readers.
#[derive(Default)]
struct Shared {
    status: Mutex<Status>,
    changed: Notify,
}

impl Shared {
    fn with<T>(&self, use_it: impl FnOnce(&mut Status) -> T) -> T {
        use_it(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The poller's end of a status.
pub(crate) struct Sender(Arc<Shared>);

/// The wait's end of a status.
pub(crate) struct Receiver(Arc<Shared>);

/// A status with its two ends.
pub(crate) fn channel() -> (Sender, Receiver) {
    let shared = Arc::<Shared>::default();
    (Sender(shared.clone()), Receiver(shared))
}

impl Sender {
    /// Changes the status, and wakes the wait if the change is of interest.
    pub(super) fn send(&self, change: impl FnOnce(&mut Status) -> bool) {
        if self.0.with(change) {
            self.0.changed.notify_one();
        }
    }

    /// Whether nobody waits any more.
    pub(super) fn is_closed(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.send(|status| {
            status.is_gone = true;
            true
        });
    }
}

impl Receiver {
    /// Reads the latest status.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Status) -> T) -> T {
        self.0.with(|status| read(status))
    }

    /// Waits for a change of interest since the last one.
    pub(crate) async fn changed(&self) {
        self.0.changed.notified().await;
    }
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
    /// What the last lookup failed with; or that it has had no response for some seconds.
    pub error: Arc<RequestError>,
    /// When the first of the failures in a row was seen, or when the lookup was sent that has no response.
    pub since: time::Instant,
}
