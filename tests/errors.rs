//! Every documented error of both operations, as the mocks of the spec send it, and every shape
//! that a body of an error was seen in.

use httpmock::MockServer;
use luma_client::{
    Error, ErrorCode, Luma, RetryPolicy, TaskId,
    api::types::{ErrorResponse, TaskAction, TaskQuery, VideoAction, VideoRequest, VideoResult},
    wire::{ErrorInfo, TaskAnswer},
};
use serde_json::{Value, json};

use mocks::{MockServerExt, operations};

/// Generated from the spec, beside the client.
#[allow(clippy::all, dead_code, unused_imports)]
mod mocks {
    include!(concat!(env!("OUT_DIR"), "/mocks.rs"));
}

const MESSAGE: &str = "In the service's words.";

/// Which answer of an operation to mock.
#[derive(Clone, Copy, Debug)]
enum Answer {
    BadRequest,
    Unauthorized,
    PaymentRequired,
    Forbidden,
    TooManyRequests,
    InternalServerError,
    GatewayTimeout,
}

/// What an error says of a submit: whether it may have been accepted.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Submit {
    Refused,
    Unconfirmed,
}

/// The table of errors: answer, HTTP status, code, what it means for a submit, whether the same
/// lookup may succeed later.
fn documented() -> Vec<(Answer, u16, ErrorCode, Submit, bool)> {
    use Answer::*;
    use Submit::*;
    vec![
        (BadRequest, 400, ErrorCode::BadRequest, Refused, false),
        (BadRequest, 400, ErrorCode::TokenMismatched, Refused, false),
        (
            BadRequest,
            400,
            ErrorCode::ApiNotImplemented,
            Refused,
            false,
        ),
        (Unauthorized, 401, ErrorCode::InvalidToken, Refused, false),
        (Unauthorized, 401, ErrorCode::TokenExpired, Refused, false),
        (Unauthorized, 401, ErrorCode::NoToken, Refused, false),
        (
            PaymentRequired,
            402,
            ErrorCode::PaymentRequired,
            Refused,
            false,
        ),
        (Forbidden, 403, ErrorCode::Forbidden, Refused, false),
        (Forbidden, 403, ErrorCode::UsedUp, Refused, false),
        (Forbidden, 403, ErrorCode::Disabled, Refused, false),
        (
            TooManyRequests,
            429,
            ErrorCode::TooManyRequests,
            Refused,
            true,
        ),
        (
            InternalServerError,
            500,
            ErrorCode::ApiError,
            Unconfirmed,
            true,
        ),
        (GatewayTimeout, 504, ErrorCode::Timeout, Unconfirmed, true),
        // The code counts before the status.
        (InternalServerError, 500, ErrorCode::UsedUp, Refused, false),
        (BadRequest, 400, ErrorCode::ApiError, Unconfirmed, true),
        (Forbidden, 403, ErrorCode::Timeout, Unconfirmed, true),
    ]
}

fn error(code: &ErrorCode) -> ErrorResponse {
    serde_json::from_value(json!({
        "success": false,
        "error": ErrorInfo::new(code.as_str(), MESSAGE),
        "trace_id": "a-trace",
    }))
    .expect("an error")
}

fn client(server: &MockServer) -> Luma {
    Luma::builder()
        .token("a-token-of-a-test")
        .base_url(server.base_url())
        .retry(RetryPolicy::none())
        .build()
        .expect("a client")
}

fn id() -> TaskId {
    "a-task".parse().expect("an id")
}

