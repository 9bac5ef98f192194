//! A submit whose answer was lost: what the account's history says of it.

mod support;

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures::TryStreamExt;
use httpmock::{Mock, MockServer};
use luma_client::{
    Doubt, Error, Luma, Pace, PendingSubmission, RetryPolicy, Search,
    simulator::{Fault, JobDuration, NotFound, Simulator, Target, TaskScript},
};
use serde_json::{Value, json};
use support::{TOKEN, client, start};

const PROMPT: &str = "A lighthouse at dusk";

/// Submits into a fault that leaves it unconfirmed. Ready to say that it is not there at once.
async fn lose(simulator: &Simulator, luma: &Luma, fault: Fault) -> PendingSubmission {
    simulator.inject(fault.on(Target::Submit));
    let error = luma.generate(PROMPT).submit().await.expect_err("lost");
    assert!(error.may_have_been_accepted(), "{error}");
    assert!(!error.is_retryable(), "{error}");
    let Error::Unconfirmed { pending, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(pending.request().prompt.as_deref(), Some(PROMPT));
    pending.settle(Duration::ZERO)
}

async fn find(pending: &PendingSubmission) -> Search {
    pending.find().await.expect("a history")
}

#[tokio::test]
async fn an_accepted_one_is_found_and_waited_for() {
    let (simulator, luma) = start().await;
    let pending = lose(&simulator, &luma, Fault::reset_after()).await;
    let Search::Found(task) = find(&pending).await else {
        panic!("not found");
    };
    let video = task
        .wait()
        .pace(Pace::fixed(Duration::from_millis(20)))
        .await
        .expect("a video");
    assert_eq!(video.prompt(), Some(PROMPT));
    // The search finds the same again, also by another of its kind.
    for pending in [pending.clone(), pending] {
        let Search::Found(again) = find(&pending).await else {
            panic!("not found again");
        };
        assert_eq!(again.id(), task.id());
    }
    assert_eq!(simulator.stats().submits_received, 1);
}

#[tokio::test]
async fn one_that_was_not_accepted_is_not_there() {
    let (simulator, luma) = start().await;
    luma.generate("Something else")
        .submit()
        .await
        .expect("accepted");
    let pending = lose(&simulator, &luma, Fault::reset_before()).await;
    assert!(matches!(find(&pending).await, Search::NotThere));
    assert_eq!(simulator.stats().submits_received, 2);
}

#[tokio::test]
async fn the_history_may_take_its_time() {
    let (simulator, luma) = start().await;
    luma.generate("Something else")
        .submit()
        .await
        .expect("accepted");
    let pending = lose(&simulator, &luma, Fault::reset_before()).await;
    let settle = Duration::from_millis(300);
    let pending = pending.settle(settle);
    let begun = tokio::time::Instant::now();
    assert!(matches!(find(&pending).await, Search::NotThere));
    assert!(begun.elapsed() > settle / 2, "{:?}", begun.elapsed());
    assert!(simulator.stats().lookups > 1);

    // It shows up late: the way of the request there was long.
    let pending = lose(&simulator, &luma, Fault::reset_before()).await;
    let pending = pending.settle(Duration::from_secs(60));
    let stranger = client(simulator.url());
    let late = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stranger.generate(PROMPT).submit().await.expect("accepted")
    };
    let (found, late) = tokio::join!(find(&pending), late);
    let Search::Found(task) = found else {
        panic!("{found:?}");
    };
    assert_eq!(task.id(), late.id());
}

#[tokio::test]
async fn several_equal_ones_cannot_be_told_apart() {
    let (simulator, luma) = start().await;
    let stranger = client(simulator.url());
    let pending = lose(&simulator, &luma, Fault::reset_after()).await;
    let other = stranger.generate(PROMPT).submit().await.expect("accepted");
    let Search::CannotTell(Doubt::Ambiguous(ids)) = find(&pending).await else {
        panic!("no doubt");
    };
    assert_eq!(ids.len(), 2);
    assert!(ids.contains(other.id()));
    assert_eq!(simulator.stats().submits_received, 2);
}

