//! The token appears nowhere: not in what calls give, not in what they log.

use std::{
    cell::RefCell,
    io::{self, Write},
    sync::{Arc, Mutex, Once},
    time::{Duration, SystemTime},
};

use futures::{StreamExt, TryStreamExt, future::join_all};
use luma_client::{
    CancellationToken, Luma, PollInterval, Reconciliation, RetryPolicy, SubmitError, VideoSource,
    webhook,
};
use luma_simulator::{Fault, JobDuration, Simulator, Target, TaskScript};
use serde::Serialize;
use serde_json::json;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::{filter::LevelFilter, fmt::format::FmtSpan, util::SubscriberInitExt};

use crate::support::{
    TOKEN, bare, builder,
    cases::cases,
    fixture::{Fixture, Operation},
    http2::{self, Behavior},
    id, show, show_error,
};

/// What was logged at every level by every crate, on the thread of a test.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

thread_local! {
    /// For the crate `log`, whose logger is one for all threads.
    static LOGGED: RefCell<Option<Logged>> = const { RefCell::new(None) };
}

impl Logged {
    /// Starts to listen, until the guard is dropped.
    fn listen() -> (Self, DefaultGuard) {
        crate::support::enable_tracing();
        static LOGGER: Once = Once::new();
        LOGGER.call_once(|| {
            log::set_logger(&ThreadLogger).expect("no logger yet");
            log::set_max_level(log::LevelFilter::Trace);
        });
        let logged = Self::default();
        LOGGED.set(Some(logged.clone()));
        let writer = logged.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_span_events(FmtSpan::FULL)
            .with_writer(move || writer.clone());
        (logged, subscriber.finish().set_default())
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

struct ThreadLogger;

impl log::Log for ThreadLogger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        LOGGED.with_borrow_mut(|logged| {
            if let Some(logged) = logged {
                let _ = writeln!(logged, "{} {}", record.target(), record.args());
            }
        });
    }

    fn flush(&self) {}
}

/// Neither the token nor a part of it that somebody would search for.
fn assert_clean(shown: &str, context: &str) {
    let has =
        |line: &&str| ["never-to-be-shown", "sk-9f3c1e7a"].iter().any(|part| line.contains(part));
    let lines: Vec<&str> = shown.lines().filter(has).collect();
    assert!(lines.is_empty(), "{context}: {}", lines.join("\n"));
}

#[tokio::test]
async fn faults_show_and_log_no_token() {
    let (logged, _guard) = Logged::listen();
    let cases = cases();
    let runs = cases.iter().map(async |case| {
        let fixture = Fixture::start(case).await;
        for operation in Operation::ALL {
            let outcome = fixture.run(case, operation).await;
            let context = format!("{}, {operation:?}", case.name);
            assert_clean(&outcome.shown.join("\n"), &context);
            if let Some(submission) = outcome.submission {
                let search = fixture.luma.reconcile(&submission).settle(Duration::ZERO);
                assert_clean(&format!("{search:?} {:?}", search.clone().await), &context);
            }
        }
    });
    join_all(runs).await;
    let logged = logged.text();
    // It did listen: to this crate, and to those below.
    for target in ["luma_client", "hyper_util", "reqwest"] {
        assert!(logged.contains(target), "nothing of {target}");
    }
    assert_clean(&logged, "log");
}

/// HTTP/2 logs whole header lists.
#[tokio::test]
async fn http2_logs_no_token() {
    let (logged, _guard) = Logged::listen();
    let (url, _) = http2::start(Behavior::RefusedStream).await;
    let luma = builder(&url).http_client(http2::client()).build().expect("a client");
    let error = luma.generate("A prompt").submit().await.expect_err("refused");
    assert_clean(&show_error(&error), "error");
    let logged = logged.text();
    assert!(logged.contains("h2::"), "nothing of h2");
    assert_clean(&logged, "log");
}

