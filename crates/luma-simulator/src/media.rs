//! The files behind `video_url` and `thumbnail_url`: ranges, validators, no token.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, RANGE},
};

use crate::answer::{Answer, answer};

/// Two seconds of H.264 at 1360x752. `assets/README.md` says how it was made.
const VIDEO: &[u8] = include_bytes!("assets/video.mp4");
const THUMBNAIL: &[u8] = include_bytes!("assets/thumbnail.jpg");

/// The files. They are the same for every task.
#[derive(Debug)]
pub(crate) struct Media {
    video: Bytes,
    /// Part of every ETag, so that clients see a change.
    revision: u64,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            video: Bytes::from_static(VIDEO),
            revision: 1,
        }
    }
}

impl Media {
    pub(crate) fn set_video(&mut self, video: Bytes) {
        self.video = video;
        self.revision += 1;
    }

    /// Serves a file. `None` if the extension is unknown.
    pub(crate) fn serve(
        &self,
        video_id: &str,
        extension: &str,
        method: &Method,
        headers: &HeaderMap,
    ) -> Option<Answer> {
        let (bytes, content_type) = match extension {
            "mp4" => (self.video.clone(), "video/mp4"),
            "jpg" => (Bytes::from_static(THUMBNAIL), "image/jpeg"),
            _ => return None,
        };
        let (length, etag) = (
            bytes.len(),
            format!("\"{video_id}.{extension}-{}\"", self.revision),
        );
        // Without a Last-Modified, only the same ETag validates a range.
        let changed = headers
            .get(IF_RANGE)
            .is_some_and(|tag| tag.as_bytes() != etag.as_bytes());
        let part = match headers.get(RANGE).and_then(|range| range.to_str().ok()) {
            Some(range) if method == Method::GET && !changed => part(range, length),
            _ => Part::Whole,
        };
        let (status, body, place) = match part {
            Part::Whole => (StatusCode::OK, bytes, None),
            Part::Range(first, last) => (
                StatusCode::PARTIAL_CONTENT,
                bytes.slice(first..=last),
                Some(format!("bytes {first}-{last}/{length}")),
            ),
            Part::Unsatisfiable => (
                StatusCode::RANGE_NOT_SATISFIABLE,
                Bytes::new(),
                Some(format!("bytes */{length}")),
            ),
        };
        let mut answer = answer(status, body);
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

#[derive(Debug, PartialEq)]
enum Part {
    Whole,
    /// First and last byte, inclusive.
    Range(usize, usize),
    Unsatisfiable,
}

/// What a Range header selects (RFC 9110, section 14). Several ranges and invalid ranges select the
/// whole file, as the RFC allows.
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
        // A number that overflows is beyond any file.
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
    fn range_header_selects_part() {
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
    fn files_have_the_right_format() {
        assert_eq!(&VIDEO[4..8], b"ftyp");
        assert_eq!(&THUMBNAIL[..3], [0xff, 0xd8, 0xff]);
        assert!(VIDEO.len() < 15_000 && THUMBNAIL.len() < 15_000);
    }
}
