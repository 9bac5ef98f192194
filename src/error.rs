//! What can go wrong, and how an answer that is no success is read.

use std::{fmt, time::Duration};

use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::Value;

use crate::{
    config::ConfigError, download::DownloadError, orphan::PendingSubmission, task::TaskId,
    transport::Overflow, video::InvalidInput, wait::WaitError, wire::ErrorInfo,
};

/// The result of a call to the service.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call to the service gave no result.
///
/// No error ever shows the token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The client cannot be built like this.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The request was refused before anything was sent.
    #[error(transparent)]
    InvalidInput(#[from] InvalidInput),
    /// The service, or a gateway in front of it, answered with an error.
    #[error(transparent)]
    Api(Box<ApiError>),
    /// The service knows no task with this id.
    #[error("no task has the id {task}")]
    NotFound {
        /// The id that was asked for.
        task: TaskId,
    },
    /// There was no whole answer: the connection could not be made, broke, or timed out.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The answer could not be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A wait ended without a video.
    #[error(transparent)]
    Wait(Box<WaitError>),
    /// A submit got no clear answer: the service may have accepted **and billed** it.
    ///
    /// Do not submit again before [`PendingSubmission::find`] has looked for the task.
    #[error("the video may have been accepted and billed, but the answer was lost")]
    Unconfirmed {
        /// Finds the task in the account's history.
        pending: Box<PendingSubmission>,
        /// What happened to the answer.
        source: Box<Error>,
    },
    /// A download gave no file. The video itself is made and paid, and can be downloaded again.
    #[error(transparent)]
    Download(#[from] DownloadError),
}

impl Error {
    /// Whether the same call may succeed later **and** repeating it cannot be billed twice.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Api(error) => error.is_transient(),
            Self::Transport(_) => true,
            Self::Decode(error) => !error.is_too_large(),
            Self::Download(error) => error.is_retryable(),
            Self::Wait(error) => error.is_retryable(),
            Self::Config(_)
            | Self::InvalidInput(_)
            | Self::NotFound { .. }
            | Self::Unconfirmed { .. } => false,
        }
    }

    /// Whether the service as a whole, or the way to it, is the reason, whatever was asked.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Api(error) => error.is_outage(),
            Self::Transport(error) => error.is_connect(),
            _ => false,
        }
    }

    /// Whether a submit that ended with this error may have been accepted, and then is billed.
    pub fn may_have_been_accepted(&self) -> bool {
        matches!(self, Self::Unconfirmed { .. })
    }

    /// The error that the service answered with, also where it left a submit unconfirmed.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(error) => Some(error),
            Self::Unconfirmed { source, .. } => source.api(),
            Self::Wait(error) => match &**error {
                WaitError::Poll { source, .. } => source.api(),
                _ => None,
            },
            _ => None,
        }
    }

    /// How long the service asked to wait before the next request.
    pub fn retry_after(&self) -> Option<Duration> {
        self.api()?.retry_after
    }
}

impl From<WaitError> for Error {
    fn from(error: WaitError) -> Self {
        Self::Wait(Box::new(error))
    }
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        Self::Api(Box::new(error))
    }
}

/// An error that the service, or a gateway in front of it, answered with.
#[derive(Clone, Debug, PartialEq)]
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

    /// See [`Error::is_outage`].
    fn is_outage(&self) -> bool {
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

/// The service's word for an error.
///
/// An open enum: a code that this version does not know is [`Other`](Self::Other).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// `bad_request`: a parameter is wrong.
    BadRequest,
    /// `token_mismatched`: the token is for another service.
    TokenMismatched,
    /// `api_not_implemented`.
    ApiNotImplemented,
    /// `invalid_token`.
    InvalidToken,
    /// `token_expired`.
    TokenExpired,
    /// `no_token`.
    NoToken,
    /// `payment_required`: the account has to be paid for first.
    PaymentRequired,
    /// `forbidden`: moderation refused the prompt.
    Forbidden,
    /// `used_up`: the balance is used up.
    UsedUp,
    /// `disabled`: the application or the service is disabled.
    Disabled,
    /// `not_found`: no task has the id.
    NotFound,
    /// `too_many_requests`.
    TooManyRequests,
    /// `api_error`: the service failed.
    ApiError,
    /// `timeout`: the hold of a synchronous call ran out; the task may still finish.
    Timeout,
    /// A code that this version does not know.
    Other(String),
}

impl ErrorCode {
    const KNOWN: [Self; 14] = [
        Self::BadRequest,
        Self::TokenMismatched,
        Self::ApiNotImplemented,
        Self::InvalidToken,
        Self::TokenExpired,
        Self::NoToken,
        Self::PaymentRequired,
        Self::Forbidden,
        Self::UsedUp,
        Self::Disabled,
        Self::NotFound,
        Self::TooManyRequests,
        Self::ApiError,
        Self::Timeout,
    ];

    /// The code as the service spells it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::BadRequest => "bad_request",
            Self::TokenMismatched => "token_mismatched",
            Self::ApiNotImplemented => "api_not_implemented",
            Self::InvalidToken => "invalid_token",
            Self::TokenExpired => "token_expired",
            Self::NoToken => "no_token",
            Self::PaymentRequired => "payment_required",
            Self::Forbidden => "forbidden",
            Self::UsedUp => "used_up",
            Self::Disabled => "disabled",
            Self::NotFound => "not_found",
            Self::TooManyRequests => "too_many_requests",
            Self::ApiError => "api_error",
            Self::Timeout => "timeout",
            Self::Other(code) => code,
        }
    }

    /// What the user can do about it.
    fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::InvalidToken | Self::TokenExpired | Self::NoToken | Self::TokenMismatched => {
                "check the API token"
            }
            Self::PaymentRequired | Self::UsedUp => "top up the account",
            Self::Forbidden => "moderation refused it: change the prompt or the images",
            _ => return None,
        })
    }
}

