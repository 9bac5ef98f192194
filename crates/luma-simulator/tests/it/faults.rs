//! Each fault, and whether the request was accepted.

use std::{error::Error, io};

use luma_simulator::{Fault, Target};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use super::*;

fn request() -> Value {
    json!({ "prompt": "a", "async": true })
}

fn try_submit(sim: &Simulator) -> impl Future<Output = reqwest::Result<Response>> + use<> {
    post(sim, "/luma/videos", &request()).send()
}

fn io_error(error: &reqwest::Error) -> Option<io::ErrorKind> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        source = error.source();
    }
    None
}

/// Sends a submit on a bare socket; what comes back, and how it ends.
async fn raw_submit(sim: &Simulator) -> (Vec<u8>, io::Result<usize>) {
    let address = sim.url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = request().to_string();
    let head = format!(
        "POST /luma/videos HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer any\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len(),
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut received = Vec::new();
    let end = stream.read_to_end(&mut received).await;
    (received, end)
}

#[tokio::test]
async fn own_response_replaces_real_one() {
    let sim = start(AT_ONCE).await;
    sim.inject(Fault::status(503).header("x-odd", "1").body("busy"));
    let response = try_submit(&sim).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-odd"]),
        (503, &"1".parse().unwrap())
    );
    assert_eq!(response.text().await.unwrap(), "busy");

    sim.inject(Fault::status(500).json(json!({ "detail": "oh" })));
    let response = try_submit(&sim).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(
        read(response).await,
        (StatusCode::INTERNAL_SERVER_ERROR, json!({ "detail": "oh" }))
    );

    sim.inject(Fault::status(502));
    assert_eq!(try_submit(&sim).await.unwrap().text().await.unwrap(), "");

    sim.inject(Fault::html(502));
    let response = try_submit(&sim).await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(response.text().await.unwrap().starts_with("<!DOCTYPE html>"));

    sim.inject(Fault::retry_after(429, "Sat, 01 Aug 2026 00:00:00 GMT"));
    let response = try_submit(&sim).await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "Sat, 01 Aug 2026 00:00:00 GMT");

    sim.inject(Fault::redirect(307, "http://elsewhere.test/"));
    let response = try_submit(&sim).await.unwrap();
    assert_eq!(response.status(), 307);
    assert_eq!(response.headers()["location"], "http://elsewhere.test/");

    sim.inject(Fault::replace_body(200, "text/plain", "not what you think"));
    let response = try_submit(&sim).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert_eq!(response.text().await.unwrap(), "not what you think");

    assert_eq!(sim.stats().submits_accepted, 0);
    assert_eq!(sim.stats().faults, 7);
}

#[tokio::test]
async fn invalid_change_says_so() {
    let sim = start(AT_ONCE).await;
    for fault in [Fault::status(1), Fault::status(200).header("b a d", "x")] {
        sim.inject(fault);
        let response = try_submit(&sim).await.unwrap();
        assert_eq!(response.status(), 500);
        assert!(response.text().await.unwrap().contains("cannot be sent"));
    }
}

#[tokio::test]
async fn own_response_after_accepting() {
    let sim = start(AT_ONCE).await;
    sim.inject(Fault::html(502).accepting(true));
    assert_eq!(try_submit(&sim).await.unwrap().status(), 502);
    sim.inject(Fault::replace_body(200, "application/json", "{").accepting(true));
    assert_eq!(try_submit(&sim).await.unwrap().text().await.unwrap(), "{");
    assert_eq!(sim.stats().submits_accepted, 2);
    assert_eq!(sim.task_count(), 2);
}

#[tokio::test]
async fn reset_before_or_after_accepting() {
    let sim = start(AT_ONCE).await;
    for (fault, billed) in [(Fault::reset_before(), 0), (Fault::reset_after(), 1)] {
        sim.inject(fault.clone().times(2));
        let (received, end) = raw_submit(&sim).await;
        assert!(received.is_empty());
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(sim.stats().submits_accepted, billed);
        let error = try_submit(&sim).await.unwrap_err();
        assert_eq!(io_error(&error), Some(io::ErrorKind::ConnectionReset), "{error:?}");
        assert_eq!(sim.stats().submits_accepted, 2 * billed);
    }
    submitted(&sim).await;
}

