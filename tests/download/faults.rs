//! Answers that are no file, and connections that break.

use luma_client::simulator::Fault;

use super::{
    raw::{Server, answer},
    *,
};

async fn fails(stage: &Stage, fault: Fault) -> DownloadError {
    stage.sim.inject(fault.on(Target::Media));
    let end = stage
        .video
        .download_to(stage.path("a.mp4"))
        .retry(at_once());
    let error = end.await.expect_err("no file");
    assert!(stage.files().is_empty(), "{error}: {:?}", stage.files());
    error
}

#[tokio::test]
async fn an_expired_url_says_where_to_get_a_fresh_one() {
    let stage = Stage::new(100).await;
    for status in [403, 404, 410] {
        let error = fails(&stage, Fault::html(status)).await;
        assert!(matches!(error, DownloadError::Expired { .. }), "{error:?}");
        assert!(error.to_string().contains("look the task up"), "{error}");
    }
    assert_eq!(stage.sim.stats().media_requests, 3);
}

#[tokio::test]
async fn other_statuses() {
    let stage = Stage::new(100).await;
    for (status, requests) in [(401, 1), (451, 1), (204, 1), (500, 4), (503, 4)] {
        let before = stage.sim.stats().media_requests;
        let error = fails(&stage, Fault::html(status).always()).await;
        stage.sim.clear_faults();
        let DownloadError::Status {
            status: got,
            excerpt,
            ..
        } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!(got.as_u16(), status);
        assert!(
            status == 204 || excerpt.contains("Gateway error"),
            "{error}"
        );
        let asked = stage.sim.stats().media_requests - before;
        assert_eq!(asked, requests, "{status}");
    }
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let stage = Stage::new(100).await;
    let faults = [
        Fault::retry_after(429, "0"),
        Fault::html(502),
        Fault::reset_before(),
    ];
    for fault in faults {
        stage.sim.inject(fault.on(Target::Media));
    }
    let path = stage.path("a.mp4");
    let file = stage.video.download_to(&path).retry(at_once()).await;
    assert_eq!(file.unwrap().bytes, 100);
    assert_eq!(stage.sim.stats().media_requests, 4);
}

#[tokio::test]
async fn a_retry_after_beyond_the_patience_ends_it() {
    let stage = Stage::new(100).await;
    let error = fails(&stage, Fault::retry_after(429, "3000")).await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3000)));
    assert!(error.is_retryable());
    assert_eq!(stage.sim.stats().media_requests, 1);
}

#[tokio::test]
async fn a_dead_server_ends_it_after_the_attempts() {
    let stage = Stage::new(100).await;
    let error = fails(&stage, Fault::reset_before().always()).await;
    assert!(matches!(error, DownloadError::Transport(_)), "{error:?}");
    assert!(error.is_retryable());
    assert_eq!(stage.sim.stats().media_requests, 4);
}

#[tokio::test]
async fn what_is_no_video_is_refused_in_its_own_words() {
    let stage = Stage::new(100).await;
    for (content_type, body) in [
        ("text/html; charset=utf-8", "<html>please log in</html>"),
        ("application/json", r#"{"error":"please log in"}"#),
        ("image/jpeg", "please log in"),
    ] {
        let fault = Fault::replace_body(200, content_type, body);
        let error = fails(&stage, fault).await;
        let text = error.to_string();
        assert!(matches!(error, DownloadError::WrongType { .. }), "{text}");
        assert!(text.contains("please log in"), "{text}");
        assert!(text.contains(content_type), "{text}");
    }
    let zipped = Fault::replace_body(200, "video/mp4", "x").header("content-encoding", "gzip");
    let error = fails(&stage, zipped).await;
    assert!(matches!(error, DownloadError::Encoded { .. }), "{error:?}");
    assert_eq!(stage.sim.stats().media_requests, 4);

    for (name, content_type) in [("1", "application/octet-stream"), ("2", "video/webm")] {
        stage
            .sim
            .inject(Fault::replace_body(200, content_type, "film").on(Target::Media));
        let file = stage.video.download_to(stage.path(name)).await.unwrap();
        assert_eq!(file.content_type.as_deref(), Some(content_type));
    }
}

#[tokio::test]
async fn a_page_of_no_type_is_refused_by_how_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    for (headers, body) in [
        (&[][..], "<!DOCTYPE html><p>please log in"),
        (
            &["content-type: application/octet-stream"],
            "\n <Error>please log in",
        ),
        (
            &["content-type: binary/octet-stream"],
            r#"{"error":"please log in"}"#,
        ),
        (
            &["content-type: application/mp4"],
            "\u{feff}<p>please log in",
        ),
    ] {
        let server = Server::start(vec![answer("200 OK", headers, body.as_bytes())]).await;
        let download = video_at(&server.url).download_to(&path).retry(at_once());
        let error = download.await.expect_err(body);
        let text = error.to_string();
        assert!(matches!(error, DownloadError::WrongType { .. }), "{text}");
        assert!(text.contains("please log in"), "{text}");
        assert!(!error.is_retryable());
        assert!(files(folder.path()).is_empty());
    }
    // Who says that it is a video is believed.
    let file = answer("200 OK", &["content-type: video/x-odd"], b"<odd");
    let server = Server::start(vec![file]).await;
    let file = video_at(&server.url).download_to(&path).await;
    assert_eq!(file.unwrap().bytes, 4);
}

