//! A task, and the one place that decides what state it is in.

use std::fmt;

use serde_json::Value;

use super::{
    error_code::ErrorCode,
    fields::{ErrorInfo, RawState, Timestamp},
    response::TaskResponse,
    video::Video,
};
pub use crate::api::types::Task;
use crate::{
    api::types::VideoResult,
    util::text::{MESSAGE, WORD, clean},
};

/// The state of a task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// Accepted, but not begun.
    Pending,
    /// Being made.
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
    /// Returns whether the task has ended. Its state then never changes again.
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

/// Why a task ended without a video, as the service reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskFailure {
    /// How the task ended.
    pub kind: FailureKind,
    /// The service's code.
    pub code: Option<ErrorCode>,
    /// The service's message.
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
    /// The service reports that the task is completed, but without a video.
    NoVideo,
}

impl fmt::Display for TaskFailure {
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

impl std::error::Error for TaskFailure {}

/// What a report says of a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Pending,
    Processing,
    Unknown(String),
    Completed,
    Failed(FailureKind),
    /// `success` is false, and nothing says why or that the task has ended.
    Unsuccessful,
    /// The report is an error about the lookup, not about the work.
    Refused,
    /// The report names no task at all.
    Missing,
}

impl Task {
    /// Returns the state that this report shows.
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
        self.outcome().into()
    }

    /// Returns the video, if the task is completed.
    pub fn video(&self) -> Option<Video> {
        let result = self.result().filter(|_| self.outcome() == Outcome::Completed)?;
        let ended = self.finished_at.as_ref().and_then(Timestamp::to_system_time);
        Video::from_result(self.id.as_deref(), result, ended)
    }

    /// Returns why there is no video, if the task has failed.
    pub fn failure(&self) -> Option<TaskFailure> {
        match self.outcome() {
            Outcome::Failed(kind) => Some(self.failure_of(kind)),
            _ => None,
        }
    }

    /// What the task says of its end, if it has failed like this.
    pub(crate) fn failure_of(&self, kind: FailureKind) -> TaskFailure {
        let result = self.result();
        let error = self.error_info();
        TaskFailure {
            kind,
            code: error.and_then(ErrorInfo::code).map(ErrorCode::from),
            message: error.and_then(ErrorInfo::message).map(|message| clean(message, MESSAGE)),
            trace_id: result
                .and_then(|result| result.trace_id.as_ref())
                .or(self.trace_id.as_ref())
                .map(|id| clean(id, WORD)),
        }
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

    pub(crate) fn outcome(&self) -> Outcome {
        use FailureKind::{NoVideo, Reported};
        use Outcome::{
            Completed, Failed, Missing, Pending, Processing, Refused, Unknown, Unsuccessful,
        };

        let finished = self.finished_at.as_ref().is_some_and(|time| time.unix_seconds().is_some());
        let nothing = VideoResult::default();
        let result = match &self.response {
            Some(TaskResponse::Result(result)) => result,
            None | Some(TaskResponse::Other(Value::Null)) => &nothing,
            Some(TaskResponse::Other(value)) => return Unknown(clean(kind_of(value), WORD)),
        };
        if *result == nothing && !finished {
            return match (self.error_info(), &self.id) {
                (Some(_), _) => Refused,
                (None, None) => Missing,
                (None, Some(_)) => Pending,
            };
        }

        let has_video = result.video_url.as_ref().is_some_and(|url| !url.trim().is_empty());
        let completed_or = |otherwise| if has_video { Completed } else { otherwise };
        let success = result.success.or(self.success);
        let has_code = self.error_info().and_then(ErrorInfo::code).is_some();
        let ended = finished || (success == Some(false) && has_code);

        let words = [&result.state, &result.status, &self.state, &self.status];
        let Some(word) = words.into_iter().flatten().find_map(RawState::as_str) else {
            return match success {
                Some(false) if ended => Failed(Reported),
                Some(false) => Unsuccessful,
                None if finished => completed_or(Failed(NoVideo)),
                Some(true) | None => completed_or(Pending),
            };
        };
        match word.to_ascii_lowercase().as_str() {
            "completed" | "complete" | "succeeded" | "succeed" | "success" | "finished" => {
                completed_or(Failed(NoVideo))
            }
            "failed" | "failure" | "error" | "cancelled" | "canceled" | "rejected" => {
                Failed(Reported)
            }
            "pending" | "queued" | "submitted" => Pending,
            "processing" | "running" | "dreaming" | "in_progress" => Processing,
            _ if ended => completed_or(Failed(Reported)),
            _ => Unknown(clean(word, WORD)),
        }
    }
}

impl From<Outcome> for TaskState {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Processing => Self::Processing,
            Outcome::Unknown(word) => Self::Unknown(word),
            Outcome::Completed => Self::Completed,
            Outcome::Failed(_) => Self::Failed,
            _ => Self::Pending,
        }
    }
}

/// A synchronous response or the body of a callback, as the task that a lookup would show.
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

fn kind_of(value: &Value) -> &str {
    match value {
        Value::Array(_) => "a list",
        Value::String(text) => text,
        Value::Bool(_) => "a boolean",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests;
