//! Calls in programs without a runtime, and the refusal inside one.

use std::{thread, time::Duration};

use luma_client::{ConfigError, Error, Luma, PollInterval, SubmitError, WaitError, block_on};
use luma_simulator::Simulator;
use tokio::runtime::Runtime;

use crate::support::{client, id};

/// A service that runs elsewhere, as far as the thread of a test is concerned.
fn service() -> (Runtime, Simulator, Luma) {
    let runtime = Runtime::new().expect("a runtime");
    let service = Simulator::with_duration(Duration::from_millis(50));
    let service = runtime.block_on(service).expect("a simulator");
    let luma = client(service.url());
    (runtime, service, luma)
}

#[test]
fn video_is_made_without_async_code() {
    let (_runtime, service, luma) = service();
    let folder = tempfile::tempdir().expect("a folder");
    let task = block_on(luma.generate("A fox").submit()).expect("accepted");
    let mut states = Vec::new();
    let wait = task.wait().interval(PollInterval::fixed(Duration::from_millis(20)));
    let video = block_on(wait.on_update(|task| states.push(task.state()))).expect("a video");
    let path = folder.path().join("fox.mp4");
    block_on(luma.download(&video, &path)).expect("a file");
    assert!(path.metadata().expect("a file").len() > 1_000);
    assert!(!states.is_empty());
    assert_eq!(service.stats().submits_accepted, 1);
}

#[test]
fn threads_that_block_share_their_lookups() {
    let (_runtime, service, luma) = service();
    let submit = |_| block_on(luma.generate("A fox").submit()).expect("accepted");
    let tasks: Vec<_> = (0..20).map(submit).collect();
    thread::scope(|scope| {
        for task in &tasks {
            let wait = task.wait().interval(PollInterval::fixed(Duration::from_secs(1)));
            scope.spawn(|| block_on(wait).expect("a video"));
        }
    });
    let lookups = service.stats().lookups;
    assert!(lookups < 20, "{lookups} lookups");
}

#[test]
fn error_of_a_blocking_call_keeps_its_type() {
    let (_runtime, service, luma) = service();
    let blank = block_on(luma.generate(" ").submit());
    assert!(matches!(blank, Err(Error::Submit(SubmitError::InvalidInput(_)))), "{blank:?}");
    let nobody = block_on(luma.task(id("nobody")).wait());
    assert!(matches!(nobody, Err(Error::Wait(WaitError::NotFound { .. }))), "{nobody:?}");
    assert_eq!(service.stats().submits_accepted, 0);
}

#[test]
fn blocking_call_inside_a_runtime_sends_nothing() {
    let (runtime, service, luma) = service();
    let submit = luma.generate("A fox").submit();
    let error = runtime.block_on(async { block_on(submit) }).expect_err("refused");
    assert!(matches!(error, Error::Config(ConfigError::InsideRuntime)), "{error:?}");
    assert_eq!(service.stats().submits_accepted, 0);
    assert!(error.to_string().contains(".await"));
}
