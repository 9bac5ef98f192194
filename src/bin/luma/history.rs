//! `luma history`: the tasks of the account.

use std::{pin::pin, time::SystemTime};

use console::{Alignment, Term, pad_str, truncate_str};
use futures_util::stream::{StreamExt, TryStreamExt};
use luma_client::TaskId;

use crate::{
    context::Context,
    failure::{Exit, Failure, Kind},
    output::{plain, styled},
    times,
    view::{TaskView, utc},
};

/// List the tasks of the account, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The service does not promise this list: it may refuse or change it.
With --json: {\"tasks\": [...]}, newest first.

Examples:
  luma history
  luma history --since 2h --limit 100
  luma --json history | jq -r '.tasks[] | select(.state == \"completed\") | .video.url'")]
pub struct Args {
    /// How many tasks at most
    #[arg(short = 'n', long, value_name = "TASKS", default_value = "20",
          value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// Only tasks that were created since then: 2h (ago), 2026-08-01 or 2026-08-01T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = times::time)]
    since: Option<SystemTime>,

    /// Only tasks that were created until then
    #[arg(long, value_name = "TIME", value_parser = times::time)]
    until: Option<SystemTime>,
}

pub async fn run(context: &Context<'_>, args: Args) -> Result<Exit, Failure> {
    if let (Some(since), Some(until)) = (args.since, args.until)
        && since > until
    {
        let message = "no time is in the range: --since is later than --until";
        return Err(Failure::new(Kind::BadInput, message));
    }
    let mut history = context.luma.history().page_size(args.limit.min(50));
    if let Some(time) = args.since {
        history = history.since(time);
    }
    if let Some(time) = args.until {
        history = history.until(time);
    }
    let mut views = Vec::new();
    let mut tasks = pin!(history.take(args.limit as usize));
    while let Some(task) = tasks.try_next().await? {
        // A task without an id can be neither looked up nor named.
        if let Some(Ok(id)) = task.id.as_deref().map(str::parse::<TaskId>) {
            views.push(TaskView::of(&id, &task));
        }
    }
    match context.output.json() {
        true => context.output.list(&views),
        false if views.is_empty() => context.output.note("There are no tasks."),
        false => context.output.text(&table(&views, width())),
    }
    Ok(Exit::Done)
}

/// The columns of the terminal, where the table goes to one.
fn width() -> Option<usize> {
    let terminal = Term::stdout();
    terminal.is_term().then(|| usize::from(terminal.size().1))
}

/// One line a task; the prompt is cut to the width, if there is one.
fn table(views: &[TaskView], width: Option<usize>) -> String {
    let ids = views.iter().map(|view| view.task_id.len());
    let id_width = ids.max().unwrap_or(0);
    let mut text = String::new();
    for view in views {
        let id = plain(&view.task_id);
        let state = styled(view.state.unwrap_or_default()).to_string();
        let state = pad_str(&state, 10, Alignment::Left, None);
        let created = view.created_at.map(utc).unwrap_or_default();
        let prompt = plain(view.prompt.as_deref().unwrap_or_default());
        let line = format!("{id:<id_width$}  {state}  {created:<20}  {prompt}");
        text += match width {
            Some(width) => truncate_str(&line, width, "…"),
            None => line.as_str().into(),
        }
        .trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_task() {
        console::set_colors_enabled(false);
        let view = |id: &str, state, prompt: &str| TaskView {
            task_id: id.to_owned(),
            state: Some(state),
            prompt: Some(prompt.to_owned()),
            created_at: Some(1_785_585_600.0),
            ..TaskView::default()
        };
        let views = [
            view("task-1", "completed", "A fox\nin the snow"),
            view("task-22", "pending", ""),
        ];
        let expected = "\
task-1   completed   2026-08-01T12:00:00Z  A fox in the snow
task-22  pending     2026-08-01T12:00:00Z
";
        assert_eq!(table(&views, None), expected);
        let first = table(&views, Some(50));
        assert!(
            first.starts_with("task-1   completed   2026-08-01T12:00:00Z  A fox …\n"),
            "{first}"
        );
    }
}
