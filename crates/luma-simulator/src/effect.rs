//! How faults spoil an answer, or the connection.

use std::{convert::Infallible, error::Error, fmt, future, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, StatusCode, header::CONTENT_LENGTH};
use tokio::time::sleep;

use super::connection::Control;

/// Pieces of [`Payload::Filler`].
const FILLER: &[u8] = &[b'x'; 64 * 1024];

/// What a fault does to a request, or to its answer.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Payload,
    },
    Reset,
    Silence,
    Truncate {
        reset: bool,
    },
    Slow(Duration),
    Drip {
        step: usize,
        interval: Duration,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Bytes(Bytes),
    Filler(u64),
}

impl Effect {
    /// Answers a request; `real` is what the service answered, if it was asked.
    pub(crate) async fn strike(
        self,
        control: &Control,
        real: Response,
    ) -> Result<Response, Aborted> {
        match self {
            Self::Answer {
                status,
                headers,
                body,
            } => Ok(answer(status, headers, body)),
            Self::Reset => {
                control.reset_on_close();
                Err(Aborted)
            }
            Self::Silence => future::pending().await,
            Self::Truncate { reset } => {
                if reset {
                    control.reset_on_close();
                }
                Ok(respoken(real, |body| truncated(body, control.clone())).await)
            }
            Self::Slow(delay) => {
                sleep(delay).await;
                Ok(real)
            }
            Self::Drip { step, interval } => {
                Ok(respoken(real, |body| dripping(body, step, interval)).await)
            }
        }
    }
}

fn answer(status: u16, headers: Vec<(String, String)>, body: Payload) -> Response {
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    let body = match body {
        Payload::Bytes(bytes) => Body::from(bytes),
        Payload::Filler(length) => {
            response = response.header(CONTENT_LENGTH, length);
            filler(length)
        }
    };
    response.body(body).unwrap_or_else(|error| {
        let mut response = Response::new(Body::from(format!("this fault cannot be sent: {error}")));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// The same answer with its body told in another way.
async fn respoken(real: Response, retell: impl FnOnce(Bytes) -> Body) -> Response {
    let (mut parts, body) = real.into_parts();
    // Bodies of the simulator are in memory: this cannot fail.
    let body = axum::body::to_bytes(body, usize::MAX)
        .await
        .unwrap_or_default();
    keep_length(&mut parts.headers, body.len());
    Response::from_parts(parts, retell(body))
}

/// An answer to HEAD has no body but keeps its length.
fn keep_length(headers: &mut HeaderMap, length: usize) {
    if !headers.contains_key(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, length.into());
    }
}

fn filler(length: u64) -> Body {
    Body::from_stream(stream::unfold(length, |left| async move {
        let size = left.min(FILLER.len() as u64);
        let piece = Bytes::from_static(FILLER).slice(..size as usize);
        (left > 0).then(|| (Ok::<_, Infallible>(piece), left - size))
    }))
}

fn dripping(body: Bytes, step: usize, interval: Duration) -> Body {
    Body::from_stream(stream::unfold(body, move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        sleep(interval).await;
        let piece = left.split_to(step.min(left.len()));
        Some((Ok::<_, Infallible>(piece), left))
    }))
}

fn truncated(mut body: Bytes, control: Control) -> Body {
    let half = body.split_to(body.len() / 2);
    Body::from_stream(stream::unfold(Some(half), move |half| {
        let control = control.clone();
        async move {
            match half {
                Some(half) => Some((Ok::<_, Infallible>(half), None)),
                // Pending, so that the half is flushed; the connection ends by that.
                None => {
                    control.close_after_flush();
                    future::pending().await
                }
            }
        }
    }))
}

/// The connection ends without an answer.
#[derive(Debug)]
pub(crate) struct Aborted;

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the simulator ended the connection")
    }
}

impl Error for Aborted {}
