//! The tasks: their states and their JSON.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use indexmap::IndexMap;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::answer::{Refusal, bad_request};
use crate::duration::JobDuration;
use crate::request::{Lookup, SIZES};
use crate::script::{Outcome, Step};

/// How many tasks of the history are listed by default.
const DEFAULT_LIMIT: usize = 12;

#[derive(Debug)]
pub(crate) struct Store {
    base_url: String,
    /// The start in Unix seconds. They follow tokio's clock, so that tests can pause it.
    start: (Instant, f64),
    duration: JobDuration,
    /// By id, in order of acceptance.
    tasks: IndexMap<Arc<str>, Task>,
    names: Rng,
    /// Separate from the names, so that a duration depends only on the order of the submits.
    durations: Rng,
}

impl Store {
    pub(crate) fn new(base_url: String, duration: JobDuration, seed: u64) -> Self {
        let mut durations = Rng::with_seed(seed);
        let names = durations.fork();
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            base_url,
            start: (Instant::now(), unix.unwrap_or_default().as_secs_f64()),
            duration,
            tasks: IndexMap::new(),
            names,
            durations,
        }
    }

    pub(crate) fn set_duration(&mut self, duration: JobDuration) {
        self.duration = duration;
    }

    /// A name in the form of a version 4 UUID.
    pub(crate) fn new_name(&mut self) -> String {
        let bits = self.names.u128(..);
        let (a, b, c) = (bits >> 96, bits >> 80 & 0xffff, bits >> 68 & 0xfff);
        let (d, e) = (bits >> 48 & 0xfff, bits & 0xffff_ffff_ffff);
        format!("{a:08x}-{b:04x}-4{c:03x}-a{d:03x}-{e:012x}")
    }

    /// Makes a task. Returns its id and its trace id.
    pub(crate) fn accept(&mut self, request: Value, script: Vec<Step>) -> (Arc<str>, Arc<str>) {
        let [id, trace_id, video_id] = [(); 3].map(|()| Arc::<str>::from(self.new_name()));
        let drawn = self.duration.draw(&mut self.durations);
        let (accepted, (start, unix_start)) = (Instant::now(), self.start);
        let mut reached = Some(accepted);
        let steps = script.into_iter().map(|step| {
            reached = reached.and_then(|at| at.checked_add(step.after.unwrap_or(drawn)));
            (reached, step)
        });
        let steps: Vec<_> = steps.collect();
        // A task is queued for a tenth of its time. An endless task starts after one second.
        let queued = match steps.first().and_then(|(at, _)| *at) {
            Some(at) => at.saturating_duration_since(accepted) / 10,
            None => Duration::from_secs(1),
        };
        let task = Task {
            id: id.clone(),
            trace_id: trace_id.clone(),
            media_url: format!("{}/media/{video_id}", self.base_url),
            video_id,
            accepted,
            created_at: milliseconds(unix_start + (accepted - start).as_secs_f64()),
            request,
            started: accepted + queued,
            steps,
        };
        self.tasks.insert(id.clone(), task);
        (id, trace_id)
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Task> {
        self.tasks.get(id)
    }

    pub(crate) fn find(&self, matches: impl Fn(&Task) -> bool) -> Option<&Task> {
        self.iter().find(|task| matches(task))
    }

    /// Ends a task. False if it is unknown.
    pub(crate) fn complete(&mut self, id: &str) -> bool {
        let task = self.tasks.get_mut(id);
        task.map(|task| task.complete(Instant::now())).is_some()
    }

    /// Removes a task. False if it is unknown.
    pub(crate) fn delete(&mut self, id: &str) -> bool {
        self.tasks.shift_remove(id).is_some()
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// All tasks in order of acceptance.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Task> {
        self.tasks.values()
    }

    /// The requested tasks that are at least as old as `lag`, newest first.
    pub(crate) fn history(&self, query: &Lookup, lag: Duration) -> impl Iterator<Item = &Task> {
        let matches = move |task: &&Task| {
            let traces = query.trace_ids.as_ref();
            task.accepted.elapsed() >= lag
                && query.created_at_min.is_none_or(|min| task.created_at >= min)
                && query.created_at_max.is_none_or(|max| task.created_at <= max)
                && traces.is_none_or(|ids| ids.iter().any(|id| **id == *task.trace_id))
        };
        let tasks = self.iter().rev().filter(matches);
        let tasks = tasks.skip(query.offset.unwrap_or(0));
        tasks.take(query.limit.unwrap_or(DEFAULT_LIMIT))
    }

    /// Refuses a video id that no completed task has.
    pub(crate) fn check_video(&self, video_id: &str) -> Result<(), Refusal> {
        let now = Instant::now();
        let has_video = |task: &Task| task.response(now)["video_id"] == video_id;
        if self.find(has_video).is_some() {
            return Ok(());
        }
        let message = match self.get(video_id) {
            Some(_) => "is the id of a task: use the video_id in the task's response",
            None => "is not known",
        };
        Err(bad_request(format!("video_id {video_id} {message}")))
    }
}