impl From<&str> for ErrorCode {
    fn from(code: &str) -> Self {
        Self::KNOWN
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(code.trim()))
            .unwrap_or_else(|| Self::Other(tidy(code, WORD)))
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// There was no whole answer.
#[derive(Debug, thiserror::Error)]
#[error("{}", describe(.source))]
pub struct TransportError {
    source: reqwest::Error,
}

impl TransportError {
    pub(crate) fn new(source: reqwest::Error) -> Self {
        Self { source }
    }

    /// Whether the connection could not even be made, so that the service saw nothing.
    pub fn is_connect(&self) -> bool {
        self.source.is_connect()
    }

    /// Whether the time for the call ran out.
    pub fn is_timeout(&self) -> bool {
        self.source.is_timeout()
    }
}

fn describe(error: &reqwest::Error) -> &'static str {
    if error.is_connect() {
        "could not connect to the service"
    } else if error.is_timeout() {
        "the service did not answer in time"
    } else {
        "the connection to the service broke"
    }
}

/// An answer that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the answer could not be read: {reason}; it begins with {excerpt:?}")]
pub struct DecodeError {
    reason: String,
    excerpt: String,
    kind: DecodeErrorKind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum DecodeErrorKind {
    Unreadable,
    /// Larger than the limit.
    TooLarge,
    /// Readable, but not what was asked for.
    Other,
}

impl DecodeError {
    pub(crate) fn new(reason: impl fmt::Display, body: &[u8]) -> Self {
        Self {
            // Serde's reasons quote values, however long.
            reason: tidy(&reason.to_string(), EXCERPT),
            excerpt: excerpt(body),
            kind: DecodeErrorKind::Unreadable,
        }
    }

    fn too_large(limit: usize, body: &[u8]) -> Self {
        let reason = format!("it is larger than the limit of {limit} bytes");
        Self {
            kind: DecodeErrorKind::TooLarge,
            ..Self::new(reason, body)
        }
    }

    /// The answer can be read, but is not what was asked for.
    pub(crate) fn other(reason: &str, answer: &impl Serialize) -> Self {
        Self {
            kind: DecodeErrorKind::Other,
            ..Self::new(reason, &serde_json::to_vec(answer).unwrap_or_default())
        }
    }

    /// Whether it is larger than [`max_response_bytes`](crate::LumaBuilder::max_response_bytes),
    /// which the same call would find again.
    pub fn is_too_large(&self) -> bool {
        self.kind == DecodeErrorKind::TooLarge
    }

    /// Whether it can be read, but is not what was asked for.
    pub(crate) fn is_other(&self) -> bool {
        self.kind == DecodeErrorKind::Other
    }

    /// The beginning of the answer, at most 200 characters.
    pub fn excerpt(&self) -> &str {
        &self.excerpt
    }
}

/// How many characters of the service's messages are kept.
pub(crate) const MESSAGE: usize = 1_000;
/// The same of its codes and ids.
pub(crate) const WORD: usize = 100;
/// The same of a body that could not be read.
const EXCERPT: usize = 200;

/// The beginning of a body as one line, short enough for a log.
pub(crate) fn excerpt(body: &[u8]) -> String {
    let begin = &body[..body.len().min(4 * EXCERPT)];
    tidy(&String::from_utf8_lossy(begin), EXCERPT)
}

/// What somebody else wrote, as one line without control characters, cut to so many characters:
/// fit for a log and for a terminal.
pub(crate) fn tidy(text: &str, limit: usize) -> String {
    let mut characters = text
        .split_whitespace()
        .flat_map(|word| [" ", word])
        .flat_map(str::chars)
        .filter(|c| !c.is_control())
        .skip(1);
    let mut line: String = characters.by_ref().take(limit).collect();
    if characters.next().is_some() {
        line.push('…');
    }
    line
}

/// Reads what the generated client gives for anything but a readable 200.
pub(crate) async fn read_failure(failure: crate::api::Error) -> Error {
    use crate::api::Error as Failure;
    match failure {
        Failure::UnexpectedResponse(response) => {
            if let Some(&Overflow { limit }) = response.extensions().get() {
                let body = response.bytes().await.unwrap_or_default();
                return DecodeError::too_large(limit, &body).into();
            }
            let (status, headers) = (response.status(), response.headers().clone());
            match response.bytes().await {
                Ok(body) => ApiError::read(status, &headers, &body).into(),
                Err(error) => TransportError::new(error).into(),
            }
        }
        Failure::InvalidResponsePayload(body, reason) => DecodeError::new(reason, &body).into(),
        Failure::CommunicationError(error)
        | Failure::ResponseBodyError(error)
        | Failure::InvalidUpgrade(error) => TransportError::new(error).into(),
        Failure::ErrorResponse(response) => {
            ApiError::read(response.status(), response.headers(), b"").into()
        }
        Failure::InvalidRequest(reason) | Failure::Custom(reason) => {
            DecodeError::new(reason, b"").into()
        }
    }
}

#[cfg(test)]
mod tests;
