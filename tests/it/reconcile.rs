//! A submit whose response was lost: what the account's history says of it.
//!
//! Certainty comes only from evidence: never `NotFound` while a task may still be the lost one.

use std::{
    collections::HashSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures::TryStreamExt;
use luma_client::{
    InconclusiveReason, Luma, Reconciliation, RequestError, RetryPolicy, Submission, SubmitError,
};
use luma_simulator::{Fault, NotFound, Simulator, Target};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::{TOKEN, client, end, eventually, id, start};

const PROMPT: &str = "A café by the sea";
const MINUTE: f64 = 60.0;

/// Submits into a fault that leaves it unconfirmed.
async fn lose(simulator: &Simulator, luma: &Luma, fault: Fault) -> Submission {
    simulator.inject(fault.on(Target::Submit));
    let error = luma.generate(PROMPT).submit().await.expect_err("lost");
    assert!(error.may_have_been_accepted() && !error.is_retryable(), "{error}");
    let SubmitError::Unconfirmed { submission, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(submission.request().prompt.as_deref(), Some(PROMPT));
    *submission
}

/// Searches once.
async fn reconcile(luma: &Luma, submission: &Submission) -> Reconciliation {
    let search = luma.reconcile(submission).settle(Duration::ZERO);
    search.await.expect("a history")
}

/// A search in a few words: its task, or the tasks that it names.
fn name(result: &Reconciliation) -> String {
    let listed = |ids: &[luma_client::TaskId]| {
        let ids: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
        ids.join(" ")
    };
    match result {
        Reconciliation::Found(task) => format!("found {}", task.id()),
        Reconciliation::NotFound { .. } => "not found".to_owned(),
        Reconciliation::Inconclusive(reason) => match reason {
            InconclusiveReason::NoHistory => "no history".to_owned(),
            InconclusiveReason::TooLong => "too long".to_owned(),
            InconclusiveReason::Ambiguous(ids) => format!("ambiguous {}", listed(ids)),
            InconclusiveReason::Unexplained(ids) => format!("unexplained {}", listed(ids)),
            other => format!("{other:?}"),
        },
        other => format!("{other:?}"),
    }
}

fn newest(simulator: &Simulator) -> String {
    let task = simulator.tasks().pop().expect("a task");
    task["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn accepted_submit_is_found_each_time() {
    let (simulator, luma) = start().await;
    let submission = lose(&simulator, &luma, Fault::reset_after()).await;
    for _ in 0..3 {
        let Reconciliation::Found(task) = reconcile(&luma, &submission).await else {
            panic!("not found");
        };
        assert_eq!(task.id().as_str(), newest(&simulator));
        assert_eq!(task.to_ref().submitted_at, Some(submission.created_at()));
        let video = task.get().await.expect("a task").video().expect("a video");
        assert_eq!(video.prompt(), Some(PROMPT));
    }
    assert_eq!(simulator.stats().submits_received, 1);
}

#[tokio::test]
async fn submit_that_was_not_accepted_is_not_found() {
    let (simulator, luma) = start().await;
    luma.generate("Something else").submit().await.expect("accepted");
    let submission = lose(&simulator, &luma, Fault::reset_before()).await;
    assert_eq!(name(&reconcile(&luma, &submission).await), "not found");
    assert_eq!(simulator.stats().submits_received, 2);
}

/// The response is lost at once. The service accepts the request a second later, or shows it a second
/// later, or both: the search that settles for longer finds it, and one that is told to be hasty does
/// not claim more than it has seen.
#[tokio::test(start_paused = true)]
async fn task_that_appears_late_is_found() {
    let second = Duration::from_secs(1);
    for (accepted_after, lag) in
        [(2 * second, Duration::ZERO), (Duration::ZERO, 2 * second), (second, second)]
    {
        let (simulator, luma) = start().await;
        luma.generate("Something else").submit().await.expect("accepted");
        sleep(3 * second).await;
        simulator.set_history_lag(lag);
        let fault = match accepted_after {
            Duration::ZERO => Fault::html(504).accepting(true),
            after => Fault::html(504).accepting_after(after),
        };
        let submission = lose(&simulator, &luma, fault).await;
        let begin = Instant::now();
        let result = luma.reconcile(&submission).await.expect("a history");
        assert_eq!(name(&result), format!("found {}", newest(&simulator)));
        assert!(begin.elapsed() < 40 * second, "{:?}", begin.elapsed());
        assert_eq!(simulator.stats().submits_accepted, 2);
        assert_eq!(simulator.stats().submits_received, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn search_looks_until_the_history_has_settled() {
    let (simulator, luma) = start().await;
    luma.generate("Something else").submit().await.expect("accepted");
    let submission = lose(&simulator, &luma, Fault::reset_before()).await;
    let luma = luma.with_timeout(Duration::from_secs(30));
    for (settle, seconds) in [(None, 40), (Some(100), 100), (Some(0), 0)] {
        let begin = Instant::now();
        let mut search = luma.reconcile(&submission);
        if let Some(settle) = settle {
            search = search.settle(Duration::from_secs(settle));
        }
        let Reconciliation::NotFound { searched } = search.await.expect("a history") else {
            panic!("{settle:?}");
        };
        let settle = Duration::from_secs(seconds);
        assert!(searched >= settle && begin.elapsed() >= settle, "{searched:?}");
        assert!(begin.elapsed() < settle + Duration::from_secs(10), "{settle:?}");
    }
}

/// An account without any task looks like a service without any history.
#[tokio::test]
async fn service_without_history_is_inconclusive() {
    let (simulator, luma) = start().await;
    let submission = lose(&simulator, &luma, Fault::reset_before()).await;
    assert_eq!(name(&reconcile(&luma, &submission).await), "no history");
    for body in ["{}", "null", r#"{"data":[]}"#, r#"{"items":null}"#] {
        let fault = Fault::replace_body(200, "application/json", body);
        simulator.inject(fault.on(Target::Lookup));
        assert_eq!(name(&reconcile(&luma, &submission).await), "no history", "{body}");
    }
    simulator.set_history_supported(false);
    let submission = lose(&simulator, &luma, Fault::reset_after()).await;
    assert_eq!(name(&reconcile(&luma, &submission).await), "no history");
    assert_eq!(simulator.stats().submits_received, 2);
}

#[tokio::test]
async fn search_that_fails_can_be_repeated() {
    let (simulator, luma) = start().await;
    let submission = lose(&simulator, &luma, Fault::reset_after()).await;
    for fault in [
        Fault::status(429),
        Fault::status(502),
        Fault::status(401),
        Fault::redirect(302, "http://127.0.0.1:1/"),
        Fault::reset_before(),
    ] {
        simulator.inject(fault.clone().on(Target::Lookup).always());
        let search = luma.reconcile(&submission).settle(Duration::ZERO).await;
        assert!(search.is_err(), "{fault:?}: {search:?}");
        simulator.clear_faults();
    }
    assert!(matches!(reconcile(&luma, &submission).await, Reconciliation::Found(_)));
    assert_eq!(simulator.stats().submits_received, 1);
}

/// Tasks that this client knows to be those of other submissions are no candidates.
#[tokio::test]
async fn equal_submits_of_the_same_client_are_told_apart() {
    let (simulator, luma) = start().await;
    let first = luma.generate(PROMPT).submit().await.expect("accepted");
    let refused = lose(&simulator, &luma, Fault::reset_before()).await;
    assert_eq!(name(&reconcile(&luma, &refused).await), "not found");
    let accepted = lose(&simulator, &luma, Fault::reset_after()).await;
    let found = format!("found {}", newest(&simulator));
    assert_ne!(first.id().as_str(), newest(&simulator));
    // Two searches, one task: it is found for one of the two.
    let (one, other) = tokio::join!(reconcile(&luma, &refused), reconcile(&luma, &accepted));
    let names = [name(&one), name(&other)];
    assert_eq!(names.iter().filter(|name| **name == found).count(), 1, "{names:?}");
    assert_eq!(simulator.stats().submits_received, 3);
}

#[tokio::test]
async fn equal_submit_of_another_client_is_ambiguous() {
    let (simulator, luma) = start().await;
    let submission = lose(&simulator, &luma, Fault::reset_after()).await;
    let ours = newest(&simulator);
    let stranger = client(simulator.url());
    let other = stranger.generate(PROMPT).submit().await.expect("accepted");
    let result = reconcile(&luma, &submission).await;
    assert_eq!(name(&result), format!("ambiguous {} {ours}", other.id()));
    assert_eq!(simulator.stats().submits_received, 2);
}

/// A submit is lost and was not accepted; an equal one of the same client is still in flight.
#[tokio::test]
async fn task_of_submit_in_flight_is_left_to_it() {
    let (simulator, luma) = start().await;
    luma.generate("Something else").submit().await.expect("accepted");
    let submission = lose(&simulator, &luma, Fault::html(502)).await;
    simulator.inject(Fault::slow(Duration::from_secs(1)).on(Target::Submit));
    let equal = tokio::spawn(luma.generate(PROMPT).submit());
    eventually("the other submit", || simulator.stats().submits_accepted == 2).await;
    assert_eq!(name(&reconcile(&luma, &submission).await), "not found");
    equal.await.expect("no panic").expect("accepted");
}

/// A response of an error that left the outcome open: its trace id names the task, however many equal
/// ones there are.
#[tokio::test]
async fn trace_id_of_the_error_decides() {
    let (simulator, luma) = start().await;
    let stranger = client(simulator.url());
    for _ in 0..2 {
        stranger.generate(PROMPT).submit().await.expect("accepted");
    }
    let task = simulator.tasks()[0].clone();
    let body = json!({ "error": { "code": "api_error" }, "trace_id": task["trace_id"] });
    let submission = lose(&simulator, &luma, Fault::status(500).json(body)).await;
    let found = name(&reconcile(&luma, &submission).await);
    assert_eq!(found, format!("found {}", task["id"].as_str().expect("an id")));
    assert_eq!(simulator.stats().submits_received, 3);
}

/// A history of any shape, in pages, with the clock that its `Date` header shows.
struct History {
    simulator: Simulator,
    luma: Luma,
    submission: Submission,
}

impl History {
    async fn start() -> Self {
        let (simulator, luma) = start().await;
        let luma = luma.with_retry(RetryPolicy::none());
        let submission = lose(&simulator, &luma, Fault::status(502)).await;
        Self { simulator, luma, submission }
    }

    /// What a search makes of these pages, which it gets one after the other.
    async fn search(&self, date: Option<f64>, pages: Vec<Vec<Value>>) -> String {
        for items in pages {
            let fault = Fault::status(200).json(json!({ "items": items, "count": items.len() }));
            let fault = match date {
                Some(date) => fault.header("date", http_date(date)),
                None => fault.header("date", "unknown"),
            };
            self.simulator.inject(fault.on(Target::Lookup));
        }
        let result = name(&reconcile(&self.luma, &self.submission).await);
        assert_eq!(self.simulator.stats().submits_received, 1);
        result
    }
}

fn http_date(seconds: f64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs_f64(seconds))
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs_f64()
}

fn item(id: &str, created_at: f64, prompt: &str) -> Value {
    json!({ "id": id, "created_at": created_at, "request": { "prompt": prompt } })
}

/// Each row is one new task in the history of an account that made one video an hour ago, and what
/// can be said of it. `NotFound` is only where the lost submit certainly did not make it.
#[tokio::test]
async fn verdict_on_one_new_task_follows_the_evidence() {
    let busy = |prompt: &str| json!({ "id": "new", "created_at": now() + 1.0, "request": { "prompt": prompt } });
    let with = |created_at: f64, request: Value| json!({ "id": "new", "created_at": created_at, "request": request });
    for (case, task, expected) in [
        ("equal", busy(PROMPT), "found new"),
        ("other line ends", busy(&PROMPT.replace(' ', "\r\n")), "found new"),
        ("white space around", busy(&format!(" {PROMPT}\n")), "found new"),
        ("NFD", busy("A cafe\u{301} by the sea"), "found new"),
        ("cut", busy("A café by"), "unexplained new"),
        ("rewritten", busy("A cozy seaside café at golden hour"), "unexplained new"),
        ("other case", busy("a café by the sea"), "unexplained new"),
        (
            "other ratio",
            with(now(), json!({ "prompt": PROMPT, "aspect_ratio": "9:16" })),
            "unexplained new",
        ),
        ("no request", with(now(), Value::Null), "ambiguous new"),
        ("no prompt", with(now(), json!({ "action": "generate" })), "ambiguous new"),
        ("no time", json!({ "id": "new", "request": { "prompt": PROMPT } }), "ambiguous new"),
        ("no id", json!({ "created_at": now(), "request": { "prompt": PROMPT } }), "ambiguous "),
        // The clock behind `created_at` need not be the one behind `Date`.
        ("clock 3 s behind", item("new", now() - 3.0, PROMPT), "ambiguous new"),
        ("clock 5 min behind", item("new", now() - 5.0 * MINUTE, PROMPT), "ambiguous new"),
        ("clock 5 min ahead", item("new", now() + 5.0 * MINUTE, PROMPT), "found new"),
        ("milliseconds", item("new", (now() * 1000.0).round(), PROMPT), "found new"),
        // Long before the submit, or another request a moment before.
        ("equal, 20 min older", item("new", now() - 20.0 * MINUTE, PROMPT), "not found"),
        ("other, 5 min older", item("new", now() - 5.0 * MINUTE, "An owl"), "not found"),
    ] {
        let history = History::start().await;
        let old = item("old", now() - 60.0 * MINUTE, PROMPT);
        let result = history.search(Some(now()), vec![vec![task, old], vec![]]).await;
        assert_eq!(result, expected, "{case}");
    }
}

/// The service's clock is wrong by an hour, in either direction, or unknown.
#[tokio::test]
async fn verdict_counts_from_the_clock_of_the_service() {
    for (ahead, expected) in [
        (Some(-3_600.0), "found ours"),
        (Some(3_600.0), "found ours"),
        (None, "ambiguous ours earlier"),
    ] {
        let history = History::start().await;
        let theirs = now() + ahead.unwrap_or(0.0);
        let items = vec![item("ours", theirs, PROMPT), item("earlier", theirs - 1_200.0, PROMPT)];
        let date = ahead.map(|_| theirs);
        assert_eq!(history.search(date, vec![items, vec![]]).await, expected, "{ahead:?}");
    }
}

/// Short pages, shifted pages, any order: only an empty page is the end.
#[tokio::test]
async fn history_of_odd_pages_is_read_to_its_end() {
    let busy = |id: &str| item(id, now() - 5.0, "Something else");
    let ours = || item("ours", now(), PROMPT);
    let old =
        |number: u32| item(&format!("old-{number}"), now() - 9_000.0 + f64::from(number), PROMPT);
    let same = || vec![busy("a")];
    for (case, pages, expected) in [
        ("short", vec![vec![busy("a"), busy("b")], vec![ours()], vec![]], "found ours"),
        // The same page again and again: what is behind it is not known.
        ("stuck", vec![same(), same(), same(), same(), same(), same()], "too long"),
        // What is submitted meanwhile shifts old tasks into the next page.
        (
            "shifted",
            [vec![vec![busy("c"), ours(), busy("a")]], vec![same(); 7], vec![vec![]]].concat(),
            "found ours",
        ),
        ("oldest first", vec![(0..100).map(old).collect(), vec![ours()], vec![]], "found ours"),
    ] {
        let history = History::start().await;
        assert_eq!(history.search(Some(now()), pages).await, expected, "{case}");
    }
}

#[tokio::test]
async fn search_ends_after_fifty_old_tasks() {
    let history = History::start().await;
    let created_at = now() - 9_000.0;
    let old = (0..50).map(|number| item(&format!("old-{number}"), created_at, PROMPT));
    assert_eq!(history.search(Some(now()), vec![old.collect()]).await, "not found");
    assert_eq!(history.simulator.stats().lookups, 1);
}

#[tokio::test]
async fn history_turns_its_pages() {
    let (simulator, luma) = start().await;
    let mut submitted = Vec::new();
    for number in 0..120 {
        let submit = luma.generate(format!("Scene {number}")).submit();
        submitted.push(submit.await.expect("accepted").id().to_string());
    }
    submitted.reverse();
    let past = SystemTime::now() - Duration::from_secs(3_600);
    // Requests: full pages, a rest, and the empty page that is the end.
    for (history, tasks, requests) in [
        (luma.history(), 120, 4),
        (luma.history().page_size(7), 120, 19),
        (luma.history().since(past), 120, 4),
        (luma.history().until(past), 0, 1),
    ] {
        let before = simulator.stats().lookups;
        let got: Vec<_> = history.try_collect().await.expect("a history");
        assert_eq!(simulator.stats().lookups - before, requests);
        let ids: Vec<_> = got.into_iter().filter_map(|task| task.id).collect();
        assert_eq!(ids, submitted[..tasks]);
    }
}

/// Tasks submitted while the pages are turned shift others into the next page.
#[tokio::test]
async fn history_that_shifts_gives_no_task_twice() {
    let (simulator, luma) = start().await;
    for number in 0..12 {
        luma.generate(format!("Scene {number}")).submit().await.expect("accepted");
    }
    let mut history = luma.history().page_size(5);
    let mut ids = HashSet::new();
    while let Some(task) = history.try_next().await.expect("a history") {
        if ids.len() % 5 == 4 && ids.len() < 12 {
            luma.generate("Meanwhile").submit().await.expect("accepted");
        }
        assert!(ids.insert(task.id.expect("an id")));
    }
    assert_eq!(ids.len(), 12);
    assert!(simulator.task_count() > 12);
}

#[tokio::test]
async fn task_is_deleted_once() {
    let (simulator, luma) = start().await;
    let task = luma.generate(PROMPT).submit().await.expect("accepted");
    assert!(luma.delete(task.id()).await.expect("deleted"));
    assert_eq!(simulator.task_count(), 0);
    for answer in [NotFound::EmptyObject, NotFound::Null, NotFound::Error, NotFound::Status404] {
        simulator.set_not_found(answer);
        assert_eq!(end(&luma.delete(task.id()).await), "not found", "{answer:?}");
    }
}

#[tokio::test]
async fn deletion_is_what_the_response_says() {
    let (simulator, luma) = start().await;
    for (answer, expected) in [
        (r#"{"id":"abc","deleted":true}"#, Some(true)),
        (r#"{"id":"ABC","deleted":true}"#, Some(true)),
        (r#"{"id":"abc","deleted":false}"#, Some(false)),
        (r#"{"deleted":true}"#, Some(true)),
        (r#"{"id":"abc","deleted":"true"}"#, Some(true)),
        (r#"{"id":"other","deleted":true}"#, None),
        (r#"{"success":true}"#, None),
        (r#"{"items":[]}"#, None),
        (r#"{"id":"abc"}"#, None),
    ] {
        simulator.inject(Fault::replace_body(200, "application/json", answer));
        match (luma.delete(&id("abc")).await, expected) {
            (Ok(deleted), Some(expected)) => assert_eq!(deleted, expected, "{answer}"),
            (Err(RequestError::Decode(_)), None) => {}
            (got, _) => panic!("{answer}: {got:?}"),
        }
    }
}

#[tokio::test]
async fn search_shows_no_token() {
    let (simulator, luma) = start().await;
    let submission = lose(&simulator, &luma, Fault::reset_after()).await;
    let result = reconcile(&luma, &submission).await;
    let search = luma.reconcile(&submission);
    let shown = format!("{submission:?} {search:?} {result:?}");
    assert!(!shown.contains(TOKEN));
}
