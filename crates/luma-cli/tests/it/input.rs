//! Prompts from standard input and files, ids of tasks in place of videos, and `--open`.

use serde_json::json;

use super::{AT_ONCE, NEVER, Stage, luma, with_input};

#[tokio::test]
async fn prompt_comes_from_standard_input_or_a_file() {
    let stage = Stage::new(AT_ONCE).await;
    let video = stage.video().await;
    let prompt = stage.folder.path().join("prompt.txt");
    std::fs::write(&prompt, "\u{feff}A bear,\nat dawn\n").expect("a file");
    for (arguments, input, expected) in [
        (&["generate", "-"][..], "A fox\n", json!("A fox")),
        (&["generate", "--prompt-file", "-"], "A crane\n", json!("A crane")),
        (&["generate", "--prompt-file", "prompt.txt"], "", json!("A bear,\nat dawn")),
        (&["extend", video.as_str(), "-"], "More\n", json!("More")),
        (&["extend", "-", "More"], video.as_str(), json!("More")),
        (&["extend", &video, "--prompt-file", "prompt.txt"], "", json!("A bear,\nat dawn")),
    ] {
        let arguments = [arguments, &["--no-wait"]].concat();
        with_input(&mut stage.command(arguments), input).await.exits(0);
        let submits = stage.submits();
        assert_eq!(submits.last().expect("a submit")["prompt"], expected);
    }
    for submit in &stage.submits()[4..] {
        assert_eq!(submit["video_id"], video);
    }
}

#[tokio::test]
async fn prompt_that_shows_nothing_is_refused() {
    let stage = Stage::new(AT_ONCE).await;
    std::fs::write(stage.folder.path().join("latin1.txt"), b"caf\xe9").expect("a file");
    for input in ["", " \n", "\u{2800}", "\u{3164}", "\u{ad}", "\u{e0041}\u{e0042}"] {
        let mut command = stage.command(["generate", "-"]);
        let run = with_input(&mut command, input).await.exits(2);
        run.complains("the prompt is blank");
        stage.luma(&["generate", input]).await.exits(2);
    }
    for (arguments, complaint) in [
        (&["generate", "--prompt-file", "none.txt"][..], "cannot read none.txt"),
        (&["generate", "--prompt-file", "latin1.txt"], "latin1.txt is not UTF-8 text"),
        (&["generate", "A fox", "--prompt-file", "x"], "cannot be used with"),
        (&["generate", "--prompt-file", "/dev/zero"], "/dev/zero is larger than 1 MiB"),
        (&["extend", "-", "-"], "the video or the prompt, not both"),
        (&["generate", "A fox", "--open"], "--open needs --output <PATH>"),
    ] {
        stage.luma(arguments).await.exits(2).complains(complaint);
    }
    assert_eq!(stage.simulator.stats().requests(), 0);
}

#[tokio::test]
async fn extend_with_a_task_id_offers_its_video() {
    let stage = Stage::new(AT_ONCE).await;
    let id = stage.task("A fox").await;
    let task = stage.simulator.task(&id).expect("a task");
    let video = task["response"]["video_id"].as_str().expect("an id").to_owned();
    let run = stage.luma(&["--json", "extend", &id, "It's late"]).await.exits(2);
    assert_eq!(run.json()["error"]["kind"], "bad_input");
    let run = run.complains("is the id of a task, not of a video");
    run.complains(&format!(": luma extend {video} 'It'\\''s late'\n"));
    assert_eq!(stage.billed(), 1);

    stage.simulator.set_duration(NEVER);
    let open = stage.task("A bear").await;
    let run = stage.luma(&["extend", &open, "More"]).await.exits(2);
    run.complains(&format!("Wait for it with: luma wait {open}\n"));
    stage.luma(&["extend", &video, "More", "--no-wait"]).await.exits(0);
}

