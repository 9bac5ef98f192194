//! `luma task`: what the service knows of tasks now.

use luma_client::{Error, TaskId};

use crate::{
    context::Context,
    failure::{Exit, Failure},
    view::TaskView,
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
    /// The tasks, looked up 50 a request
    #[arg(required = true, value_name = "TASK_ID")]
    ids: Vec<TaskId>,
}

pub async fn run(context: &Context<'_>, args: Args) -> Result<Exit, Failure> {
    let views = match unique(args.ids).as_slice() {
        [id] => vec![TaskView::of(
            id,
            &context.luma.task(id.clone()).get().await?,
        )],
        ids => {
            let tasks = context.luma.tasks(ids).await?;
            let view = |id: &TaskId| {
                let task = tasks
                    .iter()
                    .find(|task| task.id.as_deref() == Some(id.as_str()));
                match task {
                    Some(task) => TaskView::of(id, task),
                    None => {
                        TaskView::of_id(id).with_error(Error::NotFound { task: id.clone() }.into())
                    }
                }
            };
            ids.iter().map(view).collect()
        }
    };
    Ok(context.output.tasks(&views))
}

/// The ids without repetitions, in their order.
pub fn unique(ids: Vec<TaskId>) -> Vec<TaskId> {
    let mut seen = std::collections::HashSet::new();
    let mut ids = ids;
    ids.retain(|id| seen.insert(id.clone()));
    ids
}
