//! Ctrl-C and SIGTERM.
#![cfg(unix)]

use std::{process::Stdio, time::Duration};

use luma_client::simulator::{Fault, JobDuration, Target};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStderr},
};

use super::{AT_ONCE, NEVER, PATIENCE, Stage, TOKEN, end, eventually};

fn interrupt(child: &Child) {
    signal(child, "-INT");
}

fn signal(child: &Child, name: &str) {
    let id = child.id().expect("it runs").to_string();
    let kill = std::process::Command::new("kill")
        .args([name, &id])
        .status();
    assert!(kill.expect("kill").success());
}

/// Reads standard error up to a line with this text.
async fn stderr_up_to(child: &mut Child, text: &str) -> BufReader<ChildStderr> {
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        let read = stderr.read_line(&mut line);
        let read = tokio::time::timeout(PATIENCE, read).await.expect("a line");
        assert_ne!(read.expect("UTF-8"), 0, "{text:?} never came");
    }
    stderr
}

#[tokio::test]
async fn an_interrupted_wait_says_how_to_go_on() {
    let stage = Stage::new(NEVER).await;
    let url = stage.simulator.url();
    let arguments = [
        "--base-url",
        url,
        "generate",
        "A fox",
        "-o",
        "fox.mp4",
        "--interval",
        "20ms",
    ];
    let child = stage.command(arguments).spawn().expect("it starts");
    eventually("a lookup", || stage.simulator.stats().lookups > 1).await;
    interrupt(&child);
    let run = end(child).await.exits(130);
    let id = run
        .stdout
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("task       "));
    let id = id.expect("an id").to_owned();
    let run = run.complains("interrupted; the task goes on");
    let expected = format!("Go on with: luma --base-url {url} wait {id} -o fox.mp4\n");
    assert!(run.stderr.ends_with(&expected), "{run:?}");

    // The very command that it printed.
    stage.simulator.complete(&id);
    let arguments = expected
        .trim()
        .strip_prefix("Go on with: luma ")
        .expect("a command");
    end(stage
        .command(arguments.split(' '))
        .spawn()
        .expect("it starts"))
    .await
    .exits(0);
    assert_eq!(stage.files(), ["fox.mp4"]);
    assert_eq!(stage.billed(), 1);
}

#[tokio::test]
async fn a_service_manager_ends_a_wait_as_ctrl_c_does() {
    let stage = Stage::new(NEVER).await;
    let id = stage.task("A fox").await;
    let child = stage.command(["wait", &id, "--interval", "20ms"]).spawn();
    let child = child.expect("it starts");
    eventually("a lookup", || stage.simulator.stats().lookups > 1).await;
    signal(&child, "-TERM");
    let run = end(child).await.exits(130);
    run.complains(&format!("Go on with: luma wait {id}\n"));
}

#[tokio::test]
async fn of_many_tasks_those_that_are_open_go_on() {
    let stage = Stage::new(NEVER).await;
    let ids = [stage.task("A fox").await, stage.task("A bear").await];
    stage.simulator.complete(&ids[0]);
    let arguments = [
        "--json",
        "wait",
        &ids[0],
        &ids[1],
        "--interval",
        "20ms",
        "--download",
        ".",
    ];
    let mut child = stage.command(arguments).spawn().expect("it starts");
    let mut stderr = stderr_up_to(&mut child, " completed\n").await;
    interrupt(&child);
    let run = end(child).await.exits(130);
    let tasks = run.json()["tasks"].clone();
    let [done, open] = &ids;
    assert_eq!(tasks[0]["state"], "completed");
    assert_eq!(tasks[0]["file"]["path"], format!("./{done}.mp4"));
    assert_eq!(tasks[1]["error"]["kind"], "interrupted");
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).await.expect("UTF-8");
    let expected = format!("Go on with: luma wait {open} --download .\n");
    assert!(rest.ends_with(&expected), "{rest}");
}

#[tokio::test]
async fn an_interrupted_download_can_be_gone_on_with() {
    let stage = Stage::new(AT_ONCE).await;
    let id = stage.task("A fox").await;
    let part = || stage.file(".fox.mp4.part").unwrap_or_default().len();
    let slowly = Fault::drip(100, Duration::from_millis(500));
    for (fault, part_comes) in [
        (Fault::silence().on(Target::Lookup), false),
        (slowly.on(Target::Media), true),
    ] {
        stage.simulator.inject(fault);
        let faults = stage.simulator.stats().faults;
        let arguments = ["--json", "download", &id, "-o", "fox.mp4", "--overwrite"];
        let child = stage.command(arguments).spawn().expect("it starts");
        eventually("a request", || {
            stage.simulator.stats().faults > faults && (part() > 0) == part_comes
        })
        .await;
        interrupt(&child);
        let document = end(child).await.exits(130).json();
        assert_eq!(document["task_id"], id);
        assert_eq!(document["error"]["kind"], "interrupted");
        let hint = document["error"]["hint"].as_str().expect("a hint");
        let command = format!("luma download {id} -o fox.mp4 --overwrite");
        assert_eq!(hint, format!("Go on with: {command}"));

        // The very command that it printed.
        let arguments = command.split(' ').skip(1);
        let child = stage.command(arguments).spawn().expect("it starts");
        end(child).await.exits(0);
        assert_eq!(stage.files(), ["fox.mp4"]);
        let requests = stage.simulator.requests();
        let last = requests.last().expect("the file's");
        assert_eq!(last.headers.contains_key("range"), part_comes);
    }
}

