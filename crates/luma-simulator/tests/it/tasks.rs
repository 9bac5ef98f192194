//! Submits, lookups, and the life of a task.

use luma_simulator::{Fault, NotFound, TaskScript};
use tokio::time::{Instant, advance};

use super::*;

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn task_is_pending_then_processing_then_completed() {
    let sim = start(JobDuration::Fixed(Duration::from_secs(100))).await;
    let request = json!({ "prompt": "a", "aspect_ratio": "21:9", "async": true, "odd": [1] });
    let (_, answer) = read(submit(&sim, request.clone()).await).await;
    assert_eq!(keys(&answer), ["task_id"], "nothing else is promised");
    let id = answer["task_id"].as_str().unwrap();

    let pending = retrieved(&sim, id).await;
    assert_eq!(pending["response"], json!({}));
    assert_eq!(pending["request"], request, "the submit body as received");
    for absent in ["started_at", "finished_at", "elapsed"] {
        assert!(pending.get(absent).is_none(), "{absent}");
    }
    for present in ["_id", "api_id", "application_id", "credential_id", "user_id", "trace_id"] {
        assert!(pending[present].is_string(), "{present}");
    }

    advance(Duration::from_secs(50)).await;
    let running = retrieved(&sim, id).await;
    assert_eq!(running["response"]["state"], "processing");
    assert_eq!(running["response"]["success"], true);
    assert!(running["started_at"].is_f64() && running.get("finished_at").is_none());

    advance(Duration::from_secs(50)).await;
    let done = retrieved(&sim, id).await;
    assert_eq!(done["elapsed"], 90.0);
    let between = |from: &str, to: &str| done[to].as_f64().unwrap() - done[from].as_f64().unwrap();
    assert!((between("created_at", "started_at") - 10.0).abs() < 0.01);
    assert!((between("created_at", "finished_at") - 100.0).abs() < 0.01);
    let video = &done["response"];
    let mut fields = keys(video);
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "prompt",
            "state",
            "success",
            "task_id",
            "thumbnail_height",
            "thumbnail_url",
            "thumbnail_width",
            "video_height",
            "video_id",
            "video_url",
            "video_width",
        ]
    );
    assert_eq!((&video["video_width"], &video["video_height"]), (&json!(1552), &json!(656)));
    assert_eq!(video["video_url"], json!(sim.video_url(id)));
    assert_eq!(video["thumbnail_url"], json!(sim.thumbnail_url(id)));
    assert_eq!(sim.task(id), Some(done));
}

#[tokio::test(start_paused = true)]
async fn synchronous_submit_is_answered_at_the_end() {
    let sim = start(JobDuration::Fixed(Duration::from_secs(200))).await;
    let before = Instant::now();
    let (status, answer) = read(submit(&sim, json!({ "prompt": "a" })).await).await;
    assert_eq!((status, &answer["state"]), (StatusCode::OK, &json!("completed")));
    assert_eq!(before.elapsed().as_secs(), 200);
    assert_eq!(retrieved(&sim, answer["task_id"].as_str().unwrap()).await["response"], answer);
}

#[tokio::test(start_paused = true)]
async fn synchronous_submit_times_out_and_task_continues() {
    let sim = start(JobDuration::Fixed(Duration::from_secs(400))).await;
    for (request, hold) in
        [(json!({ "prompt": "a" }), 300), (json!({ "prompt": "a", "timeout": 50 }), 50)]
    {
        let before = Instant::now();
        let refused = read(submit(&sim, request).await).await;
        assert_error(&refused, 504, "timeout");
        assert_eq!(before.elapsed().as_secs(), hold);
        let by_trace = json!({ "action": "retrieve", "trace_id": refused.1["trace_id"] });
        let (_, task) = read(lookup(&sim, by_trace).await).await;
        assert_eq!(task["response"]["state"], "processing");
    }
    assert_eq!(sim.stats().submits_accepted, 2);
}

#[tokio::test]
async fn failure_is_the_same_in_submit_and_lookup() {
    let sim = start(AT_ONCE).await;
    for (code, status) in [("forbidden", 403), ("api_error", 500), ("anything", 500)] {
        sim.on_submit(TaskScript::fails(code, "no"));
        let refused = read(submit(&sim, json!({ "prompt": "a" })).await).await;
        assert_error(&refused, status, code);
        let id = refused.1["task_id"].as_str().unwrap();
        let task = retrieved(&sim, id).await;
        assert_eq!(task["response"], refused.1);
        assert!(task["finished_at"].is_f64());
    }
}

