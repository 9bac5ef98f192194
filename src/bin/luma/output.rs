//! What is printed, and where: results to standard output, all else to standard error.

use std::io::{self, IsTerminal, Write};

use console::{Style, StyledObject};
use serde::Serialize;

use crate::{
    cli::Globals,
    failure::{Exit, Failure},
    view::TaskView,
};

/// Where a command prints.
pub struct Output {
    json: bool,
    verbose: bool,
}

impl Output {
    /// What `serves` others has standard output for its protocol alone, also with `--json`.
    pub fn new(globals: &Globals, serves: bool) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if globals.no_color || no_color {
            console::set_colors_enabled(false);
            console::set_colors_enabled_stderr(false);
        }
        Self {
            json: globals.json && !serves,
            verbose: globals.verbose > 0,
        }
    }

    pub fn json(&self) -> bool {
        self.json
    }

    /// Whether a bar can move on standard error: a terminal that no log lines go to.
    pub fn shows_bar(&self) -> bool {
        io::stderr().is_terminal() && !self.verbose
    }

    /// The one JSON document.
    pub fn document(&self, document: &impl Serialize) {
        print_document(document);
    }

    /// The JSON document of a command that is about several tasks.
    pub fn list(&self, tasks: &[TaskView]) {
        #[derive(Serialize)]
        struct List<'a> {
            tasks: &'a [TaskView],
        }
        self.document(&List { tasks });
    }

    /// A result for people, as it stands.
    pub fn text(&self, text: &str) {
        print(text.as_bytes());
    }

    /// A remark, to standard error.
    pub fn note(&self, text: &str) {
        complain(&format!("{text}\n"));
    }

    /// Tells why the command ended.
    pub fn failure(&self, failure: &Failure) -> Exit {
        if self.json {
            self.document(&failure.document());
        }
        self.complaint(None, failure);
        failure.kind.exit()
    }

    /// One task, as the result of a command that is about one.
    pub fn task(&self, task: &TaskView) -> Exit {
        if self.json {
            self.document(task);
        }
        self.describe(task, false)
    }

    /// Several tasks, as the result of a command that takes several.
    pub fn tasks(&self, tasks: &[TaskView]) -> Exit {
        if self.json {
            self.list(tasks);
        }
        let exits = tasks
            .iter()
            .map(|task| self.describe(task, tasks.len() > 1));
        exits.fold(Exit::Done, Exit::or_worse)
    }

    fn describe(&self, task: &TaskView, is_one_of_many: bool) -> Exit {
        if !self.json && task.is_known() {
            self.text(&task.to_string());
        }
        let Some(failure) = &task.error else {
            return Exit::Done;
        };
        self.complaint(is_one_of_many.then_some(&task.task_id), failure);
        failure.kind.exit()
    }

    fn complaint(&self, task: Option<&String>, failure: &Failure) {
        let error = Style::new().red().bold().for_stderr().apply_to("error:");
        let mut text = format!("{error} ");
        if let Some(task) = task
            && !failure.message.contains(task)
        {
            text += &format!("{}: ", plain(task));
        }
        text += &format!("{}\n", plain(&failure.message));
        if let Some(hint) = &failure.hint {
            text += &format!("{hint}\n");
        }
        complain(&text);
    }
}

/// A state in its colour.
pub fn styled(state: &str) -> StyledObject<String> {
    let style = match state {
        "completed" => Style::new().green(),
        "failed" => Style::new().red(),
        _ => Style::new().yellow(),
    };
    style.apply_to(plain(state))
}

/// Text of the service as one line: nothing in it reaches the terminal as a command.
pub fn plain(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").replace(|c: char| c.is_control(), "")
}

/// An argument as a shell takes it.
pub fn quoted(text: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    match !text.is_empty() && text.chars().all(is_safe) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

pub fn print_document(document: &impl Serialize) {
    // Only a map with keys that are no strings could fail here.
    if let Ok(mut text) = serde_json::to_string_pretty(document) {
        text.push('\n');
        print(text.as_bytes());
    }
}

fn print(bytes: &[u8]) {
    let mut stdout = io::stdout().lock();
    printed(stdout.write_all(bytes).and_then(|()| stdout.flush()));
}

/// A reader that has gone, like `head`, is no failure. A full disk is: the result is lost.
pub fn printed(result: io::Result<()>) {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("error: the result cannot be printed: {error}\n"));
            std::process::exit(Exit::Service.code().into());
        }
        _ => {}
    }
}

fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_as_a_command() {
        for (given, expected) in [
            ("a fox", "a fox"),
            ("a\n  fox\t", "a fox"),
            ("\u{1b}[2Ja\u{7} fox\u{9b}", "[2Ja fox"),
        ] {
            assert_eq!(plain(given), expected);
        }
    }

    #[test]
    fn arguments_are_quoted_where_a_shell_would_read_them() {
        for (given, expected) in [
            ("b8976e18-32dc", "b8976e18-32dc"),
            ("http://127.0.0.1:80/x", "http://127.0.0.1:80/x"),
            ("my fox.mp4", "'my fox.mp4'"),
            ("$(x)", "'$(x)'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(given), expected);
        }
    }
}
