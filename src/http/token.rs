//! The API token: where it goes, and how it is kept out of everything else.

use std::sync::Arc;

use http::HeaderValue;
use memchr::memmem;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::config::ConfigError;
use crate::util::text::{clean, excerpt_of};

/// The API token, made ready for use once, with what the service counts by token.
pub(crate) struct Token {
    secret: SecretString,
    /// The header, marked as sensitive.
    bearer: HeaderValue,
    /// Finds the token in responses.
    finder: memmem::Finder<'static>,
    /// The service allows a number of requests in flight for each token.
    pub(super) in_flight: Arc<Semaphore>,
}

impl Token {
    pub(crate) fn new(secret: SecretString, max_in_flight: usize) -> Result<Self, ConfigError> {
        let bearer = format!("Bearer {}", secret.expose_secret());
        let mut bearer = HeaderValue::try_from(bearer).map_err(|_| ConfigError::MalformedToken)?;
        bearer.set_sensitive(true);
        let finder = memmem::Finder::new(secret.expose_secret()).into_owned();
        let permits = max_in_flight.clamp(1, Semaphore::MAX_PERMITS);
        Ok(Self { secret, bearer, finder, in_flight: Arc::new(Semaphore::new(permits)) })
    }

    pub(super) fn bearer(&self) -> HeaderValue {
        self.bearer.clone()
    }

    /// Whether a text holds the token. A short one, as tests have, may stand in any text by chance
    /// and is not looked for.
    fn is_in(&self, text: &[u8]) -> bool {
        const MIN_TOKEN: usize = 8;
        self.finder.needle().len() >= MIN_TOKEN && self.finder.find(text).is_some()
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
        excerpt_of(body, |text, max_chars| self.show(text, max_chars))
    }

    /// Removes the token from a body, also if JSON escapes hide it, like a slash as `\/`.
    pub(super) fn redact_body(&self, body: &[u8]) -> Option<Vec<u8>> {
        if self.may_be_escaped_in(body)
            && let Ok(mut json) = serde_json::from_slice(body)
            && self.redact_json(&mut json)
        {
            return serde_json::to_vec(&json).ok();
        }
        self.is_in(body).then(|| self.redact(String::from_utf8_lossy(body).into_owned()).into())
    }

    /// Whether an escape in this JSON stands for a character of the token. Most texts have escapes,
    /// but others: `\n`, or those of letters that no token has.
    fn may_be_escaped_in(&self, json: &[u8]) -> bool {
        memchr::memchr_iter(b'\\', json).any(|at| match &json[at + 1..] {
            [b'u', b'0', b'0', b'2'..=b'7', ..] => true,
            [mark @ (b'/' | b'\\' | b'"'), ..] => self.finder.needle().contains(mark),
            _ => false,
        })
    }

    /// Removes the token from every text; returns whether there was one.
    fn redact_json(&self, json: &mut Value) -> bool {
        match json {
            Value::String(text) if self.is_in(text.as_bytes()) => {
                *text = self.redact(std::mem::take(text));
                true
            }
            Value::Object(map) => {
                let fields = map.len();
                map.retain(|name, _| !self.is_in(name.as_bytes()));
                let removed = map.len() < fields;
                map.values_mut().fold(removed, |found, value| self.redact_json(value) || found)
            }
            // Each of them, not only up to the first.
            Value::Array(list) => {
                let found = list.iter_mut().map(|value| self.redact_json(value));
                found.fold(false, |any, found| any | found)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
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

    proptest::proptest! {
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
