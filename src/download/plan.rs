//! What to do with the answer to a request for a file: pure decisions over values.

use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE},
};

use super::{
    kind::Kind,
    version::{Resume, Version, text},
};

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