/// Rounds to milliseconds.
fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1_000.0).round() / 1_000.0
}

#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) id: Arc<str>,
    pub(crate) trace_id: Arc<str>,
    pub(crate) video_id: Arc<str>,
    accepted: Instant,
    /// `accepted` in Unix seconds.
    created_at: f64,
    /// The URL of video and thumbnail without the extension.
    media_url: String,
    /// The submit body as received.
    request: Value,
    started: Instant,
    /// When each step is reached. `None` is never.
    steps: Vec<(Option<Instant>, Step)>,
}

impl Task {
    /// When the task ends. `None` is never.
    pub(crate) fn ends_at(&self) -> Option<Instant> {
        self.steps.iter().find(|(_, step)| step.finished)?.0
    }

    /// Moves all coming steps to `now`. The last one ends the task.
    pub(crate) fn complete(&mut self, now: Instant) {
        for (at, _) in &mut self.steps {
            *at = Some(at.map_or(now, |at| at.min(now)));
        }
        if let Some((_, last)) = self.steps.last_mut() {
            last.finished = true;
        }
        self.started = self.started.min(now);
    }

    /// The latest step and when it was reached.
    fn step(&self, now: Instant) -> Option<(Instant, &Step)> {
        let mut steps = self.steps.iter().rev();
        steps.find_map(|(at, step)| at.filter(|at| *at <= now).map(|at| (at, step)))
    }

    pub(crate) fn media_url(&self, extension: &str) -> String {
        format!("{}.{extension}", self.media_url)
    }

    /// The task object of a lookup.
    pub(crate) fn to_json(&self, now: Instant) -> Value {
        let finished = self.step(now).filter(|(_, step)| step.finished);
        let finished = finished.map(|(at, _)| at);
        let started = Some(self.started).filter(|at| *at <= now);
        let since = |start: Instant, end: Instant| (end - start).as_secs_f64();
        let unix = |at: Instant| milliseconds(self.created_at + since(self.accepted, at));
        let both = started.zip(finished);
        let elapsed = both.map(|(start, end)| milliseconds(since(start, end)));
        let mut task = json!({
            "_id": format!("{:.24}", self.trace_id.replace('-', "")),
            "id": &*self.id,
            "api_id": "0f2c4d56-6a1b-4c9e-9d37-5b1e7a90c3d1",
            "application_id": "3b9d8e10-52f7-4a6c-8e21-c4d5f6a7b8c9",
            "credential_id": "7c1e2f3a-4b5d-4e6f-9a8b-0c1d2e3f4a5b",
            "user_id": "9e8d7c6b-5a49-4838-a726-150413f2e1d0",
            "trace_id": &*self.trace_id,
            "created_at": self.created_at,
            "request": self.request,
            "response": self.response(now),
        });
        for (name, seconds) in [
            ("started_at", started.map(unix)),
            ("finished_at", finished.map(unix)),
            ("elapsed", elapsed),
        ] {
            if let Some(seconds) = seconds {
                task[name] = seconds.into();
            }
        }
        task
    }

    /// The `response` of a lookup. At the end it is also the response of a synchronous submit and
    /// the body of the webhook.
    pub(crate) fn response(&self, now: Instant) -> Value {
        let mut response = match self.step(now).map(|(_, step)| &step.outcome) {
            None if now < self.started => return json!({}),
            Some(Outcome::Raw(response)) => return response.clone(),
            None => json!({ "success": true, "state": "processing" }),
            Some(Outcome::Partial(response)) => response.clone(),
            Some(Outcome::Completed) => self.video(),
        };
        response["task_id"] = (*self.id).into();
        response["prompt"] = self.request["prompt"].clone();
        if response["success"] == false {
            response["trace_id"] = (*self.trace_id).into();
        }
        response
    }

