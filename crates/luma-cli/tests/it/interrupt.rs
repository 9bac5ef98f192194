//! Ctrl-C and SIGTERM.
#![cfg(unix)]

use std::{process::Stdio, time::Duration};

use luma_simulator::{Fault, JobDuration, Target};
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
    let kill = std::process::Command::new("kill").args([name, &id]).status();
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
async fn interrupted_wait_says_how_to_resume() {
    let stage = Stage::new(NEVER).await;
    let url = stage.simulator.url();
    let arguments = ["--base-url", url, "generate", "A fox", "-o", "fox.mp4", "--interval", "20ms"];
    let child = stage.command(arguments).spawn().expect("it starts");
    eventually("a lookup", || stage.simulator.stats().lookups > 1).await;
    interrupt(&child);
    let run = end(child).await.exits(130);
    let id = run.stdout.lines().next().and_then(|line| line.strip_prefix("task       "));
    let id = id.expect("an id").to_owned();
    let run = run.complains("interrupted: the task continues");
    let expected = format!("Resume with: luma --base-url {url} wait {id} -o fox.mp4\n");
    assert!(run.stderr.ends_with(&expected), "{run:?}");

    // The very command that it printed.
    stage.simulator.complete(&id);
    let arguments = expected.trim().strip_prefix("Resume with: luma ").expect("a command");
    end(stage.command(arguments.split(' ')).spawn().expect("it starts")).await.exits(0);
    assert_eq!(stage.files(), ["fox.mp4"]);
    assert_eq!(stage.billed(), 1);
}

#[tokio::test]
async fn term_and_hangup_end_a_wait_as_ctrl_c_does() {
    let stage = Stage::new(NEVER).await;
    let id = stage.task("A fox").await;
    for name in ["-INT", "-TERM", "-HUP"] {
        let lookups = stage.simulator.stats().lookups;
        let child = stage.command(["wait", &id, "--interval", "20ms"]).spawn();
        let child = child.expect("it starts");
        eventually("a lookup", || stage.simulator.stats().lookups > lookups + 1).await;
        signal(&child, name);
        let run = end(child).await.exits(130);
        run.complains(&format!("Resume with: luma wait {id}\n"));
    }
}

#[tokio::test]
async fn interrupted_wait_resumes_only_open_tasks() {
    let stage = Stage::new(NEVER).await;
    let ids = [stage.task("A fox").await, stage.task("A bear").await];
    stage.simulator.complete(&ids[0]);
    let arguments = ["--json", "wait", &ids[0], &ids[1], "--interval", "20ms", "--download", "."];
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
    let expected = format!("Resume with: luma wait {open} -o ./\n");
    assert!(rest.ends_with(&expected), "{rest}");
}

#[tokio::test]
async fn interrupted_download_says_how_to_resume() {
    let stage = Stage::new(AT_ONCE).await;
    let id = stage.task("A fox").await;
    let slowly = Fault::drip(100, Duration::from_millis(500));
    for fault in [Fault::silence().on(Target::Lookup), slowly.on(Target::Media)] {
        stage.simulator.inject(fault);
        let faults = stage.simulator.stats().faults;
        let arguments = ["--json", "download", &id, "-o", "fox.mp4", "--overwrite"];
        let child = stage.command(arguments).spawn().expect("it starts");
        eventually("a request", || stage.simulator.stats().faults > faults).await;
        interrupt(&child);
        let document = end(child).await.exits(130).json();
        assert_eq!(document["task_id"], id);
        assert_eq!(document["error"]["kind"], "interrupted");
        let next_step = document["error"]["next_step"].as_str().expect("a next step");
        let command = format!("luma download {id} -o fox.mp4 --overwrite");
        assert_eq!(next_step, format!("Resume with: {command}"));

        // The very command that it printed.
        let arguments = command.split(' ').skip(1);
        let child = stage.command(arguments).spawn().expect("it starts");
        end(child).await.exits(0);
        assert_eq!(stage.files(), ["fox.mp4"]);
    }
}

