//! `luma generate`: new videos from prompts.

use std::path::PathBuf;

use luma_client::Submission;

use crate::{
    context::{Context, daily_limit},
    failure::{Exit, Failure},
    follow::{Job, Plan, Until, WaitOptions, follow},
    input,
    save::{SaveOptions, Saver},
    submit::{VideoOptions, with_options},
};

/// Make a video from a prompt, and wait for it. Each accepted video is billed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --json: one task; with --each-line: {\"tasks\": [...]}, in the order of the prompts.

Examples:
  luma generate \"A lighthouse at dusk, waves, slow zoom in\" -o lighthouse.mp4
  luma generate \"A fox in the snow\" --aspect-ratio 9:16 --loop -o videos/ --open
  luma generate \"The statue turns its head\" --start-image https://example.com/statue.jpg
  luma generate --prompt-file prompts.txt --each-line --max-parallel 3 -o videos/
  echo \"A fox in the snow\" | luma generate - -o fox.mp4
  id=$(luma generate \"A fox in the snow\" --no-wait) && luma wait \"$id\" -o fox.mp4
  luma --json generate \"A fox in the snow\" | jq -r .video.url")]
pub struct Args {
    /// What the video shows; - reads standard input
    #[arg(required_unless_present = "prompt_file")]
    prompt: Option<String>,

    /// Read the prompt from this file
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    prompt_file: Option<PathBuf>,

    /// Make a video of each line of the prompt. Blank lines are skipped
    #[arg(long)]
    each_line: bool,

    /// With --each-line: how many videos are made at a time
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u16).range(1..))]
    max_parallel: u16,

    #[command(flatten)]
    video: VideoOptions,

    /// Public URL of the image to begin with
    #[arg(long = "start-image", value_name = "URL")]
    start_image_url: Option<String>,

    #[command(flatten)]
    submit: SubmitOptions,
}

/// What becomes of a submit.
#[derive(Clone, Debug, clap::Args)]
pub struct SubmitOptions {
    #[command(flatten)]
    save: SaveOptions,

    /// Print the task id as soon as the video is accepted, and do not wait
    #[arg(long, conflicts_with_all = ["output", "timeout", "interval"])]
    no_wait: bool,

    #[command(flatten)]
    wait: WaitOptions,

    /// If the response to a submit is lost, look for its task in the account's history. Nothing is
    /// ever submitted a second time
    #[arg(long)]
    find_lost: bool,
}

pub async fn run(context: &Context<'_>, args: Args) -> Result<Exit, Failure> {
    let prompt = input::prompt(args.prompt, args.prompt_file.as_deref())?;
    let prompts = match args.each_line {
        true => prompt.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect(),
        false => vec![prompt],
    };
    if prompts.is_empty() {
        return Err(Failure::bad_input("there is no prompt: every line is blank"));
    }
    let prepare = |prompt: String| {
        let mut request = with_options!(context.luma.generate(&prompt), args.video.clone());
        if let Some(url) = &args.start_image_url {
            request = request.start_image_url(url);
        }
        request.prepare().map_err(|error| match args.each_line {
            true => Failure::bad_input(format!("{prompt:?}: {error}")),
            false => error.into(),
        })
    };
    let submissions = prompts.into_iter().map(prepare).collect::<Result<Vec<_>, _>>()?;
    submit(context, args.submit, submissions, args.each_line, args.max_parallel.into()).await
}

/// Submits, and waits unless told otherwise. Nothing is sent before all is checked.
pub async fn submit(
    context: &Context<'_>,
    options: SubmitOptions,
    submissions: Vec<Submission>,
    is_list: bool,
    max_parallel: usize,
) -> Result<Exit, Failure> {
    let saver = Saver::new(options.save, submissions.len())?;
    let until = match options.no_wait {
        true => Until::Accepted,
        false => Until::Ended(options.wait),
    };
    let (find_lost, limit) = (options.find_lost, daily_limit(None, context.is_simulated())?);
    let plan = Plan { until, saver: &saver, max_parallel, find_lost, limit, is_list };
    let jobs = submissions.into_iter().map(Box::new).map(Job::Submit).collect();
    Ok(follow(context, jobs, &plan).await)
}
