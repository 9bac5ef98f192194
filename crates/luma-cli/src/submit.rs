//! One paid submit: how it is sent, and what to do if its response is lost.

use luma_client::{Reconciliation, Submission, SubmitError, TaskHandle};
use luma_mcp::DailyLimit;

use crate::{
    context::Context,
    error::{Error, Kind},
    progress::Progress,
    signals::Signals,
    times::utc,
};

/// Why there is no task.
pub enum NoTask {
    Final(Error),
    /// The response was lost: the video may have been accepted.
    Lost(Box<Submission>, Error),
}

/// Sends a submission once. A signal lets no attempt begin, but waits for the one in flight, because it
/// may be billed; a second signal does not wait.
pub async fn send(
    context: &Context<'_>,
    signals: &Signals,
    limit: Option<&DailyLimit>,
    submission: &Submission,
) -> Result<TaskHandle, NoTask> {
    let place = match limit {
        Some(limit) => Some(limit.take().await.map_err(|error| NoTask::Final(error.into()))?),
        None => None,
    };
    let luma = context.luma.with_shutdown(signals.first.clone());
    let error = match signals.second.run_until_cancelled(luma.submit(submission)).await {
        Some(Ok(task)) => return Ok(context.luma.task(task)),
        Some(Err(SubmitError::Unconfirmed { submission, source })) => {
            return Err(NoTask::Lost(submission, source.into()));
        }
        Some(Err(error)) => {
            if let Some(place) = place
                && !error.may_have_been_accepted()
            {
                place.give_back().await;
            }
            error
        }
        None => {
            let message = "interrupted: the video may have been accepted and billed";
            let error = Error::new(Kind::Interrupted, message);
            return Err(NoTask::Final(error.next_step(look_first(context, submission))));
        }
    };
    let would_repeat = error.is_retryable();
    let mut error = Error::from(error);
    if signals.first.is_cancelled() && would_repeat {
        let what = match error.kind {
            Kind::Api => {
                format!("the service refused it ({}), and it is not sent again", error.message)
            }
            _ => "nothing was sent".to_owned(),
        };
        error = Error { code: error.code, ..context.output.stopped(&what) };
    }
    let advice = error.next_step.as_deref().unwrap_or_default();
    let next_step = format!("Nothing was billed. {advice}");
    Err(NoTask::Final(error.next_step(next_step.trim())))
}

/// The error of a submit whose response was lost, with what to do now.
pub fn lost(context: &Context<'_>, submission: &Submission, cause: Error) -> Error {
    unconfirmed(context, submission, cause, Kind::Unconfirmed, "")
        .also("Do not add --find-lost now: it searches only for a submit of its own run.")
}

fn unconfirmed(
    context: &Context<'_>,
    submission: &Submission,
    cause: Error,
    kind: Kind,
    search: &str,
) -> Error {
    let message = format!(
        "the response to the submit was lost ({}): the video may have been accepted and billed{search}",
        cause.message
    );
    Error { kind, message, ..cause }.next_step(look_first(context, submission))
}

fn look_first(context: &Context<'_>, submission: &Submission) -> String {
    let sent_at = submission.created_at().duration_since(std::time::UNIX_EPOCH);
    // Clocks differ: a minute earlier.
    let since = utc(sent_at.unwrap_or_default().as_secs_f64() - 60.0);
    let lead = "Do not submit it again before you know. See whether the task is listed";
    context.command_line(lead, &["history", "--since", &since])
}

/// Looks for the task of a submit whose response was lost.
pub async fn find(
    context: &Context<'_>,
    signals: &Signals,
    progress: &Progress<'_>,
    submission: &Submission,
    cause: Error,
) -> Result<TaskHandle, Error> {
    progress.note(&format!(
        "The response to the submit was lost ({}): searching the history for its task.",
        cause.message
    ));
    let search = std::future::IntoFuture::into_future(context.luma.reconcile(submission));
    let (kind, search) = match signals.first.run_until_cancelled(search).await {
        Some(Ok(Reconciliation::Found(task))) => return Ok(task),
        // It is no proof: a gateway can deliver a request even later.
        Some(Ok(Reconciliation::NotFound { searched })) => {
            let seconds = searched.as_secs();
            (Kind::Unconfirmed, format!("the history does not show its task {seconds} s later"))
        }
        Some(Ok(Reconciliation::Inconclusive(reason))) => (Kind::Unconfirmed, reason.to_string()),
        Some(Ok(other)) => (Kind::Unconfirmed, format!("{other:?}")),
        Some(Err(error)) => {
            let error = Error::from(error).message;
            (Kind::Unconfirmed, format!("the search for its task failed: {error}"))
        }
        None => (context.output.stopped("").kind, "the search was interrupted".to_owned()),
    };
    Err(unconfirmed(context, submission, cause, kind, &format!("; {search}")))
}
