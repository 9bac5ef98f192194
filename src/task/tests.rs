//! Every row of the rules for the state of a task.

use serde_json::{Value, json};

use super::*;

const URL: &str = "https://example.com/v.mp4";

fn task(value: &Value) -> Task {
    serde_json::from_str(&value.to_string()).unwrap_or_else(|error| panic!("{value}: {error}"))
}

fn check(report: Value, expected: Verdict) {
    let task = task(&report);
    assert_eq!(task.verdict(), expected, "{report}");
    assert_eq!(task.video().is_some(), expected == Verdict::Completed);
    let failed = matches!(expected, Verdict::Failed(_));
    assert_eq!(task.failure().is_some(), failed, "{report}");
}

/// What a response comes to, in a task that says nothing else.
fn response(response: Value, expected: Verdict) {
    check(json!({ "id": "a", "response": response }), expected);
}

fn unknown(word: &str) -> Verdict {
    Verdict::Unknown(word.to_owned())
}

const REPORTED: Verdict = Verdict::Failed(FailureKind::Reported);
const NO_VIDEO: Verdict = Verdict::Failed(FailureKind::NoVideo);

#[test]
fn no_response_yet() {
    for nothing in [
        json!({ "id": "a" }),
        json!({ "id": "a", "response": null }),
        json!({ "id": "a", "response": {} }),
    ] {
        check(nothing.clone(), Verdict::Pending);
        let mut ended = nothing;
        ended["finished_at"] = 1_785_585_600.5.into();
        check(ended, NO_VIDEO);
    }
    // What is no time does not end anything.
    for no_time in [json!(null), json!(0), json!(""), json!("soon"), json!({})] {
        check(
            json!({ "id": "a", "response": {}, "finished_at": no_time }),
            Verdict::Pending,
        );
    }
}