/// What this client knows to be the task of another submit is no candidate.
#[tokio::test]
async fn its_own_other_submits_are_told_apart() {
    let (simulator, luma) = start().await;
    let first = luma.generate(PROMPT).submit().await.expect("accepted");
    let pending = lose(&simulator, &luma, Fault::reset_before()).await;
    let held = luma.with_timeout(Duration::from_secs(60)).generate(PROMPT);
    let held = held
        .submit_held(Duration::from_secs(20))
        .await
        .expect("a video");
    assert!(matches!(find(&pending).await, Search::NotThere));

    let pending = lose(&simulator, &luma, Fault::reset_after()).await;
    let Search::Found(task) = find(&pending).await else {
        panic!("not found");
    };
    assert_ne!(task.id(), first.id());
    assert_ne!(Some(task.id().as_str()), held.id.as_deref());
    assert_eq!(simulator.stats().submits_received, 4);
}

/// Two were lost, one was accepted: it is found once.
#[tokio::test]
async fn a_task_is_found_for_one_submit_only() {
    let (simulator, luma) = start().await;
    let first = lose(&simulator, &luma, Fault::reset_after()).await;
    let second = lose(&simulator, &luma, Fault::reset_before()).await;
    let (first, second) = tokio::join!(find(&first), find(&second));
    let found = |search: &Search| matches!(search, Search::Found(_));
    assert!(found(&first) != found(&second), "{first:?} {second:?}");
}

#[tokio::test]
async fn a_history_that_is_not_supported_says_nothing() {
    let (simulator, luma) = start().await;
    simulator.history_supported(false);
    for fault in [Fault::reset_after(), Fault::reset_before()] {
        let pending = lose(&simulator, &luma, fault).await;
        let search = find(&pending).await;
        assert!(
            matches!(search, Search::CannotTell(Doubt::NoHistory)),
            "{search:?}"
        );
    }
    assert_eq!(simulator.stats().submits_received, 2);
}

/// Another answer than a list is no history either.
#[tokio::test]
async fn a_history_that_is_no_list_says_nothing() {
    let (simulator, luma) = start().await;
    for body in ["{}", "null", r#"{"data":[]}"#, r#"{"items":null}"#] {
        let pending = lose(&simulator, &luma, Fault::reset_after()).await;
        let fault = Fault::replace_body(200, "application/json", body);
        simulator.inject(fault.on(Target::Lookup).always());
        let search = find(&pending).await;
        assert!(
            matches!(search, Search::CannotTell(Doubt::NoHistory)),
            "{body}: {search:?}"
        );
        simulator.clear_faults();
    }
}

/// An account without any task looks like a service without a history.
#[tokio::test]
async fn an_empty_history_says_nothing() {
    let (simulator, luma) = start().await;
    let pending = lose(&simulator, &luma, Fault::reset_before()).await;
    let search = find(&pending).await;
    assert!(
        matches!(search, Search::CannotTell(Doubt::NoHistory)),
        "{search:?}"
    );
}

#[tokio::test]
async fn a_search_that_fails_can_be_repeated() {
    let (simulator, luma) = start().await;
    let pending = lose(&simulator, &luma, Fault::reset_after()).await;
    for fault in [
        Fault::status(429),
        Fault::status(502),
        Fault::status(401),
        Fault::redirect(302, "http://127.0.0.1:1/"),
        Fault::reset_before(),
    ] {
        simulator.inject(fault.clone().on(Target::Lookup).always());
        let search = pending.find().await;
        assert!(search.is_err(), "{fault:?}: {search:?}");
        simulator.clear_faults();
    }
    assert!(matches!(find(&pending).await, Search::Found(_)));
    assert_eq!(simulator.stats().submits_received, 1);
}

/// A held call that ran out: its trace id names the task, however many equal ones there are.
#[tokio::test]
async fn a_trace_id_decides() {
    let (simulator, luma) = start().await;
    simulator.set_duration(JobDuration::Fixed(Duration::MAX));
    let stranger = client(simulator.url());
    for _ in 0..2 {
        stranger.generate(PROMPT).submit().await.expect("accepted");
    }
    let submit = luma.generate(PROMPT).submit_held(Duration::from_millis(50));
    let Err(Error::Unconfirmed { pending, source }) = submit.await else {
        panic!("not lost");
    };
    let trace_id = source.api().and_then(|error| error.trace_id.clone());
    let Search::Found(task) = find(&pending).await else {
        panic!("not found");
    };
    let found = simulator.task(task.id().as_str()).expect("a task");
    assert_eq!(found["trace_id"].as_str(), trace_id.as_deref());
    assert_eq!(simulator.stats().submits_received, 3);
}

