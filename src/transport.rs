//! How the generated client sends: authentication, limits, retries, tracing.

use std::{fmt, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT, AUTHORIZATION, USER_AGENT},
};
use memchr::memmem;
use progenitor_client::ResponseValue;
use reqwest::{Request, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

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

    /// Whether a text has the token in it. One so short that it could be a part of any word, as
    /// tests have, counts as not there.
    pub(crate) fn is_in(&self, text: &[u8]) -> bool {
        const MIN_TOKEN: usize = 8;
        self.finder.needle().len() >= MIN_TOKEN && self.finder.find(text).is_some()
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
        let Transport { token, limits } = &self.inner;
        self.client
            .post(format!("{}{path}", self.baseurl))
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(AUTHORIZATION, token.bearer.clone())
            .header(USER_AGENT, HeaderValue::from_static(AGENT))
            .timeout(limits.timeout)
            .json(body)
            .build()
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
        self
    }

    /// The value of a success, or what went wrong; and how the attempt ended, where another may end
    /// better.
    fn read<A: DeserializeOwned>(
        self,
    ) -> (Result<ResponseValue<A>, api::Error>, Option<AttemptEnd>) {
        if self.overflow.is_some() {
            // Nothing that is too large gets smaller by asking again.
            let failure = api::Error::UnexpectedResponse(self.into_response());
            return (Err(failure), None);
        }
        if self.status != StatusCode::OK {
            let error = ApiError::read(self.status, &self.headers, &self.body);
            let failure = api::Error::UnexpectedResponse(self.into_response());
            return (Err(failure), Some(AttemptEnd::Error(error)));
        }
        match serde_json::from_slice(&self.body) {
            Ok(value) => {
                let answer = ResponseValue::new(value, self.status, self.headers);
                (Ok(answer), None)
            }
            Err(reason) => {
                let end = (!looks_readable(&self.body)).then_some(AttemptEnd::Unreadable);
                let failure = api::Error::InvalidResponsePayload(self.body, reason);
                (Err(failure), end)
            }
        }
    }

    fn into_response(self) -> Response {
        let mut response = http::Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if let Some(overflow) = self.overflow {
            *response.status_mut() = Overflow::STATUS;
            response.extensions_mut().insert(overflow);
        }
        response.into()
    }
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
        body,
        overflow,
    })
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
    let body = body.trim_ascii();
    (body.starts_with(b"{") || body == b"null")
        && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

#[cfg(test)]
mod tests {
    use super::looks_readable;

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
