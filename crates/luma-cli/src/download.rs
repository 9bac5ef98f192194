//! `luma download`: the videos of completed tasks.

use luma_client::TaskId;

use crate::{
    context::Context,
    failure::{Exit, Failure},
    follow::{Job, Plan, Until, follow},
    input,
    save::{Content, SaveOptions, Saver},
};

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
pub struct Args {
    /// The tasks; - reads ids from standard input
    #[arg(required = true, value_name = "TASK_ID")]
    ids: Vec<TaskId>,

    #[command(flatten)]
    save: SaveOptions,

    /// Download the still picture instead of the video
    #[arg(long)]
    thumbnail: bool,
}

pub async fn run(context: &Context<'_>, args: Args) -> Result<Exit, Failure> {
    const MAX_PARALLEL: usize = 4;

    let ids = input::ids(args.ids)?;
    let content = match args.thumbnail {
        true => Content::Thumbnail,
        false => Content::Video,
    };
    let saver = Saver::here(args.save, ids.len(), content)?;
    ids.iter().try_for_each(|id| saver.check(id))?;
    let plan = Plan {
        until: Until::Seen,
        saver: &saver,
        max_parallel: MAX_PARALLEL,
        find_lost: false,
        limit: None,
        is_list: ids.len() > 1,
    };
    let jobs = ids.into_iter().map(Job::Known).collect();
    Ok(follow(context, jobs, &plan).await)
}
