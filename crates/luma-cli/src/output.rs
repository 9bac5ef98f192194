//! What is printed, and where: results to standard output, everything else to standard error. Only
//! the fields named here are printed: never the ids of user, account or credential.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use console::{Style, StyledObject};
use luma_client::{Luma, Task, TaskId, TaskState, fields::Timestamp, text::clean};
use serde_json::{Value, json};

use crate::{
    error::{Error, Exit, Kind},
    times::utc,
};

/// How the JSON of a list begins.
const LIST: &str = "{\n  \"tasks\": [\n";

/// Where a command prints.
#[derive(Default)]
pub struct Output {
    json: bool,
    verbose: bool,
    /// The beginning of a list is printed.
    list_begun: AtomicBool,
    /// A video was accepted: whatever fails from now on, the command must not be repeated.
    accepted: AtomicBool,
    /// Why standard output could not be written.
    broken: OnceLock<io::Error>,
    /// Knows the API token, which is never printed: cleaning a text can make it whole.
    luma: OnceLock<Luma>,
}

impl Output {
    pub fn new(json: bool, verbose: bool, no_color: bool) -> Self {
        if no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            console::set_colors_enabled(false);
            console::set_colors_enabled_stderr(false);
        }
        Self { json, verbose, ..Self::default() }
    }

    pub fn json(&self) -> bool {
        self.json
    }

    /// Whether a line on standard error can be redrawn: a terminal that no log lines go to.
    pub fn can_redraw(&self) -> bool {
        let is_dumb =
            std::env::var_os("TERM").is_some_and(|term| term == "dumb" || term.is_empty());
        io::stderr().is_terminal() && !is_dumb && !self.verbose
    }

    /// Tells that the service accepted a video. Its id is told even if the result cannot be printed.
    pub fn accepted(&self) {
        self.accepted.store(true, Ordering::Relaxed);
    }

    /// Keeps the token of this client out of all that is printed.
    pub fn hide_token_of(&self, luma: &Luma) {
        let _ = self.luma.set(luma.clone());
    }

    /// Prints the one JSON document.
    pub fn document(&self, document: &Value) {
        self.text(&readable_json(document));
    }

    /// Prints a result: a text for people, or with `--json` a document.
    pub fn result(&self, text: &str, document: &Value) {
        match self.json {
            true => self.document(document),
            false => self.text(text),
        }
    }

    /// Prints a result for people as it stands, unless an earlier one could not be printed.
    pub fn text(&self, text: &str) {
        if !self.is_broken() {
            let mut stdout = io::stdout().lock();
            let text = self.without_token(text);
            self.note_write(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
        }
    }

    /// Takes note of a result that could not be printed.
    pub fn note_write(&self, result: io::Result<()>) {
        if let Err(error) = result {
            let _ = self.broken.set(error);
        }
    }

    /// Waits until the reader of standard output has gone, and takes note of it.
    #[cfg(unix)]
    pub async fn reader_gone(&self) {
        use tokio::io::{Interest, unix::AsyncFd};

        // Deprecated, because a file may be closed in the meantime: not this one.
        #[allow(deprecated)]
        match AsyncFd::with_interest(io::stdout(), Interest::ERROR) {
            Ok(stdout) if stdout.ready(Interest::ERROR).await.is_ok() => {
                self.note_write(Err(io::ErrorKind::BrokenPipe.into()));
            }
            // A file has no reader.
            _ => std::future::pending().await,
        }
    }

    #[cfg(not(unix))]
    pub async fn reader_gone(&self) {
        std::future::pending().await
    }

    /// Whether standard output can no longer be written.
    pub fn is_broken(&self) -> bool {
        self.broken.get().is_some()
    }

    /// Why a command does no more: after a signal, or as its results cannot be printed.
    pub fn stopped(&self, what: &str) -> Error {
        match self.is_broken() {
            true => Error::new(Kind::File, format!("results cannot be printed: {what}")),
            false => Error::new(Kind::Interrupted, format!("interrupted: {what}")),
        }
    }

    /// How the program ends, if its command ends like this. A reader that has gone, like `head`, is no
    /// failure, unless the lost text is about a video that was paid for.
    pub fn end(&self, exit: Exit) -> Exit {
        let is_accepted = self.accepted.load(Ordering::Relaxed);
        let is_failure =
            |error: &&io::Error| is_accepted || error.kind() != io::ErrorKind::BrokenPipe;
        let lost = self.broken.get().filter(is_failure);
        if let Some(error) = lost {
            self.note(&format!("error: the result cannot be printed: {error}"));
        }
        match lost.map_or(exit, |_| exit.max(Exit::Service)) {
            Exit::Service | Exit::BadInput if is_accepted => Exit::Submitted,
            exit => exit,
        }
    }

    /// Prints a remark to standard error.
    pub fn note(&self, text: &str) {
        let text = self.without_token(&format!("{text}\n"));
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    fn without_token(&self, text: &str) -> String {
        self.luma.get().map_or_else(|| text.to_owned(), |luma| luma.without_token(text))
    }

    /// Tells why the command ended.
    pub fn error(&self, error: &Error) -> Exit {
        self.error_document(error);
        self.print_error(None, error);
        error.kind.exit()
    }

    /// Prints the JSON of a command that has no result.
    pub fn error_document(&self, error: &Error) {
        if self.json {
            self.document(&without_nulls(json!({ "error": error })));
        }
    }

    /// Prints the result of a task for people, and why it did not end well.
    pub fn task(&self, task: &TaskResult, is_one_of_many: bool) {
        match &task.id {
            _ if self.json => {}
            Some(id) if task.is_accepted => self.text(&format!("{id}\n")),
            _ if task.task.is_some() => self.text(&task.to_string()),
            _ => {}
        }
        if let Some(error) = &task.error {
            self.print_error(is_one_of_many.then(|| task.label()), error);
        }
    }

    /// Begins the JSON of a list, so that a full disk is noticed before anything is paid for.
    pub fn begin_list(&self) {
        if self.json {
            self.list_begun.store(true, Ordering::Relaxed);
            self.text(LIST);
        }
    }

    /// Prints the JSON of a command about one task, or about a list of tasks. How it ends.
    pub fn tasks(&self, tasks: &[TaskResult], is_list: bool) -> Exit {
        if self.json {
            let documents: Vec<_> = tasks.iter().map(TaskResult::document).collect();
            match (is_list, &documents[..]) {
                (false, [task]) => self.document(task),
                _ => {
                    let list = readable_json(&json!({ "tasks": documents }));
                    let rest = list.strip_prefix(LIST);
                    let rest = rest.filter(|_| self.list_begun.load(Ordering::Relaxed));
                    self.text(rest.unwrap_or(&list));
                }
            }
        }
        let exits = tasks.iter().filter_map(|task| Some(task.error.as_ref()?.kind.exit()));
        exits.max().unwrap_or(Exit::Done)
    }

    /// Prints an error of several tasks.
    pub fn note_error(&self, error: &Error) {
        self.print_error(None, error);
    }

    fn print_error(&self, task: Option<String>, error: &Error) {
        let label = Style::new().red().bold().for_stderr().apply_to("error:");
        let message = plain(&error.message);
        let next = error.next_step.as_deref().unwrap_or_default();
        let next: String = next.lines().map(|line| format!("\n{}", plain(line))).collect();
        let task = task.map(|task| format!("{task}: ")).unwrap_or_default();
        self.note(&format!("{label} {task}{message}{next}"));
    }
}

/// A task as it is printed, for people or as JSON. Unknown fields are omitted.
#[derive(Clone, Debug, Default)]
pub struct TaskResult {
    /// `None` before the task is accepted.
    pub id: Option<TaskId>,
    /// The line of its prompt in the input of `--each-line`.
    pub line: Option<usize>,
    /// No submit was sent for it.
    pub is_not_sent: bool,
    /// The prompt that was to be submitted.
    pub prompt: Option<String>,
    /// The last report.
    pub task: Option<Task>,
    /// Accepted, and not awaited.
    pub is_accepted: bool,
    pub file: Option<File>,
    pub error: Option<Error>,
}

/// The file of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    pub path: PathBuf,
    pub bytes: u64,
    /// It was there before, and was not written: it may be anything.
    pub is_foreign: bool,
}

