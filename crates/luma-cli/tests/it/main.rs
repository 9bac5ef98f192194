//! The real binary, against a simulator in this process or its own.

mod batch;
mod exits;
mod generate;
mod input;
mod install;
mod interrupt;
mod lookups;
mod mcp;
mod network;
mod output;
mod simulate;
mod usage;

use std::{ffi::OsStr, path::Path, process::Stdio, time::Duration};

use luma_client::Luma;
use luma_simulator::{JobDuration, Simulator};
use serde_json::Value;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
};

/// For what must come, but may take its time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const TOKEN: &str = "s3cret-token";
const AT_ONCE: JobDuration = JobDuration::Fixed(Duration::ZERO);
/// It goes from pending to processing after a second.
const NEVER: JobDuration = JobDuration::Fixed(Duration::MAX);

/// How a run ended, and what it printed.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Run {
    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    fn complains(self, of: &str) -> Self {
        assert!(self.stderr.contains(of), "{of:?} is missing: {self:#?}");
        self
    }

    /// The one JSON document on standard output.
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// The program, with nothing of this process's own settings, in a folder of its own.
fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_luma"));
    for variable in [
        "ACEDATACLOUD_API_TOKEN",
        "ACEDATACLOUD_API_BASE_URL",
        "LUMA_MAX_VIDEOS_PER_DAY",
        "NO_COLOR",
        "CLICOLOR",
        "CLICOLOR_FORCE",
        "COLUMNS",
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
        "NO_PROXY",
        "no_proxy",
    ] {
        command.env_remove(variable);
    }
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Waits for the end of a run. The token is never in what it printed.
async fn end(child: Child) -> Run {
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output())
        .await
        .expect("it ends")
        .expect("its output");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let run = Run {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    assert!(!format!("{run:?}").contains(TOKEN), "{run:#?}");
    run
}

/// Starts it, writes to its standard input, and waits for its end.
async fn with_input(command: &mut Command, input: &str) -> Run {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // It may end without reading.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    end(child).await
}

/// Runs it without a simulator.
async fn luma(arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    let child = command(folder.path()).args(arguments).spawn();
    end(child.expect("it starts")).await
}

/// A simulator, and a folder that the program runs in.
struct Stage {
    simulator: Simulator,
    folder: tempfile::TempDir,
}

impl Stage {
    async fn new(duration: JobDuration) -> Self {
        let simulator = Simulator::builder().token(TOKEN).duration(duration);
        Self {
            simulator: simulator.start().await.expect("a simulator"),
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = command(self.folder.path());
        command
            .env("ACEDATACLOUD_API_TOKEN", TOKEN)
            .env("ACEDATACLOUD_API_BASE_URL", self.simulator.url())
            .args(arguments);
        command
    }

    /// Runs it against the simulator.
    async fn luma(&self, arguments: &[&str]) -> Run {
        end(self.command(arguments).spawn().expect("it starts")).await
    }

    /// Submits a task; its id.
    async fn task(&self, prompt: &str) -> String {
        let luma = Luma::builder().token(TOKEN).base_url(self.simulator.url());
        let luma = luma.build().expect("a client");
        let task = luma.generate(prompt).submit().await.expect("accepted");
        task.id().to_string()
    }

    /// Submits a task; the id of its video.
    async fn video(&self) -> String {
        let id = self.task("A fox").await;
        let task = self.simulator.task(&id).expect("a task");
        let video = task["response"]["video_id"].as_str();
        video.expect("a video").to_owned()
    }

    fn file(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.folder.path().join(name)).ok()
    }

    /// The names of all files in the folder, hidden ones too.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("a folder");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The bodies of the submits.
    fn submits(&self) -> Vec<Value> {
        let requests = self.simulator.requests();
        let submits = requests.iter().filter(|request| request.path == "/luma/videos");
        submits.map(|request| serde_json::from_slice(&request.body).expect("JSON")).collect()
    }

    fn billed(&self) -> u64 {
        self.simulator.stats().submits_accepted
    }
}

/// Waits until something is so.
async fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let wait = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, wait).await.is_err() {
        panic!("never came: {what}");
    }
}
