//! The umbrella over the errors of all operations.

use std::time::Duration;

use crate::{
    download::DownloadError,
    http::{ApiError, ConfigError, RequestError},
    submit::{InvalidInput, SubmitError},
    wait::WaitError,
    webhook::WebhookError,
};

/// A result with the umbrella [`Error`], for applications that use several operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error of this crate. Each operation has an error of its own, and `?` converts it into this one.
///
/// ```no_run
/// # async fn example() -> Result<(), luma_client::Error> {
/// use luma_client::Luma;
///
/// let luma = Luma::from_env()?;
/// let task = luma.generate("A lighthouse at dusk").submit().await?;
/// let video = task.wait().await?;
/// luma.download(&video, "lighthouse.mp4").await?;
/// # Ok(()) }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A client cannot be built.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A lookup, a listing or a deletion gave no result.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A submit gave no task.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// A wait ended without a video.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// A download gave no file. The video itself is made, and can be downloaded again.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// A callback could not be read.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
}

impl Error {
    /// Returns whether the same call may succeed later **and** a repeat cannot be billed twice.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Request(error) => error.is_retryable(),
            Self::Submit(error) => error.is_retryable(),
            Self::Wait(error) => error.is_retryable(),
            Self::Download(error) => error.is_retryable(),
            Self::Config(_) | Self::Webhook(_) => false,
        }
    }

    /// Returns whether a submit that ended with this error may have been accepted, and then is billed.
    pub fn may_have_been_accepted(&self) -> bool {
        matches!(self, Self::Submit(error) if error.may_have_been_accepted())
    }

    /// Returns the error that the service responded with.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Request(error) => error.api(),
            Self::Submit(error) => error.api(),
            Self::Wait(WaitError::Poll { source, .. }) => source.api(),
            _ => None,
        }
    }

    /// Returns how long the service asked to wait before the next request.
    pub fn retry_after(&self) -> Option<Duration> {
        self.api()?.retry_after
    }
}

impl From<InvalidInput> for Error {
    fn from(error: InvalidInput) -> Self {
        Self::Submit(error.into())
    }
}
