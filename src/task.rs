//! A task, and the one place that decides what state it is in.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize, Serializer};

pub use crate::api::types::Task;
use crate::{
    api::types::VideoResult,
    error::{ErrorCode, MESSAGE, WORD, tidy},
    video::Video,
    wire::{ErrorInfo, StateWord, TaskResponse},
};

/// The id of a task: all that is needed to await its video, in this process or another.
///
/// ```
/// use luma_client::TaskId;
///
/// let id: TaskId = "b8976e18-32dc-4718-9ed8-1ea090fcb6ea".parse()?;
/// let stored = serde_json::to_string(&id)?;
/// assert_eq!(serde_json::from_str::<TaskId>(&stored)?, id);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct TaskId(Arc<str>);

impl TaskId {
    /// The id as the service spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A string that cannot be a task id: blank, or with white space or control characters in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a task id is neither blank nor has spaces or control characters in it")]
#[non_exhaustive]
pub struct InvalidTaskId;

impl FromStr for TaskId {
    type Err = InvalidTaskId;

    /// Reads an id; white space around it is dropped.
    fn from_str(id: &str) -> Result<Self, InvalidTaskId> {
        let id = id.trim();
        if id.is_empty() || has_blanks(id) {
            return Err(InvalidTaskId);
        }
        Ok(Self(id.into()))
    }
}

impl TryFrom<&str> for TaskId {
    type Error = InvalidTaskId;

    fn try_from(id: &str) -> Result<Self, InvalidTaskId> {
        id.parse()
    }
}

impl TryFrom<String> for TaskId {
    type Error = InvalidTaskId;

    fn try_from(id: String) -> Result<Self, InvalidTaskId> {
        id.parse()
    }
}

impl From<TaskId> for String {
    fn from(id: TaskId) -> Self {
        id.as_str().to_owned()
    }
}

impl Serialize for TaskId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl AsRef<str> for TaskId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl std::borrow::Borrow<str> for TaskId {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({})", self.as_str())
    }
}

/// The state of a task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// Accepted, not begun.
    Pending,
    /// In work.
    Processing,
    /// Done: there is a video.
    Completed,
    /// Ended without a video.
    Failed,
    /// A word that this version does not know, as it was sent; or what kind of JSON came in place
    /// of a response. The task has not ended.
    Unknown(String),
}

impl TaskState {
    /// Whether the task has ended: its state never changes again.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Unknown(word) => word,
        })
    }
}

/// Why a task ended without a video, in the service's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// What kind of end it was.
    pub kind: FailureKind,
    /// The service's code.
    pub code: Option<ErrorCode>,
    /// The service's words.
    pub message: Option<String>,
    /// Quote it to the vendor's support.
    pub trace_id: Option<String>,
}

