//! `luma wait`: tasks that were submitted earlier, to their ends.

use std::path::PathBuf;

use luma_client::TaskId;

use crate::{
    context::Context,
    failure::{Exit, Failure},
    follow::{Job, Plan, Until, WaitOptions, follow},
    input,
    save::{SaveOptions, Saver},
};

/// Wait for tasks that were submitted earlier, here or elsewhere
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Files that exist in the folder already are kept. With --json: {\"tasks\": [...]}, in the order of \
the ids.

Examples:
  luma wait TASK_ID -o fox.mp4
  luma wait TASK_ID ANOTHER_ID --timeout 1h -o videos/
  luma generate - --each-line --no-wait < prompts.txt | luma wait - -o videos/
  luma --json wait TASK_ID | jq -r '.tasks[0].video.url'")]
pub struct Args {
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

pub async fn run(context: &Context<'_>, args: Args) -> Result<Exit, Failure> {
    let ids = input::ids(args.ids)?;
    // An empty name adds the slash of a folder.
    let folder = args.download.map(|folder| folder.join(""));
    let save = SaveOptions { output: folder.or(args.save.output), ..args.save };
    let saver = Saver::new(save, ids.len())?.keep();
    let plan = Plan {
        until: Until::Ended(args.wait),
        saver: &saver,
        max_parallel: ids.len(),
        find_lost: false,
        limit: None,
        is_list: true,
    };
    let jobs = ids.into_iter().map(Job::Known).collect();
    Ok(follow(context, jobs, &plan).await)
}