impl TaskResult {
    /// The last report of a task, and why it failed if it did.
    pub fn of(id: &TaskId, task: Option<Task>) -> Self {
        Self {
            id: Some(id.clone()),
            error: task.as_ref().and_then(Task::failure).map(Error::from),
            task,
            ..Self::default()
        }
    }

    pub fn with_error(mut self, error: Error) -> Self {
        self.error = Some(error);
        self
    }

    /// The id of a task that can be waited for or downloaded again.
    pub fn unfinished(&self) -> Option<&TaskId> {
        self.id.as_ref().filter(|_| self.error.as_ref().is_some_and(|e| e.kind.is_resumable()))
    }

    /// What it is called in an error: its id, or its prompt if it has none.
    fn label(&self) -> String {
        let prompt = label(self.prompt.as_deref().unwrap_or("task"));
        match (&self.id, self.line) {
            (Some(id), _) => plain(id.as_str()),
            (None, Some(line)) => format!("line {line}, {prompt}"),
            (None, None) => prompt,
        }
    }

    /// `pending`, `processing`, `completed`, `failed` or `unknown`.
    pub fn state(&self) -> Option<&'static str> {
        match (self.error.as_ref().map(|error| error.kind), &self.task) {
            (Some(Kind::TaskFailed), _) => Some("failed"),
            // The video may still appear.
            (Some(Kind::NoVideo), _) => Some("unknown"),
            (_, Some(task)) => Some(word(&task.state())),
            (_, None) => self.is_accepted.then_some("pending"),
        }
    }

    /// The prompt as the service used it, else as it was submitted.
    pub fn prompt(&self) -> Option<String> {
        let task = self.task.as_ref();
        let used = || Some(task?.video()?.prompt()?.to_owned());
        let submitted = || Some(task?.request.as_ref()?.get("prompt")?.as_str()?.to_owned());
        used().or_else(submitted).or_else(|| self.prompt.clone())
    }

    pub fn created_at(&self) -> Option<f64> {
        unix(&self.task.as_ref()?.created_at)
    }

    pub fn document(&self) -> Value {
        let task = self.task.as_ref();
        let video = task.and_then(Task::video);
        let thumbnail = video.as_ref().and_then(|video| {
            let size = video.thumbnail_size();
            let (width, height) = (size.map(|size| size.0), size.map(|size| size.1));
            Some(json!({ "url": video.thumbnail_url()?, "width": width, "height": height }))
        });
        let file = |is_foreign| {
            let file = self.file.as_ref().filter(|file| file.is_foreign == is_foreign)?;
            Some(json!({ "path": file.path.to_string_lossy(), "bytes": file.bytes }))
        };
        without_nulls(json!({
            "task_id": self.id,
            "state": self.state(),
            "prompt": self.prompt(),
            "video": video.as_ref().map(|video| json!({
                "id": video.id(),
                "url": video.url(),
                "width": video.width(),
                "height": video.height(),
            })),
            "thumbnail": thumbnail,
            "created_at": self.created_at(),
            "started_at": task.and_then(|task| unix(&task.started_at)),
            "finished_at": task.and_then(|task| unix(&task.finished_at)),
            "elapsed": task.and_then(|task| task.elapsed.as_ref()?.as_f64()),
            "file": file(false),
            "existing_file": file(true),
            "error": self.error,
        }))
    }
}

