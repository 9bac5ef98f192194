//! `luma history`: the tasks of the account.

use std::pin::pin;

use console::{Alignment, Term, pad_str, truncate_str};
use futures_util::stream::StreamExt;
use luma_client::{RequestError, TaskId};

use crate::{
    context::Context,
    error::{Error, Exit},
    output::{TaskResult, label, plain, styled},
    times::{self, Time, utc},
};

/// List the tasks of the account, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The second line of a task has the id of its video, which `luma extend` takes.
The service does not promise this list: it may refuse or change it.
With --json: {\"tasks\": [...]}, newest first.

A TIME is one of
  2h, 3d                      that long ago
  2026-08-01T12:00:00+02:00   any RFC 3339 time
  2026-08-01, 2026-08-01 12:00  in the local time zone (TZ, or the system's)

Examples:
  luma history
  luma history --since 2h --limit 100
  luma history --since 2026-08-01 --until 2026-08-02
  luma --json history | jq -r '.tasks[] | select(.state == \"completed\") | .video.id'")]
pub struct Args {
    /// How many tasks at most
    #[arg(short = 'n', long, value_name = "TASKS", default_value = "20",
          value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// Only tasks created at or after this time
    #[arg(long, value_name = "TIME", value_parser = times::time)]
    since: Option<Time>,

    /// Only tasks created at or before this time
    #[arg(long, value_name = "TIME", value_parser = times::time)]
    until: Option<Time>,
}

pub async fn run(context: &Context<'_>, args: Args) -> Result<Exit, Error> {
    let output = context.output;
    if let (Some(since), Some(until)) = (&args.since, &args.until)
        && since.at > until.at
    {
        return Err(Error::bad_input("--since is later than --until: no task can match"));
    }
    let mut history = context.luma.history().page_size(args.limit.min(50));
    for (option, time) in [("--since", &args.since), ("--until", &args.until)] {
        let Some(time) = time else { continue };
        if let Some(assumed) = &time.assumed {
            output.note(&format!("{option} is in the local time zone: {assumed}"));
        }
        history = match option {
            "--since" => history.since(time.at),
            _ => history.until(time.at),
        };
    }
    let mut results = Vec::new();
    let mut tasks = pin!(history.take(args.limit as usize));
    let mut exit = Exit::Done;
    while let Some(task) = tasks.next().await {
        let task = match task {
            Err(RequestError::Decode(error)) if error.is_item() => {
                output.note(&format!("A task could not be read: {error}"));
                exit = Exit::Service;
                continue;
            }
            task => task?,
        };
        // A task without an id can be neither looked up nor named.
        if let Some(Ok(id)) = task.id.as_deref().map(str::parse::<TaskId>) {
            results.push(TaskResult::of(&id, Some(task)));
        }
    }
    if !output.json() {
        match results.is_empty() {
            true => output.note("There are no tasks."),
            false => output.text(&table(&results, width())),
        }
    }
    // Failed tasks are no failure of the list.
    output.tasks(&results, true);
    Ok(exit)
}

/// The columns of the terminal, if the table goes to one.
fn width() -> Option<usize> {
    let terminal = Term::stdout();
    terminal.is_term().then(|| usize::from(terminal.size().1))
}

/// The id of a task.
fn name(result: &TaskResult) -> String {
    result.id.as_ref().map(|id| plain(id.as_str())).unwrap_or_default()
}

/// One line a task, cut to the width, and one with the id of its video.
fn table(results: &[TaskResult], width: Option<usize>) -> String {
    let id_width = results.iter().map(|result| name(result).len()).max().unwrap_or(0);
    let mut text = String::new();
    for result in results {
        let state = styled(result.state().unwrap_or_default()).to_string();
        let state = pad_str(&state, 10, Alignment::Left, None);
        let created = result.created_at().map(utc).unwrap_or_default();
        let prompt = label(&result.prompt().unwrap_or_default());
        let line = format!("{:<id_width$}  {state}  {created:<20}  {prompt}", name(result));
        text += truncate_str(&line, width.unwrap_or(usize::MAX), "…").trim_end();
        text.push('\n');
        let video = result.task.as_ref().and_then(|task| task.video());
        if let Some(id) = video.as_ref().and_then(|video| video.id()) {
            text += &format!("  video {}\n", plain(id));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn table_has_a_line_a_task_and_one_a_video() {
        console::set_colors_enabled(false);
        let result = |id: &str, task| {
            let task = serde_json::from_value(task).expect("a task");
            TaskResult::of(&id.parse().expect("an id"), Some(task))
        };
        let done = json!({
            "id": "task-1", "created_at": 1_785_585_600,
            "request": { "prompt": "A fox\nin the snow" },
            "response": { "success": true, "video_url": "https://a.b/c", "video_id": "video-1" },
        });
        let results = [
            result("task-1", done),
            result("task-22", json!({ "id": "task-22", "created_at": 1_785_585_600 })),
        ];
        let expected = "\
task-1   completed   2026-08-01T12:00:00Z  A fox in the snow
  video video-1
task-22  pending     2026-08-01T12:00:00Z
";
        assert_eq!(table(&results, None), expected);
        let first = table(&results, Some(50));
        let cut = "task-1   completed   2026-08-01T12:00:00Z  A fox …\n";
        assert!(first.starts_with(cut), "{first}");
    }
}
