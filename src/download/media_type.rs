//! What a file is, by its first bytes.

use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};

use super::response::text;
use crate::util::json::to_utf8;

/// How many bytes of a file are looked at; more than the signatures need.
pub(super) const HEAD_BYTES: usize = 256;

/// Offset, signatures, media type. The first match counts.
///
/// An MP4 whose brand is not known is a video: new brands appear, and the brands of sound and pictures are
/// few. The last rows are what servers send in place of a video.
#[rustfmt::skip] // one line a format
const FORMATS: [(usize, &[&[u8]], &str); 17] = [
    (0, &[b"\xff\xd8\xff"], "image/jpeg"),
    (0, &[b"\x89PNG\r\n\x1a\n"], "image/png"),
    (0, &[b"GIF87a", b"GIF89a"], "image/gif"),
    (8, &[b"WEBPVP8"], "image/webp"),
    (4, &[b"ftypavif", b"ftypavis"], "image/avif"),
    (4, &[b"ftypmif1", b"ftypmsf1", b"ftypmiaf", b"ftyphei", b"ftyphev"], "image/heif"),
    (4, &[b"ftypM4A ", b"ftypM4B ", b"ftypM4P ", b"ftypF4A ", b"ftypF4B "], "audio/mp4"),
    // Boxes of ISO-BMFF and QuickTime begin with their size.
    (4, &[b"ftypqt  ", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"], "video/quicktime"),
    (4, &[b"ftyp", b"styp", b"moof", b"sidx", b"uuid", b"emsg", b"prft"], "video/mp4"),
    // EBML: WebM, or Matroska, of which WebM is a subset.
    (0, &[b"\x1a\x45\xdf\xa3"], "video/webm"),
    (8, &[b"AVI LIST"], "video/x-msvideo"),
    (0, &[b"\0\0\x01\xba", b"\0\0\x01\xb3"], "video/mpeg"),
    (0, &[b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"], "audio/mpeg"),
    (0, &[b"PK\x03\x04", b"PK\x05\x06"], "application/zip"),
    (0, &[b"\x1f\x8b"], "application/gzip"),
    (0, &[b"%PDF-"], "application/pdf"),
    (0, &[&[0; 16]], "application/zero"),
];

/// The media type of a file that begins like this.
///
/// # Errors
///
/// What came, if it is none of the known formats: text (a page, JSON, XML, a playlist), which is never
/// anything else; compressed data; or an unknown format, with the `Content-Type`.
pub(super) fn detect(head: &[u8], headers: &HeaderMap) -> Result<&'static str, String> {
    let known = FORMATS.iter().find(|(offset, signatures, _)| {
        let head = head.get(*offset..).unwrap_or_default();
        signatures.iter().any(|signature| head.starts_with(signature))
    });
    let encoding = text(headers, CONTENT_ENCODING).filter(|encoding| *encoding != "identity");
    match (known, encoding, text(headers, CONTENT_TYPE)) {
        _ if is_text(head) => Err("text".to_owned()),
        (Some((.., "application/zero")), ..) => Err("zero bytes".to_owned()),
        (Some((.., "application/gzip")) | None, Some(encoding), _) => {
            Err(format!("{encoding} encoded data"))
        }
        (Some((.., media_type)), ..) => Ok(media_type),
        (None, None, Some(named)) => Err(format!("an unknown format (named {named})")),
        (None, None, None) => Err("an unknown format".to_owned()),
    }
}

/// Whether it begins as a page, JSON, XML or a playlist does, or is nothing but text so far.
pub(super) fn is_text(head: &[u8]) -> bool {
    let head = to_utf8(head);
    let text = String::from_utf8_lossy(&head);
    let begin = text.trim_start();
    let is_binary = |c: char| c == '\u{fffd}' || c.is_control() && !c.is_whitespace();
    // The last character may be cut.
    let is_printable = !text.trim_end_matches('\u{fffd}').contains(is_binary);
    begin.starts_with(['<', '{', '[']) || begin.starts_with("#EXT") || is_printable
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detected(head: &[u8], headers: &[(http::HeaderName, &str)]) -> String {
        let pair = |(name, value): &(http::HeaderName, &str)| {
            (name.clone(), value.parse().expect("a header value"))
        };
        let found = detect(head, &headers.iter().map(pair).collect());
        found.map_or_else(|other| other, str::to_owned)
    }

    fn utf16(text: &str) -> Vec<u8> {
        format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn format_is_detected_by_the_first_bytes() {
        let page = utf16("<!DOCTYPE html><title>Gateway</title>");
        for (head, expected) in [
            (&b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41"[..], "video/mp4"),
            (b"\0\0\0\x14ftypmp42\0\0\0\0", "video/mp4"),
            (b"\0\0\0\x18ftypM4V ", "video/mp4"),
            (b"\0\0\0\x18ftypiso9", "video/mp4"),
            (b"\0\0\0\x18ftypLUMA", "video/mp4"),
            (b"\0\0\0\x18ftyp\0\0\0\0", "video/mp4"),
            (b"\0\0\0\x18stypmsdh", "video/mp4"),
            (b"\0\0\0\x01ftypisom\0\0\0\0", "video/mp4"),
            (b"\0\0\0\x40uuid\x85\xc0\xb6\x87", "video/mp4"),
            (b"\0\0\0\x14ftypqt  \0\0\0\0", "video/quicktime"),
            (b"\0\0\0\x08wide\0\0\0\0mdat", "video/quicktime"),
            (b"\0\x01\0\x08moov", "video/quicktime"),
            (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\x82\x84webm", "video/webm"),
            (b"RIFF\x10\0\0\0AVI LIST", "video/x-msvideo"),
            (b"\0\0\x01\xba\x44\0", "video/mpeg"),
            (b"\0\0\0\x1cftypavif\0\0\0\0", "image/avif"),
            (b"\0\0\0\x1cftypmif1\0\0\0\0avif", "image/heif"),
            (b"\0\0\0\x18ftypheic\0\0\0\0", "image/heif"),
            (b"\0\0\0\x18ftyphevc\0\0\0\0", "image/heif"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "image/jpeg"),
            (b"\x89PNG\r\n\x1a\n\0\0", "image/png"),
            (b"GIF89a\x01\0", "image/gif"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
            // What comes instead.
            (b"\0\0\0\x1cftypM4A \0\0\0\0M4A mp42isom", "audio/mp4"),
            (b"ID3\x04\0\0\0\0\0\x23TSSE", "audio/mpeg"),
            (b"\xff\xfb\x90\x64\0\0", "audio/mpeg"),
            (b"PK\x03\x04\x14\0\0\0", "application/zip"),
            (b"\x1f\x8b\x08\0\0", "application/gzip"),
            (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\r\n", "application/pdf"),
            (&[0; 256], "zero bytes"),
            (b"RIFF\x10\0\0\0WAVEfmt ", "an unknown format"),
            (b"\0\0\0\x20fty", "an unknown format"),
            (b"\x01\xfe\x80\x90unknown", "an unknown format"),
            (b"The free film", "text"),
            (b"An iftyped", "text"),
            (b"GIF89a is a format", "text"),
            (b"ID3 is a format", "text"),
            (b"<!DOCTYPE html>\xff", "text"),
            (b"\xef\xbb\xbf\r\n <Error>", "text"),
            (b"{\"error\":1}", "text"),
            (b"[1]", "text"),
            (b"#EXTM3U\n#EXT-X", "text"),
            (b"Access denied", "text"),
            ("Zugriff auf Ger\u{e4}".as_bytes(), "text"),
            (b"Ger\xc3", "text"),
            (&page, "text"),
            (&page[..35], "text"),
        ] {
            for content_type in ["video/mp4", "text/html", "nonsense"] {
                let expected = match expected {
                    "an unknown format" => format!("{expected} (named {content_type})"),
                    expected => expected.to_owned(),
                };
                let found = detected(head, &[(CONTENT_TYPE, content_type)]);
                assert_eq!(found, expected, "{} {content_type}", head.escape_ascii());
            }
            assert_eq!(detected(head, &[]), expected, "{}", head.escape_ascii());
        }
    }

    #[test]
    fn encoding_counts_only_if_the_bytes_are_no_file() {
        const MP4: &[u8] = b"\0\0\0\x20ftypisom";
        for (head, encoding, expected) in [
            (MP4, "gzip", "video/mp4"),
            (b"\x1f\x8b\x08\0", "gzip", "gzip encoded data"),
            (b"\x01\xfe\x80\x90", "br", "br encoded data"),
            (b"\x01\xfe\x80\x90", "identity", "an unknown format"),
            (b"PK\x03\x04\x14\0", "gzip", "application/zip"),
        ] {
            assert_eq!(detected(head, &[(CONTENT_ENCODING, encoding)]), expected, "{encoding}");
        }
    }
}
