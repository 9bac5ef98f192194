//! The files behind `video_url` and `thumbnail_url`: ranges, validators, no token.

use std::ops::Range;

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, RANGE};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};

use crate::answer::{Answer, answer};

/// Two seconds of H.264 at 1360x752. `assets/README.md` says how it was made.
const VIDEO: &[u8] = include_bytes!("assets/video.mp4");
const THUMBNAIL: &[u8] = include_bytes!("assets/thumbnail.jpg");

/// The files. They are the same for every task.
#[derive(Debug, Default)]
pub(crate) struct Media {
    /// `None` is the built-in video.
    video: Option<Bytes>,
    /// Part of every ETag, so that clients see a change.
    revision: u64,
}

impl Media {
    pub(crate) fn set_video(&mut self, video: Bytes) {
        self.video = Some(video);
        self.revision += 1;
    }

    /// Serves a file. `None` if the extension is unknown.
    pub(crate) fn serve(&self, video_id: &str, extension: &str, request: &Parts) -> Option<Answer> {
        let (bytes, built_in, content_type) = match extension {
            "mp4" => (self.video.clone(), VIDEO, "video/mp4"),
            "jpg" => (None, THUMBNAIL, "image/jpeg"),
            _ => return None,
        };
        let bytes = bytes.unwrap_or(Bytes::from_static(built_in));
        let etag = format!("\"{video_id}.{extension}-{}\"", self.revision);
        // Without a Last-Modified, only the same ETag validates a range.
        let if_range = request.headers.get(IF_RANGE);
        let changed = if_range.is_some_and(|tag| tag.as_bytes() != etag.as_bytes());
        let range = request.headers.get(RANGE).and_then(|range| range.to_str().ok());
        let range = range.filter(|_| !changed && request.method == Method::GET);
        let length = bytes.len();
        let part = range.and_then(|range| part(range, length));
        let (status, place) = match &part {
            None => (StatusCode::OK, None),
            Some(part) if part.is_empty() => {
                let place = format!("bytes */{length}");
                (StatusCode::RANGE_NOT_SATISFIABLE, Some(place))
            }
            Some(Range { start, end }) => {
                let place = format!("bytes {start}-{}/{length}", end - 1);
                (StatusCode::PARTIAL_CONTENT, Some(place))
            }
        };
        let mut answer = answer(status, bytes.slice(part.unwrap_or(0..length)));
        let headers = answer.headers_mut();
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(ETAG, etag.parse().ok()?);
        if let Some(place) = place {
            headers.insert(CONTENT_RANGE, place.parse().ok()?);
        }
        Some(answer)
    }
}

/// What a Range header selects (RFC 9110, section 14). `None` is the whole file, also for several
/// ranges and invalid ones. An empty range is not satisfiable.
fn part(range: &str, length: usize) -> Option<Range<usize>> {
    let range = range.to_ascii_lowercase();
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first > last => None,
        (Ok(first), _) if first >= length => Some(0..0),
        (Ok(first), Ok(last)) => Some(first..length.min(last.saturating_add(1))),
        (Ok(first), Err(_)) if last.is_empty() => Some(first..length),
        (Err(_), Ok(suffix)) if first.is_empty() => Some(length - suffix.min(length)..length),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_header_selects_part() {
        let cases = [
            ("bytes=0-9", Some(0..10)),
            ("bytes=5-", Some(5..100)),
            ("bytes=-10", Some(90..100)),
            ("bytes=-1000", Some(0..100)),
            ("bytes=90-1000", Some(90..100)),
            ("bytes=99-99", Some(99..100)),
            ("Bytes=0-0", Some(0..1)),
            ("bytes=100-", Some(0..0)),
            ("bytes=100-200", Some(0..0)),
            ("bytes=-0", Some(100..100)),
            ("bytes=9-5", None),
            ("bytes=0-1,3-4", None),
            ("bytes=-", None),
            ("bytes=a-b", None),
            ("bytes", None),
            ("lines=0-1", None),
        ];
        for (range, expected) in cases {
            assert_eq!(part(range, 100), expected, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), Some(0..0));
        assert_eq!(part("bytes=-5", 0), Some(0..0));
    }

    #[test]
    fn files_have_the_right_format() {
        assert_eq!(&VIDEO[4..8], b"ftyp");
        assert_eq!(&THUMBNAIL[..3], [0xff, 0xd8, 0xff]);
        assert!(VIDEO.len() < 15_000 && THUMBNAIL.len() < 15_000);
    }
}
