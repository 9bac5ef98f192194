use std::path::PathBuf;

use super::*;
use crate::http::RetryPolicy;

fn settings(is_new: bool, retry: RetryPolicy) -> Settings<'static> {
    let luma = Luma::builder().token("a-token").base_url("https://api.example");
    Settings {
        luma: luma.build().expect("a client"),
        url: None,
        is_new,
        expected: "video",
        target: PathBuf::new(),
        overwrite: false,
        max_bytes: 0,
        retry,
        on_progress: Box::new(|_| ()),
    }
}

fn status(status: u16) -> DownloadError {
    DownloadError::Status {
        status: http::StatusCode::from_u16(status).expect("a status"),
        excerpt: String::new(),
        retry_after: None,
    }
}

/// How many requests are sent if each fails like this, and how long it takes.
fn requests(settings: &Settings<'_>, error: &DownloadError) -> (usize, Duration) {
    let (mut retries, mut elapsed) = (0, Duration::ZERO);
    while let Some(delay) = settings.delay(error, retries, elapsed) {
        (retries, elapsed) = (retries + 1, elapsed + delay);
    }
    (retries + 1, elapsed)
}

#[test]
fn retries_are_counted_and_last_thirty_seconds_for_a_new_video() {
    let policy = RetryPolicy::default();
    for (is_new, policy, error, expected) in [
        (false, policy, status(503), 4..=4),
        (true, policy, status(503), 4..=4),
        (false, policy, DownloadError::Empty, 4..=4),
        (false, policy, status(404), 1..=1),
        (true, policy, status(404), 5..=10),
        (true, policy, status(403), 5..=10),
        (true, policy.min_delay(Duration::from_secs(8)), status(403), 3..=5),
        (true, policy, status(401), 1..=1),
        (true, policy, DownloadError::NoThumbnail, 1..=1),
        (true, RetryPolicy::none(), status(404), 1..=1),
        (true, RetryPolicy::none(), status(503), 1..=1),
    ] {
        let (requests, elapsed) = requests(&settings(is_new, policy), &error);
        assert!(expected.contains(&requests), "{is_new} {error}: {requests}");
        // The last request is sent after 30 seconds.
        let lasts = is_new && error.is_expired() && requests > 1;
        assert_eq!(elapsed == APPEARS_WITHIN, lasts, "{is_new} {error}: {elapsed:?}");
    }
}

#[test]
fn excerpt_is_one_clean_line_without_secrets() {
    for (body, is_signed, expected) in [
        (&b"<p>not\r\n\tfound</p>"[..], false, "<p>not found</p>"),
        (b"/v?Signature=s3cret", true, ""),
        (b"\x01\x02\xff", false, ""),
        (b"", false, ""),
    ] {
        assert_eq!(excerpt(body, is_signed), expected);
    }
    let long = excerpt("long ".repeat(500).as_bytes(), false);
    assert!(long.chars().count() <= 201, "{long}");
}
