//! Awaiting a video by its callback, with polling as the safety net.
//!
//! ```sh
//! cargo run --example webhook
//! ```
//!
//! A web server takes the callbacks and hands them to the client; whoever awaits the task wakes at
//! once. Where no callback comes (a restart, a firewall, a lost request), the wait polls as ever. The
//! service is simulated here; with the real one, `callback_url` has to be reachable from outside.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::StatusCode,
    routing::post,
};
use luma_client::{Luma, Pace, simulator::Simulator, webhook};
use tokio::net::TcpListener;

#[derive(Clone)]
struct App {
    luma: Luma,
    /// Callbacks are unsigned: only the service knows where to send them.
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
async fn main() -> Result<(), Box<dyn Error>> {
    let simulator = Simulator::with_duration(Duration::from_secs(1)).await?;
    let luma = Luma::builder()
        .token("any")
        .base_url(simulator.url())
        .build()?;

    let secret: String = std::iter::repeat_with(fastrand::alphanumeric)
        .take(32)
        .collect();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = Router::new()
        .route("/luma/{secret}", post(callback))
        .layer(DefaultBodyLimit::max(webhook::MAX_BYTES))
        .with_state(App {
            luma: luma.clone(),
            secret: secret.clone(),
        });
    tokio::spawn(async move { axum::serve(listener, app).await });

    // The callback wins: the first poll would come after half a minute.
    let begin = Instant::now();
    let task = luma
        .generate("A lighthouse at dusk, waves, slow zoom in")
        .callback_url(format!("http://{address}/luma/{secret}"))
        .submit()
        .await?;
    let video = task
        .wait()
        .pace(Pace::fixed(Duration::from_secs(30)))
        .await?;
    println!("called back after {:.1?}: {video}", begin.elapsed());
    assert_eq!(simulator.stats().lookups, 0);

    // The callback never comes: nobody listens there. Polling covers it.
    let begin = Instant::now();
    let task = luma
        .generate("The same lighthouse in a storm")
        .callback_url("http://127.0.0.1:9/nobody")
        .submit()
        .await?;
    let video = task
        .wait()
        .pace(Pace::fixed(Duration::from_millis(400)))
        .await?;
    println!("found by polling after {:.1?}: {video}", begin.elapsed());
    assert!(simulator.stats().lookups > 0);
    Ok(())
}
