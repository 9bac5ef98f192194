//! JSON that is almost JSON: whether it is whole, and what a parser will take of it.

use serde_json::Value;

/// Whether the body is one whole object, or null. One that was cut is not.
///
/// Counting braces is enough for most bodies, and takes many bytes at a time: where a body was cut, its
/// first brace is not closed. If the counts differ, as with braces in a text, the body is read.
pub(crate) fn is_whole(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    let count = |byte| memchr::memchr_iter(byte, body).count();
    let is_object = body.starts_with(b"{") && body.ends_with(b"}");
    let is_even = || count(b'{') == count(b'}');
    body == b"null" || (is_object && (is_even() || repair(body).is_some()))
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
/// JSON or an `f64` cannot hold (NaN, Infinity, 1e999) and values nested too deep become null.
pub(crate) fn repair(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body.trim_ascii());
    if !text.starts_with('{') && text != "null" {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let (mut depth, mut rest) = (0_usize, &*text);
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
                depth = depth.checked_sub(1)?;
                if depth < MAX_DEPTH {
                    out.push_str(token);
                }
                if depth == 0 && !rest.is_empty() {
                    return None;
                }
            }
            _ if depth > MAX_DEPTH => {}
            string if string.starts_with('"') => repair_string(string, &mut out),
            "," | ":" | " " | "\t" | "\n" | "\r" => out.push_str(token),
            word if serde_json::from_str::<Value>(word).is_ok() => out.push_str(word),
            _ => out.push_str("null"),
        }
    }
    (depth == 0).then_some(out)
}

/// The length of a string, a word, or a single mark at the beginning; `None` if a string does not end.
fn token_len(text: &str) -> Option<usize> {
    const MARKS: [char; 10] = ['{', '}', '[', ']', ',', ':', ' ', '\t', '\n', '\r'];
    if !text.starts_with('"') {
        let word = text.find(|c| c == '"' || MARKS.contains(&c));
        return Some(word.unwrap_or(text.len()).max(1));
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
            (b"{}}", false),
            (b"{} {}", false),
        ] {
            let shown = String::from_utf8_lossy(body);
            assert_eq!(repair(body).is_some(), expected, "{shown}");
            // A text that was cut behind a bracket, and two objects, are found out when they are read.
            let is_odd = [&b"{\"a\":\"b}"[..], b"{} {}"].contains(&body);
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
        ] {
            let shown = String::from_utf8_lossy(&body);
            let repaired = repair(&body).expect(&shown);
            let got: Value = serde_json::from_str(&repaired).expect(&shown);
            assert_eq!(got, expected, "{shown}");
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
