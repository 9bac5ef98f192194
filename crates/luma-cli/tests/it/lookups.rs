//! `task`, `wait`, `history`, `download`.

use std::time::Duration;

use luma_simulator::{Fault, JobDuration, Target, TaskScript};
use serde_json::json;

use super::{AT_ONCE, Stage};

/// A simulator with a task that is done, one that has failed, and one that never ends.
async fn three() -> (Stage, [String; 3]) {
    let stage = Stage::new(AT_ONCE).await;
    let done = stage.task("A fox").await;
    stage.simulator.on_submit(TaskScript::fails("api_error", "it broke"));
    let failed = stage.task("A bear").await;
    let endless = TaskScript::state("dreaming").after(Duration::ZERO);
    stage.simulator.on_submit(endless);
    let open = stage.task("A crane").await;
    (stage, [done, failed, open])
}

#[tokio::test]
async fn task_shows_the_current_state() {
    let (stage, [done, failed, open]) = three().await;
    for (id, code, state) in
        [(&done, 0, "completed"), (&failed, 1, "failed"), (&open, 0, "processing")]
    {
        let run = stage.luma(&["task", id]).await.exits(code);
        assert!(
            run.stdout.starts_with(&format!("task       {id}\nstate      {state}\n")),
            "{run:?}"
        );
        let document = stage.luma(&["--json", "task", id]).await.exits(code).json();
        assert_eq!(document["tasks"][0]["task_id"], **id);
        assert_eq!(document["tasks"][0]["state"], state);
    }
    let run = stage.luma(&["--json", "task", "nobody"]).await.exits(3);
    let document = run.json();
    assert_eq!(document["tasks"][0]["task_id"], "nobody");
    assert_eq!(document["tasks"][0]["error"]["kind"], "not_found");
    run.complains("error: no task has the id nobody\nCheck that it is the id of a task, not of a");
}

#[tokio::test]
async fn history_bounds_a_prompt() {
    let stage = Stage::new(AT_ONCE).await;
    stage.task(&"fox ".repeat(10_000)).await;
    let run = stage.luma(&["history"]).await.exits(0);
    assert!(run.stdout.len() < 500 && run.stdout.contains("…\n"), "{run:?}");
}

#[tokio::test]
async fn tasks_keep_the_order_of_their_ids() {
    let (stage, [done, failed, open]) = three().await;
    let arguments = ["--json", "task", &open, "nobody", &failed, &done, &open];
    let document = stage.luma(&arguments).await.exits(3).json();
    let states = document["tasks"].as_array().expect("a list");
    let states: Vec<_> = states.iter().map(|task| (&task["task_id"], &task["state"])).collect();
    let expected = [
        (&json!(open), &json!("processing")),
        (&json!("nobody"), &json!(null)),
        (&json!(failed), &json!("failed")),
        (&json!(done), &json!("completed")),
    ];
    assert_eq!(states, expected);
    assert_eq!(stage.simulator.stats().batch_sizes, [4]);
}

#[tokio::test]
async fn wait_exits_with_the_worst_end() {
    let (stage, [done, failed, open]) = three().await;
    let quick = ["--interval", "20ms", "--timeout", "3s"];
    for (ids, code, kinds) in [
        (vec![&done], 0, vec![json!(null)]),
        (vec![&failed, &done], 1, vec![json!("task_failed"), json!(null)]),
        (
            vec![&failed, &open, &done],
            4,
            vec![json!("task_failed"), json!("deadline"), json!(null)],
        ),
    ] {
        let mut arguments = vec!["--json", "wait"];
        arguments.extend(ids.iter().map(|id| id.as_str()));
        arguments.extend(quick);
        let run = stage.luma(&arguments).await.exits(code);
        let document = run.json();
        let tasks = document["tasks"].as_array().expect("a list");
        let got: Vec<_> = tasks.iter().map(|task| task["error"]["kind"].clone()).collect();
        assert_eq!(got, kinds);
        let goes_on = run.stderr.contains(&format!("Resume with: luma wait {open}\n"));
        assert_eq!(goes_on, code == 4, "{run:?}");
    }
    let run = stage.luma(&["wait", &failed, "nobody", "--interval", "20ms"]).await.exits(3);
    let run = run
        .complains("no task has the id nobody\nCheck that it is the id of a task")
        .complains("it broke");
    assert!(!run.stderr.contains("Resume with"), "{run:?}");
}

#[tokio::test]
async fn failed_wait_says_how_to_resume() {
    let stage = Stage::new(AT_ONCE).await;
    let id = stage.task("A fox").await;
    for fault in [Fault::status(401).on(Target::Lookup), Fault::status(410).on(Target::Media)] {
        stage.simulator.inject(fault.always());
        let arguments = ["wait", &id, "-o", "fox.mp4", "--interval", "20ms"];
        let run = stage.luma(&arguments).await.exits(3);
        let expected = format!("\nResume with: luma wait {id} -o fox.mp4\n");
        assert!(run.stderr.ends_with(&expected), "{run:?}");
        stage.simulator.clear_faults();
    }
}

