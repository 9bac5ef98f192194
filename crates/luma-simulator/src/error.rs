//! Errors as the service words them.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::json;

/// A request that is refused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
    /// That of the task, where there is one; else the answer gets its own.
    pub(crate) trace_id: Option<String>,
}

impl Refused {
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            trace_id: None,
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(crate) fn into_response(self, new_trace_id: impl FnOnce() -> String) -> Response {
        let body = json!({
            "success": false,
            "error": { "code": self.code, "message": self.message },
            "trace_id": self.trace_id.unwrap_or_else(new_trace_id),
        });
        (self.status, Json(body)).into_response()
    }
}

/// The HTTP status that goes with an error code.
pub(crate) fn status_of(code: &str) -> StatusCode {
    match code {
        "bad_request" | "token_mismatched" | "api_not_implemented" => StatusCode::BAD_REQUEST,
        "invalid_token" | "token_expired" | "no_token" => StatusCode::UNAUTHORIZED,
        "forbidden" | "used_up" | "disabled" => StatusCode::FORBIDDEN,
        "too_many_requests" => StatusCode::TOO_MANY_REQUESTS,
        "timeout" => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
