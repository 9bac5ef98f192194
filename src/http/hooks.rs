//! How the generated client sends: token, limits, retries. Every operation of the spec comes through
//! here; a client without these hooks does not compile.

use std::{borrow::Cow, pin::pin, time::Duration};

use bytes::Bytes;
use http::{
    HeaderValue, StatusCode,
    header::{ACCEPT_ENCODING, AUTHORIZATION},
};
use progenitor_client::{ClientHooks, ClientInfo, OperationInfo};
use reqwest::{Request, Response, ResponseBuilderExt};
use tokio::time::{Instant, timeout};

use super::{
    api_error::ApiError,
    encoding,
    error::LocalFailure,
    retry::{AttemptEnd, Operation},
    settings::Settings,
    token::Token,
};
use crate::{
    api::{Client, Error},
    util::json,
};

/// How much longer a response may take that has arrived when its time is up, as on a machine that was
/// suspended: reading it takes a moment.
const GRACE: Duration = Duration::from_millis(100);

impl ClientHooks<Settings> for Client {
    async fn pre<E>(&self, request: &mut Request, _: &OperationInfo) -> Result<(), Error<E>> {
        let settings = self.inner();
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, settings.token.bearer.clone());
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        // The version of our document, which the generator sends, means nothing to the service.
        headers.remove("api-version");
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
            let permit = settings.token.in_flight.acquire();
            let Some(permit) = settings.shutdown.run_until_cancelled(permit).await else {
                // If there was an attempt, its end says what happened.
                let unsent = || Ok(local_failure(LocalFailure::ShutDown, Bytes::new()));
                return last.unwrap_or_else(unsent).map(Response::from);
            };
            let outcome = send_in_time(self.client(), again, settings).await;
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
    let failure =
        |response: &http::Response<_>| response.extensions().get::<LocalFailure>().cloned();
    match outcome {
        Err(error) if error.is_connect() => Some(AttemptEnd::NoConnection),
        Err(_) => Some(AttemptEnd::Lost),
        Ok(response) if failure(response).is_some() => {
            let is_lost = matches!(failure(response), Some(LocalFailure::TimedOut(_)));
            is_lost.then_some(AttemptEnd::Lost)
        }
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
    *response.status_mut() = match failure {
        LocalFailure::TimedOut(_) => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    };
    response.extensions_mut().insert(failure);
    response
}

/// Sends once, within the timeout. The timer of the HTTP client would be looked at before the response.
async fn send_in_time(
    client: &reqwest::Client,
    request: Request,
    settings: &Settings,
) -> reqwest::Result<http::Response<Bytes>> {
    let mut response = pin!(send(client, request, settings));
    for time in [settings.timeout, GRACE] {
        if let Ok(response) = timeout(time, &mut response).await {
            return response;
        }
    }
    Ok(local_failure(LocalFailure::TimedOut(settings.timeout), Bytes::new()))
}

/// Sends once and reads the whole body, so that a cut in the middle of it counts as this attempt's.
async fn send(
    client: &reqwest::Client,
    request: Request,
    settings: &Settings,
) -> reqwest::Result<http::Response<Bytes>> {
    let mut received = client.execute(request).await?;
    let limit = settings.max_response_bytes;
    let (mut chunks, mut len) = (Vec::with_capacity(1), 0);
    while len <= limit
        && let Some(chunk) = received.chunk().await?
    {
        len += chunk.len();
        chunks.push(chunk);
    }
    // Most bodies come in one chunk, which is not copied.
    let mut body = match chunks.as_mut_slice() {
        [only] => std::mem::take(only),
        chunks => chunks.concat().into(),
    };
    let mut is_cut = len > limit;
    body.truncate(limit);
    match encoding::decode(&body, received.headers(), limit) {
        Ok(None) => {}
        Ok(Some(decoded)) => {
            is_cut |= decoded.len() > limit;
            body = decoded.into();
            body.truncate(limit);
        }
        Err(name) if received.status().is_success() => {
            return Ok(local_failure(LocalFailure::Compressed(name), Bytes::new()));
        }
        // The status says enough.
        Err(name) => body = format!("a body that is compressed ({name})").into(),
    }
    body = match json::to_utf8(&body) {
        Cow::Borrowed(text) => body.slice_ref(text),
        Cow::Owned(text) => text.into(),
    };
    if let Some(redacted) = settings.token.redact_body(&body) {
        body = redacted.into();
    }
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
