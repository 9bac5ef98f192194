//! `generate --each-line`, and several ids.

use std::time::Duration;

use luma_simulator::{Fault, JobDuration, Target, TaskScript};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::{AT_ONCE, NEVER, Stage, end, eventually, with_input};

const SOON: JobDuration = JobDuration::Fixed(Duration::from_millis(300));

#[tokio::test]
async fn each_line_becomes_a_video_and_a_file() {
    let stage = Stage::new(SOON).await;
    std::fs::write(stage.folder.path().join("prompts.txt"), "A fox\r\n\n  \nA bear\nA crane\n")
        .expect("a file");
    let arguments =
        ["--json", "generate", "--prompt-file", "prompts.txt", "--each-line", "-o", "v/"];
    let run = stage.luma(&arguments).await.exits(0);
    let tasks = run.json()["tasks"].as_array().expect("a list").clone();
    let prompts: Vec<_> = tasks.iter().map(|task| &task["prompt"]).collect();
    assert_eq!(prompts, ["A fox", "A bear", "A crane"]);
    for task in &tasks {
        let id = task["task_id"].as_str().expect("an id");
        let path = format!("v/{id}.mp4");
        let bytes = stage.file(&path).expect("a file").len();
        assert_eq!(task["file"], json!({ "path": path, "bytes": bytes }));
        assert!(run.stderr.contains(&format!("task {id} is accepted: A ")), "{run:?}");
    }
    assert_eq!(stage.billed(), 3);
}

#[tokio::test]
async fn each_line_has_at_most_so_many_at_a_time() {
    let stage = Stage::new(NEVER).await;
    let arguments = ["generate", "-", "--each-line", "--max-parallel", "2", "--interval", "20ms"];
    let mut command = stage.command(arguments);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"One\nTwo\nThree\nFour\n").await.expect("written");
    drop(stdin);
    for accepted in 2..=4 {
        eventually("submits", || stage.billed() == accepted).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(stage.billed(), accepted);
        let tasks = stage.simulator.tasks();
        let open = tasks.iter().find(|task| task["response"]["state"] != "completed");
        let id = open.and_then(|task| task["id"].as_str()).expect("an open task");
        stage.simulator.complete(id);
    }
    for task in stage.simulator.tasks() {
        stage.simulator.complete(task["id"].as_str().expect("an id"));
    }
    end(child).await.exits(0);
}

#[tokio::test]
async fn bad_line_is_refused_before_anything_is_sent() {
    let stage = Stage::new(AT_ONCE).await;
    for (input, complaint) in [
        ("A fox\n\u{2800}\n", "the prompt is blank"),
        ("\n \n", "every line is blank"),
        ("", "every line is blank"),
    ] {
        let mut command = stage.command(["generate", "-", "--each-line"]);
        let run = with_input(&mut command, input).await;
        run.exits(2).complains(complaint);
    }
    let mut command = stage.command(["generate", "-", "--each-line", "-o", "fox.mp4"]);
    let run = with_input(&mut command, "A fox\nA bear").await;
    run.exits(2).complains("-o fox.mp4/");
    assert_eq!(stage.simulator.stats().requests(), 0);
}

#[tokio::test]
async fn refused_line_does_not_stop_the_others() {
    let stage = Stage::new(AT_ONCE).await;
    let refused = TaskScript::refused(403, "forbidden", "no foxes");
    stage.simulator.on_submit(refused);
    let mut command =
        stage.command(["--json", "generate", "-", "--each-line", "--max-parallel", "1"]);
    let run = with_input(&mut command, "A fox\nA bear").await;
    // The bear is accepted: the command must not be repeated.
    let run = run.exits(5).complains("error: line 1, A fox: forbidden (HTTP 403): no foxes");
    let tasks = run.json()["tasks"].clone();
    assert_eq!(tasks[0]["error"]["kind"], "api");
    assert_eq!(tasks[0]["prompt"], "A fox");
    assert_eq!(tasks[1]["state"], "completed");
}

