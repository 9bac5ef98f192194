//! The next step for the model. Pure functions.
//!
//! A next step is an order that models obey, so it never quotes the service or an argument: it names the
//! field of the result.

use super::results::Problem;
use crate::{ApiError, ErrorCode, FailureKind, RequestError, TaskFailure};

/// How long to wait before a retry, in seconds, if the service does not say.
const RETRY_AFTER: f64 = 10.0;

/// What the call did when the error came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing was accepted, and nothing is billed.
    Submit,
    /// Free, and safe to repeat.
    Lookup,
}

impl Stage {
    fn cost(self) -> &'static str {
        match self {
            Self::Submit => "Nothing was accepted, and no credits were spent.",
            Self::Lookup => "Lookups are free, and the task itself is not affected.",
        }
    }
}

pub(crate) const RUNNING: &str = "The video is being made, which usually takes 1 to 5 minutes. Do not \
    submit it again. Call luma_get_task with this task_id in about 20 seconds, and repeat until the state \
    is completed or failed.";

pub(crate) const UNSENT: &str = "Nothing was sent, and no credits were spent.";

pub(crate) const NOT_FOUND: &str = "Check that the id is the task_id from a generate or extend tool, not a \
    video id, and that it belongs to this account; luma_list_tasks finds lost ids. Do not submit the video \
    again because of this.";

pub(crate) const UNREADABLE_URL: &str = "The video was made, but its URL cannot be used. Do not submit the \
    video again because of this. Look the task up once more in a minute, and tell the user if the error stays.";

/// After a submit whose response was lost, and that reconciliation did not find.
pub(crate) const UNCONFIRMED: &str = "Do not submit it again: it may have been accepted and may be billed. \
    Look for its prompt with luma_list_tasks in a minute. If it is not there, tell the user that the response \
    was lost, and let the user check the Ace Data Cloud console and decide.";

/// After a list that the service refuses. It is observed, not published.
pub(crate) const NO_HISTORY: &str = "Do not repeat the call: the service does not publish the history of an \
    account and need not answer. Look tasks up by their ids, or let the user find them in the Ace Data Cloud \
    console. Do not submit a video again because of this.";

pub(crate) const LISTED: &str = "Use task_id or video.id as it is. If the task is not here, call again with \
    next_cursor if there is one.";

pub(crate) fn completed(has_id: bool, read_only: bool) -> String {
    let extend = match (read_only, has_id) {
        (true, _) => "",
        (false, true) => " To extend it, call luma_extend_video with video.id.",
        (false, false) => " To extend it, call luma_extend_video_from_url with video.url.",
    };
    format!("Give the user video.url.{extend}")
}

pub(crate) fn failed(failure: &TaskFailure, read_only: bool) -> String {
    let remedy = remedy(failure.code.as_ref());
    let remedy = remedy.unwrap_or_else(|| "Tell the user the reason.".to_owned());
    let again = match read_only {
        true => "",
        false => {
            " Another attempt makes a new video and spends credits: submit it only if the user wants it."
        }
    };
    format!("The task ended without a video, and another lookup gives the same. {remedy}{again}")
}

pub(crate) fn batch(running: usize, missing: usize) -> String {
    let mut steps = match running {
        0 if missing > 0 => "No other task is running.".to_owned(),
        0 => "No task is running any more.".to_owned(),
        1 => {
            "1 task is running: call luma_get_task with its task_id in about 20 seconds.".to_owned()
        }
        many => format!(
            "{many} tasks are running: call luma_get_tasks_batch with only their ids in about 20 seconds."
        ),
    };
    if missing > 0 {
        steps.push_str(
            " Items without a state were not found or not read: see their error, and do not submit \
             anything again because of them.",
        );
    }
    steps
}

/// The code of a failed task, and the reason in words.
pub(crate) fn failure(failure: &TaskFailure) -> Problem {
    let (code, message) = match failure.kind {
        FailureKind::NoVideo => ("no_video", "the task ended without a video"),
        _ => ("failed", "the service gave no reason"),
    };
    let code = failure.code.as_ref().map_or(code, ErrorCode::as_str);
    let message = failure.message.as_deref().unwrap_or(message);
    Problem::new(code, message).traced(failure.trace_id.as_deref())
}

pub(crate) fn cancelled() -> (Problem, String) {
    let problem = Problem::new("cancelled", "the call was cancelled");
    (problem, "Nothing was submitted by this call. Repeat it if it is still needed.".to_owned())
}

