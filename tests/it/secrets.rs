//! The token is nowhere to be seen: not in what calls give, not in what they log.

mod support;

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, SystemTime},
};

use futures::{StreamExt, TryStreamExt};
use luma_client::{
    Luma, Pace, RetryPolicy, Search, Source,
    simulator::{Fault, JobDuration, Simulator, Target, TaskScript},
    webhook,
};
use serde::Serialize;
use serde_json::json;
use support::{
    TOKEN, cases, each,
    http2::{self, Refusal},
    run, show_error,
};
use tracing_subscriber::{filter::LevelFilter, fmt::format::FmtSpan};

/// All that was logged, at every level and by everybody.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Logged {
    /// Starts to listen, once for all tests of this file.
    fn listen() -> Self {
        static LOGGED: OnceLock<Logged> = OnceLock::new();
        LOGGED
            .get_or_init(|| {
                let logged = Self::default();
                let writer = logged.clone();
                tracing_subscriber::fmt()
                    .with_max_level(LevelFilter::TRACE)
                    .with_span_events(FmtSpan::FULL)
                    .with_writer(move || writer.clone())
                    .init();
                log::set_logger(Box::leak(Box::new(logged.clone()))).expect("no logger yet");
                log::set_max_level(log::LevelFilter::Trace);
                logged
            })
            .clone()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no panic")).into_owned()
    }
}

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl log::Log for Logged {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}\n", record.target(), record.args());
        self.0
            .lock()
            .expect("no panic")
            .extend_from_slice(line.as_bytes());
    }

    fn flush(&self) {}
}

/// The token, and what somebody would find who looks for a part of it.
fn is_clean(text: &str) -> bool {
    !text.contains(TOKEN) && !text.contains("never-to-be-shown") && !text.contains("sk-9f3c1e7a")
}

fn assert_clean_lines(logged: &str) {
    let unclean: Vec<&str> = logged.lines().filter(|line| !is_clean(line)).collect();
    assert!(unclean.is_empty(), "{}", unclean.join("\n"));
}

#[tokio::test]
async fn in_nothing_that_a_call_comes_to() {
    let logged = Logged::listen();
    let cases = cases::cases();
    each(&cases, async |world, case, operation| {
        let outcome = run(world, case, operation).await;
        for shown in outcome.shown {
            assert!(is_clean(&shown), "{}, {operation:?}: {shown}", case.name);
        }
        if let Some(pending) = outcome.pending {
            let found = pending.settle(Duration::ZERO).find().await;
            assert!(is_clean(&format!("{found:?}")), "{}", case.name);
        }
    })
    .await;
    let logged = logged.text();
    // It did listen: to this crate, and to those below.
    for target in ["luma_client", "hyper_util", "reqwest"] {
        assert!(logged.contains(target), "nothing of {target}");
    }
    assert_clean_lines(&logged);
}

/// What HTTP/2 logs are whole header lists.
#[tokio::test]
async fn in_nothing_that_http2_logs() {
    let logged = Logged::listen();
    let (url, _) = http2::start(Refusal::RefusedStream).await;
    let luma = Luma::builder()
        .token(TOKEN)
        .base_url(url)
        .http_client(
            reqwest::Client::builder()
                .no_proxy()
                .http2_prior_knowledge(),
        )
        .build()
        .expect("a client");
    let error = luma
        .generate("A prompt")
        .submit()
        .await
        .expect_err("refused");
    let mut shown = Vec::new();
    show_error(&error, &mut shown);
    assert!(is_clean(&shown.concat()));
    let logged = logged.text();
    assert!(logged.contains("h2::"), "nothing of h2");
    assert_clean_lines(&logged);
}