#[tokio::test]
async fn progress_lines_tell_how_each_task_ended() {
    let (stage, [done, failed, open]) = three().await;
    let mut arguments = vec!["wait", &done, &failed, &open, "nobody", "-o", "v/", "--overwrite"];
    arguments.extend(["--interval", "20ms", "--timeout", "3s"]);
    let run = stage.luma(&arguments).await.exits(3);
    for (id, end) in [
        (done.as_str(), " completed"),
        (&failed, " failed"),
        (&open, " deadline"),
        ("nobody", " not found"),
    ] {
        let mut lines = run.stderr.lines().filter(|line| line.starts_with(id));
        assert!(lines.any(|line| line.ends_with(end)), "{id}: {run:#?}");
    }
    run.complains(&format!("Resume with: luma wait {open} -o v/ --overwrite\n"));
}

#[tokio::test]
async fn wait_saves_each_video() {
    let stage = Stage::new(JobDuration::Fixed(Duration::from_millis(200))).await;
    let ids = [stage.task("A fox").await, stage.task("A bear").await];
    let mut arguments = vec!["--json", "wait", "--interval", "20ms", "--download", "my/videos"];
    arguments.extend(ids.iter().map(String::as_str));
    let document = stage.luma(&arguments).await.exits(0).json();
    for (index, id) in ids.iter().enumerate() {
        let path = format!("my/videos/{id}.mp4");
        let bytes = stage.file(&path).expect("a file").len();
        let expected = json!({ "path": path, "bytes": bytes });
        assert_eq!(document["tasks"][index]["file"], expected);
    }
    let downloads = stage.simulator.stats().media_requests;
    stage.luma(&arguments).await.exits(0);
    assert_eq!(stage.simulator.stats().media_requests, downloads);
    arguments.push("--overwrite");
    stage.luma(&arguments).await.exits(0);
    assert_eq!(stage.simulator.stats().media_requests, 2 * downloads);
}

/// It may be anything: it is neither replaced nor called the video.
#[tokio::test]
async fn existing_file_is_not_reported_as_the_video() {
    let stage = Stage::new(AT_ONCE).await;
    let id = stage.task("A fox").await;
    let path = format!("v/{id}.mp4");
    std::fs::create_dir(stage.folder.path().join("v")).expect("a folder");
    std::fs::write(stage.folder.path().join(&path), "mine").expect("a file");
    let told = format!("{path} already exists and was not written: --overwrite replaces it\n");

    let run = stage.luma(&["wait", &id, "-o", "v/"]).await.exits(0).complains(&told);
    assert!(run.stdout.contains(&format!("file       not saved: {path} already exists\n")));
    let run = stage.luma(&["--json", "wait", &id, "-o", "v/"]).await.exits(0).complains(&told);
    let task = run.json()["tasks"][0].clone();
    assert_eq!(task["file"], json!(null));
    assert_eq!(task["existing_file"], json!({ "path": path, "bytes": 4 }));
    let complaint = "already exists: choose another name, or add --overwrite";
    for arguments in [["download", &id, "-o", "v/"], ["download", &id, "-o", &path]] {
        let run = stage.luma(&arguments).await.exits(2).complains(complaint);
        assert_eq!(run.stdout, "");
    }
    stage.luma(&["wait", &id, "-o", &path]).await.exits(2).complains(complaint);
    assert_eq!(stage.file(&path).as_deref(), Some(&b"mine"[..]));
    stage.luma(&["wait", &id, "-o", "v/", "--overwrite"]).await.exits(0);
    assert_ne!(stage.file(&path).as_deref(), Some(&b"mine"[..]));
}

/// A video of 3 s, with no interval given: several lookups are sent before its end.
#[tokio::test]
async fn simulated_tasks_are_looked_up_often() {
    let commands = ["generate", "extend", "wait", "task"].map(async |name| {
        let stage = Stage::new(JobDuration::Fixed(Duration::from_secs(3))).await;
        let id = stage.task("A fox").await;
        let arguments = match name {
            "extend" => vec![name, "https://example.com/1.mp4", "More"],
            "generate" => vec![name, "A bear"],
            _ => vec![name, &id],
        };
        stage.luma(&arguments).await.exits(0);
        let lookups = stage.simulator.stats().lookups;
        assert!(lookups > 2 || name == "task", "{name}: {lookups} lookups");
    });
    futures::future::join_all(commands).await;
}

#[tokio::test]
async fn wait_with_one_file_for_two_tasks_is_refused() {
    let stage = Stage::new(AT_ONCE).await;
    let run = stage.luma(&["wait", "one", "two", "-o", "x.mp4"]).await;
    run.exits(2).complains("-o x.mp4/");
    assert_eq!(stage.simulator.stats().requests(), 0);
}

