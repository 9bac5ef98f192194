//! How the generated client sends: authentication, limits, retries, tracing.

use std::{fmt, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT, AUTHORIZATION},
};
use memchr::memmem;
use progenitor_client::ResponseValue;
use reqwest::{Request, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use crate::{
    api::{self, Client},
    config::ConfigError,
    error::ApiError,
    retry::{AttemptEnd, Operation, RetryPolicy},
};

pub(crate) const AGENT: &str = concat!("luma-client/", env!("CARGO_PKG_VERSION"));

/// What every request of the generated client needs.
#[derive(Clone)]
pub struct Transport {
    pub(crate) token: Arc<Token>,
    /// Parsed once, not for every request.
    pub(crate) base_url: Url,
    /// For one attempt, where a request has no limit of its own.
    pub(crate) client_timeout: Duration,
    pub(crate) limits: Limits,
}

/// What bounds a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// For one attempt, from connecting to the last byte.
    pub(crate) timeout: Duration,
    /// For the body of an answer, in bytes.
    pub(crate) max_body: usize,
    pub(crate) retry: RetryPolicy,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The API token, made ready for use once.
pub(crate) struct Token {
    secret: SecretString,
    /// The header, marked as sensitive.
    bearer: HeaderValue,
    /// Finds it in what is answered.
    finder: memmem::Finder<'static>,
}

impl Token {
    pub(crate) fn new(secret: SecretString) -> Result<Self, ConfigError> {
        let bearer = format!("Bearer {}", secret.expose_secret());
        let mut bearer = HeaderValue::try_from(bearer).map_err(|_| ConfigError::MalformedToken)?;
        bearer.set_sensitive(true);
        let finder = memmem::Finder::new(secret.expose_secret()).into_owned();
        Ok(Self {
            secret,
            bearer,
            finder,
        })
    }

    /// Whether a text has the token in it. A short one, as tests have, may stand in any text by
    /// chance and counts as not there.
    pub(crate) fn is_in(&self, text: &[u8]) -> bool {
        const MIN_TOKEN: usize = 8;
        self.finder.needle().len() >= MIN_TOKEN && self.finder.find(text).is_some()
    }

    /// Whether an escape in this JSON stands for a character of the token, like `\/` for a slash.
    /// Most texts have escapes, but others: `\n`, or those of letters that no token has.
    fn may_hide_in(&self, json: &[u8]) -> bool {
        memchr::memchr_iter(b'\\', json).any(|at| match &json[at + 1..] {
            [b'u', b'0', b'0', b'2'..=b'7', ..] => true,
            [mark @ (b'/' | b'\\' | b'"'), ..] => self.finder.needle().contains(mark),
            _ => false,
        })
    }

    /// The text without the token.
    pub(crate) fn cut_from(&self, text: &str) -> String {
        text.replace(self.secret.expose_secret(), "[token]")
    }
}

impl Client {
    /// Sends a request, and again as long as that is allowed and may help. An answer is read once.
    pub(crate) async fn call<A: DeserializeOwned>(
        &self,
        operation_id: &'static str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<ResponseValue<A>, api::Error> {
        let Limits {
            max_body, retry, ..
        } = self.inner.limits;
        let operation = Operation::of(operation_id);
        let begin = Instant::now();
        let mut delays = retry.delays();
        let mut attempt = 1_u32;
        loop {
            let request = self.request(path, body)?;
            let outcome = send(&self.client, request, max_body).await;
            trace(operation_id, attempt, begin, &outcome);
            let (result, end) = match outcome {
                Ok(answer) => answer.without(&self.inner.token).read(),
                Err(error) if error.is_connect() => {
                    (Err(error.into()), Some(AttemptEnd::NoConnection))
                }
                Err(error) => (Err(error.into()), Some(AttemptEnd::Broken)),
            };
            let delay = end
                .filter(|end| operation.repeats_after(end))
                .and_then(|end| retry.delay(delays.next()?, end.retry_after(), begin.elapsed()));
            match delay {
                Some(delay) => tokio::time::sleep(delay).await,
                None => return result,
            }
            attempt += 1;
        }
    }

    fn request(&self, path: &str, body: &impl Serialize) -> reqwest::Result<Request> {
        let Transport {
            token,
            base_url,
            client_timeout,
            limits,
        } = &self.inner;
        let mut url = base_url.clone();
        url.set_path(&[base_url.path().trim_end_matches('/'), path].concat());
        let mut request = self
            .client
            .post(url)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(AUTHORIZATION, token.bearer.clone());
        if limits.timeout != *client_timeout {
            request = request.timeout(limits.timeout);
        }
        request.json(body).build()
    }
}

fn trace(operation: &'static str, attempt: u32, begin: Instant, outcome: &reqwest::Result<Answer>) {
    tracing::debug!(
        operation,
        attempt,
        elapsed_ms = begin.elapsed().as_millis() as u64,
        status = outcome.as_ref().ok().map(|answer| answer.status.as_u16()),
        "request"
    );
}

/// An answer that was read whole, or up to the limit.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    overflow: Option<Overflow>,
}

