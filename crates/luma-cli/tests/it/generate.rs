//! `generate` and `extend`.

use std::time::Duration;

use luma_simulator::{Fault, JobDuration, Target, TaskScript};
use serde_json::json;

use super::{AT_ONCE, NEVER, Stage, TOKEN, luma};

const SOON: JobDuration = JobDuration::Fixed(Duration::from_millis(200));
const QUICK: [&str; 2] = ["--interval", "20ms"];

#[tokio::test]
async fn generate_saves_the_video() {
    let stage = Stage::new(SOON).await;
    let mut arguments = vec!["generate", "A fox", "-o", "fox.mp4"];
    arguments.extend(QUICK);
    let run = stage.luma(&arguments).await.exits(0);
    assert_eq!(stage.files(), ["fox.mp4"]);
    let bytes = stage.file("fox.mp4").expect("a file").len();
    assert!(run.stdout.contains("state      completed\n"), "{run:?}");
    assert!(run.stdout.contains("size       1360x752\n"), "{run:?}");
    assert!(run.stdout.contains("file       fox.mp4 ("), "{run:?}");
    assert!(bytes > 1_000, "{bytes}");
    run.complains(" is accepted\n").complains(" downloading\n");
    assert_eq!(
        stage.submits(),
        [json!({ "action": "generate", "async": true, "prompt": "A fox" })]
    );
    assert_eq!(stage.simulator.stats().media_requests_with_authorization, 0);
}

#[tokio::test]
async fn options_are_sent() {
    let stage = Stage::new(AT_ONCE).await;
    let video = stage.video().await;
    let url = "https://example.com";
    let options = [
        ["--aspect-ratio", "21:9"],
        ["--end-image", url],
        ["--callback-url", "http://127.0.0.1:9/callback"],
    ]
    .concat();
    let options = [&options[..], &["--loop", "--no-enhancement", "--no-wait"]].concat();
    let generate = ["generate", "A fox", "--start-image", url];
    stage.luma(&[&generate, &options[..]].concat()).await.exits(0);
    stage.luma(&[&["extend", &video, "More"], &options[..]].concat()).await.exits(0);
    stage.luma(&["extend", "https://example.com/1.mp4", "More", "--no-wait"]).await.exits(0);
    let callback = "http://127.0.0.1:9/callback";
    assert_eq!(
        stage.submits()[1..],
        [
            json!({
                "action": "generate", "async": true, "prompt": "A fox", "aspect_ratio": "21:9",
                "start_image_url": url, "end_image_url": url, "callback_url": callback,
                "loop": true, "enhancement": false,
            }),
            json!({
                "action": "extend", "async": true, "prompt": "More", "aspect_ratio": "21:9",
                "video_id": video, "end_image_url": url, "callback_url": callback,
                "loop": true, "enhancement": false,
            }),
            json!({
                "action": "extend", "async": true, "prompt": "More",
                "video_url": "https://example.com/1.mp4",
            }),
        ]
    );
}

#[tokio::test]
async fn no_wait_prints_only_the_id() {
    let stage = Stage::new(NEVER).await;
    let run = stage.luma(&["generate", "A fox", "--no-wait"]).await.exits(0);
    let id = run.stdout.strip_suffix('\n').expect("a line");
    assert!(stage.simulator.task(id).is_some(), "{run:?}");
    assert_eq!(run.stderr, format!("task {id} is accepted\n"));
    let run = stage.luma(&["--json", "generate", "A fox", "--no-wait"]).await.exits(0);
    let document = run.json();
    let id = document["task_id"].as_str().expect("an id");
    assert!(stage.simulator.task(id).is_some(), "{run:?}");
    assert_eq!(document, json!({ "task_id": id, "state": "pending" }));
}

