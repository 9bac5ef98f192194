//! Every documented error of both operations, as the mocks of the spec send it.
//!
//! The other shapes of an error are unit tests; what they do over a socket is in `faults`.

use httpmock::MockServer;
use luma_client::{
    ErrorCode, Luma, RequestError, RetryPolicy,
    api::types::{ErrorResponse, TaskAction, TaskQuery, VideoAction, VideoRequest, VideoResult},
    fields::{ErrorInfo, QueryResponse},
};
use serde_json::json;

use crate::support::{builder, id};
use mocks::{MockServerExt, operations};

/// Generated from the spec, like the client.
#[allow(clippy::all, dead_code, unused_imports)]
mod mocks {
    include!(concat!(env!("OUT_DIR"), "/mocks.rs"));
}

const MESSAGE: &str = "In the service's words.";

/// HTTP status, code, whether a submit is certainly refused, whether the same lookup may succeed later.
#[rustfmt::skip]
const DOCUMENTED: [(u16, ErrorCode, bool, bool); 16] = [
    (400, ErrorCode::BadRequest, true, false),
    (400, ErrorCode::TokenMismatched, true, false),
    (400, ErrorCode::ApiNotImplemented, true, false),
    (401, ErrorCode::InvalidToken, true, false),
    (401, ErrorCode::TokenExpired, true, false),
    (401, ErrorCode::NoToken, true, false),
    (402, ErrorCode::PaymentRequired, true, false),
    (403, ErrorCode::Forbidden, true, false),
    (403, ErrorCode::UsedUp, true, false),
    (403, ErrorCode::Disabled, true, false),
    (429, ErrorCode::TooManyRequests, true, true),
    (500, ErrorCode::ApiError, false, true),
    (504, ErrorCode::Timeout, false, true),
    // The code counts before the status.
    (500, ErrorCode::UsedUp, true, false),
    (400, ErrorCode::ApiError, false, true),
    (403, ErrorCode::Timeout, false, true),
];

fn error(code: &ErrorCode) -> ErrorResponse {
    let error = ErrorInfo::new(code.as_str(), MESSAGE);
    let body = json!({ "success": false, "error": error, "trace_id": "a-trace" });
    serde_json::from_value(body).expect("an error")
}

/// The mocked response of this status.
macro_rules! respond {
    ($then:ident, $status:expr, $body:expr) => {
        match $status {
            400 => $then.bad_request($body),
            401 => $then.unauthorized($body),
            402 => $then.payment_required($body),
            403 => $then.forbidden($body),
            429 => $then.too_many_requests($body),
            500 => $then.internal_server_error($body),
            504 => $then.gateway_timeout($body),
            status => panic!("{status} is not documented"),
        }
    };
}

async fn start() -> (MockServer, Luma) {
    let server = MockServer::start_async().await;
    let luma = builder(&server.base_url()).retry(RetryPolicy::none());
    let luma = luma.build().expect("a client");
    (server, luma)
}

fn query() -> TaskQuery {
    let mut query = TaskQuery::new(TaskAction::Retrieve);
    query.id = Some(id("a-task").into());
    query
}

fn request() -> VideoRequest {
    let mut request = VideoRequest::default();
    request.action = Some(VideoAction::Generate);
    request.async_ = Some(true);
    request.prompt = Some("A lighthouse".to_owned());
    request
}

/// Checks what every error of the table carries.
fn check(api: Option<&luma_client::ApiError>, shown: &str, status: u16, code: &ErrorCode) {
    let api = api.unwrap_or_else(|| panic!("{code}: {shown}"));
    assert_eq!((api.status.as_u16(), api.code.as_ref()), (status, Some(code)));
    assert_eq!(api.message, MESSAGE, "{code}");
    assert_eq!(api.trace_id.as_deref(), Some("a-trace"), "{code}");
    for part in [code.as_str(), MESSAGE, "a-trace"] {
        assert!(shown.contains(part), "{part} is not in: {shown}");
    }
}

#[tokio::test]
async fn documented_error_is_read_as_the_table_says() {
    for (status, code, is_refusal, is_transient) in &DOCUMENTED {
        let (server, luma) = start().await;
        let body = error(code);
        let submits = server.create_video(|when: operations::CreateVideoWhen, then| {
            when.body(&request());
            respond!(then, status, &body);
        });
        let lookups = server.query_tasks(|when: operations::QueryTasksWhen, then| {
            when.body(&query());
            respond!(then, status, &body);
        });
        let submit = luma.generate("A lighthouse").submit().await.expect_err("an error");
        let cause = std::error::Error::source(&submit).map(ToString::to_string);
        let shown = format!("{submit} {}", cause.unwrap_or_default());
        check(submit.api(), &shown, *status, code);
        assert_eq!(submit.may_have_been_accepted(), !is_refusal, "{status} {code}");
        // Only what did nothing may be sent again without a second bill.
        let is_rate_limit = *code == ErrorCode::TooManyRequests;
        assert_eq!(submit.is_retryable(), is_rate_limit, "{status} {code}");
        let lookup = luma.task(id("a-task")).get().await.expect_err("an error");
        check(lookup.api(), &lookup.to_string(), *status, code);
        assert_eq!(lookup.is_retryable(), *is_transient, "{status} {code}");
        assert_eq!(submits.calls_async().await, 1, "{code}");
        assert_eq!(lookups.calls_async().await, 1, "{code}");
    }
}

#[tokio::test]
async fn documented_not_found_names_the_task() {
    let (server, luma) = start().await;
    let not_found = error(&ErrorCode::NotFound);
    server.query_tasks(|_, then| {
        then.not_found(&not_found);
    });
    let end = luma.task(id("a-task")).get().await;
    assert!(matches!(end, Err(RequestError::NotFound { task }) if task == id("a-task")));
}

#[tokio::test]
async fn documented_success_is_read() {
    let (server, luma) = start().await;
    let mut result = VideoResult::default();
    result.task_id = Some(id("a-task").into());
    server.create_video(|when: operations::CreateVideoWhen, then| {
        when.body(&request());
        then.ok(&result);
    });
    let answer: QueryResponse = serde_json::from_value(json!({ "id": "a-task" })).expect("a task");
    server.query_tasks(|when: operations::QueryTasksWhen, then| {
        when.body(&query());
        then.ok(&answer);
    });
    let task = luma.generate("A lighthouse").submit().await.expect("accepted");
    assert_eq!(task.id(), &id("a-task"));
    assert!(task.get().await.is_ok());
}
