//! The API token: where it goes, and how it is kept out of everything else.

use std::sync::Arc;

use http::HeaderValue;
use memchr::memmem;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::config::ConfigError;
use crate::util::{
    json,
    text::{EXCERPT, clean, is_invisible},
};

/// The API token, with what the service counts by token.
#[derive(Debug)]
pub(crate) struct Token {
    secret: SecretString,
    /// The header, marked as sensitive.
    pub(super) bearer: HeaderValue,
    /// The service allows a number of requests in flight for each token.
    pub(crate) in_flight: Arc<Semaphore>,
}

impl Token {
    pub(crate) fn new(secret: SecretString, max_in_flight: usize) -> Result<Self, ConfigError> {
        let bearer = format!("Bearer {}", secret.expose_secret());
        let mut bearer = HeaderValue::try_from(bearer).map_err(|_| ConfigError::MalformedToken)?;
        bearer.set_sensitive(true);
        let permits = max_in_flight.clamp(1, Semaphore::MAX_PERMITS);
        Ok(Self { secret, bearer, in_flight: Arc::new(Semaphore::new(permits)) })
    }

    /// Whether it is this token.
    pub(crate) fn is(&self, secret: &SecretString) -> bool {
        self.secret.expose_secret() == secret.expose_secret()
    }

    /// Whether a text holds the token. A short one, as tests have, may stand in any text by chance
    /// and is not looked for.
    fn is_in(&self, text: &[u8]) -> bool {
        const MIN_TOKEN: usize = 8;
        let token = self.secret.expose_secret().as_bytes();
        token.len() >= MIN_TOKEN && memmem::find(text, token).is_some()
    }

    /// The text without the token.
    pub(crate) fn redact(&self, text: String) -> String {
        match self.is_in(text.as_bytes()) {
            true => text.replace(self.secret.expose_secret(), "[token]"),
            false => text,
        }
    }

    /// Text of the service as it may be shown: one line, without invisible characters, then without
    /// the token, then cut. In this order: cleaning could join the pieces of an echoed token.
    pub(crate) fn show(&self, text: &str, max_chars: usize) -> String {
        clean(&self.redact(clean(text, usize::MAX)), max_chars)
    }

    /// The beginning of a body as it may be shown.
    pub(crate) fn show_body(&self, body: &[u8]) -> String {
        /// Many more bytes than are shown: most of them may be invisible characters.
        const MAX_READ: usize = 16 << 10;
        let begin = &body[..body.len().min(MAX_READ)];
        self.show(&String::from_utf8_lossy(begin), EXCERPT)
    }

    /// Removes the token from a body, also if JSON escapes hide it, like a slash as `\/`, or invisible
    /// characters stand in it: cleaning the text later must not join it again.
    pub(super) fn redact_body(&self, body: &[u8]) -> Option<Vec<u8>> {
        if self.may_be_hidden_in(body)
            && let Some(json) = json::read(body)
            && let redacted = self.redact_json(&json)
            && redacted != json
        {
            return serde_json::to_vec(&redacted).ok();
        }
        self.is_in(body).then(|| self.redact(String::from_utf8_lossy(body).into_owned()).into())
    }

    /// Whether this JSON may hold the token in other bytes than its own: with escapes of its characters,
    /// or invisible characters in it. Few bodies do, and only they are parsed.
    fn may_be_hidden_in(&self, json: &[u8]) -> bool {
        let is_invisible = |c: char| is_invisible(c) && !c.is_whitespace();
        let is_hiding = |c: char| is_invisible(c) || self.secret.expose_secret().contains(c);
        let is_hiding_escape = |at: usize| match &json[at + 1..] {
            [b'b', ..] => true,
            [b'u', digits @ ..] => json::code_unit(digits)
                .and_then(|unit| char::from_u32(unit.into()))
                .is_none_or(is_hiding),
            [mark @ (b'/' | b'\\' | b'"'), ..] => is_hiding(char::from(*mark)),
            _ => false,
        };
        // Without an early end, this loop takes many bytes at a time.
        let is_odd = |byte: &u8| !matches!(byte, b' '..=b'~');
        let has_odd = json.iter().fold(false, |found, byte| found | is_odd(byte));
        memchr::memchr_iter(b'\\', json).any(is_hiding_escape)
            || (has_odd && String::from_utf8_lossy(json).chars().any(is_invisible))
    }

