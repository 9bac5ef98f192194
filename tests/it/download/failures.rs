//! Responses that are not the file, and servers that do not respond.

use luma_simulator::Fault;

use super::*;
use crate::support::raw::{Server, response};

async fn fails(stage: &Stage, fault: Fault) -> DownloadError {
    stage.sim.inject(fault.on(Target::Media));
    let download = stage.luma.download(&stage.video, stage.path("a.mp4"));
    let error = download.retry(at_once()).await.expect_err("no file");
    assert!(stage.files().is_empty(), "{error}: {:?}", stage.files());
    error
}

/// Downloads what the server sends. Returns how many requests were sent, and the end.
async fn download(
    video: fn(&str) -> Video,
    responses: Vec<Vec<u8>>,
) -> (usize, Result<(String, Vec<u8>), DownloadError>) {
    let server = Server::start(responses).await;
    let folder = tempfile::tempdir().unwrap();
    let download = luma().download(&video(&server.url), folder.path().join("a.mp4"));
    let end = download.retry(at_once()).await;
    let end = end.map(|file| (file.media_type().to_owned(), fs::read(file.path()).unwrap()));
    assert_eq!(files(folder.path()).len(), usize::from(end.is_ok()));
    (server.requests().len(), end)
}

#[tokio::test]
async fn missing_file_of_an_old_video_fails_with_reason_and_advice() {
    for status in ["403 Forbidden", "404 Not Found", "410 Gone"] {
        let body = b"<Error><Code>AccessDenied</Code>\r\n<Message>Request has \x1b[1mexpired";
        let missing = response(status, &["content-type: application/xml"], body);
        let (requests, end) = download(video_at, vec![missing]).await;
        let error = end.unwrap_err();
        assert!(error.is_expired() && !error.is_retryable(), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("AccessDenied</Code> <Message>Request has [1mexpired"), "{text}");
        assert!(text.contains("look the task up again"), "{text}");
        assert_eq!(requests, 1);
    }
}

#[tokio::test]
async fn missing_file_of_a_new_video_is_awaited() {
    let bytes = film(100, 1);
    let missing = || response("404 Not Found", &[], b"not yet");
    let forbidden = || response("403 Forbidden", &[], b"not yet");
    let mut responses = vec![missing(), missing(), forbidden(), missing(), missing(), missing()];
    responses.push(response("200 OK", &["content-length: 100"], &bytes));
    let (requests, end) = download(new_video_at, responses).await;
    assert_eq!(end.unwrap().1, bytes);
    assert_eq!(requests, 7);

    // Not if the policy has no retries.
    let server = Server::start(vec![missing()]).await;
    let folder = tempfile::tempdir().unwrap();
    let video = new_video_at(&server.url);
    let download = luma().download(&video, folder.path().join("a.mp4"));
    let error = download.retry(RetryPolicy::none()).await.unwrap_err();
    assert!(error.is_expired(), "{error:?}");
}

#[tokio::test]
async fn status_decides_about_retries() {
    let stage = Stage::new(100).await;
    for (status, requests) in [(401, 1), (451, 1), (204, 1), (500, 4), (503, 4)] {
        let before = stage.requests().len();
        let error = fails(&stage, Fault::html(status).always()).await;
        stage.sim.clear_faults();
        let DownloadError::Status { status: got, excerpt, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(got.as_u16(), status);
        assert_eq!(excerpt.is_empty(), status == 204, "{error}");
        assert_eq!(stage.requests().len() - before, requests, "{status}");
    }
}

#[tokio::test]
async fn temporary_failure_is_retried() {
    let stage = Stage::new(100).await;
    for fault in [Fault::retry_after(429, "0"), Fault::html(502), Fault::reset_before()] {
        stage.sim.inject(fault.on(Target::Media));
    }
    let download = stage.luma.download(&stage.video, stage.path("a.mp4"));
    assert_eq!(download.retry(at_once()).await.unwrap().bytes(), 100);
    assert_eq!(stage.requests().len(), 4);
}

#[tokio::test]
async fn long_retry_after_ends_the_download() {
    let stage = Stage::new(100).await;
    let error = fails(&stage, Fault::retry_after(429, "3000")).await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3000)));
    assert!(error.is_retryable());
    assert_eq!(stage.requests().len(), 1);
}

#[tokio::test]
async fn dead_server_ends_the_download_after_the_attempts() {
    let stage = Stage::new(100).await;
    let error = fails(&stage, Fault::reset_before().always()).await;
    assert!(matches!(error, DownloadError::Transport(_)), "{error:?}");
    assert!(error.is_retryable());
    assert_eq!(stage.requests().len(), 4);
}

