//! What can go wrong between a client and the service.

use std::convert::Infallible;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, future};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzEncoder;
use futures_util::stream;
use http::header::{CONTENT_LENGTH, RANGE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use serde_json::Value;
use tokio::time::sleep;

use crate::answer::{Answer, answer};
use crate::jobs::Jobs;

const HTML: &str = "<!DOCTYPE html>\n<title>Gateway error</title><h1>Gateway error</h1>\n";

/// Which requests a [`Fault`] is for.
///
/// ```
/// use luma_simulator::{Fault, Target};
///
/// // Resuming a download fails, starting one works.
/// let fault = Fault::status(503).on(Target::Range).always();
/// # let _ = fault;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// `/luma/videos`.
    Submit,
    /// `/luma/tasks`.
    Lookup,
    /// Anything under `/media/`.
    Media,
    /// Requests under `/media/` that have a `Range` header.
    Range,
}

impl Target {
    pub(crate) fn of(path: &str, headers: &HeaderMap) -> Option<Self> {
        match path {
            "/luma/videos" => Some(Self::Submit),
            "/luma/tasks" => Some(Self::Lookup),
            _ if !path.starts_with("/media/") => None,
            _ if headers.contains_key(RANGE) => Some(Self::Range),
            _ => Some(Self::Media),
        }
    }
}

/// Something that goes wrong with a request.
///
/// Pass it to [`Simulator::inject`](crate::Simulator::inject). It affects the next request, unless
/// [`on`](Self::on), [`times`](Self::times) or [`always`](Self::always) say otherwise.
///
/// | constructors | the service processes the request | the client gets |
/// |---|---|---|
/// | [`status`](Self::status), [`html`](Self::html), [`retry_after`](Self::retry_after), [`redirect`](Self::redirect), [`replace_body`](Self::replace_body) | no, unless [`accepting`](Self::accepting) | another response |
/// | [`reset_before`](Self::reset_before), [`close`](Self::close), [`silence`](Self::silence) | no, unless [`accepting`](Self::accepting) | no response |
/// | [`reset_after`](Self::reset_after) | yes | no response |
/// | [`altered`](Self::altered), [`gzip`](Self::gzip), [`byte_order_mark`](Self::byte_order_mark), [`slow`](Self::slow), [`drip`](Self::drip), [`truncated`](Self::truncated), [`reset_midway`](Self::reset_midway) | always | the real response, damaged |
///
/// A submit that the service processes is accepted: its video will be made and billed.
///
/// Faults without a response ignore changes to it. If a change is not valid HTTP, the simulator
/// responds with 500 and says so.
///
/// ```
/// use std::time::Duration;
/// use luma_simulator::{Fault, Target};
///
/// // Three lookups are rate limited.
/// let busy = Fault::retry_after(429, "1").on(Target::Lookup).times(3);
/// // A submit is accepted, but a gateway loses its response.
/// let lost = Fault::html(502).on(Target::Submit).accepting(true);
/// // A gateway gives up, and the service accepts the submit two seconds later.
/// let late = Fault::html(504).on(Target::Submit).accepting_after(Duration::from_secs(2));
/// // A resumed download gets a range that it did not ask for.
/// let shifted = Fault::altered().header("content-range", "bytes 0-9/10").on(Target::Range);
/// # let _ = (busy, lost, late, shifted);
/// ```
#[derive(Clone)]
#[must_use = "a fault does nothing before it is injected"]
pub struct Fault {
    effect: Effect,
    /// How much later than the fault the service processes the request. Zero is before the fault,
    /// `None` is never. The real response needs it before.
    processing: Option<Duration>,
    status: Option<u16>,
    /// Changes in order. `None` removes the header.
    headers: Vec<(String, Option<String>)>,
    body: Option<Arc<dyn Fn(Bytes) -> Bytes + Send + Sync>>,
    target: Option<Target>,
    /// How many requests it serves. `None` is no limit.
    pub(crate) times: Option<usize>,
}

/// What the client gets.
#[derive(Clone, Copy, Debug)]
enum Effect {
    /// An empty response with the changes.
    Own,
    /// The real response with the changes.
    Real(Delivery),
    Close(Close),
    Silence,
}

impl fmt::Debug for Fault {
    /// All but a changed body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = (self.target, self.times, self.processing);
        let response = (self.effect, self.status, &self.headers);
        write!(f, "Fault {request:?} {response:?}")
    }
}

