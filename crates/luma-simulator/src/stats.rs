//! What the simulator has seen: counters, and the requests themselves.

use std::collections::VecDeque;

use bytes::Bytes;
use http::{HeaderMap, Method, header::AUTHORIZATION, request::Parts};
use serde_json::Value;
use tokio::time::Instant;

use super::fault::Target;

/// How many requests are kept. The oldest go first.
const KEPT: usize = 10_000;

/// Counters of a simulator since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// TCP connections accepted.
    pub connections: u64,
    /// Requests to `/luma/videos`, refused and faulty ones included.
    pub submits_received: u64,
    /// Submits accepted. The real service bills each of them.
    pub submits_billed: u64,
    /// Requests to `/luma/tasks`, refused and faulty ones included.
    pub lookups: u64,
    /// For each `retrieve_batch` with ids that was answered, in order: how many ids it asked for.
    pub batch_sizes: Vec<usize>,
    /// Requests under `/media/`.
    pub media_requests: u64,
    /// Requests under `/media/` that carried an `Authorization` header. There should be none.
    pub media_requests_with_authorization: u64,
    /// Requests to any other path.
    pub other_requests: u64,
    /// Requests that met a scripted fault.
    pub faults: u64,
    /// Webhooks that were answered with success.
    pub webhooks_delivered: u64,
    /// Webhooks that were not. They are not tried again.
    pub webhooks_failed: u64,
}

impl Stats {
    /// All HTTP requests.
    pub fn requests(&self) -> u64 {
        self.submits_received + self.lookups + self.media_requests + self.other_requests
    }

    pub(crate) fn count(&mut self, target: Option<Target>, headers: &HeaderMap) {
        match target {
            Some(Target::Submit) => self.submits_received += 1,
            Some(Target::Lookup) => self.lookups += 1,
            Some(Target::Media) => {
                self.media_requests += 1;
                let authorized = headers.contains_key(AUTHORIZATION);
                self.media_requests_with_authorization += u64::from(authorized);
            }
            None => self.other_requests += 1,
        }
    }
}

/// A request as it came in. `Debug` hides the credentials.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReceivedRequest {
    /// When its body was complete, on tokio's clock.
    pub at: Instant,
    /// The method.
    pub method: Method,
    /// The path, without a query.
    pub path: String,
    /// The headers. `Authorization` is there, but marked sensitive.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl ReceivedRequest {
    pub(crate) fn new(parts: &Parts, body: Bytes) -> Self {
        let mut headers = parts.headers.clone();
        for (_, value) in headers
            .iter_mut()
            .filter(|(name, _)| *name == AUTHORIZATION)
        {
            value.set_sensitive(true);
        }
        let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
        Self {
            at: Instant::now(),
            method,
            path,
            headers,
            body,
        }
    }

    /// The body as JSON, if it is JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Whether the request carried an `Authorization` header.
    pub fn has_authorization(&self) -> bool {
        self.headers.contains_key(AUTHORIZATION)
    }
}

/// The latest requests, if they are kept at all.
#[derive(Debug)]
pub(crate) struct Recorder {
    enabled: bool,
    requests: VecDeque<ReceivedRequest>,
}

impl Recorder {
    pub(crate) fn new(enabled: bool) -> Self {
        Self {
            enabled,
            requests: VecDeque::new(),
        }
    }

    pub(crate) fn set_enabled(&mut self, enabled: bool) {
        self.enabled = enabled;
    }

    pub(crate) fn record(&mut self, request: impl FnOnce() -> ReceivedRequest) {
        if self.enabled {
            if self.requests.len() == KEPT {
                self.requests.pop_front();
            }
            self.requests.push_back(request());
        }
    }

    pub(crate) fn to_vec(&self) -> Vec<ReceivedRequest> {
        self.requests.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: String) -> ReceivedRequest {
        let request = http::Request::post(path).header(AUTHORIZATION, "Bearer secret");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        ReceivedRequest::new(&parts, Bytes::from_static(b"{\"a\":1}"))
    }

    #[test]
    fn debug_hides_the_token() {
        let request = request("/luma/videos".into());
        let shown = format!("{request:?} {:?}", request.headers);
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.contains("/luma/videos"));
        assert!(request.has_authorization());
        assert_eq!(request.json().unwrap()["a"], 1);
    }

    #[test]
    fn only_the_latest_requests_are_kept() {
        let mut recorder = Recorder::new(true);
        for index in 0..=KEPT {
            recorder.record(|| request(format!("/{index}")));
        }
        let requests = recorder.to_vec();
        assert_eq!(requests.len(), KEPT);
        assert_eq!(requests[0].path, "/1");
        recorder.set_enabled(false);
        recorder.record(|| request("/off".into()));
        assert_eq!(recorder.to_vec().last().unwrap().path, format!("/{KEPT}"));
    }
}
