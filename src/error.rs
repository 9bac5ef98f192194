//! What can go wrong, and how an answer that is no success is read.

mod answer;
mod code;
mod decode;
mod text;
mod transport;

use std::time::Duration;

pub(crate) use self::text::{MESSAGE, WORD, excerpt, quoted, tidy};
pub use self::{answer::ApiError, code::ErrorCode, decode::DecodeError, transport::TransportError};
use crate::{
    config::ConfigError, download::DownloadError, orphan::PendingSubmission, task::TaskId,
    transport::Overflow, video::InvalidInput, wait::WaitError,
};

/// The result of a call to the service.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call to the service gave no result.
///
/// No error ever shows the token.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma) -> Result<(), luma_client::Error> {
/// use luma_client::{Error, ErrorCode};
///
/// match luma.generate("A lighthouse at dusk").submit().await {
///     Ok(task) => println!("{}", task.id()),
///     // Accepted and billed, or not: find out before it is submitted again.
///     Err(Error::Unconfirmed { pending, .. }) => println!("{:?}", pending.find().await?),
///     Err(error) if error.is_retryable() => println!("later: {error}"),
///     Err(Error::Api(error)) if error.code == Some(ErrorCode::UsedUp) => println!("top it up"),
///     Err(error) => return Err(error),
/// }
/// # Ok(()) }
/// ```
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
