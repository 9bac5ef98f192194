//! Videos and thumbnails.

use luma_simulator::Fault;
use reqwest::Method;

use super::*;

/// A simulator with one finished video, and the URLs of video and thumbnail.
async fn finished() -> (Simulator, String, String) {
    let sim = start(AT_ONCE).await;
    let id = submitted(&sim).await;
    let (video, thumbnail) = (sim.video_url(&id).unwrap(), sim.thumbnail_url(&id).unwrap());
    (sim, video, thumbnail)
}

async fn get(url: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = client().get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn media_files_are_served() {
    let (sim, video, thumbnail) = finished().await;
    let files: [(&str, &str, &[u8]); 2] = [
        (&video, "video/mp4", include_bytes!("../../src/assets/video.mp4")),
        (&thumbnail, "image/jpeg", include_bytes!("../../src/assets/thumbnail.jpg")),
    ];
    for (url, content_type, bytes) in files {
        let response = get(url, &[]).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], content_type);
        assert_eq!(response.headers()["accept-ranges"], "bytes");
        assert_eq!(response.headers()["content-length"], bytes.len().to_string());
        let etag = response.headers()["etag"].to_str().unwrap();
        assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 2, "{etag}");
        assert_eq!(response.bytes().await.unwrap(), bytes);

        let head = client().request(Method::HEAD, url).send().await.unwrap();
        assert_eq!(head.status(), 200);
        assert_eq!(head.headers()["content-length"], bytes.len().to_string());
        assert_eq!(head.headers()["content-type"], content_type);
        assert!(head.bytes().await.unwrap().is_empty());
    }
    for wrong in [video.replace(".mp4", ".mov"), format!("{}/media/none.mp4", sim.url())] {
        assert_eq!(get(&wrong, &[]).await.status(), 404);
    }
}

#[tokio::test]
async fn range_selects_bytes() {
    let (sim, video, _) = finished().await;
    let whole = get(&video, &[]).await.bytes().await.unwrap();
    let length = whole.len();
    for (range, from, to) in
        [("bytes=0-99", 0, 100), ("bytes=1000-", 1000, length), ("bytes=-10", length - 10, length)]
    {
        let response = get(&video, &[("range", range)]).await;
        assert_eq!(response.status(), 206, "{range}");
        let content_range = format!("bytes {from}-{}/{length}", to - 1);
        assert_eq!(response.headers()["content-range"], content_range);
        assert_eq!(response.headers()["content-length"], (to - from).to_string());
        assert_eq!(response.bytes().await.unwrap(), whole[from..to], "{range}");
    }
    let beyond = get(&video, &[("range", &format!("bytes={length}-"))]).await;
    assert_eq!(beyond.status(), 416);
    assert_eq!(beyond.headers()["content-range"], format!("bytes */{length}"));
    assert!(beyond.bytes().await.unwrap().is_empty());
    assert_eq!(sim.stats().media_requests, 5);
}

#[tokio::test]
async fn range_of_changed_file_gets_whole_file() {
    let (sim, video, _) = finished().await;
    let etag = get(&video, &[]).await.headers()["etag"].to_str().unwrap().to_owned();
    let range = [("range", "bytes=5-"), ("if-range", &*etag)];
    assert_eq!(get(&video, &range).await.status(), 206);
    let weak = format!("W/{etag}");
    let date = "Sat, 01 Aug 2026 00:00:00 GMT";
    for validator in [&*weak, date, "\"other\""] {
        let response = get(&video, &[("range", "bytes=5-"), ("if-range", validator)]).await;
        assert_eq!(response.status(), 200, "{validator}");
    }
    sim.set_video("another video");
    let response = get(&video, &range).await;
    assert_eq!(response.status(), 200);
    assert_ne!(response.headers()["etag"], *etag);
    assert_eq!(response.bytes().await.unwrap(), "another video");
}

#[tokio::test]
async fn token_on_media_request_is_counted() {
    let (sim, video, thumbnail) = finished().await;
    get(&video, &[]).await;
    get(&thumbnail, &[("authorization", "Bearer leaked")]).await;
    let stats = sim.stats();
    assert_eq!((stats.media_requests, stats.media_requests_with_authorization), (2, 1));
    let requests = sim.requests();
    let seen: Vec<bool> = requests[1..].iter().map(|request| request.has_authorization()).collect();
    assert_eq!(seen, [false, true]);
    assert!(!format!("{requests:?}").contains("leaked"));
}

#[tokio::test]
async fn interrupted_download_can_be_resumed() {
    let (sim, video, _) = finished().await;
    sim.inject(Fault::truncated());
    let mut response = get(&video, &[]).await;
    let etag = response.headers()["etag"].to_str().unwrap().to_owned();
    let mut bytes = Vec::new();
    let error = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => panic!("the cut was not seen"),
            Err(error) => break error,
        }
    };
    assert!(error.is_body() || error.is_decode(), "{error:?}");
    let range = format!("bytes={}-", bytes.len());
    let rest = get(&video, &[("range", &range), ("if-range", &etag)]).await;
    assert_eq!(rest.status(), 206);
    bytes.extend_from_slice(&rest.bytes().await.unwrap());
    assert_eq!(bytes, get(&video, &[]).await.bytes().await.unwrap());
}
