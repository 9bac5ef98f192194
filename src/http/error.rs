//! Why a request gave no result.

use std::time::Duration;

use http::HeaderMap;
use reqwest::Response;
use serde::Serialize;

use super::{api_error::ApiError, token::Token};
use crate::{
    api::{Error as Failure, ResponseValue},
    model::{Lenient, decode},
    util::{TaskId, text::EXCERPT},
};

/// The connection could not be made, broke or timed out before there was a whole response.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct TransportError(Cause);

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("the client was shut down: no further request was sent")]
    ShutDown,
    #[error("the service did not respond within {0:.0?}")]
    NoResponse(Duration),
    #[error("{}", summary(.0))]
    Http(#[source] reqwest::Error),
}

impl TransportError {
    pub(crate) fn new(source: reqwest::Error) -> Self {
        // The URL says nothing new, and a base URL may be private.
        Self(Cause::Http(source.without_url()))
    }

    /// Returns whether nothing was sent: the connection could not be made, or the client was shut down.
    pub fn is_not_sent(&self) -> bool {
        matches!(self.0, Cause::ShutDown) || self.is_connect()
    }

    /// Returns whether the connection could not be made.
    pub fn is_connect(&self) -> bool {
        matches!(&self.0, Cause::Http(error) if error.is_connect())
    }

    /// Returns whether the timeout of the call expired.
    pub fn is_timeout(&self) -> bool {
        match &self.0 {
            Cause::ShutDown => false,
            Cause::NoResponse(_) => true,
            Cause::Http(error) => error.is_timeout(),
        }
    }
}

fn summary(error: &reqwest::Error) -> &'static str {
    match error {
        _ if error.is_connect() => "could not connect to the service",
        _ if error.is_timeout() => "the service did not respond in time",
        _ => "the connection to the service broke",
    }
}

/// A response that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the response could not be read: {reason}")]
pub struct DecodeError {
    kind: DecodeErrorKind,
    /// With the beginning of the response.
    reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DecodeErrorKind {
    /// Not one whole JSON object.
    Unreadable,
    /// Larger than the limit.
    TooLarge,
    /// Readable, but not what was asked for.
    Unexpected,
    /// Readable, but for one of the tasks that it lists.
    Item,
}

impl DecodeError {
    fn new(kind: DecodeErrorKind, token: &Token, reason: &str, body: &[u8]) -> Self {
        let reason = token.show(reason, EXCERPT);
        let reason = match token.show_body(body) {
            excerpt if excerpt.is_empty() => reason,
            excerpt => format!("{reason}; it begins with {excerpt:?}"),
        };
        Self { kind, reason }
    }

    /// Returns whether the response is larger than
    /// [`max_response_bytes`](crate::LumaBuilder::max_response_bytes): the same call would get it again.
    pub fn is_too_large(&self) -> bool {
        self.kind == DecodeErrorKind::TooLarge
    }

