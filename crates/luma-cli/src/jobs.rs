//! The jobs of a command: tasks to submit, to wait for and to download.

use std::{
    pin::pin,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::stream::{self, StreamExt};
use luma_client::{
    PollInterval, Submission, Task, TaskHandle, TaskId, TaskState, Video, Wait, WaitError,
};
use luma_mcp::DailyLimit;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::{
    context::Context,
    error::{Error, Exit, Kind, Scope},
    output::{File, TaskResult, label, plain},
    progress::{Progress, Stage, TICK},
    save::Saver,
    signals::Signals,
    submit::{self, NoTask},
    times,
};

/// How the error of a prompt begins that was not sent.
const NOT_SENT: &str = "this prompt was not sent";

/// How to wait.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct WaitOptions {
    /// How long to wait, such as 90s, 10m or 1h [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = times::duration)]
    pub timeout: Option<Duration>,

    /// Time between two lookups [default: adapted to videos of one to five minutes]
    #[arg(long, value_name = "DURATION", value_parser = times::duration)]
    pub interval: Option<Duration>,
}

/// Where a task comes from.
pub enum Job {
    /// With its line in the input of `--each-line`.
    Submit(Box<Submission>, Option<usize>),
    Known(TaskId),
}

/// What is done with every task of a command.
pub struct Plan<'a> {
    pub until: Until,
    pub saver: &'a Saver,
    /// How many tasks at a time.
    pub max_parallel: usize,
    /// Search the history for a submit whose response was lost.
    pub find_lost: bool,
    /// What may be submitted in a day.
    pub limit: Option<DailyLimit>,
    /// Whether the JSON is a list, even of one task.
    pub is_list: bool,
}

/// What a job waits for.
#[derive(Clone, Debug)]
pub enum Until {
    Accepted,
    /// It is looked up once.
    Seen,
    Ended(WaitOptions),
}

/// Runs the jobs, and prints each result as soon as it is known: ids of accepted tasks in the order of
/// the jobs, other results as they come. After a signal, or if the results of submits cannot be printed,
/// no submit begins, the one in flight is waited for, and waits and downloads end.
pub async fn run(context: &Context<'_>, jobs: Vec<Job>, plan: &Plan<'_>) -> Exit {
    let output = context.output;
    let signals = &Signals::listen();
    let progress = Progress::new(output, context.usual, jobs.len());
    let mut results: Vec<TaskResult> = jobs.iter().map(|_| TaskResult::default()).collect();
    let submits = jobs.iter().any(|job| matches!(job, Job::Submit(..)));
    let is_one_of_many = jobs.len() > 1;
    let brake = Brake::default();
    if submits && plan.is_list {
        output.begin_list();
    }
    let stop_if_broken = || {
        if submits && output.is_broken() {
            signals.first.cancel();
        }
    };
    stop_if_broken();
    let resume = |results: &[TaskResult]| match resume(context, results, plan)? {
        _ if submits && context.is_simulated() => {
            Some("The simulated task ends with this program.".to_owned())
        }
        command => Some(command),
    };
    {
        let runs = stream::iter(jobs.into_iter().enumerate()).map(|(index, job)| {
            let step = Step { context, signals, progress: &progress, index, plan, brake: &brake };
            async move { (index, step.run(job).await) }
        });
        let mut runs = pin!(match plan.until {
            // An id that waits to be printed takes the place of another submit.
            Until::Accepted => runs.buffered(plan.max_parallel).left_stream(),
            _ => runs.buffer_unordered(plan.max_parallel).right_stream(),
        });
        let mut stopping = pin!(async {
            signals.first.cancelled().await;
            progress.leave();
            sleep(Duration::from_millis(200)).await;
            if progress.is_submitting() {
                output.note(
                    "A submit is in flight and may be billed: waiting for its response. A second \
                     Ctrl-C does not wait.",
                );
            }
            std::future::pending::<()>().await;
        });
        let mut reader_gone = pin!(output.reader_gone());
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                run = runs.next() => {
                    let Some((index, mut result)) = run else { break };
                    progress.set_stage(index, Stage::Ended(match &result.error {
                        Some(error) => error.kind.end(),
                        None if result.state() == Some("completed") => "completed",
                        None => "accepted",
                    }));
                    let advice = resume(std::slice::from_ref(&result)).filter(|_| !is_one_of_many);
                    if let Some(advice) = advice {
                        result.error = result.error.map(|error| error.also(&advice));
                    }
                    if signals.first.is_cancelled() {
                        progress.leave();
                    }
                    progress.hide();
                    // Those that were not sent are told together.
                    if !(result.is_not_sent && is_one_of_many) {
                        output.task(&result, is_one_of_many);
                    }
                    results[index] = result;
                    stop_if_broken();
                }
                () = &mut reader_gone, if !output.is_broken() => stop_if_broken(),
                () = &mut stopping => {}
                _ = ticks.tick() => progress.tick(),
            }
        }
    }
    if matches!(plan.until, Until::Accepted) && context.is_simulated() {
        output.note("The simulated task ends with this program: `luma simulate` runs longer.");
    }
    if let Some(error) = not_sent(&results).filter(|_| is_one_of_many) {
        output.note_error(&error);
    }
    let exit = output.tasks(&results, plan.is_list);
    if submits && output.is_broken() {
        tell_results(context, &results, plan);
    }
    if let Some(advice) = resume(&results).filter(|_| is_one_of_many) {
        output.note(&advice);
    }
    exit
}

