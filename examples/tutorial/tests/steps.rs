//! Does what the tutorial says, step by step: runs its programs, kills them, executes its commands and
//! compares their output.
//!
//! The simulator is in this process, where a video ends at the moment at which the tutorial expects it.
//! So no output depends on how fast the machine is.

#![cfg(unix)]

#[path = "../page.rs"]
mod page;

use std::{path::Path, process::Stdio, time::Duration};

use luma_simulator::{Fault, JobDuration, Simulator, Stats, Target};
use page::{Command, Step};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::{self, Child},
    time::{sleep, timeout},
};

/// Only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// The program of each step. The fourth one changes nothing.
const PROGRAMS: [&str; 5] = [
    env!("CARGO_BIN_EXE_step_1"),
    env!("CARGO_BIN_EXE_step_2"),
    env!("CARGO_BIN_EXE_step_3"),
    env!("CARGO_BIN_EXE_step_3"),
    env!("CARGO_BIN_EXE_step_5"),
];

#[tokio::test]
async fn every_step_does_what_the_tutorial_says() {
    let steps = page::read();
    assert_eq!(steps.len(), PROGRAMS.len());
    let mut reader = Reader::new(&steps[0]).await;
    for step in &steps {
        for command in &step.commands {
            println!("{}. $ {}", step.number, command.line);
            reader.run(command, step).await;
        }
        let billed = reader.billed();
        assert_eq!(step.billed.last(), Some(&billed), "step {}", step.number);
    }
    // The last video was not found by polling, which is rarer than `PATIENCE`.
    let (before, now) = (&reader.before, reader.simulator.stats());
    assert_eq!(now.webhooks_delivered - before.webhooks_delivered, 1);
    assert_eq!(now.lookups - before.lookups, 0);
}

/// The simulator that the reader runs, in place of the one of this process.
#[tokio::test]
async fn simulator_of_the_first_step_serves_and_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut service = start(env!("CARGO_BIN_EXE_service"), &["0"], &[], folder.path());
    let url = service.line().await;
    let variables =
        [("ACEDATACLOUD_API_BASE_URL", url.as_str()), ("ACEDATACLOUD_API_TOKEN", "any")];
    let mut program = start(PROGRAMS[0], &[], &variables, folder.path());
    assert!(program.line().await.starts_with("submitted "));
    assert_eq!(service.line().await, "videos billed: 1");
    assert!(program.line().await.ends_with("bytes in lighthouse.mp4"));
}

/// The packages that the tutorial adds are those that its code is built with here.
#[test]
fn dependencies_are_those_that_the_tutorial_adds() {
    let manifest = include_str!("../Cargo.toml");
    let (_, dependencies) = manifest.split_once("[dependencies]\n").expect("dependencies");
    let (dependencies, _) = dependencies.split_once("\n\n").expect("an end");
    let mut added: Vec<String> = Vec::new();
    for Command { line, .. } in &page::read()[0].commands {
        let Some(arguments) = line.strip_prefix("cargo add ") else { continue };
        let (names, features) = arguments.split_once(" --features ").unwrap_or((arguments, ""));
        let names: Vec<_> = names.split(' ').filter(|name| !name.starts_with("--")).collect();
        for name in &names {
            let line = dependencies.lines().find(|line| line.starts_with(&format!("{name} = ")));
            let line = line.unwrap_or_else(|| panic!("{name} is not a dependency"));
            let enabled = line.split_once("features = [").map_or("", |(_, rest)| rest);
            let enabled = enabled.trim_end_matches("] }").replace(['"', ' '], "");
            assert_eq!(enabled, features, "{name}");
        }
        added.extend(names.into_iter().map(str::to_owned));
    }
    added.sort();
    let here: Vec<_> = dependencies.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(added, here);
}

/// A program that runs. It is killed when it is dropped.
struct Running {
    output: tokio::io::Lines<BufReader<process::ChildStdout>>,
    child: Child,
}

fn start(program: &str, arguments: &[&str], variables: &[(&str, &str)], folder: &Path) -> Running {
    let mut child = process::Command::new(program)
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(folder)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a program");
    let output = BufReader::new(child.stdout.take().expect("its output")).lines();
    Running { output, child }
}

impl Running {
    async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.output.next_line()).await.expect("a line in time");
        line.expect("a line").expect("a line before the end")
    }
}

/// Somebody who follows the tutorial.
struct Reader {
    folder: tempfile::TempDir,
    simulator: Simulator,
    /// Names and values of `export`.
    variables: Vec<(String, String)>,
    program: Option<Running>,
    /// Where the service listens, in place of 127.0.0.1:3000.
    address: String,
    /// What the simulator had counted when the tutorial starts it again.
    before: Stats,
    /// Videos ordered since then.
    ordered: u64,
}

