//! What a file is, by its first bytes. The `Content-Type` counts only if they are unknown.

/// How many bytes of a file are looked at.
pub(super) const HEAD_BYTES: usize = 512;

/// The media type of a known format; `None` if more bytes are needed, or the format is unknown.
pub(super) fn detect(head: &[u8]) -> Option<&'static str> {
    Some(match head {
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => "image/png",
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        // EBML, which both have in common; WebM names itself within the header.
        [0x1a, 0x45, 0xdf, 0xa3, rest @ ..] if rest.len() >= 60 => {
            match rest[..60].windows(4).any(|word| word == b"webm") {
                true => "video/webm",
                false => "video/x-matroska",
            }
        }
        // A box of ISO-BMFF or QuickTime begins with its size, which is no printable text.
        [..=0x1f, _, _, _, b'f', b't', b'y', b'p', brand @ ..] if brand.len() >= 4 => {
            match &brand[..4] {
                b"qt  " => "video/quicktime",
                b"avif" | b"avis" => "image/avif",
                b"mif1" | b"msf1" | b"miaf" | b"heic" | b"heix" => "image/heif",
                _ => "video/mp4",
            }
        }
        [..=0x1f, _, _, _, kind @ ..] if kind.len() >= 4 => match &kind[..4] {
            b"moov" | b"mdat" | b"wide" | b"free" | b"skip" | b"pnot" => "video/quicktime",
            _ => return None,
        },
        _ => return None,
    })
}

/// Decides whether a file that begins like this is `expected`: `video` or `image`. Returns its media
/// type.
///
/// The `Content-Type` does not matter for a known format, nor for text (a page, JSON, XML,
/// a playlist), which is always refused. An unknown format is accepted if the `Content-Type` has the
/// right kind, or is `application/octet-stream`. A missing `Content-Type` means the latter
/// (RFC 9110, section 8.3).
///
/// # Errors
///
/// What it is instead.
pub(super) fn judge(
    expected: &str,
    head: &[u8],
    content_type: &str,
    encoding: Option<&str>,
) -> Result<String, String> {
    let essence = content_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let is_expected = |media_type: &str| media_type.split('/').next() == Some(expected);
    let is_anything = matches!(&*essence, "" | "application/octet-stream" | "binary/octet-stream");
    match (detect(head), encoding) {
        (Some(found), _) if is_expected(found) => Ok(found.to_owned()),
        (Some(found), _) => Err(found.to_owned()),
        (None, Some(encoding)) => Err(format!("{encoding} encoded data")),
        _ if is_text(head) && (is_anything || is_expected(&essence)) => Err("text".to_owned()),
        _ if is_text(head) => Err(essence),
        _ if is_anything => Ok("application/octet-stream".to_owned()),
        _ if is_expected(&essence) => Ok(essence),
        _ => Err(essence),
    }
}

