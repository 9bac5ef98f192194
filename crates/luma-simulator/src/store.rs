//! All tasks.

use std::{collections::HashMap, sync::Arc};

use fastrand::Rng;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    answer::Refusal,
    duration::JobDuration,
    request::HistoryQuery,
    script::ScriptStep,
    task::{APPLICATION_ID, Site, Task, USER_ID},
};

/// How many tasks of the history are listed by default.
const DEFAULT_LIMIT: usize = 12;

#[derive(Debug)]
pub(crate) struct Store {
    site: Site,
    duration: JobDuration,
    /// In order of acceptance. A deleted task leaves a gap.
    tasks: Vec<Option<Task>>,
    by_id: HashMap<Arc<str>, usize>,
    names: Rng,
    /// Separate from the names, so that a duration depends only on the order of the submits.
    durations: Rng,
}

impl Store {
    pub(crate) fn new(base_url: String, duration: JobDuration, seed: u64) -> Self {
        let mut durations = Rng::with_seed(seed);
        let names = durations.fork();
        Self {
            site: Site::new(base_url),
            duration,
            tasks: Vec::new(),
            by_id: HashMap::new(),
            names,
            durations,
        }
    }

    pub(crate) fn set_duration(&mut self, duration: JobDuration) {
        self.duration = duration;
    }

    /// A name in the form of a version 4 UUID.
    pub(crate) fn new_name(&mut self) -> String {
        let bits = self.names.u128(..) & !(0xf << 76 | 0b11 << 62) | (4 << 76 | 0b10 << 62);
        let hex = format!("{bits:032x}");
        let part = |from, to| &hex[from..to];
        let parts = [
            part(0, 8),
            part(8, 12),
            part(12, 16),
            part(16, 20),
            part(20, 32),
        ];
        parts.join("-")
    }

