//! Ends of tasks that nobody waits for yet, such as a callback that comes before its wait.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    model::{Task, TaskResponse},
    util::TaskId,
};

/// How many reports are kept: anybody may send callbacks.
pub(crate) const MAX_REPORTS: usize = 1024;
/// The largest report that is kept, as JSON in bytes. A usual one has about one KiB.
const MAX_REPORT: usize = 8 << 10;
/// How long a report is kept.
pub(crate) const KEPT_FOR: Duration = Duration::from_secs(15 * 60);

#[derive(Default)]
pub(super) struct EarlyReports(HashMap<TaskId, (Instant, Arc<Task>)>);

impl EarlyReports {
    /// Keeps a report without the fields that this version does not know. A large one is ignored: a
    /// wait finds it by a lookup.
    pub(super) fn insert(&mut self, id: TaskId, mut task: Task, now: Instant) {
        task.request = None;
        task.extra.clear();
        if let Some(TaskResponse::Result(result)) = &mut task.response {
            result.extra.clear();
        }
        if serde_json::to_vec(&task).is_ok_and(|json| json.len() <= MAX_REPORT) {
            self.0.retain(|_, (at, _)| now.saturating_duration_since(*at) < KEPT_FOR);
            if self.0.len() >= MAX_REPORTS
                && let Some(oldest) = self.0.iter().min_by_key(|(_, (at, _))| *at)
            {
                let oldest = oldest.0.clone();
                self.0.remove(&oldest);
            }
            self.0.entry(id).or_insert((now, Arc::new(task)));
        }
    }

    /// The report for a wait that begins now. It serves one wait: the next one wants fresh news.
    pub(super) fn take(&mut self, id: &TaskId, now: Instant) -> Option<Arc<Task>> {
        let (at, task) = self.0.remove(id)?;
        (now.saturating_duration_since(at) < KEPT_FOR).then_some(task)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
