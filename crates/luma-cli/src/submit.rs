//! One paid submit: how it is sent, and what to do if its response is lost.

use luma_client::{Reconciliation, Submission, SubmitError, TaskHandle};
use luma_mcp::DailyLimit;

use crate::{
    context::Context,
    failure::{Failure, Kind},
    progress::Progress,
    signals::Signals,
    times::utc,
};

/// Why there is no task.
pub enum SubmitFailure {
    Final(Failure),
    /// The response was lost: the video may have been accepted.
    Lost(Box<Submission>, Failure),
}

/// Sends a submission once. A signal lets no attempt begin, but waits for the one in flight, because it
/// may be billed; a second signal does not wait.
pub async fn send(
    context: &Context<'_>,
    signals: &Signals,
    limit: Option<&DailyLimit>,
    submission: &Submission,
) -> Result<TaskHandle, SubmitFailure> {
    let place = match limit {
        Some(limit) => {
            Some(limit.take().await.map_err(|error| SubmitFailure::Final(error.into()))?)
        }
        None => None,
    };
    let luma = context.luma.with_shutdown(signals.first.clone());
    let error = match signals.second.run_until_cancelled(luma.submit(submission)).await {
        Some(Ok(task)) => return Ok(context.luma.task(task)),
        Some(Err(SubmitError::Unconfirmed { submission, source })) => {
            return Err(SubmitFailure::Lost(submission, source.into()));
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
            let failure = Failure::new(Kind::Interrupted, message);
            return Err(SubmitFailure::Final(failure.hint(look_first(context, submission))));
        }
    };
    let would_repeat = error.is_retryable();
    let mut failure = Failure::from(error);
    if signals.first.is_cancelled() && would_repeat {
        let what = match failure.kind {
            Kind::Api => {
                format!("the service refused it ({}), and it is not sent again", failure.message)
            }
            _ => "nothing was sent".to_owned(),
        };
        failure = Failure { code: failure.code, ..context.output.stopped(&what) };
    }
    let advice = failure.hint.as_deref().unwrap_or_default();
    let hint = format!("Nothing was billed. {advice}");
    Err(SubmitFailure::Final(failure.hint(hint.trim())))
}

/// The failure of a submit whose response was lost, with what to do now.
pub fn lost(context: &Context<'_>, submission: &Submission, cause: Failure) -> Failure {
    unconfirmed(context, submission, cause, Kind::Unconfirmed, "")
        .also("With --find-lost, the command looks for the task itself.")
}

fn unconfirmed(
    context: &Context<'_>,
    submission: &Submission,
    cause: Failure,
    kind: Kind,
    search: &str,
) -> Failure {
    let message = format!(
        "the response to the submit was lost ({}): the video may have been accepted and billed{search}",
        cause.message
    );
    Failure { kind, message, ..cause }.hint(look_first(context, submission))
}

fn look_first(context: &Context<'_>, submission: &Submission) -> String {
    let sent_at = submission.created_at().duration_since(std::time::UNIX_EPOCH);
    // Clocks differ: a minute earlier.
    let since = utc(sent_at.unwrap_or_default().as_secs_f64() - 60.0);
    let lead = "Do not submit it again before you know. See whether the task is listed";
    context.next_step(lead, &["history", "--since", &since])
}

/// Looks for the task of a submit whose response was lost.
pub async fn find(
    context: &Context<'_>,
    signals: &Signals,
    progress: &Progress<'_>,
    submission: &Submission,
    cause: Failure,
) -> Result<TaskHandle, Failure> {
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
            let error = Failure::from(error).message;
            (Kind::Unconfirmed, format!("the search for its task failed: {error}"))
        }
        None => (context.output.stopped("").kind, "the search was interrupted".to_owned()),
    };
    Err(unconfirmed(context, submission, cause, kind, &format!("; {search}")))
}
