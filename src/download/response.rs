//! What to do with the response to a request for a file: pure decisions over values.

use http::{
    HeaderMap,
    header::{AsHeaderName, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG},
};

/// What the responses of a download have said about the file so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) etag: Option<String>,
    /// The promised length of the whole file in bytes.
    pub(super) total: Option<u64>,
}

impl Version {
    /// The ETag, if it guarantees every byte.
    pub(super) fn strong_etag(&self) -> Option<&str> {
        let is_strong = |tag: &&str| tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"');
        self.etag.as_deref().filter(is_strong)
    }

    /// What is known after a response with the whole file. A promised length stands, unless the
    /// file has changed.
    fn replaced_by(&self, headers: &HeaderMap) -> Self {
        let etag = text(headers, ETAG).map(str::to_owned);
        let length = text(headers, CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let length = length.max(content_range(headers).map(|range| range.total));
        let has_changed = self.etag.is_some() && etag.is_some() && self.etag != etag;
        let total = if has_changed { length } else { length.max(self.total) };
        Self { etag, total }
    }
}

/// What to do with a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Append the body to the bytes so far. The file has this length in the end.
    Append(u64),
    /// Discard the bytes so far. The body is the whole file.
    Replace(Version),
    /// Request the whole file, without `Range`.
    Restart,
    /// Report the status as an error.
    Fail,
}

/// Decides what to do with a response to a request for the file from byte `from` on, or for the
/// whole file.
///
/// Only a 206 that continues exactly the bytes so far is appended. A server that answers a `Range`
/// request in another way may not support ranges, so the whole file is requested. After 408, 425 and
/// 429 the bytes so far are kept, and the same range is requested again later.
pub(super) fn decide(
    from: Option<u64>,
    known: &Version,
    status: u16,
    headers: &HeaderMap,
) -> Action {
    match (status, from) {
        (206, Some(from)) => match content_range(headers) {
            Some(range)
                if range.first == from
                    && known.total.is_none_or(|total| total == range.total)
                    && known.strong_etag().is_some()
                    && known.strong_etag() == text(headers, ETAG)
                    && encoding(headers).is_none() =>
            {
                Action::Append(range.total)
            }
            _ => Action::Restart,
        },
        (408 | 425 | 429, Some(_)) => Action::Fail,
        (_, Some(_)) => Action::Restart,
        (200, None) => Action::Replace(known.replaced_by(headers)),
        (_, None) => Action::Fail,
    }
}

/// The encoding of the body, unless it leaves the bytes alone.
pub(super) fn encoding(headers: &HeaderMap) -> Option<&str> {
    let is_plain =
        |encoding: &&str| ["identity", "aws-chunked"].contains(&&*encoding.to_ascii_lowercase());
    text(headers, CONTENT_ENCODING).filter(|encoding| !is_plain(encoding))
}

/// A header, unless it is blank or not ASCII.
pub(super) fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty()).then_some(text)
}

#[derive(Debug, PartialEq, Eq)]
struct ContentRange {
    first: u64,
    total: u64,
}

