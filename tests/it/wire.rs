//! Bodies that are almost what they should be: a paid id is read whatever stands beside it, and a body
//! that was cut is never taken for a whole one.

use std::{io::Write, time::Duration};

use flate2::{Compression, write::GzEncoder};
use futures::{StreamExt, TryStreamExt};
use luma_client::{RequestError, Task, TaskState, webhook};
use luma_simulator::{Fault, Target};
use serde_json::json;

use crate::support::{ATTEMPTS, builder, end, id, retry, start};

/// Fields that a strict parser refuses, or reads as another type than the documented one.
fn odd_fields() -> Vec<(&'static str, Vec<u8>)> {
    let deep = format!(r#""x":{}1{}"#, r#"{"a":["#.repeat(5_000), "]}".repeat(5_000));
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("nothing odd", text(r#""x":1"#)),
        ("lone surrogate", text(r#""prompt":"cut \ud83d""#)),
        ("surrogates swapped", text(r#""prompt":"\udd8a\ud83e""#)),
        ("NaN", text(r#""elapsed":NaN,"video_width":NaN"#)),
        ("infinity", text(r#""elapsed":-Infinity"#)),
        ("overflow", text(r#""elapsed":1e999,"video_height":-1e999"#)),
        ("raw newline", text("\"prompt\":\"one\ntwo\r\n\"")),
        ("raw tab and controls", text("\"prompt\":\"one\ttwo\u{0}\u{1b}\"")),
        ("cut UTF-8", b"\"prompt\":\"cut \xf0\x9f\x98\"".to_vec()),
        ("Latin-1", b"\"prompt\":\"caf\xe9\"".to_vec()),
        ("bad escape", text(r#""prompt":"a\qb\x41""#)),
        ("deep nesting", deep.into_bytes()),
        ("other types", text(r#""trace_id":7,"prompt":[],"success":"yes","video_width":"wide""#)),
        ("a word for a time", text(r#""created_at":"soon","elapsed":{}"#)),
    ]
}

/// An object of these fields, with the odd ones in the middle.
fn object(before: &str, odd: &[u8], after: &str) -> Vec<u8> {
    [b"{", before.as_bytes(), b",", odd, b",", after.as_bytes(), b"}"].concat()
}

/// A finished task, odd in itself and in its response.
fn task(odd: &[u8]) -> Vec<u8> {
    let response = object(r#""state":"completed""#, odd, r#""video_url":"https://h/v.mp4""#);
    [br#"{"id":"a","#, odd, br#","response":"#, &response, b"}"].concat()
}

fn answer(body: impl Into<Vec<u8>>) -> Fault {
    Fault::replace_body(200, "application/json", body.into())
}

fn assert_completed(task: &Task, case: &str) {
    assert_eq!(task.id.as_deref(), Some("a"), "{case}");
    assert_eq!(task.state(), TaskState::Completed, "{case}");
    let video = task.video().expect(case);
    assert_eq!(video.url(), "https://h/v.mp4", "{case}");
}

#[tokio::test]
async fn odd_field_costs_no_more_than_itself() {
    let (simulator, luma) = start().await;
    for (case, odd) in odd_fields() {
        for mark in [&b""[..], b"\xef\xbb\xbf"] {
            let before = simulator.stats();
            let marked = |body: Vec<u8>| answer([mark, &body].concat());
            let submitted = object(r#""success":true"#, &odd, r#""task_id":"a""#);
            simulator.inject(marked(submitted.clone()));
            let task_handle = luma.generate("A fox").submit().await.expect(case);
            assert_eq!(task_handle.id().as_str(), "a", "{case}");

            simulator.inject(marked(task(&odd)));
            assert_completed(&task_handle.get().await.expect(case), case);

            for batch in [true, false] {
                let page = [b"{\"items\":[", &task(&odd)[..], b"],", &odd, b"}"].concat();
                simulator.inject(marked(page));
                match batch {
                    true => {
                        let mut tasks = luma.tasks(&[id("a")]).await.expect(case);
                        assert_completed(&tasks.remove(0).1.expect(case), case);
                    }
                    false => {
                        let first = luma.history().try_next().await.expect(case);
                        assert_completed(&first.expect(case), case);
                    }
                }
            }
            let after = simulator.stats();
            assert_eq!(after.submits_received, before.submits_received + 1, "{case}");
            assert_eq!(after.lookups, before.lookups + 3, "{case}");

            let callback = object(
                r#""state":"completed","task_id":"a""#,
                &odd,
                r#""video_url":"https://h/v.mp4""#,
            );
            let callback = [mark, &callback].concat();
            // Deep nesting is more than a callback may have.
            if callback.len() <= webhook::MAX_BYTES {
                assert_completed(&webhook::parse(&callback).expect(case), case);
            }
        }
    }
}

/// However odd its fields are: a body that was cut has lost something.
#[tokio::test]
async fn cut_body_is_not_taken_for_a_whole_one() {
    let (simulator, luma) = start().await;
    for (case, odd) in odd_fields() {
        let submitted = object(r#""success":true"#, &odd, r#""task_id":"a""#);
        let looked_up = task(&odd);
        for cut in [1, 2, 12, looked_up.len() / 2, looked_up.len()] {
            let part = |body: &[u8]| body[..body.len().saturating_sub(cut)].to_vec();
            let before = simulator.stats();
            simulator.inject(answer(part(&submitted)).on(Target::Submit).accepting(true));
            let submit = luma.generate("A fox").submit().await;
            assert_eq!(end(&submit), "unconfirmed: unreadable", "{case}, {cut}");
            simulator.inject(answer(part(&looked_up)).on(Target::Lookup).always());
            let lookup = luma.task(id("a")).get().await;
            assert_eq!(end(&lookup), "unreadable", "{case}, {cut}");
            simulator.clear_faults();
            let after = simulator.stats();
            assert_eq!(after.submits_received, before.submits_received + 1, "{case}, {cut}");
            assert_eq!(after.lookups, before.lookups + u64::from(ATTEMPTS), "{case}, {cut}");
            let callback = part(&submitted);
            assert!(webhook::parse(&callback).is_err(), "{case}, {cut}");
        }
    }
}

#[tokio::test]
async fn unasked_gzip_is_decoded() {
    let (simulator, luma) = start().await;
    simulator.inject(Fault::gzip().on(Target::Submit));
    simulator.inject(Fault::gzip().on(Target::Lookup).always());
    let task = luma.generate("A fox").submit().await.expect("accepted");
    assert_eq!(task.get().await.expect("a task").state(), TaskState::Completed);
    let tasks = luma.tasks(&[task.id().clone()]).await.expect("tasks");
    assert!(tasks[0].1.is_ok());
    let history: Vec<_> = luma.history().try_collect().await.expect("a history");
    assert_eq!(history.len(), 1);
    assert_eq!(simulator.stats().submits_received, 1);
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}

/// 100 MB of body in 100 kB of gzip count with what they hold; a cut one is cut.
#[tokio::test]
async fn gzip_is_bounded_by_its_content() {
    let (simulator, luma) = start().await;
    let body = format!(r#"{{"task_id":"a","id":"a","x":"{}"}}"#, " ".repeat(100_000_000));
    let large = gzip(body.as_bytes());
    let whole = gzip(br#"{"task_id":"a","id":"a"}"#);
    let cut = whole[..whole.len() - 12].to_vec();
    for (case, status, body, submitted, looked_up) in [
        ("whole", 200, whole, "ok", "ok"),
        ("large", 200, large.clone(), "unconfirmed: unreadable", "unreadable"),
        ("large error", 400, large, "HTTP 400", "HTTP 400"),
        ("cut", 200, cut, "unconfirmed: unreadable", "unreadable"),
        ("not gzip", 200, b"{\"task_id\":\"a\",\"id\":\"a\"}".to_vec(), "ok", "ok"),
    ] {
        let fault = Fault::status(status).header("content-encoding", "gzip").body(body);
        simulator.inject(fault.always());
        assert_eq!(end(&luma.generate("A fox").submit().await), submitted, "{case}");
        assert_eq!(end(&luma.task(id("a")).get().await), looked_up, "{case}");
        simulator.clear_faults();
    }
}

/// What cannot be decoded is named, and an error keeps its status.
#[tokio::test]
async fn unasked_compression_is_named() {
    let (simulator, luma) = start().await;
    for encoding in ["br", "zstd", "compress"] {
        let fault = |status| {
            let fault = Fault::status(status).body(&b"\x28\xb5\x2f\xfd\x04"[..]);
            fault.header("content-encoding", encoding)
        };
        simulator.inject(fault(200).on(Target::Submit).accepting(true));
        let error = luma.generate("A fox").submit().await.expect_err("unreadable");
        assert!(error.may_have_been_accepted());
        let source = std::error::Error::source(&error).expect("a source").to_string();
        let named = format!("it is compressed ({encoding}), which was not asked for");
        assert!(source.ends_with(&named), "{source}");
        simulator.inject(fault(400));
        let error = luma.task(id("a")).get().await.expect_err("an error");
        let shown = error.to_string();
        assert_eq!(end::<(), _>(&Err(error)), "HTTP 400");
        assert!(shown.contains(&format!("a body that is compressed ({encoding})")), "{shown}");
    }
    for request in simulator.requests() {
        assert_eq!(request.headers["accept-encoding"], "identity");
    }
}

/// A UUID is the same in upper and lower case, and the caller's spelling stays.
#[tokio::test]
async fn id_of_other_case_is_the_same_task() {
    let (simulator, luma) = start().await;
    for (asked, said) in [("ab-CD", "AB-cd"), ("AB-CD", "ab-cd"), ("ab-cd", "AB-CD")] {
        let task = json!({ "id": said, "response": { "state": "processing" } });
        simulator.inject(Fault::status(200).json(task.clone()));
        let lookup = luma.task(id(asked)).get().await.expect("the task");
        assert_eq!(lookup.id.as_deref(), Some(asked));
        simulator.inject(Fault::status(200).json(json!({ "items": [task], "count": 1 })));
        let mut tasks = luma.tasks(&[id(asked)]).await.expect("tasks");
        let (got, task) = tasks.remove(0);
        assert_eq!((got.as_str(), task.expect("the task").id.as_deref()), (asked, Some(asked)));
    }
    // The report of another task is not an answer.
    simulator.inject(Fault::status(200).json(json!({ "id": "other" })));
    assert_eq!(end(&luma.task(id("ab-cd")).get().await), "unreadable");
}

/// Seconds, milliseconds, text: the same moment.
#[tokio::test]
async fn time_of_each_form_is_the_same_moment() {
    let (simulator, luma) = start().await;
    let at = std::time::UNIX_EPOCH + Duration::from_secs(1_785_585_600);
    for time in [
        json!(1_785_585_600),
        json!(1_785_585_600.0),
        json!(1_785_585_600_000_u64),
        json!(1_785_585_600_000.0),
        json!("1785585600"),
        json!("2026-08-01T12:00:00Z"),
        json!("2026-08-01T14:00:00.000+02:00"),
    ] {
        let response = json!({ "state": "completed", "video_url": "u" });
        let task =
            json!({ "id": "a", "created_at": time, "finished_at": time, "response": response });
        simulator.inject(Fault::status(200).json(task));
        let task = luma.task(id("a")).get().await.expect("a task");
        assert_eq!(task.video().expect("a video").finished_at(), Some(at), "{time}");
        let created = task.created_at.and_then(|created| created.to_system_time());
        assert_eq!(created, Some(at), "{time}");
    }
}

/// One id that the service refuses, or does not know, costs that id.
#[tokio::test]
async fn tasks_with_one_bad_id_gives_the_others() {
    let (simulator, _) = start().await;
    let luma = builder(simulator.url()).retry(retry().max_attempts(1)).build().expect("a client");
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(luma.generate("A fox").submit().await.expect("accepted").id().clone());
    }
    let bad = id("no-such-task");
    let asked = [ids[2].clone(), bad.clone(), ids[0].clone(), ids[2].clone(), ids[1].clone()];
    let expected = [(&ids[2], "ok"), (&bad, "not found"), (&ids[0], "ok"), (&ids[1], "ok")];
    // Unknown, then refused as a batch.
    for fault in
        [None, Some(Fault::status(400)), Some(Fault::status(403)), Some(Fault::status(500))]
    {
        if let Some(fault) = fault.clone() {
            simulator.inject(fault.on(Target::Lookup));
        }
        let tasks = luma.tasks(&asked).await.expect("tasks");
        let got: Vec<_> = tasks.iter().map(|(id, task)| (id, end(task))).collect();
        let expected: Vec<_> = expected.iter().map(|(id, end)| (*id, end.to_string())).collect();
        assert_eq!(got, expected, "{fault:?}");
    }
    assert!(luma.tasks(&[]).await.expect("nothing").is_empty());
}

/// What is no task in a list is an item with its error, and costs no other.
#[tokio::test]
async fn history_with_bad_items_gives_the_others() {
    let (simulator, luma) = start().await;
    let good = |id: &str| json!({ "id": id, "response": { "state": "processing" } });
    let refused = json!({ "error": { "code": "not_found", "message": "No such task." } });
    let items = json!([good("a"), null, "odd", [1], {}, refused, good("b")]);
    simulator.inject(answer(json!({ "items": items, "count": 7 }).to_string()));
    simulator.inject(answer(r#"{"items":[],"count":0}"#));
    let tasks: Vec<_> = luma.history().collect().await;
    let got: Vec<_> = tasks.iter().map(end).collect();
    let bad = "unreadable";
    assert_eq!(got, ["ok", bad, bad, bad, bad, bad, "ok"]);
    for (place, reason, quoted) in [
        (1, "an item of it is not a task", "null"),
        (2, "an item of it is not a task", "odd"),
        (5, "an item of it is an error: not_found (HTTP 200): No such task.", "not_found"),
    ] {
        let Err(RequestError::Decode(error)) = &tasks[place] else {
            panic!("{:?}", tasks[place]);
        };
        assert!(error.is_item());
        let error = error.to_string();
        assert!(error.contains(reason) && error.contains(quoted), "{error}");
    }
    // A request that fails ends it.
    simulator.inject(answer(json!({ "items": [good("a")], "count": 1 }).to_string()));
    simulator.inject(Fault::status(400).always());
    let got: Vec<_> = luma.history().map(|task| end(&task)).collect().await;
    assert_eq!(got, ["ok", "HTTP 400"]);
}

/// One task that is larger than the limit of a response costs that task.
#[tokio::test]
async fn history_with_a_huge_item_gives_the_others() {
    let (simulator, _) = start().await;
    let luma = builder(simulator.url()).max_response_bytes(100_000).build().expect("a client");
    for number in 0..12 {
        let size = if number == 4 || number == 11 { 200_000 } else { 10 };
        luma.generate("x".repeat(size)).submit().await.expect("accepted");
    }
    let got: Vec<_> = luma.history().map(|task| end(&task)).collect().await;
    let expected =
        (0..12).rev().map(|number| if number == 4 || number == 11 { "unreadable" } else { "ok" });
    assert_eq!(got, expected.collect::<Vec<_>>());

    // A service that sends no page that fits does not keep it going.
    simulator.inject(answer("x".repeat(100_001)).always());
    let got: Vec<_> = luma.history().map(|task| end(&task)).collect().await;
    assert_eq!(got, ["unreadable"; 5]);
}
