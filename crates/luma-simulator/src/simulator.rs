//! The handle of a running simulator, and its builder.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use secrecy::SecretString;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::duration::JobDuration;
use crate::fault::Fault;
use crate::jobs::lock;
use crate::journal::{CAPACITY, Journal, ReceivedRequest, Stats};
use crate::script::TaskScript;
use crate::server;
use crate::service::{NotFound, Service};
use crate::store::Store;

/// Settings of a [`Simulator`] before it starts. [`Simulator::builder`] creates it.
///
/// ```
/// use std::time::Duration;
/// use luma_simulator::{JobDuration, Simulator};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let sim = Simulator::builder()
///     .token("secret")
///     .duration(JobDuration::Uniform {
///         min: Duration::from_secs(1),
///         max: Duration::from_secs(3),
///     })
///     .seed(42)
///     .start()
///     .await?;
/// # drop(sim);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is started"]
pub struct SimulatorBuilder {
    token: Option<SecretString>,
    port: u16,
    duration: JobDuration,
    seed: u64,
    discard_requests: bool,
}

impl SimulatorBuilder {
    /// Sets the only valid token. Any other gets 401 `invalid_token`. By default every token is
    /// valid. A missing or blank token always gets 401 `no_token`.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(SecretString::from(token.into()));
        self
    }

    /// Sets the TCP port on 127.0.0.1. Default: 0, which is any free port.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets how long tasks take. Default: two seconds.
    pub fn duration(mut self, duration: JobDuration) -> Self {
        self.duration = duration;
        self
    }

    /// Sets the seed of ids and random durations. Default: 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets whether [`Simulator::requests`] records the latest 10,000 requests. Default: true. A
    /// benchmark may turn it off.
    pub fn record_requests(mut self, record: bool) -> Self {
        self.discard_requests = !record;
        self
    }

    /// Starts the server on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// Returns the I/O error if the port cannot be bound.
    pub async fn start(self) -> io::Result<Simulator> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let store = Store::new(url.clone(), self.duration, self.seed);
        let capacity = if self.discard_requests { 0 } else { CAPACITY };
        let journal = Journal::new(capacity);
        let service = Arc::new(Service::new(self.token, store, journal));
        service.jobs.spawn(server::run(service.clone(), listener));
        let running = Arc::new(Running { url, service });
        Ok(Simulator { running })
    }
}

/// A running simulator.
///
/// Clones share one server. When the last clone is dropped, the server stops, its connections are
/// closed and its webhooks are cancelled.
///
/// ```
/// use std::time::Duration;
/// use luma_simulator::Simulator;
/// use serde_json::{Value, json};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Tasks end only when the test says so.
/// let sim = Simulator::with_duration(Duration::MAX).await?;
/// let http = reqwest::Client::builder().no_proxy().build()?;
/// let submit = http.post(format!("{}/luma/videos", sim.url())).bearer_auth("any");
/// let body = json!({ "prompt": "A fox", "async": true });
/// let answer: Value = submit.json(&body).send().await?.json().await?;
/// let id = answer["task_id"].as_str().unwrap();
/// assert_eq!(sim.task(id).unwrap()["response"], json!({}));
///
/// assert!(sim.complete(id));
/// assert_eq!(sim.task(id).unwrap()["response"]["state"], "completed");
///
/// // What was sent, and how many videos would be billed.
/// assert_eq!(sim.requests()[0].json().unwrap()["prompt"], "A fox");
/// assert_eq!(sim.stats().submits_accepted, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Simulator {
    running: Arc<Running>,
}

