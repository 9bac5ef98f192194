//! From a call to its outcome.

use std::{future::Future, time::Duration};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    advice::{self, Stage},
    arguments::{GenerateVideo, GenerateVideoFromImage, GetTask, GetTasksBatch},
    check::check,
    context::{Context, MAX_HOLD, Offers},
    guide,
    outcome::{Outcome, UnknownTool},
    requests::{self, Refused},
    results::{BatchReport, Problem, State, TaskReport},
    tools::{Kind, Tool, find},
};
use crate::{
    client::Luma,
    error::{Error, Result},
    handle::{TaskHandle, Ticket},
    orphan::{PendingSubmission, Search},
    task::{Task, TaskId},
    wait::WaitError,
    wire::Timestamp,
};

/// Calls a tool.
///
/// Arguments may be a JSON object, the text of one, or null. They are all checked before anything
/// is sent or spent; null values count as absent. Whatever goes wrong is an [`Outcome`] that says
/// what to do.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma) -> Result<(), luma_client::mcp::UnknownTool> {
/// use luma_client::mcp::{self, Context};
/// use serde_json::json;
///
/// let arguments = json!({ "prompt": "A lighthouse at dusk" });
/// let outcome = mcp::call(&luma, "luma_generate_video", arguments, &Context::new()).await?;
/// println!("{}", outcome.structured_content["result"]["task_id"]);
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`UnknownTool`] where no tool has the name.
pub async fn call(
    luma: &Luma,
    name: &str,
    arguments: impl Into<Value>,
    context: &Context,
) -> Result<Outcome, UnknownTool> {
    let tool = find(name).ok_or_else(|| UnknownTool::new(name))?;
    let mut outcome = match check(&tool.input_schema, arguments.into()) {
        Ok(arguments) => run(luma, tool, arguments, context).await,
        Err(problems) => Err(problems),
    }
    .unwrap_or_else(|problems| failure(advice::invalid(tool.name, &problems)));
    // An error of the service may quote what it was sent.
    outcome.edit(&|text| luma.without_token(text));
    Ok(outcome)
}

async fn run(
    luma: &Luma,
    tool: &Tool,
    arguments: Map<String, Value>,
    context: &Context,
) -> Result<Outcome, Refused> {
    Ok(match tool.kind {
        Kind::GenerateVideo => {
            let arguments: GenerateVideo = typed(arguments)?;
            let hold = hold(arguments.timeout, context);
            let video = requests::generate(luma, arguments)?;
            submit(context, hold, video.submit()).await
        }
        Kind::GenerateVideoFromImage => {
            let arguments: GenerateVideoFromImage = typed(arguments)?;
            let hold = hold(arguments.timeout, context);
            let video = requests::generate_from_image(luma, arguments)?;
            submit(context, hold, video.submit()).await
        }
        Kind::ExtendVideo => {
            let video = requests::extend(luma, typed(arguments)?)?;
            submit(context, Duration::ZERO, video.submit()).await
        }
        Kind::ExtendVideoFromUrl => {
            let video = requests::extend_from_url(luma, typed(arguments)?)?;
            submit(context, Duration::ZERO, video.submit()).await
        }
        Kind::GetTask => {
            let GetTask { task_id } = typed(arguments)?;
            get_task(luma, requests::task_id(&task_id)?, context).await
        }
        Kind::GetTasksBatch => {
            let GetTasksBatch { task_ids } = typed(arguments)?;
            get_tasks(luma, requests::task_ids(&task_ids)?, context).await
        }
        Kind::ListAspectRatios => Outcome::new(&guide::aspect_ratios(context.offers), Vec::new()),
        Kind::ListActions => Outcome::new(&guide::actions(context.offers), Vec::new()),
    })
}

fn typed<T: DeserializeOwned>(arguments: Map<String, Value>) -> Result<T, Refused> {
    serde_json::from_value(Value::Object(arguments)).map_err(|error| vec![error.to_string()])
}

/// How long a submit may be held, by its argument `timeout`.
fn hold(timeout: Option<f64>, context: &Context) -> Duration {
    let wanted = timeout.map_or(Duration::ZERO, |seconds| {
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    });
    wanted.min(context.hold)
}

async fn submit(
    context: &Context,
    hold: Duration,
    request: impl Future<Output = Result<TaskHandle>>,
) -> Outcome {
    if context.cancel.is_cancelled() {
        return failure(advice::cancelled(Stage::Submit));
    }
    let begin = Instant::now();
    // From here on it may be billed: nothing ends it but its answer.
    let handle = match request.await {
        Ok(handle) => handle,
        Err(Error::Unconfirmed { pending, source }) => {
            let time = time_to_search(begin.elapsed());
            match search(&pending, &source, time, context).await {
                Ok(handle) => handle,
                Err(problem) => return failure(problem),
            }
        }
        Err(error) => return failure(advice::explain(&error, Stage::Submit)),
    };
    let id = handle.id().clone();
    let accepted = Task {
        id: Some(id.to_string()),
        ..Task::default()
    };
    let left = hold.saturating_sub(begin.elapsed());
    let task = match watch(&handle, &accepted, left, context).await {
        Ok(task) => task,
        // It was accepted: that is what counts.
        Err(_) => accepted,
    };
    outcome(TaskReport::of(&id, &task, context.offers))
}

/// How long a call that has taken so long already may look for its submit: clients that give up on
/// it hear of no doubt, and submit again.
fn time_to_search(taken: Duration) -> Duration {
    /// For one look at least.
    const LEAST: Duration = Duration::from_secs(5);
    MAX_HOLD.saturating_sub(taken).max(LEAST)
}

