//! Cuts: what is there is gone on with, and never glued to another file.

use std::{fs, future::IntoFuture, pin::pin};

use luma_client::simulator::Fault;
use tokio::{sync::Notify, time::timeout};

use super::{
    raw::{Server, answer},
    *,
};

const SIZE: usize = 256 << 10;

#[tokio::test]
async fn a_cut_is_mended_within_one_call() {
    let stage = Stage::new(SIZE).await;
    stage
        .sim
        .inject(Fault::truncated().on(Target::Media).times(3));
    let path = stage.path("a.mp4");
    let mut seen = Vec::new();
    let file = stage
        .video
        .download_to(&path)
        .retry(at_once())
        .on_progress(|progress| seen.push(progress.bytes))
        .await
        .unwrap();
    assert_eq!(file.bytes, SIZE as u64);
    assert_eq!(fs::read(&path).unwrap(), stage.bytes);
    assert_eq!(stage.files(), ["a.mp4"]);
    assert!(seen.is_sorted(), "{seen:?}");

    // Each asks for the rest, and only of the same file.
    let requests = stage.requests();
    assert_eq!(requests.len(), 4);
    assert!(requests[0].headers.get("range").is_none());
    for request in &requests[1..] {
        assert!(request.headers.contains_key("if-range"));
    }
    let ranges: Vec<_> = stage.ranges().into_iter().flatten().collect();
    assert_eq!(ranges[0], format!("bytes={}-", SIZE / 2));
    assert_eq!(ranges[1], format!("bytes={}-", SIZE / 2 + SIZE / 4));
}

#[tokio::test]
async fn each_step_forward_begins_the_count_of_attempts_anew() {
    let stage = Stage::new(SIZE).await;
    // Twice as many cuts as attempts, but each brings a half of the rest.
    stage
        .sim
        .inject(Fault::truncated().on(Target::Media).times(8));
    let path = stage.path("a.mp4");
    stage
        .video
        .download_to(&path)
        .retry(at_once())
        .await
        .unwrap();
    assert_eq!(fs::read(&path).unwrap(), stage.bytes);
    assert_eq!(stage.requests().len(), 9);
}

#[tokio::test]
async fn a_later_call_goes_on_with_the_part() {
    let stage = Stage::new(SIZE).await;
    let path = stage.path("a.mp4");
    let left = stage.leave_a_part(&path).await;
    assert_eq!(left, SIZE as u64 / 2);
    assert_eq!(stage.files(), [".a.mp4.part", ".a.mp4.part.json"]);
    let mut first = None;
    let file = stage
        .video
        .download_to(&path)
        .on_progress(|progress| {
            first.get_or_insert(progress);
        })
        .await
        .unwrap();
    let first = first.unwrap();
    assert_eq!((first.bytes, first.total), (left, Some(SIZE as u64)));
    assert_eq!(file.bytes, SIZE as u64);
    assert_eq!(stage.ranges(), [None, Some(format!("bytes={left}-"))]);
    assert_eq!(fs::read(&path).unwrap(), stage.bytes);
    assert_eq!(stage.files(), ["a.mp4"]);
}

#[tokio::test]
async fn a_video_that_changed_is_downloaded_anew() {
    let stage = Stage::new(SIZE).await;
    let path = stage.path("a.mp4");
    stage.leave_a_part(&path).await;
    // Of the same length, so that only the ETag tells.
    let other = noise(SIZE, 2);
    stage.sim.set_video(other.clone());
    stage.video.download_to(&path).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), other);
    assert_eq!(stage.files(), ["a.mp4"]);
}

