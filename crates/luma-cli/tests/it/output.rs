//! Where things are printed, and what never is.

use std::process::Stdio;

use luma_simulator::{Fault, Target};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::{AT_ONCE, NEVER, Run, Stage, TOKEN, end, eventually};

const ESCAPE: char = '\u{1b}';

#[tokio::test]
async fn token_is_in_no_log() {
    let stage = Stage::new(AT_ONCE).await;
    for verbose in ["-v", "-vv", "-vvvv"] {
        // By the environment, then by the command line; `end` looks for it.
        let run = stage.luma(&[verbose, "generate", "A fox", "--interval", "20ms"]).await.exits(0);
        let run = run.complains("operation=\"create_video\"");
        assert!(run.stdout.starts_with("task "), "{run:?}");
        let run = stage.luma(&["--token", TOKEN, verbose, "--json", "history"]).await.exits(0);
        assert!(run.json()["tasks"].is_array());
    }
    let run = stage.luma(&["history"]).await.exits(0);
    assert_eq!(run.stderr, "");
}

#[tokio::test]
async fn account_ids_are_not_shown() {
    let stage = Stage::new(AT_ONCE).await;
    let id = stage.task("A fox").await;
    let task = stage.simulator.task(&id).expect("a task");
    for (key, hidden) in task.as_object().expect("an object") {
        let Some(hidden) = hidden.as_str().filter(|_| key != "id") else {
            continue;
        };
        for arguments in [&["task", &id][..], &["history"], &["wait", &id]] {
            let run = stage.luma(&[arguments, &["--json"]].concat()).await.exits(0);
            assert!(!format!("{run:?}").contains(hidden), "{key}: {run:?}");
        }
    }
    assert!(task["user_id"].is_string() && task["credential_id"].is_string(), "{task}");
}

#[tokio::test]
async fn colours_can_be_forced_and_refused() {
    let stage = Stage::new(AT_ONCE).await;
    let id = stage.task("A fox").await;
    for (forced, no_color, argument, expected) in [
        ("0", "", None, false),
        ("1", "", None, true),
        ("1", "1", None, false),
        ("1", "", Some("--no-color"), false),
    ] {
        let mut command = stage.command(["task", &id]);
        command.env("CLICOLOR_FORCE", forced).args(argument);
        if !no_color.is_empty() {
            command.env("NO_COLOR", no_color);
        }
        let run = end(command.spawn().expect("it starts")).await.exits(0);
        assert_eq!(run.stdout.contains(ESCAPE), expected, "{run:?}");
    }
}

