//! What a submit sends, to the byte; and what is refused before anything is sent.

use std::time::Duration;

use luma_client::simulator::Simulator;
use luma_client::{AspectRatio, Error, Extend, Generate, InvalidInput, Luma, Source};

fn client(url: &str) -> Luma {
    Luma::builder()
        .token("a-token")
        .base_url(url)
        .build()
        .expect("a client")
}

fn offline() -> Luma {
    client("http://127.0.0.1:9")
}

#[track_caller]
fn assert_sent(request: Result<luma_client::api::types::VideoRequest, InvalidInput>, body: &str) {
    let request = request.expect("valid");
    assert_eq!(serde_json::to_string(&request).expect("JSON"), body);
}

#[test]
fn only_what_was_set_is_sent() {
    let luma = offline();
    let generate = || luma.generate("A fox");
    for (request, body) in [
        (
            generate(),
            r#"{"action":"generate","async":true,"prompt":"A fox"}"#,
        ),
        (
            generate().aspect_ratio(AspectRatio::Ratio21x9),
            r#"{"action":"generate","aspect_ratio":"21:9","async":true,"prompt":"A fox"}"#,
        ),
        (
            generate().aspect_ratio(AspectRatio::Other("2:1".into())),
            r#"{"action":"generate","aspect_ratio":"2:1","async":true,"prompt":"A fox"}"#,
        ),
        (
            generate().looped(false).enhancement(false),
            r#"{"action":"generate","async":true,"enhancement":false,"loop":false,"prompt":"A fox"}"#,
        ),
        (
            generate()
                .start_image_url("https://a.example/s.jpg")
                .end_image_url("https://a.example/e.jpg"),
            r#"{"action":"generate","async":true,"end_image_url":"https://a.example/e.jpg","prompt":"A fox","start_image_url":"https://a.example/s.jpg"}"#,
        ),
        (
            generate().callback_url("https://a.example/hook?key=1"),
            r#"{"action":"generate","async":true,"callback_url":"https://a.example/hook?key=1","prompt":"A fox"}"#,
        ),
    ] {
        assert_sent(request.request(), body);
    }
    assert_sent(
        luma.extend(Source::VideoId("v1".into()), "On").request(),
        r#"{"action":"extend","async":true,"prompt":"On","video_id":"v1"}"#,
    );
    assert_sent(
        luma.extend(Source::Url("https://a.example/v.mp4".into()), "On")
            .request(),
        r#"{"action":"extend","async":true,"prompt":"On","video_url":"https://a.example/v.mp4"}"#,
    );
}

#[test]
fn what_cannot_work_is_refused() {
    let luma = offline();
    let refused = |draft: Generate| draft.request().expect_err("refused");
    let url = |field, url: &str| InvalidInput::Url {
        field,
        url: url.to_owned(),
    };
    for prompt in ["", "  \n\t", "\u{a0}", "\0", "\u{200b}\u{feff}"] {
        assert_eq!(refused(luma.generate(prompt)), InvalidInput::BlankPrompt);
    }
    for text in [
        "",
        "a.example/s.jpg",
        "ftp://a.example/s.jpg",
        "data:image/png;base64,AA",
        "https://",
        " https://a.example",
        "https:a.example",
        "https:///a.example",
        "https://a.example/ s.jpg",
        "https://a.example/\ns.jpg",
    ] {
        let draft = luma.generate("A fox").start_image_url(text);
        assert!(
            matches!(
                refused(draft),
                InvalidInput::Url {
                    field: "start_image_url",
                    ..
                }
            ),
            "{text}"
        );
        let draft = luma.generate("A fox").end_image_url(text);
        assert!(
            matches!(
                refused(draft),
                InvalidInput::Url {
                    field: "end_image_url",
                    ..
                }
            ),
            "{text}"
        );
        let draft = luma.generate("A fox").callback_url(text);
        assert!(
            matches!(
                refused(draft),
                InvalidInput::Url {
                    field: "callback_url",
                    ..
                }
            ),
            "{text}"
        );
        let draft: Extend = luma.extend(Source::Url(text.into()), "On");
        let error = draft.request().expect_err("refused");
        assert!(
            matches!(
                error,
                InvalidInput::Url {
                    field: "video_url",
                    ..
                }
            ),
            "{text}"
        );
    }
    let signed = "ftp://key:s3cret@a.example/s.jpg?signature=s3cret";
    let error = refused(luma.generate("A fox").start_image_url(signed));
    assert_eq!(error, url("start_image_url", "…@a.example/s.jpg"));
    for id in ["", "  "] {
        let error = luma.extend(Source::VideoId(id.into()), "On").request();
        assert_eq!(error.expect_err("refused"), InvalidInput::BlankVideoId);
    }
}

