//! The body of a callback, as the task that a lookup would show.
//!
//! Callbacks are **unsigned**: anybody who knows the URL can send one. Keep the URL secret (a
//! random path for each task), take a callback as a hint, and look the task up before anything
//! important depends on it. They may come twice, and before the response to the submit.
//!
//! ```
//! use luma_client::{TaskState, webhook};
//!
//! let body = br#"{"success":true,"task_id":"b8976e18","state":"completed",
//!     "video_id":"5c0f9f0c","video_url":"https://example.com/video.mp4"}"#;
//! let task = webhook::parse(body)?;
//! assert_eq!(task.state(), TaskState::Completed);
//! // luma.notify(task) ends the waits on it.
//! # Ok::<(), webhook::WebhookError>(())
//! ```
//!
//! The example [`webhook`](crate::guide::examples::webhook) receives callbacks with axum.

use crate::{
    api::types::VideoResult,
    model::{Task, decode},
    util::{TaskId, json::to_utf8},
};

/// The largest body that is read, in bytes: a callback has about one KiB.
pub const MAX_BYTES: usize = 1 << 16;

/// Why a body is not a callback.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// The body is larger than [`MAX_BYTES`].
    #[error("the callback has {0} bytes: at most {MAX_BYTES} are read")]
    TooLarge(usize),
    /// The body is not a JSON object.
    #[error("the callback is not a JSON object")]
    NotAnObject,
    /// The body names no task.
    #[error("the callback names no task: it has no task_id")]
    NoTaskId,
}

/// Reads a callback, see [above](self). Unknown fields are kept; those of unexpected types too, in
/// `extra` under `unreadable`.
///
/// # Errors
///
/// [`WebhookError`] if it is too large, not a JSON object, or names no task.
pub fn parse(body: &[u8]) -> Result<Task, WebhookError> {
    if body.len() > MAX_BYTES {
        return Err(WebhookError::TooLarge(body.len()));
    }
    let result: VideoResult = decode(&to_utf8(body)).map_err(|_| WebhookError::NotAnObject)?;
    let id = result.task_id.as_deref().map(str::parse::<TaskId>);
    let Some(Ok(id)) = id else {
        return Err(WebhookError::NoTaskId);
    };
    Ok(Task { id: Some(id.into()), ..Task::from(result) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TaskState;

    #[test]
    fn body_of_each_form_is_read() {
        for (body, expected) in [
            (r#"{"task_id":" a ","state":"completed","video_url":"u"}"#, Ok(TaskState::Completed)),
            (
                r#"{"task_id":"a","success":false,"error":{"code":"forbidden"}}"#,
                Ok(TaskState::Failed),
            ),
            (r#"{"task_id":"a","state":"dreaming"}"#, Ok(TaskState::Processing)),
            (
                r#"{"task_id":"a","state":"completed","video_url":"u","prompt":7}"#,
                Ok(TaskState::Completed),
            ),
            ("\u{feff}{\"task_id\":\"a\",\"state\":\"failed\"}", Ok(TaskState::Failed)),
            (
                r#"{"task_id":"a","state":"completed","video_url":"u","prompt":"cut \ud83d"}"#,
                Ok(TaskState::Completed),
            ),
            (r#"{"task_id":""}"#, Err(WebhookError::NoTaskId)),
            (r#"{"task_id":7}"#, Err(WebhookError::NoTaskId)),
            ("{}", Err(WebhookError::NoTaskId)),
            ("[]", Err(WebhookError::NotAnObject)),
            ("null", Err(WebhookError::NotAnObject)),
            ("", Err(WebhookError::NotAnObject)),
        ] {
            let got = parse(body.as_bytes());
            if let Ok(task) = &got {
                assert_eq!(task.id.as_deref(), Some("a"), "{body}");
            }
            assert_eq!(got.map(|task| task.state()), expected, "{body}");
        }
    }

    #[test]
    fn body_over_the_limit_is_refused() {
        let body = vec![b' '; MAX_BYTES + 1];
        let error = parse(&body).expect_err("too large");
        assert_eq!(error, WebhookError::TooLarge(MAX_BYTES + 1));
    }
}
