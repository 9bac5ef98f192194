//! From a call to its outcome.

use std::{
    future::IntoFuture,
    time::{Duration, SystemTime},
};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep, timeout};

use super::{
    advice::{self, Stage},
    arguments::{
        Continuation, ExtendVideo, ExtendVideoFromUrl, GenerateVideo, GenerateVideoFromImage,
        GetTask, GetTasksBatch, ListTasks, Options,
    },
    context::{Context, MAX_HOLD},
    listing, lists,
    outcome::Outcome,
    read::read,
    results::{BatchReport, ListReport, Problem, State, TaskReport},
    tools::{Kind, Tool, UnknownTool, find, tools},
};
use crate::{
    Extend, Generate, InvalidInput, Luma, Reconciliation, RequestError, Submission, SubmitError,
    Task, TaskHandle, TaskId, VideoSource, Wait, WaitError,
};

/// The problems of arguments that cannot be used.
type Refused = Vec<String>;

/// Calls a tool.
///
/// The arguments are a JSON object, its text, or null. All of them are checked before anything is sent;
/// null and "" count as absent for optional arguments, and unknown arguments are ignored unless they look
/// like a misspelling or belong to another tool that costs credits. Every failure is an [`Outcome`] that says what to do.
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
/// [`UnknownTool`] if no tool has the name.
pub async fn call(
    luma: &Luma,
    name: &str,
    arguments: impl Into<Value>,
    context: &Context,
) -> Result<Outcome, UnknownTool> {
    let tool = find(name)?;
    if context.read_only && tool.submits() {
        let message = "this server is read-only: it looks up tasks and creates no videos";
        let next_step =
            "Do not repeat the call. Tell the user that the server was started read-only.";
        return Ok(Outcome::failed("read_only", message, next_step));
    }
    let outcome = match read(&tool.input_schema, &siblings(tool), arguments.into()) {
        Ok(arguments) => run(luma, tool, arguments, context).await,
        Err(problems) => Err(problems),
    };
    let mut outcome = outcome.unwrap_or_else(|problems| {
        let next_step =
            format!("{} Correct the arguments and call {} again.", advice::UNSENT, tool.name);
        Outcome::failed("invalid_arguments", &problems.join("; "), &next_step)
    });
    // An error of the service may quote the request.
    outcome.edit(&|text, max_chars| luma.redact(text, max_chars));
    Ok(outcome)
}

/// The arguments of the other tools that cost credits, with their tools. Ignoring one of them buys a video
/// that was not asked for. Hosts have a `timeout` of their own.
fn siblings(tool: &Tool) -> Vec<(&'static str, &'static str)> {
    let others = tools().iter().filter(|other| tool.submits() && other.submits());
    let arguments = others.flat_map(|other| {
        let properties = other.input_schema["properties"].as_object().into_iter().flatten();
        properties.map(|(name, _)| (name.as_str(), other.name))
    });
    arguments.filter(|(name, _)| *name != "timeout").collect()
}

/// Returns the result of `luma_get_task` for a task that was looked up already.
pub fn report(luma: &Luma, id: &TaskId, task: &Task, context: &Context) -> Outcome {
    let mut outcome = TaskReport::of(id, task, context.read_only).into_outcome();
    outcome.edit(&|text, max_chars| luma.redact(text, max_chars));
    outcome
}

