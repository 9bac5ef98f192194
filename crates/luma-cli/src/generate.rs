//! `luma generate`: new videos from prompts.

use luma_client::{AspectRatio, InvalidInput};

use crate::{
    context::{Context, daily_limit},
    error::{Error, Exit},
    input::Prompt,
    jobs::{self, Job, Plan, Until, WaitOptions},
    save::{SaveOptions, Saver},
};

/// Make a video from a prompt, and wait for it. Each video that is made is billed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each run submits a new video, which is billed. A loop such as `until luma generate ...` pays on
every turn: after exit code 4 or 5, continue with `luma wait` or look with `luma history`.

With --each-line, the command stops early if every further prompt would fail, and tells the first
line that was not sent.

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
    #[command(flatten)]
    prompt: Prompt,

    /// Make a video of each line of the prompt. Blank lines are skipped
    #[arg(long)]
    each_line: bool,

    /// With --each-line: how many videos are made at a time
    #[arg(long, value_name = "N", requires = "each_line", default_value = "4",
          value_parser = clap::value_parser!(u16).range(1..))]
    max_parallel: u16,

    #[command(flatten)]
    video: VideoOptions,

    /// Public URL of the image to begin with
    #[arg(long = "start-image", value_name = "URL")]
    start_image_url: Option<String>,

    #[command(flatten)]
    submit: SubmitOptions,
}

/// What can be asked of any video.
#[derive(Debug, clap::Args)]
pub struct VideoOptions {
    /// Width to height [default: 16:9]
    #[arg(short, long, value_name = "RATIO", value_parser = ratios())]
    pub aspect_ratio: Option<AspectRatio>,

    /// Let the last frame lead back to the first
    #[arg(long = "loop", num_args = 0, default_missing_value = "true")]
    pub loop_video: Option<bool>,

    /// Use the prompt as it is: by default the service may rewrite it for a clearer picture
    #[arg(long = "no-enhancement", num_args = 0, default_missing_value = "false")]
    pub enhancement: Option<bool>,

    /// Public URL of the image to end with
    #[arg(long = "end-image", value_name = "URL")]
    pub end_image_url: Option<String>,

    /// Where the service POSTs the finished video, unsigned and possibly twice
    #[arg(long, value_name = "URL")]
    pub callback_url: Option<String>,
}

fn ratios() -> impl clap::builder::TypedValueParser<Value = AspectRatio> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};

    PossibleValuesParser::new(AspectRatio::KNOWN.iter().map(|ratio| ratio.as_str()))
        .map(|ratio| AspectRatio::from(ratio.as_str()))
}

/// Sets fields of the options on a `Generate` or an `Extend`, if they are given.
macro_rules! with_options {
    ($request:expr, $options:expr, $($field:ident)*) => {{
        let mut request = $request;
        $(if let Some(value) = &$options.$field {
            request = request.$field(value.clone());
        })*
        request
    }};
}
pub(crate) use with_options;

/// What becomes of a submit.
#[derive(Debug, clap::Args)]
pub struct SubmitOptions {
    #[command(flatten)]
    save: SaveOptions,

    /// Print the task id as soon as the video is accepted, and do not wait
    #[arg(long, conflicts_with_all = ["output", "timeout", "interval"])]
    no_wait: bool,

    #[command(flatten)]
    wait: WaitOptions,

    /// If the response to this run's submit is lost, search the account's history for its task. A
    /// further run with this option submits a new video
    #[arg(long)]
    find_lost: bool,
}

pub async fn run(context: &Context<'_>, args: Args) -> Result<Exit, Error> {
    let input = args.prompt.read()?;
    let lines: Vec<(usize, &str)> = match args.each_line {
        true => (1..).zip(input.text.lines()).collect(),
        false => vec![(1, input.text.trim())],
    };
    let mut jobs = Vec::new();
    for (number, prompt) in lines {
        if args.each_line && prompt.trim().is_empty() {
            continue;
        }
        let request = with_options!(context.luma.generate(prompt), args.video,
            aspect_ratio loop_video enhancement end_image_url callback_url);
        let request = with_options!(request, args, start_image_url);
        let submission = request.prepare().map_err(|error| match error {
            InvalidInput::BlankPrompt if args.each_line => {
                Error::bad_input(format!("line {number} of {}: {error}", input.name))
            }
            error => error.into(),
        })?;
        jobs.push(Job::Submit(Box::new(submission), args.each_line.then_some(number)));
    }
    if jobs.is_empty() {
        return Err(Error::bad_input("there is no prompt: every line is blank"));
    }
    submit(context, args.submit, jobs, args.each_line, args.max_parallel.into()).await
}

/// Submits, and waits unless told otherwise. Nothing is sent before all is checked.
pub async fn submit(
    context: &Context<'_>,
    options: SubmitOptions,
    jobs: Vec<Job>,
    is_list: bool,
    max_parallel: usize,
) -> Result<Exit, Error> {
    let saver = Saver::new(options.save, jobs.len())?;
    let until = match options.no_wait {
        true => Until::Accepted,
        false => Until::Ended(options.wait),
    };
    let (find_lost, limit) = (options.find_lost, daily_limit(None, context.is_simulated())?);
    let plan = Plan { until, saver: &saver, max_parallel, find_lost, limit, is_list };
    Ok(jobs::run(context, jobs, &plan).await)
}
