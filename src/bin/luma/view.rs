//! What is shown of a task. Only what is named here is printed: never the ids of user, account or
//! credential.

use std::{
    fmt,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use indicatif::HumanBytes;
use luma_client::{Task, TaskId, TaskState, Video, wire::Timestamp};
use serde::Serialize;

use crate::{
    failure::{Failure, Kind},
    output::{plain, styled},
};

/// A task as it is printed, for people or as JSON. Absent is what is not known.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TaskView {
    pub task_id: String,
    /// `pending`, `processing`, `completed`, `failed` or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// The prompt as the service used it, else as it was submitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<ThumbnailView>,
    /// Unix seconds, as the other times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<f64>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VideoView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ThumbnailView {
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

/// A file that was downloaded, now or earlier.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileView {
    pub path: PathBuf,
    pub bytes: u64,
}

impl TaskView {
    /// A task of which only the id is known.
    pub fn of_id(id: &TaskId) -> Self {
        Self {
            task_id: id.to_string(),
            ..Self::default()
        }
    }

    /// What a report says of a task.
    pub fn of(id: &TaskId, task: &Task) -> Self {
        let video = task.video();
        let time = |time: &Option<Timestamp>| time.as_ref().and_then(Timestamp::unix_seconds);
        let submitted = || Some(task.request.as_ref()?.get("prompt")?.as_str()?.to_owned());
        let used = video.as_ref().and_then(|video| video.prompt());
        Self {
            task_id: id.to_string(),
            state: Some(word(&task.state())),
            prompt: used.map(str::to_owned).or_else(submitted),
            thumbnail: video.as_ref().and_then(ThumbnailView::of),
            video: video.as_ref().map(VideoView::of),
            created_at: time(&task.created_at),
            started_at: time(&task.started_at),
            finished_at: time(&task.finished_at),
            elapsed: task.elapsed.as_ref().and_then(|elapsed| elapsed.as_f64()),
            file: None,
            error: task.failure().map(Failure::from),
        }
    }

    /// The same task, with what went wrong.
    pub fn with_error(mut self, failure: Failure) -> Self {
        if failure.kind == Kind::TaskFailed {
            self.state = Some("failed");
        }
        self.error = Some(failure);
        self
    }

    /// Whether there is more to show than the id.
    pub fn is_known(&self) -> bool {
        self.state.is_some()
    }
}

/// The word for a state; one that this version does not know is `unknown`.
pub fn word(state: &TaskState) -> &'static str {
    match state {
        TaskState::Pending => "pending",
        TaskState::Processing => "processing",
        TaskState::Completed => "completed",
        TaskState::Failed => "failed",
        _ => "unknown",
    }
}

impl VideoView {
    fn of(video: &Video) -> Self {
        Self {
            id: video.id().map(str::to_owned),
            url: video.url().to_owned(),
            width: video.width(),
            height: video.height(),
        }
    }
}

impl ThumbnailView {
    fn of(video: &Video) -> Option<Self> {
        let size = video.thumbnail_size();
        Some(Self {
            url: video.thumbnail_url()?.to_owned(),
            width: size.map(|(width, _)| width),
            height: size.map(|(_, height)| height),
        })
    }
}

impl fmt::Display for TaskView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut field = |name: &str, value: String| writeln!(f, "{name:<10} {value}");
        field("task", plain(&self.task_id))?;
        if let Some(state) = self.state {
            field("state", styled(state).to_string())?;
        }
        if let Some(prompt) = &self.prompt {
            field("prompt", plain(prompt))?;
        }
        if let Some(video) = &self.video {
            field("video", plain(&video.url))?;
            if let Some(id) = &video.id {
                field("video id", plain(id))?;
            }
            if let (Some(width), Some(height)) = (video.width, video.height) {
                field("size", format!("{width}x{height}"))?;
            }
        }
        if let Some(thumbnail) = &self.thumbnail {
            field("thumbnail", plain(&thumbnail.url))?;
        }
        if let Some(created) = self.created_at {
            field("created", utc(created))?;
        }
        if let Some(elapsed) = self.elapsed {
            field("took", format!("{elapsed:.1} s"))?;
        }
        if let Some(file) = &self.file {
            let size = HumanBytes(file.bytes);
            field("file", format!("{} ({size})", file.path.display()))?;
        }
        Ok(())
    }
}

/// A time in UTC, to the second.
pub fn utc(unix_seconds: f64) -> String {
    let offset = Duration::try_from_secs_f64(unix_seconds).unwrap_or_default();
    match SystemTime::UNIX_EPOCH.checked_add(offset) {
        // Beyond the year 9999 it cannot be written.
        Some(time) if unix_seconds < 253_402_300_800.0 => {
            humantime::format_rfc3339_seconds(time).to_string()
        }
        _ => unix_seconds.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task() -> Task {
        serde_json::from_value(json!({
            "id": "task-1",
            "user_id": "s3cret",
            "credential_id": "s3cret",
            "application_id": "s3cret",
            "api_id": "s3cret",
            "token": "s3cret",
            "created_at": 1_785_585_600.25,
            "finished_at": "2026-08-01T12:02:34Z",
            "elapsed": "154.3",
            "request": { "prompt": "A\u{1b}[2J fox", "token": "s3cret" },
            "response": {
                "state": "completed",
                "video_id": "video-1",
                "video_url": "https://cdn.example/1.mp4",
                "video_width": 1360,
                "video_height": 752,
                "thumbnail_url": "https://cdn.example/1.jpg",
                "thumbnail_width": 640,
                "thumbnail_height": 354,
                "secret": "s3cret",
            },
        }))
        .expect("a task")
    }

    fn view() -> TaskView {
        TaskView::of(&"task-1".parse().expect("an id"), &task())
    }

    #[test]
    fn only_what_is_named_is_shown() {
        let shown = serde_json::to_value(view()).expect("JSON");
        let expected = json!({
            "task_id": "task-1",
            "state": "completed",
            "prompt": "A\u{1b}[2J fox",
            "video": {
                "id": "video-1",
                "url": "https://cdn.example/1.mp4",
                "width": 1360,
                "height": 752,
            },
            "thumbnail": { "url": "https://cdn.example/1.jpg", "width": 640, "height": 354 },
            "created_at": 1_785_585_600.25,
            "finished_at": 1_785_585_754.0,
            "elapsed": 154.3,
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn for_people() {
        let expected = "\
task       task-1
state      completed
prompt     A[2J fox
video      https://cdn.example/1.mp4
video id   video-1
size       1360x752
thumbnail  https://cdn.example/1.jpg
created    2026-08-01T12:00:00Z
took       154.3 s
";
        console::set_colors_enabled(false);
        assert_eq!(view().to_string(), expected);
    }

    #[test]
    fn times_that_no_calendar_has_are_numbers() {
        assert_eq!(utc(0.0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(1e30), "1000000000000000000000000000000");
    }
}