async fn run(
    luma: &Luma,
    tool: &Tool,
    arguments: Map<String, Value>,
    context: &Context,
) -> Result<Outcome, Refused> {
    Ok(match tool.kind {
        Kind::GenerateVideo => {
            let GenerateVideo { prompt, options } = typed(arguments)?;
            let hold = options.hold(context);
            let submission = options.set(luma.generate(prompt)).prepare();
            submit(luma, submission.map_err(refused)?, hold, context).await
        }
        Kind::GenerateVideoFromImage => {
            let arguments: GenerateVideoFromImage = typed(arguments)?;
            if arguments.start_image_url.is_none() && arguments.end_image_url.is_none() {
                return Err(vec![
                    "start_image_url or end_image_url is required; without a picture call \
                     luma_generate_video"
                        .to_owned(),
                ]);
            }
            let hold = arguments.options.hold(context);
            let video = arguments.options.set(luma.generate(arguments.prompt));
            let video = set(video, arguments.start_image_url, Generate::start_image_url);
            let video = set(video, arguments.end_image_url, Generate::end_image_url);
            submit(luma, video.prepare().map_err(refused)?, hold, context).await
        }
        Kind::ExtendVideo => {
            let ExtendVideo { video_id, next } = typed(arguments)?;
            extend(luma, VideoSource::VideoId(video_id), next, context).await?
        }
        Kind::ExtendVideoFromUrl => {
            let ExtendVideoFromUrl { video_url, next } = typed(arguments)?;
            extend(luma, VideoSource::Url(video_url), next, context).await?
        }
        Kind::GetTask => {
            let GetTask { task_id } = typed(arguments)?;
            get_task(luma, read_id("task_id", &task_id)?, context).await
        }
        Kind::GetTasksBatch => {
            let GetTasksBatch { task_ids } = typed(arguments)?;
            let ids = task_ids.iter().enumerate();
            let ids = ids.map(|(index, id)| read_id(&format!("task_ids[{index}]"), id));
            get_tasks(luma, &ids.collect::<Result<Vec<_>, _>>()?, context).await
        }
        Kind::ListTasks => list_tasks(luma, typed(arguments)?, context).await?,
        Kind::ListAspectRatios => {
            Outcome::new(&lists::aspect_ratios(context.read_only), Vec::new())
        }
        Kind::ListActions => Outcome::new(&lists::actions(context.read_only), Vec::new()),
    })
}

fn typed<T: DeserializeOwned>(arguments: Map<String, Value>) -> Result<T, Refused> {
    serde_json::from_value(Value::Object(arguments)).map_err(|error| vec![error.to_string()])
}

fn refused(input: InvalidInput) -> Refused {
    vec![input.to_string()]
}

fn read_id(name: &str, text: &str) -> Result<TaskId, Refused> {
    text.parse().map_err(|error| vec![format!("{name}: {error}")])
}

/// Sets an argument that was given.
fn set<T, V>(target: T, value: Option<V>, set: impl FnOnce(T, V) -> T) -> T {
    match value {
        Some(value) => set(target, value),
        None => target,
    }
}

