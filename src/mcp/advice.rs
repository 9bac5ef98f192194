//! What a model is told to do next. Pure functions.

use std::time::Duration;

use super::{context::Offers, results::Problem};
use crate::{
    error::{ApiError, Error, ErrorCode},
    task::{Failure, FailureKind, TaskId},
};

/// How much of the service's words is passed on, in characters.
const WORDS: usize = 500;

/// Where the call stood when the error came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing was accepted, and nothing is billed.
    Submit,
    /// Free, and safe to repeat.
    Lookup,
}

pub(crate) fn going_on(id: &TaskId) -> String {
    format!(
        "The video is being made, which takes 1 to 5 minutes; it is billed, so do not submit it \
         again. Call luma_get_task with task_id {id} in about 20 seconds, and again until the \
         state is completed or failed."
    )
}

pub(crate) fn completed(video_id: Option<&str>, offers: Offers) -> String {
    let done = "Give the user the URL of the video; nothing needs to be looked up any more.";
    let more = match (offers, video_id) {
        (Offers::Lookups, _) => return done.to_owned(),
        (Offers::All, Some(id)) => format!("call luma_extend_video with video_id {id}"),
        (Offers::All, None) => "call luma_extend_video_from_url with its URL".to_owned(),
    };
    format!("{done} Only if it should be longer, {more}.")
}

pub(crate) fn failed(failure: &Failure, offers: Offers) -> String {
    let ended = "The task has ended without a video, and looking it up again changes nothing.";
    if offers == Offers::Lookups {
        return format!("{ended} Tell the user the reason.");
    }
    let cause = match failure.code {
        Some(ErrorCode::Forbidden) => {
            "Moderation refused it: change the prompt or the pictures before another attempt."
        }
        Some(ErrorCode::UsedUp | ErrorCode::PaymentRequired) => {
            "Ask the user to top up the Ace Data Cloud account before another attempt."
        }
        Some(ErrorCode::BadRequest) => {
            "Look for the fault in what was submitted, such as a picture that cannot be fetched."
        }
        _ => "Tell the user the reason.",
    };
    format!(
        "{ended} {cause} Another attempt is a new video with its own bill: submit it only if the \
         user wants it."
    )
}

pub(crate) fn batch(going_on: usize, missing: usize) -> String {
    let mut steps = match going_on {
        0 => "No task is going on any more: use what is there.".to_owned(),
        1 => "One task is going on: call luma_get_task with its id in about 20 seconds.".to_owned(),
        many => format!(
            "{many} tasks are going on: call luma_get_tasks_batch with their ids alone in about 20 \
             seconds."
        ),
    };
    if missing > 0 {
        steps.push_str(
            " Items with the error not_found have no task: check their ids, but do not submit \
             anything again on their account.",
        );
    }
    steps
}

pub(crate) fn invalid(tool: &str, problems: &[String]) -> (Problem, String) {
    let costs = "Nothing was sent and nothing was billed.";
    let problem = Problem::new("invalid_arguments", problems.join("; "));
    (
        problem,
        format!("{costs} Correct the arguments and call {tool} again."),
    )
}

pub(crate) fn cancelled(stage: Stage) -> (Problem, String) {
    let next = match stage {
        Stage::Submit => "Nothing was sent and nothing was billed.",
        Stage::Lookup => "The task itself goes on and can be looked up again.",
    };
    (
        Problem::new("cancelled", "the call was cancelled"),
        next.to_owned(),
    )
}

pub(crate) fn not_found(id: &TaskId) -> (Problem, String) {
    (
        Problem::new("not_found", format!("no task has the id {id}")),
        "Check that it is the task_id which a generate or extend tool returned, and not a video \
         id, and that it belongs to this account. Do not submit the video again because of this."
            .to_owned(),
    )
}

