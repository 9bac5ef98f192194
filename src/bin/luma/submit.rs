//! What `generate` and `extend` have in common: one paid submit, then the wait for its video.

use std::{path::PathBuf, pin::pin};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use luma_client::{AspectRatio, Doubt, Error, PendingSubmission, Search, TaskHandle};

use crate::{
    context::Context,
    failure::{Exit, Failure, Kind},
    follow::{File, Job, WaitOptions, follow},
    interrupt::Interrupts,
    save::{Content, Target},
    view::{TaskView, utc},
};

/// What can be asked of any video.
#[derive(Clone, Debug, clap::Args)]
pub struct VideoOptions {
    /// Width to height [default: 16:9]
    #[arg(short, long, value_name = "RATIO", value_parser = ratios())]
    pub aspect_ratio: Option<AspectRatio>,

    /// Let the last frame lead back to the first
    #[arg(long = "loop")]
    pub looped: bool,

    /// Take the prompt as it is: by default the service may rewrite it for a clearer picture
    #[arg(long)]
    pub no_enhancement: bool,

    /// Image to end with, by its public URL
    #[arg(long = "end-image", value_name = "URL")]
    pub end_image_url: Option<String>,

    /// Where the service POSTs the finished video, unsigned and possibly twice
    #[arg(long, value_name = "URL")]
    pub callback_url: Option<String>,
}

/// What becomes of the submit.
#[derive(Clone, Debug, clap::Args)]
pub struct SubmitOptions {
    /// Download the video to this file. An existing one is refused before anything is paid for
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Replace the file if it is there
    #[arg(long, requires = "output")]
    overwrite: bool,

    /// Print the task id as soon as the video is accepted, and do not wait
    #[arg(long, conflicts_with_all = ["output", "timeout", "interval"])]
    no_wait: bool,

    #[command(flatten)]
    wait: WaitOptions,

    /// If the answer to the submit is lost, look for its task in the account's history. Nothing is
    /// ever submitted a second time
    #[arg(long)]
    find_lost: bool,
}

fn ratios() -> impl TypedValueParser<Value = AspectRatio> {
    PossibleValuesParser::new(AspectRatio::KNOWN.map(|ratio| ratio.to_string()))
        .map(|ratio| AspectRatio::from(ratio.as_str()))
}

