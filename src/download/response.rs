//! What to do with the response to a request for a file: pure decisions over values.

use http::{
    HeaderMap,
    header::{AsHeaderName, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG},
};

/// What is requested: the whole file, or the file from this byte on if it has this strong ETag.
pub(super) type Range<'a> = Option<(u64, &'a str)>;

/// What the responses of a download have said about the file so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Version {
    etag: Option<String>,
    /// The promised length of the whole file in bytes.
    pub(super) total: Option<u64>,
    /// Whether every further request is for the whole file.
    pub(super) refuses_ranges: bool,
}

impl Version {
    /// What to request if there are this many bytes so far. Only a strong ETag guarantees every byte.
    pub(super) fn range(&self, length: u64) -> Range<'_> {
        let etag = self.etag.as_deref().filter(|tag| tag.starts_with('"'))?;
        (length > 0 && !self.refuses_ranges).then_some((length, etag))
    }

    /// Decides what to do with a response to a request for the whole file, or for a range of it.
    ///
    /// Only a 206 that continues exactly the bytes so far is appended. A server that answers a `Range`
    /// request in another way may not support ranges, so the whole file is requested. After 408, 425
    /// and 429 the bytes so far are kept, and the same range is requested again later.
    pub(super) fn decide(&self, range: Range<'_>, status: u16, headers: &HeaderMap) -> Action {
        let is_length = |length| self.total.is_none_or(|total| total == length);
        let continues = |(from, etag)| {
            content_range(headers).is_some_and(|(first, length)| first == from && is_length(length))
                && text(headers, ETAG) == Some(etag)
                && text(headers, CONTENT_ENCODING).is_none()
        };
        match (status, range) {
            (206, Some(range)) if continues(range) => Action::Append,
            (200..=203, None) => Action::Replace,
            (408 | 425 | 429, _) | (_, None) => Action::Fail,
            (_, Some(_)) => Action::Restart,
        }
    }

    /// Takes note of a response with the file, or with a part of it. The longest promised length
    /// stands, unless the file has changed.
    pub(super) fn update(&mut self, headers: &HeaderMap) {
        let etag = text(headers, ETAG).map(str::to_owned);
        if self.etag.is_some() && etag.is_some() && self.etag != etag {
            self.total = None;
        }
        let length = text(headers, CONTENT_LENGTH).and_then(|length| length.parse().ok());
        self.total = self.total.max(length).max(content_range(headers).map(|(_, total)| total));
        self.etag = etag;
    }
}

/// What to do with a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Append the body to the bytes so far.
    Append,
    /// Discard the bytes so far. The body is the whole file.
    Replace,
    /// Request the whole file, without `Range`.
    Restart,
    /// Report the status as an error.
    Fail,
}

/// A header, unless it is blank or not ASCII.
pub(super) fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty()).then_some(text)
}

