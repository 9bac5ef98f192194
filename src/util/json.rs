//! Almost-JSON: whether a body is complete, and how it is repaired.

use std::borrow::Cow;

use serde_json::Value;

/// The body as UTF-8 without a byte order mark: some gateways send a mark, or UTF-16 with or without one.
pub(crate) fn to_utf8(body: &[u8]) -> Cow<'_, [u8]> {
    let utf16 = |text: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = text.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        let characters = char::decode_utf16(units);
        let text: String = characters.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        Cow::Owned(text.into_bytes())
    };
    match body {
        [0xef, 0xbb, 0xbf, rest @ ..] => Cow::Borrowed(rest),
        [0xff, 0xfe, text @ ..] | text @ [b'{' | b'<', 0, _, 0, ..] => {
            utf16(text, u16::from_le_bytes)
        }
        [0xfe, 0xff, text @ ..] | text @ [0, b'{' | b'<', 0, _, ..] => {
            utf16(text, u16::from_be_bytes)
        }
        _ => Cow::Borrowed(body),
    }
}

/// Whether the body begins with one whole object, or is null. One that was cut is not whole.
///
/// Counting braces is enough for most bodies, and takes many bytes at a time: where a body was cut, its
/// first brace is not closed. If the counts differ, as with braces in a text, the body is read.
pub(crate) fn is_whole(body: &[u8]) -> bool {
    let trimmed = body.trim_ascii();
    let count = |byte| memchr::memchr_iter(byte, trimmed).count();
    let is_object = trimmed.starts_with(b"{") && trimmed.ends_with(b"}");
    let is_even = || count(b'{') == count(b'}');
    (is_object && is_even()) || repair(body).is_some()
}

/// Reads a body, repaired if the strict parser refuses it.
pub(crate) fn read(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok().or_else(|| serde_json::from_str(&repair(body)?).ok())
}

/// Values nested deeper than this become null: serde_json reads 127 levels.
const MAX_DEPTH: usize = 100;

/// Rewrites a whole body so that a strict parser reads it; `None` if it is not whole.
///
/// Lone surrogates and invalid UTF-8 become U+FFFD, raw control characters are escaped, numbers that
/// JSON or an `f64` cannot hold (NaN, Infinity, 1e999) and values nested too deep become null. Commas
/// before a closing bracket, NULs between values, and what follows the object are dropped.
pub(crate) fn repair(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_matches(is_space);
    if text == "null" {
        return Some(text.to_owned());
    }
    let mut rest = text.strip_prefix('{')?;
    let (mut out, mut depth) = (String::with_capacity(text.len()), 1_usize);
    out.push('{');
    while !rest.is_empty() {
        let token;
        (token, rest) = rest.split_at(token_len(rest)?);
        match token {
            "{" | "[" => {
                match depth {
                    ..MAX_DEPTH => out.push_str(token),
                    MAX_DEPTH => out.push_str("null"),
                    _ => {}
                }
                depth += 1;
            }
            "}" | "]" => {
                depth -= 1;
                if depth < MAX_DEPTH {
                    out.truncate(out.trim_end_matches([',', ' ']).len());
                    out.push_str(token);
                }
                if depth == 0 {
                    return Some(out);
                }
            }
            _ if depth > MAX_DEPTH => {}
            string if string.starts_with('"') => repair_string(string, &mut out),
            "," | ":" => out.push_str(token),
            space if space.starts_with(is_space) => out.push(' '),
            word if serde_json::from_str::<Value>(word).is_ok() => out.push_str(word),
            _ => out.push_str("null"),
        }
    }
    None
}

