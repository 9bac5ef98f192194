//! An error that the service responded with: how it is read, and what it means.

use std::{fmt, time::Duration};

use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::token::Token;
use crate::{
    model::{ErrorCode, fields::ErrorInfo},
    util::{
        TaskId, json, retry_after,
        text::{MESSAGE, WORD, shown_status},
    },
};

/// An error that the service, or a gateway in front of it, responded with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    /// The HTTP status. An error can come with 200 too.
    pub status: StatusCode,
    /// The service's code; `None` if the response has none, like a gateway's HTML page.
    pub code: Option<ErrorCode>,
    /// The service's message as one line of at most 1,000 characters; the title of an HTML page; or the
    /// beginning of a body without a message.
    pub message: String,
    /// Quote it to the vendor's support.
    pub trace_id: Option<String>,
    /// The task that the response names.
    pub task_id: Option<TaskId>,
    /// Whether the response names a task in any way: a submit that has one may have been accepted.
    pub(crate) names_task: bool,
    /// How long the service asked to wait before the next request.
    pub retry_after: Option<Duration>,
    /// Whether the body is a page, as a gateway in front of the service sends it.
    pub(crate) is_page: bool,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{code} (HTTP {})", self.status.as_u16())?,
            None => f.write_str(&shown_status(self.status))?,
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        if let Some(remedy) = self.code.as_ref().and_then(ErrorCode::remedy) {
            write!(f, " ({remedy})")?;
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
    /// Reads any response as an error: JSON in each of its shapes, a bare string, HTML, nothing.
    pub(crate) fn read(
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        token: &Token,
    ) -> Self {
        let json = json::read(body).unwrap_or_default();
        let info = json.get("error").cloned().map(ErrorInfo);
        let field = |name: &str| json.get(name).and_then(Value::as_str);
        let message = info
            .as_ref()
            .and_then(ErrorInfo::message)
            .or_else(|| field("detail"))
            .or_else(|| field("message"))
            .or_else(|| json.as_str());
        let is_page = body.trim_ascii_start().starts_with(b"<");
        let message = match message {
            Some(message) => token.show(message, MESSAGE),
            None if is_page => token.show(&title(body), MESSAGE),
            None => token.show_body(body),
        };
        let code = info.as_ref().and_then(ErrorInfo::code);
        let named = task_ids(&json);
        Self {
            status,
            code: code.map(|code| token.show(code, WORD).as_str().into()),
            message,
            trace_id: field("trace_id").map(|id| token.show(id, WORD)),
            task_id: named.iter().find_map(|id| id.as_str()?.parse().ok()),
            names_task: !named.is_empty(),
            retry_after: retry_after::read(headers),
            is_page,
        }
    }

    /// The error that came with a success status in place of a task.
    pub(crate) fn of_success(body: &impl Serialize, token: &Token) -> Self {
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self::read(StatusCode::OK, &HeaderMap::new(), &body, token)
    }

    /// The HTTP status that says the same as the code, or else the status itself: if the two disagree,
    /// the code counts.
    fn meaning(&self) -> u16 {
        use ErrorCode as Code;
        match &self.code {
            None | Some(Code::Other(_)) => self.status.as_u16(),
            Some(Code::BadRequest) => 400,
            Some(
                Code::InvalidToken | Code::TokenExpired | Code::NoToken | Code::TokenMismatched,
            ) => 401,
            Some(Code::PaymentRequired | Code::UsedUp | Code::Disabled) => 402,
            Some(Code::NotFound) => 404,
            Some(Code::ApiNotImplemented) => 405,
            // The prompt is at fault, not the account.
            Some(Code::Forbidden) => 422,
            Some(Code::TooManyRequests) => 429,
            Some(Code::ApiError) => 500,
            Some(Code::Timeout) => 504,
        }
    }

    /// Whether it is a gateway's page, which knows nothing of tasks and tokens, whatever its status says.
    fn is_gateway_page(&self) -> bool {
        self.is_page && self.code.is_none()
    }

    /// Whether the same lookup may succeed later. An error inside a 200 that names no known reason may
    /// pass as well.
    pub(crate) fn is_transient(&self) -> bool {
        self.is_gateway_page() || matches!(self.meaning(), 200 | 408 | 425 | 429 | 500..=599)
    }

    /// Whether the service as a whole, or a gateway in front of it, is the reason.
    pub(crate) fn is_outage(&self) -> bool {
        let is_gateway = self.is_page || matches!(self.status.as_u16(), 502..=504);
        self.is_rate_limit() || (is_gateway && self.is_transient())
    }

    /// Whether it says that there is no such task.
    pub(crate) fn says_not_found(&self) -> bool {
        match &self.code {
            Some(ErrorCode::Other(code)) => code.to_ascii_lowercase().contains("not_found"),
            None if self.is_page => false,
            None if self.status == StatusCode::OK => {
                self.message.to_ascii_lowercase().contains("not found")
            }
            _ => self.meaning() == 404,
        }
    }

    /// Whether the service or a gateway failed, so that the request may have been accepted.
    pub(crate) fn is_server_error(&self) -> bool {
        self.status.is_server_error() || self.status == StatusCode::REQUEST_TIMEOUT
    }

    /// Whether it says that there is no such operation, or not like this.
    pub(crate) fn says_unsupported(&self) -> bool {
        matches!(self.meaning(), 400 | 404 | 405 | 410 | 422 | 501)
    }

    /// Whether the service asks to slow down, so that it certainly did nothing.
    pub(crate) fn is_rate_limit(&self) -> bool {
        self.meaning() == 429
    }

    /// Whether the service certainly refused what was submitted.
    ///
    /// 302 and 303 may follow a request that was accepted; 408 and the unregistered 4xx, like 499,
    /// say that a response came too late. An error that names a task refuses nothing.
    pub(crate) fn is_refusal(&self) -> bool {
        !self.names_task && matches!(self.meaning(), 301 | 307 | 308 | 400..=407 | 409..=451)
    }

    /// Whether the account or its token is the reason, so that no other lookup can succeed either.
    ///
    /// There is nothing to moderate in a lookup, so 401 counts whatever the code, unless it may pass. A 403
    /// that no code explains may be about one task, such as that of another account.
    pub(crate) fn is_account(&self) -> bool {
        let is_status = self.status == StatusCode::UNAUTHORIZED && !self.is_transient();
        !self.is_gateway_page() && (is_status || matches!(self.meaning(), 401 | 402))
    }
}

/// Every task id in the response, however deep and of whatever type, that is not null or empty.
fn task_ids(json: &Value) -> Vec<&Value> {
    let is_id = |value: &&Value| {
        let is_blank = value.as_str().is_some_and(|id| id.trim().is_empty());
        !is_blank && !value.is_null() && !value.is_boolean()
    };
    match json {
        Value::Object(map) => {
            let letters = |name: &str| name.replace(['_', '-'], "").to_ascii_lowercase();
            let ids = map.iter().flat_map(|(name, value)| match &*letters(name) {
                "taskid" | "taskids" => vec![value],
                "task" if value.is_object() => vec![&value["id"]],
                _ => task_ids(value),
            });
            ids.filter(is_id).collect()
        }
        Value::Array(list) => list.iter().flat_map(task_ids).collect(),
        _ => Vec::new(),
    }
}

/// What an HTML page calls itself.
fn title(page: &[u8]) -> String {
    let page = String::from_utf8_lossy(&page[..page.len().min(64 << 10)]);
    let lower = page.to_ascii_lowercase();
    let title = lower
        .split_once("<title>")
        .and_then(|(before, rest)| page[before.len() + "<title>".len()..].get(..rest.find('<')?));
    title.unwrap_or("an HTML page").to_owned()
}