/// Looks for a submit whose answer was lost, before a model submits it again.
async fn search(
    pending: &PendingSubmission,
    error: &Error,
    time: Duration,
    context: &Context,
) -> Result<TaskHandle, (Problem, String)> {
    let found = tokio::time::timeout(time, pending.find());
    match context.cancel.run_until_cancelled(found).await {
        Some(Ok(Ok(Search::Found(handle)))) => Ok(handle),
        Some(Ok(Ok(Search::NotThere))) => Err(advice::not_accepted(error)),
        Some(Ok(Ok(Search::CannotTell(doubt)))) => {
            Err(advice::unconfirmed(error, &doubt.to_string()))
        }
        Some(Ok(Err(failed))) => Err(advice::unconfirmed(error, &failed.to_string())),
        Some(Err(_)) => Err(advice::unconfirmed(error, "it takes too long")),
        None => Err(advice::unconfirmed(error, "it was cancelled")),
    }
}

/// How long after its submit a task may be unknown to lookups.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// Looks a task up. One that is not known may just have been submitted: it is looked up once more
/// after `grace`, if that is any time at all.
pub(crate) async fn look_up(luma: &Luma, id: &TaskId, grace: Duration) -> Result<Task> {
    match luma.retrieve_in_company(id).await {
        Err(Error::NotFound { .. }) if !grace.is_zero() => {
            tokio::time::sleep(grace).await;
            luma.retrieve_in_company(id).await
        }
        answer => answer,
    }
}

async fn get_task(luma: &Luma, id: TaskId, context: &Context) -> Outcome {
    let begin = Instant::now();
    let cancelled = || lost(&id, advice::cancelled(Stage::Lookup));
    let lookup = look_up(luma, &id, GRACE.min(context.hold));
    let task = match context.cancel.run_until_cancelled(lookup).await {
        Some(Ok(task)) => task,
        Some(Err(error)) => return lost(&id, advice::explain(&error, Stage::Lookup)),
        None => return cancelled(),
    };
    // With the task's age the wait keeps the pace of a video of that age.
    let created = task.created_at.as_ref().and_then(Timestamp::to_system_time);
    let handle = luma.resume(Ticket {
        submitted_at: created,
        ..Ticket::from(id.clone())
    });
    let left = context.hold.saturating_sub(begin.elapsed());
    match watch(&handle, &task, left, context).await {
        Ok(task) => outcome(TaskReport::of(&id, &task, context.offers)),
        Err(WaitError::Cancelled { .. }) => cancelled(),
        Err(_) => lost(&id, advice::not_found(&id)),
    }
}

/// Waits for the end of a task, and gives what is known of it when the time is up.
///
/// # Errors
///
/// [`WaitError::Cancelled`] and [`WaitError::NotFound`]; any other end is one that the last report
/// describes.
async fn watch(
    handle: &TaskHandle,
    known: &Task,
    hold: Duration,
    context: &Context,
) -> Result<Task, WaitError> {
    let mut last = known.clone();
    if hold.is_zero() || known.state().is_terminal() {
        return Ok(last);
    }
    let begin = Instant::now();
    context.report(Duration::ZERO, hold, &known.state());
    let end = handle
        .wait()
        .deadline(hold)
        .cancelled_by(context.cancel.clone())
        .on_update(|task| {
            context.report(begin.elapsed(), hold, &task.state());
            last = task.clone();
        })
        .await;
    match end {
        Err(error @ (WaitError::Cancelled { .. } | WaitError::NotFound { .. })) => Err(error),
        _ => Ok(last),
    }
}

async fn get_tasks(luma: &Luma, ids: Vec<TaskId>, context: &Context) -> Outcome {
    let tasks = match context.cancel.run_until_cancelled(luma.tasks(&ids)).await {
        Some(Ok(tasks)) => tasks,
        Some(Err(error)) => return failure(advice::explain(&error, Stage::Lookup)),
        None => return failure(advice::cancelled(Stage::Lookup)),
    };
    let reports: Vec<_> = ids
        .iter()
        .map(|id| report(id, &tasks, context.offers))
        .collect();
    let going_on = reports.iter().filter(|report| {
        matches!(
            report.state,
            Some(State::Pending | State::Processing | State::Unknown)
        )
    });
    let missing = reports.iter().filter(|report| report.state.is_none());
    let next_step = advice::batch(going_on.count(), missing.count());
    let links = reports.iter().flat_map(TaskReport::links).collect();
    let batch = BatchReport {
        tasks: Some(reports),
        error: None,
        next_step,
    };
    Outcome::new(&batch, links)
}

/// What a batch says of one of its ids.
fn report(id: &TaskId, tasks: &[Task], offers: Offers) -> TaskReport {
    let task = tasks
        .iter()
        .find(|task| task.id.as_deref() == Some(id.as_str()));
    match task {
        Some(task) => TaskReport::of(id, task, offers),
        None => {
            let (problem, next_step) = advice::not_found(id);
            TaskReport::lost(id, problem, next_step)
        }
    }
}

pub(crate) fn outcome(report: TaskReport) -> Outcome {
    let links = report.links();
    Outcome::new(&report, links)
}

/// An error about a task that the model named.
fn lost(id: &TaskId, (problem, next_step): (Problem, String)) -> Outcome {
    outcome(TaskReport::lost(id, problem, next_step)).into_error()
}

/// An error about the call. Its shape is valid for every tool: all results share these two keys.
fn failure((problem, next_step): (Problem, String)) -> Outcome {
    let report = TaskReport {
        error: Some(problem),
        next_step,
        ..TaskReport::default()
    };
    outcome(report).into_error()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_ends_before_clients_give_up() {
        for (taken, expected) in [(0, 45), (1, 44), (30, 15), (39, 6), (41, 5), (90, 5)] {
            let time = time_to_search(Duration::from_secs(taken));
            assert_eq!(time.as_secs(), expected, "{taken}");
        }
    }
}
