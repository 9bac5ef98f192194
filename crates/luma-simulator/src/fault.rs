//! What can go wrong on the way to the service and back.

use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;

use crate::{
    connection::Control,
    effect::{Aborted, Effect, Payload},
    queue::Uses,
};

const HTML: &[u8] = b"<!DOCTYPE html>\n<html><head><title>Gateway error</title></head>\
    <body><h1>Gateway error</h1><p>The upstream server did not answer.</p></body></html>\n";

/// Which requests a [`Fault`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// `/luma/videos`.
    Submit,
    /// `/luma/tasks`.
    Lookup,
    /// Anything under `/media/`.
    Media,
}

impl Target {
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path {
            "/luma/videos" => Some(Self::Submit),
            "/luma/tasks" => Some(Self::Lookup),
            _ if path.starts_with("/media/") => Some(Self::Media),
            _ => None,
        }
    }
}

/// Something that goes wrong with a request.
///
/// Give it to [`Simulator::inject`](super::Simulator::inject). It strikes the next request, unless
/// [`on`](Self::on), [`times`](Self::times) or [`always`](Self::always) say otherwise.
///
/// Some faults strike *before* the request reaches the service: nothing is accepted or billed.
/// Others strike *after*: the service has done its work and only the answer suffers. Where both are
/// possible, [`accepting`](Self::accepting) chooses.
///
/// ```
/// use luma_simulator::{Fault, Target};
///
/// // Three lookups meet a busy gateway; a submit is billed, but its answer is lost.
/// let busy = Fault::retry_after(429, "1").on(Target::Lookup).times(3);
/// let lost = Fault::html(502).on(Target::Submit).accepting(true);
/// # let _ = (busy, lost);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a fault does nothing before it is injected"]
pub struct Fault {
    effect: Effect,
    accepting: bool,
    target: Option<Target>,
    pub(crate) uses: Uses,
}

impl Fault {
    fn new(effect: Effect) -> Self {
        Self {
            effect,
            accepting: false,
            target: None,
            uses: Uses::Times(1),
        }
    }

    /// This status, with an empty body. Strikes before by default.
    pub fn status(status: u16) -> Self {
        let body = Payload::Bytes(Bytes::new());
        Self::new(Effect::Answer {
            status,
            headers: Vec::new(),
            body,
        })
    }

    /// This status with a gateway's HTML page. Strikes before by default.
    pub fn html(status: u16) -> Self {
        Self::replace_body(status, "text/html; charset=utf-8", HTML)
    }

    /// This status with a `Retry-After` header: seconds, an HTTP date, or nonsense. Strikes before
    /// by default.
    pub fn retry_after(status: u16, value: impl Into<String>) -> Self {
        Self::status(status).header("retry-after", value)
    }

    /// A redirect. Strikes before by default.
    pub fn redirect(status: u16, location: impl Into<String>) -> Self {
        Self::status(status).header("location", location)
    }

    /// This status, content type and body in place of the real answer. Strikes before by default.
    pub fn replace_body(
        status: u16,
        content_type: impl Into<String>,
        body: impl Into<Bytes>,
    ) -> Self {
        Self::status(status)
            .header("content-type", content_type)
            .body(body)
    }

    /// 200 with a body of `length` bytes, made as it is sent. Strikes before by default.
    pub fn body_bytes(length: u64) -> Self {
        let headers = vec![("content-type".into(), "application/json".into())];
        Self::new(Effect::Answer {
            status: 200,
            headers,
            body: Payload::Filler(length),
        })
    }

    /// The connection is reset (RST). Nothing was accepted.
    pub fn reset_before() -> Self {
        Self::new(Effect::Reset)
    }

    /// The request is processed, a submit billed; then the connection is reset (RST) with no
    /// answer.
    pub fn reset_after() -> Self {
        Self::new(Effect::Reset).accepting(true)
    }

    /// The request is never answered; the connection stays open. Strikes before by default.
    pub fn silence() -> Self {
        Self::new(Effect::Silence)
    }

    /// The real answer, with its whole length promised, but closed after half of the body.
    /// Always strikes after.
    pub fn truncated() -> Self {
        Self::new(Effect::Truncate { reset: false }).accepting(true)
    }

    /// As [`truncated`](Self::truncated), but the connection is reset (RST).
    pub fn reset_midway() -> Self {
        Self::new(Effect::Truncate { reset: true }).accepting(true)
    }

    /// The real answer, so much later. Always strikes after.
    pub fn slow(delay: Duration) -> Self {
        Self::new(Effect::Slow(delay)).accepting(true)
    }

    /// The real answer, its body sent `step` bytes at a time (at least one), with a pause of
    /// `interval` before each. Always strikes after.
    pub fn drip(step: usize, interval: Duration) -> Self {
        Self::new(Effect::Drip {
            step: step.max(1),
            interval,
        })
        .accepting(true)
    }

    /// The body of a fault that has an answer of its own; the others ignore it.
    pub fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        if let Effect::Answer { body, .. } = &mut self.effect {
            *body = Payload::Bytes(bytes.into());
        }
        self
    }

    /// A JSON body, with its content type, of a fault that has an answer of its own; the others
    /// ignore it.
    pub fn json(self, body: Value) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }

    /// Sets a header of a fault that has an answer of its own; the others ignore it. If name or
    /// value cannot be sent, the simulator answers 500 and says so.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        if let Effect::Answer { headers, .. } = &mut self.effect {
            let name = name.into();
            headers.retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
            headers.push((name, value.into()));
        }
        self
    }

    /// Whether the request is processed, and a submit so billed, before the fault strikes. A held
    /// call is then held first. Faults that spoil the real answer always process the request.
    pub fn accepting(mut self, accepting: bool) -> Self {
        let spoils = matches!(
            self.effect,
            Effect::Truncate { .. } | Effect::Slow(_) | Effect::Drip { .. }
        );
        self.accepting = accepting || spoils;
        self
    }

    /// Strikes only requests of this kind.
    pub fn on(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// Strikes the next `times` requests.
    pub fn times(mut self, times: usize) -> Self {
        self.uses = Uses::Times(times);
        self
    }

    /// Strikes every request that no counted fault strikes, until
    /// [`Simulator::clear_faults`](super::Simulator::clear_faults).
    pub fn always(mut self) -> Self {
        self.uses = Uses::Always;
        self
    }

    pub(crate) fn fits(&self, target: Option<Target>) -> bool {
        self.target.is_none() || self.target == target
    }

    /// Answers a request. `process` is what the service would do with it.
    pub(crate) async fn strike(
        self,
        control: &Control,
        process: impl Future<Output = Response>,
    ) -> Result<Response, Aborted> {
        if !self.accepting {
            drop(process);
            return self.effect.strike(control, Response::default()).await;
        }
        let real = process.await;
        self.effect.strike(control, real).await
    }
}