/// Each prompt is named, even if the message has its words.
#[tokio::test]
async fn error_of_a_line_has_its_number_and_its_prompt() {
    let stage = Stage::new(AT_ONCE).await;
    let refused = TaskScript::refused(403, "forbidden", "a prompt like this is refused");
    stage.simulator.on_submit(refused.always());
    let long = "fox ".repeat(1_000);
    let input = format!("a\n\nbob\na prompt like this\n{long}\n");
    let run = with_input(&mut stage.command(["generate", "-", "--each-line"]), &input).await;
    let run = run.exits(3);
    let lines: Vec<_> = run.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    for (number, prompt) in [(1, "a"), (3, "bob"), (4, "a prompt like this"), (5, "fox fox")] {
        let begin = format!("error: line {number}, {prompt}");
        assert!(lines.iter().any(|line| line.starts_with(&begin)), "{begin}: {run:#?}");
    }
    assert!(lines.iter().all(|line| line.len() < 500), "{run:#?}");
}

/// Twelve prompts against a service that fails each submit: how many are sent.
#[tokio::test]
async fn batch_stops_once_every_submit_would_fail() {
    let coded = |status, code| {
        let body = json!({ "error": { "code": code, "message": "no" } }).to_string();
        Fault::replace_body(status, "application/json", body)
    };
    let limit = ("LUMA_MAX_VIDEOS_PER_DAY", "0");
    let rows = [
        // The token, the balance, the address.
        ("401", Some(Fault::status(401)), 1),
        ("402", Some(Fault::status(402)), 1),
        ("404", Some(Fault::status(404)), 1),
        ("403 used_up", Some(coded(403, "used_up")), 1),
        ("403 disabled", Some(coded(403, "disabled")), 1),
        ("the limit", None, 0),
        // Three in a row without a response, or refused for no known reason.
        ("503", Some(Fault::status(503)), 3),
        ("lost", Some(Fault::reset_after()), 3),
        ("403", Some(Fault::status(403)), 3),
        // The prompts.
        ("403 forbidden", Some(coded(403, "forbidden")), 12),
        ("400", Some(Fault::status(400)), 12),
    ];
    let rows = rows.map(async |(name, fault, sent)| {
        let stage = Stage::new(AT_ONCE).await;
        let is_limited = fault.is_none();
        if let Some(fault) = fault {
            stage.simulator.inject(fault.on(Target::Submit).always());
        }
        for json in [None, Some("--json")] {
            let before = stage.submits().len();
            let mut command = stage.command(["generate", "-", "--each-line", "--max-parallel=1"]);
            command.env("XDG_STATE_HOME", stage.folder.path());
            command.args(json).envs(is_limited.then_some(limit));
            let run = with_input(&mut command, "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n").await;
            assert_eq!(stage.submits().len() - before, sent, "{name}: {run:#?}");
            assert!(matches!(run.code, Some(3 | 5)), "{name}: {run:#?}");
            let told = run.stderr.lines().filter(|line| line.contains("not sent")).count();
            assert_eq!(told, usize::from(sent < 12), "{name}: {run:#?}");
            // The limit refuses the first one.
            let tried = sent.max(1);
            let text = format!(
                "error: {} prompts were not sent (from line {} on): ",
                12 - tried,
                tried + 1
            );
            assert_eq!(run.stderr.contains(&text), sent < 12, "{name}: {run:#?}");
            if json.is_some() {
                let tasks = run.json()["tasks"].as_array().expect("a list").clone();
                let kinds = tasks.iter().filter(|task| task["error"]["kind"] == "not_sent");
                assert_eq!((tasks.len(), kinds.count()), (12, 12 - tried), "{name}");
            }
        }
    });
    futures::future::join_all(rows).await;
}

/// One success between them, and the batch continues.
#[tokio::test]
async fn failures_that_are_not_in_a_row_do_not_stop_a_batch() {
    let stage = Stage::new(AT_ONCE).await;
    for _ in 0..3 {
        stage.simulator.on_submit(TaskScript::refused(403, "odd", "no").times(2));
        stage.simulator.on_submit(TaskScript::completes());
    }
    let mut command = stage.command(["generate", "-", "--each-line", "--max-parallel=1"]);
    command.args(["--interval", "20ms"]);
    let run = with_input(&mut command, "1\n2\n3\n4\n5\n6\n7\n8\n9\n").await.exits(5);
    assert!(!run.stderr.contains("not sent"), "{run:#?}");
    assert_eq!((stage.submits().len(), stage.billed()), (9, 3));
}

