//! `luma extend`: the continuation of a video.

use std::time::Duration;

use luma_client::{RetryPolicy, TaskId, VideoSource};

use crate::{
    context::Context,
    error::{Error, Exit},
    generate::{SubmitOptions, VideoOptions, submit, with_options},
    input::{self, Prompt},
    jobs::Job,
};

/// Continue a video, and wait for the result. Each video that is made is billed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each run submits a new video, which is billed. After exit code 4 or 5, continue with `luma wait` or
look with `luma history`.

The id of a video is not that of its task: `luma task TASK_ID` and `luma history` show both.

Examples:
  luma extend VIDEO_ID \"The beam sweeps over the sea\" -o more.mp4
  luma extend https://example.com/lighthouse.mp4 \"The beam sweeps over the sea\"
  luma --json task TASK_ID | jq -r '.tasks[0].video.id' | luma extend - \"The sun rises\"
  luma extend VIDEO_ID \"Back to the start\" --end-image https://example.com/start.jpg")]
pub struct Args {
    /// The id of the video, or its URL; - reads standard input
    video: String,

    #[command(flatten)]
    prompt: Prompt,

    #[command(flatten)]
    options: VideoOptions,

    #[command(flatten)]
    submit: SubmitOptions,
}

pub async fn run(context: &Context<'_>, args: Args) -> Result<Exit, Error> {
    if args.video == "-" && args.prompt.is_stdin() {
        let message = "standard input can be the video or the prompt, not both: use --prompt-file";
        return Err(Error::bad_input(message));
    }
    let video = input::read(&args.video)?.text;
    let (video, prompt) = (video.trim(), args.prompt.read()?.text);
    let prompt = prompt.trim();
    // No id has a scheme.
    let is_url = video.contains("://");
    let source = match is_url {
        true => VideoSource::Url(video.to_owned()),
        false => VideoSource::VideoId(video.to_owned()),
    };
    let request = with_options!(context.luma.extend(source, prompt), args.options,
        aspect_ratio loop_video enhancement end_image_url callback_url);
    let submission = request.prepare()?;
    if !is_url {
        refuse_task_id(context, video, prompt).await?;
    }
    submit(context, args.submit, vec![Job::Submit(Box::new(submission), None)], false, 1).await
}

/// Refuses the id of a task, and offers its video. A lookup costs nothing; if it fails, the submit tells
/// more.
async fn refuse_task_id(context: &Context<'_>, video: &str, prompt: &str) -> Result<(), Error> {
    const PATIENCE: Duration = Duration::from_secs(5);

    let Ok(id) = video.parse::<TaskId>() else {
        return Ok(());
    };
    let luma = context.luma.with_retry(RetryPolicy::none()).with_timeout(PATIENCE);
    let Ok(task) = luma.task(&id).get().await else {
        return Ok(());
    };
    let found = task.video();
    let video_id = found.as_ref().and_then(|video| video.id());
    if !task.id.as_deref().is_some_and(|found| found.eq_ignore_ascii_case(video))
        || video_id == Some(video)
    {
        return Ok(());
    }
    let next_step = match &found {
        Some(found) => {
            let source = video_id.unwrap_or(found.url());
            context.command_line("Extend its video with", &["extend", source, prompt])
        }
        None => context.command_line("Its video is not ready. Wait for it with", &["wait", video]),
    };
    Err(Error::bad_input(format!("{video} is the id of a task, not of a video"))
        .next_step(next_step))
}
