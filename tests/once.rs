//! A submit goes out once, whatever the HTTP client below would rather do.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use luma_client::{
    Error, Luma, RetryPolicy,
    simulator::{Fault, JobDuration, Simulator, Target},
};
use support::{
    TOKEN, client,
    http2::{self, Refusal},
    name,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

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
async fn over_a_connection_that_was_in_use_and_closes() {
    let (url, requests) = closes_in_use().await;
    let luma = client(&url);
    luma.generate("The first").submit().await.expect("accepted");
    let error = luma
        .generate("The second")
        .submit()
        .await
        .expect_err("lost");
    assert_eq!(name(&error), "unconfirmed: broken");
    // Time for one that comes late.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(requests.load(Ordering::SeqCst), 2);
}

/// The connection was closed while nobody used it: nothing was sent on it, so that a fresh one is
/// no second submit.
#[tokio::test]
async fn over_a_connection_that_was_closed_unused() {
    let simulator = Simulator::start().await.expect("a simulator");
    let luma = client(simulator.url());
    for _ in 0..20 {
        simulator.inject(Fault::truncated().on(Target::Lookup));
        let id = "a".parse().expect("an id");
        let _ = luma.with_retry(RetryPolicy::none()).task(id).get().await;
        luma.generate("A prompt").submit().await.expect("accepted");
    }
    assert_eq!(simulator.stats().submits_received, 20);
    assert_eq!(simulator.stats().submits_billed, 20);
}

/// HTTP/2 has two ways to say "not yet, try again"; the HTTP client would do so by default.
#[tokio::test]
async fn over_http2() {
    for refusal in [Refusal::RefusedStream, Refusal::GoAway] {
        let (url, submits) = http2::start(refusal).await;
        let builder = reqwest::Client::builder()
            .no_proxy()
            .http2_prior_knowledge();
        let luma = luma(&url, builder);
        let error = luma.generate("A prompt").submit().await.expect_err("lost");
        assert_eq!(name(&error), "unconfirmed: broken", "{refusal:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(submits.load(Ordering::SeqCst), 1, "{refusal:?}");
    }
}

fn luma(url: &str, http: reqwest::ClientBuilder) -> Luma {
    Luma::builder()
        .token(TOKEN)
        .base_url(url)
        .http_client(http)
        .build()
        .expect("a client")
}

/// A client that was told to follow redirects and to retry everything is told otherwise.
#[tokio::test]
async fn by_a_client_of_the_users() {
    let simulator = Simulator::builder()
        .duration(JobDuration::Fixed(Duration::ZERO))
        .start()
        .await
        .expect("a simulator");
    let http = || {
        let again = reqwest::retry::for_host("127.0.0.1")
            .no_budget()
            .classify_fn(|attempt| attempt.retryable());
        reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::limited(10))
            .retry(again)
    };
    let luma = luma(simulator.url(), http());
    for status in [301, 302, 303, 307, 308] {
        let before = simulator.stats();
        let location = format!("{}/luma/videos", simulator.url());
        simulator.inject(Fault::redirect(status, location).accepting(true));
        let error = luma
            .generate("A prompt")
            .submit()
            .await
            .expect_err("no answer");
        assert_eq!(error.api().map(|error| error.status.as_u16()), Some(status));
        let after = simulator.stats();
        assert_eq!(
            after.submits_received,
            before.submits_received + 1,
            "{status}"
        );
        assert_eq!(after.requests(), before.requests() + 1, "{status}");
    }
    let before = simulator.stats().submits_received;
    simulator.inject(Fault::reset_after());
    let error = luma.generate("A prompt").submit().await.expect_err("lost");
    assert!(matches!(error, Error::Unconfirmed { .. }), "{error:?}");
    assert_eq!(simulator.stats().submits_received, before + 1);
}

/// The cause is found at the end of the chain.
#[tokio::test]
async fn errors_lead_to_their_cause() {
    let luma = client("http://127.0.0.1:1").with_retry(RetryPolicy::none());
    let error = luma
        .generate("A prompt")
        .submit()
        .await
        .expect_err("closed");
    let chain = format!("{:#}", anyhow::Error::from(error));
    assert!(
        chain.starts_with("could not connect to the service"),
        "{chain}"
    );
    assert!(chain.contains("refused"), "{chain}");

    let simulator = Simulator::start().await.expect("a simulator");
    simulator.inject(Fault::reset_after());
    let luma = client(simulator.url());
    let error = luma.generate("A prompt").submit().await.expect_err("lost");
    let chain = format!("{:#}", anyhow::Error::from(error));
    assert!(
        chain.contains("may have been accepted and billed"),
        "{chain}"
    );
    assert!(chain.contains("reset"), "{chain}");
}