fn query() -> TaskQuery {
    let mut query = TaskQuery::new(TaskAction::Retrieve);
    query.id = Some(id().into());
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
fn check(error: &Error, status: u16, code: &ErrorCode) {
    let api = error.api().unwrap_or_else(|| panic!("{code}: {error:?}"));
    assert_eq!(
        (api.status.as_u16(), api.code.as_ref()),
        (status, Some(code))
    );
    assert_eq!(api.message, MESSAGE, "{code}");
    assert_eq!(api.trace_id.as_deref(), Some("a-trace"), "{code}");
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let shown = format!("{error} {}", cause.unwrap_or_default());
    for part in [code.as_str(), MESSAGE, "a-trace"] {
        assert!(shown.contains(part), "{part} is not in: {shown}");
    }
}

#[tokio::test]
async fn documented_errors_of_a_submit() {
    for (answer, status, code, submit, _) in documented() {
        let server = MockServer::start_async().await;
        let body = error(&code);
        let mock = server.create_video(|when: operations::CreateVideoWhen, then| {
            when.body(&request());
            match answer {
                Answer::BadRequest => then.bad_request(&body),
                Answer::Unauthorized => then.unauthorized(&body),
                Answer::PaymentRequired => then.payment_required(&body),
                Answer::Forbidden => then.forbidden(&body),
                Answer::TooManyRequests => then.too_many_requests(&body),
                Answer::InternalServerError => then.internal_server_error(&body),
                Answer::GatewayTimeout => then.gateway_timeout(&body),
            };
        });
        let luma = client(&server);
        let end = luma.generate("A lighthouse").submit().await;
        let end = end.expect_err("an error");
        check(&end, status, &code);
        let unconfirmed = submit == Submit::Unconfirmed;
        assert_eq!(
            end.may_have_been_accepted(),
            unconfirmed,
            "{answer:?} {code}"
        );
        // Only what did nothing may be sent again without a second bill.
        let slow_down = code == ErrorCode::TooManyRequests;
        assert_eq!(end.is_retryable(), slow_down, "{answer:?} {code}");
        assert_eq!(mock.calls_async().await, 1, "{code}");
    }
}

#[tokio::test]
async fn documented_errors_of_a_lookup() {
    for (answer, status, code, _, retryable) in documented() {
        let server = MockServer::start_async().await;
        let body = error(&code);
        let mock = server.query_tasks(|when: operations::QueryTasksWhen, then| {
            when.body(&query());
            match answer {
                Answer::BadRequest => then.bad_request(&body),
                Answer::Unauthorized => then.unauthorized(&body),
                Answer::PaymentRequired => then.payment_required(&body),
                Answer::Forbidden => then.forbidden(&body),
                Answer::TooManyRequests => then.too_many_requests(&body),
                Answer::InternalServerError => then.internal_server_error(&body),
                Answer::GatewayTimeout => then.gateway_timeout(&body),
            };
        });
        let end = client(&server)
            .task(id())
            .get()
            .await
            .expect_err("an error");
        check(&end, status, &code);
        assert!(!end.may_have_been_accepted(), "{code}");
        assert_eq!(end.is_retryable(), retryable, "{answer:?} {code}");
        assert_eq!(mock.calls_async().await, 1, "{code}");
    }
}

#[tokio::test]
async fn a_task_that_is_not_there() {
    let server = MockServer::start_async().await;
    let not_found = error(&ErrorCode::NotFound);
    server.query_tasks(|_, then| {
        then.not_found(&not_found);
    });
    let end = client(&server).task(id()).get().await;
    assert!(matches!(end, Err(Error::NotFound { task }) if task == id()));
}

#[tokio::test]
async fn good_answers() {
    let server = MockServer::start_async().await;
    let mut result = VideoResult::default();
    result.task_id = Some(id().into());
    server.create_video(|when: operations::CreateVideoWhen, then| {
        when.body(&request());
        then.ok(&result);
    });
    let answer: TaskAnswer = serde_json::from_value(json!({ "id": id() })).expect("a task");
    server.query_tasks(|when: operations::QueryTasksWhen, then| {
        when.body(&query());
        then.ok(&answer);
    });
    let luma = client(&server);
    let task = luma
        .generate("A lighthouse")
        .submit()
        .await
        .expect("accepted");
    assert_eq!(task.id(), &id());
    assert!(task.get().await.is_ok());
}

/// Body; what becomes its message, its code, its trace id.
type Shape = (
    Value,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
);

/// The shapes that were seen beside the documented one, each under several statuses.
#[tokio::test]
async fn other_shapes_of_a_body() {
    let text = |text: &str| Value::from(text);
    let shapes: Vec<Shape> = vec![
        (
            json!({ "error": "out of order", "trace_id": "t" }),
            "out of order",
            None,
            Some("t"),
        ),
        (
            json!({ "error": null, "detail": "out of order" }),
            "out of order",
            None,
            None,
        ),
        (
            json!({ "detail": "out of order" }),
            "out of order",
            None,
            None,
        ),
        (
            json!({ "error": { "message": "out of order" } }),
            "out of order",
            None,
            None,
        ),
        (
            json!({ "error": { "code": "brand_new", "message": "m" } }),
            "m",
            Some("brand_new"),
            None,
        ),
        (
            json!({ "error": { "code": "API_ERROR", "message": "m" } }),
            "m",
            Some("api_error"),
            None,
        ),
        (
            text("<html><title>Bad\n gateway</title></html>"),
            "<html><title>Bad gateway</title></html>",
            None,
            None,
        ),
        (text(""), "", None, None),
        (text("out of order"), "out of order", None, None),
        // Where nothing in it speaks, the body is all that can be shown.
        (Value::Null, "null", None, None),
        (json!({ "error": null }), r#"{"error":null}"#, None, None),
        (
            json!({ "error": null, "trace_id": "t" }),
            r#"{"error":null,"trace_id":"t"}"#,
            None,
            Some("t"),
        ),
        (json!({}), "{}", None, None),
    ];
    for (body, message, code, trace_id) in shapes {
        // A JSON string stands for a body that is no JSON.
        let raw = body
            .as_str()
            .map_or_else(|| body.to_string(), str::to_owned);
        for status in [400, 401, 403, 500, 502, 504] {
            let server = MockServer::start_async().await;
            server.query_tasks(|when: operations::QueryTasksWhen, then| {
                when.body(&query());
                then.into_inner().status(status).body(&raw);
            });
            server.create_video(|when: operations::CreateVideoWhen, then| {
                when.body(&request());
                then.into_inner().status(status).body(&raw);
            });
            let luma = client(&server);
            let lookup = luma.task(id()).get().await.expect_err("an error");
            let submit = luma.generate("A lighthouse").submit().await;
            let submit = submit.expect_err("an error");
            let unconfirmed = status >= 500 || code == Some("api_error");
            assert_eq!(
                submit.may_have_been_accepted(),
                unconfirmed,
                "{status} {body}"
            );
            for end in [lookup, submit] {
                let api = end.api().expect("an answer");
                let got = (
                    api.status.as_u16(),
                    api.message.as_str(),
                    api.code.as_ref().map(ErrorCode::as_str),
                    api.trace_id.as_deref(),
                );
                assert_eq!(got, (status, message, code, trace_id), "{body}");
            }
        }
    }
}