#[tokio::test]
async fn generate_with_json_prints_one_document() {
    let stage = Stage::new(AT_ONCE).await;
    let mut arguments = vec!["generate", "A fox", "--json", "-o", "fox.mp4"];
    arguments.extend(QUICK);
    let document = stage.luma(&arguments).await.exits(0).json();
    let id = document["task_id"].as_str().expect("an id");
    let task = stage.simulator.task(id).expect("a task");
    let expected = json!({
        "task_id": id,
        "state": "completed",
        "prompt": "A fox",
        "video": {
            "id": task["response"]["video_id"],
            "url": stage.simulator.video_url(id),
            "width": 1360,
            "height": 752,
        },
        "thumbnail": { "url": stage.simulator.thumbnail_url(id), "width": 1360, "height": 752 },
        "created_at": task["created_at"],
        "started_at": task["started_at"],
        "finished_at": task["finished_at"],
        "elapsed": task["elapsed"],
        "file": { "path": "fox.mp4", "bytes": stage.file("fox.mp4").expect("a file").len() },
    });
    assert_eq!(document, expected);
}

#[tokio::test]
async fn bad_file_is_refused_before_anything_is_sent() {
    let stage = Stage::new(AT_ONCE).await;
    std::fs::write(stage.folder.path().join("there.mp4"), "mine").expect("a file");
    for (file, complaint) in [
        ("there.mp4", "already exists: choose another name, or add --overwrite"),
        ("none/new.mp4", "its folder does not exist"),
        ("there.mp4/", "there.mp4 is a file, not a folder"),
        ("there.mp4/a/b/", "there.mp4 is a file, not a folder"),
        ("there.mp4/new.mp4", "there.mp4 is a file, not a folder"),
        ("..", "is a folder: end it with /"),
        (".", "is a folder: end it with /"),
        ("-", "are not written to standard output"),
    ] {
        let run = stage.luma(&["generate", "A fox", "-o", file]).await;
        run.exits(2).complains(complaint);
    }
    assert_eq!(stage.simulator.stats().requests(), 0);
    assert_eq!(stage.files(), ["there.mp4"]);
    assert_eq!(stage.file("there.mp4").as_deref(), Some(&b"mine"[..]));
    let mut arguments = vec!["generate", "A fox", "-o", "there.mp4", "--overwrite"];
    arguments.extend(QUICK);
    stage.luma(&arguments).await.exits(0);
    assert_ne!(stage.file("there.mp4").as_deref(), Some(&b"mine"[..]));
}

#[cfg(unix)]
#[tokio::test]
async fn broken_link_counts_as_existing_file() {
    let stage = Stage::new(AT_ONCE).await;
    std::os::unix::fs::symlink("nowhere", stage.folder.path().join("fox.mp4")).expect("a link");
    let arguments = [&["generate", "A fox", "-o", "fox.mp4"], &QUICK[..]].concat();
    let run = stage.luma(&arguments).await.exits(2);
    run.complains("fox.mp4 already exists");
    assert_eq!(stage.simulator.stats().requests(), 0);
    stage.luma(&[&arguments, &["--overwrite"][..]].concat()).await.exits(0);
    assert_eq!(stage.files(), ["fox.mp4"]);
}

#[tokio::test]
async fn failed_task_exits_1() {
    let stage = Stage::new(AT_ONCE).await;
    let fails = TaskScript::fails("content_moderated", "no foxes today");
    stage.simulator.on_submit(fails.times(2));
    let run = stage.luma(&["generate", "A fox", "--interval", "20ms"]).await;
    run.exits(1).complains("content_moderated: no foxes today");
    let mut arguments = vec!["--json", "generate", "A fox"];
    arguments.extend(QUICK);
    let document = stage.luma(&arguments).await.exits(1).json();
    assert_eq!(document["state"], "failed");
    assert_eq!(document["error"]["kind"], "task_failed");
    assert_eq!(document["error"]["code"], "content_moderated");
    assert!(document["error"]["trace_id"].is_string(), "{document}");
    assert!(document["task_id"].is_string(), "{document}");
}

