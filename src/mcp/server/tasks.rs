//! Tasks of MCP (the extension `io.modelcontextprotocol/tasks`) made of tasks of the service.
//!
//! Nothing is kept here: the id of the task is the service's own, so that any server with the same
//! account, also one that was started later, answers for it.

use rmcp::{
    ErrorData,
    model::{
        ClientCapabilities, CreateTaskResult, DetailedTask, GetTaskResult, JsonObject,
        RequestMetaObject, Task as McpTask, TaskPayload, TaskStatus,
    },
};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    Error, Luma, Task, TaskId, TaskState,
    mcp::{Outcome, context::Offers, dispatch, results::TaskReport},
    wire::Timestamp,
};

/// How often a client should look, in milliseconds: the vendor asks for no less than 3 seconds.
const POLL_INTERVAL_MS: u64 = 5_000;

/// Whether this very request declares the extension. What a client said in `initialize` does not
/// count: the clients of that time knew other tasks, under the same word.
pub(super) fn declared(meta: &RequestMetaObject) -> bool {
    meta.client_capabilities()
        .is_some_and(|capabilities| capabilities.supports_tasks())
}

/// The answer to a `tasks/…` request that does not declare the extension.
pub(super) fn undeclared() -> ErrorData {
    let required = ClientCapabilities::builder().enable_tasks().build();
    ErrorData::missing_required_client_capability(required)
}

/// Reads the id of a task; what cannot be one is unknown.
pub(super) fn id(text: &str) -> Result<TaskId, ErrorData> {
    text.parse().map_err(|_| unknown(text))
}

fn unknown(id: &str) -> ErrorData {
    let id: String = id.chars().take(64).collect();
    ErrorData::invalid_params(format!("no task has the id {id:?}"), None)
}

/// What a lookup that failed is answered with.
pub(super) fn lookup_failed(luma: &Luma, id: &TaskId, error: &Error) -> ErrorData {
    if let Error::NotFound { .. } = error {
        return unknown(id.as_str());
    }
    let message = format!("{id} cannot be looked up: {error}");
    // An error of the service may quote what it was sent.
    let message = luma.without_token(&message).unwrap_or(message);
    ErrorData::internal_error(message, None)
}

/// The id of the task that came of a submit.
pub(super) fn submitted(outcome: &Outcome) -> Option<&str> {
    match outcome.is_error {
        true => None,
        false => outcome
            .structured_content
            .pointer("/result/task_id")?
            .as_str(),
    }
}

/// The answer to a submit that became a task.
pub(super) fn created(id: &str, now: OffsetDateTime) -> CreateTaskResult {
    let now = rfc3339(now);
    let task = McpTask::new(id, TaskStatus::Working, now.clone(), now)
        .with_status_message("accepted; a video takes one to five minutes")
        .with_poll_interval_ms(POLL_INTERVAL_MS);
    CreateTaskResult::new(task)
}

/// The answer to `tasks/get`.
///
/// A task that failed is one whose tool call has ended with an error in its result; `failed` of MCP
/// is kept for errors of the protocol.
pub(super) fn report(
    luma: &Luma,
    id: &TaskId,
    task: &Task,
    offers: Offers,
    now: OffsetDateTime,
) -> GetTaskResult {
    let created = time(&task.created_at).or_else(|| time(&task.started_at));
    let state = task.state();
    let updated = match state.is_terminal() {
        true => time(&task.finished_at).or(created),
        false => None,
    };
    let head = McpTask::new(
        id.as_str(),
        TaskStatus::Working,
        rfc3339(created.unwrap_or(now)),
        rfc3339(updated.unwrap_or(now)),
    )
    .with_status_message(format!("the video is {state}"));
    let (head, payload) = if state.is_terminal() {
        let result = result_of(luma, id, task, offers);
        (head, TaskPayload::Completed { result })
    } else {
        let head = head.with_poll_interval_ms(POLL_INTERVAL_MS);
        (head, TaskPayload::Working)
    };
    GetTaskResult::new(DetailedTask::new(head, payload))
}

/// What the submit would have answered, had it waited.
fn result_of(luma: &Luma, id: &TaskId, task: &Task, offers: Offers) -> JsonObject {
    let mut outcome = dispatch::outcome(TaskReport::of(id, task, offers));
    if task.state() == TaskState::Failed {
        outcome = outcome.into_error();
    }
    outcome.edit(&|text| luma.without_token(text));
    match outcome.to_mcp() {
        Value::Object(result) => result,
        _ => JsonObject::new(),
    }
}

fn time(time: &Option<Timestamp>) -> Option<OffsetDateTime> {
    let seconds = time.as_ref()?.unix_seconds()?;
    OffsetDateTime::from_unix_timestamp_nanos((seconds * 1e9) as i128).ok()
}

fn rfc3339(time: OffsetDateTime) -> String {
    let whole = time.replace_millisecond(time.millisecond()).unwrap_or(time);
    // It fails for years that have more than four digits.
    whole.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_tells_the_time_of_the_task_where_it_is_known() {
        let luma = Luma::builder().token("t").build().expect("a client");
        let id: TaskId = "a".parse().expect("an id");
        let now = OffsetDateTime::from_unix_timestamp(2_000_000_000).expect("a time");
        let done = json!({ "state": "completed", "video_url": "https://example.com/1.mp4" });
        let (unknown, known) = ("2033-05-18T03:33:20Z", "2001-09-09T01:46:40.5Z");
        for (task, status, created, updated) in [
            (json!({}), "working", unknown, unknown),
            (
                json!({ "created_at": 1_000_000_000.5 }),
                "working",
                known,
                unknown,
            ),
            (json!({ "response": done }), "completed", unknown, unknown),
            (
                json!({ "created_at": 1_000_000_000.5, "response": done }),
                "completed",
                known,
                known,
            ),
            (
                json!({ "created_at": 1, "finished_at": "2001-09-09T01:46:40.5Z", "response": done }),
                "completed",
                "1970-01-01T00:00:01Z",
                known,
            ),
        ] {
            let mut task = task;
            task["id"] = "a".into();
            let task = serde_json::from_value(task).expect("a task");
            let report = json!(report(&luma, &id, &task, Offers::All, now));
            let got = [
                &report["status"],
                &report["createdAt"],
                &report["lastUpdatedAt"],
            ];
            assert_eq!(got, [status, created, updated]);
            let polls = report["pollIntervalMs"].as_u64();
            assert_eq!(polls.is_some(), status == "working");
            assert_eq!(report["ttlMs"], Value::Null);
        }
    }

    #[test]
    fn only_what_was_accepted_became_a_task() {
        for (result, is_error, expected) in [
            (json!({ "task_id": "a" }), false, Some("a")),
            (json!({ "task_id": "a" }), true, None),
            (json!({}), false, None),
        ] {
            let outcome = Outcome::new(&result, Vec::new());
            let outcome = if is_error {
                outcome.into_error()
            } else {
                outcome
            };
            assert_eq!(submitted(&outcome), expected);
        }
    }
}
