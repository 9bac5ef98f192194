//! A service that speaks HTTP/2 without TLS, and turns each submit away after it has come.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use h2::{Reason, server};
use tokio::net::TcpListener;

/// How a submit is turned away: both are ways to say "try again", which many clients do.
#[derive(Clone, Copy, Debug)]
pub enum Refusal {
    RefusedStream,
    GoAway,
}

/// Starts it. Gives its URL, and how many submits came.
pub async fn start(refusal: Refusal) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let submits = Arc::new(AtomicU32::new(0));
    let count = submits.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, refusal, count.clone()));
        }
    });
    (url, submits)
}

async fn serve(stream: tokio::net::TcpStream, refusal: Refusal, count: Arc<AtomicU32>) {
    let Ok(mut connection) = server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        count.fetch_add(1, Ordering::SeqCst);
        assert!(request.headers().contains_key("authorization"));
        match refusal {
            Refusal::RefusedStream => respond.send_reset(Reason::REFUSED_STREAM),
            // The last stream that counts is the one before.
            Refusal::GoAway => connection.abrupt_shutdown(Reason::NO_ERROR),
        }
    }
}

/// A service that speaks HTTP/2 without TLS, and answers once so many lookups wait for it. Gives its
/// URL, and how many connections were made.
pub async fn answers_together(lookups: usize) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let connections = Arc::new(AtomicU32::new(0));
    let count = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(answer_together(stream, lookups));
        }
    });
    (url, connections)
}

async fn answer_together(stream: tokio::net::TcpStream, lookups: usize) {
    let mut connection = server::handshake(stream).await.expect("HTTP/2");
    let mut waiting = Vec::new();
    while let Some(Ok(lookup)) = connection.accept().await {
        waiting.push(lookup);
        if waiting.len() == lookups {
            for (_request, mut respond) in waiting.drain(..) {
                let mut body = respond
                    .send_response(http::Response::new(()), false)
                    .expect("an open stream");
                body.send_data(r#"{"id":"a","state":"processing"}"#.into(), true)
                    .expect("an open stream");
            }
        }
    }
}
