//! MCP tasks (the extension `io.modelcontextprotocol/tasks`), backed by tasks of the service.
//!
//! The server keeps no state: the id of the MCP task is the service's own. Any server with the same account
//! answers for it, also one that was started later.

use luma_client::{Task, TaskId, TaskState, fields::Timestamp, mcp::Outcome};
use rmcp::{
    ErrorData,
    model::{
        ClientCapabilities, CreateTaskResult, DetailedTask, GetTaskResult, JsonObject,
        RequestMetaObject, Task as McpTask, TaskPayload, TaskStatus,
    },
};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// How often a client should look, in milliseconds. The vendor asks for at least 3 seconds.
const POLL_INTERVAL_MS: u64 = 5_000;

/// Whether this very request declares the extension. A declaration in `initialize` does not count: clients
/// of that time knew other tasks by the same word.
pub(crate) fn is_declared(meta: &RequestMetaObject) -> bool {
    meta.client_capabilities().is_some_and(|capabilities| capabilities.supports_tasks())
}

/// The answer to a `tasks/…` request that does not declare the extension.
pub(crate) fn undeclared() -> ErrorData {
    let required = ClientCapabilities::builder().enable_tasks().build();
    ErrorData::missing_required_client_capability(required)
}

pub(crate) fn unknown(id: &str) -> ErrorData {
    let id: String = id.chars().take(64).collect();
    ErrorData::invalid_params(format!("no task has the id {id:?}"), None)
}

/// The answer to a submit that became a task.
pub(crate) fn created(id: &str, now: OffsetDateTime) -> CreateTaskResult {
    let now = rfc3339(now);
    let task = McpTask::new(id, TaskStatus::Working, now.clone(), now)
        .with_status_message("accepted; a video usually takes 1 to 5 minutes")
        .with_poll_interval_ms(POLL_INTERVAL_MS);
    CreateTaskResult::new(task)
}

/// The answer to `tasks/get`. `outcome` is what the submit would have answered.
///
/// A failed task is a completed call with an error in its result. `failed` of MCP is for errors of the
/// protocol.
pub(crate) fn report(
    id: &TaskId,
    task: &Task,
    mut outcome: Outcome,
    now: OffsetDateTime,
) -> GetTaskResult {
    let created = time(&task.created_at).or_else(|| time(&task.started_at));
    let state = task.state();
    let updated = match state.is_terminal() {
        true => time(&task.finished_at).or(created),
        false => None,
    };
    let message = match state {
        TaskState::Unknown(_) => "the video is in an unknown state".to_owned(),
        _ => format!("the video is {state}"),
    };
    let (created, updated) = (created.unwrap_or(now), updated.unwrap_or(now));
    let head = McpTask::new(id.as_str(), TaskStatus::Working, rfc3339(created), rfc3339(updated));
    let head = head.with_status_message(message);
    let (head, payload) = if state.is_terminal() {
        outcome.is_error |= state == TaskState::Failed;
        let result = match outcome.to_mcp() {
            Value::Object(result) => result,
            _ => JsonObject::new(),
        };
        (head, TaskPayload::Completed { result })
    } else {
        let head = head.with_poll_interval_ms(POLL_INTERVAL_MS);
        (head, TaskPayload::Working)
    };
    GetTaskResult::new(DetailedTask::new(head, payload))
}

fn time(time: &Option<Timestamp>) -> Option<OffsetDateTime> {
    let seconds = time.as_ref()?.unix_seconds()?;
    OffsetDateTime::from_unix_timestamp_nanos((seconds * 1e9) as i128).ok()
}

fn rfc3339(time: OffsetDateTime) -> String {
    let whole = time.replace_millisecond(time.millisecond()).unwrap_or(time);
    // It fails only for years of more than four digits.
    whole.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use luma_client::{
        Luma,
        mcp::{self, Context},
    };
    use serde_json::json;

    use super::*;

    #[test]
    fn report_with_known_times_tells_them() {
        let luma = Luma::builder().token("t").build().expect("a client");
        let id: TaskId = "a".parse().expect("an id");
        let now = OffsetDateTime::from_unix_timestamp(2_000_000_000).expect("a time");
        let done = json!({ "state": "completed", "video_url": "https://example.com/1.mp4" });
        let (unknown, known) = ("2033-05-18T03:33:20Z", "2001-09-09T01:46:40.5Z");
        for (task, status, created, updated) in [
            (json!({}), "working", unknown, unknown),
            (json!({ "created_at": 1_000_000_000.5 }), "working", known, unknown),
            (json!({ "response": done }), "completed", unknown, unknown),
            (json!({ "created_at": 1_000_000_000.5, "response": done }), "completed", known, known),
            (
                json!({ "created_at": 1, "finished_at": "2001-09-09T01:46:40.5Z", "response": done }),
                "completed",
                "1970-01-01T00:00:01Z",
                known,
            ),
        ] {
            let mut task = task;
            task["id"] = "a".into();
            let task: Task = serde_json::from_value(task).expect("a task");
            let outcome = mcp::report(&luma, &id, &task, &Context::new());
            let report = json!(report(&id, &task, outcome, now));
            let got = [&report["status"], &report["createdAt"], &report["lastUpdatedAt"]];
            assert_eq!(got, [status, created, updated]);
            let polls = report["pollIntervalMs"].as_u64();
            assert_eq!(polls.is_some(), status == "working");
            assert_eq!(report["ttlMs"], Value::Null);
        }
    }
}
