//! What the simulator has received: counters and requests.

use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method};
use serde_json::Value;
use tokio::time::Instant;

use crate::fault::Target;
use crate::jobs::lock;

/// How many requests are recorded. The oldest are dropped first.
pub(crate) const CAPACITY: usize = 10_000;

/// Counters of a simulator since its start.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let sim = luma_simulator::Simulator::start().await?;
/// assert_eq!(sim.stats().submits_accepted, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// TCP connections accepted.
    pub connections: u64,
    /// Requests to `/luma/videos`, including refused and faulty ones.
    pub submits_received: u64,
    /// Submits accepted. The real service bills each of them when its video is made.
    pub submits_accepted: u64,
    /// Requests to `/luma/tasks`, including refused and faulty ones.
    pub lookups: u64,
    /// The number of ids in each `retrieve_batch` that got a response, in order. History requests have
    /// no ids and are not counted here.
    pub batch_sizes: Vec<usize>,
    /// Requests under `/media/`.
    pub media_requests: u64,
    /// Requests under `/media/` with an `Authorization` header. A client should send none.
    pub media_requests_with_authorization: u64,
    /// Requests to any other path.
    pub other_requests: u64,
    /// Requests that met a [`Fault`](crate::Fault).
    pub faults: u64,
    /// Webhooks that got a 2xx response.
    pub webhooks_delivered: u64,
    /// Webhooks that failed. They are not retried.
    pub webhooks_failed: u64,
}

impl Stats {
    /// Returns the number of all HTTP requests.
    pub fn requests(&self) -> u64 {
        self.submits_received + self.lookups + self.media_requests + self.other_requests
    }

    fn count_request(&mut self, target: Option<Target>, headers: &HeaderMap) {
        match target {
            Some(Target::Submit) => self.submits_received += 1,
            Some(Target::Lookup) => self.lookups += 1,
            Some(Target::Media | Target::Range) => {
                self.media_requests += 1;
                let count = &mut self.media_requests_with_authorization;
                *count += u64::from(headers.contains_key(AUTHORIZATION));
            }
            None => self.other_requests += 1,
        }
    }
}

/// A request as the simulator received it. `Debug` hides the credentials.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sim = luma_simulator::Simulator::start().await?;
/// let http = reqwest::Client::builder().no_proxy().build()?;
/// let lookup = http.post(format!("{}/luma/tasks", sim.url())).bearer_auth("any");
/// lookup.body(r#"{"action":"retrieve","id":"a"}"#).send().await?;
///
/// let request = &sim.requests()[0];
/// assert_eq!((request.path.as_str(), request.has_authorization()), ("/luma/tasks", true));
/// assert_eq!(request.json().unwrap()["id"], "a");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReceivedRequest {
    /// When its body was complete, on tokio's clock.
    pub at: Instant,
    /// The method.
    pub method: Method,
    /// The path without the query.
    pub path: String,
    /// The headers. `Authorization` is included, but marked as sensitive.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl ReceivedRequest {
    fn new(parts: &Parts, body: Bytes) -> Self {
        let mut headers = parts.headers.clone();
        if let http::header::Entry::Occupied(mut entry) = headers.entry(AUTHORIZATION) {
            entry.iter_mut().for_each(|value| value.set_sensitive(true));
        }
        Self {
            at: Instant::now(),
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            headers,
            body,
        }
    }

    /// Returns the body as JSON, or `None` if it is not JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Returns whether the request has an `Authorization` header.
    pub fn has_authorization(&self) -> bool {
        self.headers.contains_key(AUTHORIZATION)
    }
}

#[derive(Debug)]
pub(crate) struct Journal {
    capacity: usize,
    stats: Mutex<Stats>,
    requests: Mutex<VecDeque<ReceivedRequest>>,
}

impl Journal {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, stats: Mutex::default(), requests: Mutex::default() }
    }

    pub(crate) fn connection(&self) {
        lock(&self.stats).connections += 1;
    }

    pub(crate) fn submit_accepted(&self) {
        lock(&self.stats).submits_accepted += 1;
    }

    pub(crate) fn batch(&self, ids: usize) {
        lock(&self.stats).batch_sizes.push(ids);
    }

    pub(crate) fn fault(&self) {
        lock(&self.stats).faults += 1;
    }

    pub(crate) fn webhook(&self, delivered: bool) {
        let mut stats = lock(&self.stats);
        stats.webhooks_delivered += u64::from(delivered);
        stats.webhooks_failed += u64::from(!delivered);
    }

    pub(crate) fn received(&self, target: Option<Target>, parts: &Parts, body: &Bytes) {
        lock(&self.stats).count_request(target, &parts.headers);
        let mut requests = lock(&self.requests);
        requests.push_back(ReceivedRequest::new(parts, body.clone()));
        if requests.len() > self.capacity {
            requests.pop_front();
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        lock(&self.stats).clone()
    }

    pub(crate) fn requests(&self) -> Vec<ReceivedRequest> {
        lock(&self.requests).iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(journal: &Journal, path: &str) {
        let request = http::Request::post(path).header(AUTHORIZATION, "Bearer secret");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        journal.received(None, &parts, &Bytes::from_static(b"{\"a\":1}"));
    }

    #[test]
    fn request_debug_hides_token() {
        let journal = Journal::new(CAPACITY);
        receive(&journal, "/luma/videos");
        let request = &journal.requests()[0];
        let shown = format!("{journal:?} {request:?} {:?}", request.headers);
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.contains("/luma/videos"));
        assert!(request.has_authorization());
        assert_eq!(request.json().unwrap()["a"], 1);
    }

    #[test]
    fn full_journal_drops_oldest_request() {
        let journal = Journal::new(CAPACITY);
        for index in 0..=CAPACITY {
            receive(&journal, &format!("/{index}"));
        }
        assert_eq!(journal.requests().len(), CAPACITY);
        assert_eq!(journal.requests()[0].path, "/1");
        assert_eq!(journal.requests().last().unwrap().path, format!("/{CAPACITY}"));
        assert_eq!(journal.stats().other_requests, CAPACITY as u64 + 1);
    }
}
