//! What to do with the answer to a request for a file: pure decisions over values.

use http::{
    HeaderMap, StatusCode,
    header::{
        AsHeaderName, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
        LAST_MODIFIED,
    },
};
use serde::{Deserialize, Serialize};

/// Which of a video's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Video,
    Thumbnail,
}

impl Kind {
    /// The type that is expected, as the first half of a content type.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Thumbnail => "image",
        }
    }

    /// Whether this content type says so itself, so that the bytes need not.
    pub(super) fn is_named_by(self, content_type: &str) -> bool {
        let kind = content_type.split('/').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case(self.name())
    }

    /// Whether a file of this content type may be it. Storage often knows no better than "bytes".
    fn accepts(self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let (kind, format) = essence.split_once('/').unwrap_or((essence, ""));
        kind.is_empty()
            || kind.eq_ignore_ascii_case(self.name())
            || (format.eq_ignore_ascii_case("octet-stream")
                && ["application", "binary"].contains(&&*kind.to_ascii_lowercase()))
            || (self == Self::Video && essence.eq_ignore_ascii_case("application/mp4"))
    }
}

/// What tells one version of a file from another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    /// The length of the whole file in bytes.
    pub(crate) total: Option<u64>,
}

impl Version {
    fn read(headers: &HeaderMap, total: Option<u64>) -> Self {
        Self {
            etag: text(headers, ETAG).map(str::to_owned),
            last_modified: text(headers, LAST_MODIFIED).map(str::to_owned),
            total,
        }
    }

    /// The ETag, if it vouches for every byte.
    pub(crate) fn strong_etag(&self) -> Option<&str> {
        self.etag
            .as_deref()
            .filter(|tag| tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'))
    }

    /// Whether there is anything to hold a later answer against.
    pub(crate) fn is_resumable(&self) -> bool {
        self.strong_etag().is_some() || self.total.is_some()
    }

    /// Whether a part of `other` goes on where a part of this one ended.
    fn goes_on_with(&self, other: &Self) -> bool {
        fn agree<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
            one.is_none() || other.is_none() || one == other
        }
        match self.strong_etag() {
            Some(tag) => other.etag.as_deref() == Some(tag) && agree(&self.total, &other.total),
            None => {
                self.total.is_some()
                    && self.total == other.total
                    && agree(&self.etag, &other.etag)
                    && agree(&self.last_modified, &other.last_modified)
            }
        }
    }
}

/// A request for the rest of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resume {
    /// The first byte that is asked for.
    pub(crate) from: u64,
    /// What the bytes before it are of.
    pub(crate) version: Version,
}

impl Resume {
    /// How to go on after `length` bytes; `None` where only a new beginning is safe.
    ///
    /// What is complete already is asked for its last byte again: an empty range cannot be asked
    /// for, and the server's word is wanted that nothing has changed.
    pub(crate) fn after(length: u64, version: &Version) -> Option<Self> {
        let from = match version.total {
            Some(total) if length > total => return None,
            Some(total) => length.min(total.saturating_sub(1)),
            None => length,
        };
        (from > 0 && version.is_resumable()).then(|| Self {
            from,
            version: version.clone(),
        })
    }
}

/// What to do with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// It is the rest: put it behind what is there.
    Append(Version),
    /// It is the whole file: throw away what is there.
    Restart(Version),
    /// It does not go with what is there: throw that away, and ask for the whole file.
    AskAnew,
    /// It is no file to keep.
    Refuse(Refusal),
}

/// Why an answer is no file to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Expired,
    Status,
    WrongType,
    Encoded(String),
    TooLarge(u64),
}

/// What to do with an answer to a request for the whole file, or for the rest of it.
pub(crate) fn plan(
    asked: Option<&Resume>,
    status: StatusCode,
    headers: &HeaderMap,
    kind: Kind,
    max_bytes: u64,
) -> Plan {
    match status.as_u16() {
        200 | 206 => {}
        412 | 416 if asked.is_some() => return Plan::AskAnew,
        403 | 404 | 410 => return Plan::Refuse(Refusal::Expired),
        _ => return Plan::Refuse(Refusal::Status),
    }
    let content_type = text(headers, CONTENT_TYPE).unwrap_or_default();
    let is_part = status == StatusCode::PARTIAL_CONTENT;
    // Several ranges in one answer, which nobody asked for.
    if is_part && text(headers, CONTENT_RANGE).is_none() {
        return ask_anew(asked);
    }
    if !kind.accepts(content_type) {
        return Plan::Refuse(Refusal::WrongType);
    }
    if let Some(encoding) = compression(headers) {
        return Plan::Refuse(Refusal::Encoded(encoding.to_owned()));
    }
    let plan = match (is_part, asked) {
        (false, _) => {
            let length = text(headers, CONTENT_LENGTH).and_then(|length| length.parse().ok());
            Plan::Restart(Version::read(headers, length))
        }
        (true, None) => return ask_anew(None),
        (true, Some(asked)) => {
            let range = text(headers, CONTENT_RANGE).and_then(content_range);
            let Some((first, total)) = range else {
                return Plan::AskAnew;
            };
            let version = Version::read(headers, total);
            if first != asked.from || !asked.version.goes_on_with(&version) {
                return Plan::AskAnew;
            }
            Plan::Append(Version {
                total: total.or(asked.version.total),
                ..asked.version.clone()
            })
        }
    };
    match &plan {
        Plan::Append(Version { total, .. }) | Plan::Restart(Version { total, .. }) => {
            match total.filter(|total| *total > max_bytes) {
                Some(total) => Plan::Refuse(Refusal::TooLarge(total)),
                None => plan,
            }
        }
        _ => plan,
    }
}

