//! What can go wrong between a client and the service.

use std::{fmt, future, io::Write, sync::Arc, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, RANGE},
};
use serde_json::Value;
use tokio::time::sleep;

use crate::{
    answer::{Answer, answer},
    delivery::{Body, Delivery, Ending},
    jobs::Jobs,
    queue::Uses,
};

const HTML: &[u8] = b"<!DOCTYPE html>\n<html><head><title>Gateway error</title></head>\
    <body><h1>Gateway error</h1><p>The upstream server did not answer.</p></body></html>\n";

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

    fn includes(self, request: Option<Self>) -> bool {
        Some(self) == request || (self, request) == (Self::Media, Some(Self::Range))
    }
}

/// Something that goes wrong with a request.
///
/// Pass it to [`Simulator::inject`](crate::Simulator::inject). It affects the next request, unless
/// [`on`](Self::on), [`times`](Self::times) or [`always`](Self::always) say otherwise.
///
/// | constructors | the service processes the request | the client gets |
/// |---|---|---|
/// | [`status`](Self::status), [`html`](Self::html), [`retry_after`](Self::retry_after), [`redirect`](Self::redirect), [`replace_body`](Self::replace_body), [`large_body`](Self::large_body) | no, unless [`accepting`](Self::accepting) | another response |
/// | [`reset_before`](Self::reset_before), [`close`](Self::close), [`silence`](Self::silence) | no, unless [`accepting`](Self::accepting) | no response |
/// | [`reset_after`](Self::reset_after) | yes | no response |
/// | [`altered`](Self::altered), [`gzip`](Self::gzip), [`byte_order_mark`](Self::byte_order_mark), [`slow`](Self::slow), [`drip`](Self::drip), [`truncated`](Self::truncated), [`reset_midway`](Self::reset_midway) | always | the real response, damaged |
///
/// A submit that the service processes is accepted: its video will be made and billed.
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
    processing: Processing,
    status: Option<u16>,
    /// Changes in order. `None` removes the header.
    headers: Vec<(String, Option<String>)>,
    body: Option<Arc<dyn Fn(Bytes) -> Bytes + Send + Sync>>,
    target: Option<Target>,
    pub(crate) uses: Uses,
}

/// What the client gets.
#[derive(Clone, Copy, Debug)]
enum Effect {
    /// An empty response with the changes.
    Own,
    /// The real response with the changes.
    Real(Delivery),
    Close {
        reset: bool,
    },
    Silence,
}

/// Whether and when the service processes the request.
#[derive(Clone, Copy, Debug)]
enum Processing {
    Never,
    Before,
    /// This much later than the fault.
    After(Duration),
}

impl fmt::Debug for Fault {
    /// All but a changed body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = (self.target, self.uses, self.processing);
        let response = (self.effect, self.status, &self.headers);
        write!(f, "Fault {request:?} {response:?}")
    }
}

/// Faults with a response of their own. The service does not process the request, unless
/// [`accepting`](Self::accepting) says otherwise.
impl Fault {
    fn new(effect: Effect) -> Self {
        let processing = match effect {
            Effect::Real(_) => Processing::Before,
            _ => Processing::Never,
        };
        Self {
            effect,
            processing,
            status: None,
            headers: Vec::new(),
            body: None,
            target: None,
            uses: Uses::Times(1),
        }
    }

    /// This status with an empty body.
    pub fn status(status: u16) -> Self {
        Self::new(Effect::Own).with_status(status)
    }

    /// This status with the HTML page of a gateway.
    pub fn html(status: u16) -> Self {
        Self::replace_body(status, "text/html; charset=utf-8", HTML)
    }

    /// This status with a `Retry-After` header: seconds, an HTTP date, or an invalid value.
    pub fn retry_after(status: u16, value: impl Into<String>) -> Self {
        Self::status(status).header("retry-after", value)
    }

    /// A redirect to this location.
    pub fn redirect(status: u16, location: impl Into<String>) -> Self {
        Self::status(status).header("location", location)
    }

    /// This status, content type and body.
    pub fn replace_body(
        status: u16,
        content_type: impl Into<String>,
        body: impl Into<Bytes>,
    ) -> Self {
        Self::status(status)
            .header("content-type", content_type)
            .body(body)
    }

    /// 200 with a body of this many bytes that are not JSON, although the content type says so.
    pub fn large_body(bytes: usize) -> Self {
        Self::replace_body(200, "application/json", vec![b'x'; bytes])
    }
}

/// Faults without a response.
impl Fault {
    /// The connection is reset (RST). The service does not process the request.
    pub fn reset_before() -> Self {
        Self::new(Effect::Close { reset: true })
    }

    /// The service processes the request, then the connection is reset (RST).
    pub fn reset_after() -> Self {
        Self::reset_before().accepting(true)
    }

    /// The connection is closed (FIN). The service does not process the request, unless
    /// [`accepting`](Self::accepting) says otherwise.
    pub fn close() -> Self {
        Self::new(Effect::Close { reset: false })
    }