/// The command that continues with the tasks that have not ended.
fn resume(context: &Context<'_>, results: &[TaskResult], plan: &Plan<'_>) -> Option<String> {
    let ids = results.iter().filter_map(TaskResult::unfinished).map(TaskId::as_str);
    let command = if matches!(plan.until, Until::Seen) { "download" } else { "wait" };
    let options = plan.saver.arguments();
    let mut arguments: Vec<&str> = [command].into_iter().chain(ids).collect();
    let is_needed = arguments.len() > 1;
    arguments.extend(options.iter().map(String::as_str));
    is_needed.then(|| context.command_line("Resume with", &arguments))
}

/// One error for all prompts that were not sent. Jobs begin in order, so these are the last ones.
fn not_sent(results: &[TaskResult]) -> Option<Error> {
    let mut unsent = results.iter().filter(|result| result.is_not_sent);
    let first = unsent.next()?;
    let error = first.error.clone()?;
    let what = match 1 + unsent.count() {
        1 => "1 prompt was not sent".to_owned(),
        count => format!("{count} prompts were not sent"),
    };
    let from = first.line.map(|line| format!(" (from line {line} on)")).unwrap_or_default();
    let message = error.message.replacen(NOT_SENT, &format!("{what}{from}"), 1);
    Some(Error { message, ..error })
}

/// Tells on standard error what became of accepted videos, since standard output is lost.
fn tell_results(context: &Context<'_>, results: &[TaskResult], plan: &Plan<'_>) {
    let results = results.iter().filter_map(|result| Some((result.id.as_ref()?, result)));
    let mut arguments = vec![if matches!(plan.until, Until::Accepted) { "wait" } else { "task" }];
    for (id, result) in results {
        arguments.push(id.as_str());
        if let Some(file) = result.file.as_ref().filter(|file| !file.is_foreign) {
            let path = plain(&file.path.to_string_lossy());
            context.output.note(&format!("The video of task {id} is saved: {path}"));
        }
    }
    if arguments.len() > 1 && !context.is_simulated() {
        context.output.note(&context.command_line("See the results with", &arguments));
    }
}

/// Stops further submits once every one of them would fail.
#[derive(Default)]
struct Brake {
    /// Submits in a row that failed, whatever their prompt.
    failures: AtomicUsize,
    /// Why no further submit begins.
    reason: OnceLock<String>,
}

impl Brake {
    const MAX_FAILURES: usize = 3;

    /// Takes note of how a submit ended.
    fn record(&self, error: Option<&Error>) {
        let Some(error) = error.filter(|error| error.scope() != Scope::Prompt) else {
            return self.failures.store(0, Ordering::Relaxed);
        };
        let failures = 1 + self.failures.fetch_add(1, Ordering::Relaxed);
        let reason = match error.scope() {
            Scope::Account => format!("every submit would fail: {}", error.message),
            _ if failures >= Self::MAX_FAILURES => {
                format!("{failures} submits in a row failed, the last with: {}", error.message)
            }
            _ => return,
        };
        let _ = self.reason.set(reason);
    }
}

/// One of the jobs.
struct Step<'a> {
    context: &'a Context<'a>,
    signals: &'a Signals,
    progress: &'a Progress<'a>,
    index: usize,
    plan: &'a Plan<'a>,
    brake: &'a Brake,
}