/// An error that names the task is the end of an accepted one.
#[tokio::test]
async fn a_task_that_failed_while_it_was_held_is_no_refusal() {
    let (simulator, luma) = start().await;
    simulator.on_submit(TaskScript::fails("forbidden", "Not this."));
    let submit = luma.generate(PROMPT).submit_held(Duration::from_secs(20));
    let task = submit.await.expect("accepted");
    assert!(task.id.is_some());
    let failure = task.failure().expect("failed");
    assert_eq!(failure.message.as_deref(), Some("Not this."));
    assert_eq!(simulator.stats().submits_billed, 1);
}

/// A hold that ran out, but the answer names the task: it is pending, not failed.
#[tokio::test]
async fn a_named_task_outlives_its_hold() {
    let (simulator, luma) = start().await;
    for status in [200, 504] {
        let answer = json!({ "success": false, "task_id": "a", "trace_id": "t",
            "error": { "code": "timeout", "message": "Too late." } });
        simulator.inject(Fault::status(status).json(answer.clone()).times(2));
        let held = luma.generate(PROMPT).submit_held(Duration::from_secs(20));
        let task = held.await.expect("accepted");
        assert_eq!(task.id.as_deref(), Some("a"), "{status}");
        assert_eq!(task.state(), luma_client::TaskState::Pending, "{status}");
        let task = luma.generate(PROMPT).submit().await.expect("accepted");
        assert_eq!(task.id().as_str(), "a", "{status}");
    }
}

/// A paid video is not thrown away because its task is not named.
#[tokio::test]
async fn a_video_without_a_task_is_a_video() {
    let (simulator, luma) = start().await;
    let answer = json!({ "success": true, "video_url": "https://example.com/v.mp4" });
    simulator.inject(Fault::status(200).json(answer));
    let held = luma.generate(PROMPT).submit_held(Duration::from_secs(20));
    let task = held.await.expect("accepted");
    assert_eq!(task.id, None);
    assert!(task.video().is_some());
}

#[tokio::test]
async fn the_history_turns_its_pages() {
    let (simulator, luma) = start().await;
    let mut submitted = Vec::new();
    for number in 0..230 {
        let prompt = format!("Scene {number}");
        let task = luma.generate(prompt).submit().await.expect("accepted");
        submitted.push(task.id().to_string());
    }
    let lookups = simulator.stats().lookups;
    let tasks: Vec<_> = luma.history().try_collect().await.expect("a history");
    // Four full pages, one of thirty, and the empty one that is the end.
    assert_eq!(simulator.stats().lookups - lookups, 6);
    let ids: Vec<_> = tasks.iter().filter_map(|task| task.id.clone()).collect();
    submitted.reverse();
    assert_eq!(ids, submitted);

    let tasks: Vec<_> = luma
        .history()
        .page_size(7)
        .try_collect()
        .await
        .expect("a history");
    assert_eq!(tasks.len(), submitted.len());

    let past = std::time::SystemTime::now() - Duration::from_secs(3_600);
    let none: Vec<_> = luma
        .history()
        .until(past)
        .try_collect()
        .await
        .expect("a history");
    assert!(none.is_empty());
    let all: Vec<_> = luma
        .history()
        .since(past)
        .try_collect()
        .await
        .expect("a history");
    assert_eq!(all.len(), submitted.len());
}