impl Fault {
    fn new(effect: Effect) -> Self {
        Self {
            effect,
            processing: None,
            status: None,
            headers: Vec::new(),
            body: None,
            target: None,
            times: Some(1),
        }
    }

    /// Responds with this status and an empty body.
    pub fn status(status: u16) -> Self {
        Self::new(Effect::Own).with_status(status)
    }

    /// Responds with this status and the HTML page of a gateway.
    pub fn html(status: u16) -> Self {
        Self::replace_body(status, "text/html; charset=utf-8", HTML)
    }

    /// Responds with this status and a `Retry-After` header: seconds, an HTTP date, or an invalid
    /// value.
    pub fn retry_after(status: u16, value: impl Into<String>) -> Self {
        Self::status(status).header("retry-after", value)
    }

    /// Redirects to this location with this status.
    pub fn redirect(status: u16, location: impl Into<String>) -> Self {
        Self::status(status).header("location", location)
    }

    /// Responds with this status, content type and body.
    pub fn replace_body(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let fault = Self::status(status).header("content-type", content_type);
        fault.body(body)
    }

    // Faults without a response.

    /// Resets the connection (RST). The service does not process the request.
    pub fn reset_before() -> Self {
        Self::new(Effect::Close(Close::Rst))
    }

    /// Resets the connection (RST) after the service has processed the request.
    pub fn reset_after() -> Self {
        Self::reset_before().accepting(true)
    }

    /// Closes the connection (FIN). The service does not process the request, unless
    /// [`accepting`](Self::accepting) says otherwise.
    pub fn close() -> Self {
        Self::new(Effect::Close(Close::Fin))
    }

    /// Never responds and keeps the connection open. The service does not process the request,
    /// unless [`accepting`](Self::accepting) says otherwise.
    pub fn silence() -> Self {
        Self::new(Effect::Silence)
    }

    // Faults that damage the real response. The service always processes the request.

    /// Sends the real response with the changes of [`with_status`](Self::with_status),
    /// [`header`](Self::header), [`without_header`](Self::without_header), [`body`](Self::body) or
    /// [`map_body`](Self::map_body).
    pub fn altered() -> Self {
        Self::new(Effect::Real(Delivery::Whole))
    }

    /// Compresses the real response with gzip, even if the client does not accept it.
    pub fn gzip() -> Self {
        let compressed = |body: Bytes| {
            let mut bytes = Vec::new();
            // Reading from memory cannot fail.
            let _ = GzEncoder::new(&*body, Compression::fast()).read_to_end(&mut bytes);
            bytes.into()
        };
        let fault = Self::altered().header("content-encoding", "gzip");
        fault.map_body(compressed)
    }

    /// Puts a UTF-8 byte order mark before the real body.
    pub fn byte_order_mark() -> Self {
        Self::altered().map_body(|body| [b"\xef\xbb\xbf", &*body].concat().into())
    }

    /// Sends the real response after this delay. A submit is accepted before the delay.
    pub fn slow(delay: Duration) -> Self {
        Self::new(Effect::Real(Delivery::Late(delay)))
    }

    /// Sends the real body `step` bytes at a time (at least one), with a pause of `interval` before
    /// each piece.
    pub fn drip(step: usize, interval: Duration) -> Self {
        Self::new(Effect::Real(Delivery::Drip(step.max(1), interval)))
    }

    /// Promises the whole length of the real response, sends half of its body and closes the
    /// connection (FIN).
    pub fn truncated() -> Self {
        Self::new(Effect::Real(Delivery::Half(Close::Fin)))
    }

    /// Does the same as [`truncated`](Self::truncated), but resets the connection (RST).
    pub fn reset_midway() -> Self {
        Self::new(Effect::Real(Delivery::Half(Close::Rst)))
    }

    // Changes to the response.

