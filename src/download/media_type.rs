//! What a file is, by its first bytes. The headers count only if they are unknown.

use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};

use super::response::text;

/// How many bytes of a file are looked at; more than the signatures need.
pub(super) const HEAD_BYTES: usize = 256;

/// What the media type of an unknown format is.
const UNKNOWN: &str = "application/octet-stream";

/// Offset, signatures, media type. The first match counts.
const FORMATS: [(usize, &[&[u8]], &str); 9] = [
    (0, &[b"\xff\xd8\xff"], "image/jpeg"),
    (0, &[b"\x89PNG\r\n\x1a\n"], "image/png"),
    (0, &[b"GIF87a", b"GIF89a"], "image/gif"),
    (8, &[b"WEBPVP8"], "image/webp"),
    // EBML: WebM, or Matroska, of which WebM is a subset.
    (0, &[b"\x1a\x45\xdf\xa3"], "video/webm"),
    // Boxes of ISO-BMFF and QuickTime begin with their size.
    (4, &[b"ftypqt  ", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"], "video/quicktime"),
    (4, &[b"ftypavif", b"ftypavis"], "image/avif"),
    (4, &[b"ftypmif1", b"ftypmsf1", b"ftypmiaf", b"ftypheic", b"ftypheix"], "image/heif"),
    (4, &[b"ftyp"], "video/mp4"),
];

/// What a file is that begins like this: its media type, or why it has none.
///
/// Text (a page, JSON, XML, a playlist) is never anything else. The `Content-Type` counts only if the
/// format is unknown; a missing one means `application/octet-stream` (RFC 9110, section 8.3).
pub(super) fn detect(head: &[u8], headers: &HeaderMap) -> String {
    let known = FORMATS.iter().find(|(offset, signatures, _)| {
        let head = head.get(*offset..).unwrap_or_default();
        signatures.iter().any(|signature| head.starts_with(signature))
    });
    let content_type = text(headers, CONTENT_TYPE).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match (known, text(headers, CONTENT_ENCODING)) {
        _ if is_text(head) => "text".to_owned(),
        (Some((_, _, media_type)), _) => (*media_type).to_owned(),
        (None, Some(encoding)) => format!("{encoding} encoded data"),
        _ if ["", "binary/octet-stream"].contains(&&*essence) => UNKNOWN.to_owned(),
        _ => essence,
    }
}

/// Whether a file of this media type may be what is expected: `video` or `image`.
pub(super) fn is_expected(expected: &str, media_type: &str) -> bool {
    media_type == UNKNOWN || media_type.split('/').next() == Some(expected)
}

/// Whether it begins as a page, JSON, XML or a playlist does, or is nothing but text so far.
pub(super) fn is_text(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let begin = text.trim_start_matches('\u{feff}').trim_start();
    let is_binary = |c: char| c == '\u{fffd}' || c.is_control() && !c.is_whitespace();
    // The last character may be cut.
    let is_printable = !text.trim_end_matches('\u{fffd}').contains(is_binary);
    begin.starts_with(['<', '{', '[']) || begin.starts_with("#EXT") || is_printable
}

#[cfg(test)]
mod tests {
    use super::*;

    const MP4: &[u8] = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41";
    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0";
    const UNKNOWN_FORMAT: &[u8] = b"\x01\xfe\x80\x90unknown";

    fn detected(head: &[u8], headers: &[(http::HeaderName, &str)]) -> String {
        let pair = |(name, value): &(http::HeaderName, &str)| {
            (name.clone(), value.parse().expect("a header value"))
        };
        detect(head, &headers.iter().map(pair).collect())
    }

    #[test]
    fn formats_are_detected() {
        for (head, expected) in [
            (MP4, "video/mp4"),
            (b"\0\0\0\x14ftypmp42\0\0\0\0", "video/mp4"),
            (b"\0\0\0\x18ftypM4V ", "video/mp4"),
            (b"\0\0\0\x14ftypqt  \0\0\0\0", "video/quicktime"),
            (b"\0\0\0\x08wide\0\0\0\0mdat", "video/quicktime"),
            (b"\0\x01\0\x08moov", "video/quicktime"),
            (b"\0\0\0\x1cftypavif\0\0\0\0", "image/avif"),
            (b"\0\0\0\x1cftypmif1\0\0\0\0avif", "image/heif"),
            (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\x82\x84webm", "video/webm"),
            (JPEG, "image/jpeg"),
            (b"\x89PNG\r\n\x1a\n\0\0", "image/png"),
            (b"GIF89a\x01\0", "image/gif"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
            // Another format, or text.
            (b"RIFF\x10\0\0\0AVI LIST", "application/octet-stream"),
            (&MP4[..7], "application/octet-stream"),
            (UNKNOWN_FORMAT, "application/octet-stream"),
            (b"The free film", "text"),
            (b"An iftyped", "text"),
            (b"GIF89a is a format", "text"),
        ] {
            assert_eq!(detected(head, &[]), expected, "{}", head.escape_ascii());
        }
    }

    #[test]
    fn content_type_counts_only_if_the_bytes_are_unknown() {
        for (head, content_type, expected) in [
            (MP4, "multipart/form-data; boundary=x", "video/mp4"),
            (MP4, "text/html", "video/mp4"),
            (MP4, "", "video/mp4"),
            (JPEG, "video/mp4", "image/jpeg"),
            (UNKNOWN_FORMAT, "Video/MP4; codecs=\"avc1\"", "video/mp4"),
            (UNKNOWN_FORMAT, "image/bmp", "image/bmp"),
            (UNKNOWN_FORMAT, "text/html", "text/html"),
            (UNKNOWN_FORMAT, "nonsense", "nonsense"),
            (UNKNOWN_FORMAT, "", UNKNOWN),
            (UNKNOWN_FORMAT, ";", UNKNOWN),
            (UNKNOWN_FORMAT, "application/octet-stream", UNKNOWN),
            (UNKNOWN_FORMAT, "Binary/Octet-Stream", UNKNOWN),
            // Text is never a file.
            (b"<!DOCTYPE html>\xff", "video/mp4", "text"),
            (b"\xef\xbb\xbf\r\n <Error>", "video/mp4", "text"),
            (b"{\"error\":1}", "image/png", "text"),
            (b"[1]", "", "text"),
            (b"#EXTM3U\n#EXT-X", "video/mp2t", "text"),
            (b"Access denied", "binary/octet-stream", "text"),
            ("Zugriff auf Ger\u{e4}".as_bytes(), "", "text"),
            (b"Ger\xc3", "video/mp4", "text"),
        ] {
            let found = detected(head, &[(CONTENT_TYPE, content_type)]);
            assert_eq!(found, expected, "{} {content_type}", head.escape_ascii());
        }
    }

    #[test]
    fn encoding_counts_only_if_the_bytes_are_unknown() {
        let headers = [(CONTENT_TYPE, "video/mp4"), (CONTENT_ENCODING, "gzip")];
        assert_eq!(detected(MP4, &headers), "video/mp4");
        assert_eq!(detected(b"\x1f\x8b\x08\0", &headers), "gzip encoded data");
    }

    #[test]
    fn media_type_is_expected_by_its_first_half() {
        for (media_type, video, image) in [
            ("video/mp4", true, false),
            ("image/jpeg", false, true),
            (UNKNOWN, true, true),
            ("text", false, false),
            ("text/html", false, false),
            ("gzip encoded data", false, false),
        ] {
            assert_eq!(is_expected("video", media_type), video, "{media_type}");
            assert_eq!(is_expected("image", media_type), image, "{media_type}");
        }
    }
}