#[tokio::test]
async fn refused_submit_exits_3() {
    let stage = Stage::new(AT_ONCE).await;
    let refused = TaskScript::refused(403, "used_up", "the balance is 0");
    stage.simulator.on_submit(refused.times(2));
    let run = stage.luma(&["generate", "A fox"]).await.exits(3);
    assert_eq!(run.stdout, "");
    run.complains(
        "error: used_up (HTTP 403): the balance is 0 (the balance is used up: top up the account)",
    );
    let document = stage.luma(&["--json", "generate", "A fox"]).await.exits(3).json();
    assert_eq!(document["error"]["kind"], "api");
    assert_eq!(document["error"]["code"], "used_up");
    assert_eq!(document["error"]["http_status"], 403);
    assert_eq!(stage.billed(), 0);

    let run = stage.luma(&["--token", "another", "generate", "A fox"]).await;
    run.exits(3)
        .complains("check the API token")
        .complains("\nNothing was billed. Check ACEDATACLOUD_API_TOKEN, or --token if you use it.");
}

#[tokio::test]
async fn bare_status_gives_advice() {
    let stage = Stage::new(AT_ONCE).await;
    for (status, advice) in [
        (400, "Correct the request"),
        (401, "Check ACEDATACLOUD_API_TOKEN, or --token"),
        (402, "top up the account."),
        (403, "Something refused it, perhaps a gateway: check the network,"),
        (404, "check --base-url or ACEDATACLOUD_API_BASE_URL."),
        (409, "try again later, or ask its support."),
        (418, "try again later, or ask its support."),
        (429, "Try again later."),
    ] {
        let fault = Fault::replace_body(status, "text/plain", "");
        // More often than the client tries by itself.
        let fault = fault.on(Target::Submit).times(20);
        stage.simulator.inject(fault);
        let run = stage.luma(&["--json", "generate", "A fox"]).await.exits(3);
        let next_step = run.json()["error"]["next_step"].to_string();
        assert!(next_step.starts_with("\"Nothing was billed. "), "{status}: {next_step}");
        assert!(next_step.contains(advice), "{status}: {next_step}");
        stage.simulator.clear_faults();
    }
    assert_eq!(stage.billed(), 0);
}

/// What the advice says must not submit a second video, nor name a path that is refused again.
#[tokio::test]
async fn task_that_is_lost_from_sight_exits_5_with_a_way_on() {
    let missing = || Some(Fault::status(404).on(Target::Lookup).always());
    let no_video = || Some(TaskScript::completes_without_video());
    // (the fault, the script, the options, the kind)
    let rows = [
        (missing(), None, &["-o", "a.mp4"][..], "api"),
        (missing(), None, &[], "api"),
        (None, no_video(), &["-o", "a.mp4"], "no_video"),
        (None, no_video(), &[], "no_video"),
    ];
    let rows = rows.map(async |(fault, script, options, kind)| {
        let stage = Stage::new(AT_ONCE).await;
        fault.into_iter().for_each(|fault| stage.simulator.inject(fault));
        script.into_iter().for_each(|script| stage.simulator.on_submit(script));
        let arguments = [&["--json", "generate", "A fox"], &QUICK[..], options].concat();
        let run = stage.luma(&arguments).await.exits(5);
        let (document, options) = (run.json(), options.join(" "));
        assert_eq!(document["error"]["kind"], kind, "{run:?}");
        let id = document["task_id"].as_str().expect("an id");
        let resume = format!("\nResume with: luma wait {id} {options}");
        let run = run.complains("may").complains(resume.trim_end());
        assert!(!run.stderr.contains("not of a video"), "{run:?}");
        // A later look exits alike: there may still be a video.
        if kind == "no_video" {
            let run = stage.luma(&["--json", "task", id]).await.exits(5);
            assert_eq!(run.json()["tasks"][0]["state"], "unknown");
        }
    });
    futures::future::join_all(rows).await;
}

