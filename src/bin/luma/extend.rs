//! `luma extend`: the continuation of a video.

use luma_client::Source;

use crate::{
    context::Context,
    failure::{Exit, Failure},
    submit::{self, SubmitOptions, VideoOptions, with_options},
};

/// Continue a video, and wait for the result. Each accepted video is billed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The id of a video is not that of its task: `luma task TASK_ID` shows both.

Examples:
  luma extend VIDEO_ID \"The beam sweeps over the sea\" -o more.mp4
  luma extend https://example.com/lighthouse.mp4 \"The beam sweeps over the sea\"
  luma extend VIDEO_ID \"Back to the start\" --end-image https://example.com/start.jpg")]
pub struct Args {
    /// The id of the video, or its URL
    video: String,

    /// What comes next
    prompt: String,

    #[command(flatten)]
    options: VideoOptions,

    #[command(flatten)]
    submit: SubmitOptions,
}

pub async fn run(context: &Context<'_>, args: Args) -> Result<Exit, Failure> {
    let request = context.luma.extend(source(args.video), args.prompt);
    let request = with_options!(request, args.options);
    request.request()?;
    submit::run(context, args.submit, request.submit()).await
}

/// No id of a video has a scheme.
fn source(video: String) -> Source {
    match video.contains("://") {
        true => Source::Url(video),
        false => Source::VideoId(video),
    }
}