#[tokio::test]
async fn an_interrupted_lookup() {
    let stage = Stage::new(AT_ONCE).await;
    let id = stage.task("A fox").await;
    for ids in [&[id.as_str()][..], &[&id, "another"]] {
        let silence = Fault::silence().on(Target::Lookup);
        stage.simulator.inject(silence);
        let faults = stage.simulator.stats().faults;
        let arguments = [&["--json", "task"], ids].concat();
        let child = stage.command(arguments).spawn().expect("it starts");
        eventually("a request", || stage.simulator.stats().faults > faults).await;
        interrupt(&child);
        let document = end(child).await.exits(130).json();
        assert_eq!(document["error"]["kind"], "interrupted");
    }
}

#[tokio::test]
async fn a_search_for_a_lost_submit_can_be_interrupted() {
    let stage = Stage::new(NEVER).await;
    let (lost, silence) = (Fault::reset_after(), Fault::silence());
    stage.simulator.inject(lost.on(Target::Submit));
    stage.simulator.inject(silence.on(Target::Lookup).always());
    let arguments = ["--json", "generate", "A fox", "--find-lost"];
    let child = stage.command(arguments).spawn().expect("it starts");
    eventually("a search", || stage.simulator.stats().faults > 1).await;
    let begin = std::time::Instant::now();
    interrupt(&child);
    let run = end(child).await.exits(130);
    // One lookup is given up after 30 s.
    assert!(begin.elapsed() < Duration::from_secs(20));
    assert_eq!(run.json()["error"]["kind"], "interrupted");
    run.complains("may have been accepted and billed: the search was interrupted")
        .complains("Do not submit again before you know");
}

#[tokio::test]
async fn a_submit_under_way_is_waited_for() {
    let stage = Stage::new(JobDuration::Fixed(Duration::from_secs(3_600))).await;
    let slow = Fault::slow(Duration::from_secs(5)).on(Target::Submit);
    stage.simulator.inject(slow);
    let child = stage
        .command(["generate", "A fox"])
        .spawn()
        .expect("it starts");
    eventually("a submit", || stage.billed() == 1).await;
    interrupt(&child);
    let run = end(child).await.exits(130);
    let run = run
        .complains("waiting for its answer")
        .complains(" is accepted\n");
    run.complains("Go on with: luma wait ");
}

#[tokio::test]
async fn a_second_interrupt_gives_a_submit_up() {
    let stage = Stage::new(NEVER).await;
    stage
        .simulator
        .inject(Fault::silence().accepting(true).on(Target::Submit));
    let mut child = stage
        .command(["--json", "generate", "A fox"])
        .spawn()
        .expect("it starts");
    eventually("a submit", || stage.billed() == 1).await;
    interrupt(&child);
    // The second one counts once the first was taken note of.
    let _stderr = stderr_up_to(&mut child, "Ctrl-C once more").await;
    interrupt(&child);
    let run = end(child).await.exits(130);
    let error = &run.json()["error"];
    assert_eq!(error["kind"], "interrupted");
    let hint = error["hint"].as_str().expect("a hint");
    assert!(hint.contains("luma history --since"), "{hint}");
}

/// `script` is a terminal: it echoes `^C` after the bar, and sends SIGINT.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_follows_an_interrupted_bar_begins_a_line() {
    let stage = Stage::new(NEVER).await;
    let id = stage.task("A fox").await;
    let luma = env!("CARGO_BIN_EXE_luma");
    let mut command = tokio::process::Command::new("script");
    command
        .args([
            "-qefc",
            &format!("{luma} wait {id} --interval 20ms"),
            "/dev/null",
        ])
        .env("ACEDATACLOUD_API_TOKEN", TOKEN)
        .env("ACEDATACLOUD_API_BASE_URL", stage.simulator.url())
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().expect("script of util-linux");
    eventually("a lookup", || stage.simulator.stats().lookups > 1).await;
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"\x03").await.expect("written");
    let run = end(child).await.exits(130);
    let (bar, rest) = run.stdout.split_once("^C").expect("an echo");
    assert!(bar.contains("of usually 2:00"), "{run:?}");
    assert!(rest.starts_with("\r\ntask       "), "{run:?}");
    drop(stdin);
}
