//! What a submit sends, to the byte; and what is refused before anything is sent.

use std::time::Duration;

use luma_client::{
    AspectRatio, InvalidInput, Submission, SubmitError, VideoSource,
    http_types::header::{HeaderMap, HeaderName},
};
use luma_simulator::{Fault, Simulator};
use tokio::sync::{mpsc, oneshot};

use crate::support::{TOKEN, builder, client, start};

const URL: &str = "https://a.example/";

#[test]
fn request_has_only_fields_that_were_set() {
    let luma = client("http://127.0.0.1:9");
    let generate = || luma.generate("A fox");
    let extend = |source| luma.extend(source, "On").prepare();
    for (submission, body) in [
        (generate().prepare(), r#"{"action":"generate","async":true,"prompt":"A fox"}"#),
        (
            generate().aspect_ratio(AspectRatio::Ratio21x9).prepare(),
            r#"{"action":"generate","aspect_ratio":"21:9","async":true,"prompt":"A fox"}"#,
        ),
        (
            generate().aspect_ratio(AspectRatio::Other("2:1".into())).prepare(),
            r#"{"action":"generate","aspect_ratio":"2:1","async":true,"prompt":"A fox"}"#,
        ),
        (
            generate().loop_video(false).enhancement(false).prepare(),
            r#"{"action":"generate","async":true,"enhancement":false,"loop":false,"prompt":"A fox"}"#,
        ),
        (
            generate()
                .start_image_url(format!("{URL}s.jpg"))
                .end_image_url(format!("{URL}e.jpg"))
                .prepare(),
            r#"{"action":"generate","async":true,"end_image_url":"https://a.example/e.jpg","prompt":"A fox","start_image_url":"https://a.example/s.jpg"}"#,
        ),
        (
            generate().callback_url(format!("{URL}hook?key=1")).prepare(),
            r#"{"action":"generate","async":true,"callback_url":"https://a.example/hook?key=1","prompt":"A fox"}"#,
        ),
        (
            extend(VideoSource::VideoId("v1".into())),
            r#"{"action":"extend","async":true,"prompt":"On","video_id":"v1"}"#,
        ),
        (
            extend(VideoSource::Url(format!("{URL}v.mp4"))),
            r#"{"action":"extend","async":true,"prompt":"On","video_url":"https://a.example/v.mp4"}"#,
        ),
    ] {
        let submission: Submission = submission.expect("valid");
        let sent = serde_json::to_string(submission.request()).expect("JSON");
        assert_eq!(sent, body);
    }
}

/// The rows of what is refused are unit tests; here is that each setter comes through the check.
#[tokio::test]
async fn invalid_input_sends_nothing() {
    let (simulator, luma) = start().await;
    let generate = || luma.generate("A fox");
    for (submit, field) in [
        (generate().start_image_url("a").submit().await, "start_image_url"),
        (generate().end_image_url("a").submit().await, "end_image_url"),
        (generate().callback_url("a").submit().await, "callback_url"),
        (luma.extend(VideoSource::Url("a".into()), "On").submit().await, "video_url"),
        (luma.extend(VideoSource::VideoId(" ".into()), "On").submit().await, "video id"),
        (luma.generate(" \u{200b}").submit().await, "prompt"),
        (generate().aspect_ratio(AspectRatio::Other(String::new())).submit().await, "aspect ratio"),
    ] {
        let error = submit.expect_err("refused");
        assert!(matches!(error, SubmitError::InvalidInput(_)), "{error:?}");
        assert!(error.to_string().contains(field), "{error}");
        assert!(!error.may_have_been_accepted() && !error.is_retryable());
    }
    let error = generate().start_image_url("ftp://key:s3cret@a.example/s.jpg?sig=s3cret").prepare();
    let expected =
        InvalidInput::Url { field: "start_image_url", url: "…@a.example/s.jpg".to_owned() };
    assert_eq!(error, Err(expected));
    assert_eq!(simulator.stats().requests(), 0);
}

#[tokio::test]
async fn submit_sends_these_bytes_and_headers() {
    let (simulator, luma) = start().await;
    luma.generate("A fox").submit().await.expect("accepted");
    let request = &simulator.requests()[0];
    assert_eq!(request.path, "/luma/videos");
    assert_eq!(request.body, r#"{"action":"generate","async":true,"prompt":"A fox"}"#.as_bytes());
    let header = |name: &str| header(&request.headers, name);
    assert_eq!(header("authorization"), Some(format!("Bearer {TOKEN}")));
    assert_eq!(header("content-type").as_deref(), Some("application/json"));
    assert_eq!(header("api-version"), None);
    let agent = header("user-agent").expect("an agent");
    assert!(agent.starts_with("luma-client/"), "{agent}");
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let name: HeaderName = name.parse().expect("a name");
    Some(headers.get(name)?.to_str().expect("text").to_owned())
}

#[tokio::test]
async fn base_url_may_have_path_and_slash() {
    let simulator = Simulator::start().await.expect("a simulator");
    for (suffix, path) in [("/", "/luma/videos"), ("/proxy/", "/proxy/luma/videos")] {
        let luma = client(&format!("{}{suffix}", simulator.url()));
        let submit = luma.generate("A fox").submit().await;
        assert_eq!(submit.is_ok(), suffix == "/");
        let requests = simulator.requests();
        assert_eq!(requests.last().expect("a request").path, path);
    }
}

#[tokio::test]
async fn video_is_extended_by_its_id() {
    let (simulator, luma) = start().await;
    let first = luma.generate("A fox").submit().await.expect("accepted");
    let video = first.get().await.expect("a task").video().expect("a video");
    let second = luma.extend(&video, "It runs").submit().await.expect("accepted");
    assert_ne!(first.id(), second.id());
    let sent = simulator.requests().pop().expect("a request").json().expect("JSON");
    assert_eq!(sent["video_id"].as_str(), video.id());
    assert!(sent["video_url"].is_null());
}

/// A machine that was suspended has the response in its socket when it wakes up, later than the timeout.
#[tokio::test]
async fn response_that_came_while_nothing_ran_is_read() {
    let (addresses, mut address) = mpsc::unbounded_channel();
    let (arrived, mut arrives) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel::<()>();
    // It runs while this thread does not.
    let service = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let simulator = Simulator::with_duration(Duration::ZERO).await.expect("a simulator");
            let fault = Fault::slow(Duration::from_millis(300)).map_body(move |body| {
                arrived.send(()).expect("a receiver");
                body
            });
            simulator.inject(fault);
            addresses.send(simulator.url().to_owned()).expect("a receiver");
            stopped.await.expect("the end of the test");
            simulator.stats()
        })
    });
    let url = address.recv().await.expect("an address");
    let luma = builder(&url).timeout(Duration::from_secs(2)).build().expect("a client");
    let submit = luma.generate("A fox").submit();
    let suspend = async {
        arrives.recv().await.expect("a request");
        std::thread::sleep(Duration::from_secs(3));
    };
    let (submit, ()) = tokio::join!(submit, suspend);
    submit.expect("accepted");
    stop.send(()).expect("a receiver");
    assert_eq!(service.join().expect("no panic").submits_accepted, 1);
}
