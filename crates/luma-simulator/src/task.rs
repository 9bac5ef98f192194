//! One task: where it stands at an instant, and how the wire shows it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::script::{Outcome, ScriptStep};

/// The account that every task belongs to.
pub(crate) const API_ID: &str = "0f2c4d56-6a1b-4c9e-9d37-5b1e7a90c3d1";
pub(crate) const APPLICATION_ID: &str = "3b9d8e10-52f7-4a6c-8e21-c4d5f6a7b8c9";
pub(crate) const CREDENTIAL_ID: &str = "7c1e2f3a-4b5d-4e6f-9a8b-0c1d2e3f4a5b";
pub(crate) const USER_ID: &str = "9e8d7c6b-5a49-4838-a726-150413f2e1d0";

/// Unix time that moves with tokio's clock, so that it can be paused with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
    unix: f64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            start: Instant::now(),
            unix: unix.as_secs_f64(),
        }
    }

    /// Unix seconds, to the millisecond.
    pub(crate) fn unix(&self, at: Instant) -> f64 {
        milliseconds(self.unix + at.saturating_duration_since(self.start).as_secs_f64())
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
    /// The submit body as received.
    pub(crate) request: Value,
    pub(crate) accepted: Instant,
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

/// Where a task stands.
#[derive(Debug, PartialEq)]
enum Phase<'a> {
    Pending,
    Processing,
    Reached {
        outcome: &'a Outcome,
        finished: Option<Instant>,
    },
}

/// The names that a task gets when it is accepted.
pub(crate) struct Names {
    pub(crate) id: Arc<str>,
    pub(crate) trace_id: Arc<str>,
    pub(crate) video_id: Arc<str>,
}

impl Task {
    pub(crate) fn new(
        names: Names,
        request: Value,
        accepted: Instant,
        drawn: Duration,
        script: Vec<ScriptStep>,
    ) -> Self {
        let mut reached = Some(accepted);
        let steps: Vec<Step> = script
            .into_iter()
            .map(|step| {
                let after = step.after.unwrap_or(drawn);
                reached = reached.and_then(|at| at.checked_add(after));
                Step {
                    at: reached,
                    outcome: step.outcome,
                    finished: step.finished,
                }
            })
            .collect();
        let Names {
            id,
            trace_id,
            video_id,
        } = names;
        // A tenth of the time is spent in the queue. An endless task starts after one second.
        let started = match steps.first().and_then(|step| step.at) {
            Some(at) => accepted + at.saturating_duration_since(accepted) / 10,
            None => accepted + Duration::from_secs(1),
        };
        Self {
            id,
            trace_id,
            video_id,
            request,
            accepted,
            started,
            steps,
        }
    }

    /// When the task ends; `None` is never.
    pub(crate) fn ends_at(&self) -> Option<Instant> {
        self.steps.iter().find(|step| step.finished)?.at
    }

    /// Brings everything that is still to come forward to `now`; the last step ends the task.
    pub(crate) fn complete(&mut self, now: Instant) {
        for step in &mut self.steps {
            step.at = Some(step.at.map_or(now, |at| at.min(now)));
        }
        if let Some(last) = self.steps.last_mut() {
            last.finished = true;
        }
        self.started = self.started.min(now);
    }

    fn phase(&self, now: Instant) -> Phase<'_> {
        let reached = |at: &Option<Instant>| at.is_some_and(|at| at <= now);
        match self.steps.iter().rfind(|step| reached(&step.at)) {
            Some(step) => Phase::Reached {
                outcome: &step.outcome,
                finished: step.at.filter(|_| step.finished),
            },
            None if self.started <= now => Phase::Processing,
            None => Phase::Pending,
        }
    }

    /// The task object of a lookup.
    pub(crate) fn view<'a>(&'a self, clock: &Clock, base_url: &str, now: Instant) -> View<'a> {
        let phase = self.phase(now);
        let finished = match phase {
            Phase::Reached { finished, .. } => finished,
            Phase::Pending | Phase::Processing => None,
        };
        let started = Some(self.started).filter(|at| *at <= now);
        let elapsed = finished
            .zip(started)
            .map(|(end, start)| end.saturating_duration_since(start).as_secs_f64());
        View {
            _id: format!("{:.24}", self.trace_id.replace('-', "")),
            id: &self.id,
            api_id: API_ID,
            application_id: APPLICATION_ID,
            credential_id: CREDENTIAL_ID,
            user_id: USER_ID,
            trace_id: &self.trace_id,
            created_at: clock.unix(self.accepted),
            started_at: started.map(|at| clock.unix(at)),
            finished_at: finished.map(|at| clock.unix(at)),
            elapsed: elapsed.map(milliseconds),
            request: &self.request,
            response: self.response(phase, base_url),
        }
    }

    /// What the synchronous call answers at the end, which is also what the webhook carries.
    pub(crate) fn answer(&self, base_url: &str, now: Instant) -> Value {
        self.response(self.phase(now), base_url)
    }

    fn response(&self, phase: Phase<'_>, base_url: &str) -> Value {
        let outcome = match phase {
            Phase::Pending => return Value::Object(Map::new()),
            Phase::Processing => return self.with_word("processing"),
            Phase::Reached { outcome, .. } => outcome,
        };
        match outcome {
            Outcome::Completed => self.video(base_url),
            Outcome::CompletedWithoutVideo => self.with_word("completed"),
            Outcome::Word(word) => self.with_word(word),
            Outcome::Raw(response) => response.clone(),
            Outcome::Failed { code, message } => json!({
                "success": false,
                "task_id": &*self.id,
                "state": "failed",
                "error": { "code": code, "message": message },
                "trace_id": &*self.trace_id,
            }),
        }
    }

    fn with_word(&self, word: &str) -> Value {
        json!({
            "success": true,
            "task_id": &*self.id,
            "prompt": &self.request["prompt"],
            "state": word,
        })
    }

    fn video(&self, base_url: &str) -> Value {
        let (width, height) = size(self.request["aspect_ratio"].as_str().unwrap_or("16:9"));
        let media = format!("{base_url}/media/{}", self.video_id);
        json!({
            "success": true,
            "task_id": &*self.id,
            "video_id": &*self.video_id,
            "prompt": &self.request["prompt"],
            "video_url": format!("{media}.mp4"),
            "video_width": width,
            "video_height": height,
            "state": "completed",
            "thumbnail_url": format!("{media}.jpg"),
            "thumbnail_width": width,
            "thumbnail_height": height,
        })
    }
}