/// What is submitted while the pages are turned shifts tasks into the next one.
#[tokio::test]
async fn no_task_comes_twice() {
    let (simulator, luma) = start().await;
    for number in 0..12 {
        let submit = luma.generate(format!("Scene {number}")).submit();
        submit.await.expect("accepted");
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
async fn a_task_is_deleted_once() {
    let (simulator, luma) = start().await;
    let task = luma.generate(PROMPT).submit().await.expect("accepted");
    assert!(luma.delete(task.id()).await.expect("deleted"));
    assert_eq!(simulator.task_count(), 0);
    for answer in [
        NotFound::EmptyObject,
        NotFound::Null,
        NotFound::Error,
        NotFound::Status404,
    ] {
        simulator.set_not_found(answer);
        let error = luma.delete(task.id()).await.expect_err("gone");
        assert!(
            matches!(error, Error::NotFound { .. }),
            "{answer:?}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_deletion_is_what_the_answer_says() {
    let (simulator, luma) = start().await;
    let id: luma_client::TaskId = "abc".parse().expect("an id");
    for (answer, expected) in [
        (r#"{"id":"abc","deleted":true}"#, Some(true)),
        (r#"{"id":"abc","deleted":false}"#, Some(false)),
        (r#"{"deleted":true}"#, Some(true)),
        (r#"{"id":"abc","deleted":"true"}"#, Some(true)),
        (r#"{"id":"other","deleted":true}"#, None),
        (r#"{"success":true}"#, None),
        (r#"{"items":[]}"#, None),
        (r#"{"id":"abc"}"#, None),
    ] {
        simulator.inject(Fault::replace_body(200, "application/json", answer));
        match (luma.delete(&id).await, expected) {
            (Ok(deleted), Some(expected)) => assert_eq!(deleted, expected, "{answer}"),
            (Err(Error::Decode(_)), None) => {}
            (got, _) => panic!("{answer}: {got:?}"),
        }
    }
}

/// A history of any shape, newest first unless told otherwise; submits are lost.
struct Odd {
    server: Arc<MockServer>,
    luma: Luma,
}

impl Odd {
    async fn start() -> Self {
        let server = MockServer::start_async().await;
        let retry = RetryPolicy::none();
        let luma = client(&server.base_url()).with_retry(retry);
        let server = Arc::new(server);
        server
            .mock_async(|when, then| {
                when.path("/luma/videos");
                then.status(502);
            })
            .await;
        Self { server, luma }
    }

    async fn lose(&self) -> PendingSubmission {
        let error = self.luma.generate(PROMPT).submit().await.expect_err("lost");
        let Error::Unconfirmed { pending, .. } = error else {
            panic!("{error:?}");
        };
        pending.settle(Duration::ZERO)
    }

    /// Answers every page that begins at `offset` in the same way; `date` is the service's clock.
    async fn page(&self, offset: Option<u64>, date: Option<f64>, items: Vec<Value>) -> Mock<'_> {
        let body = json!({ "items": items, "count": items.len() });
        self.server
            .mock_async(|when, then| {
                let when = when.path("/luma/tasks");
                match offset {
                    None => when.is_true(|request| !request.body_string().contains("offset")),
                    Some(offset) => {
                        when.json_body_includes(json!({ "offset": offset }).to_string())
                    }
                };
                let then = then.status(200).json_body(body);
                if let Some(date) = date {
                    let date = std::time::UNIX_EPOCH + Duration::from_secs_f64(date);
                    then.header("date", httpdate::fmt_http_date(date));
                }
            })
            .await
    }
}

fn now() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_secs_f64()
}

fn item(id: &str, created_at: f64, prompt: &str) -> Value {
    json!({ "id": id, "created_at": created_at, "request": { "prompt": prompt } })
}

/// The clocks differ by an hour, in either direction.
#[tokio::test]
async fn the_clocks_need_not_agree() {
    for ahead in [-3_600.0, 3_600.0] {
        let odd = Odd::start().await;
        let pending = odd.lose().await;
        let theirs = now() + ahead;
        let items = vec![
            item("ours", theirs, PROMPT),
            item("earlier", theirs - 300.0, PROMPT),
        ];
        odd.page(None, Some(theirs), items).await;
        odd.page(Some(2), Some(theirs), vec![]).await;
        let Search::Found(task) = find(&pending).await else {
            panic!("not found");
        };
        assert_eq!(task.id().as_str(), "ours");
        assert!(task.ticket().submitted_at.is_some());
    }
}

/// The clock behind `created_at` is behind that of `Date`: a paid task looks older than its submit.
#[tokio::test]
async fn a_task_that_looks_a_little_too_old_is_no_reason_to_pay_again() {
    for behind in [3.0, 60.0] {
        let odd = Odd::start().await;
        let pending = odd.lose().await;
        let items = vec![item("ours", now() - behind, PROMPT)];
        odd.page(None, Some(now()), items).await;
        odd.page(Some(1), Some(now()), vec![]).await;
        let search = find(&pending).await;
        assert!(
            matches!(&search, Search::CannotTell(Doubt::Ambiguous(ids)) if ids.len() == 1),
            "{search:?}"
        );
    }
}

/// A submit is lost and was not accepted; an equal one of the same client is still under way.
#[tokio::test]
async fn the_task_of_a_submit_under_way_is_not_taken_from_it() {
    let (simulator, luma) = start().await;
    // Somebody's task, so that the history is not empty.
    luma.generate("An owl").submit().await.unwrap();
    let pending = lose(&simulator, &luma, Fault::html(502)).await;
    simulator.inject(Fault::slow(Duration::from_secs(1)).on(Target::Submit));
    let equal = tokio::spawn(luma.generate(PROMPT).submit());
    while simulator.stats().submits_billed < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(matches!(find(&pending).await, Search::NotThere));
    equal.await.unwrap().unwrap();
}

/// The service gives fewer tasks a page than it was asked for.
#[tokio::test]
async fn a_short_page_is_not_the_end() {
    let odd = Odd::start().await;
    let pending = odd.lose().await;
    let busy = |id: &str| item(id, now() + 1.0, "Something else");
    odd.page(None, Some(now()), vec![busy("a"), busy("b")])
        .await;
    odd.page(Some(2), Some(now()), vec![item("ours", now(), PROMPT)])
        .await;
    odd.page(Some(3), Some(now()), vec![]).await;
    assert!(matches!(find(&pending).await, Search::Found(task) if task.id().as_str() == "ours"));
}

/// The service gives the same page again and again: what lies behind it is not known.
#[tokio::test]
async fn a_history_that_does_not_turn_pages_cannot_tell() {
    let odd = Odd::start().await;
    let pending = odd.lose().await;
    let busy = vec![item("a", now() + 1.0, "Something else")];
    odd.page(None, Some(now()), busy.clone()).await;
    for offset in 1..=5 {
        odd.page(Some(offset), Some(now()), busy.clone()).await;
    }
    let search = find(&pending).await;
    assert!(
        matches!(search, Search::CannotTell(Doubt::TooLong)),
        "{search:?}"
    );
}

/// What is submitted while the last page is turned shifts old tasks behind it, again and again.
#[tokio::test]
async fn what_is_shifted_is_not_what_does_not_turn() {
    let odd = Odd::start().await;
    let pending = odd.lose().await;
    let task = |id: &str| item(id, now() + 1.0, "Something else");
    let first = vec![task("c"), item("ours", now(), PROMPT), task("a")];
    odd.page(None, Some(now()), first).await;
    for offset in 3..10 {
        odd.page(Some(offset), Some(now()), vec![task("a")]).await;
    }
    odd.page(Some(10), Some(now()), vec![]).await;
    assert!(matches!(find(&pending).await, Search::Found(task) if task.id().as_str() == "ours"));
}

/// Oldest first, against all that was observed.
#[tokio::test]
async fn the_order_of_the_history_does_not_matter() {
    let odd = Odd::start().await;
    let pending = odd.lose().await;
    let old = |number: u32| {
        let created_at = now() - 9_000.0 + f64::from(number);
        item(&format!("old-{number}"), created_at, PROMPT)
    };
    odd.page(None, Some(now()), (0..100).map(old).collect())
        .await;
    odd.page(Some(100), Some(now()), vec![item("ours", now(), PROMPT)])
        .await;
    odd.page(Some(101), Some(now()), vec![]).await;
    assert!(matches!(find(&pending).await, Search::Found(task) if task.id().as_str() == "ours"));
}

/// A task that may be it, but cannot be named.
#[tokio::test]
async fn a_task_without_an_id_cannot_tell() {
    let odd = Odd::start().await;
    let pending = odd.lose().await;
    let mut nameless = item("", now(), PROMPT);
    nameless["id"] = Value::Null;
    let other = item("other", now(), "Something else");
    odd.page(None, Some(now()), vec![nameless, other]).await;
    odd.page(Some(2), Some(now()), vec![]).await;
    let search = find(&pending).await;
    assert!(
        matches!(search, Search::CannotTell(Doubt::Ambiguous(_))),
        "{search:?}"
    );
}

#[tokio::test]
async fn the_search_does_not_read_all_that_is_old() {
    let odd = Odd::start().await;
    let pending = odd.lose().await;
    let created_at = now() - 9_000.0;
    let old = |number: u32| item(&format!("old-{number}"), created_at, PROMPT);
    odd.page(None, Some(now()), (0..50).map(old).collect())
        .await;
    let second = odd
        .page(Some(50), Some(now()), (50..100).map(old).collect())
        .await;
    assert!(matches!(find(&pending).await, Search::NotThere));
    assert_eq!(second.calls_async().await, 0);
}

#[tokio::test]
async fn the_token_is_in_no_search() {
    let (simulator, luma) = start().await;
    let pending = lose(&simulator, &luma, Fault::reset_after()).await;
    let shown = format!("{pending:?} {pending:#?} {:?}", find(&pending).await);
    assert!(!shown.contains(TOKEN));
}
