//! JSON that is almost JSON: whether it is whole, and what a parser will take of it.

/// Whether the body is one whole object, or null: every string and bracket is closed.
///
/// A body that was cut fails this; one that holds odd text or odd numbers does not.
pub(crate) fn is_complete(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    if body == b"null" {
        return true;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while at < body.len() {
        match body[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return false,
            b'}' | b']' => depth -= 1,
            b'"' => match end_of_string(body, at + 1) {
                Some(end) => at = end,
                None => return false,
            },
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    body.starts_with(b"{") && depth == 0 && at == body.len()
}

/// The index of the quote that ends the string whose content begins at `at`.
fn end_of_string(body: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'"', b'\\', body.get(at..)?)?;
        match body[at] {
            b'"' => return Some(at),
            _ => at += 2,
        }
    }
}

/// Values nested deeper than this become null: serde_json reads 127 levels.
const MAX_DEPTH: usize = 100;

/// Rewrites a whole body so that a strict parser reads it; `None` if it is not whole.
///
/// Lone surrogates and invalid UTF-8 become U+FFFD, raw control characters are escaped, numbers that
/// JSON or an `f64` cannot hold (NaN, Infinity, 1e999) and values nested too deep become null.
pub(crate) fn repair(body: &[u8]) -> Option<String> {
    if !is_complete(body) {
        return None;
    }
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let mut out = String::with_capacity(text.len() + 16);
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(c) = text[at..].chars().next() {
        match c {
            '"' => {
                let end = end_of_string(text.as_bytes(), at + 1)?;
                out.push('"');
                repair_string(&text[at + 1..end], &mut out);
                out.push('"');
                at = end + 1;
                continue;
            }
            '{' | '[' if depth == MAX_DEPTH => {
                at = end_of_value(text.as_bytes(), at)?;
                out.push_str("null");
                continue;
            }
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            ',' | ':' => {}
            c if c.is_ascii_whitespace() => {}
            _ => {
                let rest = &text[at..];
                let end = rest.find([',', '}', ']', ':', ' ', '\t', '\n', '\r', '"']);
                let word = &rest[..end.unwrap_or(rest.len())];
                out.push_str(repair_word(word));
                at += word.len();
                continue;
            }
        }
        out.push(c);
        at += c.len_utf8();
    }
    Some(out)
}

/// The index behind the value that begins with a bracket at `at`.
fn end_of_value(body: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match body.get(at)? {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b'"' => at = end_of_string(body, at + 1)?,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// A number or a literal, or null if it is neither.
fn repair_word(word: &str) -> &str {
    let is_readable = matches!(word, "true" | "false" | "null")
        || serde_json::from_str::<f64>(word).is_ok_and(f64::is_finite);
    if is_readable { word } else { "null" }
}

fn repair_string(content: &str, out: &mut String) {
    let mut rest = content;
    while let Some(c) = rest.chars().next() {
        let size = match c {
            '\\' => {
                let size = escape_len(rest.as_bytes());
                match size {
                    0 => out.push('\u{fffd}'),
                    _ => out.push_str(&rest[..size]),
                }
                // What cannot be read is a lone surrogate of six bytes, or a bad escape of one.
                if size > 0 { size } else { broken_escape_len(rest.as_bytes()) }
            }
            c if (c as u32) < 0x20 => {
                out.push_str(&format!("\\u{:04x}", c as u32));
                1
            }
            c => {
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[size..];
    }
}

/// How many bytes a readable escape at the beginning has; 0 if it is none.
fn escape_len(text: &[u8]) -> usize {
    match text.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
        Some(b'u') => match (hex(text), text.get(6..).and_then(hex)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff) | None, _) => 0,
            (Some(_), _) => 6,
        },
        _ => 0,
    }
}

fn broken_escape_len(text: &[u8]) -> usize {
    if hex(text).is_some() { 6 } else { 1 }
}

/// The code unit of a `\uXXXX` at the beginning.
fn hex(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    let digits = digits.iter().all(u8::is_ascii_hexdigit).then_some(digits)?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn completeness_of_cut_bodies_is_false() {
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
            (b"{\"a\":\"b}", false),
            (b"{\"a\":\"b\\", false),
            (b"{}}", false),
            (b"{} {}", false),
        ] {
            let shown = String::from_utf8_lossy(body);
            assert_eq!(is_complete(body), expected, "{shown}");
            assert_eq!(repair(body).is_some(), expected, "{shown}");
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