#[tokio::test]
async fn file_that_appears_during_the_wait_is_saved_beside() {
    let stage = Stage::new(NEVER).await;
    for (number, (name, beside)) in
        [("a.mp4", "a-2.mp4"), ("b", "b-2"), ("a.b.mp4", "a.b-2.mp4")].into_iter().enumerate()
    {
        let arguments = [&["generate", "A fox", "-o", name], &QUICK[..]].concat();
        let child = stage.command(arguments).spawn().expect("it starts");
        super::eventually("a submit", || stage.billed() > number as u64).await;
        std::fs::write(stage.folder.path().join(name), "mine").expect("a file");
        let tasks = stage.simulator.tasks();
        for id in tasks.iter().filter_map(|task| task["id"].as_str()) {
            stage.simulator.complete(id);
        }
        let run = super::end(child).await.exits(5).complains("already exists");
        let (_, command) = run.stderr.split_once("Resume with: luma ").expect("a command");
        assert!(command.ends_with(&format!(" -o {beside}\n")), "{run:?}");
        // The very command that it printed.
        let child = stage.command(command.trim().split(' ')).spawn().expect("it starts");
        super::end(child).await.exits(0);
        assert_eq!(stage.file(name).as_deref(), Some(&b"mine"[..]));
        assert!(stage.file(beside).is_some());
    }
}

#[tokio::test]
async fn wrong_base_path_is_named() {
    let stage = Stage::new(AT_ONCE).await;
    let url = format!("{}/luma/videos/", stage.simulator.url());
    for arguments in [&["generate", "A fox"][..], &["extend", "https://a.example/1.mp4", "More"]] {
        let run = stage.luma(&[&["--base-url", &url], arguments].concat()).await.exits(3);
        let run = run.complains("check --base-url or ACEDATACLOUD_API_BASE_URL.");
        assert!(!run.stderr.contains("check the task id"), "{run:?}");
    }
}

#[tokio::test]
async fn unreachable_service_exits_3() {
    // Port 9 of this machine: nobody listens, or discards.
    let address = "http://127.0.0.1:9";
    let arguments = ["--token", "any", "--base-url", address, "--json", "generate", "A fox"];
    let run = luma(&arguments).await.exits(3);
    assert_eq!(run.json()["error"]["kind"], "network");
    run.complains("could not connect to http://127.0.0.1:9: ")
        .complains("Check the network; check --base-url or ACEDATACLOUD_API_BASE_URL.");
}

#[tokio::test]
async fn deadline_exits_4_and_says_how_to_resume() {
    let stage = Stage::new(NEVER).await;
    let mut arguments =
        vec!["--json", "generate", "A fox", "--timeout", "300ms", "-o", "my fox.mp4"];
    arguments.extend(QUICK);
    let run = stage.luma(&arguments).await.exits(4);
    let document = run.json();
    assert_eq!(document["error"]["kind"], "deadline");
    let id = document["task_id"].as_str().expect("an id");
    run.complains(&format!("Resume with: luma wait {id} -o 'my fox.mp4'\n"));
    assert_eq!(stage.files(), [""; 0]);

    std::fs::write(stage.folder.path().join("my fox.mp4"), "mine").expect("a file");
    arguments.push("--overwrite");
    let run = stage.luma(&arguments).await.exits(4);
    let document = run.json();
    let id = document["task_id"].as_str().expect("an id");
    run.complains(&format!("Resume with: luma wait {id} -o 'my fox.mp4' --overwrite\n"));
}

#[tokio::test]
async fn typed_token_is_asked_for_again() {
    let stage = Stage::new(NEVER).await;
    let mut arguments = vec!["--token", TOKEN, "generate", "A fox", "--timeout", "300ms"];
    arguments.extend(QUICK);
    let run = stage.luma(&arguments).await.exits(4);
    let expected = "\nAdd the token: --token or ACEDATACLOUD_API_TOKEN.\n";
    assert!(run.stderr.ends_with(expected), "{run:?}");
    let run = stage.luma(&arguments[2..]).await.exits(4);
    assert!(!run.stderr.contains("ACEDATACLOUD"), "{run:?}");
}

#[tokio::test]
async fn rate_limit_says_how_long_to_wait() {
    let stage = Stage::new(AT_ONCE).await;
    // Longer than the client waits by itself.
    for (number, seconds) in ["90", "3600", "3601", "86400"].into_iter().enumerate() {
        let limit = Fault::retry_after(429, seconds).on(Target::Submit);
        stage.simulator.inject(limit);
        let run = stage.luma(&["--json", "generate", "A fox"]).await.exits(3);
        assert_eq!(run.json()["error"]["http_status"], 429);
        run.complains(&format!("The service asks to wait {seconds} s before the next try.\n"));
        assert_eq!(stage.submits().len(), number + 1);
    }
}

