//! What goes wrong on the way is not the task's fault.

use std::time::{Duration, Instant};

use luma_client::WaitError;
use luma_simulator::{Fault, Target};

use super::{JOB, PATIENCE, all, quick, start, submit};

#[tokio::test]
async fn transient_fault_delays_a_wait_and_does_not_end_it() {
    for fault in [
        Fault::html(502),
        Fault::html(200),
        Fault::status(429),
        Fault::truncated(),
        Fault::reset_before(),
        Fault::reset_after(),
        Fault::replace_body(200, "application/json", "{\"id\":"),
    ] {
        let shown = format!("{fault:?}");
        let (simulator, luma) = start(JOB).await;
        let task = submit(&luma).await;
        simulator.inject(fault.on(Target::Lookup).times(3));
        let wait = task.wait().interval(quick()).max_consecutive_errors(3).deadline(PATIENCE);
        wait.await.unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert_eq!(simulator.stats().faults, 3, "{shown}");
    }
}

#[tokio::test]
async fn too_many_faults_end_the_wait_and_say_nothing_of_the_task() {
    let (simulator, luma) = start(Duration::ZERO).await;
    let task = submit(&luma).await;
    simulator.inject(Fault::html(503).on(Target::Lookup).always());
    match task.wait().interval(quick()).max_consecutive_errors(2).await {
        Err(WaitError::Poll { source, .. }) => assert!(source.is_retryable()),
        other => panic!("{other:?}"),
    }
    assert_eq!(simulator.stats().lookups, 3);
    simulator.clear_faults();
    task.wait().interval(quick()).await.expect("the task was fine");
}

#[tokio::test]
async fn retry_after_is_kept() {
    let (simulator, luma) = start(Duration::ZERO).await;
    let task = submit(&luma).await;
    simulator.inject(Fault::retry_after(429, "1").on(Target::Lookup));
    let begin = Instant::now();
    task.wait().interval(quick()).await.expect("a video");
    assert!(begin.elapsed() >= Duration::from_secs(1));
    assert_eq!(simulator.stats().lookups, 2);
}

#[tokio::test]
async fn bad_token_ends_all_waits_with_the_reason() {
    let (simulator, luma) = start(Duration::MAX).await;
    let ids = [submit(&luma).await, submit(&luma).await].map(|task| task.id().clone());
    let body = r#"{"error":{"code":"invalid_token","message":"no"}}"#;
    let fault = Fault::replace_body(401, "application/json", body);
    simulator.inject(fault.on(Target::Lookup).always());
    for (_, end) in all(&luma, ids).await {
        match end {
            Err(WaitError::Poll { source, .. }) => assert!(source.api().is_some()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(simulator.stats().lookups, 1);
}
