//! A submit whose process was lost: what was stored before, and what another process makes of it.

mod support;

use std::time::Duration;

use luma_client::{
    AspectRatio, Doubt, Intent, InvalidInput, Luma, Prepared, Search, TaskId,
    simulator::{Fault, Target},
};
use serde_json::{Value, json};
use support::{TOKEN, client, start};

const PROMPT: &str = "A lighthouse at dusk";

/// A submit with a callback of its own, and what is stored of it.
fn prepare(luma: &Luma, job: u32) -> (Prepared, Value) {
    let callback = format!("http://127.0.0.1:9/luma?job={job}");
    let generate = luma.generate(PROMPT).callback_url(callback);
    stored(generate.prepare().expect("valid"))
}

fn stored(prepared: Prepared) -> (Prepared, Value) {
    let stored = serde_json::to_value(prepared.intent()).expect("JSON");
    (prepared, stored)
}

/// What another process finds.
async fn find(luma: &Luma, stored: &Value) -> Search {
    let intent: Intent = serde_json::from_value(stored.clone()).expect("an intent");
    let pending = luma.pending(intent).settle(Duration::ZERO);
    pending.find().await.expect("a history")
}

async fn found(luma: &Luma, stored: &Value) -> TaskId {
    match find(luma, stored).await {
        Search::Found(task) => task.id().clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_accepted_one_is_found_by_another_process() {
    let (simulator, luma) = start().await;
    let generate = luma.generate(PROMPT).aspect_ratio(AspectRatio::Ratio21x9);
    let (prepared, intent) = stored(generate.prepare().expect("valid"));
    assert_eq!(simulator.stats().submits_received, 0);
    let task = prepared.submit().await.expect("accepted");
    let other = client(simulator.url());
    // As often as it is asked for, and whatever else was made.
    other.generate(PROMPT).submit().await.expect("accepted");
    for luma in [&other, &other, &client(simulator.url())] {
        assert_eq!(found(luma, &intent).await, *task.id());
    }
    assert_eq!(simulator.stats().submits_received, 2);
}

#[tokio::test]
async fn one_that_was_not_sent_is_not_there() {
    let (simulator, luma) = start().await;
    luma.generate("Another").submit().await.expect("accepted");
    let (_, intent) = prepare(&luma, 1);
    let other = client(simulator.url());
    assert!(matches!(find(&other, &intent).await, Search::NotThere));
}

/// Several workers submit the same prompt at the same time, and all of them are lost.
#[tokio::test]
async fn a_callback_tells_equal_ones_apart() {
    let (simulator, luma) = start().await;
    let mut tasks = Vec::new();
    for job in 0..4 {
        let (prepared, intent) = prepare(&luma, job);
        match job {
            2 => simulator.inject(Fault::reset_before().on(Target::Submit)),
            _ => simulator.inject(Fault::slow(Duration::from_millis(1)).on(Target::Submit)),
        }
        tasks.push((prepared.submit().await.ok(), intent));
    }
    let other = client(simulator.url());
    for (task, intent) in &tasks {
        match task {
            Some(task) => assert_eq!(found(&other, intent).await, *task.id()),
            None => assert!(matches!(find(&other, intent).await, Search::NotThere)),
        }
    }
    assert_eq!(simulator.stats().submits_billed, 3);
}

#[tokio::test]
async fn equal_ones_without_a_callback_cannot_be_told_apart() {
    let (simulator, luma) = start().await;
    let (prepared, intent) = stored(luma.generate(PROMPT).prepare().expect("valid"));
    prepared.submit().await.expect("accepted");
    luma.generate(PROMPT).submit().await.expect("accepted");
    let search = find(&client(simulator.url()), &intent).await;
    assert!(
        matches!(search, Search::CannotTell(Doubt::Ambiguous(ref ids)) if ids.len() == 2),
        "{search:?}"
    );
}

/// The answer came, but could not be stored: the same process looks for what it has.
#[tokio::test]
async fn the_task_of_a_submit_is_its_own() {
    let (_simulator, luma) = start().await;
    let (prepared, intent) = stored(luma.generate(PROMPT).prepare().expect("valid"));
    let task = prepared.submit().await.expect("accepted");
    for _ in 0..2 {
        assert_eq!(found(&luma, &intent).await, *task.id());
    }
    // But it is nobody else's.
    let (_, second) = stored(luma.generate(PROMPT).prepare().expect("valid"));
    assert!(matches!(find(&luma, &second).await, Search::NotThere));
}

#[tokio::test]
async fn an_unconfirmed_one_can_be_stored_too() {
    let (simulator, luma) = start().await;
    simulator.inject(Fault::reset_after().on(Target::Submit));
    let Err(luma_client::Error::Unconfirmed { pending, .. }) = luma.generate(PROMPT).submit().await
    else {
        panic!("not lost");
    };
    let intent = serde_json::to_value(pending.intent()).expect("JSON");
    let id = found(&client(simulator.url()), &intent).await;
    assert!(simulator.task(id.as_str()).is_some());
}

/// The machine that submitted had a clock that was half a minute ahead, or behind.
#[tokio::test]
async fn the_clocks_of_machines_may_differ() {
    let (simulator, luma) = start().await;
    let (prepared, intent) = prepare(&luma, 1);
    let task = prepared.submit().await.expect("accepted");
    let seconds = intent["sent_at"]["secs_since_epoch"].as_u64();
    for skew in [-30, 30] {
        let mut intent = intent.clone();
        let seconds = seconds.expect("seconds").saturating_add_signed(skew);
        intent["sent_at"]["secs_since_epoch"] = json!(seconds);
        assert_eq!(found(&client(simulator.url()), &intent).await, *task.id());
    }
}

#[tokio::test]
async fn it_is_checked_before_it_is_stored() {
    let (simulator, luma) = start().await;
    let error = luma.generate(" ").prepare().expect_err("blank");
    assert_eq!(error, InvalidInput::BlankPrompt);
    let (prepared, intent) = prepare(&luma, 1);
    assert_eq!(intent["request"]["prompt"], PROMPT);
    assert!(!format!("{prepared:?} {intent}").contains(TOKEN));
    assert_eq!(simulator.stats().requests(), 0);
}