#[tokio::test]
async fn in_none_of_the_public_types() {
    let logged = Logged::listen();
    let simulator = Simulator::builder()
        .token(TOKEN)
        .duration(JobDuration::Fixed(Duration::ZERO))
        .start()
        .await
        .expect("a simulator");
    let builder = || {
        Luma::builder()
            .token(TOKEN)
            .base_url(simulator.url())
            .timeout(Duration::from_secs(20))
            // Would log each byte that goes over the wire.
            .http_client(
                reqwest::Client::builder()
                    .no_proxy()
                    .connection_verbose(true),
            )
            .retry(RetryPolicy::none())
    };
    let luma = builder().build().expect("a client");
    let generate = luma.generate("A prompt");
    let extend = luma.extend(Source::VideoId("v".to_owned()), "A prompt");
    let mut shown = vec![
        format!("{:?} {:#?}", builder(), builder()),
        format!("{luma:?} {luma:#?} {:?} {:#?}", luma.api(), luma.api()),
        format!("{generate:?} {generate:#?} {extend:?} {extend:#?}"),
        format!("{simulator:?} {simulator:#?} {:?}", simulator.requests()),
        json_of(&generate.request().expect("good")),
        json_of(&extend.request().expect("good")),
    ];

    let task = generate.submit().await.expect("accepted");
    shown.push(format!(
        "{task:?} {task:#?} {:?} {}",
        task.ticket(),
        json_of(&task.ticket())
    ));
    shown.push(format!(
        "{} {:?} {}",
        task.id(),
        task.id(),
        json_of(task.id())
    ));
    let wait = || task.wait().pace(Pace::fixed(Duration::from_millis(10)));
    shown.push(format!(
        "{:?} {:#?} {:?}",
        wait(),
        wait(),
        wait().into_future()
    ));
    shown.push(format!("{:?}", wait().updates()));
    shown.push(format!("{:?}", luma.watch([task.id().clone()])));
    let updates: Vec<_> = wait().updates().collect().await;
    shown.push(format!("{updates:?} {updates:#?}"));
    let video = wait().await.expect("a video");
    shown.push(format!(
        "{video} {video:?} {video:#?} {}",
        json_of(video.raw())
    ));
    let snapshot = task.get().await.expect("a task");
    shown.push(format!(
        "{snapshot:?} {} {}",
        json_of(&snapshot),
        snapshot.state()
    ));

    let history = luma.history().since(SystemTime::UNIX_EPOCH);
    shown.push(format!("{history:?} {history:#?}"));
    let tasks: Vec<_> = history.try_collect().await.expect("a history");
    shown.push(format!("{tasks:?}"));

    // Each way for a wait to end without a video.
    simulator.on_submit(TaskScript::fails("forbidden", "Not this."));
    let failed = luma.generate("A").submit().await.expect("accepted");
    let nobody = luma.task("nobody".parse().expect("an id"));
    let cancel = luma_client::CancellationToken::new();
    cancel.cancel();
    for wait in [
        failed.wait(),
        nobody.wait(),
        luma.task("late".parse().expect("an id"))
            .wait()
            .deadline(Duration::ZERO),
        task.wait().cancelled_by(cancel),
    ] {
        let pace = Pace::fixed(Duration::from_millis(10));
        let error = wait.pace(pace).await.expect_err("no video");
        show_error(&error, &mut shown);
    }
    simulator.inject(
        Fault::status(401)
            .body(format!("no such token: {TOKEN}"))
            .on(Target::Lookup),
    );
    let error = wait().await.expect_err("refused");
    show_error(&error, &mut shown);
    // Even a task that repeats it.
    simulator.on_submit(TaskScript::response(
        json!({ "state": TOKEN, "prompt": TOKEN }),
    ));
    let odd = luma.generate("A").submit().await.expect("accepted");
    let odd = odd.get().await.expect("a task");
    shown.push(format!("{odd:?} {} {}", odd.state(), json_of(&odd)));

    // What cannot be.
    for error in [
        Luma::builder().token(format!("{TOKEN} {TOKEN}")).build(),
        builder()
            .base_url(format!("https://{TOKEN}@example.com"))
            .build(),
        builder()
            .base_url(format!("https://example.com?{TOKEN}"))
            .build(),
        builder().base_url(TOKEN).build(),
    ] {
        show_error(&error.expect_err("refused"), &mut shown);
    }
    let url = format!("ftp://{TOKEN}@example.com/?{TOKEN}");
    let error = luma.generate("A").start_image_url(url).submit().await;
    show_error(&error.expect_err("refused"), &mut shown);

    simulator.inject(Fault::reset_after().on(Target::Submit));
    let error = luma.generate("Lost").submit().await.expect_err("lost");
    show_error(&error, &mut shown);
    if let luma_client::Error::Unconfirmed { pending, .. } = error {
        let found = pending.find().await.expect("a history");
        assert!(matches!(found, Search::Found(_)));
        shown.push(format!("{found:?} {found:#?} {:?}", pending.request()));
    }
    let callback = webhook::parse(br#"{"task_id":"a","state":"processing"}"#);
    shown.push(format!("{callback:?}"));

    for shown in shown {
        assert!(is_clean(&shown), "{shown}");
    }
    assert_clean_lines(&logged.text());
}

fn json_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("JSON")
}