    /// The same JSON with the token removed from every text, and without fields that are named by it.
    fn redact_json(&self, json: &Value) -> Value {
        let cleaned_if_found = |text: &str| {
            let cleaned = clean(text, usize::MAX);
            self.is_in(cleaned.as_bytes()).then_some(cleaned)
        };
        match json {
            Value::String(text) => {
                let text = cleaned_if_found(text).map(|cleaned| self.redact(cleaned).into());
                text.unwrap_or_else(|| json.clone())
            }
            Value::Array(list) => list.iter().map(|value| self.redact_json(value)).collect(),
            Value::Object(map) => {
                let kept = map.iter().filter(|(name, _)| cleaned_if_found(name).is_none());
                kept.map(|(name, value)| (name.clone(), self.redact_json(value))).collect()
            }
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, prop_oneof};

    use super::*;

    fn token(secret: &str) -> Token {
        Token::new(secret.into(), 5).expect("a token")
    }

    #[test]
    fn token_behind_json_escapes_is_removed() {
        let secret = "to/ken-\\of~\"mine\"";
        let token = token(secret);
        let escaped = |c: char, how: usize| match (how, c) {
            (0, '/' | '\\' | '"') => format!("\\{c}"),
            (1, _) => format!("\\u{:04x}", c as u32),
            (2, _) => format!("\\u{:04X}", c as u32),
            (_, '\\' | '"') => format!("\\{c}"),
            _ => c.to_string(),
        };
        for (at, how) in (0..secret.len()).flat_map(|at| [(at, 0), (at, 1), (at, 2)]) {
            let hidden = secret.char_indices();
            let hidden: String =
                hidden.map(|(i, c)| escaped(c, if i == at { how } else { 3 })).collect();
            let body = format!(r#"{{"a":"x {hidden} y"}}"#);
            let answer = token.redact_body(body.as_bytes()).expect(&body);
            assert_eq!(answer, br#"{"a":"x [token] y"}"#, "{body}");
        }
    }

    #[test]
    fn body_without_the_token_is_left_alone() {
        let token = token("token-of-mine");
        for body in [&br#"{"a":"\n \"b\" caf\u00e9 \u6d77 \/ \\"}"#[..], b"<html>", b""] {
            assert_eq!(token.redact_body(body), None);
        }
    }

    #[test]
    fn every_occurrence_in_a_body_is_removed() {
        let token = token("token-of-mine");
        let body = "{\"a\":[\"to\\bken-of-mine\",{\"b\":\"to\u{200b}ken-of-mine\"}],\
                    \"token-\\u00adof-mine\":1,\"c\":\"x\u{1}token-of-mine \\n y\",\"d\":5}";
        let redacted = token.redact_body(body.as_bytes()).expect("redacted");
        let expected = r#"{"a":["[token]",{"b":"[token]"}],"c":"x[token] y","d":5}"#;
        assert_eq!(String::from_utf8_lossy(&redacted), expected);
    }

    /// An invisible character as it may stand in a JSON text: raw, or as an escape.
    fn invisible() -> impl Strategy<Value = String> {
        let c = prop_oneof![
            proptest::char::range('\u{0}', '\u{1f}'),
            proptest::char::range('\u{7f}', '\u{9f}'),
            proptest::sample::select(vec![
                '\u{ad}',
                '\u{200b}',
                '\u{202e}',
                '\u{feff}',
                '\u{e0041}'
            ]),
        ];
        let c = c.prop_filter("it splits words", |c| !c.is_whitespace());
        (c, 0..3).prop_map(|(c, how)| match (how, c) {
            (0, '\u{8}') => "\\b".to_owned(),
            (0, c) => c.to_string(),
            (_, c) => {
                c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
            }
        })
    }

    proptest::proptest! {
        #[test]
        fn redacted_body_never_holds_the_token_after_cleaning(
            before in "[ -!#-\\[\\]-~]{0,20}",
            fillers in proptest::collection::vec(proptest::collection::vec(invisible(), 0..3), 13),
            in_name: bool,
        ) {
            let secret = "token-of-mine";
            let hidden = secret.chars().zip(&fillers);
            let hidden: String = hidden.map(|(c, filler)| format!("{c}{}", filler.concat())).collect();
            let text = format!("{before}{hidden}");
            let body = match in_name {
                true => format!(r#"{{"list":[{{"{text}":1}}],"id":"a"}}"#),
                false => format!(r#"{{"list":["{text}"],"id":"a"}}"#),
            };
            let redacted = token(secret).redact_body(body.as_bytes()).expect("it holds the token");
            let value = json::read(&redacted).expect("JSON");
            proptest::prop_assert_eq!(&value["id"], "a");
            let shown = clean(&value.to_string(), usize::MAX);
            proptest::prop_assert!(!shown.contains(secret), "{}", shown);
        }

        /// As a gateway's page may have it: with a byte order mark it is read as such, without one its NULs
        /// are invisible.
        #[test]
        fn shown_utf16_page_never_holds_the_token(
            before in "\\PC{0,20}", after in "\\PC{0,20}", is_marked: bool, is_big_endian: bool,
        ) {
            let secret = "token-of-mine";
            let mark = if is_marked { "\u{feff}" } else { "" };
            let page = format!("{mark}{before}{secret}{after}");
            let bytes = if is_big_endian { u16::to_be_bytes } else { u16::to_le_bytes };
            let page: Vec<u8> = page.encode_utf16().flat_map(bytes).collect();
            let page = json::to_utf8(&page);
            let redacted = token(secret).redact_body(&page).unwrap_or(page.to_vec());
            for shown in [token(secret).show_body(&redacted), token(secret).show_body(&page)] {
                proptest::prop_assert!(!shown.contains(secret), "{}", shown);
            }
        }

        #[test]
        fn shown_text_never_holds_the_token(
            before in "\\PC{0,20}",
            fillers in proptest::collection::vec("[\u{0}-\u{1f}\u{7f}-\u{9f}\u{ad}\u{200b}-\u{200f}\u{202a}-\u{202e}\u{2060}-\u{2064}\u{feff}\u{e0020}-\u{e007f}]{0,3}", 13),
            max_chars in 1_usize..60,
        ) {
            let secret = "token-of-mine";
            // White space splits a line into words: it is shown, so it need not be joined.
            let hidden: String = secret
                .chars()
                .zip(&fillers)
                .flat_map(|(c, filler)| {
                    let filler = filler.chars().filter(|c| !c.is_whitespace());
                    std::iter::once(c).chain(filler).collect::<Vec<_>>()
                })
                .collect();
            let shown = token(secret).show(&format!("{before}{hidden}"), max_chars);
            proptest::prop_assert!(!shown.contains(secret));
            let prefix_shown = shown.contains("token-of");
            proptest::prop_assert!(!prefix_shown || before.contains("token-of"), "{}", shown);
        }
    }
}
