//! Why a request gave no result.

use std::time::Duration;

use serde::Serialize;

use super::{
    api_error::ApiError,
    decode_error::{DecodeError, DecodeErrorKind},
    hooks::LocalFailure,
    token::Token,
    transport_error::TransportError,
};
use crate::{
    api::Error as Failure,
    util::{TaskId, text::EXCERPT},
};

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
    /// Whether the same lookup may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Api(error) => error.is_transient(),
            Self::Transport(_) => true,
            Self::Decode(error) => !error.is_too_large(),
            Self::NotFound { .. } => false,
        }
    }

    /// The error that the service responded with.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(error) => Some(error),
            _ => None,
        }
    }

    /// How long the service asked to wait before the next request.
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
        self.api().is_some_and(ApiError::refuses_lookups)
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
            Self::Decode(error) => error.is_unexpected(),
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

    /// The response is not one whole JSON object.
    pub(crate) fn unreadable(token: &Token, reason: &str, body: &[u8]) -> Self {
        // A parser's reason quotes values.
        let reason = token.show(reason, EXCERPT);
        DecodeError::new(DecodeErrorKind::Unreadable, reason, token.show_body(body)).into()
    }

    /// The response could be read, but is not what was asked for.
    pub(crate) fn unexpected(token: &Token, reason: &str, response: &impl Serialize) -> Self {
        let body = serde_json::to_vec(response).unwrap_or_default();
        let reason = reason.to_owned();
        DecodeError::new(DecodeErrorKind::Unexpected, reason, token.show_body(&body)).into()
    }

    /// Reads what the generated client gives for anything but a readable success.
    pub(crate) async fn read(token: &Token, failure: Failure) -> Self {
        match failure {
            Failure::UnexpectedResponse(response) => Self::read_response(token, response).await,
            Failure::InvalidResponsePayload(body, reason) => {
                Self::unreadable(token, &reason.to_string(), &body)
            }
            Failure::CommunicationError(error)
            | Failure::ResponseBodyError(error)
            | Failure::InvalidUpgrade(error) => TransportError::new(error).into(),
            Failure::ErrorResponse(response) => {
                ApiError::read(response.status(), response.headers(), b"", token).into()
            }
            Failure::InvalidRequest(reason) | Failure::Custom(reason) => {
                Self::unreadable(token, &reason, b"")
            }
        }
    }

    async fn read_response(token: &Token, response: reqwest::Response) -> Self {
        let failure = response.extensions().get::<LocalFailure>().copied();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = match response.bytes().await {
            Ok(body) => body,
            Err(error) => return TransportError::new(error).into(),
        };
        match failure {
            Some(LocalFailure::ShutDown) => TransportError::shut_down().into(),
            Some(LocalFailure::TooLarge(limit)) => {
                let reason = format!("it is larger than the limit of {limit} bytes");
                DecodeError::new(DecodeErrorKind::TooLarge, reason, token.show_body(&body)).into()
            }
            None => ApiError::read(status, &headers, &body, token).into(),
        }
    }
}

impl From<ApiError> for RequestError {
    fn from(error: ApiError) -> Self {
        Self::Api(Box::new(error))
    }
}
