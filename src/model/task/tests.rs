//! Every row of the rules for the state of a task.

use serde_json::json;

use super::*;

const URL: &str = "https://example.com/v.mp4";

fn task(value: &Value) -> Task {
    serde_json::from_str(&value.to_string()).unwrap_or_else(|error| panic!("{value}: {error}"))
}

fn check(report: Value, expected: Outcome) {
    let task = task(&report);
    assert_eq!(task.outcome(), expected, "{report}");
    assert_eq!(task.video().is_some(), expected == Outcome::Completed);
    let failed = matches!(expected, Outcome::Failed(_));
    assert_eq!(task.failure().is_some(), failed, "{report}");
}

/// What a response comes to, in a task that says nothing else.
fn response(response: Value, expected: Outcome) {
    check(json!({ "id": "a", "response": response }), expected);
}

fn unknown(word: &str) -> Outcome {
    Outcome::Unknown(word.to_owned())
}

const REPORTED: Outcome = Outcome::Failed(FailureKind::Reported);
const NO_VIDEO: Outcome = Outcome::Failed(FailureKind::NoVideo);

#[test]
fn response_missing_or_empty_is_pending() {
    for nothing in [
        json!({ "id": "a" }),
        json!({ "id": "a", "response": null }),
        json!({ "id": "a", "response": {} }),
    ] {
        check(nothing.clone(), Outcome::Pending);
        let mut ended = nothing;
        ended["finished_at"] = 1_785_585_600.5.into();
        check(ended, NO_VIDEO);
    }
    // What is no time does not end anything.
    for no_time in [json!(null), json!(0), json!(""), json!("soon"), json!({})] {
        check(json!({ "id": "a", "response": {}, "finished_at": no_time }), Outcome::Pending);
    }
}

#[test]
fn known_word_outranks_every_flag() {
    let words = [
        (
            Outcome::Completed,
            &["completed", "complete", "succeeded", "succeed", "success", "finished"][..],
        ),
        (REPORTED, &["failed", "failure", "error", "cancelled", "canceled", "rejected"]),
        (Outcome::Pending, &["pending", "queued", "submitted"]),
        (Outcome::Processing, &["processing", "running", "dreaming", "in_progress"]),
    ];
    let flags = [json!(null), json!(true), json!(false)];
    let errors = [json!(null), json!("temporary"), json!({ "code": "forbidden" })];
    for (meaning, words) in words {
        for word in words {
            for (flag, error) in flags.iter().flat_map(|f| errors.iter().map(move |e| (f, e))) {
                for url in [None, Some(URL)] {
                    // A known word outranks them all; but there is no completed without a video.
                    let expected = match (&meaning, url) {
                        (Outcome::Completed, None) => NO_VIDEO,
                        (meaning, _) => meaning.clone(),
                    };
                    let said =
                        json!({ "state": word, "success": flag, "error": error, "video_url": url });
                    response(said, expected);
                }
            }
        }
    }
}

#[test]
fn word_in_any_place_and_spelling_is_read() {
    let video = |word: Value| json!({ "state": word, "video_url": URL });
    for word in ["COMPLETED", " Completed\n", "completed"] {
        response(video(word.into()), Outcome::Completed);
    }
    response(json!({ "status": "completed", "video_url": URL }), Outcome::Completed);
    // The first that is a word.
    response(json!({ "state": "processing", "status": "failed" }), Outcome::Processing);
    response(json!({ "state": "", "status": "failed" }), REPORTED);
    response(json!({ "state": null, "status": "failed" }), REPORTED);
    response(json!({ "state": 5, "status": "failed" }), REPORTED);
    for name in ["state", "status"] {
        let mut report = json!({ "id": "a", "response": { "video_url": URL } });
        report[name] = "processing".into();
        check(report.clone(), Outcome::Processing);
        report["response"]["state"] = "completed".into();
        check(report, Outcome::Completed);
    }
    check(
        json!({ "id": "a", "state": "failed", "status": "processing", "response": { "prompt": "p" } }),
        REPORTED,
    );
    // With no response at all it is pending, whatever stands beside it.
    check(json!({ "id": "a", "state": "completed" }), Outcome::Pending);
}

#[test]
fn unknown_word_is_not_terminal() {
    let moderated = || unknown("moderated");
    response(json!({ "state": "moderated" }), moderated());
    response(json!({ "state": " Moderated " }), unknown("Moderated"));
    response(json!({ "state": "moderated", "video_url": URL }), moderated());
    response(json!({ "state": "moderated", "success": true, "video_url": URL }), moderated());
    response(json!({ "state": "moderated", "success": false }), moderated());
    response(json!({ "state": "moderated", "success": false, "error": "temporary" }), moderated());
    response(json!({ "state": "moderated", "error": { "code": "forbidden" } }), moderated());
    response(
        json!({ "state": "moderated", "success": false, "error": { "message": "m" } }),
        moderated(),
    );
}

