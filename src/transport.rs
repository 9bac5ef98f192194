//! The hooks of the generated client: authentication, limits, retries, tracing.

use std::{fmt, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{AUTHORIZATION, USER_AGENT},
};
use memchr::memmem;
use progenitor_client::{ClientHooks, ClientInfo, OperationInfo};
use reqwest::{Request, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    api::{self, Client},
    error::ApiError,
    retry::{AttemptEnd, Operation, RetryPolicy},
};

pub(crate) const AGENT: &str = concat!("luma-client/", env!("CARGO_PKG_VERSION"));

/// What every request of the generated client needs.
#[derive(Clone)]
pub struct Transport {
    pub(crate) token: Arc<SecretString>,
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

impl ClientHooks<Transport> for Client {
    async fn pre<E>(&self, request: &mut Request, _: &OperationInfo) -> Result<(), api::Error<E>> {
        let transport = self.inner();
        let bearer = format!("Bearer {}", transport.token.expose_secret());
        let mut bearer = HeaderValue::try_from(bearer)?;
        bearer.set_sensitive(true);
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        // The generator adds it; this service has no such header.
        headers.remove("api-version");
        *request.timeout_mut() = Some(transport.limits.timeout);
        Ok(())
    }

    async fn exec(&self, request: Request, info: &OperationInfo) -> reqwest::Result<Response> {
        let Limits {
            max_body, retry, ..
        } = self.inner().limits;
        let operation = Operation::of(info.operation_id);
        let begin = Instant::now();
        let mut delays = retry.delays();
        let mut attempt = 1_u32;
        loop {
            let next = delays.next();
            // The last attempt needs no copy; and a body that cannot be copied is sent once.
            let copy = next.and_then(|backoff| Some((backoff, request.try_clone()?)));
            let Some((backoff, copy)) = copy else {
                let answer = send(&self.client, request, max_body).await;
                trace(info, attempt, begin, &answer);
                return Ok(answer?.without(&self.inner().token).into_response());
            };
            let outcome = send(&self.client, copy, max_body).await;
            let outcome = outcome.map(|answer| answer.without(&self.inner().token));
            let end = end_of(&outcome);
            trace(info, attempt, begin, &outcome);
            let delay = end
                .filter(|end| operation.repeats_after(end))
                .and_then(|end| retry.delay(backoff, end.retry_after(), begin.elapsed()));
            match delay {
                Some(delay) => tokio::time::sleep(delay).await,
                None => return outcome.map(Answer::into_response),
            }
            attempt += 1;
        }
    }
}

fn trace(info: &OperationInfo, attempt: u32, begin: Instant, outcome: &reqwest::Result<Answer>) {
    tracing::debug!(
        operation = info.operation_id,
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
    /// A status that the generated client does not expect, so that it hands the answer over whole.
    const STATUS: StatusCode = StatusCode::PARTIAL_CONTENT;
}

impl Answer {
    /// Takes the token out of the body: an error may quote the token that it refuses, and errors
    /// are shown and logged.
    fn without(mut self, token: &SecretString) -> Self {
        /// A shorter one, as tests have, may stand in any body by chance.
        const MIN_TOKEN: usize = 8;
        let token = token.expose_secret();
        if token.len() < MIN_TOKEN {
            return self;
        }
        if memmem::find(&self.body, token.as_bytes()).is_some() {
            let text = String::from_utf8_lossy(&self.body);
            self.body = text.replace(token, "[token]").into();
        }
        if let Some(body) = without_escaped(&self.body, token) {
            self.body = body.into();
        }
        self
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
fn without_escaped(body: &[u8], token: &str) -> Option<Vec<u8>> {
    memchr::memchr(b'\\', body)?;
    let mut json = serde_json::from_slice(body).ok()?;
    cut(&mut json, token).then(|| serde_json::to_vec(&json).unwrap_or_default())
}

/// Cuts the token out of all texts; whether there was one.
fn cut(json: &mut Value, token: &str) -> bool {
    let is_in = |text: &String| text.contains(token);
    let mut was_in = false;
    match json {
        Value::String(text) if is_in(text) => {
            *text = text.replace(token, "[token]");
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
    // What the answer promises is a hint, not more than the limit.
    let length = response.content_length().unwrap_or_default();
    let mut body = BytesMut::with_capacity(limit.min(length.min(1 << 20) as usize));
    let mut overflow = None;
    while let Some(chunk) = response.chunk().await? {
        let room = limit - body.len();
        if chunk.len() > room {
            body.extend_from_slice(&chunk[..room]);
            overflow = Some(Overflow { limit });
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body: body.freeze(),
        overflow,
    })
}

/// How an attempt ended; `None` for a success.
fn end_of(outcome: &reqwest::Result<Answer>) -> Option<AttemptEnd> {
    match outcome {
        Err(error) if error.is_connect() => Some(AttemptEnd::NoConnection),
        Err(_) => Some(AttemptEnd::Broken),
        // Nothing that is too large gets smaller by asking again.
        Ok(answer) if answer.overflow.is_some() && answer.status.is_success() => None,
        Ok(answer) if answer.status != StatusCode::OK => Some(AttemptEnd::Error(ApiError::read(
            answer.status,
            &answer.headers,
            &answer.body,
        ))),
        Ok(answer) if !looks_readable(&answer.body) => Some(AttemptEnd::Unreadable),
        Ok(_) => None,
    }
}

/// Whether a body is a JSON object or null, without building anything from it.
fn looks_readable(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    (body.starts_with(b"{") || body == b"null")
        && std::str::from_utf8(body).is_ok()
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