/// White space, and control characters, which mean nothing outside of a text.
fn is_space(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// The length of a string, a word, or a single mark at the beginning; `None` if a string does not end.
fn token_len(text: &str) -> Option<usize> {
    if !text.starts_with('"') {
        let is_mark = |c: char| is_space(c) || matches!(c, '"' | '{' | '}' | '[' | ']' | ',' | ':');
        let mark_len = || text.chars().next().map(char::len_utf8);
        let word_len = text.find(is_mark).unwrap_or(text.len());
        return Some(word_len).filter(|len| *len > 0).or_else(mark_len);
    }
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.as_bytes().get(at..)?)?;
        match text.as_bytes()[at] {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

fn repair_string(string: &str, out: &mut String) {
    let mut rest = string;
    while let Some(c) = rest.chars().next() {
        let (len, is_readable) = match c {
            '\\' => escape(rest),
            c => (c.len_utf8(), c >= ' '),
        };
        match c {
            _ if is_readable => out.push_str(&rest[..len]),
            '\\' => out.push('\u{fffd}'),
            _ => out.push_str(&format!("\\u{:04x}", c as u32)),
        }
        rest = &rest[len..];
    }
}

/// How many bytes the escape at the beginning has, and whether a parser reads it: not a lone surrogate,
/// nor the backslash of an unknown escape.
fn escape(text: &str) -> (usize, bool) {
    let unit = |text: &str| code_unit(text.strip_prefix("\\u")?.as_bytes());
    if matches!(text.as_bytes()[1], b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') {
        return (2, true);
    }
    let Some(first) = unit(text) else {
        return (1, false);
    };
    let second = text.get(6..).and_then(unit).unwrap_or_default();
    match char::decode_utf16([first, second]).next() {
        Some(Ok(c)) => (6 * c.len_utf16(), true),
        _ => (6, false),
    }
}

/// The code unit of the four hexadecimal digits at the beginning.
pub(crate) fn code_unit(digits: &[u8]) -> Option<u16> {
    let digits = digits.get(..4)?;
    digits
        .iter()
        .try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)? as u16))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn body_that_was_cut_is_not_repaired() {
        for (body, expected) in [
            (&b"{}"[..], true),
            (b" {\"id\":1}\n", true),
            (b"null", true),
            (br#"{"a":"}\"{"}"#, true),
            (b"{\"a\":\"\xff\"}", true),
            (b"{\"a\":NaN,\"b\":[1e999]}", true),
            (b"", false),
            (b"[]", false),
            (b"5", false),
            (b"<html>{}</html>", false),
            (b"{\"id\":", false),
            (b"{", false),
            (b"{\"a\":{\"b\":1}", false),
            (b"{\"a\":[{\"b\":\"]\"}]}", true),
            (b"{\"a\":\"b}", false),
            (b"{\"a\":\"b\\", false),
            // What follows the object does not cut it.
            (b"{}}", true),
            (b"{} {}", true),
            (b"{}\n<!-- gateway 7 -->", true),
            (b"{}\0\0", true),
            (b"\0{}", true),
            (b"null\0", true),
            (b"<p>{}", false),
            (b"{\"a\":[}", false),
        ] {
            let shown = String::from_utf8_lossy(body);
            assert_eq!(repair(body).is_some(), expected, "{shown}");
            // A text that was cut behind a brace, and a list without an end, are found out when it is read.
            let is_odd = [&b"{\"a\":\"b}"[..], b"{\"a\":[}"].contains(&body);
            assert_eq!(is_whole(body), expected || is_odd, "{shown}");
        }
    }

    #[test]
    fn repair_of_odd_text_and_numbers_keeps_the_rest() {
        let lone = r#"{"a":"x\ud83d","id":"t"}"#.as_bytes().to_vec();
        for (body, expected) in [
            (lone, json!({"a": "x\u{fffd}", "id": "t"})),
            (br#"{"a":"\udc00\ud83d\ude00"}"#.to_vec(), json!({"a": "\u{fffd}😀"})),
            (br#"{"a":"\ud83d\ud83d\ude00"}"#.to_vec(), json!({"a": "\u{fffd}😀"})),
            (b"{\"a\":\"1\n2\t3\"}".to_vec(), json!({"a": "1\n2\t3"})),
            (b"{\"a\":\"\xf0\x9f\x98\",\"b\":1}".to_vec(), json!({"a": "\u{fffd}", "b": 1})),
            (
                br#"{"a":NaN,"b":-Infinity,"c":1e999,"d":1.5}"#.to_vec(),
                json!({"a": null, "b": null, "c": null, "d": 1.5}),
            ),
            (
                br#"{"a":"\q\x41","b":"\u12"}"#.to_vec(),
                json!({"a": "\u{fffd}q\u{fffd}x41", "b": "\u{fffd}u12"}),
            ),
            (
                br#"{"a":[true,false,null,-1,"\\\"\/"]}"#.to_vec(),
                json!({"a": [true, false, null, -1, "\\\"/"]}),
            ),
            (
                b"{\"a\":[1, 2,],\"b\":{\"c\":\"d,\" ,\n},}".to_vec(),
                json!({"a": [1, 2], "b": {"c": "d,"}}),
            ),
            (b"{,}".to_vec(), json!({})),
            (b"{\"a\":1} trailing {\"a\":2".to_vec(), json!({"a": 1})),
            (b"\0 {\0\"a\":\0\"x\0y\"\0}\0".to_vec(), json!({"a": "x\0y"})),
            ("{\"a\"\u{a0}:\u{3000}1}".as_bytes().to_vec(), json!({"a": 1})),
        ] {
            let shown = String::from_utf8_lossy(&body);
            let repaired = repair(&body).expect(&shown);
            let got: Value = serde_json::from_str(&repaired).expect(&shown);
            assert_eq!(got, expected, "{shown}");
        }
    }

    #[test]
    fn body_of_another_encoding_becomes_utf8() {
        let text = "{\"a\":\"😀 é\"}";
        let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(bytes).collect()
        };
        let odd = [&utf16(u16::to_le_bytes)[..], b"\0"].concat();
        for body in [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            utf16(u16::to_le_bytes),
            utf16(u16::to_be_bytes),
            utf16(u16::to_le_bytes)[2..].to_vec(),
            utf16(u16::to_be_bytes)[2..].to_vec(),
            odd,
        ] {
            assert_eq!(to_utf8(&body), text.as_bytes(), "{body:?}");
        }
        for body in [&b""[..], b"\xff", b"\xfe\xff", b"\xff\xfe\x3d\xd8"] {
            let _ = to_utf8(body);
        }
    }

    #[test]
    fn repair_of_deep_nesting_keeps_the_rest() {
        let deep = ["[".repeat(500), "]".repeat(500)].concat();
        let body = format!(r#"{{"id":"t","deep":{deep},"b":1}}"#);
        let got: Value =
            serde_json::from_str(&repair(body.as_bytes()).expect("whole")).expect("JSON");
        assert_eq!((&got["id"], &got["b"]), (&json!("t"), &json!(1)));
    }

    proptest::proptest! {
        #[test]
        fn repair_of_valid_json_changes_no_value(
            texts in proptest::collection::vec("\\PC*", 0..5), number: f64,
        ) {
            let body = json!({ "texts": texts, "number": number }).to_string();
            proptest::prop_assert_eq!(repair(body.as_bytes()), Some(body));
        }

        #[test]
        fn repair_of_any_bytes_in_a_string_is_readable(bytes in proptest::prelude::any::<Vec<u8>>()) {
            let body = [b"{\"a\":\"", &bytes[..], b"\",\"id\":\"t\"}"].concat();
            if let Some(repaired) = repair(&body) {
                let _ = serde_json::from_str::<Value>(&repaired);
            }
        }
    }
}
