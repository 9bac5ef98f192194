//! From a task to its report.

use super::{
    advice,
    outcome::{Outcome, ResourceLink},
    results::{Problem, State, TaskReport, Thumbnail, VideoFile, web_url},
};
use crate::{Task, TaskId, TaskState, Video, fields::Timestamp};

impl TaskReport {
    /// What a lookup of the task shows.
    pub(crate) fn of(id: &TaskId, task: &Task, read_only: bool) -> Self {
        let failure = task.failure();
        let created = task.created_at.as_ref().and_then(Timestamp::unix_seconds);
        let mut report = Self {
            task_id: Some(id.to_string()),
            state: Some(State::from(&task.state())),
            created_at: created.map(|seconds| seconds as i64),
            error: failure.as_ref().map(advice::failure),
            ..Self::default()
        };
        let video = task.video();
        if let Some(video) = &video {
            report.video = VideoFile::of(video);
            report.thumbnail = Thumbnail::of(video);
        }
        report.next_step = match (&report.video, video, &failure) {
            (Some(file), ..) => advice::completed(file.id.is_some(), read_only),
            (None, Some(_), _) => {
                let message = "the service gave a video URL that is not a plain http or https URL";
                report.error = Some(Problem::new("unreadable_url", message));
                advice::UNREADABLE_URL.to_owned()
            }
            (None, None, Some(failure)) => advice::failed(failure, read_only),
            (None, None, None) => advice::RUNNING.to_owned(),
        };
        report
    }

    /// As one of many: with its prompt. What to do about a good one is said once for all.
    pub(crate) fn in_list(mut self, task: &Task) -> Self {
        let submitted = || task.request.as_ref()?.get("prompt")?.as_str().map(str::to_owned);
        let used = task.video().and_then(|video| video.prompt().map(str::to_owned));
        self.prompt = used.or_else(submitted);
        if self.error.is_none() {
            self.next_step.clear();
        }
        self
    }

    /// A task that could not be looked up.
    pub(crate) fn lost(id: &TaskId, (error, next_step): (Problem, String)) -> Self {
        Self { task_id: Some(id.to_string()), error: Some(error), next_step, ..Self::default() }
    }

    pub(crate) fn link(&self) -> Option<ResourceLink> {
        ResourceLink::new(&self.video.as_ref()?.url)
    }

    pub(crate) fn into_outcome(self) -> Outcome {
        let links = self.link().into_iter().collect();
        Outcome::new(&self, links)
    }
}

impl From<&TaskState> for State {
    fn from(state: &TaskState) -> Self {
        match state {
            TaskState::Pending => Self::Pending,
            TaskState::Processing => Self::Processing,
            TaskState::Completed => Self::Completed,
            TaskState::Failed => Self::Failed,
            _ => Self::Unknown,
        }
    }
}

impl VideoFile {
    /// The video, if its URL can be read. An id that does not have the shape of an id is left out.
    fn of(video: &Video) -> Option<Self> {
        let id = video.id().and_then(|id| id.parse::<TaskId>().ok());
        Some(Self {
            id: id.map(|id| id.to_string()),
            url: web_url(video.url())?.into(),
            width: video.width(),
            height: video.height(),
        })
    }
}

impl Thumbnail {
    fn of(video: &Video) -> Option<Self> {
        Some(Self { url: web_url(video.thumbnail_url()?)?.into() })
    }
}