struct Running {
    url: String,
    service: Arc<Service>,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.service.jobs.end());
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Simulator");
        debug.field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Simulator {
    /// Starts a simulator with all defaults on the current tokio runtime: any free port, any token,
    /// two seconds for every task.
    ///
    /// # Errors
    ///
    /// Returns the I/O error if no port can be bound.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Starts a simulator whose tasks all take this long. `Duration::ZERO` makes tests fast. With
    /// `Duration::MAX`, a task ends only by [`complete`](Self::complete).
    ///
    /// # Errors
    ///
    /// Returns the I/O error if no port can be bound.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use luma_simulator::Simulator;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let sim = Simulator::with_duration(Duration::ZERO).await?;
    /// // Every video is ready with the first lookup.
    /// # drop(sim);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn with_duration(duration: Duration) -> io::Result<Self> {
        let duration = JobDuration::Fixed(duration);
        Self::builder().duration(duration).start().await
    }

    /// Returns a builder with all defaults.
    pub fn builder() -> SimulatorBuilder {
        SimulatorBuilder::default()
    }

    /// Stops the server and waits until its connections and webhooks have ended. Counters, requests
    /// and tasks can still be read.
    pub async fn shutdown(&self) {
        self.service().jobs.end().shutdown().await;
    }

    /// Returns the base URL, `http://127.0.0.1:<port>`, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.running.url
    }

    fn service(&self) -> &Service {
        &self.running.service
    }

    // Control.

    /// Sets how long tasks take that are submitted from now on.
    pub fn set_duration(&self, duration: JobDuration) {
        lock(&self.service().store).set_duration(duration);
    }

    /// Ends a task now with the last step of its script. Synchronous submits are answered and
    /// webhooks sent. Returns false if the task is unknown.
    pub fn complete(&self, task_id: &str) -> bool {
        self.service().complete(task_id)
    }

    /// Sets what happens to the next submit, or to several: see [`TaskScript`].
    pub fn on_submit(&self, script: TaskScript) {
        lock(&self.service().scripts).push(script.times, script);
    }

    /// Removes all scripts.
    pub fn clear_scripts(&self) {
        lock(&self.service().scripts).clear();
    }

    /// Makes the next request, or several, go wrong: see [`Fault`].
    pub fn inject(&self, fault: Fault) {
        lock(&self.service().faults).push(fault.times, fault);
    }

    /// Removes all faults. A request that already met one is not affected.
    pub fn clear_faults(&self) {
        lock(&self.service().faults).clear();
    }

    /// Sets the response to lookups of unknown tasks. Default: HTTP 200 with `{}`.
    pub fn set_not_found(&self, answer: NotFound) {
        self.service().set_not_found(answer);
    }

    /// Sets whether `retrieve_batch` without ids lists the history (the default) or gets 400
    /// `bad_request`.
    pub fn set_history_supported(&self, supported: bool) {
        self.service().set_history_supported(supported);
    }

    /// Sets how long after its acceptance a task appears in the history. Default: zero. Lookups by
    /// id are not affected.
    pub fn set_history_lag(&self, lag: Duration) {
        self.service().set_history_lag(lag);
    }

    /// Sets what every `video_url` serves from now on. All ETags change.
    pub fn set_video(&self, bytes: impl Into<Bytes>) {
        lock(&self.service().media).set_video(bytes.into());
    }

    // Inspection.

    /// Returns the current counters.
    pub fn stats(&self) -> Stats {
        self.service().journal.stats()
    }

    /// Returns the received requests in order, at most the latest 10,000.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.service().journal.requests()
    }

    /// Returns the task object that a lookup would return now, or `None` if the task is unknown.
    /// It does not count as a request.
    pub fn task(&self, task_id: &str) -> Option<Value> {
        let store = lock(&self.service().store);
        Some(store.get(task_id)?.to_json(Instant::now()))
    }

    /// Returns copies of all task objects in order of acceptance.
    pub fn tasks(&self) -> Vec<Value> {
        let store = lock(&self.service().store);
        let now = Instant::now();
        store.iter().map(|task| task.to_json(now)).collect()
    }

    /// Returns the number of tasks.
    pub fn task_count(&self) -> usize {
        lock(&self.service().store).len()
    }

    /// Returns the `video_url` that a task has when it is completed, or `None` if the task is
    /// unknown.
    pub fn video_url(&self, task_id: &str) -> Option<String> {
        Some(lock(&self.service().store).get(task_id)?.media_url("mp4"))
    }

    /// Returns the `thumbnail_url` that a task has when it is completed, or `None` if the task is
    /// unknown.
    pub fn thumbnail_url(&self, task_id: &str) -> Option<String> {
        Some(lock(&self.service().store).get(task_id)?.media_url("jpg"))
    }
}
