//! How each command ends if the service fails in each way, and how often a submit is sent.

use futures::future::join_all;
use luma_simulator::{Fault, Target};

use super::{AT_ONCE, Stage};

/// How a service fails; `None` is a refused connection.
fn failures() -> Vec<(&'static str, Option<Fault>)> {
    let mut failures: Vec<_> = [
        ("400", 400),
        ("401", 401),
        ("402", 402),
        ("403", 403),
        ("404", 404),
        ("409", 409),
        ("429", 429),
        ("500", 500),
        ("502", 502),
        ("524", 524),
    ]
    .map(|(name, status)| (name, Some(Fault::status(status))))
    .into();
    failures.push(("page", Some(Fault::html(502))));
    failures.push(("refused", None));
    failures.push(("reset", Some(Fault::reset_before())));
    failures.push(("lost", Some(Fault::reset_after())));
    failures.push(("garbage", Some(Fault::replace_body(200, "application/json", "{garbage"))));
    failures.push(("empty", Some(Fault::status(200))));
    failures
}

/// The exit codes of a submit, and of `wait`; how often the submit is sent.
fn expected(failure: &str) -> (i32, i32, usize) {
    match failure {
        // It was refused, and so is each lookup.
        "400" | "401" | "402" | "403" | "404" | "409" => (3, 3, 1),
        // It was refused, and a later one may not be.
        "429" => (3, 4, 4),
        "refused" => (3, 4, 0),
        // It may have been accepted.
        _ => (5, 4, 1),
    }
}

#[tokio::test]
async fn exit_code_says_whether_something_may_be_billed() {
    let rows = failures().into_iter().map(async |(name, fault)| {
        let stage = Stage::new(AT_ONCE).await;
        let id = stage.task("A fox").await;
        let before = stage.submits().len();
        if let Some(fault) = &fault {
            stage.simulator.inject(fault.clone().always());
        }
        let (submit, wait, sent) = expected(name);
        for (arguments, code) in [
            (&["generate", "A fox", "--no-wait"][..], submit),
            (&["generate", "A fox", "-o", "fox.mp4"], submit),
            (&["extend", "https://example.com/1.mp4", "More"], submit),
            (&["wait", &id, "--interval", "100ms", "--timeout", "2s"], wait),
            (&["task", &id], 3),
            (&["download", &id], 3),
            (&["history"], 3),
            (&["delete", &id], 2),
        ] {
            let sent_before = stage.submits().len();
            let mut command = stage.command(arguments);
            if fault.is_none() {
                command.env("ACEDATACLOUD_API_BASE_URL", "http://127.0.0.1:9");
            }
            let run = super::end(command.spawn().expect("it starts")).await;
            assert_eq!(run.code, Some(code), "{name} {arguments:?}: {run:#?}");
            let is_submit = matches!(arguments[0], "generate" | "extend");
            let sent = if is_submit { sent } else { 0 };
            assert_eq!(stage.submits().len() - sent_before, sent, "{name} {arguments:?}");
            let is_told = run.stderr.contains("Nothing was billed.");
            assert_eq!(is_told, is_submit && code == 3, "{name} {arguments:?}: {run:#?}");
            let is_warned = run.stderr.contains("may have been accepted and billed");
            assert_eq!(is_warned, is_submit && code == 5, "{name} {arguments:?}: {run:#?}");
        }
        assert_eq!(stage.submits().len() - before, 3 * sent, "{name}");
    });
    join_all(rows).await;
}

/// After a submit was accepted, no failure says that nothing was.
#[tokio::test]
async fn failure_after_acceptance_never_exits_3() {
    let rows = failures().into_iter().filter_map(|(name, fault)| Some((name, fault?)));
    let rows = rows.flat_map(|(name, fault)| {
        [(Target::Lookup, fault.clone()), (Target::Media, fault)].map(
            |(target, fault)| async move {
                let stage = Stage::new(AT_ONCE).await;
                stage.simulator.inject(fault.on(target).always());
                let arguments = ["generate", "A fox", "-o", "fox.mp4", "--timeout", "2s"];
                let run = stage.luma(&arguments).await;
                assert!(matches!(run.code, Some(4 | 5)), "{name} {target:?}: {run:#?}");
                assert_eq!(stage.billed(), 1, "{name} {target:?}");
            },
        )
    });
    join_all(rows).await;
}