/// The first byte, and the length of the whole file, of a `Content-Range` such as `bytes 4-8/9`.
fn content_range(headers: &HeaderMap) -> Option<(u64, u64)> {
    let (positions, total) = text(headers, CONTENT_RANGE)?.split_once('/')?;
    let (first, _) = positions.strip_prefix("bytes ")?.split_once('-')?;
    Some((first.trim().parse().ok()?, total.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &str)| {
            let value = value.parse().expect("a header value");
            (http::HeaderName::from_static(name), value)
        };
        pairs.iter().map(header).collect()
    }

    fn version(etag: Option<&str>, total: Option<u64>) -> Version {
        Version { etag: etag.map(str::to_owned), total, refuses_ranges: false }
    }

    #[test]
    fn range_is_requested_if_the_etag_is_strong() {
        let tag = "\"a\"";
        for (etag, length, refuses_ranges, expected) in [
            (Some(tag), 4, false, Some((4, tag))),
            (Some(tag), 0, false, None),
            (Some(tag), 4, true, None),
            (Some("W/\"a\""), 4, false, None),
            (Some("a"), 4, false, None),
            (None, 4, false, None),
        ] {
            let version = Version { refuses_ranges, ..version(etag, None) };
            assert_eq!(version.range(length), expected, "{etag:?} {length} {refuses_ranges}");
        }
    }

    #[test]
    fn longest_promise_stands_unless_the_file_has_changed() {
        let new = Version::default();
        let nine = version(Some("\"a\""), Some(9));
        let length = |length| ("content-length", length);
        let tag = |tag| ("etag", tag);
        for (known, pairs, expected) in [
            (&new, &[][..], new.clone()),
            (&new, &[length("9")], version(None, Some(9))),
            (&new, &[length("9"), tag("\"a\"")], nine.clone()),
            (&new, &[length("x")], new.clone()),
            // A slice that calls itself the whole file.
            (&new, &[length("5"), ("content-range", "bytes 4-8/9")], version(None, Some(9))),
            (&nine, &[], version(None, Some(9))),
            (&nine, &[length("5")], version(None, Some(9))),
            (&nine, &[length("5"), tag("\"a\"")], nine.clone()),
            (&nine, &[length("12")], version(None, Some(12))),
            // The file has changed.
            (&nine, &[length("5"), tag("\"b\"")], version(Some("\"b\""), Some(5))),
            (&nine, &[tag("\"b\"")], version(Some("\"b\""), None)),
            // The rest of it.
            (&nine, &[length("5"), ("content-range", "bytes 4-8/9"), tag("\"a\"")], nine.clone()),
        ] {
            let mut updated = known.clone();
            updated.update(&headers(pairs));
            assert_eq!(updated, expected, "{known:?} {pairs:?}");
        }
    }

    #[test]
    fn response_to_whole_request_is_decided() {
        use Action::{Fail, Replace};
        for (status, expected) in [
            (200, Replace),
            (203, Replace),
            // A part that was not requested.
            (206, Fail),
            (204, Fail),
            (304, Fail),
            (403, Fail),
            (416, Fail),
            (429, Fail),
            (500, Fail),
        ] {
            let headers = headers(&[("content-range", "bytes 0-8/9")]);
            assert_eq!(Version::default().decide(None, status, &headers), expected, "{status}");
        }
    }

    #[test]
    fn response_to_range_request_is_decided() {
        use Action::{Append, Fail, Restart};
        let tagged = version(Some("\"a\""), Some(9));
        let endless = version(Some("\"a\""), None);
        let range = ("content-range", "bytes 4-8/9");
        let same = ("etag", "\"a\"");
        for (known, status, pairs, expected) in [
            (&tagged, 206, &[range, same][..], Append),
            (&endless, 206, &[range, same], Append),
            // A shorter part than requested: the rest is requested next.
            (&tagged, 206, &[("content-range", "bytes 4-5/9"), same], Append),
            // Another file, or possibly another one.
            (&tagged, 206, &[range], Restart),
            (&tagged, 206, &[range, ("etag", "\"b\"")], Restart),
            (&tagged, 206, &[range, ("etag", "W/\"a\"")], Restart),
            (&tagged, 206, &[("content-range", "bytes 4-9/10"), same], Restart),
            (&tagged, 206, &[("content-range", "bytes 4-8/*"), same], Restart),
            (&endless, 206, &[("content-range", "bytes 4-8/*"), same], Restart),
            // Other bytes than requested.
            (&tagged, 206, &[("content-range", "bytes 3-8/9"), same], Restart),
            (&tagged, 206, &[("content-range", "bytes 0-8/9"), same], Restart),
            (&tagged, 206, &[("content-range", "rubbish"), same], Restart),
            (&tagged, 206, &[same], Restart),
            (&tagged, 206, &[range, same, ("content-encoding", "gzip")], Restart),
            // The whole file, or a slice of it: which one is not known.
            (&tagged, 200, &[("content-length", "9"), same], Restart),
            (&tagged, 200, &[range, same], Restart),
            (&tagged, 304, &[], Restart),
            (&tagged, 400, &[], Restart),
            (&tagged, 403, &[], Restart),
            (&tagged, 404, &[], Restart),
            (&tagged, 416, &[], Restart),
            (&tagged, 500, &[], Restart),
            (&tagged, 503, &[], Restart),
            // The server is busy: the bytes so far are kept.
            (&tagged, 408, &[], Fail),
            (&tagged, 425, &[], Fail),
            (&tagged, 429, &[], Fail),
        ] {
            let got = known.decide(known.range(4), status, &headers(pairs));
            assert_eq!(got, expected, "{known:?} {status} {pairs:?}");
        }
    }

    #[test]
    fn content_range_is_read() {
        for (value, expected) in [
            ("bytes 4-8/9", Some((4, 9))),
            ("bytes 0-0/1", Some((0, 1))),
            ("bytes  4-8 / 9", Some((4, 9))),
            ("bytes 4-8/*", None),
            ("bytes */9", None),
            ("bytes=4-8/9", None),
            ("lines 4-8/9", None),
            ("bytes 4-8", None),
            ("bytes 4-8/99999999999999999999999", None),
        ] {
            assert_eq!(content_range(&headers(&[("content-range", value)])), expected, "{value}");
        }
    }
}