pub(crate) fn later(stage: Stage, seconds: Option<f64>) -> String {
    let (cost, seconds) = (stage.cost(), seconds.unwrap_or(RETRY_AFTER));
    format!("{cost} Wait {seconds} seconds, then repeat the call.")
}

/// The code of a failed request, the reason in words, and the next step.
pub(crate) fn explain(error: &RequestError, stage: Stage) -> (Problem, String) {
    let retry_after = error.retry_after().map(|wait| wait.as_secs_f64().ceil());
    let mut problem = match error {
        RequestError::Api(api) => api_problem(api),
        RequestError::NotFound { .. } => Problem::new("not_found", &error.to_string()),
        RequestError::Transport(transport) => {
            let code = match (transport.is_connect(), transport.is_timeout()) {
                (true, _) => "no_connection",
                (false, true) => "timeout",
                (false, false) => "connection_lost",
            };
            Problem::new(code, &transport.to_string())
        }
        _ => Problem::new("unreadable_response", &error.to_string()),
    };
    problem.retry_after_seconds = retry_after;
    let cost = stage.cost();
    let code = error.api().and_then(code);
    let next_step = match (error, code) {
        (RequestError::NotFound { .. }, _) => NOT_FOUND.to_owned(),
        (_, Some(ErrorCode::Forbidden)) if stage == Stage::Lookup => format!(
            "{cost} This account may not see it. Tell the user, and do not submit the video again."
        ),
        _ if error.is_retryable() => later(stage, retry_after),
        (_, code) => {
            let remedy = remedy(code.as_ref());
            let remedy =
                remedy.as_deref().unwrap_or("Tell the user: a repeat gives the same error.");
            format!("{cost} {remedy}")
        }
    };
    (problem, next_step)
}

/// Whether the service refuses to list tasks at all, whatever the account.
pub(crate) fn is_refused_history(error: &RequestError) -> bool {
    let refuses = |error: &ApiError| {
        let code = code(error).and_then(|code| remedy(Some(&code)));
        error.status.is_client_error() && !code.is_some_and(|text| text.starts_with("Tell"))
    };
    !error.is_retryable() && error.api().is_some_and(refuses)
}

/// The remedy for an error code, and who can apply it.
fn remedy(code: Option<&ErrorCode>) -> Option<String> {
    use ErrorCode::{
        Disabled, InvalidToken, NoToken, PaymentRequired, TokenExpired, TokenMismatched, UsedUp,
    };
    let remedy = code?.remedy()?;
    Some(match code? {
        Disabled | InvalidToken | NoToken | PaymentRequired | TokenExpired | TokenMismatched
        | UsedUp => {
            format!("Tell the user: {remedy}. No call can succeed before that.")
        }
        _ => format!("To fix it: {remedy}."),
    })
}

/// The code of an error, or the one that its HTTP status stands for.
fn code(error: &ApiError) -> Option<ErrorCode> {
    match (&error.code, error.status.as_u16()) {
        (None | Some(ErrorCode::Other(_)), 401) => Some(ErrorCode::InvalidToken),
        (None | Some(ErrorCode::Other(_)), 402) => Some(ErrorCode::PaymentRequired),
        (code, _) => code.clone(),
    }
}

fn api_problem(error: &ApiError) -> Problem {
    let status = format!("http_{}", error.status.as_u16());
    let code = error.code.as_ref().map_or(&*status, ErrorCode::as_str);
    let reason = error.status.canonical_reason().unwrap_or("an error");
    let problem = match error.message.trim() {
        "" => Problem::new(code, &format!("the service responded: {reason}")),
        message => Problem::new(code, message),
    };
    problem.traced(error.trace_id.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remedy_of_an_account_error_is_for_the_user() {
        for (code, part) in [
            (ErrorCode::InvalidToken, "Tell the user: check the API token"),
            (ErrorCode::UsedUp, "top up"),
            (ErrorCode::Disabled, "enable it"),
            (ErrorCode::BadRequest, "To fix it: correct the request"),
            (ErrorCode::Forbidden, "change the prompt"),
        ] {
            let remedy = remedy(Some(&code)).expect("a remedy");
            assert!(remedy.contains(part), "{code}: {remedy}");
        }
        assert_eq!(remedy(Some(&ErrorCode::Other("new".into()))), None);
        assert_eq!(remedy(None), None);
    }
}