/// Asking for the whole file again helps only where it was not asked for before.
fn ask_anew(asked: Option<&Resume>) -> Plan {
    match asked {
        Some(_) => Plan::AskAnew,
        None => Plan::Refuse(Refusal::Status),
    }
}

fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty()).then_some(text)
}

/// The compression of the file. Other content codings, like `aws-chunked`, leave its bytes alone.
fn compression(headers: &HeaderMap) -> Option<&str> {
    const KNOWN: [&str; 7] = [
        "gzip",
        "x-gzip",
        "compress",
        "x-compress",
        "deflate",
        "br",
        "zstd",
    ];
    let encoding = text(headers, CONTENT_ENCODING)?;
    let mut codings = encoding.split(',').map(str::trim);
    codings
        .any(|coding| KNOWN.iter().any(|known| coding.eq_ignore_ascii_case(known)))
        .then_some(encoding)
}

/// First byte and whole length of a `Content-Range`, which may leave the length open.
fn content_range(range: &str) -> Option<(u64, Option<u64>)> {
    let (unit, range) = range.split_once(' ')?;
    let (positions, total) = range.trim().split_once('/')?;
    let (first, last) = positions.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse::<u64>().ok()?),
    };
    let is_sound = first <= last && total.is_none_or(|total| last < total);
    (unit.eq_ignore_ascii_case("bytes") && is_sound).then_some((first, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u64 = 1000;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                let value = value.parse().expect("a header value");
                (http::HeaderName::from_static(name), value)
            })
            .collect()
    }

    fn version(etag: Option<&str>, last_modified: Option<&str>, total: Option<u64>) -> Version {
        Version {
            etag: etag.map(str::to_owned),
            last_modified: last_modified.map(str::to_owned),
            total,
        }
    }

    fn told(asked: Option<&Resume>, status: u16, pairs: &[(&'static str, &str)]) -> Plan {
        let status = StatusCode::from_u16(status).expect("a status");
        plan(asked, status, &headers(pairs), Kind::Video, MAX)
    }

    #[test]
    fn answers_to_a_request_for_the_whole_file() {
        use Refusal::*;
        let whole = |etag, total| Plan::Restart(version(etag, None, total));
        for (status, pairs, expected) in [
            (200, &[("content-length", "9")][..], whole(None, Some(9))),
            (
                200,
                &[("content-length", "9"), ("etag", "\"a\"")],
                whole(Some("\"a\""), Some(9)),
            ),
            (200, &[], whole(None, None)),
            (200, &[("content-length", "1000")], whole(None, Some(MAX))),
            (
                200,
                &[("content-length", "1001")],
                Plan::Refuse(TooLarge(1001)),
            ),
            (
                200,
                &[("content-type", "text/html; charset=utf-8")],
                Plan::Refuse(WrongType),
            ),
            (
                200,
                &[("content-encoding", "GZIP")],
                Plan::Refuse(Encoded("GZIP".into())),
            ),
            (
                200,
                &[("content-encoding", "aws-chunked")],
                whole(None, None),
            ),
            // A part that nobody asked for.
            (
                206,
                &[("content-range", "bytes 0-8/9")],
                Plan::Refuse(Status),
            ),
            (206, &[], Plan::Refuse(Status)),
            (204, &[], Plan::Refuse(Status)),
            (304, &[], Plan::Refuse(Status)),
            (401, &[], Plan::Refuse(Status)),
            (403, &[], Plan::Refuse(Expired)),
            (404, &[], Plan::Refuse(Expired)),
            (410, &[], Plan::Refuse(Expired)),
            (416, &[], Plan::Refuse(Status)),
            (500, &[], Plan::Refuse(Status)),
        ] {
            assert_eq!(told(None, status, pairs), expected, "{status} {pairs:?}");
        }
    }

    #[test]
    fn answers_to_a_request_for_the_rest() {
        let tagged = version(Some("\"a\""), None, Some(9));
        let dated = version(None, Some("Monday"), Some(9));
        let weak = version(Some("W/\"a\""), None, Some(9));
        let endless = version(Some("\"a\""), None, None);
        let range = ("content-range", "bytes 4-8/9");
        let open = ("content-range", "bytes 4-8/*");
        let same = ("etag", "\"a\"");
        let append = |known: &Version| Plan::Append(known.clone());
        let total = Some(9);
        for (known, status, pairs, expected) in [
            (&tagged, 206, &[range, same][..], append(&tagged)),
            (&tagged, 206, &[open, same], append(&tagged)),
            (
                &endless,
                206,
                &[range, same],
                append(&version(Some("\"a\""), None, total)),
            ),
            (&endless, 206, &[open, same], append(&endless)),
            // Another file, or perhaps another one.
            (&tagged, 206, &[range], Plan::AskAnew),
            (&tagged, 206, &[range, ("etag", "\"b\"")], Plan::AskAnew),
            (&tagged, 206, &[range, ("etag", "W/\"a\"")], Plan::AskAnew),
            (
                &tagged,
                206,
                &[("content-range", "bytes 4-9/10"), same],
                Plan::AskAnew,
            ),
            // Not the bytes that were asked for.
            (
                &tagged,
                206,
                &[("content-range", "bytes 3-8/9"), same],
                Plan::AskAnew,
            ),
            (
                &tagged,
                206,
                &[("content-range", "rubbish"), same],
                Plan::AskAnew,
            ),
            (
                &tagged,
                206,
                &[("content-type", "multipart/byteranges; boundary=x")],
                Plan::AskAnew,
            ),
            // Without a strong ETag the length has to vouch.
            (&dated, 206, &[range], append(&dated)),
            (
                &dated,
                206,
                &[range, ("last-modified", "Monday")],
                append(&dated),
            ),
            (
                &dated,
                206,
                &[range, ("last-modified", "Friday")],
                Plan::AskAnew,
            ),
            (&dated, 206, &[open], Plan::AskAnew),
            (
                &dated,
                206,
                &[("content-range", "bytes 4-9/10")],
                Plan::AskAnew,
            ),
            (&weak, 206, &[range, ("etag", "W/\"a\"")], append(&weak)),
            (&weak, 206, &[range, ("etag", "W/\"b\"")], Plan::AskAnew),
            // The whole file, because it has changed or the server knows no ranges.
            (
                &tagged,
                200,
                &[("content-length", "7")],
                Plan::Restart(version(None, None, Some(7))),
            ),
            (&tagged, 412, &[], Plan::AskAnew),
            (
                &tagged,
                416,
                &[("content-range", "bytes */3")],
                Plan::AskAnew,
            ),
            (&tagged, 404, &[], Plan::Refuse(Refusal::Expired)),
            (&tagged, 503, &[], Plan::Refuse(Refusal::Status)),
            (
                &endless,
                206,
                &[("content-range", "bytes 4-1000/1001"), same],
                Plan::Refuse(Refusal::TooLarge(1001)),
            ),
        ] {
            let asked = Resume {
                from: 4,
                version: known.clone(),
            };
            let got = told(Some(&asked), status, pairs);
            assert_eq!(got, expected, "{known:?} {status} {pairs:?}");
        }
    }

    #[test]
    fn where_to_go_on() {
        let strong = Some("\"a\"");
        for (length, etag, total, expected) in [
            (0, strong, Some(9), None),
            (4, strong, Some(9), Some(4)),
            (4, strong, None, Some(4)),
            (4, None, Some(9), Some(4)),
            (4, None, None, None),
            (4, Some("W/\"a\""), None, None),
            (4, Some("a"), None, None),
            (4, Some("\"\""), None, None),
            // Complete: the last byte again.
            (9, strong, Some(9), Some(8)),
            (1, strong, Some(1), None),
            (10, strong, Some(9), None),
            (3, strong, Some(0), None),
        ] {
            let resume = Resume::after(length, &version(etag, None, total));
            let from = resume.map(|resume| resume.from);
            assert_eq!(from, expected, "{length} {etag:?} {total:?}");
        }
    }

    #[test]
    fn content_types() {
        for (content_type, video, image) in [
            ("", true, true),
            ("video/mp4", true, false),
            ("Video/MP4; codecs=\"avc1\"", true, false),
            ("application/octet-stream", true, true),
            ("binary/octet-stream", true, true),
            ("application/mp4", true, false),
            ("image/jpeg", false, true),
            ("text/html", false, false),
            ("application/json", false, false),
            ("application/xml", false, false),
            ("text/octet-stream", false, false),
            ("nonsense", false, false),
        ] {
            assert_eq!(Kind::Video.accepts(content_type), video, "{content_type}");
            assert_eq!(
                Kind::Thumbnail.accepts(content_type),
                image,
                "{content_type}"
            );
        }
    }

    #[test]
    fn content_ranges() {
        for (range, expected) in [
            ("bytes 4-8/9", Some((4, Some(9)))),
            ("Bytes 0-0/1", Some((0, Some(1)))),
            ("bytes 4-8/*", Some((4, None))),
            ("bytes */9", None),
            ("bytes 8-4/9", None),
            ("bytes 4-9/9", None),
            ("bytes 4-/9", None),
            ("bytes=4-8/9", None),
            ("lines 4-8/9", None),
            ("bytes 4-8", None),
            ("bytes 4-8/99999999999999999999999", None),
        ] {
            assert_eq!(content_range(range), expected, "{range}");
        }
    }
}