#[tokio::test]
async fn service_text_cannot_control_the_terminal() {
    let stage = Stage::new(NEVER).await;
    let id = stage.task("A \u{1b}[2J\u{7}fox\nerror: mine").await;
    for arguments in [&["task", &id][..], &["history"]] {
        let run = stage.luma(arguments).await.exits(0);
        assert!(!run.stdout.contains([ESCAPE, '\u{7}']), "{run:?}");
        assert!(run.stdout.contains("A [2Jfox error: mine\n"), "{run:?}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn result_that_cannot_be_printed_exits_3() {
    let stage = Stage::new(AT_ONCE).await;
    stage.task("A fox").await;
    let full = std::fs::File::create("/dev/full").expect("a device");
    let child = stage.command(["history"]).stdout(full).spawn();
    end(child.expect("it starts")).await.exits(3).complains("cannot be printed");

    let full = std::fs::File::create("/dev/full").expect("a device");
    let child = stage.command(["--help"]).stdout(full).spawn();
    end(child.expect("it starts")).await.exits(3).complains("cannot be printed");

    // A reader that has gone, like `head`, is no failure.
    let mut command = stage.command(["history"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let run = end(child).await.exits(0);
    assert_eq!(run.stderr, "");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn accepted_id_is_told_even_if_the_result_cannot_be_printed() {
    let stage = Stage::new(AT_ONCE).await;
    for json in [None, Some("--json")] {
        let submit = || {
            let mut command = stage.command(["generate", "A fox", "--no-wait"]);
            command.args(json);
            command
        };
        let full = std::fs::File::create("/dev/full").expect("a device");
        let child = submit().stdout(full).spawn().expect("it starts");
        let run = end(child).await.exits(5).complains("cannot be printed");
        assert!(stage.simulator.task(accepted(&run)).is_some(), "{run:?}");

        let mut child = submit().spawn().expect("it starts");
        drop(child.stdout.take());
        let run = end(child).await.exits(5).complains("cannot be printed");
        assert!(stage.simulator.task(accepted(&run)).is_some(), "{run:?}");
    }
    assert_eq!(stage.billed(), 4);
}

/// What is lost with standard output: the id, where the file is, and what to do.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn results_that_cannot_be_printed_are_told_on_standard_error() {
    let stage = Stage::new(AT_ONCE).await;
    for (options, command) in [
        (&["-o", "fox.mp4", "--interval=20ms"][..], "task"),
        (&["--json", "-o", "bear.mp4", "--interval=20ms"], "task"),
        (&["--interval=20ms"], "task"),
        (&["--no-wait"], "wait"),
    ] {
        let full = std::fs::File::create("/dev/full").expect("a device");
        let arguments = [&["generate", "A fox"], options].concat();
        let child = stage.command(arguments).stdout(full).spawn().expect("it starts");
        let run = end(child).await.exits(5).complains("cannot be printed");
        let id = accepted(&run).to_owned();
        let run = run.complains(&format!("See the results with: luma {command} {id}\n"));
        let file = options.iter().find(|option| option.ends_with(".mp4"));
        let saved = file.map(|file| format!("The video of task {id} is saved: {file}\n"));
        assert!(saved.is_none_or(|saved| run.stderr.contains(&saved)), "{run:?}");
    }
}

/// The id in the first line of standard error.
#[cfg(target_os = "linux")]
fn accepted(run: &Run) -> &str {
    let line = run.stderr.lines().next().unwrap_or_default();
    let id = line.strip_prefix("task ");
    let id = id.and_then(|line| line.strip_suffix(" is accepted"));
    id.unwrap_or_else(|| panic!("no id: {run:#?}"))
}

/// Cleaning a text must not put the token together.
#[tokio::test]
async fn token_with_hidden_characters_inside_is_not_shown() {
    let stage = Stage::new(NEVER).await;
    let (begin, end) = TOKEN.split_at(6);
    for hidden in ["\0", "\u{200b}", "\u{ad}"] {
        let id = stage.task(&format!("A {begin}{hidden}{end} fox")).await;
        // The helper looks for the token.
        for arguments in [&["task", &id][..], &["--json", "task", &id], &["history"]] {
            stage.luma(arguments).await.exits(0);
        }
    }
}

/// How standard output can be lost.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug)]
enum Lost {
    Full,
    Closed,
    AfterOneLine,
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_submit_begins_after_standard_output_is_lost() {
    let stage = Stage::new(AT_ONCE).await;
    // (what is lost, how many at a time, whether it waits, the most submits)
    for (lost, parallel, waits, most) in [
        (Lost::Full, 1, false, 1),
        (Lost::Closed, 1, false, 1),
        (Lost::AfterOneLine, 1, false, 3),
        (Lost::Full, 3, false, 3),
        (Lost::Closed, 3, false, 3),
        (Lost::Full, 1, true, 1),
        (Lost::Closed, 1, true, 1),
    ] {
        let before = stage.submits().len();
        let parallel = parallel.to_string();
        let mut command = stage.command(["generate", "-", "--each-line", "--max-parallel"]);
        command.arg(parallel).arg(if waits { "--interval=20ms" } else { "--no-wait" });
        if let Lost::Full = lost {
            command.stdout(std::fs::File::create("/dev/full").expect("a device"));
        }
        let mut child = command.stdin(Stdio::piped()).spawn().expect("it starts");
        let stdout = child.stdout.take();
        let head = matches!(lost, Lost::AfterOneLine).then(|| {
            let mut lines = BufReader::new(stdout.expect("a pipe"));
            tokio::spawn(async move {
                let mut line = String::new();
                lines.read_line(&mut line).await.expect("a line");
                line
            })
        });
        if head.is_some() {
            // Time for the reader to go.
            let slow = Fault::slow(std::time::Duration::from_secs(1)).on(Target::Submit);
            stage.simulator.inject(slow.always());
        }
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(b"1\n2\n3\n4\n5\n6\n7\n8\n").await.expect("written");
        drop(stdin);
        let run = end(child).await.exits(5).complains("error: the result cannot be printed: ");
        stage.simulator.clear_faults();
        let sent = stage.submits().len() - before;
        assert!((1..=most).contains(&sent), "{lost:?} {waits}: {sent} submits: {run:?}");
        // Each id is told, and how many prompts were not sent.
        let count = |text: &str| run.stderr.lines().filter(|line| line.contains(text)).count();
        assert_eq!(count(" is accepted"), sent, "{run:?}");
        let unsent = format!("results cannot be printed: {} prompt", 8 - sent);
        assert_eq!(count(&unsent), 1, "{run:?}");
    }
}

/// The JSON of a list begins before the first submit.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn full_disk_is_noticed_before_a_batch_is_paid_for() {
    let stage = Stage::new(AT_ONCE).await;
    for wait in ["--no-wait", "--interval=20ms"] {
        let mut command = stage.command(["--json", "generate", "1\n2\n3", "--each-line", wait]);
        let full = std::fs::File::create("/dev/full").expect("a device");
        let run = end(command.stdout(full).spawn().expect("it starts")).await.exits(3);
        let run = run.complains(
            "error: results cannot be printed: 3 prompts were not sent (from line 1 on)",
        );
        run.complains("error: the result cannot be printed: No space left on device");
    }
    assert_eq!(stage.submits().len(), 0);
}

/// Also if nothing is printed before the end.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn reader_that_has_gone_ends_a_run_that_has_printed_nothing() {
    let rows = [&["--json", "--no-wait"][..], &["--json"], &["--interval=1h"]];
    let rows = rows.map(async |arguments| {
        let stage = Stage::new(NEVER).await;
        let slow = Fault::slow(std::time::Duration::from_secs(2)).on(Target::Submit);
        stage.simulator.inject(slow.always());
        let mut command = stage.command(["generate", "-", "--each-line", "--max-parallel=1"]);
        let mut child = command.args(arguments).stdin(Stdio::piped()).spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(b"1\n2\n3\n4\n5\n6\n7\n8\n").await.expect("written");
        drop(stdin);
        eventually("a submit", || stage.billed() > 0).await;
        drop(child.stdout.take());
        let run = end(child).await.exits(5).complains("error: the result cannot be printed: ");
        // The second one may have begun.
        let sent = stage.submits().len();
        assert!(sent <= 2, "{arguments:?}: {sent} submits: {run:?}");
        let told = run.stderr.lines().filter(|line| line.contains(" is accepted")).count();
        assert_eq!(told, sent, "{run:?}");
        let is_resumable = arguments.contains(&"--no-wait") || run.stderr.contains("Resume with: ");
        assert!(is_resumable, "{run:?}");
    });
    futures::future::join_all(rows).await;
}

/// The reader of a command that pays for nothing may go at any time.
#[tokio::test]
async fn reader_that_has_gone_is_no_error_of_a_lookup() {
    let stage = Stage::new(AT_ONCE).await;
    let ids = [stage.task("A fox").await, stage.task("A bear").await];
    for arguments in [
        &["history"][..],
        &["task", &ids[0], &ids[1]],
        &["wait", &ids[0], &ids[1], "-o", "v/"],
        &["tools"],
        &["completions", "bash"],
        &["--help"],
    ] {
        let mut child = stage.command(arguments).spawn().expect("it starts");
        drop(child.stdout.take());
        let run = end(child).await.exits(0);
        assert!(!run.stderr.contains("error"), "{run:?}");
    }
    // Both files are there.
    let files = std::fs::read_dir(stage.folder.path().join("v")).expect("a folder");
    assert_eq!(files.count(), 2);
}

#[tokio::test]
async fn token_as_an_argument_is_not_shown() {
    let stage = Stage::new(AT_ONCE).await;
    // The helper looks for the token.
    stage.luma(&["task", TOKEN]).await.exits(3).complains("no task has the id [token]");
    stage.luma(&["--json", "wait", TOKEN]).await.exits(3);
    stage.luma(&["generate", TOKEN, "--no-wait", "--each-line"]).await.exits(0);
}

/// A path that JSON cannot hold is printed as far as it is readable.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn path_that_is_not_unicode_is_no_empty_result() {
    use std::os::unix::ffi::OsStrExt;

    let stage = Stage::new(AT_ONCE).await;
    let path = std::ffi::OsStr::from_bytes(b"fox\xff.mp4");
    let mut command = stage.command(["--json", "generate", "A fox", "--interval", "20ms", "-o"]);
    let run = end(command.arg(path).spawn().expect("it starts")).await.exits(0);
    assert_eq!(run.json()["file"]["path"], "fox\u{fffd}.mp4");
    assert!(stage.folder.path().join(path).exists());
}