    /// Sets the HTTP status.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Sets a header and replaces its previous value.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), Some(value.into())));
        self
    }

    /// Removes a header. Without `content-length` the body is sent in chunks.
    ///
    /// ```
    /// use luma_simulator::{Fault, Target};
    ///
    /// // A range without its place, and with the status of a whole file.
    /// let fault = Fault::altered()
    ///     .with_status(200)
    ///     .without_header("content-range")
    ///     .on(Target::Range);
    /// # let _ = fault;
    /// ```
    pub fn without_header(mut self, name: impl Into<String>) -> Self {
        self.headers.push((name.into(), None));
        self
    }

    /// Sets the body.
    pub fn body(self, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        self.map_body(move |_| bytes.clone())
    }

    /// Sets a JSON body and its content type.
    pub fn json(self, body: Value) -> Self {
        let fault = self.header("content-type", "application/json");
        fault.body(body.to_string())
    }

    /// Computes the body from the real one. The length follows.
    ///
    /// ```
    /// use luma_simulator::{Fault, Target};
    ///
    /// // Almost JSON: a lone surrogate.
    /// let fault = Fault::altered()
    ///     .map_body(|body| {
    ///         let text = String::from_utf8_lossy(&body);
    ///         text.replacen('{', r#"{"note":"\ud800","#, 1).into()
    ///     })
    ///     .on(Target::Lookup);
    /// # let _ = fault;
    /// ```
    pub fn map_body(mut self, map: impl Fn(Bytes) -> Bytes + Send + Sync + 'static) -> Self {
        self.body = Some(Arc::new(map));
        self
    }

    // Which requests a fault affects.

    /// Sets whether the service processes the request before the fault. A synchronous submit is then
    /// held first. Faults that damage the real response always process the request.
    pub fn accepting(mut self, accepting: bool) -> Self {
        self.processing = accepting.then_some(Duration::ZERO);
        self
    }

    /// Lets the service process the request this much later than the fault. The history does not
    /// list the task before that. Faults that damage the real response ignore it.
    pub fn accepting_after(mut self, delay: Duration) -> Self {
        self.processing = Some(delay);
        self
    }

    /// Affects only requests of this kind.
    pub fn on(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// Affects the next `times` requests.
    pub fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }

    /// Affects every request that meets no counted fault, until
    /// [`Simulator::clear_faults`](crate::Simulator::clear_faults).
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }

    pub(crate) fn matches(&self, request: Option<Target>) -> bool {
        let is_range = (self.target, request) == (Some(Target::Media), Some(Target::Range));
        is_range || self.target.is_none() || self.target == request
    }

    /// Answers a request. `process` is what the service would do with it.
    pub(crate) async fn apply(
        self,
        jobs: &Jobs,
        process: impl Future<Output = Answer> + Send + 'static,
    ) -> Reply {
        let mut base = answer(StatusCode::OK, "");
        match (self.effect, self.processing) {
            (Effect::Real(_), _) => base = process.await,
            (_, None) => drop(process),
            (_, Some(Duration::ZERO)) => drop(process.await),
            (_, Some(delay)) => jobs.spawn(async move {
                sleep(delay).await;
                process.await;
            }),
        }
        let delivery = match self.effect {
            Effect::Own => Delivery::Whole,
            Effect::Real(delivery) => delivery,
            Effect::Silence => future::pending().await,
            Effect::Close(close) => return Err(Ending(Vec::new(), close)),
        };
        let changed = self.change(base).unwrap_or_else(|error| {
            let message = format!("this fault cannot be sent: {error}");
            answer(StatusCode::INTERNAL_SERVER_ERROR, message)
        });
        delivery.send(changed).await
    }

    fn change(self, mut answer: Answer) -> http::Result<Answer> {
        if let Some(status) = self.status {
            *answer.status_mut() = StatusCode::from_u16(status)?;
        }
        if let Some(map) = self.body {
            answer = answer.map(|body| map(body));
            let length = answer.body().len();
            answer.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        let headers = answer.headers_mut();
        for (name, value) in self.headers {
            let name = HeaderName::try_from(name)?;
            match value {
                Some(value) => headers.insert(name, HeaderValue::try_from(value)?),
                None => headers.remove(name),
            };
        }
        Ok(answer)
    }
}

pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// How a response is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Delivery {
    Whole,
    Late(Duration),
    /// This many bytes at a time, with a pause before each piece.
    Drip(usize, Duration),
    /// Half of the body, then the end of the connection.
    Half(Close),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Close {
    Fin,
    Rst,
}

/// The connection ends after these bytes.
#[derive(Debug, thiserror::Error)]
#[error("the simulator ended the connection")]
pub(crate) struct Ending(pub(crate) Vec<u8>, pub(crate) Close);

/// A response, or the end of the connection.
pub(crate) type Reply = Result<Response<Body>, Ending>;

impl Delivery {
    pub(crate) async fn send(self, answer: Answer) -> Reply {
        let (step, interval) = match self {
            Self::Half(close) => return Err(Ending(half(&answer), close)),
            Self::Drip(step, interval) => (step, interval),
            Self::Whole | Self::Late(_) => (usize::MAX, Duration::ZERO),
        };
        if let Self::Late(delay) = self {
            sleep(delay).await;
        }
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
