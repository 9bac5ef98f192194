//! Every operation of the document, over a real socket: the token, the limits and the retries are on it.
//!
//! A new operation of the document has no row here, and fails the test.

use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use luma_client::{
    Luma,
    api::types::{TaskAction, TaskQuery, VideoRequest},
};
use luma_simulator::{Fault, Simulator};
use serde_json::{Value, json};
use tokio::{
    io::AsyncReadExt,
    net::TcpListener,
    time::{sleep, timeout},
};

use crate::support::{PATIENCE, TOKEN, builder, client, eventually, http2};

/// The operations of the document: id, path, whether it is free and so may be repeated.
fn operations() -> Vec<(String, String, bool)> {
    let document: Value =
        serde_json::from_str(include_str!("../../openapi/luma.json")).expect("JSON");
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            assert_eq!(method, "post", "{path}: a test of this method is missing");
            let id = operation["operationId"].as_str().expect("an id");
            operations.push((id.to_owned(), path.clone(), id == "query_tasks"));
        }
    }
    assert!(operations.len() >= 2);
    operations
}

/// Calls an operation of the generated client; returns whether it succeeded.
fn call(luma: &Luma, operation: &str) -> BoxFuture<'static, bool> {
    let luma = luma.clone();
    match operation {
        "create_video" => Box::pin(async move {
            let mut request = VideoRequest::default();
            request.prompt = Some("A fox".to_owned());
            luma.api().create_video(&request).await.is_ok()
        }),
        "query_tasks" => Box::pin(async move {
            let query = TaskQuery::new(TaskAction::Retrieve);
            luma.api().query_tasks(&query).await.is_ok()
        }),
        new => panic!("{new} is a new operation: add its call here"),
    }
}

fn body() -> Value {
    json!({ "task_id": "a", "id": "a" })
}

async fn start() -> (Simulator, Luma) {
    let simulator = Simulator::start().await.expect("a simulator");
    let luma = client(simulator.url());
    (simulator, luma)
}

#[tokio::test]
async fn each_operation_sends_the_token() {
    let (simulator, luma) = start().await;
    for (operation, path, _) in operations() {
        simulator.inject(Fault::status(200).json(body()));
        assert!(call(&luma, &operation).await, "{operation}");
        let request = simulator.requests().pop().expect("a request");
        assert_eq!(request.path, path);
        let token = request.headers["authorization"].to_str().expect("text");
        assert_eq!(token, format!("Bearer {TOKEN}"), "{operation}");
    }
}

/// HTTP/2 writes a header that is marked as sensitive so that no proxy keeps it in a table: as a "literal
/// never indexed" (0x1 and the index 23, which is `authorization`).
#[tokio::test]
async fn each_operation_marks_the_token_as_sensitive() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    for (operation, ..) in operations() {
        let luma = builder(&url).http_client(http2::client()).build().expect("a client");
        let call = tokio::spawn(call(&luma, &operation));
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut sent = Vec::new();
        let read = async {
            while !sent.windows(2).any(|bytes| bytes == [0x1f, 23 - 15]) {
                stream.read_buf(&mut sent).await.expect("more bytes");
            }
        };
        let read = timeout(PATIENCE, read).await;
        assert!(read.is_ok(), "{operation}: the token is not marked");
        call.abort();
    }
}

#[tokio::test]
async fn each_operation_keeps_the_limit_in_flight() {
    for (operation, ..) in operations() {
        for (limit, set) in [(5, None), (2, Some(2)), (1, Some(1)), (9, Some(9))] {
            let simulator = Simulator::start().await.expect("a simulator");
            simulator.inject(Fault::silence().always());
            let luma = builder(simulator.url());
            let luma = match set {
                Some(set) => luma.max_in_flight(set),
                None => luma,
            };
            let luma = luma.build().expect("a client");
            // Clones and derived clients share the limit of their token.
            let derived = luma.with_timeout(Duration::from_secs(60));
            let clients = [luma.clone(), luma, derived];
            let calls = join_all((0..12).map(|at| call(&clients[at % 3], &operation)));
            let calls = tokio::spawn(calls);
            let received = || simulator.stats().requests();
            eventually("the requests", || received() == limit).await;
            // Time for one more, if there is no limit.
            sleep(Duration::from_millis(100)).await;
            assert_eq!(received(), limit, "{operation} {set:?}");
            calls.abort();
        }
    }
}

/// A call that waits for its turn is sent once another one has ended.
#[tokio::test]
async fn each_operation_gets_its_turn() {
    let (simulator, luma) = start().await;
    for (operation, ..) in operations() {
        let slow = Fault::status(200).json(body());
        simulator.inject(slow.always());
        let calls = join_all((0..50).map(|_| call(&luma, &operation)));
        let ends = timeout(Duration::from_secs(20), calls).await.expect("all ended");
        assert!(ends.into_iter().all(|end| end), "{operation}");
        simulator.clear_faults();
    }
}

#[tokio::test]
async fn each_operation_keeps_the_body_limit() {
    let simulator = Simulator::start().await.expect("a simulator");
    let mut body = body();
    body["padding"] = "x".repeat(1000).into();
    let size = body.to_string().len();
    for (operation, ..) in operations() {
        for (limit, expected) in [(size, true), (size - 1, false), (10, false)] {
            let luma = builder(simulator.url()).max_response_bytes(limit);
            let luma = luma.build().expect("a client");
            let before = simulator.stats().requests();
            simulator.inject(Fault::status(200).json(body.clone()).always());
            assert_eq!(call(&luma, &operation).await, expected, "{operation} {limit}");
            // It would be too large again.
            assert_eq!(simulator.stats().requests(), before + 1, "{operation} {limit}");
            simulator.clear_faults();
        }
    }
}

#[tokio::test]
async fn each_operation_is_retried_as_its_cost_allows() {
    let (simulator, luma) = start().await;
    for (operation, _, is_free) in operations() {
        for (status, is_retried) in
            [(429, true), (503, is_free), (500, is_free), (408, is_free), (400, false)]
        {
            let before = simulator.stats().requests();
            simulator.inject(Fault::status(status));
            simulator.inject(Fault::status(200).json(body()));
            assert_eq!(call(&luma, &operation).await, is_retried, "{operation} {status}");
            let sent = simulator.stats().requests() - before;
            assert_eq!(sent, 1 + u64::from(is_retried), "{operation} {status}");
            simulator.clear_faults();
        }
    }
}

#[tokio::test]
async fn each_operation_accepts_any_success() {
    let (simulator, luma) = start().await;
    for (operation, ..) in operations() {
        for status in [200, 201, 202, 203, 206, 226, 299] {
            let before = simulator.stats().requests();
            simulator.inject(Fault::status(status).json(body()));
            assert!(call(&luma, &operation).await, "{operation} {status}");
            assert_eq!(simulator.stats().requests(), before + 1, "{operation} {status}");
        }
    }
}