#[tokio::test]
async fn script_decides_response() {
    let sim = start(AT_ONCE).await;
    let odd = json!(["not", "an", "object"]);
    let cases = [
        (TaskScript::completes_without_video(), json!("completed"), true),
        (TaskScript::state("moderated"), json!("moderated"), false),
        (TaskScript::state("moderated").finished(true), json!("moderated"), true),
    ];
    for (script, word, finished) in cases {
        sim.on_submit(script);
        let task = retrieved(&sim, &submitted(&sim).await).await;
        assert_eq!(task["response"]["state"], word);
        assert!(task["response"].get("video_url").is_none());
        assert_eq!(task.get("finished_at").is_some(), finished);
    }
    for response in [odd, Value::Null, json!({ "status": "queued" })] {
        sim.on_submit(TaskScript::response(response.clone()));
        assert_eq!(retrieved(&sim, &submitted(&sim).await).await["response"], response);
    }
}

#[tokio::test(start_paused = true)]
async fn script_steps_follow_each_other_for_counted_submits() {
    let sim = start(JobDuration::Fixed(Duration::from_secs(10))).await;
    sim.on_submit(
        TaskScript::state("dreaming")
            .after(Duration::from_secs(1))
            .then(TaskScript::completes())
            .times(2),
    );
    sim.on_submit(TaskScript::fails("api_error", "broken").after(Duration::ZERO).always());
    let tasks = [submitted(&sim).await, submitted(&sim).await, submitted(&sim).await];
    let words = async || {
        let mut words = Vec::new();
        for id in &tasks {
            words.push(retrieved(&sim, id).await["response"]["state"].clone());
        }
        words
    };
    advance(Duration::from_secs(1)).await;
    assert_eq!(words().await, ["dreaming", "dreaming", "failed"]);
    advance(Duration::from_secs(10)).await;
    assert_eq!(words().await, ["completed", "completed", "failed"]);
    sim.clear_scripts();
    let id = submitted(&sim).await;
    assert_eq!(retrieved(&sim, &id).await["response"], json!({}));
}

#[tokio::test]
async fn refused_submit_is_not_accepted() {
    let sim = start(AT_ONCE).await;
    sim.on_submit(TaskScript::refused(402, "used_up", "pay first"));
    sim.on_submit(TaskScript::refused(403, "forbidden", "not this prompt"));
    let request = json!({ "prompt": "a", "async": true });
    assert_error(&read(submit(&sim, json!({})).await).await, 400, "bad_request");
    assert_error(&read(submit(&sim, request.clone()).await).await, 402, "used_up");
    assert_error(&read(submit(&sim, request).await).await, 403, "forbidden");
    submitted(&sim).await;
    let stats = sim.stats();
    assert_eq!((stats.submits_received, stats.submits_accepted), (4, 1));
    assert_eq!(sim.task_count(), 1);
}

#[tokio::test]
async fn invalid_request_is_refused() {
    let sim = start(AT_ONCE).await;
    let many: Vec<String> = (0..51).map(|n| n.to_string()).collect();
    let submits = [
        json!({ "prompt": " " }),
        json!({ "prompt": "a", "action": "make" }),
        json!({ "prompt": "a", "aspect_ratio": "5:4" }),
        json!({ "prompt": "a", "action": "extend" }),
    ];
    let lookups = [
        json!({}),
        json!([]),
        json!({ "action": "generate" }),
        json!({ "action": "retrieve" }),
        json!({ "action": "delete" }),
        json!({ "action": "retrieve_batch", "ids": "one" }),
        json!({ "action": "retrieve_batch", "ids": [1] }),
        json!({ "action": "retrieve_batch", "ids": many }),
    ];
    for request in submits {
        assert_error(&read(submit(&sim, request).await).await, 400, "bad_request");
    }
    for request in lookups {
        assert_error(&read(lookup(&sim, request).await).await, 400, "bad_request");
    }
    for path in ["/luma/videos", "/luma/tasks"] {
        let request = client().post(format!("{}{path}", sim.url())).bearer_auth("any").body("{");
        assert_error(&read(request.send().await.unwrap()).await, 400, "bad_request");
        let request = client().get(format!("{}{path}", sim.url()));
        assert_error(&read(request.send().await.unwrap()).await, 405, "bad_request");
    }
    let nowhere = post(&sim, "/luma/images", &json!({})).send().await.unwrap();
    assert_error(&read(nowhere).await, 404, "not_found");
    assert_eq!(sim.stats().submits_accepted, 0);
}

