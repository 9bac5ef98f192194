//! One paid submit: what can be asked of a video, how it is sent, and what to do if its response is lost.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use luma_client::{AspectRatio, Reconciliation, Submission, SubmitError, TaskHandle};

use luma_mcp::DailyLimit;

use crate::{
    context::Context,
    failure::{Failure, Kind},
    progress::Progress,
    signals::Signals,
    times::utc,
};

/// What can be asked of any video.
#[derive(Clone, Debug, clap::Args)]
pub struct VideoOptions {
    /// Width to height [default: 16:9]
    #[arg(short, long, value_name = "RATIO", value_parser = ratios())]
    pub aspect_ratio: Option<AspectRatio>,

    /// Let the last frame lead back to the first
    #[arg(long = "loop")]
    pub loop_video: bool,

    /// Use the prompt as it is: by default the service may rewrite it for a clearer picture
    #[arg(long)]
    pub no_enhancement: bool,

    /// Public URL of the image to end with
    #[arg(long = "end-image", value_name = "URL")]
    pub end_image_url: Option<String>,

    /// Where the service POSTs the finished video, unsigned and possibly twice
    #[arg(long, value_name = "URL")]
    pub callback_url: Option<String>,
}

fn ratios() -> impl TypedValueParser<Value = AspectRatio> {
    PossibleValuesParser::new(AspectRatio::KNOWN.iter().map(|ratio| ratio.as_str()))
        .map(|ratio| AspectRatio::from(ratio.as_str()))
}

/// Sets the options on a `Generate` or an `Extend`.
macro_rules! with_options {
    ($request:expr, $options:expr) => {{
        let (mut request, options) = ($request, $options);
        if let Some(ratio) = options.aspect_ratio {
            request = request.aspect_ratio(ratio);
        }
        if options.loop_video {
            request = request.loop_video(true);
        }
        if options.no_enhancement {
            request = request.enhancement(false);
        }
        if let Some(url) = options.end_image_url {
            request = request.end_image_url(url);
        }
        if let Some(url) = options.callback_url {
            request = request.callback_url(url);
        }
        request
    }};
}
pub(crate) use with_options;

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
    match signals.second.run_until_cancelled(luma.submit(submission)).await {
        Some(Ok(task)) => Ok(context.luma.task(task)),
        Some(Err(SubmitError::Unconfirmed { submission, source })) => {
            Err(SubmitFailure::Lost(submission, Failure::from(source)))
        }
        Some(Err(error)) => {
            if let Some(place) = place
                && !error.may_have_been_accepted()
            {
                place.give_back().await;
            }
            let failure = Failure::from(error);
            let advice = failure.hint.as_deref().unwrap_or_default();
            let hint = format!("Nothing was billed. {advice}");
            Err(SubmitFailure::Final(failure.hint(hint.trim())))
        }
        None => {
            let message = "interrupted; the video may have been accepted and billed";
            let failure = Failure::new(Kind::Interrupted, message);
            Err(SubmitFailure::Final(failure.hint(look_first(context, submission))))
        }
    }
}

/// Why there is no task.
pub enum SubmitFailure {
    Final(Failure),
    /// The response was lost: the video may have been accepted.
    Lost(Box<Submission>, Failure),
}

/// The failure of a submit whose response was lost, with what to do now.
pub fn lost(context: &Context<'_>, submission: &Submission, cause: Failure) -> Failure {
    Failure {
        kind: Kind::Unconfirmed,
        message: format!("{}; the video may have been accepted and billed", cause.message),
        ..cause
    }
    .hint(look_first(context, submission))
    .also("With --find-lost, the command looks for the task itself.")
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
    let message = &cause.message;
    progress.note(&format!(
        "The response to the submit was lost ({message}): searching the history for its task."
    ));
    let search = std::future::IntoFuture::into_future(context.luma.reconcile(submission));
    let found = signals.first.run_until_cancelled(search).await;
    let (kind, reason) = match found {
        None => (Kind::Interrupted, "the search was interrupted".to_owned()),
        Some(Ok(Reconciliation::Found(task))) => return Ok(task),
        Some(Ok(Reconciliation::NotFound { .. })) => {
            let message = format!("{message}; the history shows no such task");
            return Err(Failure { message, ..cause }
                .hint("Nothing was billed as far as the history shows: submit it again."));
        }
        Some(Ok(Reconciliation::Inconclusive(reason))) => (Kind::Unconfirmed, reason.to_string()),
        Some(Ok(other)) => (Kind::Unconfirmed, format!("{other:?}")),
        Some(Err(error)) => (Kind::Unconfirmed, Failure::from(error).message),
    };
    let message = format!("{message}; the video may have been accepted and billed: {reason}");
    Err(Failure { kind, message, ..cause }.hint(look_first(context, submission)))
}