fn with_cause(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// A submit that may have been accepted.
pub(crate) fn unconfirmed(error: &Error, doubt: &str) -> (Problem, String) {
    (
        Problem::new(
            "unconfirmed",
            format!("{}; looking for it: {doubt}", with_cause(error)),
        ),
        "Do not submit it again: it may have been accepted and billed. Tell the user that the \
         answer was lost, and let the user look in the Ace Data Cloud console and decide."
            .to_owned(),
    )
}

/// A submit whose answer was lost, but that the service does not have.
pub(crate) fn not_accepted(error: &Error) -> (Problem, String) {
    (
        Problem::new(
            "not_accepted",
            format!("the service has no such task: {}", with_cause(error)),
        ),
        "It was not accepted and not billed. The same call can be made once more.".to_owned(),
    )
}

/// What an error means, and what to do about it.
pub(crate) fn explain(error: &Error, stage: Stage) -> (Problem, String) {
    let again = match stage {
        Stage::Submit => "Nothing was accepted and nothing was billed.",
        Stage::Lookup => "Looking up is free, and the task itself is not affected.",
    };
    let later = |wait: Option<Duration>| match wait {
        Some(wait) => format!(
            "{again} Wait {} seconds, then make the same call again.",
            seconds(wait)
        ),
        None => format!("{again} Wait 10 seconds, then make the same call again."),
    };
    match error {
        Error::NotFound { task } => not_found(task),
        Error::Api(api) => (Problem::from(&**api), api_advice(api, stage, again, later)),
        Error::InvalidInput(input) => (
            Problem::new("invalid_arguments", input.to_string()),
            "Nothing was sent and nothing was billed. Correct the arguments and call again."
                .to_owned(),
        ),
        Error::Config(config) => (
            Problem::new("configuration", config.to_string()),
            "Ask the user to correct the set-up; no call can succeed before.".to_owned(),
        ),
        Error::Transport(transport) => (
            Problem::new(
                match (transport.is_connect(), transport.is_timeout()) {
                    (true, _) => "no_connection",
                    (false, true) => "timeout",
                    (false, false) => "connection_lost",
                },
                transport.to_string(),
            ),
            later(None),
        ),
        Error::Decode(decode) => (
            Problem::new("unreadable_answer", decode.to_string()),
            later(None),
        ),
        Error::Unconfirmed { .. } => unconfirmed(error, "not done"),
        Error::Wait(wait) => (
            Problem::new("wait", wait.to_string()),
            "Look the task up again later.".to_owned(),
        ),
        // No tool downloads; a host that does has the task still.
        Error::Download(download) => (
            Problem::new("download_failed", download.to_string()),
            "Downloads are free. Look the task up again for a fresh URL.".to_owned(),
        ),
    }
}

fn api_advice(
    error: &ApiError,
    stage: Stage,
    again: &str,
    later: impl Fn(Option<Duration>) -> String,
) -> String {
    let retry_after = error.retry_after;
    match (&error.code, error.status.as_u16()) {
        (
            Some(
                ErrorCode::InvalidToken
                | ErrorCode::TokenExpired
                | ErrorCode::NoToken
                | ErrorCode::TokenMismatched,
            ),
            _,
        )
        | (None | Some(ErrorCode::Other(_)), 401) => format!(
            "{again} Ask the user to check the API token of Ace Data Cloud; no call can succeed \
             before."
        ),
        (Some(ErrorCode::PaymentRequired | ErrorCode::UsedUp), _)
        | (None | Some(ErrorCode::Other(_)), 402) => format!(
            "{again} Ask the user to top up the Ace Data Cloud account; do not call again before."
        ),
        (Some(ErrorCode::Disabled), _) => format!(
            "{again} The application or the service is disabled: ask the user to enable it in the \
             Ace Data Cloud console."
        ),
        (Some(ErrorCode::Forbidden), _) => match stage {
            Stage::Submit => format!(
                "{again} Moderation refused it: change the prompt or the pictures, then call again."
            ),
            Stage::Lookup => format!(
                "{again} This account may not see it: tell the user, and submit nothing again \
                 because of this."
            ),
        },
        (Some(ErrorCode::BadRequest), _) => {
            format!("{again} Correct the arguments by the message, then call again.")
        }
        (Some(ErrorCode::ApiNotImplemented), _) => {
            format!("{again} The service cannot do this: do not call again, tell the user.")
        }
        _ if error.is_transient() || error.is_rate_limit() => later(retry_after),
        _ => format!("{again} Tell the user; the same call will not do better."),
    }
}

/// Whole seconds, rounded up.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

impl Problem {
    pub(crate) fn new(code: &str, message: impl AsRef<str>) -> Self {
        Self {
            code: words(code),
            message: words(message.as_ref()),
            ..Self::default()
        }
    }
}

impl From<&ApiError> for Problem {
    fn from(error: &ApiError) -> Self {
        let status = format!("http_{}", error.status.as_u16());
        let code = error.code.as_ref().map_or(&*status, ErrorCode::as_str);
        let reason = error.status.canonical_reason().unwrap_or("an error");
        let message = match error.message.trim() {
            "" => format!("the service answered: {reason}"),
            message => message.to_owned(),
        };
        Self {
            retry_after_seconds: error.retry_after.map(|wait| seconds(wait) as f64),
            trace_id: error.trace_id.as_deref().map(words),
            ..Self::new(code, message)
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let (code, message) = match failure.kind {
            FailureKind::Reported => ("failed", "the service gives no reason"),
            FailureKind::NoVideo => ("no_video", "the task ended without a video"),
        };
        let message = failure.message.as_deref().unwrap_or(message);
        Self {
            trace_id: failure.trace_id.as_deref().map(words),
            ..Self::new(
                failure.code.as_ref().map_or(code, ErrorCode::as_str),
                message,
            )
        }
    }
}

/// The service's words as one line of bounded length.
fn words(text: &str) -> String {
    let mut line = String::new();
    for (count, c) in text.trim().chars().enumerate() {
        match c {
            _ if count == WORDS => {
                line.push('…');
                break;
            }
            c if c.is_control() => line.push(' '),
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::*;

    fn api(status: u16, body: &str, retry_after: Option<&'static str>) -> Error {
        let mut headers = HeaderMap::new();
        headers.extend(retry_after.map(|value| {
            let value = HeaderValue::from_static(value);
            (http::header::RETRY_AFTER, value)
        }));
        let status = StatusCode::from_u16(status).expect("a status");
        ApiError::read(status, &headers, body.as_bytes()).into()
    }

    fn coded(status: u16, code: &str) -> Error {
        let body = format!(r#"{{"error":{{"code":"{code}","message":"Because."}}}}"#);
        api(status, &body, None)
    }

    #[test]
    fn each_error_has_its_own_way_out() {
        for (error, code, advice) in [
            (
                coded(401, "invalid_token"),
                "invalid_token",
                "check the API token",
            ),
            (
                coded(401, "token_expired"),
                "token_expired",
                "check the API token",
            ),
            (
                coded(400, "token_mismatched"),
                "token_mismatched",
                "check the API token",
            ),
            (api(401, "", None), "http_401", "check the API token"),
            (coded(403, "used_up"), "used_up", "top up"),
            (api(402, "", None), "http_402", "top up"),
            (coded(403, "disabled"), "disabled", "enable it"),
            (
                coded(400, "bad_request"),
                "bad_request",
                "Correct the arguments",
            ),
            (
                coded(400, "api_not_implemented"),
                "api_not_implemented",
                "do not call again",
            ),
            (api(429, "", Some("7")), "http_429", "Wait 7 seconds"),
            (api(429, "", Some("1.2")), "http_429", "Wait 2 seconds"),
            (
                coded(429, "too_many_requests"),
                "too_many_requests",
                "Wait 10 seconds",
            ),
            (coded(500, "api_error"), "api_error", "Wait 10 seconds"),
            (api(502, "<html>", None), "http_502", "Wait 10 seconds"),
            (coded(400, "brand_new"), "brand_new", "will not do better"),
        ] {
            for (stage, cost) in [
                (Stage::Submit, "nothing was billed"),
                (Stage::Lookup, "is free"),
            ] {
                let (problem, next) = explain(&error, stage);
                assert_eq!(problem.code, code);
                assert!(next.contains(advice), "{code}: {next}");
                assert!(next.contains(cost), "{code}: {next}");
                assert!(!problem.message.is_empty());
            }
        }
    }

    #[test]
    fn moderation_refuses_submits_alone() {
        let forbidden = coded(403, "forbidden");
        for (stage, says, says_not) in [
            (Stage::Submit, "change the prompt", "may not see it"),
            (Stage::Lookup, "may not see it", "change the prompt"),
        ] {
            let (problem, next) = explain(&forbidden, stage);
            assert_eq!(problem.code, "forbidden");
            assert!(next.contains(says) && !next.contains(says_not), "{next}");
        }
    }

    #[test]
    fn the_service_s_words_are_bounded() {
        let long = api(
            400,
            &format!(r#"{{"error":"{}"}}"#, "x".repeat(10_000)),
            None,
        );
        let (problem, _) = explain(&long, Stage::Lookup);
        assert_eq!(problem.message.chars().count(), WORDS + 1);
        assert_eq!(words(" a\u{0}b\nc "), "a b c");
    }
}
