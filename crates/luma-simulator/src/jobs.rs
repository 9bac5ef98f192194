//! Tasks of the runtime that end with the simulator.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

/// Locks a mutex. A panic elsewhere leaves no value of the simulator half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The accept loop, connections and webhooks. `None` after the end.
#[derive(Debug)]
pub(crate) struct Jobs(Mutex<Option<JoinSet<()>>>);

impl Default for Jobs {
    fn default() -> Self {
        Self(Mutex::new(Some(JoinSet::new())))
    }
}

impl Jobs {
    pub(crate) fn spawn(&self, job: impl Future<Output = ()> + Send + 'static) {
        if let Some(jobs) = lock(&self.0).as_mut() {
            while jobs.try_join_next().is_some() {}
            jobs.spawn(job);
        }
    }

    /// Aborts all jobs.
    pub(crate) fn abort(&self) {
        let jobs = lock(&self.0).take();
        drop(jobs);
    }

    /// Aborts all jobs and waits until they have ended.
    pub(crate) async fn shutdown(&self) {
        let jobs = lock(&self.0).take();
        if let Some(mut jobs) = jobs {
            jobs.shutdown().await;
        }
    }
}
