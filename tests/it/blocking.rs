//! Calls in programs without a runtime, and the refusal inside one.

use std::{thread, time::Duration};

use luma_client::{ConfigError, Error, Luma, Pace, WaitError, block_on, simulator::Simulator};
use tokio::runtime::Runtime;

/// A service that runs elsewhere, as far as the thread of a test is concerned.
fn service() -> (Runtime, Simulator, Luma) {
    let runtime = Runtime::new().unwrap();
    let service = Simulator::with_duration(Duration::from_millis(50));
    let service = runtime.block_on(service).unwrap();
    let luma = Luma::builder().token("simulated").base_url(service.url());
    (runtime, service, luma.build().unwrap())
}

#[test]
fn a_video_without_async_code() {
    let (_runtime, service, luma) = service();
    let folder = tempfile::tempdir().unwrap();
    let task = block_on(luma.generate("A fox").submit()).unwrap();
    let pace = Pace::fixed(Duration::from_millis(20));
    let mut states = Vec::new();
    let wait = task.wait().pace(pace);
    let video = block_on(wait.on_update(|task| states.push(task.state()))).unwrap();
    let file = block_on(video.download_to(folder.path().join("fox.mp4"))).unwrap();
    assert_eq!(file.path.metadata().unwrap().len(), file.bytes);
    assert!(!states.is_empty());
    assert_eq!(service.stats().submits_accepted, 1);
}

#[test]
fn threads_that_block_share_their_lookups() {
    let (_runtime, service, luma) = service();
    let tasks = (0..20).map(|_| block_on(luma.generate("A fox").submit()).unwrap());
    let tasks: Vec<_> = tasks.collect();
    thread::scope(|scope| {
        for task in &tasks {
            scope
                .spawn(|| block_on(task.wait().pace(Pace::fixed(Duration::from_secs(1)))).unwrap());
        }
    });
    let lookups = service.stats().lookups;
    assert!(lookups < 20, "{lookups} lookups");
}

#[test]
fn errors_keep_their_type() {
    let (_runtime, service, luma) = service();
    let blank = block_on(luma.generate(" ").submit()).unwrap_err();
    assert!(matches!(blank, Error::InvalidInput(_)), "{blank:?}");
    let nobody = block_on(luma.task("nobody".parse().unwrap())).unwrap_err();
    let is_not_found =
        matches!(&nobody, Error::Wait(end) if matches!(**end, WaitError::NotFound { .. }));
    assert!(is_not_found, "{nobody:?}");
    assert_eq!(service.stats().submits_accepted, 0);
}

#[test]
fn inside_a_runtime_nothing_is_sent() {
    let (runtime, service, luma) = service();
    let submit = luma.generate("A fox").submit();
    let error = runtime.block_on(async { block_on(submit) }).unwrap_err();
    assert!(
        matches!(error, Error::Config(ConfigError::InsideRuntime)),
        "{error:?}"
    );
    assert_eq!(service.stats().submits_accepted, 0);
    assert!(error.to_string().contains(".await"));
}