/// Marks the answer whose body is larger than the limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Overflow {
    /// In bytes.
    pub(crate) limit: usize,
}

impl Overflow {
    /// What is shown in place of the answer's own status: a part of a success is none.
    const STATUS: StatusCode = StatusCode::PARTIAL_CONTENT;
}

impl Answer {
    /// Takes the token out of the body: an error may quote the token that it refuses, and errors
    /// are shown and logged.
    fn without(mut self, token: &Token) -> Self {
        if token.is_in(&self.body) {
            self.body = token.cut_from(&String::from_utf8_lossy(&self.body)).into();
        }
        if let Some(body) = without_escaped(&self.body, token) {
            self.body = body.into();
        }
        self
    }

    /// The value of a success, or what went wrong; and how the attempt ended, where another may end
    /// better.
    fn read<A: DeserializeOwned>(
        self,
    ) -> (Result<ResponseValue<A>, api::Error>, Option<AttemptEnd>) {
        if self.overflow.is_some() && self.status.is_success() {
            // Nothing that is too large gets smaller by asking again.
            let failure = api::Error::UnexpectedResponse(self.into_response());
            return (Err(failure), None);
        }
        if self.status != StatusCode::OK {
            let error = ApiError::read(self.status, &self.headers, &self.body);
            let failure = api::Error::UnexpectedResponse(self.into_response());
            return (Err(failure), Some(AttemptEnd::Error(error)));
        }
        let text = std::str::from_utf8(&self.body);
        let value = match text {
            Ok(text) => serde_json::from_str(text),
            Err(_) => serde_json::from_slice(&self.body),
        };
        // What has been read as a value needs no second look.
        let is_readable = match value {
            Ok(_) => text.is_ok() && is_object_or_null(&self.body),
            Err(_) => looks_readable(&self.body),
        };
        let end = (!is_readable).then_some(AttemptEnd::Unreadable);
        match value {
            Ok(value) => {
                let answer = ResponseValue::new(value, self.status, self.headers);
                (Ok(answer), end)
            }
            Err(reason) => {
                let failure = api::Error::InvalidResponsePayload(self.body, reason);
                (Err(failure), end)
            }
        }
    }

    fn into_response(self) -> Response {
        let mut response = http::Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        // An error says enough by its status and headers, and by how its body begins.
        if let Some(overflow) = self.overflow.filter(|_| self.status.is_success()) {
            *response.status_mut() = Overflow::STATUS;
            response.extensions_mut().insert(overflow);
        }
        response.into()
    }
}

/// The body without a token that JSON's escapes hide, like a slash as `\/`; `None` where it has
/// none.
fn without_escaped(body: &[u8], token: &Token) -> Option<Vec<u8>> {
    if !token.may_hide_in(body) {
        return None;
    }
    let mut json = serde_json::from_slice(body).ok()?;
    cut(&mut json, token).then(|| serde_json::to_vec(&json).unwrap_or_default())
}

/// Cuts the token out of all texts; whether there was one.
fn cut(json: &mut Value, token: &Token) -> bool {
    let is_in = |text: &String| token.is_in(text.as_bytes());
    let mut was_in = false;
    match json {
        Value::String(text) if is_in(text) => {
            *text = token.cut_from(text);
            was_in = true;
        }
        Value::Object(map) => {
            let fields = map.len();
            // What it is a name of is of no use to anybody.
            map.retain(|name, _| !is_in(name));
            was_in = map.len() < fields;
            map.values_mut()
                .for_each(|value| was_in |= cut(value, token));
        }
        Value::Array(list) => list
            .iter_mut()
            .for_each(|value| was_in |= cut(value, token)),
        _ => {}
    }
    was_in
}

