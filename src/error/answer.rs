//! An error that was answered: how it is read, and what it means.

use std::{fmt, time::Duration};

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::{
    code::ErrorCode,
    text::{MESSAGE, WORD, excerpt, tidy},
};
use crate::{task::TaskId, wire::ErrorInfo};

/// An error that the service, or a gateway in front of it, answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    /// The HTTP status. An error can come with 200 too.
    pub status: StatusCode,
    /// The service's code; `None` where the answer has none, like a gateway's HTML page.
    pub code: Option<ErrorCode>,
    /// The service's words as one line, at most 1,000 characters; or the beginning of a body that
    /// could not be read.
    pub message: String,
    /// Quote it to the vendor's support.
    pub trace_id: Option<String>,
    /// The task that the answer names: an error of a submit that has one was accepted before.
    pub task_id: Option<TaskId>,
    /// How long the service asked to wait before the next request.
    pub retry_after: Option<Duration>,
    /// Whether the body is a page, as a gateway in front of the service sends it.
    pub(crate) is_page: bool,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{code} (HTTP {})", self.status.as_u16())?,
            None => write!(f, "HTTP {}", self.status)?,
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        if let Some(advice) = self.code.as_ref().and_then(ErrorCode::advice) {
            write!(f, " ({advice})")?;
        } else if self.status.is_redirection() {
            f.write_str(" (redirects are not followed: check the base URL)")?;
        }
        if let Some(trace_id) = &self.trace_id {
            write!(f, " [trace id {trace_id}]")?;
        }
        Ok(())
    }
}

impl std::error::Error for ApiError {}

impl ApiError {
    /// Reads any answer as an error: JSON in each of its shapes, a bare string, HTML, nothing.
    pub(crate) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let json = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let info = json.get("error").cloned().map(ErrorInfo::from);
        let field = |name: &str| json.get(name).and_then(Value::as_str);
        let message = info
            .as_ref()
            .and_then(ErrorInfo::message)
            .or_else(|| field("detail"))
            .or_else(|| field("message"))
            .or_else(|| json.as_str())
            .map_or_else(|| excerpt(body), |message| tidy(message, MESSAGE));
        Self {
            message,
            task_id: field("task_id").and_then(|id| id.parse().ok()),
            retry_after: crate::retry::read_retry_after(headers),
            is_page: body.trim_ascii_start().starts_with(b"<"),
            ..Self::new(status, info.as_ref(), field("trace_id"))
        }
    }

    /// An error that the answer itself, or a field of it, is.
    pub(crate) fn new(
        status: StatusCode,
        info: Option<&ErrorInfo>,
        trace_id: Option<&str>,
    ) -> Self {
        Self {
            status,
            code: info.and_then(ErrorInfo::code).map(ErrorCode::from),
            message: info
                .and_then(ErrorInfo::message)
                .map_or_else(String::new, |message| tidy(message, MESSAGE)),
            trace_id: trace_id.map(|id| tidy(id, WORD)),
            task_id: None,
            retry_after: None,
            is_page: false,
        }
    }

    /// Whether the same lookup may succeed later. The code counts before the status.
    pub(crate) fn is_transient(&self) -> bool {
        match &self.code {
            Some(ErrorCode::TooManyRequests | ErrorCode::ApiError | ErrorCode::Timeout) => true,
            // A gateway knows nothing of tasks and tokens, whatever its status says.
            None if self.is_page => true,
            None | Some(ErrorCode::Other(_)) => {
                // An error inside a 200 that names no known reason may pass as well.
                matches!(self.status.as_u16(), 200 | 408 | 425 | 429 | 500..=599)
            }
            Some(_) => false,
        }
    }

    /// See [`Error::is_outage`](super::Error::is_outage).
    pub(super) fn is_outage(&self) -> bool {
        let is_gateway = self.is_page || matches!(self.status.as_u16(), 502..=504);
        self.is_rate_limit() || (is_gateway && self.is_transient())
    }

    /// Whether it says that there is no such task.
    pub(crate) fn says_not_found(&self) -> bool {
        match &self.code {
            Some(ErrorCode::NotFound) => true,
            Some(ErrorCode::Other(code)) => code.to_ascii_lowercase().contains("not_found"),
            Some(_) => false,
            None if self.is_page => false,
            None => {
                self.status == StatusCode::NOT_FOUND
                    || (self.status == StatusCode::OK
                        && self.message.to_ascii_lowercase().contains("not found"))
            }
        }
    }

    /// Whether it says that there is no such operation, or not like this.
    pub(crate) fn says_unsupported(&self) -> bool {
        match &self.code {
            Some(
                ErrorCode::BadRequest
                | ErrorCode::ApiNotImplemented
                | ErrorCode::Forbidden
                | ErrorCode::NotFound,
            ) => true,
            None | Some(ErrorCode::Other(_)) => {
                matches!(self.status.as_u16(), 400 | 404 | 405 | 410 | 422 | 501)
            }
            Some(_) => false,
        }
    }

    /// Whether the service asks to slow down, so that it certainly did nothing.
    pub(crate) fn is_rate_limit(&self) -> bool {
        match &self.code {
            Some(ErrorCode::TooManyRequests) => true,
            None | Some(ErrorCode::Other(_)) => self.status == StatusCode::TOO_MANY_REQUESTS,
            Some(_) => false,
        }
    }

    /// Whether the service certainly refused what was submitted. The code counts before the status.
    ///
    /// 302 and 303 are how some applications answer what they have taken; 408 and the
    /// unregistered 4xx, like 499, say that an answer came too late.
    /// A request to slow down refuses nothing that it names a task of.
    pub(crate) fn is_refusal(&self) -> bool {
        if self.is_rate_limit() && self.task_id.is_some() {
            return false;
        }
        match &self.code {
            Some(ErrorCode::ApiError | ErrorCode::Timeout) => false,
            None | Some(ErrorCode::Other(_)) => {
                matches!(self.status.as_u16(), 301 | 307 | 308 | 400..=407 | 409..=451)
            }
            Some(_) => true,
        }
    }

    /// Whether it refuses lookups altogether. There is nothing to moderate in a lookup, so the
    /// status counts whatever the code, unless it may pass, like the page of a gateway.
    pub(crate) fn refuses_lookups(&self) -> bool {
        self.is_account() || (!self.is_transient() && matches!(self.status.as_u16(), 401 | 403))
    }

    /// Whether the account or its token is the reason, so that no other call can succeed either.
    pub(crate) fn is_account(&self) -> bool {
        match &self.code {
            Some(
                ErrorCode::InvalidToken
                | ErrorCode::TokenExpired
                | ErrorCode::NoToken
                | ErrorCode::TokenMismatched
                | ErrorCode::PaymentRequired
                | ErrorCode::UsedUp
                | ErrorCode::Disabled,
            ) => true,
            None if self.is_page => false,
            None | Some(ErrorCode::Other(_)) => matches!(self.status.as_u16(), 401..=403),
            Some(_) => false,
        }
    }
}