#[tokio::test]
async fn truncated_response_promises_more_than_it_sends() {
    let sim = start(AT_ONCE).await;
    sim.inject(Fault::truncated().times(2));
    let (received, end) = raw_submit(&sim).await;
    end.expect("closed, not reset");
    let received = String::from_utf8(received).unwrap();
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    let promised = json!({ "task_id": sim.tasks()[0]["id"] }).to_string();
    assert!(head.contains(&format!("content-length: {}", promised.len())), "{head}");
    assert_eq!(body, &promised[..promised.len() / 2]);
    let error = try_submit(&sim).await.unwrap().bytes().await.unwrap_err();
    assert!(error.is_body() || error.is_decode(), "{error:?}");
    assert_eq!(sim.stats().submits_accepted, 2);
}

#[tokio::test]
async fn truncated_large_response_ends_after_half() {
    let sim = start(AT_ONCE).await;
    let id = submitted(&sim).await;
    let length = 16 << 20;
    sim.set_video(vec![7; length]);
    sim.inject(Fault::truncated());
    let mut response = client().get(sim.video_url(&id).unwrap()).send().await.unwrap();
    assert_eq!(response.content_length(), Some(length as u64));
    let mut received = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        received += chunk.len();
    }
    assert_eq!(received, length / 2);
}

#[tokio::test]
async fn slow_and_dripping_responses_are_whole() {
    let sim = start(AT_ONCE).await;
    let (started, delay) = (Instant::now(), Duration::from_millis(100));
    sim.inject(Fault::slow(delay));
    let (_, answer) = read(try_submit(&sim).await.unwrap()).await;
    assert!(started.elapsed() >= delay);
    assert!(answer["task_id"].is_string());

    let started = Instant::now();
    sim.inject(Fault::drip(10, Duration::from_millis(10)));
    let response = try_submit(&sim).await.unwrap();
    let length = response.content_length().unwrap();
    assert!(read(response).await.1["task_id"].is_string());
    assert!(started.elapsed() >= Duration::from_millis(10) * length.div_ceil(10) as u32);
    sim.inject(Fault::drip(0, Duration::ZERO));
    assert!(read(try_submit(&sim).await.unwrap()).await.1["task_id"].is_string());
    assert_eq!(sim.stats().submits_accepted, 3);
}

#[tokio::test]
async fn silence_before_or_after_accepting() {
    let sim = start(AT_ONCE).await;
    for accepting in [false, true] {
        sim.inject(Fault::silence().accepting(accepting));
        let request = post(&sim, "/luma/videos", &request()).timeout(Duration::from_millis(300));
        assert!(request.send().await.unwrap_err().is_timeout());
    }
    assert_eq!(sim.stats().submits_received, 2);
    assert_eq!(sim.stats().submits_accepted, 1);
}

#[tokio::test]
async fn fault_affects_its_target_for_counted_times() {
    let sim = start(AT_ONCE).await;
    let id = submitted(&sim).await;
    let video = sim.video_url(&id).unwrap();
    let statuses = async || {
        let submit = try_submit(&sim).await.unwrap().status().as_u16();
        let lookup =
            lookup(&sim, json!({ "action": "retrieve", "id": id })).await.status().as_u16();
        let media = client().get(&video).send().await.unwrap().status().as_u16();
        [submit, lookup, media]
    };
    sim.inject(Fault::status(501).on(Target::Submit));
    sim.inject(Fault::status(502).on(Target::Lookup).times(2));
    sim.inject(Fault::status(503).on(Target::Media).times(3));
    assert_eq!(statuses().await, [501, 502, 503]);
    assert_eq!(statuses().await, [200, 502, 503]);
    assert_eq!(statuses().await, [200, 200, 503]);
    assert_eq!(statuses().await, [200, 200, 200]);
    sim.inject(Fault::status(500).always());
    sim.inject(Fault::status(418));
    assert_eq!(statuses().await, [418, 500, 500]);
    sim.clear_faults();
    assert_eq!(statuses().await, [200, 200, 200]);
}

/// A finished video: the simulator, the URL and the bytes.
async fn video() -> (Simulator, String, Vec<u8>) {
    let sim = start(AT_ONCE).await;
    let id = submitted(&sim).await;
    let url = sim.video_url(&id).unwrap();
    let bytes = client().get(&url).send().await.unwrap().bytes().await;
    (sim, url, bytes.unwrap().to_vec())
}

async fn range(url: &str) -> Response {
    let request = client().get(url).header("range", "bytes=100-199");
    request.send().await.unwrap()
}

