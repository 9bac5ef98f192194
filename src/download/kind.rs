//! Which file is wanted, and what may pass for it.

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
    pub(super) fn accepts(self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let (kind, format) = essence.split_once('/').unwrap_or((essence, ""));
        kind.is_empty()
            || kind.eq_ignore_ascii_case(self.name())
            || (format.eq_ignore_ascii_case("octet-stream")
                && ["application", "binary"].contains(&&*kind.to_ascii_lowercase()))
            || (self == Self::Video && essence.eq_ignore_ascii_case("application/mp4"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
