//! `luma task`: what the service knows of tasks now.

use luma_client::{Error, Luma, TaskId};

use crate::{
    context::Context,
    failure::{Exit, Failure, Kind},
    interrupt::Interrupts,
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
    let interrupts = Interrupts::listen();
    let ids = unique(args.ids);
    let views = tokio::select! {
        biased;
        views = look_up(&context.luma, &ids) => views?,
        () = interrupts.first.cancelled() => {
            return Err(Failure::new(Kind::Interrupted, "interrupted"));
        }
    };
    Ok(context.output.tasks(&views))
}

/// One view an id, in their order. An id that is not known is a view with an error.
async fn look_up(luma: &Luma, ids: &[TaskId]) -> luma_client::Result<Vec<TaskView>> {
    if let [id] = ids {
        return match luma.task(id.clone()).get().await {
            Ok(task) => Ok(vec![TaskView::of(id, &task)]),
            Err(Error::NotFound { .. }) => Ok(vec![not_found(id)]),
            Err(error) => Err(error),
        };
    }
    let tasks = luma.tasks(ids).await?;
    let view = |id: &TaskId| {
        let task = tasks
            .iter()
            .find(|task| task.id.as_deref() == Some(id.as_str()));
        task.map_or_else(|| not_found(id), |task| TaskView::of(id, task))
    };
    Ok(ids.iter().map(view).collect())
}

fn not_found(id: &TaskId) -> TaskView {
    TaskView::of_id(id).with_error(Error::NotFound { task: id.clone() }.into())
}

/// The ids without repetitions, in their order.
pub fn unique(ids: Vec<TaskId>) -> Vec<TaskId> {
    let mut seen = std::collections::HashSet::new();
    let mut ids = ids;
    ids.retain(|id| seen.insert(id.clone()));
    ids
}
