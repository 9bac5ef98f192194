//! `luma wait`, `luma task` and `luma download`: tasks that were submitted earlier.

use std::path::PathBuf;

use luma_client::TaskId;

use crate::{
    context::Context,
    error::{Error, Exit, Kind},
    input,
    jobs::{self, Job, Plan, Until, WaitOptions},
    output::TaskResult,
    save::{Content, SaveOptions, Saver},
    signals::Signals,
};

/// Wait for tasks that were submitted earlier, here or elsewhere
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A file that exists in the folder already is not written, and is reported as such.
With --json: {\"tasks\": [...]}, in the order of the ids.

Examples:
  luma wait TASK_ID -o fox.mp4
  luma wait TASK_ID ANOTHER_ID --timeout 1h -o videos/
  luma generate - --each-line --no-wait < prompts.txt | luma wait - -o videos/
  luma --json wait TASK_ID | jq -r '.tasks[0].video.url'")]
pub struct Wait {
    /// The tasks; - reads ids from standard input
    #[arg(required = true, value_name = "TASK_ID")]
    ids: Vec<TaskId>,

    #[command(flatten)]
    wait: WaitOptions,

    /// The same as -o DIR/
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    download: Option<PathBuf>,

    #[command(flatten)]
    save: SaveOptions,
}

/// Show tasks as they are now, without waiting
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --json: {\"tasks\": [...]}, in the order of the ids.

Examples:
  luma task TASK_ID
  luma task TASK_ID ANOTHER_ID
  luma --json task TASK_ID | jq -r '.tasks[0].state'")]
pub struct Show {
    /// The tasks, looked up 50 a request; - reads ids from standard input
    #[arg(required = true, value_name = "TASK_ID")]
    ids: Vec<TaskId>,
}

/// Download the videos of completed tasks
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without -o, the file is TASK_ID.mp4 or TASK_ID.jpg in the current folder.
With --json: one task; for several ids {\"tasks\": [...]}, in their order.

Examples:
  luma download TASK_ID
  luma download TASK_ID -o fox.mp4 --overwrite
  luma download TASK_ID ANOTHER_ID -o videos/
  luma download TASK_ID --thumbnail")]
pub struct Download {
    /// The tasks; - reads ids from standard input
    #[arg(required = true, value_name = "TASK_ID")]
    ids: Vec<TaskId>,

    #[command(flatten)]
    save: SaveOptions,

    /// Download the still picture instead of the video
    #[arg(long)]
    thumbnail: bool,
}

pub async fn wait(context: &Context<'_>, args: Wait) -> Result<Exit, Error> {
    let ids = input::ids(args.ids)?;
    // An empty name adds the slash of a folder.
    let folder = args.download.map(|folder| folder.join(""));
    let save = SaveOptions { output: folder.or(args.save.output), ..args.save };
    // A wait can be repeated.
    let mut saver = Saver::new(save, ids.len())?;
    saver.skips_existing = true;
    let max_parallel = ids.len();
    Ok(run(context, ids, Until::Ended(args.wait), &saver, max_parallel, true).await)
}

pub async fn download(context: &Context<'_>, args: Download) -> Result<Exit, Error> {
    const MAX_PARALLEL: usize = 4;

    let ids = input::ids(args.ids)?;
    let mut save = args.save;
    save.output.get_or_insert_default();
    let mut saver = Saver::new(save, ids.len())?;
    if args.thumbnail {
        saver.content = Content::Thumbnail;
    }
    ids.iter().try_for_each(|id| saver.check(id))?;
    let is_list = ids.len() > 1;
    Ok(run(context, ids, Until::Seen, &saver, MAX_PARALLEL, is_list).await)
}

async fn run(
    context: &Context<'_>,
    ids: Vec<TaskId>,
    until: Until,
    saver: &Saver,
    max_parallel: usize,
    is_list: bool,
) -> Exit {
    let plan = Plan { until, saver, max_parallel, find_lost: false, limit: None, is_list };
    jobs::run(context, ids.into_iter().map(Job::Known).collect(), &plan).await
}

pub async fn show(context: &Context<'_>, args: Show) -> Result<Exit, Error> {
    let ids = input::ids(args.ids)?;
    let signals = Signals::listen();
    let found = signals.first.run_until_cancelled(context.luma.tasks(&ids)).await;
    let interrupted = || Error::new(Kind::Interrupted, "interrupted");
    let results = found.ok_or_else(interrupted)??.into_iter().map(|(id, task)| match task {
        Ok(task) => TaskResult::of(&id, Some(task)),
        Err(error) => TaskResult::of(&id, None).with_error(error.into()),
    });
    let results: Vec<_> = results.collect();
    results.iter().for_each(|result| context.output.task(result, results.len() > 1));
    Ok(context.output.tasks(&results, true))
}
