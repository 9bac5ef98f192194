//! A submit goes out once, whatever the HTTP client below would rather do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use luma_client::{RetryPolicy, SubmitError};
use luma_simulator::{Fault, Simulator, Target};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};

use crate::support::{
    Named, bare, builder, client, end,
    http2::{self, Behavior},
    id, show_error, start,
};

/// Time for a second request to arrive, if there is one.
const LATE: Duration = Duration::from_millis(200);

/// A server that answers one request on each connection, reads the next one, and closes.
async fn closes_in_use() -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let requests = Arc::new(AtomicU32::new(0));
    let count = requests.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let count = count.clone();
            tokio::spawn(async move {
                read_request(&mut stream).await;
                count.fetch_add(1, Ordering::SeqCst);
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"task_id\":\"a\"}";
                stream.write_all(answer.as_bytes()).await.expect("sent");
                read_request(&mut stream).await;
                count.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
    (url, requests)
}

/// Reads a request to its end, which is that of its JSON.
async fn read_request(stream: &mut TcpStream) {
    let mut received = Vec::new();
    while !received.ends_with(b"}") {
        if stream.read_buf(&mut received).await.expect("a request") == 0 {
            return;
        }
    }
}

#[tokio::test]
async fn submit_over_connection_that_closes_in_use_is_sent_once() {
    let (url, requests) = closes_in_use().await;
    let luma = client(&url);
    luma.generate("The first").submit().await.expect("accepted");
    let submit = luma.generate("The second").submit().await;
    assert_eq!(end(&submit), "unconfirmed: broken");
    sleep(LATE).await;
    assert_eq!(requests.load(Ordering::SeqCst), 2);
}

/// Nothing was sent on the closed connection, so a new one is no second submit.
#[tokio::test]
async fn submit_after_connection_was_closed_unused_succeeds() {
    let simulator = Simulator::start().await.expect("a simulator");
    let luma = client(simulator.url());
    for _ in 0..20 {
        simulator.inject(Fault::truncated().on(Target::Lookup));
        let _ = luma.with_retry(RetryPolicy::none()).task(id("a")).get().await;
        luma.generate("A prompt").submit().await.expect("accepted");
    }
    assert_eq!(simulator.stats().submits_received, 20);
    assert_eq!(simulator.stats().submits_accepted, 20);
}

/// HTTP/2 has two ways to say "not yet, try again"; the HTTP client would do so by default.
#[tokio::test]
async fn submit_refused_by_http2_is_sent_once() {
    for behavior in [Behavior::RefusedStream, Behavior::GoAway] {
        let (url, counts) = http2::start(behavior).await;
        let luma = builder(&url).http_client(http2::client()).build().expect("a client");
        let submit = luma.generate("A prompt").submit().await;
        assert_eq!(end(&submit), "unconfirmed: broken", "{behavior:?}");
        sleep(LATE).await;
        assert_eq!(counts.requests.load(Ordering::SeqCst), 1, "{behavior:?}");
    }
}

/// A client that was told to follow redirects and to retry everything is told otherwise.
#[tokio::test]
async fn submit_by_custom_http_client_is_sent_once() {
    let (simulator, _) = start().await;
    let again = reqwest::retry::for_host("127.0.0.1").no_budget();
    let again = again.classify_fn(|attempt| attempt.retryable());
    let http = bare().redirect(reqwest::redirect::Policy::limited(10)).retry(again);
    let luma = builder(simulator.url()).http_client(http).build().expect("a client");
    let location = format!("{}/luma/videos", simulator.url());
    let redirects = [301, 302, 303, 307, 308].map(|status| {
        let fault = Fault::redirect(status, location.clone()).accepting(true);
        (fault, Some(status))
    });
    for (fault, status) in redirects.into_iter().chain([(Fault::reset_after(), None)]) {
        let before = simulator.stats().requests();
        simulator.inject(fault);
        let error = luma.generate("A prompt").submit().await.expect_err("no answer");
        assert_eq!(error.api().map(|error| error.status.as_u16()), status);
        assert_eq!(simulator.stats().requests(), before + 1, "{status:?}");
    }
}

/// Whatever else a response says: one that names a task may have accepted the submit.
#[tokio::test]
async fn response_that_names_a_task_oddly_leaves_submit_unconfirmed() {
    let (simulator, luma) = start().await;
    let refusal = json!({ "code": "bad_request", "message": "No." });
    for (status, body) in [
        (200, json!({ "task_id": 17 })),
        (200, json!({ "data": { "task_id": "a" } })),
        (200, json!({ "data": [{ "task_id": "a" }] })),
        (200, json!({ "taskId": "a" })),
        (200, json!({ "task_id": ["a"] })),
        (200, json!({ "task_id": "not an id" })),
        (200, json!({ "success": false, "error": refusal, "data": { "task_id": "a" } })),
        (200, json!({ "success": false, "error": refusal, "task_id": 17 })),
        (400, json!({ "error": refusal, "task_id": "a" })),
        (400, json!({ "error": refusal, "data": { "task_id": 17 } })),
        (403, json!({ "error": { "code": "used_up" }, "task_ids": ["a"] })),
        (409, json!({ "task_id": "a" })),
        (409, json!({ "detail": "Exists.", "data": { "taskId": "a" } })),
        (429, json!({ "error": { "code": "too_many_requests" }, "task_id": "a" })),
        (429, json!({ "task_id": 17 })),
        (500, json!({ "data": { "task_id": 17 } })),
    ] {
        let before = simulator.stats();
        simulator.inject(Fault::status(status).json(body.clone()).accepting(true));
        let submit = luma.generate("A prompt").submit().await;
        let Err(error @ SubmitError::Unconfirmed { .. }) = submit else {
            panic!("{status} {body}: {submit:?}");
        };
        assert!(!error.is_retryable(), "{status} {body}");
        let after = simulator.stats();
        assert_eq!(after.submits_received, before.submits_received + 1, "{status} {body}");
        assert_eq!(after.submits_accepted, before.submits_accepted + 1, "{status} {body}");
    }
    // No id is no task, however it is spelled; and a gateway that names one has accepted it.
    for (status, body, expected) in [
        (400, json!({ "error": refusal, "task_id": null }), "400 bad_request"),
        (400, json!({ "error": refusal, "task_id": " " }), "400 bad_request"),
        (502, json!({ "task_id": "a" }), "ok"),
        (504, json!({ "success": false, "task_id": "a", "error": { "code": "timeout" } }), "ok"),
        (200, json!({ "success": false, "task_id": "a", "error": { "code": "timeout" } }), "ok"),
    ] {
        simulator.inject(Fault::status(status).json(body.clone()));
        let submit = luma.generate("A prompt").submit().await;
        assert_eq!(end(&submit), expected, "{status} {body}");
        assert!(submit.is_err() || submit.is_ok_and(|task| task.id().as_str() == "a"));
    }
}

#[tokio::test]
async fn error_leads_to_its_cause() {
    let luma = client("http://127.0.0.1:1").with_retry(RetryPolicy::none());
    let (simulator, lossy) = start().await;
    simulator.inject(Fault::reset_after());
    for (luma, summary, cause) in [
        (luma, "could not connect to the service", "refused"),
        (
            lossy,
            "the submit may have been accepted and billed: reconcile before you submit again",
            "reset",
        ),
    ] {
        let error = luma.generate("A prompt").submit().await.expect_err("lost");
        let shown = show_error(&error);
        assert!(shown.contains(cause), "{shown}");
        let name = error.name();
        let chain = format!("{:#}", anyhow::Error::from(error));
        assert!(chain.starts_with(summary) && chain.contains(cause), "{name}: {chain}");
    }
}
