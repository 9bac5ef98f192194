//! `luma download`: the video of a finished task.

use std::path::PathBuf;

use luma_client::{TaskId, TaskState};

use crate::{
    board::Board,
    context::Context,
    failure::{Exit, Failure, Kind},
    save::{Content, Target, file_name},
    view::TaskView,
};

/// Download the video of a finished task. What a broken download left is gone on with
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  luma download TASK_ID
  luma download TASK_ID -o fox.mp4 --overwrite
  luma download TASK_ID --thumbnail")]
pub struct Args {
    /// The task
    #[arg(value_name = "TASK_ID")]
    id: TaskId,

    /// The file [default: TASK_ID.mp4, or TASK_ID.jpg, in this folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Replace the file if it is there
    #[arg(long)]
    overwrite: bool,

    /// The still picture in place of the video
    #[arg(long)]
    thumbnail: bool,
}

pub async fn run(context: &Context<'_>, args: Args) -> Result<Exit, Failure> {
    let id = &args.id;
    let content = match args.thumbnail {
        true => Content::Thumbnail,
        false => Content::Video,
    };
    let path = args.output.unwrap_or_else(|| file_name(id, content).into());
    let target = Target::new(path, args.overwrite, content)?;
    let task = context.luma.task(id.clone()).get().await?;
    let mut view = TaskView::of(id, &task);
    let saved = match (task.state(), task.video()) {
        (_, Some(video)) => {
            let board = Board::new(context.output, context.usual, vec![id.clone()]);
            let progress = |bytes, total| {
                board.downloading(0, bytes, total);
                board.tick();
            };
            let saved = target.save(&video, progress).await;
            board.clear();
            saved.map(Some)
        }
        // The view tells why.
        (TaskState::Failed, None) => Ok(None),
        (state, None) => {
            let path = target.path().to_string_lossy();
            let wait = match content {
                Content::Video => context.command(&["wait", id.as_str(), "-o", &path]),
                Content::Thumbnail => context.command(&["wait", id.as_str()]),
            };
            Err(Failure::new(
                Kind::NotReady,
                format!("there is no video yet: the task is {state}"),
            )
            .hint(format!("Wait for it with: {wait}")))
        }
    };
    match saved {
        Ok(file) => view.file = file,
        Err(failure) => view = view.with_error(failure),
    }
    Ok(context.output.task(&view))
}