#[cfg(unix)]
#[tokio::test]
async fn interrupted_batch_tells_what_was_sent_and_what_not() {
    let stage = Stage::new(NEVER).await;
    let arguments = ["generate", "-", "--each-line", "--max-parallel", "1", "-o", "v/"];
    let mut command = stage.command(arguments);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"One\nTwo\n").await.expect("written");
    drop(stdin);
    eventually("a lookup", || stage.simulator.stats().lookups > 0).await;
    let id = child.id().expect("it runs").to_string();
    let kill = std::process::Command::new("kill").args(["-INT", &id]).status();
    assert!(kill.expect("kill").success());
    let run = end(child).await.exits(130);
    let tasks = stage.simulator.tasks();
    let id = tasks[0]["id"].as_str().expect("an id");
    let run = run.complains("error: interrupted: 1 prompt was not sent (from line 2 on)\n");
    let resume = format!("Resume with: luma wait {id} -o v/\n");
    assert!(run.stderr.ends_with(&resume), "{run:?}");
    assert_eq!(stage.billed(), 1);
}

#[tokio::test]
async fn ids_of_a_batch_are_awaited_from_standard_input() {
    let stage = Stage::new(SOON).await;
    let mut command = stage.command(["generate", "-", "--each-line", "--no-wait"]);
    let run = with_input(&mut command, "One\nTwo\n").await.exits(0);
    let ids: Vec<_> = run.stdout.lines().map(str::to_owned).collect();
    assert_eq!(ids.len(), 2);
    for (arguments, files) in [
        (&["wait", "-", "-o", "v/"][..], 2),
        (&["task", "-"], 2),
        (&["download", "-", "-o", "w/"], 4),
    ] {
        let arguments = [&["--json"], arguments].concat();
        let run = with_input(&mut stage.command(arguments), &run.stdout).await.exits(0);
        let tasks = run.json()["tasks"].as_array().expect("a list").clone();
        let got: Vec<_> = tasks.iter().map(|task| &task["task_id"]).collect();
        assert_eq!(got, [&ids[0], &ids[1]]);
        let saved = ["v", "w"].map(|folder| {
            let entries = std::fs::read_dir(stage.folder.path().join(folder));
            entries.map_or(0, Iterator::count)
        });
        assert_eq!(saved.iter().sum::<usize>(), files);
    }
    for (input, complaint) in [("", "there are no task ids"), ("é", "not a task id")] {
        let run = with_input(&mut stage.command(["wait", "-"]), input).await;
        run.exits(2).complains(complaint);
    }
}

#[tokio::test]
async fn several_downloads_share_nothing() {
    let stage = Stage::new(AT_ONCE).await;
    let ids = [stage.task("One").await, stage.task("Two").await];
    let run = stage.luma(&["--json", "download", &ids[0], "nobody", &ids[1]]).await.exits(3);
    let tasks = run.json()["tasks"].clone();
    assert_eq!(tasks[1]["error"]["kind"], "not_found");
    for (index, id) in [(0, &ids[0]), (2, &ids[1])] {
        assert_eq!(tasks[index]["file"]["path"], format!("{id}.mp4"));
    }
    assert_eq!(stage.files().len(), 2);
    let run = stage.luma(&["download", &ids[0], &ids[1], "-o", "x.mp4"]).await;
    run.exits(2).complains("-o x.mp4/");
}

#[tokio::test]
async fn failure_after_acceptance_exits_5() {
    let stage = Stage::new(AT_ONCE).await;
    for fault in [Fault::status(401).on(Target::Lookup), Fault::status(400).on(Target::Media)] {
        stage.simulator.inject(fault.always());
        let arguments = ["generate", "A fox", "-o", "fox.mp4", "--interval", "20ms"];
        let run = stage.luma(&arguments).await.exits(5);
        run.complains("Resume with: luma wait ");
        stage.simulator.clear_faults();
    }
    assert_eq!(stage.billed(), 2);
}