    pub(crate) fn accept(&mut self, request: Value, steps: Vec<ScriptStep>) -> &Task {
        let names = [(); 3].map(|()| self.new_name().into());
        let drawn = self.duration.draw(&mut self.durations);
        let task = Task::new(names, request, Instant::now(), drawn, steps);
        let index = self.tasks.len();
        self.by_id.insert(task.id.clone(), index);
        self.tasks.push(None);
        self.tasks[index].insert(task)
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Task> {
        self.tasks[*self.by_id.get(id)?].as_ref()
    }

    pub(crate) fn find(&self, matches: impl Fn(&Task) -> bool) -> Option<&Task> {
        self.iter().find(|task| matches(task))
    }

    /// Ends a task. False if it is unknown.
    pub(crate) fn complete(&mut self, id: &str) -> bool {
        let index = self.by_id.get(id).copied();
        let Some(task) = index.and_then(|index| self.tasks[index].as_mut()) else {
            return false;
        };
        task.complete(Instant::now());
        true
    }

    /// Removes a task. False if it is unknown.
    pub(crate) fn delete(&mut self, id: &str) -> bool {
        let index = self.by_id.remove(id);
        index.and_then(|index| self.tasks[index].take()).is_some()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// All tasks in order of acceptance.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Task> {
        self.tasks.iter().flatten()
    }

    /// The requested tasks that were accepted at `latest` or before, newest first.
    pub(crate) fn history(
        &self,
        query: &HistoryQuery,
        latest: Instant,
    ) -> impl Iterator<Item = &Task> {
        let is = |wanted: &Option<String>, value| wanted.as_ref().is_none_or(|id| id == value);
        let matches = move |task: &&Task| {
            let created_at = self.site.unix(task.accepted);
            let traces = query.trace_ids.as_ref();
            task.accepted <= latest
                && query.created_at_min.is_none_or(|min| created_at >= min)
                && query.created_at_max.is_none_or(|max| created_at <= max)
                && traces.is_none_or(|ids| ids.iter().any(|id| **id == *task.trace_id))
                && is(&query.application_id, APPLICATION_ID)
                && is(&query.user_id, USER_ID)
        };
        let tasks = self.iter().rev().filter(matches);
        let tasks = tasks.skip(query.offset.unwrap_or(0));
        tasks.take(query.limit.unwrap_or(DEFAULT_LIMIT))
    }

    /// Refuses a video id that no completed task has.
    pub(crate) fn check_video(&self, video_id: &str) -> Result<(), Refusal> {
        let now = Instant::now();
        if self.find(|task| task.has_video(video_id, now)).is_some() {
            return Ok(());
        }
        Err(Refusal::bad_request(match self.get(video_id) {
            Some(_) => format!(
                "video_id {video_id} is the id of a task: use the video_id in the task's response"
            ),
            None => format!("unknown video_id: {video_id}"),
        }))
    }

    pub(crate) fn json(&self, task: &Task) -> Value {
        task.to_json(&self.site, Instant::now())
    }

    pub(crate) fn response(&self, task: &Task) -> Value {
        task.response(&self.site, Instant::now())
    }

    pub(crate) fn media_url(&self, id: &str, extension: &str) -> Option<String> {
        Some(self.site.media_url(self.get(id)?, extension))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::script::TaskScript;

    fn store(seed: u64) -> Store {
        let duration = JobDuration::Fixed(Duration::from_secs(1));
        Store::new("http://h".into(), duration, seed)
    }

    fn accept(store: &mut Store) -> Arc<str> {
        let task = store.accept(json!({}), TaskScript::completes().steps);
        task.id.clone()
    }

    #[test]
    fn names_are_seeded_uuids() {
        let (mut one, mut same, mut other) = (store(1), store(1), store(2));
        let name = one.new_name();
        assert_eq!(name, same.new_name());
        assert_ne!(name, other.new_name());
        assert_ne!(name, one.new_name());
        let parts: Vec<usize> = name.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&name[14..15], "4");
        assert!("89ab".contains(&name[19..20]), "{name}");
    }

    #[test]
    fn deleted_task_is_gone() {
        let mut store = store(1);
        let (gone, kept) = (accept(&mut store), accept(&mut store));
        assert!(store.delete(&gone));
        assert!(!store.delete(&gone));
        assert!(!store.complete(&gone));
        assert!(store.get(&gone).is_none());
        assert_eq!(store.len(), 1);
        let ids: Vec<_> = store.iter().map(|task| &task.id).collect();
        assert_eq!(ids, [&kept]);
    }

    #[test]
    fn history_is_filtered_and_newest_first() {
        let mut store = store(1);
        let (first, second) = (accept(&mut store), accept(&mut store));
        let trace_id = store.get(&first).unwrap().trace_id.to_string();
        let all = HistoryQuery::default;
        let later = Instant::now() + Duration::from_secs(1);
        let ids = |query: HistoryQuery, latest| -> Vec<Arc<str>> {
            let tasks = store.history(&query, latest);
            tasks.map(|task| task.id.clone()).collect()
        };
        assert_eq!(ids(all(), later), [second.clone(), first.clone()]);
        let accepted = store.get(&first).unwrap().accepted;
        assert!(ids(all(), accepted - Duration::from_millis(1)).is_empty());
        let cases = [
            (
                HistoryQuery {
                    trace_ids: Some(vec![trace_id]),
                    ..all()
                },
                vec![&first],
            ),
            (
                HistoryQuery {
                    offset: Some(1),
                    ..all()
                },
                vec![&first],
            ),
            (
                HistoryQuery {
                    limit: Some(1),
                    ..all()
                },
                vec![&second],
            ),
            (
                HistoryQuery {
                    created_at_min: Some(1e12),
                    ..all()
                },
                vec![],
            ),
            (
                HistoryQuery {
                    created_at_max: Some(1.0),
                    ..all()
                },
                vec![],
            ),
            (
                HistoryQuery {
                    user_id: Some("other".into()),
                    ..all()
                },
                vec![],
            ),
        ];
        for (query, expected) in cases {
            let shown = format!("{query:?}");
            assert_eq!(
                ids(query, later).iter().collect::<Vec<_>>(),
                expected,
                "{shown}"
            );
        }
    }
}