/// How a task ended without a video.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// The service reports that it failed, or was cancelled or refused.
    Reported,
    /// The service reports that it ended, but there is no video.
    NoVideo,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            FailureKind::Reported => "the task failed",
            FailureKind::NoVideo => "the task ended without a video",
        })?;
        if let Some(code) = &self.code {
            write!(f, ": {code}")?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        if let Some(trace_id) = &self.trace_id {
            write!(f, " [trace id {trace_id}]")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// What a report says of a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    Pending,
    Processing,
    Unknown(String),
    Completed,
    Failed(FailureKind),
    /// The report is an error about the lookup, not about the work.
    Refused,
    /// The report names no task at all.
    Missing,
}

impl Task {
    /// The state that this report shows.
    ///
    /// The services report it in several ways; the rules, first match first:
    /// no response yet: pending; a known state word decides, whatever `success` says, but completed
    /// needs a video; an unknown word is not terminal unless the task says that it has ended;
    /// without a word `success`, `error` and `video_url` decide.
    ///
    /// ```
    /// use luma_client::{Task, TaskState};
    ///
    /// let task: Task = serde_json::from_str(r#"{"id":"b8976e18","response":{"state":"dreaming"}}"#)?;
    /// assert_eq!(task.state(), TaskState::Processing);
    /// assert!(!task.state().is_terminal() && task.video().is_none() && task.failure().is_none());
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn state(&self) -> TaskState {
        self.verdict().into()
    }

    /// The video, once the task is completed.
    pub fn video(&self) -> Option<Video> {
        match self.verdict() {
            Verdict::Completed => Video::from_result(self.id.as_deref(), self.result()?),
            _ => None,
        }
    }

    /// Why there is no video, once the task has failed.
    pub fn failure(&self) -> Option<Failure> {
        let Verdict::Failed(kind) = self.verdict() else {
            return None;
        };
        let result = self.result();
        let error = self.error_info();
        Some(Failure {
            kind,
            code: error.and_then(ErrorInfo::code).map(ErrorCode::from),
            message: error
                .and_then(ErrorInfo::message)
                .map(|message| tidy(message, MESSAGE)),
            trace_id: result
                .and_then(|result| result.trace_id.as_ref())
                .or(self.trace_id.as_ref())
                .map(|id| tidy(id, WORD)),
        })
    }

    fn result(&self) -> Option<&VideoResult> {
        self.response.as_ref()?.result()
    }

    /// What the task says went wrong: in its response, or else beside it.
    pub(crate) fn error_info(&self) -> Option<&ErrorInfo> {
        self.result()
            .and_then(|result| result.error.as_ref())
            .or(self.error.as_ref())
            .filter(|error| error.is_some())
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let finished = self
            .finished_at
            .as_ref()
            .is_some_and(|time| time.unix_seconds().is_some());
        let nothing = VideoResult::default();
        let (result, is_empty) = match &self.response {
            Some(TaskResponse::Other(value)) if !value.is_null() => {
                return Verdict::Unknown(tidy(kind_of(value), WORD));
            }
            None | Some(TaskResponse::Other(_)) => (&nothing, true),
            Some(TaskResponse::Result(result)) => (&**result, is_empty(result)),
        };
        if is_empty && !finished {
            return if self.error_info().is_some() {
                Verdict::Refused
            } else if self.id.is_none() {
                Verdict::Missing
            } else {
                Verdict::Pending
            };
        }

        let has_video = has_text(&result.video_url);
        let success = result.success.or(self.success);
        let has_code = self.error_info().and_then(ErrorInfo::code).is_some();
        let ended = finished || (success == Some(false) && has_code);
        let completed_or = |otherwise: Verdict| match has_video {
            true => Verdict::Completed,
            false => otherwise,
        };

        let words = [&result.state, &result.status, &self.state, &self.status];
        let word = words.into_iter().flatten().find_map(StateWord::as_str);
        if let Some(word) = word {
            return match Meaning::of(word) {
                Meaning::Completed => completed_or(Verdict::Failed(FailureKind::NoVideo)),
                Meaning::Failed => Verdict::Failed(FailureKind::Reported),
                Meaning::Pending => Verdict::Pending,
                Meaning::Processing => Verdict::Processing,
                Meaning::Unknown if ended => completed_or(Verdict::Failed(FailureKind::Reported)),
                Meaning::Unknown => Verdict::Unknown(tidy(word, WORD)),
            };
        }
        match success {
            Some(true) => completed_or(Verdict::Pending),
            Some(false) if ended => Verdict::Failed(FailureKind::Reported),
            Some(false) => Verdict::Pending,
            None if finished => completed_or(Verdict::Failed(FailureKind::NoVideo)),
            None => completed_or(Verdict::Pending),
        }
    }
}

impl From<Verdict> for TaskState {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Processing => Self::Processing,
            Verdict::Unknown(word) => Self::Unknown(word),
            Verdict::Completed => Self::Completed,
            Verdict::Failed(_) => Self::Failed,
            Verdict::Pending | Verdict::Refused | Verdict::Missing => Self::Pending,
        }
    }
}

/// A synchronous answer or the body of a callback, as the task that a lookup would show.
impl From<VideoResult> for Task {
    fn from(result: VideoResult) -> Self {
        Self {
            id: result.task_id.clone(),
            trace_id: result.trace_id.clone(),
            response: Some(result.into()),
            ..Self::default()
        }
    }
}

enum Meaning {
    Completed,
    Failed,
    Pending,
    Processing,
    Unknown,
}

impl Meaning {
    fn of(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "completed" | "complete" | "succeeded" | "succeed" | "success" | "finished" => {
                Self::Completed
            }
            "failed" | "failure" | "error" | "cancelled" | "canceled" | "rejected" => Self::Failed,
            "pending" | "queued" | "submitted" => Self::Pending,
            "processing" | "running" | "dreaming" | "in_progress" => Self::Processing,
            _ => Self::Unknown,
        }
    }
}

/// Whether there is white space or a control character in it, as in no id and no URL.
pub(crate) fn has_blanks(text: &str) -> bool {
    // The quick way for the ids and URLs that there are.
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    !is_plain && text.contains(|c: char| c.is_whitespace() || c.is_control())
}

pub(crate) fn has_text(text: &Option<String>) -> bool {
    text.as_deref().is_some_and(|text| !text.trim().is_empty())
}

fn kind_of(value: &serde_json::Value) -> &str {
    match value {
        serde_json::Value::Array(_) => "a list",
        serde_json::Value::String(text) => text,
        serde_json::Value::Bool(_) => "a boolean",
        _ => "a number",
    }
}

/// Whether the response was `{}`.
fn is_empty(result: &VideoResult) -> bool {
    let VideoResult {
        error,
        extra,
        prompt,
        state,
        status,
        success,
        task_id,
        thumbnail_height,
        thumbnail_url,
        thumbnail_width,
        trace_id,
        video_height,
        video_id,
        video_url,
        video_width,
    } = result;
    let texts = [
        prompt,
        task_id,
        thumbnail_url,
        trace_id,
        video_id,
        video_url,
    ];
    let sizes = [thumbnail_height, thumbnail_width, video_height, video_width];
    texts.iter().all(|text| text.is_none())
        && sizes.iter().all(|size| size.is_none())
        && error.is_none()
        && state.is_none()
        && status.is_none()
        && success.is_none()
        && extra.is_empty()
}

#[cfg(test)]
mod tests;
