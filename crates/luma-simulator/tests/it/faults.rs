//! Each way of going wrong, and what was accepted in spite of it.

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
async fn an_answer_of_its_own() {
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
    assert!(
        response.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );
    assert!(
        response
            .text()
            .await
            .unwrap()
            .starts_with("<!DOCTYPE html>")
    );

    sim.inject(Fault::retry_after(429, "Sat, 01 Aug 2026 00:00:00 GMT"));
    let response = try_submit(&sim).await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(
        response.headers()["retry-after"],
        "Sat, 01 Aug 2026 00:00:00 GMT"
    );

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
async fn an_answer_that_cannot_be_sent_says_so() {
    let sim = start(AT_ONCE).await;
    for fault in [Fault::status(1), Fault::status(200).header("b a d", "x")] {
        sim.inject(fault);
        let response = try_submit(&sim).await.unwrap();
        assert_eq!(response.status(), 500);
        assert!(response.text().await.unwrap().contains("cannot be sent"));
    }
}

#[tokio::test]
async fn an_answer_of_its_own_after_accepting() {
    let sim = start(AT_ONCE).await;
    sim.inject(Fault::html(502).accepting(true));
    assert_eq!(try_submit(&sim).await.unwrap().status(), 502);
    sim.inject(Fault::replace_body(200, "application/json", "{").accepting(true));
    assert_eq!(try_submit(&sim).await.unwrap().text().await.unwrap(), "{");
    assert_eq!(sim.stats().submits_accepted, 2);
    assert_eq!(sim.task_count(), 2);
}

#[tokio::test]
async fn resets_before_and_after_accepting() {
    let sim = start(AT_ONCE).await;
    for (fault, billed) in [(Fault::reset_before(), 0), (Fault::reset_after(), 1)] {
        sim.inject(fault.clone().times(2));
        let (received, end) = raw_submit(&sim).await;
        assert!(received.is_empty());
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(sim.stats().submits_accepted, billed);
        let error = try_submit(&sim).await.unwrap_err();
        assert_eq!(
            io_error(&error),
            Some(io::ErrorKind::ConnectionReset),
            "{error:?}"
        );
        assert_eq!(sim.stats().submits_accepted, 2 * billed);
    }
    submitted(&sim).await;
}

#[tokio::test]
async fn a_truncated_answer_promises_more_than_it_sends() {
    let sim = start(AT_ONCE).await;
    sim.inject(Fault::truncated().times(2));
    let (received, end) = raw_submit(&sim).await;
    end.expect("closed, not reset");
    let received = String::from_utf8(received).unwrap();
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    let promised = json!({ "task_id": sim.tasks()[0]["id"] }).to_string();
    assert!(
        head.contains(&format!("content-length: {}", promised.len())),
        "{head}"
    );
    assert_eq!(body, &promised[..promised.len() / 2]);
    let error = try_submit(&sim).await.unwrap().bytes().await.unwrap_err();
    assert!(error.is_body() || error.is_decode(), "{error:?}");
    assert_eq!(sim.stats().submits_accepted, 2);
}

#[tokio::test]
async fn a_truncated_answer_too_big_for_the_socket_is_cut_where_it_should() {
    let sim = start(AT_ONCE).await;
    let id = submitted(&sim).await;
    let length = 16 << 20;
    sim.set_video(vec![7; length]);
    sim.inject(Fault::truncated());
    let mut response = client()
        .get(sim.video_url(&id).unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(response.content_length(), Some(length as u64));
    let mut received = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        received += chunk.len();
    }
    assert_eq!(received, length / 2);
}

#[tokio::test]
async fn slow_and_dripping_answers_are_whole() {
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
async fn silence_before_and_after_accepting() {
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
async fn large_body_has_its_size() {
    let sim = start(AT_ONCE).await;
    let length = 3_000_000;
    sim.inject(Fault::large_body(length));
    let response = try_submit(&sim).await.unwrap();
    assert_eq!(response.content_length(), Some(length as u64));
    assert_eq!(response.bytes().await.unwrap().len(), length);
}

#[tokio::test]
async fn faults_strike_their_target_so_often() {
    let sim = start(AT_ONCE).await;
    let id = submitted(&sim).await;
    let video = sim.video_url(&id).unwrap();
    let statuses = async || {
        let submit = try_submit(&sim).await.unwrap().status().as_u16();
        let lookup = lookup(&sim, json!({ "action": "retrieve", "id": id }))
            .await
            .status()
            .as_u16();
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
