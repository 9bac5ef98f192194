//! One task: its state at an instant, and its JSON.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::script::{Outcome, ScriptStep};

/// The account that owns every task.
pub(crate) const API_ID: &str = "0f2c4d56-6a1b-4c9e-9d37-5b1e7a90c3d1";
pub(crate) const APPLICATION_ID: &str = "3b9d8e10-52f7-4a6c-8e21-c4d5f6a7b8c9";
pub(crate) const CREDENTIAL_ID: &str = "7c1e2f3a-4b5d-4e6f-9a8b-0c1d2e3f4a5b";
pub(crate) const USER_ID: &str = "9e8d7c6b-5a49-4838-a726-150413f2e1d0";

/// Width and height of a video for each aspect ratio. 16:9 and 21:9 are sizes that the service has
/// returned. The others have the same area.
pub(crate) const SIZES: [(&str, u32, u32); 7] = [
    ("16:9", 1360, 752),
    ("9:16", 752, 1360),
    ("1:1", 1008, 1008),
    ("4:3", 1168, 880),
    ("3:4", 880, 1168),
    ("21:9", 1552, 656),
    ("9:21", 656, 1552),
];

/// The base URL of the service and its clock. Unix time moves with tokio's clock, so that tests can
/// pause it.
#[derive(Debug)]
pub(crate) struct Site {
    base_url: String,
    start: Instant,
    unix_start: f64,
}

impl Site {
    pub(crate) fn new(base_url: String) -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            base_url,
            start: Instant::now(),
            unix_start: unix.unwrap_or_default().as_secs_f64(),
        }
    }

    /// Unix seconds, to the millisecond.
    pub(crate) fn unix(&self, at: Instant) -> f64 {
        milliseconds(self.unix_start + at.saturating_duration_since(self.start).as_secs_f64())
    }

    pub(crate) fn media_url(&self, task: &Task, extension: &str) -> String {
        format!("{}/media/{}.{extension}", self.base_url, task.video_id)
    }
}

fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1_000.0).round() / 1_000.0
}

#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) id: Arc<str>,
    pub(crate) trace_id: Arc<str>,
    pub(crate) video_id: Arc<str>,
    pub(crate) accepted: Instant,
    /// The submit body as received.
    request: Value,
    started: Instant,
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    /// `None` is never.
    at: Option<Instant>,
    outcome: Outcome,
    finished: bool,
}

impl Task {
    /// `drawn` is the duration of steps that have none of their own.
    pub(crate) fn new(
        [id, trace_id, video_id]: [Arc<str>; 3],
        request: Value,
        accepted: Instant,
        drawn: Duration,
        script: Vec<ScriptStep>,
    ) -> Self {
        let mut reached = Some(accepted);
        let mut steps = Vec::new();
        for step in script {
            reached = reached.and_then(|at| at.checked_add(step.after.unwrap_or(drawn)));
            steps.push(Step {
                at: reached,
                outcome: step.outcome,
                finished: step.finished,
            });
        }
        // A task is queued for a tenth of its time. An endless task starts after one second.
        let queued = match steps.first().and_then(|step| step.at) {
            Some(at) => at.saturating_duration_since(accepted) / 10,
            None => Duration::from_secs(1),
        };
        Self {
            id,
            trace_id,
            video_id,
            accepted,
            request,
            started: accepted + queued,
            steps,
        }
    }

    /// When the task ends. `None` is never.
    pub(crate) fn ends_at(&self) -> Option<Instant> {
        self.steps.iter().find(|step| step.finished)?.at
    }

    /// Moves all coming steps to `now`. The last one ends the task.
    pub(crate) fn complete(&mut self, now: Instant) {
        for step in &mut self.steps {
            step.at = Some(step.at.map_or(now, |at| at.min(now)));
        }
        if let Some(last) = self.steps.last_mut() {
            last.finished = true;
        }
        self.started = self.started.min(now);
    }

    /// The latest step.
    fn step(&self, now: Instant) -> Option<&Step> {
        let reached = |step: &&Step| step.at.is_some_and(|at| at <= now);
        self.steps.iter().rfind(reached)
    }

    /// Whether the response names this video.
    pub(crate) fn has_video(&self, video_id: &str, now: Instant) -> bool {
        match self.step(now).map(|step| &step.outcome) {
            Some(Outcome::Completed) => *self.video_id == *video_id,
            Some(Outcome::Raw(response)) => response["video_id"] == video_id,
            _ => false,
        }
    }