    /// The request is never answered and the connection stays open. The service does not process
    /// the request, unless [`accepting`](Self::accepting) says otherwise.
    pub fn silence() -> Self {
        Self::new(Effect::Silence)
    }
}

/// Faults that damage the real response. The service always processes the request.
impl Fault {
    /// The real response with the changes of [`with_status`](Self::with_status),
    /// [`header`](Self::header), [`without_header`](Self::without_header), [`body`](Self::body) or
    /// [`map_body`](Self::map_body).
    pub fn altered() -> Self {
        Self::new(Effect::Real(Delivery::Whole))
    }

    /// The real response, compressed with gzip even if the client does not accept it.
    pub fn gzip() -> Self {
        let compressed = |body: Bytes| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            // Writing to memory cannot fail.
            let _ = encoder.write_all(&body);
            encoder.finish().unwrap_or_default()
        };
        Self::altered()
            .header("content-encoding", "gzip")
            .map_body(compressed)
    }

    /// The real response with a UTF-8 byte order mark before its body.
    pub fn byte_order_mark() -> Self {
        Self::altered().map_body(|body| [b"\xef\xbb\xbf", &*body].concat())
    }

    /// The real response after this delay. A submit is accepted before the delay.
    pub fn slow(delay: Duration) -> Self {
        Self::new(Effect::Real(Delivery::Late(delay)))
    }

    /// The real response, its body sent `step` bytes at a time (at least one), with a pause of
    /// `interval` before each piece.
    pub fn drip(step: usize, interval: Duration) -> Self {
        let step = step.max(1);
        Self::new(Effect::Real(Delivery::Drip { step, interval }))
    }

    /// The real response with its whole length promised. The connection is closed (FIN) after half
    /// of the body.
    pub fn truncated() -> Self {
        Self::new(Effect::Real(Delivery::Half { reset: false }))
    }

    /// The same as [`truncated`](Self::truncated), but the connection is reset (RST).
    pub fn reset_midway() -> Self {
        Self::new(Effect::Real(Delivery::Half { reset: true }))
    }
}

/// Changes to the response. Faults without a response ignore them. If a change is not valid HTTP,
/// the simulator responds with 500 and says so.
impl Fault {
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
        self.header("content-type", "application/json")
            .body(body.to_string())
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
    ///         text.replacen('{', r#"{"note":"\ud800","#, 1)
    ///     })
    ///     .on(Target::Lookup);
    /// # let _ = fault;
    /// ```
    pub fn map_body<B: Into<Bytes>>(
        mut self,
        map: impl Fn(Bytes) -> B + Send + Sync + 'static,
    ) -> Self {
        self.body = Some(Arc::new(move |body| map(body).into()));
        self
    }
}

/// Which requests a fault affects.
impl Fault {
    /// Whether the service processes the request before the fault. A synchronous submit is then
    /// held first. Faults that damage the real response always process the request.
    pub fn accepting(self, accepting: bool) -> Self {
        self.processing(match accepting {
            true => Processing::Before,
            false => Processing::Never,
        })
    }

    /// The service processes the request this much later than the client learns of the fault: a
    /// search in the history right after it finds nothing yet. Faults that damage the real response
    /// ignore it.
    pub fn accepting_after(self, delay: Duration) -> Self {
        self.processing(Processing::After(delay))
    }

    fn processing(mut self, processing: Processing) -> Self {
        if !matches!(self.effect, Effect::Real(_)) {
            self.processing = processing;
        }
        self
    }

    /// Affects only requests of this kind.
    pub fn on(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// Affects the next `times` requests.
    pub fn times(mut self, times: usize) -> Self {
        self.uses = Uses::Times(times);
        self
    }

    /// Affects every request that meets no counted fault, until
    /// [`Simulator::clear_faults`](crate::Simulator::clear_faults).
    pub fn always(mut self) -> Self {
        self.uses = Uses::Always;
        self
    }

    pub(crate) fn matches(&self, request: Option<Target>) -> bool {
        self.target.is_none_or(|target| target.includes(request))
    }

    /// Answers a request. `process` is what the service would do with it.
    pub(crate) async fn apply(
        self,
        jobs: &Jobs,
        process: impl Future<Output = Answer> + Send + 'static,
    ) -> Result<Response<Body>, Ending> {
        let mut real = answer(StatusCode::OK, "");
        match self.processing {
            Processing::Never => drop(process),
            Processing::Before => real = process.await,
            Processing::After(delay) => jobs.spawn(async move {
                sleep(delay).await;
                process.await;
            }),
        }
        let (base, delivery) = match self.effect {
            Effect::Own => (answer(StatusCode::OK, ""), Delivery::Whole),
            Effect::Real(delivery) => (real, delivery),
            Effect::Silence => future::pending().await,
            Effect::Close { reset } => {
                let last_bytes = Vec::new();
                return Err(Ending { last_bytes, reset });
            }
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
        for (name, value) in self.headers {
            let name = HeaderName::try_from(name)?;
            match value {
                Some(value) => answer
                    .headers_mut()
                    .insert(name, HeaderValue::try_from(value)?),
                None => answer.headers_mut().remove(name),
            };
        }
        Ok(answer)
    }
}
