//! How a response is sent, or the connection ended.

use std::{convert::Infallible, error::Error, fmt, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::{Response, header::CONTENT_LENGTH};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use tokio::time::sleep;

use crate::answer::Answer;

pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Delivery {
    Whole,
    Late(Duration),
    /// `step` bytes at a time, with a pause before each piece.
    Drip {
        step: usize,
        interval: Duration,
    },
    /// Half of the body, then the end of the connection.
    Half {
        reset: bool,
    },
}

/// The connection ends after these bytes.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    pub(crate) last_bytes: Vec<u8>,
    /// With RST instead of FIN.
    pub(crate) reset: bool,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the simulator ended the connection")
    }
}

impl Error for Ending {}

impl Delivery {
    pub(crate) async fn send(self, answer: Answer) -> Result<Response<Body>, Ending> {
        let (step, interval) = match self {
            Self::Half { reset } => {
                let last_bytes = half(&answer);
                return Err(Ending { last_bytes, reset });
            }
            Self::Drip { step, interval } => (step, interval),
            Self::Whole => (usize::MAX, Duration::ZERO),
            Self::Late(delay) => {
                sleep(delay).await;
                (usize::MAX, Duration::ZERO)
            }
        };
        let is_whole = step == usize::MAX && answer.headers().contains_key(CONTENT_LENGTH);
        Ok(answer.map(|body| match is_whole {
            true => Full::new(body).boxed_unsync(),
            false => pieces(body, step, interval),
        }))
    }
}

/// A body of unknown length. hyper sends it in chunks if the header has no length either.
fn pieces(body: Bytes, step: usize, interval: Duration) -> Body {
    let pieces = stream::unfold(body, move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        sleep(interval).await;
        let piece = left.split_to(step.min(left.len()));
        Some((Ok(Frame::data(piece)), left))
    });
    StreamBody::new(pieces).boxed_unsync()
}

/// The response as HTTP/1.1, without the second half of its body.
fn half(answer: &Answer) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {}\r\n", answer.status()).into_bytes();
    for (name, value) in answer.headers() {
        let line = [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"];
        bytes.extend(line.concat());
    }
    bytes.extend(b"\r\n");
    bytes.extend(&answer.body()[..answer.body().len() / 2]);
    bytes
}
