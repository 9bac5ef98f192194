//! All tasks, found by any of their names.

use std::{collections::HashMap, sync::Arc};

use fastrand::Rng;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    duration::JobDuration,
    script::TaskScript,
    task::{APPLICATION_ID, Clock, Names, Task, USER_ID, View},
};

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) duration: JobDuration,
    base_url: String,
    clock: Clock,
    /// In order of acceptance; a deleted task leaves a gap.
    tasks: Vec<Option<Task>>,
    by_id: HashMap<Arc<str>, usize>,
    by_trace_id: HashMap<Arc<str>, usize>,
    by_video_id: HashMap<Arc<str>, usize>,
    names: Rng,
    /// Apart from the names, so that a duration depends on the order of the submits alone.
    durations: Rng,
}

/// Which tasks of the history are asked for.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub(crate) created_at_min: Option<f64>,
    pub(crate) created_at_max: Option<f64>,
    pub(crate) trace_ids: Option<Vec<String>>,
    pub(crate) application_id: Option<String>,
    pub(crate) user_id: Option<String>,
}

impl Store {
    pub(crate) fn new(base_url: String, duration: JobDuration, seed: u64) -> Self {
        let mut durations = Rng::with_seed(seed);
        let names = durations.fork();
        Self {
            duration,
            base_url,
            clock: Clock::start(),
            tasks: Vec::new(),
            by_id: HashMap::new(),
            by_trace_id: HashMap::new(),
            by_video_id: HashMap::new(),
            names,
            durations,
        }
    }

    /// A name in the form of a version 4 UUID.
    pub(crate) fn new_name(&mut self) -> Arc<str> {
        let bits = self.names.u128(..);
        let (a, b, c) = (
            (bits >> 96) as u32,
            (bits >> 80) as u16,
            (bits >> 64) as u16 & 0xfff,
        );
        let (d, e) = ((bits >> 48) as u16 & 0x3fff, bits as u64 & 0xffff_ffff_ffff);
        format!(
            "{a:08x}-{b:04x}-{:04x}-{:04x}-{e:012x}",
            0x4000 | c,
            0x8000 | d
        )
        .into()
    }

    pub(crate) fn accept(&mut self, request: Value, script: TaskScript, now: Instant) -> &Task {
        let names = Names {
            id: self.new_name(),
            trace_id: self.new_name(),
            video_id: self.new_name(),
        };
        let drawn = self.duration.draw(&mut self.durations);
        let index = self.tasks.len();
        self.by_id.insert(names.id.clone(), index);
        self.by_trace_id.insert(names.trace_id.clone(), index);
        self.by_video_id.insert(names.video_id.clone(), index);
        self.tasks.push(None);
        self.tasks[index].insert(Task::new(names, request, now, drawn, script.steps))
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Task> {
        self.at(self.by_id.get(id))
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Task> {
        self.tasks.get_mut(*self.by_id.get(id)?)?.as_mut()
    }

    pub(crate) fn get_by_trace_id(&self, trace_id: &str) -> Option<&Task> {
        self.at(self.by_trace_id.get(trace_id))
    }

    pub(crate) fn get_by_video_id(&self, video_id: &str) -> Option<&Task> {
        self.at(self.by_video_id.get(video_id))
    }

    fn at(&self, index: Option<&usize>) -> Option<&Task> {
        self.tasks.get(*index?)?.as_ref()
    }

    pub(crate) fn delete(&mut self, id: &str) -> bool {
        let Some(task) = self
            .by_id
            .remove(id)
            .and_then(|index| self.tasks[index].take())
        else {
            return false;
        };
        self.by_trace_id.remove(&task.trace_id);
        self.by_video_id.remove(&task.video_id);
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// In order of acceptance.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Task> {
        self.tasks.iter().flatten()
    }

    /// The history, newest first.
    pub(crate) fn history<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = &'a Task> {
        self.iter()
            .rev()
            .filter(|task| filter.fits(task, self.clock.unix(task.accepted)))
    }

    pub(crate) fn view<'a>(&self, task: &'a Task, now: Instant) -> View<'a> {
        task.view(&self.clock, &self.base_url, now)
    }

    pub(crate) fn answer(&self, task: &Task, now: Instant) -> Value {
        task.answer(&self.base_url, now)
    }
}

impl Filter {
    fn fits(&self, task: &Task, created_at: f64) -> bool {
        let is = |wanted: &Option<String>, value| wanted.as_deref().is_none_or(|w| w == value);
        self.created_at_min.is_none_or(|min| created_at >= min)
            && self.created_at_max.is_none_or(|max| created_at <= max)
            && (self.trace_ids.as_ref())
                .is_none_or(|wanted| wanted.iter().any(|id| **id == *task.trace_id))
            && is(&self.application_id, APPLICATION_ID)
            && is(&self.user_id, USER_ID)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn store(seed: u64) -> Store {
        Store::new(
            "http://h".into(),
            JobDuration::Fixed(Duration::from_secs(1)),
            seed,
        )
    }

    fn accept(store: &mut Store) -> Arc<str> {
        store
            .accept(json!({}), TaskScript::completes(), Instant::now())
            .id
            .clone()
    }

    #[test]
    fn names_follow_from_the_seed_and_are_uuids() {
        let (mut one, mut same, mut other) = (store(1), store(1), store(2));
        let name = one.new_name();
        assert_eq!(name, same.new_name());
        assert_ne!(name, other.new_name());
        assert_ne!(name, one.new_name());
        let parts: Vec<usize> = name.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&name[14..15], "4");
    }

    #[test]
    fn a_deleted_task_is_found_by_none_of_its_names() {
        let mut store = store(1);
        let (gone, kept) = (accept(&mut store), accept(&mut store));
        let task = store.get(&gone).unwrap();
        let (trace_id, video_id) = (task.trace_id.clone(), task.video_id.clone());
        assert!(store.get_by_trace_id(&trace_id).is_some());
        assert!(store.get_by_video_id(&video_id).is_some());
        assert!(store.delete(&gone));
        assert!(!store.delete(&gone));
        assert!(store.get(&gone).is_none());
        assert!(store.get_by_trace_id(&trace_id).is_none());
        assert!(store.get_by_video_id(&video_id).is_none());
        assert_eq!(store.len(), 1);
        assert_eq!(
            store.iter().map(|task| &task.id).collect::<Vec<_>>(),
            [&kept]
        );
    }

    #[test]
    fn history_is_newest_first_and_filtered() {
        let mut store = store(1);
        let (first, second) = (accept(&mut store), accept(&mut store));
        let ids = |filter: &Filter| -> Vec<Arc<str>> {
            store.history(filter).map(|task| task.id.clone()).collect()
        };
        assert_eq!(ids(&Filter::default()), [second.clone(), first.clone()]);
        let trace_id = store.get(&first).unwrap().trace_id.to_string();
        let by_trace = Filter {
            trace_ids: Some(vec![trace_id]),
            ..Filter::default()
        };
        assert_eq!(ids(&by_trace), [first]);
        let future = Filter {
            created_at_min: Some(1e12),
            ..Filter::default()
        };
        assert!(ids(&future).is_empty());
        let past = Filter {
            created_at_max: Some(1.0),
            ..Filter::default()
        };
        assert!(ids(&past).is_empty());
        let stranger = Filter {
            user_id: Some("x".into()),
            ..Filter::default()
        };
        assert!(ids(&stranger).is_empty());
    }
}