impl Options {
    fn set(self, video: Generate) -> Generate {
        let video = set(video, self.aspect_ratio, Generate::aspect_ratio);
        let video = set(video, self.r#loop, Generate::loop_video);
        let video = set(video, self.enhancement, Generate::enhancement);
        set(video, self.callback_url, Generate::callback_url)
    }

    /// How long the submit waits for the video.
    fn hold(&self, context: &Context) -> Duration {
        let wanted = Duration::try_from_secs_f64(self.timeout.unwrap_or(0.0));
        wanted.unwrap_or(Duration::MAX).min(context.hold)
    }
}

async fn extend(
    luma: &Luma,
    source: VideoSource,
    next: Continuation,
    context: &Context,
) -> Result<Outcome, Refused> {
    let video = luma.extend(source, next.prompt);
    let video = set(video, next.end_image_url, Extend::end_image_url);
    let video = set(video, next.callback_url, Extend::callback_url);
    let submission = video.prepare().map_err(refused)?;
    Ok(submit(luma, submission, Duration::ZERO, context).await)
}

async fn submit(luma: &Luma, submission: Submission, hold: Duration, context: &Context) -> Outcome {
    if context.cancel.is_cancelled() {
        return cancelled();
    }
    let begin = Instant::now();
    // From here on a video may be billed. Only the response ends an attempt.
    let luma = luma.with_shutdown(context.cancel.clone());
    let handle = match luma.submit(&submission).await {
        Ok(handle) => handle,
        Err(SubmitError::InvalidInput(input)) => {
            return Outcome::failed("invalid_arguments", &input.to_string(), advice::UNSENT);
        }
        Err(SubmitError::NotAccepted(_)) if context.cancel.is_cancelled() => return cancelled(),
        Err(SubmitError::NotAccepted(error)) => {
            return failed(advice::explain(&error, Stage::Submit));
        }
        Err(SubmitError::Unconfirmed { source, .. }) => {
            match reconcile(&luma, &submission, begin, context).await {
                Ok(handle) => handle,
                Err(reason) => {
                    let message = format!("{source}; {reason}");
                    return Outcome::failed("unconfirmed", &message, advice::UNCONFIRMED).billed();
                }
            }
        }
    };
    let accepted = Task { id: Some(handle.id().to_string()), ..Task::default() };
    let left = hold.saturating_sub(begin.elapsed());
    let task = match left.is_zero() {
        true => None,
        false => watch(luma.task(&handle).wait(), left, context).await.ok(),
    };
    // The submit was accepted. A lookup that failed does not hide that.
    let task = task.unwrap_or(accepted);
    TaskReport::of(handle.id(), &task, context.read_only).into_outcome().billed()
}

/// Looks for a submit whose response was lost, before a model submits it again.
///
/// # Errors
///
/// Why it was not found, in words.
async fn reconcile(
    luma: &Luma,
    submission: &Submission,
    begin: Instant,
    context: &Context,
) -> Result<TaskHandle, String> {
    /// Time for one look at least.
    const LEAST: Duration = Duration::from_secs(5);
    // A client that gives up never hears that the submit is in doubt, and submits again.
    let time = MAX_HOLD.saturating_sub(begin.elapsed()).max(LEAST);
    let search = timeout(time, luma.reconcile(submission).into_future());
    match context.cancel.run_until_cancelled(search).await {
        Some(Ok(Ok(Reconciliation::Found(handle)))) => Ok(handle),
        Some(Ok(Ok(Reconciliation::Inconclusive(reason)))) => Err(reason.to_string()),
        // It is evidence, not proof: the request may still arrive.
        Some(Ok(Ok(_))) => Err("the account's history does not show it so far".to_owned()),
        Some(Ok(Err(error))) => Err(format!("the search for it failed: {error}")),
        Some(Err(_)) => Err("the search for it took too long".to_owned()),
        None => Err("the search for it was cancelled".to_owned()),
    }
}

async fn get_task(luma: &Luma, id: TaskId, context: &Context) -> Outcome {
    /// How long after its submit the service may not know a task yet.
    const SETTLE: Duration = Duration::from_secs(2);
    let begin = Instant::now();
    let mut task = look_up(luma, &id, context.hold, context).await;
    let left = context.hold.saturating_sub(begin.elapsed());
    if matches!(&task, Err((problem, _)) if problem.code == "not_found") && !left.is_zero() {
        let settling = context.cancel.run_until_cancelled(sleep(SETTLE.min(left)));
        if settling.await.is_some() {
            task = look_up(luma, &id, left.saturating_sub(SETTLE), context).await;
        }
    }
    match task {
        Ok(task) => TaskReport::of(&id, &task, context.read_only).into_outcome(),
        Err(problem) => TaskReport::lost(&id, problem).into_outcome().into_error(),
    }
}

async fn look_up(
    luma: &Luma,
    id: &TaskId,
    hold: Duration,
    context: &Context,
) -> Result<Task, (Problem, String)> {
    let handle = luma.task(id);
    match hold.is_zero() {
        true => match context.cancel.run_until_cancelled(handle.get()).await {
            Some(looked_up) => looked_up.map_err(|error| advice::explain(&error, Stage::Lookup)),
            None => Err(advice::cancelled()),
        },
        false => watch(handle.wait().immediately(), hold, context).await,
    }
}

/// Waits for the end of a task, and returns its latest report when the time is up or the call is cancelled.
///
/// # Errors
///
/// The problem and the next step, if there was no report at all.
async fn watch(
    wait: Wait<'_>,
    hold: Duration,
    context: &Context,
) -> Result<Task, (Problem, String)> {
    let begin = Instant::now();
    let mut last = None;
    let end = wait
        .max_consecutive_errors(3)
        .deadline(hold)
        .cancelled_by(context.cancel.clone())
        .on_update(|task| {
            context.report(begin.elapsed(), hold, &task.state());
            last = Some(task.clone());
        })
        .await;
    match (last, end) {
        (_, Err(WaitError::NotFound { task })) => {
            let error = RequestError::NotFound { task };
            Err(advice::explain(&error, Stage::Lookup))
        }
        (Some(task), _) => Ok(task),
        (None, Err(WaitError::Cancelled { .. })) => Err(advice::cancelled()),
        (
            None,
            Err(WaitError::Poll { source, .. } | WaitError::Deadline { source: Some(source), .. }),
        ) => Err(advice::explain(&source, Stage::Lookup)),
        (None, _) => {
            let message = format!("the service did not respond in {} seconds", hold.as_secs());
            let next_step = advice::later(Stage::Lookup, None);
            Err((Problem::new("timeout", &message), next_step))
        }
    }
}

async fn get_tasks(luma: &Luma, ids: &[TaskId], context: &Context) -> Outcome {
    let tasks = match context.cancel.run_until_cancelled(luma.tasks(ids)).await {
        Some(Ok(tasks)) => tasks,
        Some(Err(error)) => return failed(advice::explain(&error, Stage::Lookup)),
        None => return cancelled(),
    };
    let reports: Vec<_> = tasks
        .iter()
        .map(|(id, task)| match task {
            Ok(task) => TaskReport::of(id, task, context.read_only).in_list(task),
            Err(error) => TaskReport::lost(id, advice::explain(error, Stage::Lookup)),
        })
        .collect();
    let is_running = |report: &&TaskReport| {
        matches!(report.state, Some(State::Pending | State::Processing | State::Unknown))
    };
    let running = reports.iter().filter(is_running).count();
    let missing = reports.iter().filter(|report| report.state.is_none()).count();
    let links = reports.iter().filter_map(TaskReport::link).collect();
    let batch = BatchReport {
        tasks: Some(reports),
        error: None,
        next_step: advice::batch(running, missing),
    };
    Outcome::new(&batch, links)
}

async fn list_tasks(
    luma: &Luma,
    ListTasks { state, since, cursor }: ListTasks,
    context: &Context,
) -> Result<Outcome, Refused> {
    let read = |name: &str, wanted: &str| vec![format!("{name} must be {wanted}")];
    let since = since.map(|text| {
        let wanted = "an age such as 2h or 7d, a date such as 2026-01-31, or a time in RFC 3339";
        listing::since(&text, SystemTime::now()).ok_or_else(|| read("since", wanted))
    });
    let after = cursor.map(|text| {
        let wanted = "next_cursor of an earlier page, as it is";
        listing::Cursor::read(&text).ok_or_else(|| read("cursor", wanted))
    });
    let page =
        listing::page(luma, state, since.transpose()?, after.transpose()?, context.read_only);
    let (tasks, next_cursor) = match context.cancel.run_until_cancelled(page).await {
        Some(Ok(page)) => page,
        Some(Err(error)) if advice::is_refused_history(&error) => {
            let message = format!("the service does not list the account's tasks: {error}");
            return Ok(Outcome::failed("history_unavailable", &message, advice::NO_HISTORY));
        }
        Some(Err(error)) => return Ok(failed(advice::explain(&error, Stage::Lookup))),
        None => return Ok(cancelled()),
    };
    let links = tasks.iter().filter_map(TaskReport::link).collect();
    let page =
        BatchReport { tasks: Some(tasks), error: None, next_step: advice::LISTED.to_owned() };
    Ok(Outcome::new(&ListReport { page, next_cursor }, links))
}

/// An error about the call as a whole. Its shape is valid for every tool.
fn failed((error, next_step): (Problem, String)) -> Outcome {
    let report = TaskReport { error: Some(error), next_step, ..TaskReport::default() };
    report.into_outcome().into_error()
}

fn cancelled() -> Outcome {
    failed(advice::cancelled())
}
