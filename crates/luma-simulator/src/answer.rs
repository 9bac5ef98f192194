//! Responses, and refusals in the service's words.

use bytes::Bytes;
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use serde_json::{Value, json};

/// A response in memory. It has a `Content-Length`, unless a fault removes it.
pub(crate) type Answer = http::Response<Bytes>;

/// A response of this status, with no content type.
pub(crate) fn answer(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Answer::new(body.into());
    *answer.status_mut() = status;
    let length = answer.body().len();
    answer.headers_mut().insert(CONTENT_LENGTH, length.into());
    answer
}

pub(crate) fn json_answer(status: StatusCode, value: &Value) -> Answer {
    let mut answer = answer(status, value.to_string());
    let content_type = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}

pub(crate) fn ok(value: &Value) -> Answer {
    json_answer(StatusCode::OK, value)
}

/// A request that the service refuses.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: String,
    message: String,
    trace_id: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            trace_id: None,
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// Sets the trace id of the task that this is about.
    pub(crate) fn with_trace_id(mut self, trace_id: &str) -> Self {
        self.trace_id = Some(trace_id.to_owned());
        self
    }

    /// The error response. A refusal that is not about a task gets a new trace id.
    pub(crate) fn into_answer(self, new_trace_id: impl FnOnce() -> String) -> Answer {
        let body = json!({
            "success": false,
            "error": { "code": self.code, "message": self.message },
            "trace_id": self.trace_id.unwrap_or_else(new_trace_id),
        });
        json_answer(self.status, &body)
    }
}

/// The HTTP status that goes with an error code.
pub(crate) fn status_of(code: &str) -> StatusCode {
    match code {
        "bad_request" | "token_mismatched" | "api_not_implemented" => StatusCode::BAD_REQUEST,
        "invalid_token" | "token_expired" | "no_token" => StatusCode::UNAUTHORIZED,
        "forbidden" | "used_up" | "disabled" => StatusCode::FORBIDDEN,
        "too_many_requests" | "rate_limited" => StatusCode::TOO_MANY_REQUESTS,
        "timeout" => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
