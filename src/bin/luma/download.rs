//! `luma download`: the video of a finished task.

use std::path::PathBuf;

use luma_client::{TaskId, TaskState};

use crate::{
    board::Board,
    context::Context,
    failure::{Exit, Failure, Kind},
    interrupt::Interrupts,
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
    let interrupts = Interrupts::listen();
    let handle = context.luma.task(id.clone());
    let task = tokio::select! {
        biased;
        task = handle.get() => task.map_err(Failure::from),
        () = interrupts.first.cancelled() => Err(interrupted()),
    };
    let task = match task {
        Ok(task) => task,
        Err(failure) => {
            let failure = resumable(context, id, &target, failure);
            let view = TaskView::of_id(id).with_error(failure);
            return Ok(context.output.task(&view));
        }
    };
    let mut view = TaskView::of(id, &task);
    let saved = match (task.state(), task.video()) {
        (_, Some(video)) => {
            let board = Board::new(context.output, context.usual, vec![id.clone()]);
            let progress = |bytes, total| {
                board.downloading(0, bytes, total);
                board.tick();
            };
            let saved = tokio::select! {
                biased;
                saved = target.save(&video, progress) => saved,
                () = interrupts.first.cancelled() => Err(interrupted()),
            };
            match &saved {
                Err(failure) if failure.kind == Kind::Interrupted => board.leave(),
                _ => board.clear(),
            }
            saved
                .map(Some)
                .map_err(|failure| resumable(context, id, &target, failure))
        }
        // The view tells why.
        (TaskState::Failed, None) => Ok(None),
        (state, None) => {
            let path = target.path().to_string_lossy();
            let mut arguments = vec!["wait", id.as_str()];
            if content == Content::Video {
                arguments.extend(["-o", &path]);
                arguments.extend(target.overwrite().then_some("--overwrite"));
            }
            let message = format!("there is no video yet: the task is {state}");
            let hint = context.next_step("Wait for it with", &arguments);
            Err(Failure::new(Kind::NotReady, message).hint(hint))
        }
    };
    match saved {
        Ok(file) => view.file = file,
        Err(failure) => view = view.with_error(failure),
    }
    Ok(context.output.task(&view))
}

fn interrupted() -> Failure {
    Failure::new(Kind::Interrupted, "interrupted")
}

/// The failure, with the command that goes on: what came so far is kept beside the file.
fn resumable(context: &Context<'_>, id: &TaskId, target: &Target, failure: Failure) -> Failure {
    if !failure.kind.can_go_on() {
        return failure;
    }
    let path = target.path().to_string_lossy();
    let mut arguments = vec!["download", id.as_str(), "-o", &path];
    arguments.extend(target.overwrite().then_some("--overwrite"));
    arguments.extend((target.content == Content::Thumbnail).then_some("--thumbnail"));
    failure.also(&context.next_step("Go on with", &arguments))
}
