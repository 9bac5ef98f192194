//! Callbacks and polling together: whichever comes first.

use std::time::Duration;

use luma_client::{Luma, PollInterval, webhook};
use luma_simulator::TaskScript;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{JOB, PATIENCE, quick, start};

/// Where callbacks for this client go: an HTTP server that takes each in twice, which does no harm.
async fn receiver(luma: &Luma) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let luma = luma.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            let task = loop {
                stream.read_buf(&mut request).await.expect("a request");
                let text = String::from_utf8_lossy(&request);
                let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
                // The body is whole once it is JSON.
                if let Some(Ok(task)) = body.map(|body| webhook::parse(body.as_bytes())) {
                    break task;
                }
            };
            luma.notify(task.clone());
            luma.notify(task);
            let response = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(response).await;
        }
    });
    format!("http://{address}/secret")
}

#[tokio::test]
async fn callback_before_the_first_lookup_ends_the_wait() {
    let (simulator, luma) = start(JOB).await;
    let url = receiver(&luma).await;
    let submit = luma.generate("A lighthouse").callback_url(url).submit();
    let task = submit.await.expect("accepted");
    let wait = task.wait().interval(PollInterval::fixed(2 * PATIENCE));
    wait.deadline(PATIENCE).await.expect("a video");
    assert_eq!(simulator.stats().lookups, 0);
}

#[tokio::test]
async fn callback_of_a_failure_ends_the_wait() {
    let (simulator, luma) = start(JOB).await;
    simulator.on_submit(TaskScript::fails("forbidden", "Not this."));
    let url = receiver(&luma).await;
    let submit = luma.generate("A lighthouse").callback_url(url).submit();
    let task = submit.await.expect("accepted");
    let end = task.wait().interval(PollInterval::fixed(2 * PATIENCE)).await;
    assert!(end.is_err());
    assert_eq!(simulator.stats().lookups, 0);
}

#[tokio::test]
async fn callback_before_the_wait_is_kept() {
    let (simulator, luma) = start(Duration::ZERO).await;
    let url = receiver(&luma).await;
    let submit = luma.generate("A lighthouse").callback_url(url).submit();
    let task = submit.await.expect("accepted");
    let delivered = async {
        while simulator.stats().webhooks_delivered == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, delivered).await.expect("a callback");
    task.wait().await.expect("a video");
    assert_eq!(simulator.stats().lookups, 0);
}

#[tokio::test]
async fn callback_that_never_comes_is_covered_by_polling() {
    let (simulator, luma) = start(JOB).await;
    let closed = "http://127.0.0.1:9/closed";
    let submit = luma.generate("A lighthouse").callback_url(closed).submit();
    let task = submit.await.expect("accepted");
    task.wait().interval(quick()).await.expect("a video");
    assert!(simulator.stats().lookups > 0);
}
