//! What both kinds of workers have in common.

use std::{env, time::Duration};

use anyhow::Result;
use apalis::prelude::{BackendExt, BoxDynError, DeferredError, PollWith, Strategy, WorkerError};
use apalis_postgres::{Config, PostgresStorage};
use luma_client::{CancellationToken, Luma, Pace};
use sqlx::PgPool;
use tokio::signal::unix::{SignalKind, signal};

/// For how long a submit is sent.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What a job needs.
#[derive(Clone)]
pub struct Work {
    pub luma: Luma,
    pub pool: PgPool,
    pub times: Times,
    /// Cancelled when this process shall end.
    pub stop: CancellationToken,
}

#[derive(Clone)]
pub struct Times {
    /// How often a worker says that it lives. It counts as dead after three of them.
    heartbeat: Duration,
    /// How long the service may take to show what it has accepted. More than [`TIMEOUT`], should a
    /// worker live on without the database, and so without its lock.
    pub settle: Duration,
    /// How long a job that went wrong rests.
    pause: Duration,
    pub pace: Pace,
}

impl Times {
    /// Quick ones are for a simulated service.
    fn new(quick: bool) -> Self {
        let (second, pace) = match quick {
            false => (Duration::from_secs(1), Pace::default()),
            true => (
                Duration::from_millis(50),
                Pace::fixed(Duration::from_millis(200)),
            ),
        };
        Self {
            heartbeat: 10 * second,
            settle: 45 * second,
            pause: 10 * second,
            pace,
        }
    }
}

impl Work {
    pub fn new(pool: PgPool) -> Result<Self> {
        let quick = env::var_os("QUICK").is_some();
        Ok(Self {
            luma: Luma::builder().timeout(TIMEOUT).build()?,
            pool,
            times: Times::new(quick),
            stop: CancellationToken::new(),
        })
    }

    /// Where a worker's jobs come from.
    pub fn storage(&self, queue: &str) -> PollWith<PostgresStorage<i64>, Strategy> {
        let config = Config::default()
            .queue(queue)
            .heartbeat_interval(self.times.heartbeat)
            .missed_heartbeats(3)
            // A worker whose hands are full has no heartbeat as long as it has fetched more.
            .batch_size(1);
        PostgresStorage::new(&self.pool)
            .with_config(config)
            .poll_with_strategy(Strategy::new().interval(self.times.pause / 10))
    }

    /// A name for a worker, never used again: under a new life the jobs of the dead would look
    /// taken.
    pub async fn name(&self, queue: &str) -> Result<String> {
        let name = sqlx::query_scalar("SELECT $1 || '-' || gen_random_uuid()").bind(queue);
        Ok(name.fetch_one(&self.pool).await?)
    }

    /// What a job ends with. One that went wrong goes back into its queue, however often: it ends
    /// with a video or with a problem, never by itself.
    pub async fn end(&self, id: i64, result: Result<()>) -> Result<(), BoxDynError> {
        let Err(error) = result else { return Ok(()) };
        eprintln!("video {id}: {error:#}");
        // The queue hands it out again at once.
        self.stop
            .run_until_cancelled(tokio::time::sleep(self.times.pause))
            .await;
        Err(DeferredError::new(error).into())
    }

    /// Ctrl-C or SIGTERM. Waits are given up: they cost nothing and go on elsewhere.
    pub async fn stopped(self) -> Result<(), WorkerError> {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => {}
            ctrl_c = tokio::signal::ctrl_c() => ctrl_c?,
        }
        self.stop.cancel();
        Ok(())
    }
}