#[tokio::test]
async fn nothing_is_sent_that_cannot_work() {
    let simulator = Simulator::start().await.expect("a simulator");
    let luma = client(simulator.url());
    let submit = luma.generate(" ").submit().await;
    assert!(matches!(
        submit,
        Err(Error::InvalidInput(InvalidInput::BlankPrompt))
    ));
    let held = luma.generate("A fox").submit_held(Duration::ZERO).await;
    assert!(matches!(
        held,
        Err(Error::InvalidInput(InvalidInput::ZeroHold))
    ));
    assert_eq!(simulator.stats().requests(), 0);
}

#[tokio::test]
async fn the_service_receives_these_bytes() {
    let simulator = Simulator::start().await.expect("a simulator");
    let luma = client(simulator.url());
    luma.generate("A fox").submit().await.expect("accepted");
    let request = &simulator.requests()[0];
    assert_eq!(request.path, "/luma/videos");
    assert_eq!(
        request.body,
        r#"{"action":"generate","async":true,"prompt":"A fox"}"#.as_bytes()
    );
    let header = |name: &str| {
        request
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    assert_eq!(header("authorization"), Some("Bearer a-token"));
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("api-version"), None);
    let agent = concat!("luma-client/", env!("CARGO_PKG_VERSION"));
    assert_eq!(header("user-agent"), Some(agent));
}

#[tokio::test]
async fn a_base_url_may_have_a_path_and_a_slash() {
    let simulator = Simulator::start().await.expect("a simulator");
    let luma = client(&format!("{}/", simulator.url()));
    luma.generate("A fox").submit().await.expect("accepted");
    let luma = client(&format!("{}/proxy/", simulator.url()));
    luma.generate("A fox")
        .submit()
        .await
        .expect_err("the simulator has no such path");
    let paths: Vec<_> = simulator
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(paths, ["/luma/videos", "/proxy/luma/videos"]);
}

#[tokio::test]
async fn a_held_submit_gives_the_video() {
    let simulator = Simulator::with_duration(Duration::from_millis(100))
        .await
        .expect("a simulator");
    let luma = client(simulator.url());
    let task = luma
        .generate("A fox")
        .submit_held(Duration::from_secs(20))
        .await
        .expect("held");
    let video = task.video().expect("a video");
    assert_eq!(video.task_id().map(ToString::to_string), task.id);
    let body = r#"{"action":"generate","prompt":"A fox","timeout":20.0}"#;
    assert_eq!(simulator.requests()[0].body, body.as_bytes());
}

#[tokio::test]
async fn a_video_is_extended_by_its_id() {
    let simulator = Simulator::with_duration(Duration::from_millis(50))
        .await
        .expect("a simulator");
    let luma = client(simulator.url());
    let hold = Duration::from_secs(20);
    let first = luma
        .generate("A fox")
        .submit_held(hold)
        .await
        .expect("held")
        .video()
        .expect("a video");
    let second = luma
        .extend(&first, "It runs")
        .submit_held(hold)
        .await
        .expect("held")
        .video()
        .expect("a video");
    assert_ne!(first.id(), second.id());
    let sent = simulator.requests()[1].json().expect("JSON");
    assert_eq!(sent["video_id"].as_str(), first.id());
    assert_eq!(sent["video_url"], serde_json::Value::Null);
}