impl fmt::Display for TaskResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = self.task.as_ref();
        let video = task.and_then(Task::video);
        let video = video.as_ref();
        let size = video.and_then(|video| Some((video.width()?, video.height()?)));
        let elapsed = task.and_then(|task| task.elapsed.as_ref()?.as_f64());
        let file = self.file.as_ref().map(|file| {
            let path = plain(&file.path.to_string_lossy());
            match file.is_foreign {
                true => format!("not saved: {path} already exists"),
                false => format!("{path} ({})", size_of(file.bytes)),
            }
        });
        for (name, value) in [
            ("task", self.id.as_ref().map(ToString::to_string)),
            ("state", self.state().map(|state| styled(state).to_string())),
            ("prompt", self.prompt().map(|prompt| plain(&prompt))),
            ("video", video.map(|video| plain(video.url()))),
            ("video id", video.and_then(|video| video.id().map(plain))),
            ("size", size.map(|(width, height)| format!("{width}x{height}"))),
            ("thumbnail", video.and_then(|video| video.thumbnail_url().map(plain))),
            ("created", self.created_at().map(utc)),
            ("took", elapsed.map(|elapsed| format!("{elapsed:.1} s"))),
            ("file", file),
        ] {
            if let Some(value) = value {
                writeln!(f, "{name:<10} {value}")?;
            }
        }
        Ok(())
    }
}