/// Sends once and reads the whole body, so that a cut in the middle of it counts as this attempt's.
async fn send(client: &reqwest::Client, request: Request, limit: usize) -> reqwest::Result<Answer> {
    let mut response = client.execute(request).await?;
    let mut body = Bytes::new();
    let mut overflow = None;
    while let Some(mut piece) = response.chunk().await? {
        let room = limit - body.len();
        if piece.len() > room {
            piece.truncate(room);
            overflow = Some(Overflow { limit });
        }
        body = joined(body, piece);
        if overflow.is_some() {
            break;
        }
    }
    Ok(Answer {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body: without_mark(body),
        overflow,
    })
}

/// JSON has no byte order mark, but some gateways send one.
fn without_mark(body: Bytes) -> Bytes {
    match body.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => body.slice_ref(rest),
        None => body,
    }
}

/// Most bodies come in one piece, which is not copied.
fn joined(body: Bytes, piece: Bytes) -> Bytes {
    if body.is_empty() {
        return piece;
    }
    let mut body = BytesMut::from(body);
    body.extend_from_slice(&piece);
    body.freeze()
}

/// Whether a body is a JSON object or null, without building anything from it.
fn looks_readable(body: &[u8]) -> bool {
    is_object_or_null(body)
        && std::str::from_utf8(body).is_ok()
        && serde_json::from_slice::<serde::de::IgnoredAny>(body.trim_ascii()).is_ok()
}

/// What JSON it is, if it is any.
fn is_object_or_null(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    body.starts_with(b"{") || body == b"null"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever a value takes for its own: a list in place of an object, what is no UTF-8.
    #[test]
    fn what_is_read_is_an_answer_only_if_it_looks_like_one() {
        #[derive(serde::Deserialize)]
        struct Flag(#[allow(dead_code, reason = "read")] serde::de::IgnoredAny);
        for (body, is_read, is_answer) in [
            (&b"{\"id\":\"a\"}"[..], true, true),
            (b" null ", true, true),
            (b"\xef\xbb\xbf{}", true, true),
            (b"{\"id\":\"\xff\"}", true, false),
            (b"[]", true, false),
            (b"7", true, false),
            (b"{\"id\":", false, false),
        ] {
            let answer = Answer {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                body: without_mark(Bytes::from_static(body)),
                overflow: None,
            };
            let (value, end) = answer.read::<Flag>();
            let shown = String::from_utf8_lossy(body);
            assert_eq!(value.is_ok(), is_read, "{shown}");
            assert_eq!(end.is_none(), is_answer, "{shown}");
        }
    }

    #[test]
    fn no_escape_hides_a_token() {
        let secret = "to/ken-\\of~\"mine\"";
        let token = Token::new(secret.into()).expect("a token");
        let escaped = |c: char, how: usize| match (how, c) {
            (0, '/' | '\\' | '"') => format!("\\{c}"),
            (1, _) => format!("\\u{:04x}", c as u32),
            (2, _) => format!("\\u{:04X}", c as u32),
            (_, '\\' | '"') => format!("\\{c}"),
            _ => c.to_string(),
        };
        for (at, how) in (0..secret.len()).flat_map(|at| [(at, 0), (at, 1), (at, 2)]) {
            let hidden = secret.char_indices();
            let hidden: String = hidden
                .map(|(i, c)| escaped(c, if i == at { how } else { 3 }))
                .collect();
            let body = format!(r#"{{"a":"x {hidden} y"}}"#);
            let answer = without_escaped(body.as_bytes(), &token).expect(&body);
            assert_eq!(answer, br#"{"a":"x [token] y"}"#, "{body}");
        }
        let plain = Token::new("token-of-mine".into()).expect("a token");
        let body = br#"{"a":"\n \"b\" caf\u00e9 \u6d77 \/ \\"}"#;
        assert!(!plain.may_hide_in(body));
        assert!(token.may_hide_in(body));
    }

    #[test]
    fn pages_and_cuts_are_told_from_objects() {
        for (body, expected) in [
            ("{}", true),
            (" {\"id\":1}\n", true),
            ("null", true),
            ("", false),
            ("[]", false),
            ("<html>{}</html>", false),
            ("{\"id\":", false),
            ("{", false),
            ("{\"a\":{\"b\":1}", false),
            ("{\"a\":}", false),
        ] {
            assert_eq!(looks_readable(body.as_bytes()), expected, "{body:?}");
        }
    }
}