impl Step<'_> {
    async fn run(&self, job: Job) -> TaskResult {
        let (task, prompt, is_new) = match job {
            Job::Known(id) => (self.context.luma.task(id), None, false),
            Job::Submit(submission, line) => {
                let prompt = submission.request().prompt.clone();
                let result = TaskResult { prompt: prompt.clone(), line, ..TaskResult::default() };
                if let Some(error) = self.not_sent() {
                    return TaskResult { is_not_sent: true, ..result.with_error(error) };
                }
                let task = self.submit(&submission).await;
                self.brake.record(task.as_ref().err());
                match task {
                    Ok(task) => (task, prompt, true),
                    Err(error) => return result.with_error(error),
                }
            }
        };
        let id = task.id();
        self.progress.set_id(self.index, id);
        let end = match &self.plan.until {
            Until::Accepted => {
                return TaskResult {
                    is_accepted: true,
                    prompt: prompt.filter(|_| self.plan.is_list),
                    ..TaskResult::of(id, None)
                };
            }
            Until::Seen => self.look_up(&task).await,
            Until::Ended(options) => self.wait(&task, options).await,
        };
        let saved = match end {
            Ok(Some(video)) => self.save(id, &video).await,
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        let result =
            TaskResult { prompt, ..TaskResult::of(id, self.progress.last_report(self.index)) };
        match saved {
            Ok(file) => TaskResult { file, ..result },
            // Its id came from the service, not from the user.
            Err(error) if is_new && error.kind == Kind::NotFound => result.with_error(
                Error::new(
                    Kind::Api,
                    format!("the service accepted task {id}, but cannot find it"),
                )
                .next_step("It may appear later."),
            ),
            Err(error) => result.with_error(error),
        }
    }

    /// Why a prompt is not sent.
    fn not_sent(&self) -> Option<Error> {
        if self.signals.first.is_cancelled() {
            return Some(self.context.output.stopped(NOT_SENT));
        }
        let reason = self.brake.reason.get()?;
        Some(Error::new(Kind::NotSent, format!("{NOT_SENT}: {reason}")))
    }

    /// Submits. If the response is lost and the user wants it, searches for the task.
    async fn submit(&self, submission: &Submission) -> Result<TaskHandle, Error> {
        let (context, signals, progress) = (self.context, self.signals, self.progress);
        progress.set_stage(self.index, Stage::Submitting);
        let limit = self.plan.limit.as_ref();
        let (task, origin) = match submit::send(context, signals, limit, submission).await {
            Ok(task) => (task, "is accepted"),
            Err(NoTask::Final(error)) => return Err(error),
            Err(NoTask::Lost(submission, cause)) if self.plan.find_lost => {
                progress.set_stage(self.index, Stage::Searching);
                let task = submit::find(context, signals, progress, &submission, cause).await?;
                (task, "was found in the history: the same request, created since this submit")
            }
            Err(NoTask::Lost(submission, cause)) => {
                return Err(submit::lost(context, &submission, cause));
            }
        };
        // It is paid for: its id is told even if the result cannot be printed.
        context.output.accepted();
        let about = match &submission.request().prompt {
            Some(prompt) if self.plan.is_list => format!(": {}", label(prompt)),
            _ => String::new(),
        };
        progress.note(&format!("task {} {origin}{about}", task.id()));
        Ok(task)
    }

    async fn wait(&self, task: &TaskHandle, options: &WaitOptions) -> Result<Option<Video>, Error> {
        let (progress, index) = (self.progress, self.index);
        let interval = options.interval.map(PollInterval::fixed);
        let interval = interval.unwrap_or(*self.context.luma.poll_interval());
        let deadline = options.timeout.unwrap_or(Wait::DEFAULT_DEADLINE);
        progress.begin_wait(index, interval);
        let wait = task
            .wait()
            .deadline(deadline)
            .interval(interval)
            .cancelled_by(self.signals.first.clone())
            .on_update(|task| progress.update(index, task))
            .on_error(|failure| progress.lookup_failed(index, failure));
        wait.await.map(Some).map_err(|error| match &error {
            WaitError::Cancelled { .. } => self.context.output.stopped("the task continues"),
            WaitError::Deadline { source: None, .. } => {
                let error = Error::from(&error);
                match progress.silence_at_deadline(index, deadline) {
                    Some(silence) => error.last_error("; ", &silence),
                    None => error,
                }
            }
            _ => Error::from(&error),
        })
    }

    /// Looks the task up once. A failed one has no video: its report says why.
    async fn look_up(&self, task: &TaskHandle) -> Result<Option<Video>, Error> {
        let seen = self.signals.first.run_until_cancelled(task.get()).await;
        let interrupted = || Error::new(Kind::Interrupted, "interrupted");
        let report: Task = seen.ok_or_else(interrupted)??;
        self.progress.update(self.index, &report);
        match (report.video(), report.state()) {
            (Some(video), _) => Ok(Some(video)),
            (None, TaskState::Failed) => Ok(None),
            (None, state) => {
                let options = self.plan.saver.arguments();
                let options = options.iter().map(String::as_str);
                let options = options.filter(|option| *option != "--thumbnail");
                let wait = ["wait", task.id().as_str()].into_iter().chain(options);
                let message = format!("there is no video yet: the task is {state}");
                let next_step =
                    self.context.command_line("Wait for it with", &wait.collect::<Vec<_>>());
                Err(Error::new(Kind::NotReady, message).next_step(next_step))
            }
        }
    }

    async fn save(&self, id: &TaskId, video: &Video) -> Result<Option<File>, Error> {
        let on_progress = |bytes, total| {
            self.progress.set_stage(self.index, Stage::Downloading { bytes, total });
        };
        let saver = self.plan.saver;
        let save = saver.save(&self.context.luma, id, video, on_progress);
        let file = self.signals.first.run_until_cancelled(save).await.unwrap_or_else(|| {
            let what = "the task has ended, but its file is not saved";
            Err(self.context.output.stopped(what))
        })?;
        if let Some(file) = file.as_ref().filter(|file| file.is_foreign) {
            let path = plain(&file.path.to_string_lossy());
            self.progress.note(&format!(
                "{path} already exists and was not written: --overwrite replaces it"
            ));
        }
        Ok(file)
    }
}
