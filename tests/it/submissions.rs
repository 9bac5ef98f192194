//! A submit whose process was lost: what was stored before, and what another process makes of it.

use std::time::Duration;

use luma_client::{
    AspectRatio, Generate, InconclusiveReason, InvalidInput, Luma, Reconciliation, Submission,
    SubmitError, TaskId,
};
use luma_simulator::{Fault, Target};
use serde_json::{Value, json};

use crate::support::{TOKEN, client, start};

const PROMPT: &str = "A lighthouse at dusk";

/// A submission with a callback URL of its own, and what is stored of it.
fn prepare(luma: &Luma, job: u32) -> (Submission, Value) {
    let callback = format!("http://127.0.0.1:9/luma?job={job}");
    stored(luma.generate(PROMPT).callback_url(callback))
}

fn stored(generate: Generate) -> (Submission, Value) {
    let submission = generate.prepare().expect("valid");
    let stored = serde_json::to_value(&submission).expect("JSON");
    (submission, stored)
}

/// What another process finds.
async fn reconcile(luma: &Luma, stored: &Value) -> Reconciliation {
    let submission: Submission = serde_json::from_value(stored.clone()).expect("a submission");
    let search = luma.reconcile(&submission).settle(Duration::ZERO);
    search.await.expect("a history")
}

async fn found(luma: &Luma, stored: &Value) -> TaskId {
    match reconcile(luma, stored).await {
        Reconciliation::Found(task) => task.id().clone(),
        other => panic!("{other:?}"),
    }
}

fn is_not_found(result: &Reconciliation) -> bool {
    matches!(result, Reconciliation::NotFound { .. })
}

#[tokio::test]
async fn accepted_submission_is_found_by_another_process() {
    let (simulator, luma) = start().await;
    let (submission, stored) = stored(luma.generate(PROMPT).aspect_ratio(AspectRatio::Ratio21x9));
    assert_eq!(simulator.stats().submits_received, 0);
    let task = luma.submit(&submission).await.expect("accepted");
    // Each time that it is searched, and whatever else was made by the same client.
    let other = client(simulator.url());
    other.generate(PROMPT).submit().await.expect("accepted");
    for luma in [&other, &other] {
        assert_eq!(found(luma, &stored).await, *task.id());
    }
    assert_eq!(simulator.stats().submits_received, 2);
}

/// Of what the searching client knows nothing, any new task may be it, in other words.
#[tokio::test]
async fn submission_never_sent_is_not_found_unless_a_task_is_unexplained() {
    let (simulator, luma) = start().await;
    luma.generate("Another").submit().await.expect("accepted");
    let (_, stored) = prepare(&luma, 1);
    assert!(is_not_found(&reconcile(&luma, &stored).await));
    let result = reconcile(&client(simulator.url()), &stored).await;
    let is_unexplained = matches!(
        &result,
        Reconciliation::Inconclusive(InconclusiveReason::Unexplained(ids)) if ids.len() == 1
    );
    assert!(is_unexplained, "{result:?}");
}

/// Several workers submit the same prompt at the same time, and all of them are lost.
#[tokio::test]
async fn unique_callbacks_tell_equal_submissions_apart() {
    let (simulator, luma) = start().await;
    let mut tasks = Vec::new();
    for job in 0..4 {
        let (submission, stored) = prepare(&luma, job);
        if job == 2 {
            simulator.inject(Fault::reset_before().on(Target::Submit));
        }
        tasks.push((luma.submit(&submission).await.ok(), stored));
    }
    let other = client(simulator.url());
    for (task, stored) in &tasks {
        match task {
            Some(task) => assert_eq!(found(&other, stored).await, *task.id()),
            None => assert!(is_not_found(&reconcile(&other, stored).await)),
        }
    }
    assert_eq!(simulator.stats().submits_accepted, 3);
}

#[tokio::test]
async fn equal_submissions_without_callback_are_ambiguous() {
    let (simulator, luma) = start().await;
    let (submission, stored) = stored(luma.generate(PROMPT));
    luma.submit(&submission).await.expect("accepted");
    luma.generate(PROMPT).submit().await.expect("accepted");
    let result = reconcile(&client(simulator.url()), &stored).await;
    let is_ambiguous = matches!(
        &result,
        Reconciliation::Inconclusive(InconclusiveReason::Ambiguous(ids)) if ids.len() == 2
    );
    assert!(is_ambiguous, "{result:?}");
}

/// The response came, but could not be stored: the same process searches for its own task.
#[tokio::test]
async fn task_of_one_submission_is_not_found_for_another() {
    let (_simulator, luma) = start().await;
    let (submission, first) = stored(luma.generate(PROMPT));
    let task = luma.submit(&submission).await.expect("accepted");
    for _ in 0..2 {
        assert_eq!(found(&luma, &first).await, *task.id());
    }
    let (_, second) = stored(luma.generate(PROMPT));
    assert!(is_not_found(&reconcile(&luma, &second).await));
}

#[tokio::test]
async fn unconfirmed_submission_can_be_stored() {
    let (simulator, luma) = start().await;
    simulator.inject(Fault::reset_after().on(Target::Submit));
    let Err(SubmitError::Unconfirmed { submission, .. }) = luma.generate(PROMPT).submit().await
    else {
        panic!("not lost");
    };
    let stored = serde_json::to_value(&submission).expect("JSON");
    let id = found(&client(simulator.url()), &stored).await;
    assert!(simulator.task(id.as_str()).is_some());
}

/// The machine that submitted had a clock that was half a minute ahead, or behind.
#[tokio::test]
async fn submission_of_machine_with_another_clock_is_found() {
    let (simulator, luma) = start().await;
    let (submission, stored) = prepare(&luma, 1);
    let task = luma.submit(&submission).await.expect("accepted");
    let seconds = stored["created_at"]["secs_since_epoch"].as_u64();
    for skew in [-30, 30] {
        let mut stored = stored.clone();
        let seconds = seconds.expect("seconds").saturating_add_signed(skew);
        stored["created_at"]["secs_since_epoch"] = json!(seconds);
        assert_eq!(found(&client(simulator.url()), &stored).await, *task.id());
    }
}

#[tokio::test]
async fn submission_is_checked_before_it_is_stored() {
    let (simulator, luma) = start().await;
    let error = luma.generate(" ").prepare().expect_err("blank");
    assert_eq!(error, InvalidInput::BlankPrompt);
    let (submission, stored) = prepare(&luma, 1);
    assert_eq!(stored["request"]["prompt"], PROMPT);
    assert!(!format!("{submission:?} {stored}").contains(TOKEN));
    assert_eq!(simulator.stats().requests(), 0);
}