#[tokio::test]
async fn missing_or_wrong_token_is_refused() {
    let sim = Simulator::builder().token("right").start().await.unwrap();
    let open = start(AT_ONCE).await;
    for path in ["/luma/videos", "/luma/tasks"] {
        let send = async |sim: &Simulator, header: Option<&str>| {
            let mut request = client().post(format!("{}{path}", sim.url())).json(&json!({}));
            if let Some(header) = header {
                request = request.header("authorization", header);
            }
            read(request.send().await.unwrap()).await
        };
        for sim in [&sim, &open] {
            assert_error(&send(sim, None).await, 401, "no_token");
            assert_error(&send(sim, Some("Bearer ")).await, 401, "no_token");
        }
        assert_error(&send(&sim, Some("Bearer wrong")).await, 401, "invalid_token");
        assert_error(&send(&sim, Some("Bearer right")).await, 400, "bad_request");
        assert_error(&send(&open, Some("Bearer wrong")).await, 400, "bad_request");
    }
    assert!(!format!("{:?} {sim:?}", Simulator::builder().token("right")).contains("right"));
}

#[tokio::test]
async fn batch_omits_unknown_ids_and_reorders() {
    let sim = start(AT_ONCE).await;
    let (a, b, c) = (submitted(&sim).await, submitted(&sim).await, submitted(&sim).await);
    let asked = json!({ "action": "retrieve_batch", "ids": [&a, "unknown", &b, &a, &c] });
    let (status, page) = read(lookup(&sim, asked).await).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(page["count"], 3);
    let mut items = ids(&page);
    assert_ne!(items, [&a, &b, &c]);
    items.sort_unstable();
    let mut known = [&*a, &*b, &*c];
    known.sort_unstable();
    assert_eq!(items, known);
    let none = json!({ "action": "retrieve_batch", "ids": [] });
    assert_eq!(read(lookup(&sim, none).await).await.1, json!({ "items": [], "count": 0 }));
    let fifty: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    lookup(&sim, json!({ "action": "retrieve_batch", "ids": fifty })).await;
    assert_eq!(sim.stats().batch_sizes, [5, 0, 50]);
}

#[tokio::test]
async fn history_is_filtered_and_newest_first() {
    let sim = start(AT_ONCE).await;
    let mut tasks = Vec::new();
    for _ in 0..14 {
        tasks.push(submitted(&sim).await);
    }
    tasks.reverse();
    let list = async |extra: Value| {
        let mut request = json!({ "action": "retrieve_batch" });
        request.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        read(lookup(&sim, request).await).await
    };
    assert_eq!(ids(&list(json!({})).await.1), tasks[..12]);
    assert_eq!(ids(&list(json!({ "limit": 3, "offset": 12 })).await.1), tasks[12..]);
    let task = sim.task(&tasks[5]).unwrap();
    let (trace_id, created_at) = (&task["trace_id"], task["created_at"].as_f64().unwrap());
    assert_eq!(ids(&list(json!({ "trace_ids": [trace_id] })).await.1), tasks[5..6]);
    let (_, since) = list(json!({ "limit": 50, "created_at_min": created_at })).await;
    let (_, until) = list(json!({ "limit": 50, "created_at_max": created_at })).await;
    assert!(ids(&since).starts_with(&[&tasks[0]]) && ids(&since).contains(&&*tasks[5]));
    assert!(ids(&until).ends_with(&[&tasks[13]]) && ids(&until).contains(&&*tasks[5]));
    sim.set_history_supported(false);
    assert_error(&list(json!({})).await, 400, "bad_request");
    assert_eq!(sim.stats().batch_sizes, [0_usize; 0], "the history is no batch");
}

#[tokio::test]
async fn unknown_task_gets_configured_answer() {
    let sim = start(AT_ONCE).await;
    let request = json!({ "action": "retrieve", "id": "unknown" });
    let ask = async || read(lookup(&sim, request.clone()).await).await;
    assert_eq!(ask().await, (StatusCode::OK, json!({})));
    sim.set_not_found(NotFound::Null);
    assert_eq!(ask().await, (StatusCode::OK, Value::Null));
    sim.set_not_found(NotFound::Error);
    assert_error(&ask().await, 200, "not_found");
    sim.set_not_found(NotFound::Status404);
    assert_error(&ask().await, 404, "not_found");
}