#[tokio::test]
async fn history_shows_the_ids_of_videos() {
    let stage = Stage::new(AT_ONCE).await;
    let id = stage.task("A fox").await;
    let task = stage.simulator.task(&id).expect("a task");
    let video = task["response"]["video_id"].as_str().expect("an id");
    let run = stage.luma(&["history"]).await.exits(0);
    assert!(run.stdout.contains(&format!("\n  video {video}\n")), "{run:?}");
    let run = stage.luma(&["history", "--since", "2020-01-01"]).await.exits(0);
    run.complains("--since is in the local time zone: 2020-01-01T00:00:00");
    let run = stage.luma(&["history", "--since", "2020-01-01T00:00:00+02:00"]).await.exits(0);
    assert_eq!(run.stderr, "");
}

#[tokio::test]
async fn no_wait_with_the_simulator_says_that_its_tasks_end() {
    let run = luma(&["--simulate", "generate", "A fox", "--no-wait"]).await.exits(0);
    run.complains("The simulated task ends with this program");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn open_starts_the_players_of_the_system() {
    use std::os::unix::fs::PermissionsExt;

    let stage = Stage::new(AT_ONCE).await;
    let player = stage.folder.path().join("xdg-open");
    let opened = stage.folder.path().join("opened");
    let script = format!("#!/bin/sh\necho \"$1\" > {0}.new\nmv {0}.new {0}\n", opened.display());
    std::fs::write(&player, script).expect("a script");
    std::fs::set_permissions(&player, PermissionsExt::from_mode(0o755)).expect("a mode");
    let path = format!("{}:/usr/bin:/bin", stage.folder.path().display());
    let arguments = ["generate", "A fox", "-o", "fox.mp4", "--open", "--interval", "20ms"];
    let mut command = stage.command(arguments);
    command.env("PATH", path);
    super::end(command.spawn().expect("it starts")).await.exits(0);
    super::eventually("a player", || opened.exists()).await;
    let file = std::fs::read_to_string(&opened).expect("a path");
    let expected = stage.folder.path().canonicalize().expect("a path").join("fox.mp4");
    assert_eq!(std::path::Path::new(file.trim()).canonicalize().expect("a file"), expected);
}

#[cfg(unix)]
#[tokio::test]
async fn endless_standard_input_is_refused() {
    let stage = Stage::new(AT_ONCE).await;
    for arguments in [
        &["generate", "-"][..],
        &["generate", "-", "--each-line"],
        &["extend", "-", "More"],
        &["wait", "-"],
        &["task", "-"],
        &["download", "-"],
    ] {
        let zero = std::fs::File::open("/dev/zero").expect("a device");
        let child = stage.command(arguments).stdin(zero).spawn().expect("it starts");
        super::end(child).await.exits(2).complains("standard input is larger than 1 MiB");
    }
    let closed = stage.command(["wait", "-"]).stdin(std::process::Stdio::null()).spawn();
    let run = super::end(closed.expect("it starts")).await.exits(2);
    run.complains("there are no task ids on standard input");
    let latin1 = std::fs::write(stage.folder.path().join("ids"), b"caf\xe9");
    latin1.expect("a file");
    let ids = std::fs::File::open(stage.folder.path().join("ids")).expect("a file");
    let child = stage.command(["wait", "-"]).stdin(ids).spawn().expect("it starts");
    super::end(child).await.exits(2).complains("standard input is not UTF-8 text");
    assert_eq!(stage.simulator.stats().requests(), 0);
}

#[tokio::test]
async fn line_that_shows_nothing_is_named_by_its_number() {
    let stage = Stage::new(AT_ONCE).await;
    let prompts = "\n\nA fox\n\u{2800}\n";
    std::fs::write(stage.folder.path().join("prompts.txt"), prompts).expect("a file");
    for (arguments, name) in [
        (&["generate", "-"][..], "standard input"),
        (&["generate", "--prompt-file", "-"], "standard input"),
        (&["generate", "--prompt-file", "prompts.txt"], "prompts.txt"),
        (&["generate", prompts], "the argument"),
    ] {
        let mut command = stage.command([arguments, &["--each-line"]].concat());
        let run = with_input(&mut command, prompts).await.exits(2);
        run.complains(&format!("error: line 4 of {name}: the prompt is blank"));
    }
    assert_eq!(stage.simulator.stats().requests(), 0);
}
