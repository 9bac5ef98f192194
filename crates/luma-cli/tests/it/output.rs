//! Where things are printed, and what never is.

use std::process::Stdio;

use super::{AT_ONCE, NEVER, Run, Stage, TOKEN, end};

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
        let run = end(child).await.exits(0);
        assert!(stage.simulator.task(accepted(&run)).is_some(), "{run:?}");
    }
    assert_eq!(stage.billed(), 4);
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
