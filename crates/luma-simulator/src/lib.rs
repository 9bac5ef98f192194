//! A stateful Luma API on a loopback port, for tests, benchmarks and offline work.
//!
//! It speaks the wire format of the real service: submits that are accepted, held or answered by
//! webhook; tasks that are pending, then processing, then completed; lookups; errors; and the
//! finished files themselves. [`Fault`]s and [`TaskScript`]s make it behave badly on purpose. It
//! counts what it sees, so that a test can ask what was really sent and what would have been
//! billed.
//!
//! Tasks take two seconds unless told otherwise. Time is tokio's: it can be paused in tests.
//!
//! ```
//! use luma_simulator::Simulator;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sim = Simulator::start().await?;
//! let http = reqwest::Client::builder().no_proxy().build()?;
//! let answer: serde_json::Value = http
//!     .post(format!("{}/luma/videos", sim.url()))
//!     .bearer_auth("any")
//!     .json(&serde_json::json!({ "prompt": "A lighthouse at dusk", "async": true }))
//!     .send()
//!     .await?
//!     .json()
//!     .await?;
//! assert!(answer["task_id"].is_string());
//! assert_eq!(sim.stats().submits_billed, 1);
//! # Ok(())
//! # }
//! ```

mod builder;
mod connection;
mod duration;
mod effect;
mod error;
mod fault;
mod lookup;
mod media;
mod queue;
mod script;
mod server;
mod state;
mod stats;
mod store;
mod submit;
mod task;
mod webhook;

use std::{
    fmt, io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use serde_json::Value;
use tokio::{sync::Notify, task::JoinHandle, time::Instant};

use self::state::{State, lock};
pub use self::{
    builder::SimulatorBuilder,
    duration::JobDuration,
    fault::{Fault, Target},
    lookup::NotFound,
    script::TaskScript,
    stats::{ReceivedRequest, Stats},
};

/// A running simulator. Clones share it; when the last one is dropped, the server stops, its
/// connections are closed and its webhooks are given up.
///
#[derive(Clone)]
pub struct Simulator {
    running: Arc<Running>,
}

struct Running {
    url: String,
    state: Arc<State>,
    stop: Arc<Notify>,
    server: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(server) = lock(&self.server).take() {
            server.abort();
        }
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

impl Simulator {
    fn new(url: String, state: Arc<State>, stop: Arc<Notify>, server: JoinHandle<()>) -> Self {
        let server = Mutex::new(Some(server));
        Self {
            running: Arc::new(Running {
                url,
                state,
                stop,
                server,
            }),
        }
    }

    /// Starts a simulator with all defaults, on the current tokio runtime: any free port, any
    /// token, two seconds a task.
    ///
    /// # Errors
    ///
    /// Those of binding a port.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Starts a simulator whose tasks all take this long.
    ///
    /// # Errors
    ///
    /// Those of binding a port.
    pub async fn with_duration(duration: Duration) -> io::Result<Self> {
        Self::builder()
            .duration(JobDuration::Fixed(duration))
            .start()
            .await
    }

    /// Sets up a simulator.
    pub fn builder() -> SimulatorBuilder {
        SimulatorBuilder::new()
    }

    fn state(&self) -> &State {
        &self.running.state
    }

    /// The base URL, `http://127.0.0.1:<port>`, with no slash at the end.
    pub fn url(&self) -> &str {
        &self.running.url
    }

    /// Where the video of a task is (or will be): the `video_url` that its answers carry.
    pub fn video_url(&self, task_id: &str) -> Option<String> {
        self.media_url(task_id, "mp4")
    }

    /// Where the thumbnail of a task is (or will be).
    pub fn thumbnail_url(&self, task_id: &str) -> Option<String> {
        self.media_url(task_id, "jpg")
    }

    fn media_url(&self, task_id: &str, extension: &str) -> Option<String> {
        let store = lock(&self.state().store);
        let video_id = &store.get(task_id)?.video_id;
        Some(format!("{}/media/{video_id}.{extension}", self.url()))
    }

    /// Stops the server and waits until its connections and webhooks have ended. What the
    /// simulator has seen can still be read.
    pub async fn shutdown(&self) {
        let server = lock(&self.running.server).take();
        if let Some(server) = server {
            self.running.stop.notify_one();
            // The server ends by itself; a panic in it has been reported already.
            let _ = server.await;
        }
    }
}

/// Steering.
impl Simulator {
    /// How long tasks take that are submitted from now on.
    pub fn set_duration(&self, duration: JobDuration) {
        lock(&self.state().store).duration = duration;
    }

    /// Ends a task now, as its script would have it in the end. Held calls are answered and
    /// webhooks sent. False if there is no such task.
    pub fn complete(&self, task_id: &str) -> bool {
        let mut store = lock(&self.state().store);
        let Some(task) = store.get_mut(task_id) else {
            return false;
        };
        task.complete(Instant::now());
        drop(store);
        self.state().steered.notify_waiters();
        true
    }

    /// Decides what becomes of the next submit, or of several: see [`TaskScript`].
    pub fn on_submit(&self, script: TaskScript) {
        lock(&self.state().scripts).push(script.uses, script);
    }

    /// Takes back all scripts that no submit has used up.
    pub fn clear_scripts(&self) {
        lock(&self.state().scripts).clear();
    }

    /// Lets the next request, or several, go wrong: see [`Fault`].
    pub fn inject(&self, fault: Fault) {
        lock(&self.state().faults).push(fault.uses, fault);
    }

    /// Takes back all faults that no request has met. Requests that met one are not released.
    pub fn clear_faults(&self) {
        lock(&self.state().faults).clear();
    }

    /// How lookups of unknown tasks are answered. Default: HTTP 200 with `{}`.
    pub fn set_not_found(&self, answer: NotFound) {
        lock(&self.state().settings).not_found = answer;
    }

    /// Whether `retrieve_batch` without ids lists the history (the default) or gets 400
    /// `bad_request`.
    pub fn history_supported(&self, supported: bool) {
        lock(&self.state().settings).history_supported = supported;
    }

    /// What every `video_url` serves from now on. All ETags change, as if the files had been made
    /// anew.
    pub fn set_video(&self, bytes: impl Into<Bytes>) {
        lock(&self.state().media).set_video(bytes.into());
    }

    /// Whether requests are kept from now on. Those already kept stay.
    pub fn record_requests(&self, record: bool) {
        lock(&self.state().recorder).set_enabled(record);
    }
}

/// What it has seen.
impl Simulator {
    /// The counters as they are now.
    pub fn stats(&self) -> Stats {
        lock(&self.state().stats).clone()
    }

    /// The requests received, in order; at most the latest 10,000.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        lock(&self.state().recorder).to_vec()
    }

    /// The task object that a lookup would answer now, or `None` if there is no such task. Counts
    /// as no request.
    pub fn task(&self, task_id: &str) -> Option<Value> {
        let store = lock(&self.state().store);
        let task = store.get(task_id)?;
        serde_json::to_value(store.view(task, Instant::now())).ok()
    }

    /// All task objects, in order of acceptance. Copies everything: not for the inside of a
    /// benchmark.
    pub fn tasks(&self) -> Vec<Value> {
        let (store, now) = (lock(&self.state().store), Instant::now());
        store
            .iter()
            .filter_map(|task| serde_json::to_value(store.view(task, now)).ok())
            .collect()
    }

    /// How many tasks there are.
    pub fn task_count(&self) -> usize {
        lock(&self.state().store).len()
    }
}
