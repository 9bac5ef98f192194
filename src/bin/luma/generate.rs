//! `luma generate`: a new video from a prompt.

use crate::{
    context::Context,
    failure::{Exit, Failure},
    submit::{self, SubmitOptions, VideoOptions, with_options},
};

/// Make a video from a prompt, and wait for it. Each accepted video is billed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  luma generate \"A lighthouse at dusk, waves, slow zoom in\" -o lighthouse.mp4
  luma generate \"A fox in the snow\" --aspect-ratio 9:16 --loop
  luma generate \"The statue turns its head\" --start-image https://example.com/statue.jpg
  id=$(luma generate \"A fox in the snow\" --no-wait) && luma wait \"$id\" -o fox.mp4
  luma --json generate \"A fox in the snow\" | jq -r .video.url")]
pub struct Args {
    /// What the video shows
    prompt: String,

    #[command(flatten)]
    video: VideoOptions,

    /// Image to begin with, by its public URL
    #[arg(long = "start-image", value_name = "URL")]
    start_image_url: Option<String>,

    #[command(flatten)]
    submit: SubmitOptions,
}

pub async fn run(context: &Context<'_>, args: Args) -> Result<Exit, Failure> {
    let mut request = with_options!(context.luma.generate(args.prompt), args.video);
    if let Some(url) = args.start_image_url {
        request = request.start_image_url(url);
    }
    request.request()?;
    submit::run(context, args.submit, request.submit()).await
}