impl Reader {
    async fn new(first: &Step) -> Self {
        assert!(first.files.contains_key("examples/service.rs"));
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            simulator: Simulator::start().await.expect("a simulator"),
            variables: Vec::new(),
            program: None,
            address: String::new(),
            before: Stats::default(),
            ordered: 0,
        }
    }

    async fn run(&mut self, Command { line, output }: &Command, step: &Step) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            // The sources are built already.
            ["cargo", "new" | "add", ..] | ["cd", ..] => {}
            ["export", assignment] => {
                let (name, value) = assignment.split_once('=').expect("a value");
                self.variables.push((name.to_owned(), value.to_owned()));
            }
            ["cargo", "run", "--example", "service", "4000", ..] => {
                // In the first step everything is done at once, later at the end that is expected.
                let duration = if step.number == 1 { Duration::ZERO } else { Duration::MAX };
                // The simulator stays, and with it its address, which another process could take.
                self.simulator.clear_faults();
                self.simulator.set_duration(JobDuration::Fixed(duration));
                self.before = self.simulator.stats();
                self.ordered = 0;
                if words.last() == Some(&"slow") {
                    self.simulator.inject(Fault::slow(PATIENCE).on(Target::Submit).always());
                }
            }
            ["cargo", "run"] => self.start(output, step).await,
            ["pkill", "-9", "-x", "videos"] => {
                self.until_all_is_submitted().await;
                let mut program = self.program.take().expect("a program that runs");
                program.child.kill().await.expect("SIGKILL");
            }
            ["curl" | "cat", ..] => self.execute(line, output).await,
            _ => panic!("a command that the test does not know: {line}"),
        }
    }

    async fn start(&mut self, expected: &str, step: &Step) {
        self.program = None; // Ctrl-C
        if step.number > 1 {
            self.simulator.set_duration(JobDuration::Fixed(Duration::MAX));
        }
        // Another process may take the port in between.
        for _ in 0..10 {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            self.address = listener.local_addr().expect("an address").to_string();
            drop(listener);
            let variables: Vec<_> = self
                .variables
                .iter()
                .map(|(name, value)| (name.as_str(), self.here(value)))
                .chain([("LISTEN", self.address.clone())])
                .collect();
            let variables: Vec<_> = variables.iter().map(|(n, v)| (*n, v.as_str())).collect();
            let mut program = start(PROGRAMS[step.number - 1], &[], &variables, self.folder.path());
            let mut lines = expected.lines().peekable();
            while let Some(line) = lines.next_if(|_| program.child.try_wait().is_ok()) {
                let got = timeout(PATIENCE, program.output.next_line()).await.expect("in time");
                match got.expect("a line") {
                    Some(got) => assert_matches(&got, &self.here(line)),
                    None => break,
                }
                if lines.peek().is_none() {
                    self.ordered += u64::from(step.number == 1);
                    self.program = Some(program);
                    return;
                }
            }
        }
        panic!("the program of step {} does not start", step.number);
    }

    /// Executes a command until it has the expected output: the tutorial leaves time between them.
    async fn execute(&mut self, line: &str, expected: &str) {
        if line.starts_with("curl -X PUT") && expected == "submitting\n" {
            self.ordered += 1;
        }
        if expected.starts_with("done") {
            self.until_all_is_submitted().await;
            self.end_all_videos();
        }
        let command = self.here(line);
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let result = process::Command::new("sh")
                .args(["-c", &command])
                .env("no_proxy", "127.0.0.1")
                .current_dir(self.folder.path())
                .output();
            let result = result.await.expect("sh");
            let got = String::from_utf8_lossy(&result.stdout).trim_end().to_owned();
            if matches(&got, expected.trim_end()) {
                return;
            }
            let is_late = tokio::time::Instant::now() > end;
            assert!(!is_late && result.status.success(), "{command}: {got}, not {expected}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn end_all_videos(&self) {
        for task in self.simulator.tasks() {
            self.simulator.complete(task["id"].as_str().expect("an id"));
        }
    }

    fn billed(&self) -> u64 {
        self.simulator.stats().submits_accepted - self.before.submits_accepted
    }

    async fn until_all_is_submitted(&self) {
        let submitted = async {
            while self.billed() < self.ordered {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, submitted).await.expect("each order is submitted");
    }

    /// The text with the addresses of this test.
    fn here(&self, text: &str) -> String {
        text.replace("http://127.0.0.1:4000", self.simulator.url())
            .replace("127.0.0.1:3000", &self.address)
    }
}

/// Whether a text is the expected one, in which `…` stands for any text.
fn matches(got: &str, expected: &str) -> bool {
    let mut parts = expected.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = got.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    let mut ends = expected == first && rest.is_empty();
    while let Some(part) = parts.next() {
        match parts.peek() {
            None => ends = rest.ends_with(part),
            Some(_) => match rest.split_once(part) {
                Some((_, after)) => rest = after,
                None => return false,
            },
        }
    }
    ends
}

fn assert_matches(got: &str, expected: &str) {
    assert!(matches(got, expected), "{got:?} instead of {expected:?}");
}

#[test]
fn ellipsis_matches_any_text() {
    for (got, expected, matched) in [
        ("submitted 17", "submitted …", true),
        ("submitted", "submitted …", false),
        ("42 bytes in a.mp4", "… bytes in a.mp4", true),
        ("42 bytes in b.mp4", "… bytes in a.mp4", false),
        (r#"{"a":{"b":1}}"#, r#"{"a":{…}}"#, true),
        ("a1b2c", "a…b…c", true),
        ("waiting", "waiting", true),
        ("waiting longer", "waiting", false),
    ] {
        assert_eq!(matches(got, expected), matched, "{got} and {expected}");
    }
}
