//! What is logged of a wait. Alone in its process: who listens is decided once.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use luma_client::{
    Luma, Pace,
    simulator::{JobDuration, Simulator, TaskScript},
};
use tracing_subscriber::fmt::MakeWriter;

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
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .init();
    let simulator = Simulator::builder()
        .token("s3cret")
        .duration(JobDuration::Fixed(Duration::from_millis(200)))
        .start()
        .await
        .unwrap();
    simulator.on_submit(
        TaskScript::state_word("levitating")
            .after(Duration::ZERO)
            .then(TaskScript::completes().after(Duration::from_millis(300))),
    );
    let luma = Luma::builder()
        .token("s3cret")
        .base_url(simulator.url())
        .build()
        .unwrap();
    let task = luma.generate("A lighthouse").submit().await.unwrap();
    let wait = task.wait().pace(Pace::fixed(Duration::from_millis(30)));
    wait.await.unwrap();

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let count = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    let lookups = simulator.stats().lookups;
    assert!(lookups > 1);
    assert_eq!(count("unknown state, waiting on"), 1, "{log}");
    let (id, looked_up) = (task.id(), "looked up elapsed_ms=");
    assert_eq!(count(looked_up), lookups as usize, "{log}");
    assert!(
        count(&format!("lookup{{tasks=1 first=\"{id}\"}}")) >= lookups as usize,
        "{log}"
    );
    assert!(count(&format!("wait{{task={id}}}")) >= 1, "{log}");
    assert_eq!(
        count(&format!("ended polls={lookups} elapsed_ms=")),
        1,
        "{log}"
    );
    assert_eq!(count("s3cret"), 0);
}
