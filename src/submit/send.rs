//! Sending a submit, and what the response says.

use super::{error::SubmitError, registry::Registry, submission::Submission};
use crate::{
    api::types::VideoRequest,
    client::Luma,
    http::{ApiError, RequestError, receive},
    model::fields::ErrorInfo,
    util::TaskId,
    wait::TaskHandle,
};

impl Luma {
    /// Sends a submission, as [`Generate::submit`](crate::Generate::submit) does. A second call is a second
    /// submit: it makes, and bills, a second video.
    ///
    /// # Errors
    ///
    /// [`SubmitError::NotAccepted`] and [`SubmitError::Unconfirmed`].
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O and time enabled.
    pub async fn submit(&self, submission: &Submission) -> Result<TaskHandle, SubmitError> {
        let registry = self.shared::<Registry>();
        let _in_flight = registry.begin(submission);
        match create(self, &submission.request).await {
            Ok(id) => {
                registry.assign(&id, submission.key);
                Ok(TaskHandle::submitted_now(self.clone(), id))
            }
            Err(error) if error.is_refusal() => Err(SubmitError::NotAccepted(error)),
            Err(source) => Err(SubmitError::Unconfirmed {
                submission: Box::new(Submission {
                    trace_id: source.api().and_then(|error| error.trace_id.clone()),
                    ..submission.clone()
                }),
                source,
            }),
        }
    }
}

/// Sends a request. A response that names a task has accepted it, whatever else it says, unless it is
/// the error of a refusal.
async fn create(luma: &Luma, request: &VideoRequest) -> Result<TaskId, RequestError> {
    let result = match receive(luma.token(), luma.api().create_video(request).await).await {
        Ok((result, _)) => result,
        Err(error) => {
            let named = error.api().filter(|error| error.is_server_error());
            return named.and_then(|error| error.task_id.clone()).ok_or(error);
        }
    };
    if let Some(id) = result.task_id.as_deref().and_then(|id| id.parse().ok()) {
        return Ok(id);
    }
    Err(match result.error.as_ref().is_some_and(ErrorInfo::is_some) {
        true => ApiError::of_success(&result, luma.token()).into(),
        false => RequestError::unexpected(luma.token(), "it has no task_id", &result),
    })
}
