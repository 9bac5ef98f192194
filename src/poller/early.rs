//! Ends of tasks that nobody waits for yet, such as a callback that comes before its wait.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    model::{Task, fields::TaskResponse},
    util::TaskId,
};

/// How many reports are kept: anybody may send callbacks.
const MAX_REPORTS: usize = 1024;
/// The largest report that is kept, as JSON in bytes. A usual one has about one KiB.
const MAX_REPORT: usize = 8 << 10;
/// How long a report is kept.
const KEPT_FOR: Duration = Duration::from_secs(15 * 60);

type Reports = HashMap<TaskId, (Instant, Arc<Task>)>;

/// Shared by a poller and what it has running.
#[derive(Clone, Default)]
pub(crate) struct EarlyReports(Arc<Mutex<Reports>>);

impl EarlyReports {
    /// Keeps a report of an end, without the fields that this version does not know. A large one is
    /// ignored: a wait finds it by a lookup.
    pub(crate) fn insert(&self, id: TaskId, mut task: Task, now: Instant) {
        task.request = None;
        task.extra.clear();
        if let Some(TaskResponse::Result(result)) = &mut task.response {
            result.extra.clear();
        }
        let is_small = serde_json::to_vec(&task).is_ok_and(|json| json.len() <= MAX_REPORT);
        if is_small && task.state().is_terminal() {
            let mut reports = self.lock();
            reports.retain(|_, (at, _)| now.saturating_duration_since(*at) < KEPT_FOR);
            let oldest = reports.iter().min_by_key(|(_, (at, _))| *at);
            if let Some(oldest) = oldest.filter(|_| reports.len() >= MAX_REPORTS) {
                let oldest = oldest.0.clone();
                reports.remove(&oldest);
            }
            reports.entry(id).or_insert((now, Arc::new(task)));
        }
    }

    /// The report for a wait that begins now. It serves one wait: the next one wants fresh news.
    pub(super) fn take(&self, id: &TaskId, now: Instant) -> Option<Arc<Task>> {
        let (at, task) = self.lock().remove(id)?;
        (now.saturating_duration_since(at) < KEPT_FOR).then_some(task)
    }

    fn lock(&self) -> MutexGuard<'_, Reports> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn insert(early: &EarlyReports, id: &str, json: serde_json::Value, now: Instant) {
        let task = serde_json::from_value(json).expect("a task");
        early.insert(id.parse().expect("an id"), task, now);
    }

    #[test]
    fn insert_beyond_the_limit_drops_the_oldest() {
        let (early, now) = (EarlyReports::default(), Instant::now());
        let done = json!({ "response": { "state": "completed", "video_url": "https://v" } });
        for n in 0..MAX_REPORTS + 2 {
            let at = now + Duration::from_millis(n as u64);
            insert(&early, &format!("t{n}"), done.clone(), at);
        }
        assert_eq!(early.lock().len(), MAX_REPORTS);
        let taken = |id: &str| early.take(&id.parse().expect("an id"), now).is_some();
        assert_eq!(["t1", "t2", "t2"].map(taken), [false, true, false]);
        assert!(early.take(&"t9".parse().expect("an id"), now + 2 * KEPT_FOR).is_none());
    }

    #[test]
    fn insert_of_what_is_large_or_no_end_is_ignored() {
        let (early, now) = (EarlyReports::default(), Instant::now());
        let message = "x".repeat(MAX_REPORT);
        for json in [
            json!({ "response": { "state": "processing" } }),
            json!({ "response": { "state": "failed", "error": { "message": message } } }),
        ] {
            insert(&early, "t", json, now);
        }
        assert_eq!(early.lock().len(), 0);
    }
}
