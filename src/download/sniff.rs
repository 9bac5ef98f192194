//! Whether a body that calls itself nothing in particular is a page in place of a file.

/// The byte order mark of UTF-8, which some pages begin with.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// What the first byte that is no white space says; it may be a while until that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sniff {
    Undecided,
    File,
    /// HTML, XML or JSON: what storage and logins send in place of a file.
    Page,
}

impl Sniff {
    /// Goes on with the next bytes of the body.
    pub(super) fn then(self, bytes: &[u8]) -> Self {
        if self != Self::Undecided {
            return self;
        }
        let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
        match bytes.trim_ascii_start().first() {
            None => Self::Undecided,
            Some(b'<' | b'{') => Self::Page,
            Some(_) => Self::File,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_told_from_files() {
        use Sniff::*;
        for (pieces, expected) in [
            (&["<!DOCTYPE html>"][..], Page),
            (&["\r\n\t <Error>"], Page),
            (&["\u{feff}<?xml"], Page),
            (&["", " ", "\n", "{\"error\":1}"], Page),
            (&["\0\0\0\x20ftypisom"], File),
            (&["\u{1a}E\u{df}"], File),
            (&["film", "<html>"], File),
            (&[" ", "film"], File),
            (&[], Undecided),
            (&[" \n"], Undecided),
        ] {
            let got = pieces
                .iter()
                .fold(Undecided, |sniff, piece| sniff.then(piece.as_bytes()));
            assert_eq!(got, expected, "{pieces:?}");
        }
    }
}