#[tokio::test]
async fn video_is_accepted_whatever_its_content_type() {
    let bytes = film(100, 1);
    for header in [
        "content-type: multipart/form-data; boundary=x",
        "content-type: text/plain",
        "content-type: text/html",
        "content-type: application/force-download",
        "content-type: application/x-download",
        "content-type: unknown/unknown",
        "content-type: nonsense",
        "content-encoding: gzip",
        "x: y",
    ] {
        let file = response("200 OK", &["content-length: 100", header], &bytes);
        let (_, end) = download(video_at, vec![file]).await;
        assert_eq!(end.expect(header), ("video/mp4".to_owned(), bytes.clone()), "{header}");
    }
}

#[tokio::test]
async fn page_is_refused_whatever_its_content_type() {
    for content_type in
        ["text/html; charset=utf-8", "application/json", "video/mp4", "image/jpeg", ""]
    {
        for body in [
            "<!DOCTYPE html><p>please log in",
            "\n <?xml version=\"1.0\"?><Error>please log in",
            "\u{feff}{\"error\":\"please log in\"}",
            "#EXTM3U\nplease log in",
            "please log in",
        ] {
            let header = format!("content-type: {content_type}");
            let page = response("200 OK", &[&header], body.as_bytes());
            let (requests, end) = download(video_at, vec![page]).await;
            let error = end.expect_err(body);
            let text = error.to_string();
            assert!(matches!(error, DownloadError::WrongType { .. }), "{text}");
            assert!(text.contains("please log in"), "{text}");
            assert!(!error.is_retryable());
            assert_eq!(requests, 1);
        }
    }
}

#[tokio::test]
async fn other_kind_of_file_is_named() {
    let stage = Stage::new(100).await;
    let page = "\u{feff}<p>log in".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    for (bytes, found) in [
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0".to_vec(), "image/jpeg"),
        (b"PK\x03\x04\x14\0\0\0".to_vec(), "application/zip"),
        (b"\x1f\x8b\x08\0".to_vec(), "application/gzip"),
        (b"ID3\x04\0\0".to_vec(), "audio/mpeg"),
        (b"\0\0\0\x1cftypM4A \0\0\0\0".to_vec(), "audio/mp4"),
        (vec![0; 1_000], "zero bytes"),
        (b"\x01\xfe\x80\x90odd".to_vec(), "an unknown format (named video/mp4)"),
    ] {
        stage.sim.set_video(bytes);
        let error = stage.luma.download(&stage.video, stage.path("a.mp4")).await;
        let error = error.unwrap_err().to_string();
        assert_eq!(error, format!("the server sent {found} instead of video data"));
    }
    stage.sim.set_video(page);
    let error = stage.luma.download(&stage.video, stage.path("a.mp4")).await;
    let error = error.unwrap_err().to_string();
    assert_eq!(error, "the server sent text instead of video data: \"<p>log in\"");
}

#[tokio::test]
async fn encoded_file_is_named() {
    let stage = Stage::new(100).await;
    let error = fails(&stage, Fault::gzip()).await.to_string();
    assert_eq!(error, "the server sent gzip encoded data instead of video data");
}

#[tokio::test]
async fn empty_file_is_an_error() {
    let stage = Stage::new(100).await;
    let fault = Fault::replace_body(200, "video/mp4", "").always();
    let error = fails(&stage, fault).await;
    assert!(matches!(error, DownloadError::Empty), "{error:?}");
    assert_eq!(stage.requests().len(), 4);
}

#[tokio::test]
async fn too_large_file_is_refused_by_its_promised_length() {
    let stage = Stage::new(1000).await;
    let path = stage.path("a.mp4");
    let mut seen = Vec::new();
    let download = stage.luma.download(&stage.video, &path).max_bytes(999);
    let error = download.on_progress(|progress| seen.push(progress.bytes)).await;
    let error = error.unwrap_err();
    assert!(matches!(error, DownloadError::TooLarge { limit: 999 }), "{error:?}");
    assert!(error.to_string().contains("raise the limit"), "{error}");
    assert!(seen.is_empty(), "{seen:?}");
    assert!(stage.files().is_empty());
    let download = stage.luma.download(&stage.video, &path).max_bytes(1000);
    assert_eq!(download.await.unwrap().bytes(), 1000);
}

#[tokio::test]
async fn too_large_file_of_unknown_length_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    let bytes = film(1000, 1);
    let server = Server::start(vec![response("200 OK", &[], &bytes); 2]).await;
    let (luma, video) = (luma(), video_at(&server.url));
    let error = luma.download(&video, &path).max_bytes(999).await.unwrap_err();
    assert!(matches!(error, DownloadError::TooLarge { .. }), "{error:?}");
    assert!(files(folder.path()).is_empty());

    let mut totals = Vec::new();
    let download = luma.download(&video, &path).max_bytes(1000);
    let download = download.on_progress(|progress| totals.push(progress.total));
    assert_eq!(download.await.unwrap().bytes(), 1000);
    assert_eq!(totals.first(), Some(&None));
    assert_eq!(totals.last(), Some(&Some(1000)));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}