#[tokio::test]
async fn wait_survives_a_broken_gateway() {
    let stage = Stage::new(AT_ONCE).await;
    let id = stage.task("A fox").await;
    stage.simulator.inject(Fault::html(502).on(Target::Lookup).times(3));
    stage.luma(&["wait", &id, "--interval", "20ms"]).await.exits(0);
}

#[tokio::test]
async fn history_lists_newest_first() {
    let (stage, [done, failed, open]) = three().await;
    let run = stage.luma(&["history"]).await.exits(0);
    let lines: Vec<_> = run.stdout.lines().collect();
    for (line, parts) in lines.iter().zip([
        [open.as_str(), "  processing  20", "  A crane"],
        [&failed, "  failed      20", "  A bear"],
        [&done, "  completed   20", "  A fox"],
    ]) {
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
    assert_eq!(lines.len(), 4);

    let document = stage.luma(&["--json", "history", "-n", "2"]).await.exits(0).json();
    assert_eq!(document["tasks"].as_array().map(Vec::len), Some(2));
    assert_eq!(document["tasks"][0]["task_id"], open);
    let range = ["history", "--since", "1h", "--until", "2h"];
    let run = stage.luma(&range).await.exits(2);
    run.complains("--since is later than --until");
    for arguments in [["--since", "2100-01-01"], ["--until", "1h"]] {
        let run = stage.luma(&["--json", "history", arguments[0], arguments[1]]).await.exits(0);
        assert_eq!(run.json(), json!({ "tasks": [] }));
    }
    let run = stage.luma(&["history", "--until", "1h"]).await.exits(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", "There are no tasks.\n"));

    stage.simulator.set_history_supported(false);
    stage.luma(&["history"]).await.exits(3).complains("bad_request");
}

#[tokio::test]
async fn download_saves_video_or_thumbnail() {
    let (stage, [done, failed, open]) = three().await;
    let video = format!("{done}.mp4");
    let run = stage.luma(&["download", &done]).await.exits(0);
    assert!(run.stdout.contains(&format!("file       {video} (")), "{run:?}");
    let document = stage.luma(&["--json", "download", &done, "--thumbnail"]).await.exits(0).json();
    let image = format!("{done}.jpg");
    let bytes = stage.file(&image).expect("a file").len();
    assert_eq!(document["file"], json!({ "path": image, "bytes": bytes }));
    assert_ne!(stage.file(&image), stage.file(&video));

    let lookups = stage.simulator.stats().lookups;
    stage.luma(&["download", &done]).await.exits(2).complains("already exists");
    assert_eq!(stage.simulator.stats().lookups, lookups);
    stage.luma(&["download", &done, "--overwrite"]).await.exits(0);

    stage.luma(&["download", &failed]).await.exits(1).complains("it broke");
    let run = stage.luma(&["--json", "download", &open]).await.exits(4);
    assert_eq!(run.json()["error"]["kind"], "not_ready");
    run.complains(&format!("Wait for it with: luma wait {open} -o ./\n"));
    stage
        .luma(&["download", &open, "-o", &video, "--overwrite"])
        .await
        .exits(4)
        .complains(&format!(": luma wait {open} -o {video} --overwrite\n"));
    assert_eq!(stage.files(), [image, video]);
}

#[tokio::test]
async fn failed_download_exits_3() {
    let stage = Stage::new(AT_ONCE).await;
    let id = stage.task("A fox").await;
    stage.simulator.inject(Fault::status(400).on(Target::Media));
    let run = stage.luma(&["--json", "download", &id]).await.exits(3);
    let document = run.json();
    assert_eq!(document["error"]["kind"], "download");
    assert_eq!(document["state"], "completed");
    assert!(stage.file(&format!("{id}.mp4")).is_none());
    let go_on = format!("Resume with: luma download {id} -o ./");
    assert_eq!(document["error"]["next_step"], go_on);
    let busy = Fault::retry_after(503, "3600").on(Target::Media);
    stage.simulator.inject(busy);
    let run = stage.luma(&["download", &id]).await.exits(3);
    run.complains("The service asks to wait 3600 s before the next try.\nResume with: luma ");
    let refused = Fault::status(401).on(Target::Lookup);
    stage.simulator.inject(refused);
    let run = stage.luma(&["download", &id]).await.exits(3);
    run.complains("Check ACEDATACLOUD_API_TOKEN").complains(&go_on);
    let run = stage.luma(&["download", "nobody"]).await.exits(3);
    assert!(!run.stderr.contains("Resume with"), "{run:?}");
    // A download that was cut is resumed.
    stage.simulator.inject(Fault::truncated().on(Target::Media));
    stage.luma(&["download", &id]).await.exits(0);
}