/// The `Content-Range`, if it is sound and tells the length of the whole file.
fn content_range(headers: &HeaderMap) -> Option<ContentRange> {
    let (unit, range) = text(headers, CONTENT_RANGE)?.split_once(' ')?;
    let (positions, total) = range.split_once('/')?;
    let (first, last) = positions.split_once('-')?;
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (first, last, total) = (number(first)?, number(last)?, number(total)?);
    let is_sound = unit.eq_ignore_ascii_case("bytes") && first <= last && last < total;
    is_sound.then_some(ContentRange { first, total })
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
        let etag = etag.map(str::to_owned);
        Version { etag, total }
    }

    #[test]
    fn response_to_whole_request_is_decided() {
        use Action::{Fail, Replace};
        let new = Version::default();
        let nine = version(Some("\"a\""), Some(9));
        let length = |length| ("content-length", length);
        let tag = |tag| ("etag", tag);
        for (known, status, pairs, expected) in [
            (&new, 200, &[][..], Replace(new.clone())),
            (&new, 200, &[length("9")], Replace(version(None, Some(9)))),
            (&new, 200, &[length("9"), tag("\"a\"")], Replace(nine.clone())),
            (&new, 200, &[length("x")], Replace(new.clone())),
            // A slice that calls itself the whole file.
            (
                &new,
                200,
                &[length("5"), ("content-range", "bytes 4-8/9")],
                Replace(version(None, Some(9))),
            ),
            // A promised length stands, unless the file has changed.
            (&nine, 200, &[], Replace(version(None, Some(9)))),
            (&nine, 200, &[length("5")], Replace(version(None, Some(9)))),
            (&nine, 200, &[length("5"), tag("\"a\"")], Replace(nine.clone())),
            (&nine, 200, &[length("12")], Replace(version(None, Some(12)))),
            (&nine, 200, &[length("5"), tag("\"b\"")], Replace(version(Some("\"b\""), Some(5)))),
            (&nine, 200, &[tag("\"b\"")], Replace(version(Some("\"b\""), None))),
            // A part that was not requested.
            (&new, 206, &[("content-range", "bytes 0-8/9")], Fail),
            (&new, 204, &[], Fail),
            (&new, 304, &[], Fail),
            (&new, 403, &[], Fail),
            (&new, 416, &[], Fail),
            (&new, 500, &[], Fail),
        ] {
            let got = decide(None, known, status, &headers(pairs));
            assert_eq!(got, expected, "{known:?} {status} {pairs:?}");
        }
    }

    #[test]
    fn response_to_range_request_is_decided() {
        use Action::{Append, Fail, Restart};
        let tagged = version(Some("\"a\""), Some(9));
        let endless = version(Some("\"a\""), None);
        let weak = version(Some("W/\"a\""), Some(9));
        let bare = version(None, Some(9));
        let range = ("content-range", "bytes 4-8/9");
        let same = ("etag", "\"a\"");
        for (known, status, pairs, expected) in [
            (&tagged, 206, &[range, same][..], Append(9)),
            (&endless, 206, &[range, same], Append(9)),
            // A shorter part than requested: the rest is requested next.
            (&tagged, 206, &[("content-range", "bytes 4-5/9"), same], Append(9)),
            // Another file, or possibly another one.
            (&tagged, 206, &[range], Restart),
            (&tagged, 206, &[range, ("etag", "\"b\"")], Restart),
            (&tagged, 206, &[range, ("etag", "W/\"a\"")], Restart),
            (&weak, 206, &[range, ("etag", "W/\"a\"")], Restart),
            (&bare, 206, &[range], Restart),
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
            (&tagged, 400, &[], Restart),
            (&tagged, 403, &[], Restart),
            (&tagged, 404, &[], Restart),
            (&tagged, 405, &[], Restart),
            (&tagged, 410, &[], Restart),
            (&tagged, 412, &[], Restart),
            (&tagged, 416, &[], Restart),
            (&tagged, 500, &[], Restart),
            (&tagged, 501, &[], Restart),
            (&tagged, 503, &[], Restart),
            (&tagged, 304, &[], Restart),
            // The server is busy: the bytes so far are kept.
            (&tagged, 408, &[], Fail),
            (&tagged, 425, &[], Fail),
            (&tagged, 429, &[], Fail),
        ] {
            let got = decide(Some(4), known, status, &headers(pairs));
            assert_eq!(got, expected, "{known:?} {status} {pairs:?}");
        }
    }

    #[test]
    fn content_range_is_read() {
        let range = |first, total| Some(ContentRange { first, total });
        for (value, expected) in [
            ("bytes 4-8/9", range(4, 9)),
            ("Bytes 0-0/1", range(0, 1)),
            ("bytes  4-8 / 9", range(4, 9)),
            ("bytes 4-8/*", None),
            ("bytes */9", None),
            ("bytes 8-4/9", None),
            ("bytes 4-9/9", None),
            ("bytes 4-/9", None),
            ("bytes=4-8/9", None),
            ("lines 4-8/9", None),
            ("bytes 4-8", None),
            ("bytes 4-8/99999999999999999999999", None),
        ] {
            assert_eq!(content_range(&headers(&[("content-range", value)])), expected, "{value}");
        }
    }

    #[test]
    fn encoding_is_named_unless_it_is_plain() {
        for (value, expected) in [
            ("GZIP", true),
            ("aws-chunked, gzip", true),
            ("br", true),
            ("aws-chunked", false),
            ("identity", false),
            ("Identity", false),
        ] {
            let headers = headers(&[("content-encoding", value)]);
            assert_eq!(encoding(&headers).is_some(), expected, "{value}");
        }
        assert_eq!(encoding(&HeaderMap::new()), None);
    }

    #[test]
    fn etag_is_strong_or_not() {
        for (etag, expected) in [("\"a\"", true), ("W/\"a\"", false), ("a", false), ("\"\"", false)]
        {
            let version = version(Some(etag), None);
            assert_eq!(version.strong_etag().is_some(), expected, "{etag}");
        }
    }
}