#[test]
fn unknown_word_of_ended_task_is_terminal() {
    let coded = json!({ "state": "moderated", "success": false, "error": { "code": "forbidden" } });
    response(coded.clone(), REPORTED);
    let mut with_video = coded;
    with_video["video_url"] = URL.into();
    response(with_video, Outcome::Completed);
    for (url, expected) in [(None, REPORTED), (Some(URL), Outcome::Completed)] {
        let said = json!({ "state": "moderated", "video_url": url });
        check(json!({ "id": "a", "finished_at": 5, "response": said }), expected);
    }
}

#[test]
fn report_without_word_is_read_by_flags() {
    for (said, expected) in [
        (json!({ "success": true, "video_url": URL }), Outcome::Completed),
        (json!({ "success": true }), Outcome::Pending),
        (json!({ "success": true, "video_url": " " }), Outcome::Pending),
        (json!({ "success": false, "error": { "code": "forbidden" } }), REPORTED),
        (json!({ "success": false, "error": { "code": "forbidden" }, "video_url": URL }), REPORTED),
        (json!({ "success": false, "error": { "code": "" } }), Outcome::Unsuccessful),
        (json!({ "success": false, "error": { "message": "m" } }), Outcome::Unsuccessful),
        (json!({ "success": false, "error": "temporary" }), Outcome::Unsuccessful),
        (json!({ "success": false, "error": null }), Outcome::Unsuccessful),
        (json!({ "success": false }), Outcome::Unsuccessful),
        (json!({ "error": { "code": "forbidden" } }), Outcome::Pending),
        (json!({ "video_url": URL }), Outcome::Completed),
        (json!({ "video_url": "" }), Outcome::Pending),
        (json!({ "thumbnail_url": "https://example.com/t.jpg" }), Outcome::Pending),
        (
            json!({ "thumbnail_url": "https://example.com/t.jpg", "success": true }),
            Outcome::Pending,
        ),
        (json!({ "task_id": "a", "prompt": "p" }), Outcome::Pending),
        (json!({ "brand_new": 1 }), Outcome::Pending),
    ] {
        response(said, expected);
    }
    for (said, expected) in [
        (json!({ "success": false }), REPORTED),
        (json!({ "success": false, "error": "temporary" }), REPORTED),
        (json!({ "success": true, "video_url": URL }), Outcome::Completed),
        (json!({ "video_url": URL }), Outcome::Completed),
        (json!({ "prompt": "p" }), NO_VIDEO),
    ] {
        let report = json!({ "id": "a", "finished_at": "2026-08-01T12:00:00Z", "response": said });
        check(report, expected);
    }
}

#[test]
fn error_without_response_is_refusal() {
    let error = json!({ "code": "not_found", "message": "No such task." });
    check(json!({ "success": false, "error": error }), Outcome::Refused);
    check(json!({ "error": error, "response": null }), Outcome::Refused);
    check(json!({ "error": error, "response": {} }), Outcome::Refused);
    check(json!({ "id": "a", "error": "no" }), Outcome::Refused);
    check(json!({}), Outcome::Missing);
    for no_error in [json!(null), json!({}), json!(""), json!(false)] {
        check(json!({ "error": no_error }), Outcome::Missing);
        check(json!({ "id": "a", "error": no_error }), Outcome::Pending);
    }
    // Beside a response it is about the work.
    check(json!({ "id": "a", "error": error, "response": { "success": false } }), REPORTED);
}

#[test]
fn response_of_another_type_is_unknown() {
    for (said, shown) in [
        (json!([1, 2]), "a list"),
        (json!("soon"), "soon"),
        (json!("completed"), "completed"),
        (json!(7), "a number"),
        (json!(true), "a boolean"),
    ] {
        response(said.clone(), unknown(shown));
        check(json!({ "id": "a", "finished_at": 5, "response": said }), unknown(shown));
    }
    let long = "x".repeat(10_000);
    let state = task(&json!({ "id": "a", "response": long })).state();
    assert!(state.to_string().len() < 200);
}

#[test]
fn failure_shows_code_message_and_trace_id() {
    let report = task(&json!({
        "id": "a", "trace_id": "outer",
        "response": {
            "state": "failed", "success": false, "trace_id": "inner",
            "error": { "code": "forbidden", "message": "Not\n\u{7}this." },
        },
    }));
    let failure = report.failure().expect("failed");
    assert_eq!(failure.code, Some(ErrorCode::Forbidden));
    assert_eq!(failure.message.as_deref(), Some("Not this."));
    assert_eq!(failure.trace_id.as_deref(), Some("inner"));
    assert_eq!(failure.to_string(), "the task failed: forbidden: Not this. [trace id inner]");
    let ended = task(&json!({ "id": "a", "trace_id": "outer", "finished_at": 5 }));
    assert_eq!(
        ended.failure().expect("failed").to_string(),
        "the task ended without a video [trace id outer]"
    );
}
