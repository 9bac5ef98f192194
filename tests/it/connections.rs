//! How many connections a client opens, and how.

use std::{sync::atomic::Ordering, time::Duration};

use futures::future::try_join_all;
use luma_client::{Luma, RetryPolicy};
use luma_simulator::{Fault, Simulator, Target};
use tokio::{io::AsyncReadExt, net::TcpListener};

use crate::support::{
    TOKEN, builder, client,
    http2::{self, Behavior},
    id,
};

#[tokio::test]
async fn calls_in_sequence_share_one_connection() {
    let simulator = Simulator::start().await.expect("a simulator");
    let luma = client(simulator.url()).with_retry(RetryPolicy::none());
    for _ in 0..50 {
        let task = luma.generate("A prompt").submit().await.expect("accepted");
        task.get().await.expect("a task");
        // An error is a response, too.
        simulator.inject(Fault::status(500).on(Target::Lookup));
        task.get().await.expect_err("refused");
    }
    assert_eq!(simulator.stats().requests(), 150);
    assert_eq!(simulator.stats().connections, 1);
}

/// None of them is answered before all have come.
#[tokio::test]
async fn calls_in_parallel_share_one_http2_connection() {
    const CALLS: usize = 50;
    let (url, counts) = http2::start(Behavior::Together(CALLS)).await;
    let luma = builder(&url)
        .http_client(http2::client())
        .max_in_flight(CALLS)
        .timeout(Duration::from_secs(20));
    let task = luma.build().expect("a client").task(id("a"));
    for _ in 0..2 {
        let lookups = try_join_all((0..CALLS).map(|_| task.get())).await;
        assert_eq!(lookups.expect("responses").len(), CALLS);
    }
    assert_eq!(counts.connections.load(Ordering::SeqCst), 1);
}

/// With TLS it is the service that chooses, from what the first message offers.
#[tokio::test]
async fn tls_offers_http2_first() {
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
    // The default HTTP client.
    let luma = Luma::builder().token(TOKEN).base_url(url).retry(RetryPolicy::none());
    let luma = luma.build().expect("a client");
    luma.task(id("a")).get().await.expect_err("no TLS on the other side");
    let hello = hello.await.expect("a message");
    let protocols = b"\x02h2\x08http/1.1";
    assert!(hello.windows(protocols.len()).any(|window| window == protocols));
}
