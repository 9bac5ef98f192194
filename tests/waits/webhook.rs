//! Callbacks and polling together: whichever comes first.

use std::time::Duration;

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use luma_client::{Luma, Pace, simulator::TaskScript, webhook};
use tokio::net::TcpListener;

use super::{JOB, PATIENCE, quick, start};

async fn receive(State(luma): State<Luma>, body: Bytes) -> StatusCode {
    match webhook::parse(&body) {
        Ok(task) => {
            // Twice does no harm.
            luma.notify(task.clone());
            luma.notify(task);
            StatusCode::NO_CONTENT
        }
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

/// Where callbacks for this client go.
async fn receiver(luma: &Luma) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = Router::new()
        .route("/secret", post(receive))
        .with_state(luma.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/secret")
}

#[tokio::test]
async fn the_callback_comes_before_the_first_poll() {
    let (simulator, luma) = start(JOB).await;
    let url = receiver(&luma).await;
    let submit = luma.generate("A lighthouse").callback_url(url).submit();
    let task = submit.await.expect("accepted");
    let wait = task.wait().pace(Pace::fixed(2 * PATIENCE));
    wait.deadline(PATIENCE).await.expect("a video");
    assert_eq!(simulator.stats().lookups, 0);
}

#[tokio::test]
async fn the_callback_of_a_failure_ends_the_wait_too() {
    let (simulator, luma) = start(JOB).await;
    simulator.on_submit(TaskScript::fails("forbidden", "Not this."));
    let url = receiver(&luma).await;
    let submit = luma.generate("A lighthouse").callback_url(url).submit();
    let task = submit.await.expect("accepted");
    let end = task.wait().pace(Pace::fixed(2 * PATIENCE)).await;
    assert!(end.is_err());
    assert_eq!(simulator.stats().lookups, 0);
}

#[tokio::test]
async fn the_callback_comes_before_the_wait() {
    let (simulator, luma) = start(Duration::ZERO).await;
    let url = receiver(&luma).await;
    let submit = luma.generate("A lighthouse").callback_url(url).submit();
    let task = submit.await.expect("accepted");
    let delivered = async {
        while simulator.stats().webhooks_delivered == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, delivered)
        .await
        .expect("a callback");
    task.await.expect("a video");
    assert_eq!(simulator.stats().lookups, 0);
}

#[tokio::test]
async fn polling_covers_a_callback_that_never_comes() {
    let (simulator, luma) = start(JOB).await;
    let nobody = "http://127.0.0.1:9/nobody";
    let submit = luma.generate("A lighthouse").callback_url(nobody).submit();
    let task = submit.await.expect("accepted");
    task.wait().pace(quick()).await.expect("a video");
    assert!(simulator.stats().lookups > 0);
}