    /// Returns whether one task of a list is unreadable. [`History`](crate::History) continues with the
    /// next one.
    pub fn is_item(&self) -> bool {
        self.kind == DecodeErrorKind::Item
    }
}

/// Marks a response that stands for a reason of ours: the service did not send it like this.
#[derive(Clone, Debug)]
pub(super) enum LocalFailure {
    /// The body is larger than the limit, in bytes.
    TooLarge(usize),
    /// The body is compressed in this way, which was not asked for.
    Compressed(String),
    /// No whole response came within this time.
    TimedOut(Duration),
    /// The client was shut down before the request was sent.
    ShutDown,
}

/// Why a request to the service gave no result. It never shows the token.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma, id: luma_client::TaskId)
/// # -> Result<(), luma_client::RequestError> {
/// use luma_client::{ErrorCode, RequestError};
///
/// match luma.task(id).get().await {
///     Ok(task) => println!("{}", task.state()),
///     Err(error) if error.is_retryable() => println!("later: {error}"),
///     Err(RequestError::Api(error)) if error.code == Some(ErrorCode::UsedUp) => println!("top it up"),
///     Err(error) => return Err(error),
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The service, or a gateway in front of it, responded with an error.
    #[error(transparent)]
    Api(Box<ApiError>),
    /// The service knows no task with this id.
    #[error("no task has the id {task}")]
    NotFound {
        /// The id that was looked up.
        task: TaskId,
    },
    /// There was no whole response: the connection could not be made, broke, or timed out.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The response could not be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl RequestError {
    /// Returns whether the same lookup may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Api(error) => error.is_transient(),
            Self::Transport(_) => true,
            Self::Decode(error) => !error.is_too_large() && !error.is_item(),
            Self::NotFound { .. } => false,
        }
    }

    /// Returns the error that the service responded with.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(error) => Some(error),
            _ => None,
        }
    }

    /// Returns how long the service asked to wait before the next request.
    pub fn retry_after(&self) -> Option<Duration> {
        self.api()?.retry_after
    }

    /// Whether the service as a whole, or the way to it, is the reason, whatever was asked.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Api(error) => error.is_outage(),
            Self::Transport(error) => error.is_not_sent(),
            _ => false,
        }
    }

    /// Whether no other lookup of this account can succeed either.
    pub(crate) fn ends_all_lookups(&self) -> bool {
        self.api().is_some_and(ApiError::is_account)
    }

    /// Whether the service certainly did not accept what was sent.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Api(error) => error.is_refusal(),
            Self::Transport(error) => error.is_not_sent(),
            Self::NotFound { .. } | Self::Decode(_) => false,
        }
    }

    /// Whether the operation itself is not offered, or not like this.
    pub(crate) fn is_unsupported(&self) -> bool {
        match self {
            Self::Api(error) => error.says_unsupported(),
            Self::Decode(error) => error.kind == DecodeErrorKind::Unexpected,
            _ => false,
        }
    }

    /// The same error, or `NotFound` if that is what it says of this task.
    pub(crate) fn about(self, id: &TaskId) -> Self {
        match self.api() {
            Some(error) if error.says_not_found() => Self::NotFound { task: id.clone() },
            _ => self,
        }
    }

    /// No response came within this time.
    pub(crate) fn no_response(time: Duration) -> Self {
        TransportError(Cause::NoResponse(time)).into()
    }

    /// Whether the response is larger than the limit.
    pub(crate) fn is_too_large(&self) -> bool {
        matches!(self, Self::Decode(error) if error.is_too_large())
    }

    /// The response is not one whole JSON object.
    pub(crate) fn unreadable(token: &Token, reason: &str, body: &[u8]) -> Self {
        DecodeError::new(DecodeErrorKind::Unreadable, token, reason, body).into()
    }

    /// One task of a list could not be read.
    pub(crate) fn item(token: &Token, reason: &str, item: &impl Serialize) -> Self {
        let item = serde_json::to_vec(item).unwrap_or_default();
        DecodeError::new(DecodeErrorKind::Item, token, reason, &item).into()
    }

    /// The response could be read, but is not what was asked for.
    pub(crate) fn unexpected(token: &Token, reason: &str, response: &impl Serialize) -> Self {
        let body = serde_json::to_vec(response).unwrap_or_default();
        DecodeError::new(DecodeErrorKind::Unexpected, token, reason, &body).into()
    }
}

/// Reads what the generated client gives. Odd fields in a success cost only themselves; its headers are
/// lost then.
pub(crate) async fn receive<T: Lenient>(
    token: &Token,
    outcome: Result<ResponseValue<T>, Failure>,
) -> Result<(T, HeaderMap), RequestError> {
    Err(match outcome {
        Ok(response) => {
            let headers = response.headers().clone();
            return Ok((response.into_inner(), headers));
        }
        Err(Failure::InvalidResponsePayload(body, _)) => match decode(&body) {
            Ok(value) => return Ok((value, HeaderMap::new())),
            Err(reason) => RequestError::unreadable(token, reason, &body),
        },
        Err(Failure::UnexpectedResponse(response)) => read_error(token, response)
            .await
            .unwrap_or_else(|error| TransportError::new(error).into()),
        Err(
            Failure::CommunicationError(error)
            | Failure::ResponseBodyError(error)
            | Failure::InvalidUpgrade(error),
        ) => TransportError::new(error).into(),
        // No operation has an error response of its own: see `build.rs`.
        Err(other) => RequestError::unreadable(token, &other.to_string(), b""),
    })
}

async fn read_error(token: &Token, response: Response) -> reqwest::Result<RequestError> {
    let failure = response.extensions().get::<LocalFailure>().cloned();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await?;
    Ok(match failure {
        Some(LocalFailure::ShutDown) => TransportError(Cause::ShutDown).into(),
        Some(LocalFailure::TimedOut(time)) => RequestError::no_response(time),
        Some(LocalFailure::Compressed(name)) => {
            let reason = format!("it is compressed ({name}), which was not asked for");
            RequestError::unreadable(token, &reason, b"")
        }
        Some(LocalFailure::TooLarge(limit)) => {
            let reason = format!("it is larger than the limit of {limit} bytes");
            DecodeError::new(DecodeErrorKind::TooLarge, token, &reason, &body).into()
        }
        None => ApiError::read(status, &headers, &body, token).into(),
    })
}

impl From<ApiError> for RequestError {
    fn from(error: ApiError) -> Self {
        Self::Api(Box::new(error))
    }
}
