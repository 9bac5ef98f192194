//! Why a submit gave no task.

use std::time::Duration;

use super::{check::InvalidInput, submission::Submission};
use crate::http::{ApiError, RequestError};

/// Why a submit gave no task. The variant says whether the service may have accepted it.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma) -> Result<(), luma_client::Error> {
/// use luma_client::SubmitError;
///
/// match luma.generate("A lighthouse at dusk").submit().await {
///     Ok(task) => println!("{}", task.id()),
///     Err(SubmitError::InvalidInput(error)) => println!("nothing was sent: {error}"),
///     Err(SubmitError::NotAccepted(error)) => println!("nothing will be billed: {error}"),
///     // Find out before it is submitted again.
///     Err(SubmitError::Unconfirmed { submission, .. }) => {
///         println!("{:?}", luma.reconcile(&submission).await?);
///     }
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The request was refused before anything was sent.
    #[error(transparent)]
    InvalidInput(#[from] InvalidInput),
    /// The service did not accept the request: it refused it, or could not be reached. Nothing is
    /// billed.
    #[error(transparent)]
    NotAccepted(RequestError),
    /// The service may have accepted the request, **and then bills its video**, but the response was
    /// lost.
    ///
    /// Do not submit it again before [`Luma::reconcile`](crate::Luma::reconcile) has looked for the task.
    #[error("the submit may have been accepted and billed: reconcile before you submit again")]
    Unconfirmed {
        /// For [`Luma::reconcile`](crate::Luma::reconcile).
        submission: Box<Submission>,
        /// What happened to the response.
        source: RequestError,
    },
}

impl SubmitError {
    /// Returns whether the same submit may succeed later **and** a repeat cannot be billed twice.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotAccepted(error) => error.is_retryable(),
            Self::InvalidInput(_) | Self::Unconfirmed { .. } => false,
        }
    }

    /// Returns whether the service may have accepted the submit, and then bills it.
    pub fn may_have_been_accepted(&self) -> bool {
        matches!(self, Self::Unconfirmed { .. })
    }

    /// Returns the error that the service responded with.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::NotAccepted(error) | Self::Unconfirmed { source: error, .. } => error.api(),
            Self::InvalidInput(_) => None,
        }
    }

    /// Returns how long the service asked to wait before the next request.
    pub fn retry_after(&self) -> Option<Duration> {
        self.api()?.retry_after
    }
}
