//! Tasks of the runtime that end with the simulator.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

/// Locks a mutex. A panic elsewhere leaves no value of the simulator half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The accept loop, connections and webhooks, and whether they have been ended.
#[derive(Debug, Default)]
pub(crate) struct Jobs(Mutex<(JoinSet<()>, bool)>);

impl Jobs {
    pub(crate) fn spawn(&self, job: impl Future<Output = ()> + Send + 'static) {
        let (jobs, ended) = &mut *lock(&self.0);
        while jobs.try_join_next().is_some() {}
        if !*ended {
            jobs.spawn(job);
        }
    }

    /// Ends the spawning. Dropping the result aborts the jobs.
    pub(crate) fn end(&self) -> JoinSet<()> {
        let (jobs, ended) = &mut *lock(&self.0);
        *ended = true;
        mem::take(jobs)
    }
}
