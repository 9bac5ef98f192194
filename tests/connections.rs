//! How many connections it takes.

mod support;

use std::{sync::atomic::Ordering, time::Duration};

use futures::future::try_join_all;
use luma_client::{
    Luma, RetryPolicy,
    simulator::{Fault, Simulator, Target},
};
use support::{TOKEN, client, http2};
use tokio::{io::AsyncReadExt, net::TcpListener};

#[tokio::test]
async fn one_for_any_number_of_calls() {
    let simulator = Simulator::start().await.expect("a simulator");
    let luma = client(simulator.url()).with_retry(RetryPolicy::none());
    let mut ids = Vec::new();
    for _ in 0..50 {
        let task = luma.generate("A prompt").submit().await.expect("accepted");
        task.get().await.expect("a task");
        ids.push(task.id().clone());
        luma.tasks(&ids).await.expect("tasks");
        // An error is an answer, too.
        simulator.inject(Fault::status(500).on(Target::Lookup));
        task.get().await.expect_err("refused");
    }
    assert_eq!(simulator.stats().requests(), 200);
    assert_eq!(simulator.stats().connections, 1);
}

/// None of them is answered before all have come.
#[tokio::test]
async fn one_for_many_calls_at_once_over_http2() {
    const CALLS: usize = 50;
    let (url, connections) = http2::answers_together(CALLS).await;
    let http = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge();
    let luma = Luma::builder()
        .token(TOKEN)
        .base_url(url)
        .http_client(http)
        .timeout(Duration::from_secs(20))
        .build()
        .expect("a client");
    let task = luma.task("a".parse().expect("an id"));
    for _ in 0..2 {
        let lookups = try_join_all((0..CALLS).map(|_| task.get())).await;
        assert_eq!(lookups.expect("answers").len(), CALLS);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

/// With TLS it is the service that chooses, from what the first message offers.
#[tokio::test]
async fn http2_is_offered_first() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    let hello = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut hello = vec![0; 5];
        stream.read_exact(&mut hello).await.expect("a record");
        let length = u16::from_be_bytes([hello[3], hello[4]]);
        hello.resize(5 + usize::from(length), 0);
        stream.read_exact(&mut hello[5..]).await.expect("a record");
        hello
    });
    let luma = Luma::builder()
        .token(TOKEN)
        .base_url(url)
        .retry(RetryPolicy::none())
        .build()
        .expect("a client");
    let task = luma.task("a".parse().expect("an id"));
    task.get().await.expect_err("no TLS on the other side");
    let hello = hello.await.expect("a message");
    let protocols = b"\x02h2\x08http/1.1";
    let has_them = |window: &[u8]| window == protocols;
    assert!(hello.windows(protocols.len()).any(has_them));
}
