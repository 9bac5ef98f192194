//! Which URLs are requested, and what is shown of them.

use luma_simulator::Fault;

use super::*;
use crate::support::raw::{Server, response};

#[tokio::test]
async fn redirects_are_followed_five_times() {
    let stage = Stage::new(100).await;
    let redirect = || Fault::redirect(307, stage.video.url()).on(Target::Media);
    stage.sim.inject(redirect().times(5));
    let download = stage.luma.download(&stage.video, stage.path("a.mp4"));
    assert_eq!(download.await.unwrap().bytes(), 100);
    assert_eq!(stage.requests().len(), 6);

    stage.sim.inject(redirect().always());
    let error = stage.luma.download(&stage.video, stage.path("b.mp4")).await;
    let error = error.unwrap_err();
    assert!(matches!(error, DownloadError::Url { .. }), "{error:?}");
    assert!(error.to_string().contains("at most five redirects"), "{error}");
    assert!(!error.is_retryable());
    assert_eq!(stage.requests().len(), 12);
    assert_eq!(stage.files(), ["a.mp4"]);
}

#[tokio::test]
async fn redirect_to_a_url_that_is_not_allowed_is_refused() {
    let stage = Stage::new(100).await;
    for (location, shown) in [
        ("ftp://example.com/v.mp4?s3cret", "ftp://example.com/v.mp4"),
        ("file:///etc/passwd", "file:///etc/passwd"),
        ("https://s3cret@example.com/v.mp4", "…@example.com/v.mp4"),
        ("http://169.254.169.254/latest", "http://169.254.169.254/latest"),
        ("https://10.0.0.1/v.mp4", "https://10.0.0.1/v.mp4"),
        ("//[nonsense", "//[nonsense"),
    ] {
        stage.sim.inject(Fault::redirect(302, location).on(Target::Media));
        let download = stage.luma.download(&stage.video, stage.path("a.mp4"));
        let error = download.retry(at_once()).await.expect_err(location);
        assert!(matches!(error, DownloadError::Url { .. }), "{error:?}");
        let text = format!("{error} {error:?}");
        assert!(text.contains(shown) && !text.contains("s3cret"), "{text}");
    }
    assert_eq!(stage.requests().len(), 6);
    assert!(stage.files().is_empty());
}

#[tokio::test]
async fn relative_redirect_keeps_range_and_host() {
    let bytes = film(1000, 1);
    let body = bytes.clone();
    let server = Server::answering(move |head| {
        let (path, etag) = (head.split(' ').nth(1)?, "etag: \"a\"");
        Some(match (path, head.contains("range: bytes=500-")) {
            ("/v.mp4", _) => response("302 Found", &["location: /real?s=1"], b""),
            (_, false) => response("200 OK", &["content-length: 1000", etag], &body[..500]),
            (_, true) => {
                let range = "content-range: bytes 500-999/1000";
                response("206 Partial Content", &[range, etag], &body[500..])
            }
        })
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    let download = luma().download(&video_at(&server.url), &path).retry(at_once());
    download.await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn url_that_is_not_allowed_is_not_requested() {
    let stage = Stage::new(100).await;
    let public = Luma::builder().token("a-token").base_url("https://api.example");
    let public = public.build().unwrap();
    let with_password = stage.video.url().replace("http://", "http://user:s3cret@");
    for (luma, url) in [
        // The API is not on this machine, so that no file is, either.
        (&public, stage.video.url()),
        (&public, "http://example.com/v.mp4?s3cret"),
        (&public, "https://localhost/v.mp4"),
        (&public, "https://192.168.0.1/v.mp4"),
        (&public, "https://[::ffff:127.0.0.1]/v.mp4"),
        (&stage.luma, &with_password),
        (&stage.luma, "https://192.168.0.1/v.mp4"),
        (&stage.luma, "ftp://example.com/v.mp4?s3cret"),
        (&stage.luma, "/etc/passwd"),
        (&stage.luma, "v.mp4"),
    ] {
        let error = luma.download(&video_at(url), stage.path("a.mp4")).await;
        let error = error.expect_err(url);
        assert!(matches!(error, DownloadError::Url { .. }), "{url}: {error:?}");
        let text = format!("{error} {error:?}");
        assert!(!text.contains("s3cret"), "{text}");
    }
    assert!(stage.requests().is_empty());
    assert!(stage.files().is_empty());
}

#[tokio::test]
async fn error_does_not_show_the_query_of_the_url() {
    let folder = tempfile::tempdir().unwrap();
    let body =
        b"<SignatureProvided>s3cret-signature</SignatureProvided> /v.mp4?Sig=s3cret%2Dsignature";
    let server = Server::start(vec![response("403 Forbidden", &[], body)]).await;
    // The server stops after its one response.
    for expired in [true, false] {
        let video = video_at(&format!("{}?Sig=s3cret%2Dsignature", server.url));
        let download = luma().download(&video, folder.path().join("a.mp4"));
        let error = download.retry(RetryPolicy::none()).await.unwrap_err();
        assert_eq!(error.is_expired(), expired, "{error:?}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        let chain = format!("{:?}", anyhow::Error::from(error));
        assert!(!chain.contains("s3cret"), "{chain}");
    }
}
