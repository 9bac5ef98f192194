//! A service that speaks HTTP/2 without TLS.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use h2::{Reason, server};
use tokio::net::{TcpListener, TcpStream};

/// What it does with requests.
#[derive(Clone, Copy, Debug)]
pub enum Behavior {
    /// Resets each, in a way that says "try again".
    RefusedStream,
    /// Closes the connection, likewise.
    GoAway,
    /// Responds once this many lookups wait.
    Together(usize),
}

/// How many of each it got.
#[derive(Debug, Default)]
pub struct Counts {
    pub connections: AtomicU32,
    pub requests: AtomicU32,
}

/// An HTTP client for it.
pub fn client() -> reqwest::ClientBuilder {
    super::bare().http2_prior_knowledge()
}

/// Starts it; returns its URL.
pub async fn start(behavior: Behavior) -> (String, Arc<Counts>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let counts = Arc::new(Counts::default());
    let shared = counts.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            shared.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream, behavior, shared.clone()));
        }
    });
    (url, counts)
}

async fn serve(stream: TcpStream, behavior: Behavior, counts: Arc<Counts>) {
    let Ok(mut connection) = server::handshake(stream).await else {
        return;
    };
    let mut waiting = Vec::new();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        counts.requests.fetch_add(1, Ordering::SeqCst);
        assert!(request.headers().contains_key("authorization"));
        match behavior {
            Behavior::RefusedStream => respond.send_reset(Reason::REFUSED_STREAM),
            Behavior::GoAway => connection.abrupt_shutdown(Reason::NO_ERROR),
            Behavior::Together(count) => {
                waiting.push((request, respond));
                if waiting.len() < count {
                    continue;
                }
                for (_request, mut respond) in waiting.drain(..) {
                    let head = http::Response::new(());
                    let mut body = respond.send_response(head, false).expect("a stream");
                    let text = r#"{"id":"a","state":"processing"}"#;
                    body.send_data(text.into(), true).expect("a stream");
                }
            }
        }
    }
}
