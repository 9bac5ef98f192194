//! Tasks to their ends: wait, download, tell.

use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use luma_client::{Pace, TaskHandle, TaskId, Wait};
use tokio::time::MissedTickBehavior;

use crate::{
    board::{Board, TICK},
    context::Context,
    failure::{Failure, Kind},
    interrupt::Interrupts,
    save::Target,
    times,
    view::{FileView, TaskView},
};

/// How to wait.
#[derive(Clone, Debug, clap::Args)]
pub struct WaitOptions {
    /// How long to wait, such as 90s, 10m or 1h [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = times::duration)]
    pub timeout: Option<Duration>,

    /// Time between two lookups [default: shaped for videos of one to five minutes]
    #[arg(long, value_name = "DURATION", value_parser = times::duration)]
    pub interval: Option<Duration>,
}

/// A task, and what is to be done with it.
pub struct Job {
    pub handle: TaskHandle,
    pub file: File,
}

/// What becomes of the video.
#[derive(Clone, Debug, PartialEq)]
pub enum File {
    NotWanted,
    Save(Target),
    /// It was downloaded earlier.
    Kept(FileView),
}

/// Waits for all of them at once; each is downloaded as soon as it is done. One view a job, in
/// their order. After Ctrl-C the jobs that have not ended are [`Kind::Interrupted`].
pub async fn follow(
    context: &Context<'_>,
    interrupts: &Interrupts,
    jobs: Vec<Job>,
    options: &WaitOptions,
) -> Vec<TaskView> {
    let ids: Vec<TaskId> = jobs.iter().map(|job| job.handle.id().clone()).collect();
    let board = Board::new(context.output, context.usual, ids.clone());
    let mut views: Vec<Option<TaskView>> = vec![None; ids.len()];
    {
        let runs = jobs.iter().enumerate().map(async |(index, job)| {
            let view = run(context, &board, index, job, options).await;
            (index, view)
        });
        let mut runs: FuturesUnordered<_> = runs.collect();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while !runs.is_empty() {
            tokio::select! {
                biased;
                () = interrupts.first.cancelled() => {
                    board.leave();
                    break;
                }
                Some((index, view)) = runs.next() => {
                    let failure = view.error.as_ref();
                    board.ended(index, failure.map_or("completed", |failure| failure.kind.end()));
                    views[index] = Some(view);
                }
                _ = tick.tick() => board.tick(),
            }
        }
    }
    board.clear();
    let ends = views.into_iter().zip(&ids).enumerate();
    ends.map(|(index, (view, id))| view.unwrap_or_else(|| interrupted(&board, index, id)))
        .collect()
}

async fn run(
    context: &Context<'_>,
    board: &Board<'_>,
    index: usize,
    job: &Job,
    options: &WaitOptions,
) -> TaskView {
    let id = job.handle.id();
    let pace = options.interval.map(Pace::fixed);
    let end = job
        .handle
        .wait()
        .deadline(options.timeout.unwrap_or(Wait::DEADLINE))
        .pace(pace.unwrap_or_else(|| context.pace.clone()))
        .on_update(|task| board.saw(index, task))
        .await;
    let mut view = last_seen(board, index, id);
    let saved = match (end, &job.file) {
        (Err(error), _) => Err(Failure::from(&error)),
        (Ok(_), File::NotWanted) => Ok(None),
        (Ok(_), File::Kept(file)) => Ok(Some(file.clone())),
        (Ok(video), File::Save(target)) => {
            let progress = |bytes, total| board.downloading(index, bytes, total);
            target.save(&video, progress).await.map(Some)
        }
    };
    match saved {
        Ok(file) => view.file = file,
        Err(failure) => view = view.with_error(failure),
    }
    view
}

fn last_seen(board: &Board<'_>, index: usize, id: &TaskId) -> TaskView {
    match board.last(index) {
        Some(task) => TaskView::of(id, &task),
        None => TaskView::of_id(id),
    }
}

fn interrupted(board: &Board<'_>, index: usize, id: &TaskId) -> TaskView {
    let has_ended = board
        .last(index)
        .is_some_and(|task| task.state().is_terminal());
    let what = match has_ended {
        true => "interrupted; the task has ended, wait for it again to download its video",
        false => "interrupted; the task goes on",
    };
    last_seen(board, index, id).with_error(Failure::new(Kind::Interrupted, what))
}
