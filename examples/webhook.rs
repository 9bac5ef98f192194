//! Waits for a video by its callback, with polling as the fallback.
//!
//! ```sh
//! cargo run --example webhook
//! ```
//!
//! A web server receives the callbacks and hands them to the client, which ends the wait at once. If no
//! callback comes (a restart, a firewall, a lost request), the wait polls. The service is simulated
//! here; the real one must be able to reach `callback_url`.

use std::time::{Duration, Instant};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::StatusCode,
    routing::post,
};
use luma_client::{Luma, PollInterval, webhook};
use luma_simulator::Simulator;
use tokio::net::TcpListener;

#[derive(Clone)]
struct App {
    luma: Luma,
    /// Callbacks are unsigned: a secret in the URL keeps others out.
    secret: String,
}

async fn callback(State(app): State<App>, Path(secret): Path<String>, body: Bytes) -> StatusCode {
    if secret != app.secret {
        return StatusCode::NOT_FOUND;
    }
    match webhook::parse(&body) {
        Ok(task) => {
            app.luma.notify(task);
            StatusCode::NO_CONTENT
        }
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let simulator = Simulator::with_duration(Duration::from_secs(1)).await?;
    let luma = Luma::builder().token("any").base_url(simulator.url()).build()?;

    let secret: String = std::iter::repeat_with(fastrand::alphanumeric).take(32).collect();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = Router::new()
        .route("/luma/{secret}", post(callback))
        .layer(DefaultBodyLimit::max(webhook::MAX_BYTES))
        .with_state(App { luma: luma.clone(), secret: secret.clone() });
    tokio::spawn(async move { axum::serve(listener, app).await });

    // The callback comes first: the first poll would come after half a minute.
    let begin = Instant::now();
    let task = luma
        .generate("A lighthouse at dusk, waves, slow zoom in")
        .callback_url(format!("http://{address}/luma/{secret}"))
        .submit()
        .await?;
    let rarely = PollInterval::fixed(Duration::from_secs(30));
    let video = task.wait().interval(rarely).await?;
    println!("called back after {:.1?}: {video}", begin.elapsed());
    assert_eq!(simulator.stats().lookups, 0);

    // The callback never comes, because nothing listens there. Polling finds the video.
    let begin = Instant::now();
    let task = luma
        .generate("The same lighthouse in a storm")
        .callback_url("http://127.0.0.1:9/nothing")
        .submit()
        .await?;
    let video = task.wait().await?;
    println!("found by polling after {:.1?}: {video}", begin.elapsed());
    assert!(simulator.stats().lookups > 0);
    Ok(())
}
