//! Cuts: the bytes so far are continued, and never joined to those of another file.

use luma_simulator::Fault;

use super::*;
use crate::support::raw::{Server, response};

const SIZE: usize = 1000;

/// A response with the whole file and its strong ETag.
fn whole(bytes: &[u8]) -> Vec<u8> {
    let length = format!("content-length: {}", bytes.len());
    response("200 OK", &[&length, "content-type: video/mp4", "etag: \"a\""], bytes)
}

/// The same, cut after 500 bytes.
fn cut(bytes: &[u8]) -> Vec<u8> {
    let mut response = whole(bytes);
    response.truncate(response.len() - (bytes.len() - 500));
    response
}

fn part(range: &str, etag: &str, body: &[u8]) -> Vec<u8> {
    let (range, etag) = (format!("content-range: {range}"), format!("etag: {etag}"));
    response("206 Partial Content", &[&range, &etag], body)
}

/// Downloads from a server that sends these responses. Returns the `Range` of each request, and
/// the file.
async fn download(
    responses: Vec<Vec<u8>>,
    attempts: u32,
) -> (Vec<Option<String>>, Result<Vec<u8>, DownloadError>) {
    let server = Server::start(responses).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    let download = luma().download(&video_at(&server.url), &path);
    let end = download.retry(at_once().max_attempts(attempts)).await;
    let file = end.map(|file| {
        let bytes = fs::read(file.path()).unwrap();
        assert_eq!(bytes.len() as u64, file.bytes());
        bytes
    });
    assert_eq!(files(folder.path()).len(), usize::from(file.is_ok()));
    (server.ranges(), file)
}

fn from_500() -> Option<String> {
    Some("bytes=500-".to_owned())
}

#[tokio::test]
async fn cut_is_resumed_with_range_and_if_range() {
    const SIZE: usize = 256 << 10;
    let stage = Stage::new(SIZE).await;
    stage.sim.inject(Fault::truncated().on(Target::Media).times(2));
    stage.sim.inject(Fault::reset_midway().on(Target::Media));
    let path = stage.path("a.mp4");
    let mut seen = Vec::new();
    let download = stage.luma.download(&stage.video, &path).retry(at_once());
    let file = download.on_progress(|progress| seen.push(progress.bytes)).await;
    assert_eq!(file.unwrap().bytes(), SIZE as u64);
    assert_eq!(fs::read(&path).unwrap(), stage.bytes);
    assert_eq!(stage.files(), ["a.mp4"]);
    assert!(seen.is_sorted(), "{seen:?}");

    let requests = stage.requests();
    assert_eq!(requests.len(), 4);
    assert!(!requests[0].headers.contains_key("range"));
    assert_eq!(requests[1].headers["range"], format!("bytes={}-", SIZE / 2));
    for request in &requests[1..] {
        assert!(request.headers.contains_key("range"));
        assert!(request.headers.contains_key("if-range"));
    }
}

#[tokio::test]
async fn progress_resets_the_count_of_retries() {
    let stage = Stage::new(256 << 10).await;
    // Twice as many cuts as attempts, but each brings a half of the rest.
    stage.sim.inject(Fault::truncated().on(Target::Media).times(8));
    let path = stage.path("a.mp4");
    let download = stage.luma.download(&stage.video, &path).retry(at_once());
    download.await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), stage.bytes);
    assert_eq!(stage.requests().len(), 9);
}

#[tokio::test]
async fn part_that_continues_the_file_is_appended() {
    let bytes = film(SIZE, 1);
    let rest = part("bytes 500-999/1000", "\"a\"", &bytes[500..]);
    let (ranges, file) = download(vec![cut(&bytes), rest], 4).await;
    assert_eq!(ranges, [None, from_500()]);
    assert_eq!(file.unwrap(), bytes);

    // In two pieces.
    let one = part("bytes 500-699/1000", "\"a\"", &bytes[500..700]);
    let two = part("bytes 700-999/1000", "\"a\"", &bytes[700..]);
    let (ranges, file) = download(vec![cut(&bytes), one, two], 4).await;
    assert_eq!(ranges, [None, from_500(), Some("bytes=700-".to_owned())]);
    assert_eq!(file.unwrap(), bytes);
}

#[tokio::test]
async fn refused_range_starts_again_once_without_range() {
    let (bytes, other) = (film(SIZE, 1), film(SIZE, 2));
    let slice = ["content-length: 500", "content-range: bytes 500-999/1000", "etag: \"a\""];
    for refusal in [
        // The rest with the status of a whole file, or a whole file that may be another one.
        response("200 OK", &slice, &other[500..]),
        response("200 OK", &slice[..1], &other[500..]),
        whole(&other),
        // Another file, another place, another form.
        part("bytes 500-999/1000", "\"b\"", &other[500..]),
        part("bytes 500-999/1000", "W/\"a\"", &other[500..]),
        part("bytes 500-1000/1001", "\"a\"", &film(501, 2)),
        part("bytes 500-999/*", "\"a\"", &other[500..]),
        part("bytes 0-499/1000", "\"a\"", &other[..500]),
        part("bytes 499-999/1000", "\"a\"", &other[499..]),
        part("nonsense", "\"a\"", &other[500..]),
        response("206 Partial Content", &["etag: \"a\""], &other[500..]),
        response("400 Bad Request", &[], b"no ranges"),
        response("403 Forbidden", &[], b"no ranges"),
        response("404 Not Found", &[], b"no ranges"),
        response("405 Method Not Allowed", &[], b"no ranges"),
        response("416 Range Not Satisfiable", &["content-range: bytes */1000"], b""),
        response("500 Internal Server Error", &[], b"no ranges"),
        response("501 Not Implemented", &[], b"no ranges"),
        response("503 Service Unavailable", &[], b"no ranges"),
    ] {
        let shown = refusal.escape_ascii().to_string();
        let responses = vec![cut(&bytes), refusal, whole(&bytes)];
        let (ranges, file) = download(responses, 2).await;
        assert_eq!(ranges, [None, from_500(), None], "{shown}");
        assert_eq!(file.expect(&shown), bytes, "{shown}");
    }
}