fn unix(time: &Option<Timestamp>) -> Option<f64> {
    time.as_ref().and_then(Timestamp::unix_seconds)
}

/// The word for a state; one that this version does not know is `unknown`.
pub fn word(state: &TaskState) -> &'static str {
    match state {
        TaskState::Pending => "pending",
        TaskState::Processing => "processing",
        TaskState::Completed => "completed",
        TaskState::Failed => "failed",
        _ => "unknown",
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

/// Any text as one line without invisible characters.
pub fn plain(text: &str) -> String {
    clean(text, usize::MAX)
}

/// The beginning of a prompt, for one line among others.
pub fn label(prompt: &str) -> String {
    const MAX_CHARS: usize = 200;
    clean(prompt, MAX_CHARS)
}

/// `1.25 MiB`.
pub fn size_of(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        _ => format!("{:.2} MiB", bytes as f64 / 1_048_576.0),
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

/// A document for a terminal, too: invisible characters are escaped.
fn readable_json(document: &Value) -> String {
    let mut text = String::new();
    for c in format!("{document:#}\n").chars() {
        let is_visible =
            matches!(c, '\n' | ' '..='~') || !clean(c.encode_utf8(&mut [0; 4]), 1).is_empty();
        match is_visible {
            true => text.push(c),
            false => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                text += &format!("\\u{unit:04x}");
            }),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result() -> TaskResult {
        let task = serde_json::from_value(json!({
            "id": "task-1",
            "user_id": "s3cret",
            "credential_id": "s3cret",
            "application_id": "s3cret",
            "api_id": "s3cret",
            "token": "s3cret",
            "created_at": 1_785_585_600.25,
            "finished_at": "2026-08-01T12:02:34Z",
            "elapsed": "154.3",
            "request": { "prompt": "A\u{1b}[2J fox", "token": "s3cret" },
            "response": {
                "success": true,
                "task_id": "task-1",
                "state": "completed",
                "video_id": "video-1",
                "video_url": "https://cdn.example/1.mp4",
                "video_width": 1360,
                "video_height": 752,
                "thumbnail_url": "https://cdn.example/1.jpg",
                "thumbnail_width": 640,
                "thumbnail_height": 354,
                "secret": "s3cret",
            },
        }));
        let id = "task-1".parse().expect("an id");
        TaskResult::of(&id, Some(task.expect("a task")))
    }

    #[test]
    fn document_has_only_named_fields() {
        let expected = json!({
            "task_id": "task-1",
            "state": "completed",
            "prompt": "A\u{1b}[2J fox",
            "video": {
                "id": "video-1",
                "url": "https://cdn.example/1.mp4",
                "width": 1360,
                "height": 752,
            },
            "thumbnail": { "url": "https://cdn.example/1.jpg", "width": 640, "height": 354 },
            "created_at": 1_785_585_600.25,
            "finished_at": 1_785_585_754.0,
            "elapsed": 154.3,
        });
        assert_eq!(result().document(), expected);
    }

    #[test]
    fn task_for_people_has_a_line_a_field() {
        let expected = "\
task       task-1
state      completed
prompt     A[2J fox
video      https://cdn.example/1.mp4
video id   video-1
size       1360x752
thumbnail  https://cdn.example/1.jpg
created    2026-08-01T12:00:00Z
took       154.3 s
file       a b.mp4 (1.5 KiB)
";
        console::set_colors_enabled(false);
        let path = "a\u{202e} b.mp4".into();
        let result =
            TaskResult { file: Some(File { path, bytes: 1_536, is_foreign: false }), ..result() };
        assert_eq!(result.to_string(), expected);
    }

    #[test]
    fn json_for_a_terminal_escapes_what_is_invisible() {
        for (text, expected) in [
            ("fox é 海", "fox é 海"),
            ("\u{1b}[2J", r"\u001b[2J"),
            ("a\u{202e}b\u{2066}", r"a\u202eb\u2066"),
            ("a\u{200b}\u{feff}\u{7f}\u{9b}", r"a\u200b\ufeff\u007f\u009b"),
            ("\u{e0041}", r"\udb40\udc41"),
            ("\u{2028}", r"\u2028"),
        ] {
            let printed = readable_json(&json!({ "a": text }));
            assert_eq!(printed, format!("{{\n  \"a\": \"{expected}\"\n}}\n"));
            let read: Value = serde_json::from_str(&printed).expect("JSON");
            assert_eq!(read, json!({ "a": text }));
        }
    }

    #[cfg(unix)]
    #[test]
    fn path_that_is_not_unicode_is_printed_lossily() {
        use std::os::unix::ffi::OsStrExt;

        let path = PathBuf::from(std::ffi::OsStr::from_bytes(b"fox\xff.mp4"));
        let result =
            TaskResult { file: Some(File { path, bytes: 1, is_foreign: false }), ..result() };
        assert_eq!(result.document()["file"]["path"], "fox\u{fffd}.mp4");
    }

    #[test]
    fn exit_code_depends_on_what_was_lost_and_what_was_paid_for() {
        use io::ErrorKind::{BrokenPipe, StorageFull};
        for (broken, accepted, exit, expected) in [
            (None, false, Exit::Done, 0),
            (None, true, Exit::Done, 0),
            (None, false, Exit::Service, 3),
            (None, true, Exit::Service, 5),
            (None, true, Exit::TaskFailed, 1),
            (None, true, Exit::Deadline, 4),
            (Some(BrokenPipe), false, Exit::Done, 0),
            (Some(BrokenPipe), false, Exit::Service, 3),
            (Some(BrokenPipe), true, Exit::Done, 5),
            (Some(StorageFull), false, Exit::Done, 3),
            (Some(StorageFull), false, Exit::TaskFailed, 3),
            (Some(StorageFull), true, Exit::Done, 5),
            (Some(StorageFull), true, Exit::Deadline, 5),
            (None, false, Exit::BadInput, 2),
            (None, true, Exit::BadInput, 5),
            (Some(StorageFull), false, Exit::BadInput, 2),
            (Some(BrokenPipe), true, Exit::Interrupted, 130),
        ] {
            let output = Output::new(false, false, false);
            output.note_write(broken.map_or(Ok(()), |kind| Err(kind.into())));
            output.accepted.store(accepted, Ordering::Relaxed);
            assert_eq!(output.end(exit).code(), expected, "{broken:?} {accepted} {exit:?}");
        }
    }

    #[test]
    fn size_has_a_unit() {
        for (bytes, expected) in [(1, "1 B"), (2_048, "2.0 KiB"), (5 << 20, "5.00 MiB")] {
            assert_eq!(size_of(bytes), expected);
        }
    }
}