/// Sets the options on a `Generate` or an `Extend`.
macro_rules! with_options {
    ($request:expr, $options:expr) => {{
        let (mut request, options) = ($request, $options);
        if let Some(ratio) = options.aspect_ratio {
            request = request.aspect_ratio(ratio);
        }
        if options.looped {
            request = request.looped(true);
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

/// Submits, and waits unless told otherwise. `submit` sends nothing before it is awaited.
pub async fn run(
    context: &Context<'_>,
    options: SubmitOptions,
    submit: impl Future<Output = luma_client::Result<TaskHandle>>,
) -> Result<Exit, Failure> {
    let file = match options.output {
        Some(path) => File::Save(Target::new(path, options.overwrite, Content::Video)?),
        None => File::NotWanted,
    };
    let interrupts = Interrupts::listen();
    let handle = match answer(context, &interrupts, submit).await? {
        Ok(handle) => handle,
        Err(Error::Unconfirmed { pending, source }) if options.find_lost => {
            find(context, &interrupts, &pending, *source).await?
        }
        Err(error) => return Err(explained(context, error)),
    };
    let id = handle.id();
    // It is paid for: its id is told even where the result cannot be printed.
    context.output.note(&format!("task {id} is accepted"));
    if options.no_wait {
        match context.output.json() {
            true => context.output.document(&TaskView {
                state: Some("pending"),
                ..TaskView::of_id(id)
            }),
            false => context.output.text(&format!("{id}\n")),
        }
        return Ok(Exit::Done);
    }
    let resume = resume(context, &handle, &file);
    let views = follow(
        context,
        &interrupts,
        vec![Job { handle, file }],
        &options.wait,
    )
    .await;
    let mut exit = Exit::Done;
    for mut view in views {
        view.error = view.error.map(|failure| match failure.kind {
            Kind::TaskFailed => failure,
            _ => failure.also(&resume),
        });
        exit = exit.or_worse(context.output.task(&view));
    }
    Ok(exit)
}

/// The command that goes on with the task.
fn resume(context: &Context<'_>, handle: &TaskHandle, file: &File) -> String {
    if context.is_simulated() {
        return "The simulated task ends with this program.".to_owned();
    }
    let mut arguments = vec!["wait", handle.id().as_str()];
    let path;
    if let File::Save(target) = file {
        path = target.path().to_string_lossy();
        arguments.extend(["-o", &path]);
        arguments.extend(target.overwrite().then_some("--overwrite"));
    }
    context.next_step("Go on with", &arguments)
}

/// The answer to the submit. Ctrl-C waits for it, because it may be billed; another one does not.
async fn answer(
    context: &Context<'_>,
    interrupts: &Interrupts,
    submit: impl Future<Output = luma_client::Result<TaskHandle>>,
) -> Result<luma_client::Result<TaskHandle>, Failure> {
    let mut submit = pin!(submit);
    tokio::select! {
        biased;
        answer = &mut submit => return Ok(answer),
        () = interrupts.first.cancelled() => context.output.note(
            "The submit is under way and may be billed: waiting for its answer. \
             Ctrl-C once more does not wait.",
        ),
    }
    tokio::select! {
        biased;
        answer = &mut submit => Ok(answer),
        () = interrupts.second.cancelled() => {
            let message = "interrupted; the video may have been accepted and billed";
            let hint = context.next_step(
                "See whether it is there before you submit again",
                &["history", "--since", "5m"],
            );
            Err(Failure::new(Kind::Interrupted, message).hint(hint))
        }
    }
}

/// A submit that failed, with what to do now.
fn explained(context: &Context<'_>, error: Error) -> Failure {
    let failure = Failure::from(&error);
    let Error::Unconfirmed { pending, .. } = &error else {
        let advice = failure.hint.as_deref().unwrap_or_default();
        let hint = format!("Nothing was billed. {advice}");
        return failure.hint(hint.trim());
    };
    failure
        .hint(look_yourself(context, pending))
        .also("Next time --find-lost does that by itself.")
}

fn look_yourself(context: &Context<'_>, pending: &PendingSubmission) -> String {
    let sent_at = pending.sent_at().duration_since(std::time::UNIX_EPOCH);
    // Clocks differ: a minute earlier.
    let since = utc(sent_at.unwrap_or_default().as_secs_f64() - 60.0);
    context.next_step(
        "Do not submit again before you know. See whether it is there",
        &["history", "--since", &since],
    )
}

/// Looks for the task of a submit whose answer was lost.
async fn find(
    context: &Context<'_>,
    interrupts: &Interrupts,
    pending: &PendingSubmission,
    lost: Error,
) -> Result<TaskHandle, Failure> {
    let failure = Failure::from(&lost);
    let message = &failure.message;
    context.output.note(&format!(
        "The answer to the submit was lost ({message}): looking for its task."
    ));
    let found = tokio::select! {
        biased;
        () = interrupts.first.cancelled() => None,
        found = pending.find() => Some(found),
    };
    let (kind, doubt) = match found.transpose() {
        Ok(None) => (Kind::Interrupted, "the search was interrupted".to_owned()),
        Ok(Some(Search::Found(handle))) => return Ok(handle),
        Ok(Some(Search::NotThere)) => {
            return Err(Failure {
                message: format!("{message}; it was not accepted"),
                ..failure
            }
            .hint("Nothing was billed: it is safe to submit again."));
        }
        Ok(Some(Search::CannotTell(doubt))) => (Kind::Unconfirmed, doubt.to_string()),
        Ok(Some(_)) => (Kind::Unconfirmed, Doubt::NoHistory.to_string()),
        Err(error) => (Kind::Unconfirmed, error.to_string()),
    };
    let message = format!("{message}; the video may have been accepted and billed: {doubt}");
    Err(Failure {
        kind,
        message,
        ..failure
    }
    .hint(look_yourself(context, pending)))
}