#[tokio::test]
async fn interrupted_lookup_exits_130() {
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
async fn interrupted_search_says_to_look_first() {
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
    run.complains("may have been accepted and billed; the search was interrupted")
        .complains("Do not submit it again before you know");
}

#[tokio::test]
async fn submit_in_flight_is_awaited_after_a_signal() {
    let stage = Stage::new(JobDuration::Fixed(Duration::from_secs(3_600))).await;
    for (number, name) in ["-INT", "-TERM", "-HUP", "-HUP"].into_iter().enumerate() {
        let slow = Fault::slow(Duration::from_secs(2)).on(Target::Submit);
        stage.simulator.inject(slow);
        let arguments = match number % 2 {
            0 => ["generate", "A fox", "--loop"],
            _ => ["extend", "https://example.com/1.mp4", "More"],
        };
        let child = stage.command(arguments).spawn().expect("it starts");
        eventually("a submit", || stage.billed() > number as u64).await;
        signal(&child, name);
        let run = end(child).await.exits(130);
        run.complains("waiting for its response")
            .complains(" is accepted\n")
            .complains("Resume with: luma wait ");
    }
}

/// A closed terminal sends more than one.
#[tokio::test]
async fn second_hangup_still_waits_for_a_submit() {
    let stage = Stage::new(NEVER).await;
    let slow = Fault::slow(Duration::from_secs(2)).on(Target::Submit);
    stage.simulator.inject(slow);
    let child = stage.command(["generate", "A fox"]).spawn().expect("it starts");
    eventually("a submit", || stage.billed() == 1).await;
    signal(&child, "-HUP");
    tokio::time::sleep(Duration::from_millis(300)).await;
    signal(&child, "-HUP");
    end(child).await.exits(130).complains(" is accepted\n");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn hangup_under_nohup_is_ignored() {
    let stage = Stage::new(NEVER).await;
    let id = stage.task("A fox").await;
    let luma = env!("CARGO_BIN_EXE_luma");
    let mut command = tokio::process::Command::new("nohup");
    command
        .args([luma, "wait", &id, "--interval", "20ms"])
        .env("ACEDATACLOUD_API_TOKEN", TOKEN)
        .env("ACEDATACLOUD_API_BASE_URL", stage.simulator.url())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let child = command.spawn().expect("nohup");
    eventually("a lookup", || stage.simulator.stats().lookups > 1).await;
    signal(&child, "-HUP");
    stage.simulator.complete(&id);
    end(child).await.exits(0);
}

/// A signal during the back-off of a submit.
#[tokio::test]
async fn no_attempt_begins_after_a_signal() {
    for seconds in ["5", "20"] {
        let fault = Fault::retry_after(429, seconds);
        let stage = Stage::new(NEVER).await;
        stage.simulator.inject(fault.on(Target::Submit).always());
        let child = stage.command(["--json", "generate", "A fox"]).spawn();
        let child = child.expect("it starts");
        eventually("a submit", || stage.simulator.stats().faults > 0).await;
        let sent = stage.submits().len();
        interrupt(&child);
        let run = end(child).await.exits(130);
        assert_eq!(run.json()["error"]["kind"], "interrupted");
        let run = run
            .complains("interrupted: the service refused it (HTTP 429 Too Many Requests)")
            .complains("it is not sent again\nNothing was billed.");
        assert!(!run.stderr.contains("nothing was sent"), "{run:?}");
        assert_eq!(stage.submits().len(), sent);
        assert_eq!(stage.billed(), 0);
    }
}

#[tokio::test]
async fn signal_while_connections_are_refused_says_that_nothing_was_sent() {
    let stage = Stage::new(NEVER).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", closed.local_addr().expect("an address"));
    drop(closed);
    let mut command = stage.command(["-v", "generate", "A fox", "--base-url", &url]);
    let mut child = command.spawn().expect("it starts");
    // The log line of an attempt.
    let mut stderr = stderr_up_to(&mut child, "create_video").await;
    interrupt(&child);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).await.expect("UTF-8");
    end(child).await.exits(130);
    assert!(rest.contains("error: interrupted: nothing was sent\nNothing was billed."), "{rest}");
}

#[tokio::test]
async fn second_interrupt_does_not_wait_for_a_submit() {
    let stage = Stage::new(NEVER).await;
    stage.simulator.inject(Fault::silence().accepting(true).on(Target::Submit));
    let mut child = stage.command(["--json", "generate", "A fox"]).spawn().expect("it starts");
    eventually("a submit", || stage.billed() == 1).await;
    interrupt(&child);
    // The second one counts once the first was taken note of.
    let _stderr = stderr_up_to(&mut child, "A second Ctrl-C").await;
    interrupt(&child);
    let run = end(child).await.exits(130);
    let error = &run.json()["error"];
    assert_eq!(error["kind"], "interrupted");
    let next_step = error["next_step"].as_str().expect("a next step");
    assert!(next_step.contains("luma history --since"), "{next_step}");
}

/// `script` is a terminal: it echoes `^C` after the bar, and sends SIGINT.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn interrupted_progress_line_is_left() {
    let stage = Stage::new(NEVER).await;
    let id = stage.task("A fox").await;
    let luma = env!("CARGO_BIN_EXE_luma");
    let mut command = tokio::process::Command::new("script");
    command
        .args(["-qefc", &format!("{luma} wait {id} --interval 20ms"), "/dev/null"])
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
    // A last redraw may come between the echo and the signal.
    let (_, rest) = run.stdout.rsplit_once("usually done after 2:00").expect("a line");
    let rest = rest.strip_prefix("^C").unwrap_or(rest);
    assert!(rest.starts_with("\r\ntask       "), "{run:?}");
    drop(stdin);
}