#[tokio::test]
async fn status_without_known_words_is_a_number() {
    let stage = Stage::new(AT_ONCE).await;
    stage.simulator.inject(Fault::status(524).on(Target::Submit));
    let run = stage.luma(&["generate", "A fox"]).await.exits(5);
    let run = run.complains("(HTTP 524)");
    assert!(!run.stderr.contains("unknown status"), "{run:?}");
}

#[tokio::test]
async fn lost_response_exits_5_and_is_not_submitted_again() {
    let stage = Stage::new(AT_ONCE).await;
    stage.simulator.inject(Fault::reset_after().on(Target::Submit));
    let run = stage.luma(&["--json", "generate", "A fox"]).await.exits(5);
    assert_eq!(run.json()["error"]["kind"], "unconfirmed");
    run.complains("may have been accepted and billed")
        .complains("Do not submit it again before you know")
        .complains(": luma history --since 20")
        .complains("Do not add --find-lost now");
    assert_eq!(stage.submits().len(), 1);
}

#[tokio::test]
async fn find_lost_finds_the_task() {
    let stage = Stage::new(AT_ONCE).await;
    stage.task("Another").await;
    stage.simulator.inject(Fault::reset_after().on(Target::Submit));
    let mut arguments = vec!["generate", "A fox", "--find-lost", "-o", "fox.mp4"];
    arguments.extend(QUICK);
    let run = stage.luma(&arguments).await.exits(0);
    run.complains("searching the history for its task")
        .complains(" was found in the history: the same request, created since");
    assert_eq!(stage.files(), ["fox.mp4"]);
    assert_eq!(stage.submits().len(), 2);
    assert_eq!(stage.billed(), 2);
}

#[tokio::test]
async fn find_lost_without_a_task_says_so() {
    let stage = Stage::new(AT_ONCE).await;
    stage.task("Another").await;
    // Certainly earlier, although times are rounded.
    tokio::time::sleep(Duration::from_secs(3)).await;
    stage.simulator.inject(Fault::html(502).on(Target::Submit));
    // Its absence is no proof: the service may accept it even later.
    let run = stage.luma(&["--json", "generate", "A fox", "--find-lost"]).await.exits(5);
    assert_eq!(run.json()["error"]["kind"], "unconfirmed");
    let run = run
        .complains(
            "may have been accepted and billed; the history does not show its task 40 s later",
        )
        .complains("Do not submit it again before you know");
    assert!(!run.stderr.contains("Nothing was billed"), "{run:?}");
    assert_eq!(stage.submits().len(), 2);
    assert_eq!(stage.billed(), 1);
}

#[tokio::test]
async fn find_lost_without_history_exits_5() {
    let stage = Stage::new(AT_ONCE).await;
    stage.simulator.set_history_supported(false);
    stage.simulator.inject(Fault::reset_after().on(Target::Submit));
    let run = stage.luma(&["--json", "generate", "A fox", "--find-lost"]).await.exits(5);
    assert_eq!(run.json()["error"]["kind"], "unconfirmed");
    let run = run.complains("the service shows no history of the account");
    let run = run.complains(": luma history --since 20");
    assert!(!run.stderr.contains("--find-lost"), "{run:?}");
}

#[tokio::test]
async fn find_lost_whose_search_fails_says_both() {
    let stage = Stage::new(AT_ONCE).await;
    stage.simulator.inject(Fault::html(502).on(Target::Submit));
    stage.simulator.inject(Fault::status(401).on(Target::Lookup).always());
    let run = stage.luma(&["--json", "generate", "A fox", "--find-lost"]).await.exits(5);
    assert_eq!(
        run.json()["error"]["message"],
        "the response to the submit was lost (HTTP 502 Bad Gateway: Gateway error): the video may \
         have been accepted and billed; the search for its task failed: HTTP 401 Unauthorized"
    );
    run.complains("Do not submit it again before you know");
}