#[tokio::test]
async fn deleted_task_ends_synchronous_submit() {
    let sim = start(NEVER).await;
    let held = tokio::spawn(post(&sim, "/luma/videos", &json!({ "prompt": "a" })).send());
    eventually("the task", async || sim.task_count() == 1).await;
    let id = sim.tasks()[0]["id"].as_str().unwrap().to_owned();
    let delete = json!({ "action": "delete", "id": id });
    let (_, answer) = read(lookup(&sim, delete.clone()).await).await;
    assert_eq!(answer, json!({ "id": id, "deleted": true }));
    assert_error(&read(held.await.unwrap().unwrap()).await, 404, "not_found");
    assert_eq!(read(lookup(&sim, delete).await).await.1, json!({}));
    assert_eq!(retrieved(&sim, &id).await, json!({}));
    assert_eq!(sim.task_count(), 0);
}

#[tokio::test]
async fn webhook_carries_synchronous_answer() {
    let sim = start(NEVER).await;
    let receiver = start(AT_ONCE).await;
    receiver.inject(Fault::status(200));
    receiver.inject(Fault::status(500));
    let url = format!("{}/done?key=1", receiver.url());
    for delivered in [true, false] {
        let request = json!({ "prompt": "a", "callback_url": url });
        let (_, answer) = read(submit(&sim, request).await).await;
        assert_eq!(keys(&answer), ["task_id"]);
        let id = answer["task_id"].as_str().unwrap();
        assert!(sim.complete(id));
        eventually("the webhook", async || {
            let stats = sim.stats();
            (stats.webhooks_delivered, stats.webhooks_failed) == (1, u64::from(!delivered))
        })
        .await;
        let received = receiver.requests().pop().unwrap();
        assert_eq!((received.method.as_str(), &*received.path), ("POST", "/done"));
        assert_eq!(received.headers["content-type"], "application/json");
        assert!(!received.has_authorization());
        assert_eq!(received.json().unwrap(), sim.task(id).unwrap()["response"]);
    }
    assert_eq!(receiver.stats().other_requests, 2, "none is sent twice");
}

#[tokio::test(start_paused = true)]
async fn lagging_history_lists_task_later() {
    let sim = start(AT_ONCE).await;
    sim.set_history_lag(Duration::from_secs(10));
    let id = submitted(&sim).await;
    let list = async || {
        let request = json!({ "action": "retrieve_batch" });
        read(lookup(&sim, request).await).await.1["count"].clone()
    };
    assert_eq!(list().await, 0);
    assert_eq!(retrieved(&sim, &id).await["id"], id);
    advance(Duration::from_secs(10)).await;
    assert_eq!(list().await, 1);
}

#[tokio::test]
async fn extend_of_unknown_video_is_refused() {
    let sim = Simulator::with_duration(Duration::MAX).await.unwrap();
    let id = submitted(&sim).await;
    let extend = async |video_id: &str| {
        let request = json!({
            "action": "extend", "prompt": "b", "video_id": video_id, "async": true,
        });
        read(submit(&sim, request).await).await
    };
    for video_id in ["unknown", &id] {
        assert_error(&extend(video_id).await, 400, "bad_request");
    }
    sim.complete(&id);
    let video_id = sim.task(&id).unwrap()["response"]["video_id"].clone();
    let (status, answer) = extend(video_id.as_str().unwrap()).await;
    assert_eq!(status, 200, "{answer}");
    let refused = extend(&id).await;
    let message = refused.1["error"]["message"].as_str().unwrap();
    assert!(message.contains("id of a task"), "{message}");
    assert_eq!(sim.stats().submits_accepted, 2);
}

#[tokio::test]
async fn foreign_host_is_refused() {
    let sim = start(AT_ONCE).await;
    for (host, status) in [("localhost", 200), ("127.0.0.1:1", 200), ("example.com", 403)] {
        let request = json!({ "prompt": "a", "async": true });
        let request = post(&sim, "/luma/videos", &request).header("host", host);
        let response = read(request.send().await.unwrap()).await;
        assert_eq!(response.0, status, "{host}: {}", response.1);
        if status == 403 {
            assert_error(&response, 403, "forbidden");
        }
    }
    assert_eq!(sim.stats().submits_accepted, 2);
}