#[tokio::test]
async fn a_part_that_cannot_be_trusted_is_thrown_away() {
    let stage = Stage::new(SIZE).await;
    let path = stage.path("a.mp4");
    let note = stage.path(".a.mp4.part.json");
    type Spoil = fn(&Path, &Path);
    let spoils: [Spoil; 4] = [
        |_, note| fs::remove_file(note).unwrap(),
        |_, note| fs::write(note, "{\"source\":").unwrap(),
        |_, note| fs::write(note, r#"{"source":1,"etag":"\"a\""}"#).unwrap(),
        // Longer than the file can be.
        |part, _| fs::write(part, noise(SIZE + 1, 3)).unwrap(),
    ];
    for (number, spoil) in spoils.iter().enumerate() {
        stage.leave_a_part(&path).await;
        spoil(&part(&path), &note);
        stage.video.download_to(&path).await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), stage.bytes, "{number}");
        assert_eq!(stage.ranges().last(), Some(&None), "{number}");
        assert_eq!(stage.files(), ["a.mp4"], "{number}");
        fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn the_part_of_another_video_is_thrown_away() {
    let stage = Stage::new(SIZE).await;
    let path = stage.path("a.mp4");
    stage.leave_a_part(&path).await;
    stage
        .video
        .download_thumbnail_to(&path)
        .await
        .expect("a picture");
    let picture = include_bytes!("../../src/simulator/assets/thumbnail.jpg");
    assert_eq!(fs::read(&path).unwrap(), picture);
    assert_eq!(stage.ranges().last(), Some(&None));
}

#[tokio::test]
async fn a_416_begins_anew() {
    let stage = Stage::new(SIZE).await;
    let path = stage.path("a.mp4");
    stage.leave_a_part(&path).await;
    stage.sim.inject(Fault::status(416).on(Target::Media));
    stage.video.download_to(&path).await.unwrap();
    let ranges = stage.ranges();
    assert!(ranges[1].is_some());
    assert_eq!(ranges[2..], [None]);
    assert_eq!(fs::read(&path).unwrap(), stage.bytes);
}

#[tokio::test]
async fn a_part_outlives_an_expired_url() {
    let stage = Stage::new(SIZE).await;
    let path = stage.path("a.mp4");
    let left = stage.leave_a_part(&path).await;
    stage.sim.inject(Fault::status(403).on(Target::Media));
    let error = stage.video.download_to(&path).await.unwrap_err();
    assert!(matches!(error, DownloadError::Expired { .. }));
    // A fresh lookup gives the same file with another signature.
    let fresh = video_at(&format!("{}?signature=2", stage.video.url()));
    fresh.download_to(&path).await.unwrap();
    let expected = Some(format!("bytes={left}-"));
    assert_eq!(stage.ranges().last(), Some(&expected));
    assert_eq!(fs::read(&path).unwrap(), stage.bytes);
}

#[tokio::test]
async fn a_dropped_download_leaves_its_part_and_no_target() {
    let stage = Stage::new(SIZE).await;
    let path = stage.path("a.mp4");
    // Slow enough to be dropped half way.
    let drip = Fault::drip(SIZE / 8, Duration::from_millis(100));
    stage.sim.inject(drip.on(Target::Media));
    let half = Notify::new();
    let download = stage.video.download_to(&path).on_progress(|progress| {
        if progress.bytes >= SIZE as u64 / 2 {
            half.notify_one();
        }
    });
    {
        let mut download = pin!(download.into_future());
        tokio::select! {
            end = &mut download => panic!("ended: {end:?}"),
            reached = timeout(PATIENCE, half.notified()) => reached.unwrap(),
        }
    }
    assert!(!path.exists());
    assert!(part(&path).exists());
    // At once, while the last write of the other may still be under way.
    stage.video.download_to(&path).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), stage.bytes);
    assert_eq!(stage.files(), ["a.mp4"]);
    let range = stage.ranges().pop().flatten().expect("a range");
    let from = range.trim_start_matches("bytes=").trim_end_matches('-');
    assert!(from.parse::<usize>().unwrap() >= SIZE / 2, "{range}");
}

/// A server without ETags: first half a file, then what the test says.
async fn without_etags(second: Vec<u8>, third: Vec<u8>) -> (Vec<String>, Vec<u8>) {
    let bytes = noise(1000, 1);
    let headers = ["content-length: 1000", "last-modified: Monday"];
    let first = answer("200 OK", &headers, &bytes[..500]);
    let server = Server::start(vec![first, second, third]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    let download = video_at(&server.url).download_to(&path).retry(at_once());
    download.await.unwrap();
    assert_eq!(files(folder.path()), ["a.mp4"]);
    (server.requests(), fs::read(&path).unwrap())
}

fn rest(content_range: &str, last_modified: &str, bytes: &[u8]) -> Vec<u8> {
    let headers = [
        &*format!("content-range: {content_range}"),
        &format!("content-length: {}", bytes.len()),
        &format!("last-modified: {last_modified}"),
    ];
    answer("206 Partial Content", &headers, bytes)
}

#[tokio::test]
async fn without_an_etag_the_length_vouches() {
    let (bytes, other) = (noise(1000, 1), noise(1000, 2));
    let whole = |bytes: &[u8]| {
        let length = format!("content-length: {}", bytes.len());
        answer("200 OK", &[&length], bytes)
    };
    let good = rest("bytes 500-999/1000", "Monday", &bytes[500..]);
    let (requests, got) = without_etags(good, Vec::new()).await;
    assert_eq!(requests.len(), 2);
    assert!(requests[1].contains("range: bytes=500-"), "{}", requests[1]);
    assert!(!requests[1].contains("if-range"));
    assert_eq!(got, bytes);

    for wrong in [
        // Another length, another date, another place, another form.
        rest("bytes 500-1000/1001", "Monday", &noise(501, 2)),
        rest("bytes 500-999/1000", "Friday", &other[500..]),
        rest("bytes 0-499/1000", "Monday", &other[..500]),
        rest("nonsense", "Monday", &other[500..]),
    ] {
        let (requests, got) = without_etags(wrong, whole(&other)).await;
        assert_eq!(requests.len(), 3);
        assert!(!requests[2].contains("range:"), "{}", requests[2]);
        assert_eq!(got, other);
    }

    // A server that knows no ranges.
    let (requests, got) = without_etags(whole(&other), Vec::new()).await;
    assert_eq!(requests.len(), 2);
    assert_eq!(got, other);
}

#[tokio::test]
async fn a_rest_that_is_too_short_or_too_long_is_no_success() {
    let bytes = noise(1000, 1);
    let tagged = ["content-length: 1000", "etag: \"a\""];
    let first = answer("200 OK", &tagged, &bytes[..500]);
    let range = ["content-range: bytes 500-999/1000", "etag: \"a\""];
    for rest in [&bytes[500..900], &noise(501, 2)] {
        // No length of its own, so that only the range tells.
        let second = answer("206 Partial Content", &range, rest);
        let server = Server::start(vec![first.clone(), second]).await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mp4");
        let one_more = at_once().max_attempts(2);
        let download = video_at(&server.url).download_to(&path).retry(one_more);
        download.await.expect_err("no success");
        assert!(!path.exists());
    }
}