#[tokio::test]
async fn range_fault_spares_whole_files() {
    let (sim, url, _) = video().await;
    for status in [403, 416, 503] {
        sim.inject(Fault::status(status).on(Target::Range));
        let whole = client().get(&url).send().await.unwrap();
        assert_eq!(whole.status(), 200);
        assert_eq!(range(&url).await.status(), status);
        assert_eq!(range(&url).await.status(), 206);
    }
    sim.inject(Fault::status(500).on(Target::Media));
    assert_eq!(range(&url).await.status(), 500, "a range is media, too");
}

#[tokio::test]
async fn altered_response_keeps_the_rest() {
    let (sim, url, bytes) = video().await;
    let wrong_range = Fault::altered().header("content-range", "bytes 0-99/200");
    sim.inject(wrong_range.on(Target::Range));
    let response = range(&url).await;
    assert_eq!(response.status(), 206);
    assert_eq!(response.headers()["content-range"], "bytes 0-99/200");
    assert_eq!(response.bytes().await.unwrap(), bytes[100..200]);

    let without_range = Fault::altered().without_header("content-range");
    sim.inject(without_range.clone());
    let response = range(&url).await;
    assert_eq!(response.status(), 206);
    assert!(!response.headers().contains_key("content-range"));

    sim.inject(without_range.with_status(200));
    let response = range(&url).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.bytes().await.unwrap(), bytes[100..200]);

    sim.inject(Fault::altered().header("content-type", "application/octet-stream"));
    let response = range(&url).await;
    assert_eq!(response.headers()["content-type"], "application/octet-stream");

    sim.inject(Fault::altered().map_body(|body| body.slice(..50)));
    let response = range(&url).await;
    assert_eq!(response.content_length(), Some(50));
    assert_eq!(response.bytes().await.unwrap(), bytes[100..150]);

    sim.inject(Fault::altered().without_header("content-length"));
    let response = range(&url).await;
    assert_eq!(response.content_length(), None);
    assert_eq!(response.bytes().await.unwrap(), bytes[100..200]);

    for status in [201, 202, 203, 204] {
        sim.inject(Fault::altered().with_status(status));
        assert_eq!(try_submit(&sim).await.unwrap().status(), status);
    }
    assert_eq!(sim.stats().submits_accepted, 5);
}

#[tokio::test]
async fn damaged_json_contains_the_damage() {
    let sim = start(AT_ONCE).await;
    sim.inject(Fault::byte_order_mark());
    let body = try_submit(&sim).await.unwrap().bytes().await.unwrap();
    assert!(body.starts_with(b"\xef\xbb\xbf{\"task_id\""), "{body:?}");

    sim.inject(Fault::altered().map_body(|body| {
        let text = String::from_utf8_lossy(&body);
        text.replacen('{', r#"{"note":"\ud800","#, 1).into()
    }));
    let body = try_submit(&sim).await.unwrap().text().await.unwrap();
    assert!(body.starts_with(r#"{"note":"\ud800","task_id""#), "{body}");

    sim.inject(Fault::gzip());
    let response = try_submit(&sim).await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert!(response.bytes().await.unwrap().starts_with(&[0x1f, 0x8b]));
    assert_eq!(sim.stats().submits_accepted, 3);
}

#[tokio::test]
async fn close_ends_connection_without_response() {
    let sim = start(AT_ONCE).await;
    for (accepting, accepted) in [(false, 0), (true, 1)] {
        sim.inject(Fault::close().accepting(accepting));
        let (received, end) = raw_submit(&sim).await;
        assert!(received.is_empty());
        end.expect("closed, not reset");
        assert_eq!(sim.stats().submits_accepted, accepted);
    }
}

#[tokio::test(start_paused = true)]
async fn late_submit_is_accepted_after_the_fault() {
    let sim = start(AT_ONCE).await;
    let delay = Duration::from_secs(5);
    sim.inject(Fault::reset_before().accepting_after(delay));
    sim.inject(Fault::html(504).accepting_after(delay));
    try_submit(&sim).await.unwrap_err();
    assert_eq!(try_submit(&sim).await.unwrap().status(), 504);
    assert_eq!(sim.stats().submits_accepted, 0);
    tokio::time::sleep(2 * delay).await;
    assert_eq!(sim.stats().submits_accepted, 2);
    assert_eq!(sim.task_count(), 2);
}
