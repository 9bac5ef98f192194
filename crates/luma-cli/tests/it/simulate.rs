//! `simulate`, and `--simulate`.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

use super::{Run, TOKEN, command, luma};

/// A `luma simulate` in a process of its own.
struct Service {
    child: Child,
    url: String,
    folder: tempfile::TempDir,
}

impl Service {
    async fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = command(folder.path())
            .arg("simulate")
            .args(arguments)
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut url = String::new();
        stdout.read_line(&mut url).await.expect("a line");
        Self { child, url: url.trim().to_owned(), folder }
    }

    async fn luma(&self, arguments: &[&str]) -> Run {
        let child = command(self.folder.path())
            .args(["--base-url", &self.url, "--token", TOKEN])
            .args(arguments)
            .spawn();
        super::end(child.expect("it starts")).await
    }
}

#[tokio::test]
async fn simulate_serves_other_processes() {
    let service = Service::start(&["--duration", "100ms..200ms", "--token", TOKEN]).await;
    let arguments = ["generate", "A fox", "--interval", "20ms", "-o", "fox.mp4"];
    service.luma(&arguments).await.exits(0);
    assert!(service.folder.path().join("fox.mp4").exists());
    // Only that token is valid.
    let arguments = ["--base-url", &service.url, "--token", "another", "history"];
    luma(&arguments).await.exits(3).complains("invalid_token");
}

#[tokio::test]
async fn simulate_applies_typed_faults() {
    let faults = ["submit:402", "lookup:401", "task:fail:2"];
    let mut arguments = vec!["--duration", "10ms"];
    arguments.extend(faults.iter().flat_map(|fault| ["--fault", fault]));
    let service = Service::start(&arguments).await;
    for (code, kind) in [
        (3, json!("api")),
        // The task is accepted, and fails, but that cannot be seen.
        (5, json!("api")),
        (1, json!("task_failed")),
        (0, json!(null)),
    ] {
        let arguments = ["--json", "generate", "A fox", "--interval", "20ms"];
        let document = service.luma(&arguments).await.exits(code).json();
        assert_eq!(document["error"]["kind"], kind);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn simulate_ends_well_on_signals() {
    for signal in ["-INT", "-TERM"] {
        let Service { child, url, .. } = Service::start(&["--json"]).await;
        // The first line of the document.
        assert_eq!(url, "{");
        let id = child.id().expect("it runs").to_string();
        let kill = std::process::Command::new("kill").args([signal, &id]).status();
        assert!(kill.expect("kill").success());
        super::end(child).await.exits(0);
    }
}

#[tokio::test]
async fn simulate_on_a_taken_port_exits_3() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let run = luma(&["--json", "simulate", "--port", &port]).await.exits(3);
    assert_eq!(run.json()["error"]["kind"], "network");
    run.complains("cannot listen on port");
}

#[tokio::test]
async fn commands_run_without_token_and_network() {
    let run = luma(&["--simulate", "--json", "history"]).await.exits(0);
    let tasks = run.json()["tasks"].as_array().expect("a list").clone();
    let id = |index: usize| tasks[index]["task_id"].as_str().expect("an id");
    let states: Vec<_> = tasks.iter().map(|task| &task["state"]).collect();
    assert_eq!(states[1..], [&json!("failed"), &json!("completed")]);
    let (open, failed, done) = (id(0), id(1), id(2));
    let video = tasks[2]["video"]["id"].as_str().expect("an id");
    let runs = [
        (vec!["task", done], 0),
        (vec!["task", failed], 1),
        (vec!["wait", open, "-o", "open.mp4"], 0),
        (vec!["wait", failed], 1),
        (vec!["wait", open, "--timeout", "100ms"], 4),
        (vec!["download", done], 0),
        (vec!["download", open], 4),
        (vec!["generate", "A fox", "-o", "fox.mp4"], 0),
        (vec!["extend", video, "More"], 0),
        (vec!["task", "nobody"], 3),
    ]
    .map(async |(arguments, code)| {
        let arguments = [&["--simulate", "--json"], &arguments[..]].concat();
        let document: Value = luma(&arguments).await.exits(code).json();
        assert!(document.is_object(), "{document}");
        // Nothing of it was taken for the token.
        assert!(!document.to_string().contains("[token]"), "{document}");
        if arguments[2..] == ["task", failed] {
            let message = document["tasks"][0]["error"]["message"].to_string();
            assert!(message.contains("the simulated failure"), "{message}");
        }
    });
    futures::future::join_all(runs).await;
}
