//! What is logged of a wait.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use luma_client::{Luma, PollInterval};
use luma_simulator::{JobDuration, Simulator, TaskScript};
use tracing_subscriber::{
    filter::LevelFilter,
    fmt::{MakeWriter, format::FmtSpan},
    util::SubscriberInitExt,
};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn spans_name_the_task_and_never_the_token() {
    let log = Log::default();
    crate::support::enable_tracing();
    // For this thread only, which is the whole runtime of this test.
    let _guard = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(log.clone())
        .finish()
        .set_default();
    let simulator = Simulator::builder()
        .token("s3cret")
        .duration(JobDuration::Fixed(Duration::from_millis(200)))
        .start()
        .await
        .unwrap();
    let script = || {
        TaskScript::state("levitating")
            .after(Duration::ZERO)
            .then(TaskScript::completes().after(Duration::from_millis(300)))
    };
    simulator.on_submit(script());
    simulator.on_submit(script());
    let luma = Luma::builder().token("s3cret").base_url(simulator.url()).build().unwrap();
    let task = luma.generate("A lighthouse").submit().await.unwrap();
    let wait = || task.wait().interval(PollInterval::fixed(Duration::from_millis(30)));
    let late = wait().deadline(Duration::from_millis(50)).await;
    late.unwrap_err();
    wait().await.unwrap();
    let other = luma.generate("Another").submit().await.unwrap();
    other.wait().await.unwrap();

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let count = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    let lookups = simulator.stats().lookups;
    assert!(lookups > 1);
    // Once, although two tasks say it.
    assert_eq!(count("unknown state, waiting on"), 1, "{log}");
    let id = task.id();
    assert_eq!(count("looked up found=1"), lookups as usize, "{log}");
    let lookup = |line: &&str| {
        line.contains(&format!("lookup{{tasks=1 first=\"{id}\"}}")) && line.contains("close")
    };
    assert!(log.lines().filter(lookup).count() >= 1, "{log}");
    for end in ["deadline", "completed"] {
        let closed = log.lines().find(|line| {
            line.contains(&format!("wait{{task={id} end=\"{end}\" polls="))
                && line.contains("elapsed_ms=")
                && line.contains("close")
        });
        assert!(closed.is_some(), "{end}: {log}");
    }
    assert_eq!(count("s3cret"), 0);
}