/// Whether it begins as a page, JSON, XML or a playlist does, or is nothing but text so far.
pub(super) fn is_text(head: &[u8]) -> bool {
    let begin = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let begin = begin.trim_ascii_start();
    let is_printable = |text: &str| text.chars().all(|c| !c.is_control() || c.is_whitespace());
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The last character may be cut.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => "\0",
    };
    matches!(begin.first(), Some(b'<' | b'{' | b'['))
        || begin.starts_with(b"#EXT")
        || is_printable(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MP4: &[u8] = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41";
    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0";
    const UNKNOWN: &[u8] = b"\x01\xfe\x80\x90unknown";

    fn webm(name: &[u8]) -> Vec<u8> {
        let mut head = [b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\x82\x84", name].concat();
        head.resize(100, 0);
        head
    }

    #[test]
    fn formats_are_detected() {
        for (head, expected) in [
            (MP4, Some("video/mp4")),
            (b"\0\0\0\x14ftypmp42\0\0\0\0", Some("video/mp4")),
            (b"\0\0\0\x18ftypM4V ", Some("video/mp4")),
            (b"\0\0\0\x14ftypqt  \0\0\0\0", Some("video/quicktime")),
            (b"\0\0\0\x08wide\0\0\0\0mdat", Some("video/quicktime")),
            (b"\0\x01\0\x08moov", Some("video/quicktime")),
            (b"\0\0\0\x1cftypavif\0\0\0\0", Some("image/avif")),
            (b"\0\0\0\x1cftypmif1\0\0\0\0avif", Some("image/heif")),
            (&webm(b"webm"), Some("video/webm")),
            (&webm(b"matroska"), Some("video/x-matroska")),
            (JPEG, Some("image/jpeg")),
            (b"\x89PNG\r\n\x1a\n\0\0", Some("image/png")),
            (b"GIF89a\x01\0", Some("image/gif")),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Some("image/webp")),
            // Not enough yet.
            (&MP4[..11], None),
            (&webm(b"webm")[..40], None),
            (b"RIFF\x10\0\0\0WEB", None),
            (b"", None),
            // Another format, or text.
            (b"RIFF\x10\0\0\0AVI LIST", None),
            (UNKNOWN, None),
            (b"The free film", None),
            (b"An iftyped", None),
        ] {
            assert_eq!(detect(head), expected, "{}", head.escape_ascii());
        }
    }

    #[test]
    fn file_is_judged_by_its_bytes() {
        let wrong = |media_type: &str| Err(media_type.to_owned());
        let right = |media_type: &str| Ok(media_type.to_owned());
        for (head, content_type, video, image) in [
            (MP4, "multipart/form-data; boundary=x", right("video/mp4"), wrong("video/mp4")),
            (MP4, "text/plain", right("video/mp4"), wrong("video/mp4")),
            (MP4, "text/html", right("video/mp4"), wrong("video/mp4")),
            (MP4, "application/force-download", right("video/mp4"), wrong("video/mp4")),
            (MP4, "", right("video/mp4"), wrong("video/mp4")),
            (JPEG, "video/mp4", wrong("image/jpeg"), right("image/jpeg")),
            // Unknown: what the server says helps.
            (UNKNOWN, "Video/MP4; codecs=\"avc1\"", right("video/mp4"), wrong("video/mp4")),
            (UNKNOWN, "image/bmp", wrong("image/bmp"), right("image/bmp")),
            (UNKNOWN, "text/html", wrong("text/html"), wrong("text/html")),
            (UNKNOWN, "nonsense", wrong("nonsense"), wrong("nonsense")),
            // Text is never a file.
            (b"<!DOCTYPE html>\xff", "text/html", wrong("text/html"), wrong("text/html")),
            (b"<!DOCTYPE html>\xff", "video/mp4", wrong("text"), wrong("video/mp4")),
            (b"\xef\xbb\xbf\r\n <Error>", "video/mp4", wrong("text"), wrong("video/mp4")),
            (b"{\"error\":1}", "image/png", wrong("image/png"), wrong("text")),
            (b"[1]", "", wrong("text"), wrong("text")),
            (b"#EXTM3U\n#EXT-X", "video/mp2t", wrong("text"), wrong("video/mp2t")),
            (b"Access denied", "binary/octet-stream", wrong("text"), wrong("text")),
            ("Zugriff auf Ger\u{e4}".as_bytes(), "", wrong("text"), wrong("text")),
            (b"Ger\xc3", "video/mp4", wrong("text"), wrong("video/mp4")),
        ] {
            let shown = head.escape_ascii();
            assert_eq!(judge("video", head, content_type, None), video, "{shown} {content_type}");
            assert_eq!(judge("image", head, content_type, None), image, "{shown} {content_type}");
        }
        for content_type in ["", "application/octet-stream", "Binary/Octet-Stream"] {
            for kind in ["video", "image"] {
                let judged = judge(kind, UNKNOWN, content_type, None);
                assert_eq!(judged, right("application/octet-stream"), "{content_type}");
            }
        }
    }

    #[test]
    fn encoding_counts_only_if_the_bytes_are_unknown() {
        let gzip = || Some("gzip");
        assert_eq!(judge("video", MP4, "video/mp4", gzip()), Ok("video/mp4".to_owned()));
        let encoded = Err("gzip encoded data".to_owned());
        assert_eq!(judge("video", b"\x1f\x8b\x08\0", "video/mp4", gzip()), encoded);
    }
}
