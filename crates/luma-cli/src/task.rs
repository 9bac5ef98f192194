//! `luma task`: tasks as they are now.

use luma_client::TaskId;

use crate::{
    context::Context,
    failure::{Exit, Failure, Kind},
    input,
    output::TaskView,
    signals::Signals,
};

/// Show tasks as they are now, without waiting
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --json: {\"tasks\": [...]}, in the order of the ids.

Examples:
  luma task TASK_ID
  luma task TASK_ID ANOTHER_ID
  luma --json task TASK_ID | jq -r '.tasks[0].state'")]
pub struct Args {
    /// The tasks, looked up 50 a request; - reads ids from standard input
    #[arg(required = true, value_name = "TASK_ID")]
    ids: Vec<TaskId>,
}

pub async fn run(context: &Context<'_>, args: Args) -> Result<Exit, Failure> {
    let ids = input::ids(args.ids)?;
    let signals = Signals::listen();
    let found = signals.first.run_until_cancelled(context.luma.tasks(&ids)).await;
    let interrupted = || Failure::new(Kind::Interrupted, "interrupted");
    let views = found.ok_or_else(interrupted)??.into_iter().map(|(id, task)| match task {
        Ok(task) => TaskView::of(&id, Some(task)),
        Err(error) => TaskView::of(&id, None).with_error(error.into()),
    });
    Ok(context.output.tasks(&views.collect::<Vec<_>>(), true))
}
