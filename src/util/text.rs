//! Text of the service as it can be shown in a terminal, in a log and to a model.
//!
//! ```
//! use luma_client::text::clean;
//!
//! assert_eq!(clean("Too\nmany\u{202e} requests", 100), "Too many requests");
//! assert_eq!(clean("A long story", 6), "A long…");
//! ```

/// How many characters of the service's messages are kept.
pub(crate) const MESSAGE: usize = 1_000;
/// The same of codes, state words and ids.
pub(crate) const WORD: usize = 100;
/// The same of a body that could not be read.
pub(crate) const EXCERPT: usize = 200;

/// Returns a text as one line, without invisible characters, cut to `max_chars` characters.
///
/// White space becomes single spaces. Control, bidirectional, zero-width and tag characters are
/// removed. A text that is cut ends with `…`.
pub fn clean(text: &str, max_chars: usize) -> String {
    let mut characters = text
        .split_whitespace()
        .map(|word| word.chars().filter(|c| !is_invisible(*c)))
        .filter(|word| word.clone().next().is_some())
        .flat_map(|word| std::iter::once(' ').chain(word))
        .skip(1);
    let mut line: String = characters.by_ref().take(max_chars).collect();
    if characters.next().is_some() {
        line.push('…');
    }
    line
}

/// `HTTP 404 Not Found`, without words for a status that has none.
pub(crate) fn shown_status(status: http::StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("HTTP {} {reason}", status.as_u16()),
        None => format!("HTTP {}", status.as_u16()),
    }
}

/// Whether a character shows nothing: controls, format and bidirectional controls, fillers, tags.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a text shows anything at all.
pub(crate) fn is_visible(text: &str) -> bool {
    !text.chars().all(|c| c.is_whitespace() || is_invisible(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_of_hostile_text_is_one_visible_line() {
        for (text, expected) in [
            ("plain", "plain"),
            ("  two \r\n lines\t", "two lines"),
            ("\u{1b}[31mred\u{1b}[0m", "[31mred[0m"),
            ("a\u{202e}b\u{2066}c\u{200b}d\u{feff}e", "abcde"),
            ("tag\u{e0041}\u{e0042}s", "tags"),
            ("a \u{2028} b", "a b"),
            ("a \u{200b} b", "a b"),
            ("\u{85}next\u{9b}31m", "next31m"),
            ("caf\u{e9} 海", "café 海"),
            ("", ""),
        ] {
            assert_eq!(clean(text, 100), expected, "{text:?}");
        }
    }

    #[test]
    fn status_without_known_words_is_a_number() {
        for (status, expected) in [
            (200, "HTTP 200 OK"),
            (502, "HTTP 502 Bad Gateway"),
            (520, "HTTP 520"),
            (524, "HTTP 524"),
            (599, "HTTP 599"),
        ] {
            let status = http::StatusCode::from_u16(status).expect("a status");
            assert_eq!(shown_status(status), expected);
        }
    }

    #[test]
    fn clean_of_long_text_is_cut() {
        assert_eq!(clean("abc", 3), "abc");
        assert_eq!(clean("abcd", 3), "abc…");
        assert_eq!(clean("ab cd", 3), "ab …");
    }

    #[test]
    fn visibility_of_fillers_is_none() {
        for text in ["", " \n", "\u{2800}", "\u{3164}", "\u{ad}", "\u{200b}\u{feff}", "\u{e0041}"] {
            assert!(!is_visible(text), "{text:?}");
        }
        assert!(is_visible("\u{200b}x"));
    }
}