#[test]
fn every_word_with_every_flag() {
    let words = [
        (
            Verdict::Completed,
            &[
                "completed",
                "complete",
                "succeeded",
                "succeed",
                "success",
                "finished",
            ][..],
        ),
        (
            REPORTED,
            &[
                "failed",
                "failure",
                "error",
                "cancelled",
                "canceled",
                "rejected",
            ],
        ),
        (Verdict::Pending, &["pending", "queued", "submitted"]),
        (
            Verdict::Processing,
            &["processing", "running", "dreaming", "in_progress"],
        ),
    ];
    let flags = [json!(null), json!(true), json!(false)];
    let errors = [
        json!(null),
        json!("temporary"),
        json!({ "code": "forbidden" }),
    ];
    for (meaning, words) in words {
        for word in words {
            for (flag, error) in flags
                .iter()
                .flat_map(|f| errors.iter().map(move |e| (f, e)))
            {
                for url in [None, Some(URL)] {
                    // A known word outranks them all; but there is no completed without a video.
                    let expected = match (&meaning, url) {
                        (Verdict::Completed, None) => NO_VIDEO,
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
fn where_a_word_stands_and_how_it_is_spelt() {
    let video = |word: Value| json!({ "state": word, "video_url": URL });
    for word in ["COMPLETED", " Completed\n", "completed"] {
        response(video(word.into()), Verdict::Completed);
    }
    response(
        json!({ "status": "completed", "video_url": URL }),
        Verdict::Completed,
    );
    // The first that is a word.
    response(
        json!({ "state": "processing", "status": "failed" }),
        Verdict::Processing,
    );
    response(json!({ "state": "", "status": "failed" }), REPORTED);
    response(json!({ "state": null, "status": "failed" }), REPORTED);
    response(json!({ "state": 5, "status": "failed" }), REPORTED);
    for name in ["state", "status"] {
        let mut report = json!({ "id": "a", "response": { "video_url": URL } });
        report[name] = "processing".into();
        check(report.clone(), Verdict::Processing);
        report["response"]["state"] = "completed".into();
        check(report, Verdict::Completed);
    }
    check(
        json!({ "id": "a", "state": "failed", "status": "processing", "response": { "prompt": "p" } }),
        REPORTED,
    );
    // With no response at all it is pending, whatever stands beside it.
    check(json!({ "id": "a", "state": "completed" }), Verdict::Pending);
}

#[test]
fn an_unknown_word_ends_nothing() {
    let moderated = || unknown("moderated");
    response(json!({ "state": "moderated" }), moderated());
    response(json!({ "state": " Moderated " }), unknown("Moderated"));
    response(
        json!({ "state": "moderated", "video_url": URL }),
        moderated(),
    );
    response(
        json!({ "state": "moderated", "success": true, "video_url": URL }),
        moderated(),
    );
    response(
        json!({ "state": "moderated", "success": false }),
        moderated(),
    );
    response(
        json!({ "state": "moderated", "success": false, "error": "temporary" }),
        moderated(),
    );
    response(
        json!({ "state": "moderated", "error": { "code": "forbidden" } }),
        moderated(),
    );
    response(
        json!({ "state": "moderated", "success": false, "error": { "message": "m" } }),
        moderated(),
    );
}

#[test]
fn an_unknown_word_of_a_task_that_says_it_has_ended() {
    let coded = json!({ "state": "moderated", "success": false, "error": { "code": "forbidden" } });
    response(coded.clone(), REPORTED);
    let mut with_video = coded;
    with_video["video_url"] = URL.into();
    response(with_video, Verdict::Completed);
    for (url, expected) in [(None, REPORTED), (Some(URL), Verdict::Completed)] {
        let said = json!({ "state": "moderated", "video_url": url });
        check(
            json!({ "id": "a", "finished_at": 5, "response": said }),
            expected,
        );
    }
}

#[test]
fn without_a_word() {
    for (said, expected) in [
        (
            json!({ "success": true, "video_url": URL }),
            Verdict::Completed,
        ),
        (json!({ "success": true }), Verdict::Pending),
        (
            json!({ "success": true, "video_url": " " }),
            Verdict::Pending,
        ),
        (
            json!({ "success": false, "error": { "code": "forbidden" } }),
            REPORTED,
        ),
        (
            json!({ "success": false, "error": { "code": "forbidden" }, "video_url": URL }),
            REPORTED,
        ),
        (
            json!({ "success": false, "error": { "code": "" } }),
            Verdict::Pending,
        ),
        (
            json!({ "success": false, "error": { "message": "m" } }),
            Verdict::Pending,
        ),
        (
            json!({ "success": false, "error": "temporary" }),
            Verdict::Pending,
        ),
        (json!({ "success": false, "error": null }), Verdict::Pending),
        (json!({ "success": false }), Verdict::Pending),
        (
            json!({ "error": { "code": "forbidden" } }),
            Verdict::Pending,
        ),
        (json!({ "video_url": URL }), Verdict::Completed),
        (json!({ "video_url": "" }), Verdict::Pending),
        (
            json!({ "thumbnail_url": "https://example.com/t.jpg" }),
            Verdict::Pending,
        ),
        (
            json!({ "thumbnail_url": "https://example.com/t.jpg", "success": true }),
            Verdict::Pending,
        ),
        (json!({ "task_id": "a", "prompt": "p" }), Verdict::Pending),
        (json!({ "brand_new": 1 }), Verdict::Pending),
    ] {
        response(said, expected);
    }
    for (said, expected) in [
        (json!({ "success": false }), REPORTED),
        (json!({ "success": false, "error": "temporary" }), REPORTED),
        (
            json!({ "success": true, "video_url": URL }),
            Verdict::Completed,
        ),
        (json!({ "video_url": URL }), Verdict::Completed),
        (json!({ "prompt": "p" }), NO_VIDEO),
    ] {
        let report = json!({ "id": "a", "finished_at": "2026-08-01T12:00:00Z", "response": said });
        check(report, expected);
    }
}

#[test]
fn an_error_in_place_of_a_task() {
    let error = json!({ "code": "not_found", "message": "No such task." });
    check(
        json!({ "success": false, "error": error }),
        Verdict::Refused,
    );
    check(
        json!({ "error": error, "response": null }),
        Verdict::Refused,
    );
    check(json!({ "error": error, "response": {} }), Verdict::Refused);
    check(json!({ "id": "a", "error": "no" }), Verdict::Refused);
    check(json!({}), Verdict::Missing);
    for no_error in [json!(null), json!({}), json!(""), json!(false)] {
        check(json!({ "error": no_error }), Verdict::Missing);
        check(json!({ "id": "a", "error": no_error }), Verdict::Pending);
    }
    // Beside a response it is about the work.
    check(
        json!({ "id": "a", "error": error, "response": { "success": false } }),
        REPORTED,
    );
}

#[test]
fn a_response_of_another_type_ends_nothing() {
    for (said, shown) in [
        (json!([1, 2]), "a list"),
        (json!("soon"), "soon"),
        (json!("completed"), "completed"),
        (json!(7), "a number"),
        (json!(true), "a boolean"),
    ] {
        response(said.clone(), unknown(shown));
        check(
            json!({ "id": "a", "finished_at": 5, "response": said }),
            unknown(shown),
        );
    }
    let long = "x".repeat(10_000);
    let state = task(&json!({ "id": "a", "response": long })).state();
    assert!(state.to_string().len() < 200);
}

#[test]
fn why_it_failed() {
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
    assert_eq!(
        failure.to_string(),
        "the task failed: forbidden: Not this. [trace id inner]"
    );
    let ended = task(&json!({ "id": "a", "trace_id": "outer", "finished_at": 5 }));
    assert_eq!(
        ended.failure().expect("failed").to_string(),
        "the task ended without a video [trace id outer]"
    );
}