#[tokio::test]
async fn an_empty_file_is_none() {
    let stage = Stage::new(100).await;
    let fault = Fault::replace_body(200, "video/mp4", "").always();
    let error = fails(&stage, fault).await;
    assert!(matches!(error, DownloadError::Empty), "{error:?}");
}

#[tokio::test]
async fn too_large_a_file_is_not_begun() {
    let stage = Stage::new(1000).await;
    let download = |limit| {
        let path = stage.path(&format!("{limit}.mp4"));
        stage.video.download_to(path).max_bytes(limit)
    };
    let error = download(999).await.unwrap_err();
    assert!(
        matches!(
            error,
            DownloadError::TooLarge {
                limit: 999,
                bytes: Some(1000),
                ..
            }
        ),
        "{error:?}"
    );
    assert!(stage.files().is_empty());
    assert_eq!(download(1000).await.unwrap().bytes, 1000);
}

#[tokio::test]
async fn too_large_a_file_of_unknown_length_is_broken_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    let bytes = noise(1000, 1);
    let server = Server::start(vec![answer("200 OK", &[], &bytes); 2]).await;
    let video = video_at(&server.url);
    let error = video.download_to(&path).max_bytes(999).await.unwrap_err();
    let unknown = matches!(error, DownloadError::TooLarge { bytes: None, .. });
    assert!(unknown, "{error:?}");
    assert!(files(folder.path()).is_empty());

    // No length, no type: all that is told is taken.
    let mut totals = Vec::new();
    let download = video.download_to(&path).max_bytes(1000);
    let file = download
        .on_progress(|progress| totals.push(progress.total))
        .await
        .unwrap();
    assert_eq!((file.bytes, file.content_type), (1000, None));
    assert_eq!(totals.first(), Some(&None));
    assert_eq!(totals.last(), Some(&Some(1000)));
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn redirects_are_followed_five_times() {
    let stage = Stage::new(100).await;
    let redirect = || Fault::redirect(307, stage.video.url()).on(Target::Media);
    stage.sim.inject(redirect().times(5));
    let path = stage.path("a.mp4");
    let file = stage.video.download_to(&path).await.unwrap();
    assert_eq!(file.bytes, 100);
    assert_eq!(stage.sim.stats().media_requests, 6);

    stage.sim.inject(redirect().always());
    let error = stage.video.download_to(stage.path("b.mp4")).await;
    let error = error.unwrap_err();
    assert!(matches!(error, DownloadError::Redirect { .. }), "{error:?}");
    assert!(error.to_string().contains("five times"), "{error}");
    assert!(!error.is_retryable());
    assert_eq!(stage.sim.stats().media_requests, 12);

    stage.sim.clear_faults();
    stage
        .sim
        .inject(Fault::redirect(302, "ftp://example.com/v.mp4").on(Target::Media));
    let error = stage.video.download_to(stage.path("b.mp4")).await;
    let error = error.unwrap_err();
    assert!(matches!(error, DownloadError::Redirect { .. }), "{error:?}");
    assert_eq!(stage.files(), ["a.mp4"]);
}

#[tokio::test]
async fn no_error_shows_the_query_of_the_url() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there any more.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for url in [
        format!("http://{address}/v.mp4?signature=s3cret"),
        "ftp://example.com/v.mp4?signature=s3cret".to_owned(),
    ] {
        let download = video_at(&url).download_to(folder.path().join("a.mp4"));
        let error = download.retry(RetryPolicy::none()).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        let chain = format!("{:?}", anyhow::Error::from(error));
        assert!(!chain.contains("s3cret"), "{chain}");
    }
}