#[tokio::test]
async fn public_types_show_no_token() {
    let (logged, _guard) = Logged::listen();
    let at_once = JobDuration::Fixed(Duration::ZERO);
    let simulator = Simulator::builder().token(TOKEN).duration(at_once);
    let simulator = simulator.start().await.expect("a simulator");
    let builder = || {
        // Would log each byte of the connection.
        let verbose = bare().connection_verbose(true);
        builder(simulator.url()).http_client(verbose).retry(RetryPolicy::none())
    };
    let luma = builder().build().expect("a client");
    let generate = luma.generate("A prompt");
    let extend = luma.extend(VideoSource::VideoId("v".to_owned()), "A prompt");
    let mut shown = vec![
        show(&builder()),
        show(&luma),
        show(luma.api()),
        show(&generate),
        show(&extend),
        show(&(&simulator, simulator.requests())),
        both(&generate.clone().prepare().expect("valid")),
        both(&extend.prepare().expect("valid")),
    ];
    let task = generate.submit().await.expect("accepted");
    let wait = || task.wait().interval(PollInterval::fixed(Duration::from_millis(10)));
    let updates: Vec<_> = wait().updates().collect().await;
    let video = wait().await.expect("a video");
    let report = task.get().await.expect("a task");
    let history = luma.history().since(SystemTime::UNIX_EPOCH);
    shown.extend([
        show(&(&task, wait(), wait().updates(), luma.watch([task.id()]), updates)),
        both(&task.to_ref()),
        both(task.id()),
        both(&video),
        format!("{video} {} {}", task.id(), report.state()),
        both(&report),
        show(&history),
        both(&history.try_collect::<Vec<_>>().await.expect("a history")),
    ]);

    // Each way for a wait to end without a video.
    simulator.on_submit(TaskScript::fails("forbidden", "Not this."));
    let failed = luma.generate("A").submit().await.expect("accepted");
    let cancel = CancellationToken::new();
    cancel.cancel();
    for wait in [
        failed.wait(),
        luma.task(id("nobody")).wait(),
        luma.task(id("late")).wait().deadline(Duration::ZERO),
        task.wait().cancelled_by(cancel),
    ] {
        let interval = PollInterval::fixed(Duration::from_millis(10));
        let error = wait.interval(interval).await.expect_err("no video");
        shown.push(show_error(&error));
    }
    let quoting = Fault::status(401).body(format!("no such token: {TOKEN}"));
    simulator.inject(quoting.on(Target::Lookup).always());
    shown.push(show_error(&wait().await.expect_err("refused")));
    simulator.clear_faults();
    // Even a task that repeats it.
    simulator.on_submit(TaskScript::response(json!({ "state": TOKEN, "prompt": TOKEN })));
    let odd = luma.generate("A").submit().await.expect("accepted");
    let odd = odd.get().await.expect("a task");
    shown.extend([both(&odd), odd.state().to_string()]);
    // And a text that hides it behind invisible characters.
    let hidden = TOKEN.replace("never", "ne\u{200b}v\u{202e}er\u{7}");
    shown.push(luma.redact(&format!("a {hidden} b"), 1_000));

    // Clients that cannot be built, requests that cannot be sent, responses that are lost.
    for error in [
        Luma::builder().token(format!("{TOKEN} {TOKEN}")).build(),
        builder().base_url(format!("https://{TOKEN}@example.com")).build(),
        builder().base_url(format!("https://example.com?{TOKEN}")).build(),
        builder().base_url(TOKEN).build(),
    ] {
        shown.push(show_error(&error.expect_err("refused")));
    }
    let url = format!("ftp://{TOKEN}@example.com/?{TOKEN}");
    let error = luma.generate("A").start_image_url(url).submit().await;
    shown.push(show_error(&error.expect_err("refused")));
    simulator.inject(Fault::reset_after().on(Target::Submit));
    let error = luma.generate("Lost").submit().await.expect_err("lost");
    shown.push(show_error(&error));
    let SubmitError::Unconfirmed { submission, .. } = error else {
        panic!("{error:?}");
    };
    let found = luma.reconcile(&submission).settle(Duration::ZERO).await.expect("a history");
    assert!(matches!(found, Reconciliation::Found(_)), "{found:?}");
    shown.push(show(&(found, submission)));
    shown.push(show(&webhook::parse(br#"{"task_id":"a","state":"processing"}"#)));

    for shown in shown {
        assert_clean(&shown, "shown");
    }
    assert_clean(&logged.text(), "log");
}

/// As it is shown, and as it is stored.
fn both(value: &(impl std::fmt::Debug + Serialize)) -> String {
    let json = serde_json::to_string(value).expect("JSON");
    format!("{} {json}", show(value))
}
