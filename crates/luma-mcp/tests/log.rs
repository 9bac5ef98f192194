//! What the server writes to its log. A binary of its own, because loggers of one process share their state.

use std::sync::{Arc, Mutex};

use luma_client::{CancellationToken, Luma};
use luma_mcp::{Access, HttpOptions, Server};
use luma_simulator::Simulator;
use reqwest::{StatusCode, header};
use serde_json::json;

const TOKEN: &str = "s3cret-api-token";
const KEY: &str = "an-access-key-of-the-server";

/// Everything that is logged, at the most verbose level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn run(server: Server, access: Access) -> String {
    let options = HttpOptions::new("127.0.0.1:0".parse().expect("an address"), access);
    let server = server.listen(options).await.expect("a server");
    let url = server.url();
    tokio::spawn(server.run(CancellationToken::new()));
    url
}

async fn list_tools(url: &str, authorization: &str) -> StatusCode {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let request = reqwest::Client::new().post(url).json(&body);
    let request = request.header(header::AUTHORIZATION, authorization);
    request.send().await.expect("an answer").status()
}

#[tokio::test]
async fn log_of_requests_shows_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).expect("the only logger");

    let simulator = Simulator::start().await.expect("a simulator");
    let luma = Luma::builder().token(TOKEN).base_url(simulator.url()).build().expect("a client");
    let own = run(Server::new(luma.clone()), Access::Key(KEY.to_owned().into())).await;
    let open = run(Server::without_token(luma, "no token"), Access::TokenFromRequest).await;
    for (url, bearer) in [(&own, KEY), (&open, "token-of-one")] {
        let good = list_tools(url, &format!("Bearer {bearer}")).await;
        assert_eq!(good, StatusCode::OK);
        let wrong = list_tools(url, "Basic a-wrong-secret").await;
        assert_eq!(wrong, StatusCode::UNAUTHORIZED);
    }
    let log = String::from_utf8_lossy(&log.0.lock().expect("no panic")).into_owned();
    assert!(log.contains("received request"), "{log}");
    for secret in [KEY, TOKEN, "token-of-one", "a-wrong-secret"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
