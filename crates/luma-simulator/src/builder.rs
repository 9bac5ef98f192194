//! How a simulator is set up.

use std::{
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use secrecy::SecretString;
use tokio::{
    net::TcpListener,
    sync::{Notify, OnceCell, mpsc},
};

use crate::{
    JobDuration, NotFound, Simulator,
    media::Media,
    queue::Queue,
    server,
    state::{Settings, State},
    stats::{Recorder, Stats},
    store::Store,
};

/// Settings of a [`Simulator`] before it starts; made by [`Simulator::builder`].
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
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct SimulatorBuilder {
    token: Option<SecretString>,
    port: u16,
    duration: JobDuration,
    seed: u64,
    record_requests: bool,
}

impl SimulatorBuilder {
    pub(crate) fn new() -> Self {
        let duration = JobDuration::default();
        Self {
            token: None,
            port: 0,
            duration,
            seed: 0,
            record_requests: true,
        }
    }

    /// The one token that is valid. Any other gets 401 `invalid_token`. Default: every token that
    /// is not blank is valid. A missing one always gets 401 `no_token`.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(SecretString::from(token.into()));
        self
    }

    /// The TCP port on 127.0.0.1. Default: 0, any free port.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// How long tasks take. Default: two seconds each.
    pub fn duration(mut self, duration: JobDuration) -> Self {
        self.duration = duration;
        self
    }

    /// Ids and drawn durations follow from it. Default: 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Whether [`Simulator::requests`] keeps the latest 10,000 requests. Default: true; a
    /// benchmark may switch it off.
    pub fn record_requests(mut self, record: bool) -> Self {
        self.record_requests = record;
        self
    }

    /// Starts the server on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// Those of binding the port.
    pub async fn start(self) -> io::Result<Simulator> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (jobs, job_queue) = mpsc::unbounded_channel();
        let state = Arc::new(State {
            token: self.token,
            store: Mutex::new(Store::new(url.clone(), self.duration, self.seed)),
            steered: Notify::new(),
            scripts: Mutex::new(Queue::default()),
            faults: Mutex::new(Queue::default()),
            settings: Mutex::new(Settings {
                not_found: NotFound::default(),
                history_supported: true,
            }),
            media: Mutex::new(Media::new()),
            stats: Mutex::new(Stats::default()),
            recorder: Mutex::new(Recorder::new(self.record_requests)),
            jobs,
            webhook_client: OnceCell::new(),
        });
        let stop = Arc::new(Notify::new());
        let server = tokio::spawn(server::run(
            listener,
            state.clone(),
            job_queue,
            stop.clone(),
        ));
        Ok(Simulator::new(url, state, stop, server))
    }
}