    /// The task object of a lookup.
    pub(crate) fn to_json(&self, site: &Site, now: Instant) -> Value {
        let finished = self.step(now).filter(|step| step.finished);
        let finished = finished.and_then(|step| step.at);
        let started = Some(self.started).filter(|at| *at <= now);
        let elapsed = finished.zip(started).map(|(end, start)| end - start);
        let mut task = json!({
            "_id": format!("{:.24}", self.trace_id.replace('-', "")),
            "id": &*self.id,
            "api_id": API_ID,
            "application_id": APPLICATION_ID,
            "credential_id": CREDENTIAL_ID,
            "user_id": USER_ID,
            "trace_id": &*self.trace_id,
            "created_at": site.unix(self.accepted),
            "request": self.request,
            "response": self.response(site, now),
        });
        for (name, seconds) in [
            ("started_at", started.map(|at| site.unix(at))),
            ("finished_at", finished.map(|at| site.unix(at))),
            (
                "elapsed",
                elapsed.map(|time| milliseconds(time.as_secs_f64())),
            ),
        ] {
            if let Some(seconds) = seconds {
                task[name] = seconds.into();
            }
        }
        task
    }

    /// The `response` of a lookup. At the end it is also the response of a synchronous submit and
    /// the body of the webhook.
    pub(crate) fn response(&self, site: &Site, now: Instant) -> Value {
        match self.step(now).map(|step| &step.outcome) {
            None if now < self.started => json!({}),
            None => self.with_state("processing"),
            Some(Outcome::Completed) => self.with_video(site),
            Some(Outcome::State(state)) => self.with_state(state),
            Some(Outcome::Raw(response)) => response.clone(),
            Some(Outcome::Failed { code, message }) => json!({
                "success": false,
                "task_id": &*self.id,
                "state": "failed",
                "error": { "code": code, "message": message },
                "trace_id": &*self.trace_id,
            }),
        }
    }

    fn with_state(&self, state: &str) -> Value {
        json!({
            "success": true,
            "task_id": &*self.id,
            "prompt": &self.request["prompt"],
            "state": state,
        })
    }

    fn with_video(&self, site: &Site) -> Value {
        let ratio = &self.request["aspect_ratio"];
        let size = SIZES.into_iter().find(|(name, ..)| ratio == name);
        let (_, width, height) = size.unwrap_or(SIZES[0]);
        json!({
            "success": true,
            "task_id": &*self.id,
            "video_id": &*self.video_id,
            "prompt": &self.request["prompt"],
            "video_url": site.media_url(self, "mp4"),
            "video_width": width,
            "video_height": height,
            "state": "completed",
            "thumbnail_url": site.media_url(self, "jpg"),
            "thumbnail_width": width,
            "thumbnail_height": height,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::TaskScript;

    const SECOND: Duration = Duration::from_secs(1);

    fn task(script: TaskScript, drawn: Duration) -> Task {
        let names = ["t".into(), "trace".into(), "v".into()];
        let request = json!({ "prompt": "a", "aspect_ratio": "21:9" });
        Task::new(names, request, Instant::now(), drawn, script.steps)
    }

    fn site() -> Site {
        Site::new("http://h".into())
    }

    /// State and whether there is a finish time, after each number of seconds.
    fn states(task: &Task, seconds: &[f64]) -> Vec<(String, bool)> {
        let state = |after: &f64| {
            let now = task.accepted + Duration::from_secs_f64(*after);
            let json = task.to_json(&site(), now);
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
            [
                ("processing".into(), false),
                ("dreaming".into(), false),
                ("moderated".into(), true)
            ]
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
        let json = task.to_json(&site(), task.accepted + 20 * SECOND);
        assert_eq!(json["elapsed"], 9.0);
        assert_eq!(json["response"]["video_url"], "http://h/media/v.mp4");
        assert_eq!(json["response"]["video_width"], 1552);
        assert_eq!(json["request"]["prompt"], "a");
    }

    #[test]
    fn video_exists_only_after_completion() {
        let done = task(TaskScript::completes(), SECOND);
        let raw = task(TaskScript::response(json!({ "video_id": "r" })), SECOND);
        let failed = task(TaskScript::fails("api_error", "no"), SECOND);
        for (task, video_id, seconds, expected) in [
            (&done, "v", 0, false),
            (&done, "v", 1, true),
            (&done, "t", 1, false),
            (&raw, "r", 1, true),
            (&raw, "v", 1, false),
            (&failed, "v", 1, false),
        ] {
            let now = task.accepted + seconds * SECOND;
            assert_eq!(
                task.has_video(video_id, now),
                expected,
                "{video_id} {seconds}"
            );
        }
    }

    #[test]
    fn sizes_match_their_aspect_ratio() {
        for (ratio, width, height) in SIZES {
            let (across, down) = ratio.split_once(':').unwrap();
            let expected = across.parse::<f64>().unwrap() / down.parse::<f64>().unwrap();
            let actual = f64::from(width) / f64::from(height);
            assert!(
                (actual / expected - 1.0).abs() < 0.03,
                "{ratio}: {width}x{height}"
            );
        }
    }
}
