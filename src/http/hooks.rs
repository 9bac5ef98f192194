//! How the generated client sends: token, limits, retries. Every operation of the spec comes through
//! here; a client without these hooks does not compile.

use bytes::{Buf, Bytes, BytesMut};
use http::{StatusCode, header::AUTHORIZATION};
use progenitor_client::{ClientHooks, ClientInfo, OperationInfo};
use reqwest::{Request, Response, ResponseBuilderExt};
use tokio::time::Instant;

use super::{
    api_error::ApiError,
    error::LocalFailure,
    retry::{AttemptEnd, Operation},
    settings::Settings,
    token::Token,
};
use crate::{
    api::{Client, Error},
    util::json,
};

impl ClientHooks<Settings> for Client {
    async fn pre<E>(&self, request: &mut Request, _: &OperationInfo) -> Result<(), Error<E>> {
        let settings = self.inner();
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, settings.token.bearer.clone());
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
        let mut last = None;
        loop {
            // Every request of this client has a body in memory, which can be cloned.
            let Some(again) = request.try_clone() else {
                return self.client().execute(request).await;
            };
            let permit = settings.token.in_flight.acquire().await;
            if settings.shutdown.is_cancelled() {
                // If there was an attempt, its end says what happened.
                let unsent = || Ok(local_failure(LocalFailure::ShutDown, Bytes::new()));
                return last.unwrap_or_else(unsent).map(Response::from);
            }
            let outcome = send(self.client(), again, settings).await;
            drop(permit);
            tracing::debug!(
                operation = info.operation_id,
                attempt,
                elapsed_ms = begin.elapsed().as_millis() as u64,
                status = outcome.as_ref().ok().map(|response| response.status().as_u16()),
                "request"
            );
            let delay = attempt_end(&outcome, &settings.token)
                .filter(|end| operation.repeats_after(end))
                .and_then(|end| {
                    let backoff = delays.next()?;
                    settings.retry.delay(backoff, end.retry_after(), begin.elapsed())
                });
            let Some(delay) = delay else {
                return outcome.map(Response::from);
            };
            // The next round sees whether the client was shut down.
            let _ = settings.shutdown.run_until_cancelled(tokio::time::sleep(delay)).await;
            attempt += 1;
            last = Some(outcome);
        }
    }
}

/// How an attempt ended, if another one may end better.
fn attempt_end(
    outcome: &reqwest::Result<http::Response<Bytes>>,
    token: &Token,
) -> Option<AttemptEnd> {
    match outcome {
        Err(error) if error.is_connect() => Some(AttemptEnd::NoConnection),
        Err(_) => Some(AttemptEnd::Lost),
        Ok(response) if response.extensions().get::<LocalFailure>().is_some() => None,
        Ok(response) if response.status().is_success() => {
            (!json::is_whole(response.body())).then_some(AttemptEnd::Lost)
        }
        Ok(response) => {
            let (status, headers) = (response.status(), response.headers());
            Some(AttemptEnd::Error(ApiError::read(status, headers, response.body(), token)))
        }
    }
}

fn local_failure(failure: LocalFailure, body: Bytes) -> http::Response<Bytes> {
    let mut response = http::Response::new(body);
    // No success: the generated client must not read it as one.
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response.extensions_mut().insert(failure);
    response
}

/// Sends once and reads the whole body, so that a cut in the middle of it counts as this attempt's.
async fn send(
    client: &reqwest::Client,
    request: Request,
    settings: &Settings,
) -> reqwest::Result<http::Response<Bytes>> {
    let mut received = client.execute(request).await?;
    let limit = settings.max_response_bytes;
    let (mut body, mut is_cut) = (BytesMut::new(), false);
    while !is_cut && let Some(chunk) = received.chunk().await? {
        let room = limit - body.len();
        is_cut = chunk.len() > room;
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    if body.starts_with(b"\xef\xbb\xbf") {
        // JSON has no byte order mark, but some gateways send one.
        body.advance(3);
    }
    let body = settings.token.redact_body(&body).map_or_else(|| body.freeze(), Bytes::from);
    // The beginning of an error says enough.
    if is_cut && received.status().is_success() {
        return Ok(local_failure(LocalFailure::TooLarge(limit), body));
    }
    // Without its URL, reqwest would parse one that stands for it.
    let response = http::Response::builder().url(received.url().clone());
    let mut response = response.body(body).unwrap_or_default();
    *response.status_mut() = received.status();
    *response.headers_mut() = std::mem::take(received.headers_mut());
    Ok(response)
}
