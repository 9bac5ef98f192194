//! What the tools give. Only what is named here ever reaches a model; the comments of the fields
//! are what it reads.

use schemars::JsonSchema;
use serde::Serialize;

use super::{advice, context::Offers, outcome::ResourceLink};
use crate::{
    task::{Task, TaskId, TaskState},
    video::Video,
    wire::Timestamp,
};

/// What every structured content looks like.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it is only a schema")]
pub(crate) struct Output<T> {
    /// What came of the call.
    result: T,
}

#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct TaskReport {
    /// The id of the task, for luma_get_task. Absent where no task is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) task_id: Option<String>,
    /// pending and processing: the video is being made. completed: video is there. failed: there
    /// will be none, error says why. unknown: a state that this version does not know, treated as
    /// not ended. Absent where no task was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<State>,
    /// The finished video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) video: Option<VideoFile>,
    /// A still picture of the video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thumbnail: Option<Thumbnail>,
    /// When the service accepted the task, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_at: Option<f64>,
    /// When the work began, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) started_at: Option<f64>,
    /// When the task ended, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) finished_at: Option<f64>,
    /// Why there is no video, or no task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Problem>,
    /// What to do now.
    pub(crate) next_step: String,
}

// No comments on the variants: they would become a union of constants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Pending,
    Processing,
    Completed,
    Failed,
    Unknown,
}

#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct VideoFile {
    /// The id by which the video can be extended. Absent where the service gave none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// Where it can be downloaded. It may expire: save the video soon, or look the task up again.
    pub(crate) url: String,
    /// In pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) width: Option<u32>,
    /// In pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) height: Option<u32>,
}

#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Thumbnail {
    /// Where it can be downloaded.
    pub(crate) url: String,
    /// In pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) width: Option<u32>,
    /// In pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) height: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Problem {
    /// A short word that names it, such as invalid_arguments, not_found, too_many_requests, or
    /// unconfirmed: the submit may have been accepted.
    pub(crate) code: String,
    /// The problem in words.
    pub(crate) message: String,
    /// Seconds to wait before the next call. Absent where not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after_seconds: Option<f64>,
    /// What to quote to the support of Ace Data Cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace_id: Option<String>,
}

#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct BatchReport {
    /// One item for each id, in the order of the ids. Absent where the whole call came to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tasks: Option<Vec<TaskReport>>,
    /// Why the whole call came to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Problem>,
    /// What to do now.
    pub(crate) next_step: String,
}

#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct AspectRatios {
    /// All that there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) aspect_ratios: Option<Vec<Ratio>>,
    /// The one that is taken when none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<String>,
    /// Why the call came to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Problem>,
    /// What to do now.
    pub(crate) next_step: String,
}

#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Ratio {
    /// What the argument aspect_ratio takes.
    pub(crate) aspect_ratio: String,
    /// Its shape.
    pub(crate) shape: &'static str,
    /// Where it fits.
    pub(crate) suits: &'static str,
}

#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Actions {
    /// What can be done, and with which tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actions: Option<Vec<Action>>,
    /// Which tools follow one another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) workflows: Option<Vec<Workflow>>,
    /// Why the call came to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Problem>,
    /// What to do now.
    pub(crate) next_step: String,
}

#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Action {
    /// What is wanted.
    pub(crate) goal: &'static str,
    /// The tool for it.
    pub(crate) tool: &'static str,
    /// The arguments that it cannot do without.
    pub(crate) needs: Vec<String>,
    /// Whether each call is billed.
    pub(crate) costs_credits: bool,
}

#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Workflow {
    /// What is wanted.
    pub(crate) goal: &'static str,
    /// What to do, in this order.
    pub(crate) steps: Vec<&'static str>,
}

impl TaskReport {
    /// What a lookup of the task shows.
    pub(crate) fn of(id: &TaskId, task: &Task, offers: Offers) -> Self {
        let video = task.video();
        let failure = task.failure();
        let state = State::from(&task.state());
        let time = |time: &Option<Timestamp>| time.as_ref().and_then(Timestamp::unix_seconds);
        Self {
            task_id: Some(id.to_string()),
            state: Some(state),
            thumbnail: video.as_ref().and_then(Thumbnail::of),
            created_at: time(&task.created_at),
            started_at: time(&task.started_at),
            finished_at: time(&task.finished_at),
            next_step: match (&video, &failure) {
                (Some(video), _) => advice::completed(video.id(), offers),
                (None, Some(failure)) => advice::failed(failure, offers),
                (None, None) => advice::going_on(id),
            },
            error: failure.map(Problem::from),
            video: video.map(VideoFile::from),
        }
    }

    /// A task that there is no report of.
    pub(crate) fn lost(id: &TaskId, error: Problem, next_step: String) -> Self {
        Self {
            task_id: Some(id.to_string()),
            error: Some(error),
            next_step,
            ..Self::default()
        }
    }

    pub(crate) fn links(&self) -> Vec<ResourceLink> {
        let id = self.task_id.as_deref().unwrap_or_default();
        let link = |url: &str, what| ResourceLink::new(url, format!("{what} of task {id}"));
        let video = self
            .video
            .as_ref()
            .and_then(|file| link(&file.url, "video"));
        let thumbnail = self.thumbnail.as_ref();
        let thumbnail = thumbnail.and_then(|file| link(&file.url, "thumbnail"));
        video.into_iter().chain(thumbnail).collect()
    }
}

impl From<&TaskState> for State {
    fn from(state: &TaskState) -> Self {
        match state {
            TaskState::Pending => Self::Pending,
            TaskState::Processing => Self::Processing,
            TaskState::Completed => Self::Completed,
            TaskState::Failed => Self::Failed,
            TaskState::Unknown(_) => Self::Unknown,
        }
    }
}

impl From<Video> for VideoFile {
    fn from(video: Video) -> Self {
        Self {
            id: video.id().map(str::to_owned),
            url: video.url().to_owned(),
            width: video.width(),
            height: video.height(),
        }
    }
}

impl Thumbnail {
    fn of(video: &Video) -> Option<Self> {
        let (width, height) = video.thumbnail_size().unzip();
        Some(Self {
            url: video.thumbnail_url()?.to_owned(),
            width,
            height,
        })
    }
}
