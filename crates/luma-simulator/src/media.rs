//! The files behind `video_url` and `thumbnail_url`: ranges, validators, no token.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{
    HeaderMap, Method, StatusCode,
    header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, RANGE},
};

/// Two seconds of H.264, 1360x752. The README beside it says how it was made.
const VIDEO: &[u8] = include_bytes!("assets/video.mp4");
const THUMBNAIL: &[u8] = include_bytes!("assets/thumbnail.jpg");

/// What is served; the same for every task.
#[derive(Debug)]
pub(crate) struct Media {
    video: Bytes,
    /// Part of every ETag, so that a change of the file is seen.
    revision: u64,
}

/// A file to serve.
#[derive(Clone, Debug)]
pub(crate) struct File {
    bytes: Bytes,
    content_type: &'static str,
    etag: String,
}

impl Media {
    pub(crate) fn new() -> Self {
        Self {
            video: Bytes::from_static(VIDEO),
            revision: 1,
        }
    }

    pub(crate) fn set_video(&mut self, video: Bytes) {
        self.video = video;
        self.revision += 1;
    }

    pub(crate) fn file(&self, video_id: &str, extension: &str) -> Option<File> {
        let (bytes, content_type) = match extension {
            "mp4" => (self.video.clone(), "video/mp4"),
            "jpg" => (Bytes::from_static(THUMBNAIL), "image/jpeg"),
            _ => return None,
        };
        let etag = format!("\"{video_id}.{extension}-{}\"", self.revision);
        Some(File {
            bytes,
            content_type,
            etag,
        })
    }
}

impl File {
    pub(crate) fn serve(self, method: &Method, headers: &HeaderMap) -> Response {
        let length = self.bytes.len();
        let response = http::Response::builder()
            .header(ACCEPT_RANGES, "bytes")
            .header(ETAG, &self.etag)
            .header(CONTENT_TYPE, self.content_type);
        let response = match self.part(method, headers) {
            Part::Whole => response
                .header(CONTENT_LENGTH, length)
                .body(self.bytes.into()),
            Part::Range(first, last) => response
                .status(StatusCode::PARTIAL_CONTENT)
                .header(CONTENT_RANGE, format!("bytes {first}-{last}/{length}"))
                .header(CONTENT_LENGTH, last - first + 1)
                .body(self.bytes.slice(first..=last).into()),
            Part::Unsatisfiable => response
                .status(StatusCode::RANGE_NOT_SATISFIABLE)
                .header(CONTENT_RANGE, format!("bytes */{length}"))
                .body(Body::empty()),
        };
        // Only the ETag is not fixed text, and it is made of a UUID and a number.
        response.unwrap_or_default()
    }

    fn part(&self, method: &Method, headers: &HeaderMap) -> Part {
        // Without a Last-Modified, only the very ETag can vouch for a range.
        let changed = headers
            .get(IF_RANGE)
            .is_some_and(|tag| tag.as_bytes() != self.etag.as_bytes());
        match headers.get(RANGE).and_then(|range| range.to_str().ok()) {
            Some(range) if method == Method::GET && !changed => part(range, self.bytes.len()),
            _ => Part::Whole,
        }
    }
}

#[derive(Debug, PartialEq)]
enum Part {
    Whole,
    /// First and last byte, both included.
    Range(usize, usize),
    Unsatisfiable,
}

/// What a Range header selects (RFC 9110, 14). Several ranges, and what is no valid range, are
/// answered with the whole file, as the RFC allows.
fn part(range: &str, length: usize) -> Part {
    let spec = range
        .split_once('=')
        .filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes"));
    let Some((first, last)) = spec.and_then(|(_, spec)| spec.trim().split_once('-')) else {
        return Part::Whole;
    };
    let number = |digits: &str| {
        let digits =
            Some(digits).filter(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()));
        // A number too big for the type is beyond any file.
        digits.map(|digits| digits.parse::<usize>().unwrap_or(usize::MAX))
    };
    let (first, last) = match (number(first), number(last)) {
        (None, Some(suffix)) if first.is_empty() => match suffix.min(length) {
            0 => return Part::Unsatisfiable,
            suffix => (length - suffix, length - 1),
        },
        (Some(first), None) if last.is_empty() => (first, usize::MAX),
        (Some(first), Some(last)) if first <= last => (first, last),
        _ => return Part::Whole,
    };
    if first >= length {
        return Part::Unsatisfiable;
    }
    Part::Range(first, last.min(length - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let cases = [
            ("bytes=0-9", Part::Range(0, 9)),
            ("bytes=5-", Part::Range(5, 99)),
            ("bytes=-10", Part::Range(90, 99)),
            ("bytes=-1000", Part::Range(0, 99)),
            ("bytes=90-1000", Part::Range(90, 99)),
            ("bytes=99-99", Part::Range(99, 99)),
            ("Bytes= 0-0", Part::Range(0, 0)),
            ("bytes=0-99999999999999999999999", Part::Range(0, 99)),
            ("bytes=100-", Part::Unsatisfiable),
            ("bytes=100-200", Part::Unsatisfiable),
            ("bytes=99999999999999999999999-", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=9-5", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("bytes", Part::Whole),
            ("lines=0-1", Part::Whole),
        ];
        for (range, expected) in cases {
            assert_eq!(part(range, 100), expected, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), Part::Unsatisfiable);
        assert_eq!(part("bytes=-5", 0), Part::Unsatisfiable);
    }

    #[test]
    fn the_files_are_what_they_say() {
        assert_eq!(&VIDEO[4..8], b"ftyp");
        assert_eq!(&THUMBNAIL[..3], [0xff, 0xd8, 0xff]);
        assert!(VIDEO.len() < 15_000 && THUMBNAIL.len() < 15_000);
    }
}
