//! How the generated client sends: token, limits, retries. Every operation of the spec comes through
//! here; a client without these hooks does not compile.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use progenitor_client::{ClientHooks, ClientInfo, OperationInfo};
use reqwest::{Request, Response};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    api_error::ApiError,
    retry::{AttemptEnd, Operation},
    settings::Settings,
    token::Token,
};
use crate::{
    api::{Client, Error},
    util::json,
};

/// Marks a response that stands for a reason of ours: the service did not send it like this.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LocalFailure {
    /// The body is larger than the limit, in bytes.
    TooLarge(usize),
    /// The client was shut down before the request was sent.
    ShutDown,
}

impl ClientHooks<Settings> for Client {
    async fn pre<E>(&self, request: &mut Request, _: &OperationInfo) -> Result<(), Error<E>> {
        let settings = self.inner();
        let bearer = settings.token.bearer();
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, bearer);
        // The version of our document, which the generator sends, means nothing to the service.
        headers.remove("api-version");
        *request.timeout_mut() = Some(settings.timeout);
        Ok(())
    }

    /// Sends a request, and sends it again as long as that is allowed and may help.
    async fn exec(&self, request: Request, info: &OperationInfo) -> reqwest::Result<Response> {
        let settings = self.inner();
        let operation = Operation::of(info.operation_id);
        let begin = Instant::now();
        let mut delays = settings.retry.delays();
        let mut attempt = 1_u32;
        loop {
            // Every request of this client has a body in memory, which can be cloned.
            let Some(again) = request.try_clone() else {
                return self.client().execute(request).await;
            };
            let permit = settings.token.in_flight.acquire().await;
            if is_shut_down(settings) {
                return Ok(local_failure(LocalFailure::ShutDown, Bytes::new()));
            }
            let outcome = send(self.client(), again, settings).await;
            drop(permit);
            tracing::debug!(
                operation = info.operation_id,
                attempt,
                elapsed_ms = begin.elapsed().as_millis() as u64,
                status = outcome.as_ref().ok().map(|body| body.status.as_u16()),
                "request"
            );
            let delay = attempt_end(&outcome, &settings.token)
                .filter(|end| operation.repeats_after(end))
                .and_then(|end| {
                    let backoff = delays.next()?;
                    settings.retry.delay(backoff, end.retry_after(), begin.elapsed())
                });
            match delay {
                None => return outcome.map(Received::into_response),
                // The next round sees it.
                Some(delay) => wait(settings, delay).await,
            }
            attempt += 1;
        }
    }
}

fn is_shut_down(settings: &Settings) -> bool {
    let shutdown = settings.shutdown.as_ref();
    shutdown.is_some_and(CancellationToken::is_cancelled)
}

/// Waits before the next attempt, or until the client is shut down.
async fn wait(settings: &Settings, delay: Duration) {
    let sleep = tokio::time::sleep(delay);
    match &settings.shutdown {
        Some(shutdown) => _ = shutdown.run_until_cancelled(sleep).await,
        None => sleep.await,
    }
}

/// How an attempt ended, if another one may end better.
fn attempt_end(outcome: &reqwest::Result<Received>, token: &Token) -> Option<AttemptEnd> {
    match outcome {
        Err(error) if error.is_connect() => Some(AttemptEnd::NoConnection),
        Err(_) => Some(AttemptEnd::Broken),
        Ok(Received { failure: Some(_), .. }) => None,
        Ok(Received { status, body, .. }) if status.is_success() => {
            (!json::is_complete(body)).then_some(AttemptEnd::Unreadable)
        }
        Ok(received) => {
            let Received { status, headers, body, .. } = received;
            Some(AttemptEnd::Error(ApiError::read(*status, headers, body, token)))
        }
    }
}

/// A response that was read whole, or up to the limit.
struct Received {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    failure: Option<LocalFailure>,
}

impl Received {
    fn into_response(self) -> Response {
        if let Some(failure) = self.failure {
            return local_failure(failure, self.body);
        }
        let mut response = http::Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response.into()
    }
}

fn local_failure(failure: LocalFailure, body: Bytes) -> Response {
    let mut response = http::Response::new(body);
    // No success: the generated client must not read it as one.
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response.extensions_mut().insert(failure);
    response.into()
}

/// Sends once and reads the whole body, so that a cut in the middle of it counts as this attempt's.
async fn send(
    client: &reqwest::Client,
    request: Request,
    settings: &Settings,
) -> reqwest::Result<Received> {
    let mut response = client.execute(request).await?;
    let limit = settings.max_response_bytes;
    let (mut body, mut is_cut) = (Bytes::new(), false);
    while let Some(mut chunk) = response.chunk().await? {
        is_cut = chunk.len() > limit - body.len();
        chunk.truncate(limit - body.len());
        body = joined(body, chunk);
        if is_cut {
            break;
        }
    }
    let body = match body.strip_prefix(b"\xef\xbb\xbf") {
        // JSON has no byte order mark, but some gateways send one.
        Some(rest) => body.slice_ref(rest),
        None => body,
    };
    let status = response.status();
    Ok(Received {
        status,
        headers: std::mem::take(response.headers_mut()),
        body: settings.token.redact_body(&body).map_or(body, Bytes::from),
        // The beginning of an error says enough.
        failure: (is_cut && status.is_success()).then_some(LocalFailure::TooLarge(limit)),
    })
}

/// Most bodies come in one piece, which is not copied.
fn joined(body: Bytes, chunk: Bytes) -> Bytes {
    if body.is_empty() {
        return chunk;
    }
    let mut body = BytesMut::from(body);
    body.extend_from_slice(&chunk);
    body.freeze()
}