    fn video(&self) -> Value {
        let ratio = &self.request["aspect_ratio"];
        let size = SIZES.into_iter().find(|(name, ..)| ratio == name);
        let (_, width, height) = size.unwrap_or(SIZES[0]);
        json!({
            "success": true,
            "video_id": &*self.video_id,
            "video_url": self.media_url("mp4"),
            "video_width": width,
            "video_height": height,
            "state": "completed",
            "thumbnail_url": self.media_url("jpg"),
            "thumbnail_width": width,
            "thumbnail_height": height,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::TaskScript;

    fn store(seed: u64) -> Store {
        let duration = JobDuration::Fixed(Duration::from_secs(1));
        Store::new("http://h".into(), duration, seed)
    }

    fn accept(store: &mut Store) -> Arc<str> {
        store.accept(json!({}), TaskScript::completes().steps).0
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
        let all = Lookup::default;
        let ids = |query: Lookup, lag| -> Vec<Arc<str>> {
            let tasks = store.history(&query, lag);
            tasks.map(|task| task.id.clone()).collect()
        };
        assert_eq!(ids(all(), Duration::ZERO), [second.clone(), first.clone()]);
        assert!(ids(all(), Duration::MAX).is_empty());
        let cases = [
            (Lookup { trace_ids: Some(vec![trace_id]), ..all() }, vec![&first]),
            (Lookup { offset: Some(1), ..all() }, vec![&first]),
            (Lookup { limit: Some(1), ..all() }, vec![&second]),
            (Lookup { created_at_min: Some(1e12), ..all() }, vec![]),
            (Lookup { created_at_max: Some(1.0), ..all() }, vec![]),
        ];
        for (query, expected) in cases {
            let shown = format!("{query:?}");
            assert_eq!(ids(query, Duration::ZERO).iter().collect::<Vec<_>>(), expected, "{shown}");
        }
    }

    #[test]
    fn only_video_of_completed_task_can_be_extended() {
        let mut store = store(1);
        let script = TaskScript::response(json!({ "video_id": "raw" })).after(Duration::ZERO);
        store.accept(json!({}), script.steps);
        let task = accept(&mut store);
        let video = store.get(&task).unwrap().video_id.clone();
        assert_eq!(store.check_video("raw"), Ok(()));
        let message = |id: &str| format!("{:?}", store.check_video(id));
        assert!(message(&task).contains("is the id of a task"));
        assert!(message("other").contains("is not known"));
        assert!(message(&video).contains("is not known"));
        store.complete(&task);
        assert_eq!(store.check_video(&video), Ok(()));
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn task(script: TaskScript, drawn: Duration) -> Task {
        let mut store = Store::new("http://h".into(), JobDuration::Fixed(drawn), 1);
        let request = json!({ "prompt": "a", "aspect_ratio": "21:9" });
        let (id, _) = store.accept(request, script.steps);
        store.tasks.shift_remove(&id).unwrap()
    }

    /// State and whether there is a finish time, after each number of seconds.
    fn states(task: &Task, seconds: &[f64]) -> Vec<(String, bool)> {
        let state = |after: &f64| {
            let now = task.accepted + Duration::from_secs_f64(*after);
            let json = task.to_json(now);
            let state = json["response"]["state"].as_str().unwrap_or("-");
            (state.to_owned(), json.get("finished_at").is_some())
        };
        seconds.iter().map(state).collect()
    }

    #[test]
    fn task_without_script_is_pending_then_processing_then_completed() {
        let task = task(TaskScript::completes(), 10 * SECOND);
        assert_eq!(
            states(&task, &[0.0, 0.9, 1.0, 9.9, 10.0, 99.0]),
            [
                ("-".into(), false),
                ("-".into(), false),
                ("processing".into(), false),
                ("processing".into(), false),
                ("completed".into(), true),
                ("completed".into(), true),
            ]
        );
        assert_eq!(task.ends_at(), Some(task.accepted + 10 * SECOND));
    }

    #[test]
    fn script_steps_follow_each_other() {
        let moderated = TaskScript::state("moderated").after(SECOND).finished(true);
        let script = TaskScript::state("dreaming").after(SECOND).then(moderated);
        assert_eq!(
            states(&task(script, 10 * SECOND), &[0.5, 1.0, 2.0]),
            [("processing".into(), false), ("dreaming".into(), false), ("moderated".into(), true)]
        );
    }

    #[test]
    fn endless_task_ends_only_when_completed() {
        let mut task = task(TaskScript::completes(), Duration::MAX);
        assert_eq!(task.ends_at(), None);
        assert_eq!(states(&task, &[1e6]), [("processing".into(), false)]);
        let now = task.accepted + SECOND / 2;
        task.complete(now);
        assert_eq!(task.ends_at(), Some(now));
        assert_eq!(states(&task, &[0.5]), [("completed".into(), true)]);
    }

    #[test]
    fn finished_task_has_times_and_video() {
        let task = task(TaskScript::completes(), 10 * SECOND);
        let json = task.to_json(task.accepted + 20 * SECOND);
        assert_eq!(json["elapsed"], 9.0);
        assert_eq!(json["response"]["video_url"], task.media_url("mp4"));
        assert_eq!(json["response"]["video_width"], 1552);
        assert_eq!(json["request"]["prompt"], "a");
    }

    #[test]
    fn sizes_match_their_aspect_ratio() {
        for (ratio, width, height) in SIZES {
            let (across, down) = ratio.split_once(':').unwrap();
            let expected = across.parse::<f64>().unwrap() / down.parse::<f64>().unwrap();
            let actual = f64::from(width) / f64::from(height);
            assert!((actual / expected - 1.0).abs() < 0.03, "{ratio}: {width}x{height}");
        }
    }
}
