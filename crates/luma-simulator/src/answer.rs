//! Responses, and refusals in the service's words.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
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
    body: Value,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let error = json!({ "code": code, "message": message.into() });
        let body = json!({ "success": false, "error": error });
        Self { status, body }
    }

    pub(crate) fn not_found(message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(crate) fn into_answer(mut self, trace_id: &str) -> Answer {
        self.body["trace_id"] = trace_id.into();
        json_answer(self.status, &self.body)
    }
}

pub(crate) fn bad_request(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "bad_request", message)
}