#[tokio::test]
async fn refused_range_is_not_tried_again() {
    let bytes = film(SIZE, 1);
    let refusal = response("501 Not Implemented", &[], b"");
    let responses = vec![cut(&bytes), refusal, cut(&bytes), whole(&bytes)];
    let (ranges, file) = download(responses, 4).await;
    assert_eq!(ranges, [None, from_500(), None, None]);
    assert_eq!(file.unwrap(), bytes);
}

#[tokio::test]
async fn busy_server_is_asked_for_the_rest_again() {
    let bytes = film(SIZE, 1);
    let busy = response("429 Too Many Requests", &["retry-after: 0"], b"");
    let rest = part("bytes 500-999/1000", "\"a\"", &bytes[500..]);
    let (ranges, file) = download(vec![cut(&bytes), busy, rest], 4).await;
    assert_eq!(ranges, [None, from_500(), from_500()]);
    assert_eq!(file.unwrap(), bytes);
}

#[tokio::test]
async fn file_without_a_strong_etag_is_requested_whole() {
    let bytes = film(SIZE, 1);
    for header in ["etag: W/\"a\"", "last-modified: Sat, 01 Aug 2026 12:00:00 GMT", "x: y"] {
        let first = response("200 OK", &["content-length: 1000", header], &bytes[..500]);
        let (ranges, file) = download(vec![first, whole(&bytes)], 2).await;
        assert_eq!(ranges, [None, None], "{header}");
        assert_eq!(file.unwrap(), bytes, "{header}");
    }
}

#[tokio::test]
async fn file_that_changed_is_downloaded_again() {
    let stage = Stage::new(256 << 10).await;
    stage.sim.inject(Fault::truncated().on(Target::Media));
    let path = stage.path("a.mp4");
    // Of the same length, so that only the ETag differs.
    let other = film(256 << 10, 2);
    let download = stage.luma.download(&stage.video, &path).retry(at_once());
    let download = download.on_progress(|progress| {
        if progress.bytes > 0 && progress.bytes < 256 << 10 {
            stage.sim.set_video(other.clone());
        }
    });
    download.await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), other);
    assert_eq!(stage.files(), ["a.mp4"]);
}

#[tokio::test]
async fn file_shorter_than_any_promise_is_an_error() {
    let bytes = film(SIZE, 1);
    let tail = &["etag: \"a\""][..];
    let refusal = || response("501 Not Implemented", &[], b"");
    let length = "content-length: 500";
    for (responses, got) in [
        // Its own promise.
        (vec![cut(&bytes), part("bytes 500-999/1000", "\"a\"", &bytes[500..900])], 900),
        // That of the first response: the second one promises nothing, or less.
        (vec![cut(&bytes), refusal(), response("200 OK", tail, &bytes[..500])], 500),
        (vec![cut(&bytes), refusal(), response("200 OK", &[length], &bytes[..500])], 500),
        (vec![response("200 OK", &["content-range: bytes 0-499/1000"], &bytes[..500])], 500),
    ] {
        let attempts = if responses.len() == 1 { 1 } else { 2 };
        let (_, file) = download(responses, attempts).await;
        let error = file.expect_err("too short");
        match error {
            DownloadError::WrongLength { expected: 1000, got: found } => assert_eq!(found, got),
            // Progress was made, so that the server is asked again; it has stopped.
            DownloadError::Transport(_) => assert_eq!(got, 900),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn part_longer_than_the_file_starts_again() {
    let bytes = film(SIZE, 1);
    let long = part("bytes 500-999/1000", "\"a\"", &film(501, 2));
    let (ranges, file) = download(vec![cut(&bytes), long, whole(&bytes)], 4).await;
    assert_eq!(ranges, [None, from_500(), None]);
    assert_eq!(file.unwrap(), bytes);
}

#[tokio::test]
async fn shorter_version_of_a_changed_file_is_complete() {
    let (bytes, other) = (film(SIZE, 1), film(700, 2));
    let changed = response("200 OK", &["content-length: 700", "etag: \"b\""], &other);
    let (ranges, file) = download(vec![cut(&bytes), changed.clone(), changed], 4).await;
    assert_eq!(ranges, [None, from_500(), None]);
    assert_eq!(file.unwrap(), other);
}

#[tokio::test]
async fn connection_that_stands_still_is_resumed() {
    let stage = Stage::new(256 << 10).await;
    let luma = Luma::builder().token("a-token").base_url(stage.sim.url());
    let luma = luma.read_timeout(Duration::from_millis(200)).build().unwrap();
    stage.sim.inject(Fault::silence().on(Target::Media));
    stage.sim.inject(Fault::truncated().on(Target::Media));
    let path = stage.path("a.mp4");
    luma.download(&stage.video, &path).retry(at_once()).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), stage.bytes);
    assert_eq!(stage.requests().len(), 3);
}