/// A task object on the wire. Borrowed, so that a batch copies no requests.
#[derive(Serialize)]
pub(crate) struct View<'a> {
    _id: String,
    id: &'a str,
    api_id: &'static str,
    application_id: &'static str,
    credential_id: &'static str,
    user_id: &'static str,
    trace_id: &'a str,
    created_at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elapsed: Option<f64>,
    request: &'a Value,
    response: Value,
}

/// Width and height of a video. 16:9 and 21:9 are the sizes seen; the others are alike in area.
pub(crate) fn size(aspect_ratio: &str) -> (u32, u32) {
    match aspect_ratio {
        "9:16" => (752, 1360),
        "1:1" => (1008, 1008),
        "4:3" => (1168, 880),
        "3:4" => (880, 1168),
        "21:9" => (1552, 656),
        "9:21" => (656, 1552),
        _ => (1360, 752),
    }
}

#[cfg(test)]
mod tests {
    use crate::{super::script::TaskScript, *};

    const SECOND: Duration = Duration::from_secs(1);

    fn task(script: TaskScript, drawn: Duration) -> Task {
        let names = Names {
            id: "t".into(),
            trace_id: "trace".into(),
            video_id: "v".into(),
        };
        let request = json!({ "prompt": "a", "aspect_ratio": "21:9" });
        Task::new(names, request, Instant::now(), drawn, script.steps)
    }

    fn words(task: &Task, seconds: &[f64]) -> Vec<(String, bool)> {
        let clock = Clock::start();
        let word = |at: &f64| {
            let now = task.accepted + Duration::from_secs_f64(*at);
            let view = task.view(&clock, "http://h", now);
            let word = view.response["state"].as_str().unwrap_or("-").to_owned();
            (word, view.finished_at.is_some())
        };
        seconds.iter().map(word).collect()
    }

    #[test]
    fn a_task_is_pending_then_processing_then_completed() {
        let task = task(TaskScript::completes(), 10 * SECOND);
        assert_eq!(
            words(&task, &[0.0, 0.9, 1.0, 9.9, 10.0, 99.0]),
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
    fn steps_follow_each_other() {
        let script = TaskScript::state_word("dreaming").after(SECOND).then(
            TaskScript::state_word("moderated")
                .after(SECOND)
                .finished(true),
        );
        let task = task(script, 10 * SECOND);
        assert_eq!(
            words(&task, &[0.5, 1.0, 2.0]),
            [
                ("processing".into(), false),
                ("dreaming".into(), false),
                ("moderated".into(), true)
            ]
        );
    }

    #[test]
    fn an_endless_task_ends_by_hand_only() {
        let mut task = task(TaskScript::completes(), Duration::MAX);
        assert_eq!(task.ends_at(), None);
        assert_eq!(words(&task, &[1e6]), [("processing".into(), false)]);
        let now = task.accepted + SECOND / 2;
        task.complete(now);
        assert_eq!(task.ends_at(), Some(now));
        assert_eq!(words(&task, &[0.5]), [("completed".into(), true)]);
    }

    #[test]
    fn a_finished_task_has_its_times_and_its_video() {
        let task = task(TaskScript::completes(), 10 * SECOND);
        let clock = Clock::start();
        let view = task.view(&clock, "http://h", task.accepted + 20 * SECOND);
        let view = serde_json::to_value(view).unwrap();
        assert_eq!(view["elapsed"], 9.0);
        assert_eq!(view["response"]["video_url"], "http://h/media/v.mp4");
        assert_eq!(view["response"]["video_width"], 1552);
        assert_eq!(view["request"]["prompt"], "a");
    }

    #[test]
    fn sizes_have_the_shape_of_their_ratio() {
        for ratio in super::super::submit::ASPECT_RATIOS {
            let (across, down) = ratio.split_once(':').unwrap();
            let shape = across.parse::<f64>().unwrap() / down.parse::<f64>().unwrap();
            let (width, height) = size(ratio);
            let drawn = f64::from(width) / f64::from(height);
            assert!(
                (drawn / shape - 1.0).abs() < 0.03,
                "{ratio}: {width}x{height}"
            );
        }
    }
}
